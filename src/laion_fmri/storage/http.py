"""Requests over https that reach allowed hosts only, whoever redirects them; plain http is for this machine.

Proxies and certificates are those of the environment: ``https_proxy``, ``no_proxy``; ``AWS_CA_BUNDLE``,
``REQUESTS_CA_BUNDLE``, ``SSL_CERT_FILE``. Certificates are always checked.
"""

from __future__ import annotations

import json as json_text
import logging
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from threading import Lock
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

from laion_fmri.errors import RemoteError
from laion_fmri.storage import retry
from laion_fmri.storage.answer import Answer, shown, told
from laion_fmri.storage.hosts import allowed
from laion_fmri.storage.online import refuse_offline
from laion_fmri.storage.surroundings import new_manager, proxy_for, tls_context

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse, PoolManager, ProxyManager

_REDIRECTS = 5
_LOGGERS = ("urllib3.connectionpool", "urllib3.util.retry", "urllib3.poolmanager")


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
        # Before threads use it: two of them that import it at once may wait for each other for ever.
        import urllib3  # noqa: F401

        self._hosts = frozenset(hosts)
        self._connections = connections
        self._seconds = seconds
        self._proxies: dict[tuple[str, str], str] = {}
        self._managers: dict[tuple[str, bool], PoolManager | ProxyManager] = {}
        self._lock = Lock()

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
        try:
            yield Answer(response, address, host)
        finally:
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
            allowed(place, address, self._hosts)
            host = "{0.scheme}://{0.netloc}".format(urlsplit(place))
            with told(address, host, reading=False):
                response = self._once(method, place, headers, json)
            target = response.get_redirect_location()
            if not target:
                return response, host
            response.close()
            with told(address, target, reading=False):
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
        scheme, _, host = place.split("/", 3)[:3]
        tls = scheme == "https:"
        with self._lock:
            if (scheme, host) not in self._proxies:
                self._proxies[scheme, host] = proxy_for(place)
            proxy = self._proxies[scheme, host]
            if (proxy, tls) not in self._managers:
                self._managers[proxy, tls] = self._new_manager(proxy, tls)
        return self._managers[proxy, tls]

    def _new_manager(self, proxy: str, tls: bool) -> PoolManager | ProxyManager:
        for name in _LOGGERS:
            logging.getLogger(name).addFilter(_hide_queries)
        return new_manager(proxy, self._connections, tls_context() if tls else None)


def _hide_queries(record: logging.LogRecord) -> bool:
    """Take the queries of addresses out of a message that is logged."""
    record.msg, record.args = re.sub(r"\?[^\s'\"]*", "?...", record.getMessage()), ()
    return True
