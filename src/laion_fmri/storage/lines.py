"""Connections that can be broken from another thread, even while an answer is waited for."""

from __future__ import annotations

import socket
from contextlib import suppress
from typing import TYPE_CHECKING
from weakref import WeakSet

if TYPE_CHECKING:
    from urllib3 import HTTPConnectionPool


class Lines:
    """The connections of a client that are open."""

    def __init__(self) -> None:
        self._open: WeakSet[socket.socket] = WeakSet()
        self._is_cut = False

    def pools(self) -> dict[str, type[HTTPConnectionPool]]:
        """Return what urllib3 makes connections with, by scheme, so that they are known here."""
        from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
        from urllib3.connection import HTTPConnection, HTTPSConnection

        known = self._know

        class Plain(HTTPConnection):
            def connect(self) -> None:
                super().connect()
                known(self.sock)

        class Secure(HTTPSConnection):
            def connect(self) -> None:
                super().connect()
                known(self.sock)

        class PlainPool(HTTPConnectionPool):
            ConnectionCls = Plain

        class SecurePool(HTTPSConnectionPool):
            ConnectionCls = Secure

        return {"http": PlainPool, "https": SecurePool}

    def _know(self, line: socket.socket) -> None:
        self._open.add(line)
        if self._is_cut:
            _break(line)

    def cut(self) -> None:
        """Break all of them, and those that are about to stand."""
        self._is_cut = True
        for line in list(self._open):
            _break(line)


def _break(line: socket.socket) -> None:
    with suppress(OSError):  # it has just ended by itself
        line.shutdown(socket.SHUT_RDWR)
