"""The error classes under the module name that the specification imports them from."""

from laion_fmri.errors import (
    DataDirNotSetError,
    DataNotDownloadedError,
    DataNotFoundError,
    LicenseNotAcceptedError,
    NoMatchingDataError,
    SubjectNotFoundError,
)

__all__ = [
    "DataDirNotSetError",
    "DataNotDownloadedError",
    "DataNotFoundError",
    "LicenseNotAcceptedError",
    "NoMatchingDataError",
    "SubjectNotFoundError",
]
