"""What a host answered, and its errors by what helps against them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from time import time
from typing import TYPE_CHECKING, NoReturn

from laion_fmri.errors import RemoteError
from laion_fmri.storage import system, troubles

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse

_CHUNK = 1 << 19

PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})  # statuses that may be others when asked again


class Head:
    """What a host answered, before the body.

    Parameters
    ----------
    status : int
        HTTP status.
    reason : str
        Its words.
    headers : mapping of str to str
        Looked into by name, in small letters.
    address : str
        What was asked, as it may be shown.
    """

    def __init__(self, status: int, reason: str, headers: Mapping[str, str], address: str) -> None:
        self.status = status
        self.reason = reason
        self.headers = headers
        self.address = address

    @classmethod
    def of_lines(cls, lines: Sequence[bytes], address: str) -> Head:
        r"""Return the head that its lines say; those of answers before it, which only led to it, may come first.

        Examples
        --------
        >>> head = Head.of_lines([b"HTTP/1.1 200 OK\r\n", b"ETag: \"1\"\r\n", b"\r\n"], "s3://bucket/key")
        >>> head.status, head.reason, head.headers
        (200, 'OK', {'etag': '"1"'})
        """
        start = max(i for i, line in enumerate(lines) if line.startswith(b"HTTP/"))
        first, *rest = b"".join(lines[start:]).decode("latin-1").split("\r\n")
        _, status, reason = f"{first}  ".split(" ", 2)
        pairs = (line.partition(":") for line in rest if line)
        return cls(int(status), reason.strip(), {name.lower(): value.strip() for name, _, value in pairs}, address)

    @property
    def retry_after(self) -> float | None:
        """Seconds after which the host wants to be asked again, if it says so."""
        wanted = self.headers.get("retry-after", "").strip()
        if wanted.isdecimal():
            return float(wanted)
        from email.utils import parsedate_to_datetime

        with suppress(ValueError, OverflowError):
            return max(0.0, parsedate_to_datetime(wanted).timestamp() - time())
        return None


class Answer(Head):
    """What a host answered, of which the body has not been read yet."""

    def __init__(self, response: BaseHTTPResponse, address: str, host: str) -> None:
        super().__init__(response.status, response.reason or "", response.headers, address)
        self._response = response
        self._host = host

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
            raise_alone(troubles.too_many_open(address))
        raise_alone(troubles.unreachable(address, host))
    except (of.LocationParseError, of.URLSchemeUnknown, of.ProxySchemeUnknown, ValueError):
        raise_alone(troubles.no_address(address, host))
    except (of.HTTPError, OSError) as error:
        if isinstance(error, RemoteError):
            raise
        raise_alone(troubles.broke(address, host, type(error).__name__))


def _of_tls(address: str, host: str, error: Exception, reading: bool) -> RemoteError:
    if reading:
        return troubles.broke(address, host, "TLS")
    trusted = "CERTIFICATE_VERIFY_FAILED" not in str(error)
    return troubles.no_tls(address, host) if trusted else troubles.not_trusted(address, host)


def raise_alone(error: Exception) -> NoReturn:
    """Raise an error without the one that led to it."""
    try:
        raise error
    finally:
        error.__context__ = None
