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


class Started(Event):
    """Its transfer began."""


@dataclass(frozen=True)
class Counted(Event):
    """Something that happened to some of its bytes."""

    bytes: int


class Resumed(Counted):
    """They are here from an earlier run."""


class Advanced(Counted):
    """They came over the wire."""


class Dropped(Counted):
    """They were here, or came, and are of no use: they have to come again."""


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


NOT_HAD = (Denied, Failed)
ENDS = (Done, *NOT_HAD)
