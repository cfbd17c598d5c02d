"""``python -m laion_fmri.cli`` is the same as ``laion-fmri``."""

import sys

from laion_fmri.cli import main

sys.exit(main())
