"""The folders that files land in: made where they are missing, inside the data directory, and brought to the disk."""

from __future__ import annotations

import os
from itertools import accumulate
from pathlib import Path
from stat import S_ISDIR, S_ISLNK
from threading import Lock

from laion_fmri.errors import DataDirError
from laion_fmri.storage import system
from laion_fmri.storage.partial import sweep


class Folders:
    """The folders of a data directory that a transfer writes into.

    Parameters
    ----------
    root : Path
        The data directory.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._within = root.resolve()
        self._known: set[str] = set()
        self._checked: set[str] = set()
        self._lock = Lock()

    def place(self, path: str) -> tuple[str, os.stat_result | None]:
        """Return where a file lands, with its folder there, and what the system says of a file that is there already.

        Parameters
        ----------
        path : str
            Relative to the data directory, with ``/``.

        Raises
        ------
        DataDirError
            If a folder on the way is a symbolic link that leads out, or a file, or if the place itself is taken by
            something that is no file.
        OSError
            If a folder cannot be made.
        """
        target = f"{self._root}/{path}"
        folder = path.rpartition("/")[0]
        with self._lock:
            if folder not in self._known:
                self._open(folder)
                self._known.add(folder)
        try:
            here = os.lstat(target)
        except FileNotFoundError:
            return target, None
        if S_ISLNK(here.st_mode):
            here = _behind(Path(target))
        if S_ISDIR(here.st_mode):
            raise DataDirError(f"{target} is a folder, where a file belongs; move it away and run the same again")
        return target, here

    def _open(self, folder: str) -> None:
        for name in accumulate(folder.split("/"), "{}/{}".format):
            if name not in self._checked:
                _check(self._root / name, self._within)
                self._checked.add(name)
        system.make_folder(self._root / folder)
        sweep(self._root / folder)

    def flush(self) -> None:
        """Bring the names in all of the folders to the disk."""
        for folder in self._known:
            system.flush_folder(self._root / folder)


def _check(folder: Path, within: Path) -> None:
    """Raise DataDirError where there is something that keeps files from landing in a folder, if it is there."""
    if folder.is_symlink() and not folder.resolve().is_relative_to(within):
        raise DataDirError(
            f"{folder} is a symbolic link that leads out of the data directory, to {folder.readlink()}; nothing is "
            "written there: move the data directory as a whole, with: laion-fmri config --data-dir PATH"
        )
    if folder.exists() and not folder.is_dir():
        raise DataDirError(f"{folder} is a file, where a folder belongs; move it away and run the same again")


def _behind(link: Path) -> os.stat_result:
    if not link.exists():
        raise DataDirError(
            f"{link} is a symbolic link to {link.readlink()}, which is not there; remove the link, or bring back what "
            "it leads to, and run the same again"
        )
    return link.stat()
