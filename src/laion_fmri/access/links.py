"""The bytes of files that a service gives by signed links, which are replaced when they are no longer good."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from laion_fmri.access.answers import Link
from laion_fmri.access.permit import Permit
from laion_fmri.errors import DeniedError, ExpiredError
from laion_fmri.storage.answer import raise_alone, shown
from laion_fmri.storage.http import Http
from laion_fmri.storage.origin import Body
from laion_fmri.storage.pieces import LANES
from laion_fmri.storage.web_file import open_file


class Links:
    """The files of an agreement, as an origin of bytes; see `laion_fmri.storage.origin.Origin`.

    Parameters
    ----------
    permit : Permit
        Gives the links. It has to be open.
    connections : int
        Connections kept open, as many as there are workers.
    """

    def __init__(self, permit: Permit, connections: int = 1) -> None:
        self._permit = permit
        self.etag_is_md5 = False
        own = urlsplit(permit.client.url).hostname or ""
        self._http = Http([own, *permit.policy.service.hosts], connections + LANES)
        self._given: dict[str, Link] = {}
        self._worn: dict[str, Link] = {}
        self._expiries: Counter[str] = Counter()

    @contextmanager
    def open(self, key: str, start: int = 0, stop: int | None = None, etag: str | None = None) -> Iterator[Body]:
        """Give the bytes of a file."""
        name = key.rpartition("/")[2]
        link = self._given[name] = self._permit.link(name, self._worn.get(name))
        try:
            with open_file(self._http, link.url.get_secret_value(), start, stop, etag) as body:
                self._expiries[name] = 0
                yield body
        except ExpiredError:
            self._wear(link)
            raise

    def stop(self) -> None:
        """Break what is under way; see `laion_fmri.storage.origin.Origin`."""
        self._http.stop()

    def _wear(self, link: Link) -> None:
        """Note that a link is no longer good, so that a new one is asked for; two in a row are no accident."""
        if self._given[link.name] == link != self._worn.get(link.name):
            self._worn[link.name] = link
            self._expiries[link.name] += 1
        if self._expiries[link.name] > 1:
            place = shown(link.url.get_secret_value())
            raise_alone(
                DeniedError(f"{place}: a link that was just made has expired; is the clock of this machine right?")
            )
