"""Requests over https that reach allowed hosts only, whoever redirects them; plain http is for this machine.

Proxies and certificates are those of the environment: ``https_proxy``, ``no_proxy``; ``AWS_CA_BUNDLE``,
``REQUESTS_CA_BUNDLE``, ``SSL_CERT_FILE``. Certificates are always checked.
"""

from __future__ import annotations

import json as json_text
import logging
import os
import re
import ssl
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from email.utils import parsedate_to_datetime
from functools import cached_property
from ipaddress import ip_address
from pathlib import Path
from threading import Event, Lock
from time import time
from typing import TYPE_CHECKING, NoReturn
from urllib.parse import urljoin, urlsplit

from laion_fmri.errors import PassingError, RemoteError, StoppedError, TooManyOpenError, UnreachableError
from laion_fmri.storage import retry, system
from laion_fmri.storage.online import refuse_offline

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse, PoolManager, ProxyManager

_REDIRECTS = 5
_CHUNK = 1 << 18
_BUNDLES = ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
_LOGGERS = ("urllib3.connectionpool", "urllib3.util.retry", "urllib3.poolmanager")

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
        """Yield the body as it comes, in pieces of at most 256 kB.

        Raises
        ------
        PassingError
            If the connection breaks, stays silent, or ends before the announced length.
        """
        with _told(self.address, self._host, reading=True):
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


class Http:
    """A client of some hosts. It asks once: to try again is for the caller. No password (``~/.netrc``) is ever sent.

    Parameters
    ----------
    hosts : iterable of str
        Hosts that may be asked; redirects to any other are refused.
    connections : int
        Connections kept open, as many as there are workers.
    seconds : float, optional
        How long an answer, or the next piece of one, may take; as `Patience.silence` where left out.
    """

    def __init__(self, hosts: Iterable[str], connections: int = 1, seconds: float | None = None) -> None:
        self._hosts = frozenset(hosts)
        self._connections = connections
        self._seconds = seconds
        self._open: set[BaseHTTPResponse] = set()
        self._proxies: dict[str, str] = {}
        self._managers: dict[tuple[str, bool], PoolManager | ProxyManager] = {}
        self._lock = Lock()
        self.stopped = Event()

    def stop(self) -> None:
        """Break every answer that is under way, and give no other."""
        self.stopped.set()
        for response in list(self._open):
            with suppress(Exception):  # it has just ended by itself
                response.shutdown()

    @contextmanager
    def ask(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None = None,
        json: object = None,
        address: str | None = None,
    ) -> Iterator[Answer]:
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
        address : str, optional
            What errors call the address, where it has a better name.

        Raises
        ------
        OfflineError
            If the network may not be used.
        UnreachableError, PassingError
            If a host cannot be reached, does not answer in time, or the connection breaks.
        RemoteError
            If a host is not allowed, or its certificate is not trusted.
        """
        address = address or shown(url)
        refuse_offline(address)
        response, host = self._answer(method, url, address, headers or {}, json)
        self._open.add(response)
        try:
            yield Answer(response, address, host)
        finally:
            self._open.discard(response)
            self._let_go(response)

    @staticmethod
    def _let_go(response: BaseHTTPResponse) -> None:
        """Keep the connection for the next request where its answer was read to the end."""
        if response.length_remaining == 0:
            response.drain_conn()
            response.release_conn()
        else:
            response.close()

    def _answer(
        self, method: str, place: str, address: str, headers: Mapping[str, str], json: object
    ) -> tuple[BaseHTTPResponse, str]:
        for _ in range(_REDIRECTS + 1):
            self._allow(place, address)
            host = "{0.scheme}://{0.netloc}".format(urlsplit(place))
            with _told(address, host, reading=False):
                if self.stopped.is_set():
                    raise StoppedError(f"{address}: stopped; run the same again to continue")
                response = self._once(method, place, headers, json)
            target = response.get_redirect_location()
            if not target:
                return response, host
            response.close()
            with _told(address, target, reading=False):
                place = urljoin(place, target)
        raise RemoteError(f"{address}: more than {_REDIRECTS} redirects; nothing here can mend that, tell its owner")

    def _once(self, method: str, place: str, headers: Mapping[str, str], json: object) -> BaseHTTPResponse:
        from urllib3 import Timeout

        patience = retry.PATIENCE
        silence = patience.silence if self._seconds is None else self._seconds
        sent = {"Accept-Encoding": "identity", **headers}
        if json is not None:
            sent["Content-Type"] = "application/json"
        return self._manager(place).urlopen(
            method,
            place,
            body=None if json is None else json_text.dumps(json).encode(),
            headers=sent,
            timeout=Timeout(connect=min(patience.connect, silence), read=silence),
            redirect=False,
            retries=False,
            preload_content=False,
        )

    def _manager(self, place: str) -> PoolManager | ProxyManager:
        tls, host = place.startswith("https:"), place.split("/", 3)[2]
        with self._lock:
            if host not in self._proxies:
                self._proxies[host] = _proxy_for(place)
            proxy = self._proxies[host]
            if (proxy, tls) not in self._managers:
                self._managers[proxy, tls] = self._new_manager(proxy, tls)
        return self._managers[proxy, tls]

    def _new_manager(self, proxy: str, tls: bool) -> PoolManager | ProxyManager:
        from urllib3 import PoolManager, ProxyManager, make_headers

        for name in _LOGGERS:
            logging.getLogger(name).addFilter(_hide_queries)
        if not proxy:
            return PoolManager(maxsize=self._connections, ssl_context=self._tls if tls else None)
        parts = urlsplit(proxy)
        user = f"{parts.username}:{parts.password or ''}" if parts.username else None
        return ProxyManager(
            parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl(),
            maxsize=self._connections,
            ssl_context=self._tls if tls else None,
            proxy_ssl_context=self._tls if parts.scheme == "https" else None,
            proxy_headers=make_headers(proxy_basic_auth=user),
        )

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        for variable in _BUNDLES:
            bundle = os.environ.get(variable)
            if bundle:
                folder = Path(bundle).is_dir()
                try:
                    return ssl.create_default_context(
                        cafile=None if folder else bundle, capath=bundle if folder else None
                    )
                except OSError as error:
                    raise RemoteError(
                        f"{variable}={bundle} cannot be read as certificates ({error}); name a PEM file, or unset it"
                    ) from error
        import certifi

        context = ssl.create_default_context()
        context.load_verify_locations(certifi.where())
        return context

    def _allow(self, place: str, address: str) -> None:
        scheme, host = _scheme_and_host(place)
        if host not in self._hosts:
            other = host or shown(place)
            raise RemoteError(f"{address} leads to {other}, which is none of the hosts that may be asked")
        if scheme != "https" and not (scheme == "http" and is_this_machine(host)):
            raise RemoteError(f"{address} leads to {host} over {scheme}; only https is safe on a network")


def _proxy_for(url: str) -> str:
    """Return the proxy of the environment for an address; none is ``""``."""
    from urllib.request import getproxies, proxy_bypass

    parts = urlsplit(url)
    proxies = getproxies()
    proxy = proxies.get(parts.scheme) or proxies.get("all") or ""
    if not proxy or proxy_bypass(parts.hostname or ""):
        return ""
    return proxy if "://" in proxy else f"http://{proxy}"


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


@contextmanager
def _told(address: str, host: str, reading: bool) -> Iterator[None]:
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
