"""Constants under the module name that the specification imports them from; all of them come from the catalog."""

from __future__ import annotations

import os

from laion_fmri.catalog import catalog_path, load_catalog, read_text
from laion_fmri.catalog.policies import Acknowledge
from laion_fmri.selection import resolve_subject_id

__all__ = [
    "ACCESS_SERVICE_URL",
    "LICENSE_AGREEMENT_BODY",
    "LICENSE_AGREEMENT_PROMPT",
    "LICENSE_AGREEMENT_TEXT",
    "resolve_subject_id",
]

_definitions = load_catalog().definitions
_license = next(policy for policy in _definitions.access.values() if isinstance(policy, Acknowledge))

ACCESS_SERVICE_URL = (os.environ.get("LAION_FMRI_ACCESS_URL") or _definitions.services["access"]).rstrip("/")
LICENSE_AGREEMENT_BODY = read_text(catalog_path().parent / _license.text)
LICENSE_AGREEMENT_PROMPT = _license.prompt
LICENSE_AGREEMENT_TEXT = LICENSE_AGREEMENT_BODY + LICENSE_AGREEMENT_PROMPT
