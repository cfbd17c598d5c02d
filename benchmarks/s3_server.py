"""An anonymous S3 endpoint that costs next to nothing: ``python benchmarks/s3_server.py [--folder F] [--keys FILE]``.

It serves the files below a folder (path-style, any bucket name), or synthetic objects: lines of size, tab and key, all
of which have the bytes of one backing file. Several processes share the port; each is one epoll loop that sends
files with sendfile(2) and puts listings together from ready-made pieces, so that a benchmark measures its clients.
ETags are those of S3: the MD5 of what is uploaded in one piece, the MD5 of the parts' MD5s and their number otherwise.
The address is printed once it serves; it ends with its parent's standard input.
"""

from __future__ import annotations

import argparse
import os
import re
import selectors
import signal
import socket
import sys
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple
from urllib.parse import parse_qsl, unquote

from s3_objects import Blob, Listing, folder_objects, listed_objects

IN_MEMORY = 64 << 10  # smaller bodies go out with their header in one call
PAGE = 1000
MODIFIED = b"Wed, 01 Jan 2025 00:00:00 GMT"


# --- answers


class Answer(NamedTuple):
    """Head and body: bytes, or a part of a file."""

    head: bytes
    file: int = -1
    start: int = 0
    stop: int = 0


_NOTHING = Answer(b"")
_RANGE = re.compile(rb"\r\nrange:\s*bytes=(\d*)-(\d*)\s*\r\n", re.IGNORECASE)
_IF_MATCH = re.compile(rb"\r\nif-match:\s*([^\r]*?)\s*\r\n", re.IGNORECASE)
_CLOSE = re.compile(rb"\r\nconnection:\s*close", re.IGNORECASE)
_COMMON = b"x-amz-request-id: 0\r\nx-amz-bucket-region: us-west-2\r\nServer: AmazonS3\r\n"
_open = lru_cache(maxsize=512)(lambda path: os.open(path, os.O_RDONLY))


class Site:
    """Answers requests; knows nothing of sockets."""

    def __init__(self, objects: dict[str, Blob]) -> None:
        self._objects = objects
        self._listing = Listing(objects)

    def answer(self, request: bytes) -> Answer:
        """Return the answer to the head of a request, which ends in an empty line."""
        method, _, rest = request.partition(b" ")
        path, _, query = rest[: rest.index(b" ")].decode("ascii").partition("?")
        key = unquote(path[1:].partition("/")[2])
        if method not in (b"GET", b"HEAD"):
            return _refusal(b"405 Method Not Allowed", "MethodNotAllowed", method)
        if not key:
            return self._list(dict(parse_qsl(query, keep_blank_values=True)), method)
        if key not in self._objects:
            return _refusal(b"404 Not Found", "NoSuchKey", method)
        return _object(self._objects[key], request, method)

    def _list(self, asked: dict[str, str], method: bytes) -> Answer:
        after = bytes.fromhex(asked.get("continuation-token", "")).decode() or asked.get("start-after", "")
        most = min(PAGE, int(asked.get("max-keys", PAGE)))
        given = (asked.get("prefix", ""), asked.get("delimiter", ""), after, most, asked.get("encoding-type", ""))
        return _xml(b"200 OK", self._listing.page(*given), method)


def _object(blob: Blob, request: bytes, method: bytes) -> Answer:
    wanted = _IF_MATCH.search(request)
    if wanted and wanted[1].strip(b'"') not in (b"*", blob.etag.strip('"').encode()):
        return _refusal(b"412 Precondition Failed", "PreconditionFailed", method)
    start, stop, status, place = 0, blob.size, b"200 OK", b""
    part = _RANGE.search(request)
    if part:
        start = int(part[1]) if part[1] else max(0, blob.size - int(part[2]))
        stop = min(blob.size, int(part[2]) + 1) if part[1] and part[2] else blob.size
        if start >= stop:
            return _refusal(b"416 Requested Range Not Satisfiable", "InvalidRange", method)
        status, place = b"206 Partial Content", b"Content-Range: bytes %d-%d/%d\r\n" % (start, stop - 1, blob.size)
    head = (
        b"HTTP/1.1 %s\r\n%bLast-Modified: %b\r\nETag: %b\r\nAccept-Ranges: bytes\r\n"
        b"Content-Type: binary/octet-stream\r\n%bContent-Length: %d\r\n\r\n"
        % (status, _COMMON, MODIFIED, blob.etag.encode(), place, stop - start)
    )
    if method == b"HEAD":
        return Answer(head)
    if stop - start <= IN_MEMORY:
        return Answer(head + os.pread(_open(blob.path), stop - start, start))
    return Answer(head, _open(blob.path), start, stop)


def _xml(status: bytes, body: bytes, method: bytes) -> Answer:
    head = b"HTTP/1.1 %b\r\n%bContent-Type: application/xml\r\nContent-Length: %d\r\n\r\n" % (
        status,
        _COMMON,
        len(body),
    )
    return Answer(head if method == b"HEAD" else head + body)


def _refusal(status: bytes, code: str, method: bytes) -> Answer:
    return _xml(status, f"<Error><Code>{code}</Code><Message>{code}</Message></Error>".encode(), method)


# --- sockets


@dataclass
class Talk:
    """One connection: what came in, and what is still to go out."""

    peer: socket.socket
    came: bytes = b""
    head: memoryview = field(default_factory=lambda: memoryview(b""))
    answer: Answer = _NOTHING
    sent: int = 0
    last: bool = False

    def read(self) -> bool:
        """Take what has come; false once the client is gone."""
        data = self.peer.recv(64 << 10)
        self.came += data
        return bool(data)

    def next(self, site: Site) -> bool:
        """Begin the answer to the next whole request, if there is one."""
        end = self.came.find(b"\r\n\r\n")
        if end < 0:
            return False
        request, self.came = self.came[: end + 4], self.came[end + 4 :]
        self.answer = site.answer(request)
        self.head, self.sent = memoryview(self.answer.head), self.answer.start
        self.last = bool(_CLOSE.search(request))
        return True

    def write(self) -> None:
        """Send the rest of the answer; BlockingIOError once the socket takes no more."""
        more = socket.MSG_MORE if self.answer.file >= 0 else 0
        while self.head:
            self.head = self.head[self.peer.send(self.head, more) :]
        while self.sent < self.answer.stop:
            self.sent += os.sendfile(self.peer.fileno(), self.answer.file, self.sent, self.answer.stop - self.sent)


def serve(listener: socket.socket, site: Site) -> None:
    """Answer until the process ends."""
    selector = selectors.DefaultSelector()
    selector.register(listener, selectors.EVENT_READ)
    while True:
        for ready, events in selector.select():
            if ready.data is None:
                accept(listener, selector)
            elif not go_on(ready.data, events, selector, site):
                selector.unregister(ready.fileobj)
                ready.data.peer.close()


def accept(listener: socket.socket, selector: selectors.BaseSelector) -> None:
    try:
        peer, _ = listener.accept()
    except BlockingIOError:
        return
    peer.setblocking(False)
    peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    selector.register(peer, selectors.EVENT_READ, Talk(peer))


def go_on(talk: Talk, events: int, selector: selectors.BaseSelector, site: Site) -> bool:
    """Read and write what can be; false where the connection is over."""
    try:
        if events & selectors.EVENT_READ and not talk.read():
            return False
        if events & selectors.EVENT_WRITE:
            talk.write()
            selector.modify(talk.peer, selectors.EVENT_READ, talk)
        while not talk.last and talk.next(site):
            talk.write()
    except BlockingIOError:
        selector.modify(talk.peer, selectors.EVENT_WRITE, talk)
        return True
    except OSError:
        return False
    return not talk.last


def listen(port: int) -> socket.socket:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    listener.bind(("127.0.0.1", port))
    listener.listen(1024)
    listener.setblocking(False)
    return listener


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, help="whose files are served")
    parser.add_argument("--keys", type=Path, help="lines of size, tab and key: synthetic objects")
    parser.add_argument("--backing", type=Path, help="file that gives the bytes of the synthetic ones")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--processes", type=int, default=2)
    given = parser.parse_args()
    objects = folder_objects(given.folder) if given.folder else listed_objects(given.keys, given.backing)
    site = Site(objects)
    listeners = [listen(given.port)]
    port = listeners[0].getsockname()[1]
    listeners += [listen(port) for _ in range(given.processes - 1)]
    children = []
    for listener in listeners:
        child = os.fork()
        if not child:
            serve(listener, site)
        children.append(child)
    print(f"http://127.0.0.1:{port}", flush=True)
    sys.stdin.read()
    for child in children:
        os.kill(child, signal.SIGTERM)


if __name__ == "__main__":
    main()
