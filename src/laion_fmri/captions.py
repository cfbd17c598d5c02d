"""Captions of the images, looked up by image name."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from laion_fmri.by_name import TableReader, require_known
from laion_fmri.local import artifact_source

if TYPE_CHECKING:
    import pandas as pd

_HUMAN, _AI = "human", "ai"
_Texts = list[str]  # in the class, `list` is its method


class Captions(TableReader):
    """Captions by image name. The table is read on first use and kept until `close`.

    Every method that takes the name of an image raises `UnknownNameError`, a KeyError that names the nearest, where
    it has no captions.

    Parameters
    ----------
    data_dir : str or Path, optional
        Where the file is; the configured data directory where left out.

    Raises
    ------
    DataNotDownloadedError
        If the captions are not here; the message has the command that fetches them.

    Examples
    --------
    >>> captions = Captions()
    >>> name = captions.images()[0]
    >>> len(captions.human(name, limit=2))
    2
    """

    def __init__(self, data_dir: str | Path | None = None) -> None:
        super().__init__("image_name", ["caption_idx"])
        self._source = artifact_source("captions", data_dir)
        self._source.present()

    @property
    def metadata(self) -> pd.DataFrame:
        """All captions, one row each, in the order of the file."""
        table: pd.DataFrame = self._kept("table", self._source.read)
        return table

    def __contains__(self, name: object) -> bool:
        return name in self._places()

    def get(self, name: str) -> pd.DataFrame:
        """Return the rows of an image, sorted by ``caption_idx``: that of the AI first, then people's, best first."""
        require_known("image with captions", name, self._places())
        return self._rows(name)

    def list(self, name: str, source: str | None = None) -> _Texts:
        """Return the captions of an image in the order of `get`; only those from one source, human or ai, if given.

        Raises
        ------
        UnknownNameError
            Also if there is no such source.
        """
        rows = self.get(name)
        if source is not None:
            require_known("source of captions", source, self._source.artifact.layout.columns["source"].values)
            rows = rows[rows["source"] == source]
        texts: _Texts = rows["caption"].tolist()
        return texts

    def human(self, name: str, limit: int | None = None) -> _Texts:
        """Return the captions of an image that people wrote, best first; the best `limit` of them, if given."""
        return [*islice(self.list(name, _HUMAN), limit)]

    def ai(self, name: str) -> str | None:
        """Return the caption of an image that an AI model wrote; None where there is none."""
        return next(iter(self.list(name, _AI)), None)
