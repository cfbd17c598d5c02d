"""What the readers by image name share: what they keep, and how they refuse a wrong name."""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from laion_fmri.catalog.words import listed, nearest
from laion_fmri.errors import UnknownNameError

if TYPE_CHECKING:
    import pandas as pd

_FEW = 12


def require_known(what: str, wanted: object, known: Collection[Any]) -> None:
    """Raise UnknownNameError, naming the nearest or the few that there are, unless a name is known.

    Examples
    --------
    >>> require_known("model of embeddings", "CLIPP", ["CLIP", "DINOv2"])
    Traceback (most recent call last):
    laion_fmri.errors.UnknownNameError: there is no model of embeddings CLIPP; there is CLIP, DINOv2
    """
    if wanted in known:
        return
    if len(known) <= _FEW:
        hint = f"there is {listed(map(str, known)) or 'none'}"
    else:
        near = nearest(str(wanted), map(str, known), most=1)
        hint = f"did you mean {near[0]}?" if near else "give the file name of an image, letter for letter"
    raise UnknownNameError(f"there is no {what} {wanted}; {hint}")


class Reader(AbstractContextManager[Any]):
    """Reads on first use and keeps what it read, until it is closed; a closed reader reads anew."""

    def __init__(self) -> None:
        self._read: dict[str, Any] = {}

    def _kept(self, name: str, read: Callable[[], Any]) -> Any:
        if name not in self._read:
            self._read[name] = read()
        return self._read[name]

    def close(self) -> None:
        """Drop what is kept in memory."""
        self._read.clear()

    def __exit__(self, *_: object) -> None:
        self.close()


class TableReader(Reader):
    """Reads a table that has several rows for one image.

    Parameters
    ----------
    column : str
        The column with the names of the images.
    order : list of str
        The columns by which the rows of an image are sorted.
    """

    def __init__(self, column: str, order: list[str]) -> None:
        super().__init__()
        self._column, self._order = column, order

    @property
    def metadata(self) -> pd.DataFrame:
        """The whole table."""
        raise NotImplementedError

    def images(self) -> list[str]:
        """Return the names of the images that have rows, sorted."""
        return sorted(self._places())

    def _rows(self, name: str) -> pd.DataFrame:
        """Return the rows of an image, sorted and numbered from 0; none for an image that has none."""
        places = self._places().get(name, [])
        rows: pd.DataFrame = self.metadata.iloc[places].sort_values(self._order, ignore_index=True)
        return rows

    def _places(self) -> dict[str, Any]:
        places: dict[str, Any] = self._kept("places", lambda: self.metadata.groupby(self._column).indices)
        return places
