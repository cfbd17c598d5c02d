"""The process of ``laion-fmri``, which ``python -m laion_fmri.cli`` starts too."""

import gc
import sys
from typing import NoReturn

from laion_fmri.cli import main

_AT_ONCE = 50_000  # new objects, after which Python looks for cycles among them; its own 700 cost a tenth of a command


def run() -> NoReturn:
    """Run a command, and end the process."""
    gc.set_threshold(_AT_ONCE)
    code = main()
    gc.freeze()  # what is left goes with the process, and need not be taken apart
    sys.exit(code)


if __name__ == "__main__":
    run()
