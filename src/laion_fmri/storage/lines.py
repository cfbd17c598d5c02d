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

    def pools(self) -> dict[str, type[HTTPConnectionPool]]:
        """Return what urllib3 makes connections with, by scheme, so that they are known here."""
        from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
        from urllib3.connection import HTTPConnection, HTTPSConnection

        known = self._open

        class Plain(HTTPConnection):
            def connect(self) -> None:
                super().connect()
                known.add(self.sock)

        class Secure(HTTPSConnection):
            def connect(self) -> None:
                super().connect()
                known.add(self.sock)

        class PlainPool(HTTPConnectionPool):
            ConnectionCls = Plain

        class SecurePool(HTTPSConnectionPool):
            ConnectionCls = Secure

        return {"http": PlainPool, "https": SecurePool}

    def cut(self) -> None:
        """Break all of them."""
        for line in list(self._open):
            with suppress(OSError):  # it has just ended by itself
                line.shutdown(socket.SHUT_RDWR)
