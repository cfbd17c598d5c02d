"""Constants under the module name that the specification imports them from; all of them come from the catalog."""

from __future__ import annotations

from laion_fmri.access.service import service_url
from laion_fmri.catalog import catalog_path, load_catalog, read_text
from laion_fmri.catalog.policies import Acknowledge, Agreement
from laion_fmri.selection import resolve_subject_id

__all__ = [
    "ACCESS_SERVICE_URL",
    "LICENSE_AGREEMENT_BODY",
    "LICENSE_AGREEMENT_PROMPT",
    "LICENSE_AGREEMENT_TEXT",
    "resolve_subject_id",
]

_policies = load_catalog().definitions.access.values()
_license = next(policy for policy in _policies if isinstance(policy, Acknowledge))
_agreement = next(policy for policy in _policies if isinstance(policy, Agreement))

ACCESS_SERVICE_URL = service_url(_agreement.service)
LICENSE_AGREEMENT_BODY = read_text(catalog_path().parent / _license.text)
LICENSE_AGREEMENT_PROMPT = _license.prompt
LICENSE_AGREEMENT_TEXT = LICENSE_AGREEMENT_BODY + LICENSE_AGREEMENT_PROMPT
