"""Answers that are read whole, such as the pages of a listing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from threading import Event

from laion_fmri.errors import RemoteError, StoppedError
from laion_fmri.storage.answer import Head
from laion_fmri.storage.exchange import Exchange
from laion_fmri.storage.online import refuse_offline
from laion_fmri.storage.origin import Place
from laion_fmri.storage.wire import Wire

_MOST_BYTES = 1 << 24
_LOOK = 0.1  # seconds after which it is looked whether to stop


class Asker:
    """Asks for answers; any number of threads may use it. It asks once: to try again is for the caller.

    Parameters
    ----------
    follow : callable
        As of `Exchange`.
    """

    def __init__(self, follow: Callable[[str, str], str]) -> None:
        self._follow = follow
        self._idle: list[Wire] = []
        self.stopped = Event()

    def answer(self, place: Place) -> bytes:
        """Return the body of the answer to a request.

        Raises
        ------
        StoppedError
            If another thread calls `stop`.
        RemoteError
            As of `laion_fmri.storage.http.Http.ask`; also where the answer is a refusal, or too long to be read whole.
        """
        refuse_offline(place.address)
        whole = _Whole(self._follow)
        with self._wire() as wire:
            whole.ask(wire, place, {})
            while not whole.is_over:
                if self.stopped.is_set():
                    raise StoppedError(f"{place.address}: stopped; run the same again to continue")
                wire.step(_LOOK)
        if whole.error:
            raise whole.error
        return bytes(whole.bytes)

    @contextmanager
    def _wire(self) -> Iterator[Wire]:
        """Give a connection that no other thread uses, and keep it for the next request."""
        try:
            wire = self._idle.pop()
        except IndexError:
            wire = Wire(places=1)
        try:
            yield wire
        except BaseException:
            wire.close()
            raise
        self._idle.append(wire)

    def stop(self) -> None:
        """Break what is under way, and ask for nothing more."""
        self.stopped.set()


class _Whole(Exchange):
    """An answer that is put together."""

    def __init__(self, follow: Callable[[str, str], str]) -> None:
        super().__init__(follow)
        self.bytes = bytearray()
        self.is_over = False
        self.error: Exception | None = None

    def given(self, head: Head) -> None:
        """Do nothing: the head says nothing that is needed."""

    def take(self, chunks: Sequence[bytes]) -> None:
        """Take bytes."""
        self.bytes += b"".join(chunks)
        if len(self.bytes) > _MOST_BYTES:
            raise RemoteError(f"{self._address}: the answer has more than {_MOST_BYTES:,} bytes; tell its owner")

    def over(self, error: Exception | None) -> None:
        """Take the end."""
        self.is_over, self.error = True, error
