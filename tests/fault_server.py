"""A bucket that fails on purpose, over raw sockets: a framework would tidy the faults away.

`FaultServer` lists and gives its `objects` like S3 does. A key that has `faults` answers its next requests with them,
one each, and is itself again afterwards. With a TLS context it speaks https; it is its own forward proxy, too.
"""

from __future__ import annotations

import hashlib
import socket
import socketserver
import ssl
import struct
import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from select import select
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, quote, unquote, urlsplit
from xml.sax.saxutils import escape

if TYPE_CHECKING:
    from fault_kinds import Fault

BUCKET = "laion-fmri"
_XML = "application/xml"


@dataclass(frozen=True)
class Asked:
    """A request: `start` and `stop` are those of its range, `key` is None for a listing."""

    method: str
    target: str
    key: str | None
    start: int | None
    stop: int | None
    if_match: str | None
    connection: int
    headers: dict[str, str]


@dataclass(frozen=True)
class Reply:
    """An answer as it should be; a fault sends another one, or only a part of it."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)

    def head(self, length: bool = True) -> bytes:
        phrase = HTTPStatus(self.status).phrase
        own = {"Content-Length": str(len(self.body))} if length else {"Connection": "close"}
        lines = [f"{name}: {value}" for name, value in ({"Server": "AmazonS3"} | own | self.headers).items()]
        return "\r\n".join([f"HTTP/1.1 {self.status} {phrase}", *lines, "", ""]).encode()

    def but(self, body=None, **headers):
        """Return this answer with another body, or with other headers: an underscore stands for a hyphen."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return replace(self, body=self.body if body is None else body, headers=self.headers | named)


class Closed(Exception):  # noqa: N818, no error
    """The connection is closed on purpose."""


class Exchange:
    """One request and the answer that it should get."""

    def __init__(self, server: FaultServer, sock: socket.socket, asked: Asked, reply: Reply) -> None:
        self.server = server
        self.sock = sock
        self.asked = asked
        self.reply = reply

    @property
    def start(self) -> int:
        return self.asked.start or 0

    def send(self, reply=None, count=None, length=True):
        """Send an answer, or the first `count` bytes of its body; one without a `length` ends with the connection."""
        reply = reply or self.reply
        self.sock.sendall(reply.head(length) + reply.body[:count])
        if not length:
            raise Closed

    def reset(self):
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        raise Closed

    def gone(self, seconds=0.0):
        """Tell whether the client has hung up, or the server is to stop, within some seconds."""
        readable = select([self.sock], [], [], seconds)[0]
        return self.server.stopping.is_set() or (bool(readable) and not self.sock.recv(1, socket.MSG_PEEK))

    def until_gone(self):
        while not self.gone(0.02):
            pass
        raise Closed


def error(status: int, code: str, headers: dict[str, str] | None = None) -> Reply:
    body = f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{code}</Code><Message>{code}</Message></Error>'
    return Reply(status, body.encode(), {"Content-Type": _XML} | (headers or {}))


class FaultServer(socketserver.ThreadingTCPServer):
    """See the module.

    `versions` and `sizes` are what the listing says where that is not the truth, `page` is how many keys it gives at
    once, `listings` the faults of the next listings, `asked` every request so far and `accepted` the connections.
    """

    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 128

    def __init__(self, objects: dict[str, bytes], tls: ssl.SSLContext | None = None) -> None:
        self.objects = dict(objects)
        self.versions: dict[str, str] = {}
        self.sizes: dict[str, int] = {}
        self.faults: dict[str, list[Fault]] = {}
        self.listings: list[Fault] = []
        self.page = 1000
        self.asked: list[Asked] = []
        self.accepted = 0
        self.open: set[socket.socket] = set()
        self.stopping = threading.Event()
        self.tls = tls
        self._lock = threading.Lock()
        super().__init__(("127.0.0.1", 0), Connection)

    @property
    def address(self) -> str:
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.server_address[1]}"

    @property
    def proxy(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def gets(self, key: str) -> list[Asked]:
        """Return the requests for an object so far."""
        return [asked for asked in self.asked if asked.key == key]

    def ranges(self, key: str) -> list[tuple[int | None, int | None]]:
        return [(asked.start, asked.stop) for asked in self.gets(key)]

    def version(self, key: str) -> str:
        return self.versions.get(key) or f'"{hashlib.md5(self.objects[key], usedforsecurity=False).hexdigest()}"'

    def handle_error(self, request, client_address):
        """Say nothing: connections that break are what this is for."""

    def leave(self) -> None:
        """Be there no more, for anybody."""
        self.socket.close()
        for sock in list(self.open):
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def answer(self, sock: socket.socket, asked: Asked) -> None:
        with self._lock:
            self.asked.append(asked)
            fault = self._fault(asked)
            reply = self.listing(asked) if asked.key is None else self.object(asked)
        exchange = Exchange(self, sock, asked, reply)
        if fault:
            fault(exchange)
        else:
            exchange.send()

    def _fault(self, asked: Asked) -> Fault | None:
        waiting = self.listings if asked.key is None else self.faults.get(asked.key, [])
        size = len(self.objects.get(asked.key or "", b""))
        met = next((fault for fault in waiting if fault.meets(asked, size)), None)
        if met:
            waiting.remove(met)
        return met

    def whole(self, key: str) -> Reply:
        return Reply(200, self.objects[key], {"ETag": self.version(key), "Accept-Ranges": "bytes"})

    def object(self, asked: Asked) -> Reply:
        if asked.key not in self.objects:
            return error(404, "NoSuchKey")
        whole = self.whole(asked.key)
        if asked.if_match not in (None, whole.headers["ETag"]):
            return error(412, "PreconditionFailed")
        if asked.start is None:
            return whole
        total = len(whole.body)
        if asked.start >= total:
            return error(416, "InvalidRange", {"Content-Range": f"bytes */{total}"})
        stop = min(total, asked.stop or total)
        place = {"Content-Range": f"bytes {asked.start}-{stop - 1}/{total}"}
        return Reply(206, whole.body[asked.start : stop], whole.headers | place)

    def listing(self, asked: Asked) -> Reply:
        query = {name: values[0] for name, values in parse_qs(urlsplit(asked.target).query).items()}
        prefix, delimiter = query.get("prefix", ""), query.get("delimiter")
        found: dict[str, bool] = {}
        for key in sorted(self.objects):
            head, cut, _ = key[len(prefix) :].partition(delimiter) if delimiter else (key, "", "")
            if key.startswith(prefix):
                found[prefix + head + cut if cut else key] = bool(cut)
        begin = int(query.get("continuation-token", "0"))
        shown = list(found.items())[begin : begin + self.page]
        more = begin + len(shown) < len(found)
        encoded = query.get("encoding-type") == "url"

        def spelt(key):
            return quote(key, safe="/") if encoded else escape(key)

        parts = [
            f"<Name>{BUCKET}</Name><KeyCount>{len(shown)}</KeyCount>",
            f"<IsTruncated>{str(more).lower()}</IsTruncated>",
        ]
        parts += ["<EncodingType>url</EncodingType>"] * encoded
        parts += [f"<NextContinuationToken>{begin + len(shown)}</NextContinuationToken>"] * more
        for key, folder in shown:
            if folder:
                parts.append(f"<CommonPrefixes><Prefix>{spelt(key)}</Prefix></CommonPrefixes>")
            else:
                size = self.sizes.get(key, len(self.objects[key]))
                told = f"<ETag>{escape(self.version(key), {chr(34): '&quot;'})}</ETag><Size>{size}</Size>"
                when = "<LastModified>2026-01-31T00:00:00.000Z</LastModified>"
                parts.append(f"<Contents><Key>{spelt(key)}</Key>{when}{told}</Contents>")
        space = "http://s3.amazonaws.com/doc/2006-03-01/"
        body = f'<?xml version="1.0" encoding="UTF-8"?><ListBucketResult xmlns="{space}">{"".join(parts)}'
        return Reply(200, f"{body}</ListBucketResult>".encode(), {"Content-Type": _XML})


class Connection(socketserver.BaseRequestHandler):
    """One connection, for as many requests as come."""

    server: FaultServer

    def setup(self):
        self.server.accepted += 1
        self.number = self.server.accepted
        self.sock = self.request
        self.server.open.add(self.request)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.waiting = b""

    def handle(self):
        with suppress(OSError):
            if self.server.tls and self.sock.recv(1, socket.MSG_PEEK) == b"\x16":
                self.speak_tls()
            with suppress(Closed):
                while head := self.head():
                    self.one(head)
            self.sock.close()

    def finish(self):
        self.server.open.discard(self.request)

    def speak_tls(self):
        self.sock = self.server.tls.wrap_socket(self.sock, server_side=True)

    def head(self):
        while b"\r\n\r\n" not in self.waiting:
            more = self.sock.recv(1 << 16)
            if not more:
                return None
            self.waiting += more
        head, _, self.waiting = self.waiting.partition(b"\r\n\r\n")
        return head.decode("latin-1").split("\r\n")

    def one(self, lines):
        method, target, _ = lines[0].split(" ")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
        asked = self.asked(method, target, headers)
        if method == "CONNECT":
            self.server.asked.append(asked)
            self.sock.sendall(b"HTTP/1.1 200 Connected\r\n\r\n")
            self.speak_tls()
        else:
            self.server.answer(self.sock, asked)

    def asked(self, method, target, headers):
        path = urlsplit(target).path if method != "CONNECT" else ""
        key = unquote(path.removeprefix(f"/{BUCKET}").removeprefix("/")) or None
        first, dash, last = headers.get("range", "").removeprefix("bytes=").partition("-")
        start = int(first) if dash else None
        stop = int(last) + 1 if last else None
        return Asked(method, target, key, start, stop, headers.get("if-match"), self.number, headers)


@contextmanager
def running_server(objects=(), tls=None):
    """Give a server that runs until the end of the block."""
    with FaultServer(dict(objects), tls) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.stopping.set()
            server.shutdown()
            thread.join()
