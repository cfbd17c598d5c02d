"""Every error this package raises on purpose, and the exit code each one ends the command line with.

Each class has a built-in parent, so ``except FileNotFoundError`` works without importing this module.
"""

from __future__ import annotations


class LaionFMRIError(Exception):
    """Base of all errors of this package.

    Attributes
    ----------
    exit_code : int
        What the command line ends with: 1 missing or failed, 2 usage, 3 consent needed,
        4 offline and not here, 5 no space.
    """

    exit_code = 1


class CatalogError(LaionFMRIError, ValueError):
    """A catalog file is not valid; the message holds one line for each mistake.

    Parameters
    ----------
    problems : sequence of str
        One ``file:line: path: what is wrong`` each.
    """

    exit_code = 2

    def __init__(self, problems: tuple[str, ...] | list[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))

    def __reduce__(self) -> tuple[type[CatalogError], tuple[tuple[str, ...]]]:
        return (type(self), (self.problems,))


class SelectionError(LaionFMRIError, ValueError):
    """An entity, a value or an option that the catalog does not know, or one that is missing."""

    exit_code = 2


class UnknownNameError(SelectionError, KeyError):
    """A name that is not there, asked of something that is looked into by name."""

    __str__ = Exception.__str__  # that of KeyError puts quotes around the message


class SubjectNotFoundError(SelectionError):
    """The subject identifier is empty or names nobody in the catalog."""


class DataDirNotSetError(LaionFMRIError):
    """No data directory is configured, or the configured one is gone."""

    exit_code = 2


class DataNotFoundError(LaionFMRIError, FileNotFoundError):
    """Base of the errors for data that is not there."""


class DataNotDownloadedError(DataNotFoundError):
    """A loader needs a file that is not in the data directory."""


class StimuliNotDownloadedError(DataNotDownloadedError):
    """The images, or the table of what is known of them, are not in the data directory."""


class NoMatchingDataError(DataNotFoundError):
    """A request matched no file of the dataset."""


class DataFormatError(LaionFMRIError, ValueError):
    """A local file contradicts its companions or its catalog entry."""


class LicenseNotAcceptedError(LaionFMRIError, RuntimeError):
    """The licence was declined, or nobody was there to answer."""

    exit_code = 3


class AccessServiceError(LaionFMRIError, RuntimeError):
    """Files that are given under an agreement cannot be had: the service does not answer as it should.

    Attributes
    ----------
    report : Report or None
        What the same download had fetched before, from elsewhere.
    """

    report: object = None


class AgreementNeededError(AccessServiceError):
    """The agreement is missing: the form was not filled in, the terms were declined, or nobody was there to answer."""

    exit_code = 3


class TermsOutdatedError(AccessServiceError):
    """The terms have changed since they were accepted.

    Attributes
    ----------
    accept_url : str
        The page on which they are accepted anew.
    terms_version : str
        Their version now.
    """

    exit_code = 3

    def __init__(self, accept_url: str, terms_version: str) -> None:
        self.accept_url = accept_url
        self.terms_version = terms_version
        super().__init__(
            f"The terms of use have changed (now v{terms_version}). Open {accept_url}, accept them there, and run the "
            "same again; or fill in the form anew: laion-fmri request-access"
        )

    def __reduce__(self) -> tuple[type[TermsOutdatedError], tuple[str, str]]:
        return (type(self), (self.accept_url, self.terms_version))


class AccessRevokedError(AccessServiceError):
    """The service has withdrawn the agreement."""

    exit_code = 3


class AccessNotFoundError(AccessServiceError):
    """The service does not know the identifier of the agreement (any more)."""

    exit_code = 3


class AccessPendingError(AccessServiceError):
    """The service has not decided about a request yet."""

    exit_code = 3


class RemoteError(LaionFMRIError, ConnectionError):
    """The remote cannot be reached or answered with an error."""


class DeniedError(RemoteError):
    """The remote has a file and does not give it."""


class GoneError(RemoteError):
    """The remote has no such file, or no longer."""


class ChangedError(RemoteError):
    """The remote has another version of a file than the one that was asked for."""


class ExpiredError(RemoteError):
    """The address of a file was valid for a time that is over; asked again, its origin uses a new one."""


class PassingError(RemoteError):
    """Something that may be over when it is tried again: a broken connection, a busy server.

    Parameters
    ----------
    message : str
        What happened.
    after : float, optional
        Seconds after which the remote wants to be asked again.
    """

    def __init__(self, message: str, after: float | None = None) -> None:
        super().__init__(message)
        self.after = after


class UnreachableError(PassingError):
    """The remote cannot be reached: no network, a wrong address, a proxy that is down."""


class StoppedError(RemoteError):
    """What was under way was told to stop."""


class OfflineError(RemoteError):
    """``LAION_FMRI_OFFLINE`` forbids the network and the data is not here."""

    exit_code = 4


class TooManyOpenError(LaionFMRIError, OSError):
    """No more files and connections may be open at once."""


class DataDirError(LaionFMRIError, OSError):
    """Something in the data directory is in the way, or cannot be written."""


class NoSpaceError(LaionFMRIError, OSError):
    """The file system of the data directory is too full for the plan."""

    exit_code = 5


class LockError(LaionFMRIError, ValueError):
    """A lock file cannot be written, read or followed: what it names is not what there is."""
