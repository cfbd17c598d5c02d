"""Requests over https that reach allowed hosts only, whoever redirects them; plain http is for this machine."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from ipaddress import ip_address
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

from laion_fmri.errors import PassingError, RemoteError
from laion_fmri.storage.online import refuse_offline

if TYPE_CHECKING:
    import requests

_TIMEOUT = (10, 60)  # seconds: to connect, and between two pieces of an answer
_REDIRECTS = 5
_RETRIES = 2
_PAUSE = 0.2  # seconds before the second retry

PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})  # statuses that may be others when asked again


class Http:
    """A client of some hosts. A HEAD that fails in passing is sent again; to try a GET again is for the caller.

    Proxies and certificates are those of the environment; no password of it (``~/.netrc``) is ever sent.

    Parameters
    ----------
    hosts : iterable of str
        Hosts that may be asked; redirects to any other are refused.
    connections : int
        Connections kept open, as many as there are workers.
    """

    def __init__(self, hosts: Iterable[str], connections: int = 1) -> None:
        self._hosts = frozenset(hosts)
        self._connections = connections

    @cached_property
    def _session(self) -> requests.Session:
        import requests
        from requests.adapters import HTTPAdapter
        from urllib3.util import Retry

        again = Retry(
            _RETRIES,
            allowed_methods={"HEAD"},
            status_forcelist=PASSING,
            backoff_factor=_PAUSE,
            raise_on_status=False,
            respect_retry_after_header=False,
        )
        session = requests.Session()
        for scheme in ("https://", "http://"):
            session.mount(scheme, HTTPAdapter(pool_maxsize=self._connections, max_retries=again))
        session.auth = _no_password
        session.headers["Accept-Encoding"] = "identity"
        return session

    @contextmanager
    def ask(self, method: str, url: str, headers: Mapping[str, str] | None = None) -> Iterator[requests.Response]:
        """Give the answer to a request, with redirects followed; its status is for the caller to judge.

        Parameters
        ----------
        method : {"GET", "HEAD"}
            What is asked of the address.
        url : str
            The address.
        headers : mapping of str to str, optional
            Sent along.

        Raises
        ------
        OfflineError
            If the network may not be used.
        PassingError
            If a host does not answer in time, or the connection breaks, also while the answer is read.
        RemoteError
            If a host is not allowed or cannot be reached.
        """
        address = _without_query(url)
        refuse_offline(address)
        response = self._answer(method, url, dict(headers or {}), address)
        with response, _told(address, urlsplit(response.url).netloc):
            yield response

    def _answer(self, method: str, place: str, headers: dict[str, str], address: str) -> requests.Response:
        for _ in range(_REDIRECTS + 1):
            self._allow(place, address)
            with _told(address, urlsplit(place).netloc):
                response = self._session.request(
                    method, place, headers=headers, stream=True, allow_redirects=False, timeout=_TIMEOUT
                )
                target = self._session.get_redirect_target(response)
            if target is None:
                return response
            response.close()
            place = urljoin(place, target)
        raise RemoteError(f"{address}: more than {_REDIRECTS} redirects; nothing here can mend that, tell its owner")

    def _allow(self, place: str, address: str) -> None:
        parts = urlsplit(place)
        host = parts.hostname or ""
        if host not in self._hosts:
            other = host or _without_query(place)
            raise RemoteError(f"{address} leads to {other}, which is none of the hosts that may be asked")
        if parts.scheme != "https" and not (parts.scheme == "http" and is_this_machine(host)):
            raise RemoteError(f"{address} leads to {host} over {parts.scheme}; only https is safe on a network")


def is_this_machine(host: str) -> bool:
    """Tell whether a host is this machine itself.

    Examples
    --------
    >>> is_this_machine("127.0.0.1"), is_this_machine("example.org")
    (True, False)
    """
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _without_query(url: str) -> str:
    """Return an address as it may be shown: a query may hold a signature."""
    return url.partition("?")[0]


def _no_password(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Stand in for the passwords that requests would look up."""
    return request


@contextmanager
def _told(address: str, host: str) -> Iterator[None]:
    """Turn errors of requests into ours. Their own texts hold whole addresses, so they are left out."""
    from requests import RequestException
    from requests.exceptions import ProxyError, SSLError

    try:
        yield
    except SSLError:
        raise RemoteError(
            f"{address}: the certificate of {host} is not trusted here; if a proxy of your institution signs for it, "
            "name its certificates in REQUESTS_CA_BUNDLE"
        ) from None
    except RequestException as error:
        if isinstance(error, ProxyError | ValueError) or _is_unreachable(error):
            raise RemoteError(
                f"{address}: cannot reach {host}; check the network and the proxy, then run the same again"
            ) from None
        raise PassingError(
            f"{address}: the connection to {host} broke ({type(error).__name__}); run the same again to continue"
        ) from None


def _is_unreachable(error: requests.RequestException) -> bool:
    from urllib3.exceptions import NewConnectionError

    return any(isinstance(getattr(cause, "reason", None), NewConnectionError) for cause in error.args)
