"""Loader ``recon``: the folder of a FreeSurfer reconstruction, whose files are read one by one when they are asked for.

The entry has an entity of kind path for what lies in the folder. No options, no joins.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NoReturn

import pandas as pd
import xarray as xr

from laion_fmri.catalog.models import Artifact
from laion_fmri.catalog.words import listed, nearest
from laion_fmri.errors import SelectionError, UnknownNameError
from laion_fmri.loaders import Request
from laion_fmri.loaders.attributes import common_attributes
from laion_fmri.loaders.freesurfer import Surface, load_annotation, load_surface, load_values, load_volume
from laion_fmri.loaders.several import folder_of
from laion_fmri.loaders.surface_label import read_label


def needs(artifact: Artifact, options: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of the joins that reading takes: none."""
    return ()


def read(request: Request) -> Recon:
    """Return a handle of a reconstruction; nothing but the list of its files is read yet.

    Parameters
    ----------
    request : Request
        Files of one folder.

    Returns
    -------
    Recon
        The folder is `path`, the files that were chosen and are here are `files()`. By name, as in ``"lh.white"``:
        `surface` (vertices in mm, faces, and the offset ``c_ras`` that makes scanner RAS of them), `morphometry` and
        `annotation` (one value or region name for each vertex), `label` (a table of vertices) and `volume` (on its
        grid, with ``affine``).

    Raises
    ------
    SelectionError
        If the files lie in several folders.
    """
    rest = request.artifact.rest
    folder, *others = dict.fromkeys(folder_of(file, rest) for file in request.files)
    if others:
        names = listed(path.name for path in (folder, *others))
        raise SelectionError(f"each reconstruction is a folder of its own; choose one of {names}")
    return Recon(
        folder, (file.path.relative_to(folder).as_posix() for file in request.files), common_attributes(request)
    )


def to_dask(request: Request) -> NoReturn:
    """Refuse: the handle is lazy itself."""
    raise SelectionError("a reconstruction has no dask form; read() reads no file of it before it is asked for")


class Recon:
    """A FreeSurfer reconstruction of a subject, as far as it is here.

    A name is that of a file in the folder where FreeSurfer keeps its kind (``"lh.white"``), or its whole path below the
    reconstruction (``"surf/lh.white"``). Every call reads its file anew, and nothing else.

    Parameters
    ----------
    path : Path
        The folder.
    files : iterable of str
        Paths of the files below it, with ``/``.
    attrs : mapping
        What arrays carry: dataset, release, license, citation.

    Attributes
    ----------
    path : Path
        The folder.
    """

    def __init__(self, path: Path, files: Iterable[str], attrs: Mapping[str, str]) -> None:
        self.path = path
        self._files = tuple(files)
        self._attrs = dict(attrs)

    def __repr__(self) -> str:
        return f"<reconstruction {self.path}: {len(self._files)} files here>"

    def files(self) -> tuple[str, ...]:
        """Return the paths of the files below the folder, such as ``"surf/lh.white"``."""
        return self._files

    def surface(self, name: str) -> Surface:
        """Return a surface, such as ``"lh.white"``.

        Raises
        ------
        UnknownNameError
            If there is no such file here, naming the nearest.
        DataFormatError
            If the file is damaged, or no surface.
        """
        return load_surface(self._place("surf", name))

    def morphometry(self, name: str) -> xr.DataArray:
        """Return one float32 value for each vertex, such as of ``"lh.thickness"`` (mm); errors as of `surface`.

        Returns
        -------
        DataArray, shape (vertex,)
        """
        return self._at_vertices(name, load_values(self._place("surf", name)))

    def annotation(self, name: str) -> xr.DataArray:
        """Return the name of the region of each vertex, such as of ``"lh.aparc.annot"``; errors as of `surface`.

        Returns
        -------
        DataArray of str, shape (vertex,)
            Empty for a vertex of no region.
        """
        return self._at_vertices(name, load_annotation(self._place("label", name)))

    def label(self, name: str) -> pd.DataFrame:
        """Return the vertices of a label, such as ``"lh.cortex.label"``; errors as of `surface`.

        Returns
        -------
        DataFrame
            Columns vertex (int64, counted from 0), x, y, z (mm, surface RAS) and value.
        """
        return read_label(self._place("label", name))

    def volume(self, name: str) -> xr.DataArray:
        """Return a volume, such as ``"T1.mgz"``; errors as of `surface`.

        Returns
        -------
        DataArray, shape (i, j, k)
            Of the type of the file. The attribute ``affine`` (16 numbers, row by row) leads from voxel indices to
            scanner RAS, mm.
        """
        data, affine = load_volume(self._place("mri", name))
        attrs = {**self._attrs, "affine": affine.ravel().tolist()}
        return xr.DataArray(data, dims=("i", "j", "k"), name=name, attrs=attrs)

    def _at_vertices(self, name: str, values: Any) -> xr.DataArray:
        return xr.DataArray(values, dims=("vertex",), name=name, attrs=self._attrs)

    def _place(self, folder: str, name: str) -> Path:
        wanted = name if name in self._files else f"{folder}/{name}"
        if wanted not in self._files:
            known = [file.removeprefix(f"{folder}/") for file in self._files if file.startswith(f"{folder}/")]
            near = [file for file in known if name in file] or nearest(name, known)
            hint = f"did you mean {' or '.join(near[:3])}?" if near else f"{folder} has {listed(known) or 'no file'}."
            raise UnknownNameError(
                f"{self.path} has no {wanted} here; {hint} files() lists what was chosen and is here"
            )
        return self.path / wanted
