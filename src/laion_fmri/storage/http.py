"""Requests over https that reach allowed hosts only, whoever redirects them; plain http is for this machine."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import urljoin, urlsplit

from laion_fmri.errors import PassingError, RemoteError
from laion_fmri.storage.online import refuse_offline

if TYPE_CHECKING:
    import requests

_TO_CONNECT, _TO_ANSWER = 10.0, 60.0  # seconds; the second also between two pieces of an answer
_REDIRECTS = 5
_RETRIES = 2
_PAUSE = 0.2  # seconds before the second retry

_LOGGERS = ("urllib3.connectionpool", "urllib3.util.retry")

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
    seconds : float
        How long an answer, or the next piece of one, may take.
    """

    def __init__(self, hosts: Iterable[str], connections: int = 1, seconds: float = _TO_ANSWER) -> None:
        self._hosts = frozenset(hosts)
        self._connections = connections
        self._timeout = (min(_TO_CONNECT, seconds), seconds)

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
        for name in _LOGGERS:
            logging.getLogger(name).addFilter(_hide_queries)
        session = requests.Session()
        for scheme in ("https://", "http://"):
            session.mount(scheme, HTTPAdapter(pool_maxsize=self._connections, max_retries=again))
        session.auth = _no_password
        session.headers["Accept-Encoding"] = "identity"
        return session

    @contextmanager
    def ask(
        self, method: str, url: str, headers: Mapping[str, str] | None = None, json: object = None
    ) -> Iterator[requests.Response]:
        """Give the answer to a request, with redirects followed; its status is for the caller to judge.

        Parameters
        ----------
        method : {"GET", "HEAD", "POST"}
            What is asked of the address.
        url : str
            The address. What stands behind its ``?`` may be a secret, and shows nowhere.
        headers : mapping of str to str, optional
            Sent along.
        json : object, optional
            Sent along as JSON.

        Raises
        ------
        OfflineError
            If the network may not be used.
        PassingError
            If a host does not answer in time, or the connection breaks, also while the answer is read.
        RemoteError
            If a host is not allowed or cannot be reached.
        """
        address = shown(url)
        refuse_offline(address)
        response = self._answer(method, url, address, headers=dict(headers or {}), json=json)
        with response, _told(address, urlsplit(response.url).netloc):
            yield response

    def _answer(self, method: str, place: str, address: str, **sent: Any) -> requests.Response:
        for _ in range(_REDIRECTS + 1):
            self._allow(place, address)
            with _told(address, urlsplit(place).netloc):
                response = self._once(method, place, **sent)
                target = self._session.get_redirect_target(response)
            if target is None:
                return response
            response.close()
            place = urljoin(place, target)
        raise RemoteError(f"{address}: more than {_REDIRECTS} redirects; nothing here can mend that, tell its owner")

    def _once(self, method: str, place: str, **sent: Any) -> requests.Response:
        from requests.exceptions import InvalidURL

        try:
            return self._session.request(
                method, place, stream=True, allow_redirects=False, timeout=self._timeout, **sent
            )
        except ValueError as error:  # also where a redirect leads to something that is no address at all
            raise InvalidURL(str(error)) from error

    def _allow(self, place: str, address: str) -> None:
        scheme, host = _scheme_and_host(place)
        if host not in self._hosts:
            other = host or shown(place)
            raise RemoteError(f"{address} leads to {other}, which is none of the hosts that may be asked")
        if scheme != "https" and not (scheme == "http" and is_this_machine(host)):
            raise RemoteError(f"{address} leads to {host} over {scheme}; only https is safe on a network")


def _scheme_and_host(url: str) -> tuple[str, str]:
    """Return where requests will go for an address; other parsers see other hosts in some."""
    from urllib3.exceptions import LocationParseError
    from urllib3.util import parse_url

    try:
        parts = parse_url(url)
    except LocationParseError:
        return "", ""
    return (parts.scheme, (parts.host or "").strip("[]")) if parts.scheme else ("", "")


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


def shown(url: str) -> str:
    """Return an address as it may be shown: without its query, which may hold a signature.

    Examples
    --------
    >>> shown("https://example.org/a.h5?X-Amz-Signature=0123")
    'https://example.org/a.h5'
    """
    return url.partition("?")[0]


def _hide_queries(record: logging.LogRecord) -> bool:
    """Take the queries of addresses out of a message that is logged."""
    record.msg, record.args = re.sub(r"\?[^\s'\"]*", "?...", record.getMessage()), ()
    return True


def _no_password(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Stand in for the passwords that requests would look up."""
    return request


@contextmanager
def _told(address: str, host: str) -> Iterator[None]:
    """Turn errors of requests into ours. Theirs hold whole addresses, and what was sent, so nothing of them is kept."""
    from requests import RequestException
    from requests.exceptions import ProxyError, SSLError

    try:
        yield
    except SSLError:
        raise_alone(
            RemoteError(
                f"{address}: the certificate of {host} is not trusted here; if a proxy of your institution signs for "
                "it, name its certificates in REQUESTS_CA_BUNDLE"
            )
        )
    except RequestException as error:
        if isinstance(error, ProxyError | ValueError) or _is_unreachable(error):
            raise_alone(
                RemoteError(f"{address}: cannot reach {host}; check the network and the proxy, then run the same again")
            )
        kind = type(error).__name__
        raise_alone(PassingError(f"{address}: the connection to {host} broke ({kind}); run the same again to continue"))


def raise_alone(error: Exception) -> NoReturn:
    """Raise an error without the one that led to it."""
    try:
        raise error
    finally:
        error.__context__ = None


def _is_unreachable(error: requests.RequestException) -> bool:
    from urllib3.exceptions import NewConnectionError

    return any(isinstance(getattr(cause, "reason", None), NewConnectionError) for cause in error.args)
