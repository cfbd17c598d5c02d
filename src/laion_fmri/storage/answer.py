"""What a host answered, and its errors by what helps against them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from email.utils import parsedate_to_datetime
from time import time
from typing import TYPE_CHECKING, NoReturn

from laion_fmri.errors import PassingError, RemoteError, TooManyOpenError, UnreachableError
from laion_fmri.storage import system

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse

_CHUNK = 1 << 19

PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})  # statuses that may be others when asked again


class Answer:
    """What a host answered; its body has not been read yet.

    Attributes
    ----------
    status : int
        HTTP status.
    reason : str
        Its words.
    headers : mapping of str to str
        Looked into by name, whatever the case.
    address : str
        What was asked, as it may be shown.
    """

    def __init__(self, response: BaseHTTPResponse, address: str, host: str) -> None:
        self._response = response
        self._host = host
        self.address = address
        self.status: int = response.status
        self.reason = response.reason or ""
        self.headers: Mapping[str, str] = response.headers

    def chunks(self) -> Iterator[bytes]:
        """Yield the body as it comes, in pieces of at most 512 kB.

        Raises
        ------
        PassingError
            If the connection breaks, stays silent, or ends before the announced length.
        """
        with told(self.address, self._host, reading=True):
            while data := self._response.read1(_CHUNK, decode_content=False):
                yield data

    def start(self, most: int) -> bytes:
        """Return the first bytes of the body, at most so many."""
        body = b""
        for chunk in self.chunks():
            body += chunk
            if len(body) >= most:
                break
        return body[:most]

    @property
    def retry_after(self) -> float | None:
        """Seconds after which the host wants to be asked again, if it says so."""
        wanted = self.headers.get("Retry-After", "").strip()
        if wanted.isdecimal():
            return float(wanted)
        with suppress(ValueError, OverflowError):
            return max(0.0, parsedate_to_datetime(wanted).timestamp() - time())
        return None


def shown(url: str) -> str:
    """Return an address as it may be shown: without its query, which may hold a signature.

    Examples
    --------
    >>> shown("https://example.org/a.h5?X-Amz-Signature=0123")
    'https://example.org/a.h5'
    """
    return url.partition("?")[0]


@contextmanager
def told(address: str, host: str, reading: bool) -> Iterator[None]:
    """Turn errors of urllib3 into ours. Theirs may hold whole addresses, so nothing of them is kept."""
    from urllib3 import exceptions as of

    try:
        yield
    except of.SSLError as error:
        raise_alone(_of_tls(address, host, error, reading))
    except (of.ProxyError, of.NewConnectionError, of.ConnectTimeoutError) as error:
        if getattr(error.__cause__, "errno", None) in system.HANDLES:
            raise_alone(TooManyOpenError(f"{address}: {system.TOO_MANY_OPEN}"))
        raise_alone(
            UnreachableError(
                f"{address}: cannot reach {host}; check the network and the proxy, then run the same again"
            )
        )
    except (of.LocationParseError, of.URLSchemeUnknown, of.ProxySchemeUnknown, ValueError):
        raise_alone(RemoteError(f"{address}: {host} cannot be asked: it is no address; check it, and the proxy"))
    except (of.HTTPError, OSError) as error:
        if isinstance(error, RemoteError):
            raise
        kind = type(error).__name__
        raise_alone(PassingError(f"{address}: the connection to {host} broke ({kind}); run the same again to continue"))


def _of_tls(address: str, host: str, error: Exception, reading: bool) -> RemoteError:
    if reading:
        return PassingError(f"{address}: the connection to {host} broke (TLS); run the same again to continue")
    if "CERTIFICATE_VERIFY_FAILED" in str(error):
        return RemoteError(
            f"{address}: the certificate of {host} is not trusted here; if a proxy of your institution signs for "
            "it, name its certificates in REQUESTS_CA_BUNDLE"
        )
    return RemoteError(f"{address}: {host} does not speak TLS as it should; check the address and the proxy")


def raise_alone(error: Exception) -> NoReturn:
    """Raise an error without the one that led to it."""
    try:
        raise error
    finally:
        error.__context__ = None
