"""The bytes of files that a service gives by signed links, which are replaced when they are no longer good."""

from __future__ import annotations

from collections import Counter
from urllib.parse import urlsplit

from laion_fmri.access.answers import Link
from laion_fmri.access.permit import Permit
from laion_fmri.errors import DeniedError, ExpiredError, RemoteError
from laion_fmri.storage.answer import shown
from laion_fmri.storage.hosts import allowed
from laion_fmri.storage.origin import Place


class Links:
    """The files of an agreement, as an origin of bytes; see `laion_fmri.storage.origin.Origin`.

    Parameters
    ----------
    permit : Permit
        Gives the links. It has to be open.
    """

    def __init__(self, permit: Permit) -> None:
        self._permit = permit
        self.etag_is_md5 = False
        own = urlsplit(permit.client.url).hostname or ""
        self._hosts = frozenset([own, *permit.policy.service.hosts])
        self._given: dict[str, Link] = {}  # by address
        self._worn: dict[str, Link] = {}  # by name
        self._expiries: Counter[str] = Counter()

    def place(self, key: str) -> Place:
        """Return the link of a file."""
        name = key.rpartition("/")[2]
        link = self._permit.link(name, self._worn.get(name))
        url = link.url.get_secret_value()
        place = Place(self.follow(url, shown(url)), shown(url))
        self._given[place.url] = link
        return place

    def follow(self, url: str, address: str) -> str:
        """Return where an answer leads to."""
        return allowed(url, address, self._hosts)

    def works(self, place: Place) -> None:
        """Note that a link is good."""
        self._expiries[self._given[place.url].name] = 0

    def meaning(self, place: Place, error: RemoteError) -> RemoteError:
        """Note a link that is no longer good, so that a new one is asked for; two in a row are no accident."""
        if not isinstance(error, ExpiredError):
            return error
        link = self._given[place.url]
        if link != self._worn.get(link.name):
            self._worn[link.name] = link
            self._expiries[link.name] += 1
        if self._expiries[link.name] > 1:
            return DeniedError(
                f"{place.address}: a link that was just made has expired; is the clock of this machine right?"
            )
        return error
