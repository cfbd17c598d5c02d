"""The folders that files land in: made where they are missing, inside the data directory, and brought to the disk."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
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
        self._known: set[Path] = set()
        self._lock = Lock()

    def place(self, path: str) -> Path:
        """Return where a file lands, with its folder there.

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
        target = self._root / path
        with self._lock:
            if target.parent not in self._known:
                self._open(PurePosixPath(path).parent)
                self._known.add(target.parent)
        try:
            mode = target.lstat().st_mode
        except FileNotFoundError:
            return target
        if S_ISDIR(mode):
            raise DataDirError(f"{target} is a folder, where a file belongs; move it away and run the same again")
        if S_ISLNK(mode) and not target.exists():
            raise DataDirError(
                f"{target} is a symbolic link to {target.readlink()}, which is not there; remove the link, or bring "
                "back what it leads to, and run the same again"
            )
        return target

    def _open(self, folder: PurePosixPath) -> None:
        within = self._root.resolve()
        for part in reversed([folder, *folder.parents[:-1]]):
            place = self._root / part
            if place.is_symlink() and not place.resolve().is_relative_to(within):
                raise DataDirError(
                    f"{place} is a symbolic link that leads out of the data directory, to {place.readlink()}; nothing "
                    "is written there: move the data directory as a whole, with: laion-fmri config --data-dir PATH"
                )
            if place.exists() and not place.is_dir():
                raise DataDirError(f"{place} is a file, where a folder belongs; move it away and run the same again")
        system.make_folder(self._root / folder)
        sweep(self._root / folder)

    def flush(self) -> None:
        """Bring the names in all of the folders to the disk."""
        for folder in self._known:
            system.flush_folder(folder)
