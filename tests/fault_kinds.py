"""What may go wrong with a request to `fault_server.FaultServer`."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace

from fault_server import Asked, Closed, Exchange, Reply, error


class Fault:
    """What happens to one request; with `at`, a place in the file, to the first request whose range has it.

    `reached` is set once it happened (or, for those that wait, once it waits).
    """

    def __init__(self, act: Callable[[Exchange], object], at: int | None = None) -> None:
        self._act = act
        self.at = at
        self.reached = threading.Event()

    def meets(self, asked: Asked, size: int) -> bool:
        stop = size if asked.stop is None else asked.stop
        return self.at is None or (asked.start or 0) <= self.at < stop

    def __call__(self, exchange: Exchange) -> None:
        self.reached.set()
        self._act(exchange)

    # ------------------------------------------------------------ connections

    @classmethod
    def close_at(cls, place, length=True):
        """Close the connection before the byte at `place` of the file."""

        def act(exchange):
            exchange.send(count=place - exchange.start, length=length)
            raise Closed

        return cls(act, place)

    @classmethod
    def reset_at(cls, place):
        def act(exchange):
            exchange.send(count=place - exchange.start)
            exchange.reset()

        return cls(act, place)

    @classmethod
    def hang_up(cls):
        """Close the connection without a word."""

        def act(exchange):
            raise Closed

        return cls(act)

    @classmethod
    def close_when_done(cls):
        """Answer well, promise to keep the connection, and close it."""

        def act(exchange):
            exchange.send(exchange.reply.but(Connection="keep-alive"))
            raise Closed

        return cls(act)

    @classmethod
    def stall_at(cls, place):
        """Say nothing more from a place of the file on, until the client hangs up or `go_on` is set."""
        go_on = threading.Event()

        def act(exchange):
            sent = place - exchange.start
            exchange.send(count=sent)
            while not go_on.wait(0.02):
                if exchange.gone():
                    raise Closed
            exchange.sock.sendall((fault.then or exchange.reply.body)[sent:])

        fault = cls(act, place)
        fault.go_on = go_on
        fault.then = None
        return fault

    @classmethod
    def trickle(cls):
        """Send a byte of the body at a time, for ever so slowly."""

        def act(exchange):
            exchange.sock.sendall(exchange.reply.head())
            for n in range(len(exchange.reply.body)):
                if exchange.gone(0.01):
                    raise Closed
                exchange.sock.sendall(exchange.reply.body[n : n + 1])

        return cls(act)

    @classmethod
    def slow_head(cls):
        """Begin the head of an answer and never end it."""

        def act(exchange):
            exchange.sock.sendall(b"HTTP/1.1 200 OK\r\n")
            exchange.until_gone()

        return cls(act)

    # ------------------------------------------------------------ answers

    @classmethod
    def says(cls, change):
        """Send what `change` makes of the right answer."""
        return cls(lambda exchange: exchange.send(change(exchange.reply)))

    @classmethod
    def status(cls, status, code="Nothing", **headers):
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return cls(lambda exchange: exchange.send(error(status, code, named)))

    @classmethod
    def ignore_range(cls):
        return cls(lambda exchange: exchange.send(exchange.server.whole(exchange.asked.key)))

    @classmethod
    def no_length(cls):
        return cls(lambda exchange: exchange.send(length=False))

    @classmethod
    def wrong_range(cls, text):
        """Answer with another Content-Range; its braces name start, last, stop and total as they should be."""

        def act(exchange):
            total = len(exchange.server.objects[exchange.asked.key])
            stop = total if exchange.asked.stop is None else exchange.asked.stop
            values = {"start": exchange.start, "last": stop - 1, "stop": stop, "total": total, "more": total + 1}
            place = text.format(**values) if text else None
            right = exchange.reply.headers | {"Content-Range": place}
            headers = {name: value for name, value in right.items() if value is not None}
            exchange.send(replace(exchange.reply, status=206, headers=headers))

        return cls(act)

    @classmethod
    def replaced(cls, content, told=True):
        """Put another content in place of the object; a server that is not `told` of If-Match gives that."""

        def act(exchange):
            server = exchange.server
            server.objects[exchange.asked.key] = content
            server.versions.pop(exchange.asked.key, None)
            asked = exchange.asked if told else replace(exchange.asked, if_match=None)
            exchange.send(server.object(asked))

        return cls(act)

    @classmethod
    def page(cls, body, length=True, **headers):
        """Answer 200 with the body of something else."""
        reply = Reply(200, body).but(**headers)
        return cls(lambda exchange: exchange.send(reply, length=length))

    @classmethod
    def longer(cls, extra, announced=True):
        """Send more than was asked for: announced by Content-Length, or up to the end of the connection."""

        def act(exchange):
            body = exchange.reply.body + extra
            exchange.send(exchange.reply.but(body), length=announced)

        return cls(act)

    @classmethod
    def never_ends(cls):
        """Send the body, and then bytes without end."""

        def act(exchange):
            exchange.sock.sendall(exchange.reply.head(length=False) + exchange.reply.body)
            while not exchange.gone():
                exchange.sock.sendall(bytes(1 << 16))
            raise Closed

        return cls(act)

    @classmethod
    def left_over(cls, extra):
        """Send bytes after the end of a good answer, where the next answer would begin."""
        return cls(lambda exchange: exchange.sock.sendall(exchange.reply.head() + exchange.reply.body + extra))

    @classmethod
    def flip(cls, place):
        """Flip one bit of the file."""

        def act(exchange):
            body = bytearray(exchange.reply.body)
            body[place - exchange.start] ^= 1
            exchange.send(exchange.reply.but(bytes(body)))

        return cls(act, place)

    @classmethod
    def redirect(cls, target):
        return cls.status(307, "TemporaryRedirect", Location=target)
