"""What a transfer tells: one event for everything that happens to a file."""

from __future__ import annotations

from dataclasses import dataclass

from laion_fmri.errors import LaionFMRIError
from laion_fmri.storage.draft import Pulled
from laion_fmri.storage.plan import PlannedFile


@dataclass(frozen=True)
class Event:
    """Something that happened to a file."""

    file: PlannedFile


@dataclass(frozen=True)
class Started(Event):
    """Its transfer began."""


@dataclass(frozen=True)
class Resumed(Event):
    """Some bytes of it are here from an earlier run."""

    bytes: int


@dataclass(frozen=True)
class Advanced(Event):
    """Some more bytes of it came over the wire."""

    bytes: int


@dataclass(frozen=True)
class Dropped(Event):
    """Some bytes that were here, or came, are of no use; they have to come again."""

    bytes: int


@dataclass(frozen=True)
class Done(Event):
    """It is whole, at its final path; `pulled` is None where another process put it there."""

    pulled: Pulled | None


@dataclass(frozen=True)
class Denied(Event):
    """The remote does not give it."""

    reason: str


@dataclass(frozen=True)
class Failed(Event):
    """It could not be had; nothing of it is at its final path."""

    error: LaionFMRIError | OSError

    @property
    def reason(self) -> str:
        """Why, in one line."""
        return str(self.error)


ENDS = (Done, Denied, Failed)
