"""Whether the network may be used: ``LAION_FMRI_OFFLINE=1`` forbids it."""

from __future__ import annotations

import os

from laion_fmri.errors import OfflineError


def is_offline() -> bool:
    """Tell whether the network may not be used."""
    return os.environ.get("LAION_FMRI_OFFLINE", "0") not in ("", "0")


def refuse_offline(address: str) -> None:
    """Raise OfflineError if the network may not be used; `address` is what would have been asked."""
    if is_offline():
        raise OfflineError(
            f"LAION_FMRI_OFFLINE is set, so {address} is not asked; unset it, or use what is in the data directory"
        )
