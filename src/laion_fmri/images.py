"""The stimulus images, looked up by name or by row."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from operator import index
from pathlib import Path
from typing import TYPE_CHECKING

from laion_fmri.by_name import Reader, require_known
from laion_fmri.errors import DataNotDownloadedError, StimuliNotDownloadedError
from laion_fmri.local import artifact_source

if TYPE_CHECKING:
    import pandas as pd
    from PIL import Image

    from laion_fmri.loaders import LocalFile
    from laion_fmri.loaders.hdf5 import Array, Stored
    from laion_fmri.loaders.images import Pictures
    from laion_fmri.source import Source


class Images(Reader):
    """The stimulus images by name, or by row of their table.

    ``images["a.jpg"]`` and ``images[3]`` are the bytes of an image file as they are stored; iteration gives
    ``(name, bytes)``. No image is kept in memory, and the file is open only while it is read, so that threads, forks
    and pickles are safe.

    Parameters
    ----------
    data_dir : str or Path, optional
        Where the files are; the configured data directory where left out.

    Raises
    ------
    StimuliNotDownloadedError
        If the images or their table are not here; the message has the command that fetches them.
    """

    def __init__(self, data_dir: str | Path | None = None) -> None:
        super().__init__()
        images = artifact_source("stimuli", data_dir)
        self._layout = images.artifact.layout
        self._name = self._layout.datasets["image"]
        self._file = _stimulus_file(images)
        self._table = artifact_source("stimulus_metadata", data_dir)
        self._table_file = _stimulus_file(self._table)

    @property
    def metadata(self) -> pd.DataFrame:
        """What is known of the images: row i belongs to ``images[i]``."""
        table: pd.DataFrame = self._kept("table", self._read_table)
        return table

    def _read_table(self) -> pd.DataFrame:
        from laion_fmri.loaders.images import image_table

        columns = self._table.artifact.layout.columns
        return image_table(self._stored(), self._table_file.path, columns, self._name)

    def _stored(self) -> Stored:
        from laion_fmri.loaders.hdf5 import stored_bytes

        found: Stored = self._kept("stored", lambda: stored_bytes(self._file.path, self._layout, "values"))
        return found

    def names(self) -> list[str]:
        """Return the names of the images, in the order of their rows."""
        return list(self._rows())

    def _rows(self) -> dict[str, int]:
        rows: dict[str, int] = self._kept("rows", lambda: {name: i for i, name in enumerate(self.metadata[self._name])})
        return rows

    def index_of(self, name: str) -> int:
        """Return the row of an image; UnknownNameError, a KeyError that names the nearest, where there is none."""
        rows = self._rows()
        require_known("image", name, rows)
        return rows[name]

    def __contains__(self, name: object) -> bool:
        return name in self._rows()

    def __len__(self) -> int:
        return len(self._rows())

    def __iter__(self) -> Iterator[tuple[str, bytes]]:
        for name in self.names():
            yield name, self[name]

    def __getitem__(self, key: str | int) -> bytes:
        from laion_fmri.loaders.hdf5 import read_bytes

        (data,) = read_bytes(self._stored(), [self._row(key)])
        return data

    def _row(self, key: str | int) -> int:
        if isinstance(key, str):
            return self.index_of(key)
        row = index(key)
        if not 0 <= row < len(self):
            raise IndexError(f"{self._file.path} has no image {row}; its {len(self)} images count from 0")
        return row

    def get(self, key: str | int, as_displayed: bool = True) -> Image.Image:
        """Return an image.

        Parameters
        ----------
        key : str or int
            Its name, or its row.
        as_displayed : bool
            As it was shown: RGB, a transparent one on the background of the experiment. Otherwise in the mode that the
            file has.

        Returns
        -------
        PIL.Image.Image

        Raises
        ------
        UnknownNameError, IndexError
            If there is no such image.
        DataFormatError
            If its bytes are damaged.

        Examples
        --------
        >>> from laion_fmri import load_stimuli
        >>> load_stimuli().images.get(0).mode
        'RGB'
        """
        from laion_fmri.loaders.images import picture_text
        from laion_fmri.loaders.pictures import decode, displayed

        what = picture_text(self._stored(), self._name_of(self._row(key)))
        picture = decode(self[key], what)
        return displayed(picture, self._layout.background, what) if as_displayed else picture

    def _name_of(self, row: int) -> str:
        return str(self.metadata[self._name].iloc[row])

    def array(self, keys: Iterable[str | int]) -> Array:
        """Return images as displayed: uint8, (n, y, x, 3), in the order of their names or rows, which may repeat."""
        return self.pictures(keys).read()

    def pictures(self, keys: Iterable[str | int]) -> Pictures:
        """Return what reads these images, which has not read them yet."""
        import numpy as np

        from laion_fmri.loaders.images import pictures_of

        rows = np.array([self._row(key) for key in keys], np.int64)
        names = self.metadata[self._name].to_numpy(str)[rows]
        return pictures_of(self._stored(), rows, names, self._layout.background)


def _stimulus_file(source: Source) -> LocalFile:
    try:
        (file,) = source.present()
    except DataNotDownloadedError as error:
        raise StimuliNotDownloadedError(str(error)) from None
    return file


def stimulus_table() -> pd.DataFrame:
    """Return the table of all images, which needs none of them; its index are their names, each once.

    Raises
    ------
    StimuliNotDownloadedError
        If it is not here.
    DataFormatError
        If it is damaged.
    """
    from laion_fmri.loaders.images import named_table

    source = artifact_source("stimulus_metadata")
    name = artifact_source("stimuli").artifact.layout.datasets["image"]
    return named_table(_stimulus_file(source).path, source.artifact.layout.columns, name).set_index(name, drop=False)
