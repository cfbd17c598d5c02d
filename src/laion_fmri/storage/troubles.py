"""What is said where a host cannot be asked, whichever client asked it."""

from __future__ import annotations

from laion_fmri.errors import PassingError, RemoteError, TooManyOpenError, UnreachableError
from laion_fmri.storage import system


def unreachable(address: str, host: str) -> UnreachableError:
    """Return the error for a host that no connection leads to."""
    return UnreachableError(f"{address}: cannot reach {host}; check the network and the proxy, then run the same again")


def too_many_open(address: str) -> TooManyOpenError:
    """Return the error for a connection that the system has no handle for."""
    return TooManyOpenError(f"{address}: {system.TOO_MANY_OPEN}")


def not_trusted(address: str, host: str) -> RemoteError:
    """Return the error for a certificate that cannot be checked."""
    return RemoteError(
        f"{address}: the certificate of {host} is not trusted here; if a proxy of your institution signs for "
        "it, name its certificates in REQUESTS_CA_BUNDLE"
    )


def no_tls(address: str, host: str) -> RemoteError:
    """Return the error for a host that does not answer as https demands."""
    return RemoteError(f"{address}: {host} does not speak TLS as it should; check the address and the proxy")


def no_address(address: str, host: str) -> RemoteError:
    """Return the error for an address that is none."""
    return RemoteError(f"{address}: {host} cannot be asked: it is no address; check it, and the proxy")


def broke(address: str, host: str, how: str) -> PassingError:
    """Return the error for a connection that broke; `how` is a word for those who look closer."""
    return PassingError(f"{address}: the connection to {host} broke ({how}); run the same again to continue")
