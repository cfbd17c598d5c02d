"""The access service under the module name that the specification imports it from."""

from laion_fmri.access.credentials import auth_dir, auth_path
from laion_fmri.agreements import current_terms_version, download_stimuli, request_stimulus_access
from laion_fmri.errors import AccessNotFoundError, AccessRevokedError, AccessServiceError, TermsOutdatedError

__all__ = [
    "AccessNotFoundError",
    "AccessRevokedError",
    "AccessServiceError",
    "TermsOutdatedError",
    "auth_dir",
    "auth_path",
    "current_terms_version",
    "download_stimuli",
    "request_stimulus_access",
]
