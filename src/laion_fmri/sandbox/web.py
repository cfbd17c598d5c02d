"""A small web server on this machine, for what the dataset has outside its bucket."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import unquote, urlsplit

_POLL = 0.05  # seconds between two looks whether to stop


@dataclass(frozen=True)
class Request:
    """What a client asks.

    Attributes
    ----------
    method : str
        Such as ``"GET"``; a ``"HEAD"`` gets the answer to a GET without its body.
    path : str
        Below the route, without the first ``/``, decoded.
    query : str
        Behind the ``?``, as it came.
    headers : Message
        Looked into by name, whatever the case.
    body : bytes
        What was sent along.
    """

    method: str
    path: str
    query: str
    headers: Message
    body: bytes


@dataclass(frozen=True)
class Answer:
    """What the server answers.

    Attributes
    ----------
    body : bytes
        The content.
    status : int
        HTTP status.
    headers : mapping of str to str
        ``Content-Length`` is that of the body where it is left out.
    """

    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


Route = Callable[[Request], Answer]


@dataclass(frozen=True)
class Web:
    """A running web server.

    Attributes
    ----------
    address : str
        ``http://127.0.0.1:PORT``.
    routes : dict of str to Route
        What answers below ``/NAME/``; may be changed while the server runs.
    """

    address: str
    routes: dict[str, Route]


@contextmanager
def serve_web(routes: Mapping[str, Route]) -> Iterator[Web]:
    """Run a web server in threads of this process until the block ends.

    Parameters
    ----------
    routes : mapping of str to Route
        What answers below ``/NAME/``; all else is answered 404.

    Examples
    --------
    >>> from urllib.request import urlopen
    >>> with serve_web({"echo": lambda request: Answer(request.path.encode())}) as web:
    ...     urlopen(f"{web.address}/echo/a/b").read()
    b'a/b'
    """
    mine = dict(routes)
    with ThreadingHTTPServer(("127.0.0.1", 0), _handler(mine)) as server:
        thread = Thread(target=server.serve_forever, args=(_POLL,), daemon=True)
        thread.start()
        try:
            yield Web(f"http://127.0.0.1:{server.server_port}", mine)
        finally:
            server.shutdown()
            thread.join()


def _handler(routes: Mapping[str, Route]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do(self) -> None:
            parts = urlsplit(self.path)
            name, _, path = unquote(parts.path).removeprefix("/").partition("/")
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            request = Request(self.command, path, parts.query, self.headers, body)
            answer = routes[name](request) if name in routes else Answer(status=404)
            self.send_response(answer.status)
            for header, value in {"Content-Length": str(len(answer.body)), **answer.headers}.items():
                self.send_header(header, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(answer.body)

        do_GET = do_HEAD = do_POST = do  # noqa: N815 - names of the standard library

        def log_message(self, format: str, *args: object) -> None:
            """Keep quiet."""

    return Handler


def files_of(folder: Path, given: Callable[[str], bool]) -> Route:
    """Return the route that answers with the files of a folder, or with parts of them.

    Parameters
    ----------
    folder : Path
        Relative paths below it are the keys.
    given : callable
        Tells the keys that the route gives.
    """

    def answer(request: Request) -> Answer:
        place = folder / request.path
        if not given(request.path) or not place.is_file():
            return Answer(status=404)
        return part_of(place.read_bytes(), request.headers.get("Range"))

    return answer


def part_of(content: bytes, wanted: str | None) -> Answer:
    """Return the answer to a request for a part of a content, or for all of it.

    Parameters
    ----------
    content : bytes
        The whole.
    wanted : str, optional
        Header ``Range`` of the request; of its forms, ``bytes=3-7`` and ``bytes=3-`` are known.
    """
    span = re.fullmatch("bytes=([0-9]+)-([0-9]*)", wanted or "")
    if span is None:
        return Answer(content)
    start, stop = int(span[1]), min(int(span[2] or len(content)) + 1, len(content))
    if start >= stop:
        return Answer(status=416, headers={"Content-Range": f"bytes */{len(content)}"})
    return Answer(content[start:stop], 206, {"Content-Range": f"bytes {start}-{stop - 1}/{len(content)}"})
