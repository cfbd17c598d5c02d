"""Whether a connection trickles: it gives bytes, but too few to wait for."""

from __future__ import annotations

from laion_fmri.errors import PassingError
from laion_fmri.storage import retry, system


class Gauge:
    """Whether a connection still gives enough to be worth waiting for.

    Parameters
    ----------
    file : str, optional
        What comes over it, for messages of those whose readers are not told otherwise.
    """

    def __init__(self, file: str = "") -> None:
        self._before = f"{file}: " if file else ""
        self._since = system.clock()
        self._bytes = 0

    def add(self, count: int) -> None:
        """Count bytes; PassingError where a window passed with too few of them."""
        self._bytes += count
        passed, patience = system.clock() - self._since, retry.PATIENCE
        if passed < patience.window:
            return
        if self._bytes < patience.slowest * passed:
            raise PassingError(
                f"{self._before}only {self._bytes:,} bytes in {passed:.0f} s; run the same again to continue"
            )
        self._since, self._bytes = system.clock(), 0
