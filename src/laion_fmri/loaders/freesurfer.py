"""Files of a FreeSurfer reconstruction: surfaces, values at vertices, annotations and volumes."""

from __future__ import annotations

import gzip
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from nibabel.freesurfer import MGHImage, read_annot, read_geometry
from numpy.typing import NDArray

from laion_fmri.errors import DataFormatError, SelectionError

Array = NDArray[Any]

_MESH, _VALUES = b"\xff\xff\xfe", b"\xff\xff\xff"  # first bytes of a triangle mesh, and of one value a vertex
_HEAD_OF_VALUES = 15  # bytes: the mark, then the numbers of vertices, of faces, and of values a vertex
_AXES = ("xras", "yras", "zras")


@dataclass(frozen=True, eq=False)
class Surface:
    """A mesh of triangles.

    Attributes
    ----------
    path : Path
        Its file.
    vertices : array of float64, shape (n_vertices, 3)
        Places, mm, as FreeSurfer stores them: relative to the centre of the conformed volume ("surface RAS").
    faces : array of int32, shape (n_faces, 3)
        The vertices of each triangle, counted from 0.
    affine : array of float64, shape (4, 4), or None
        From surface RAS to scanner RAS, mm; None where the file does not say it.
    """

    path: Path
    vertices: Array
    faces: Array
    affine: Array | None

    @property
    def c_ras(self) -> Array:
        """The centre of the volume in scanner RAS, mm, shape (3,): what surface RAS lacks to be scanner RAS."""
        return self._known_affine()[:3, 3]

    @property
    def scanner_ras(self) -> Array:
        """The vertices in scanner RAS, mm, shape (n_vertices, 3): the space in which volumes are sampled."""
        affine = self._known_affine()
        return np.asarray(self.vertices @ affine[:3, :3].T + affine[:3, 3])

    def _known_affine(self) -> Array:
        if self.affine is None:
            raise DataFormatError(
                f"{self.path} does not say where its volume lies in the scanner; take a surface that does, such as the "
                "white one, whose affine is the same"
            )
        return self.affine


def load_surface(path: Path) -> Surface:
    """Read a mesh of triangles.

    Raises
    ------
    SelectionError
        If the file holds values at vertices.
    DataFormatError
        If it is damaged, or something else.
    """
    head = _head(path)
    if head == _VALUES:
        raise SelectionError(f"{path} is no surface, it holds one value for each vertex; use morphometry()")
    with _telling(path, "a FreeSurfer surface"), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that the file does not say where it lies
        if head != _MESH:
            raise ValueError(f"it begins with {head.hex(' ') or 'nothing'}")
        vertices, faces, volume = read_geometry(path, read_metadata=True)
        if faces.size and not 0 <= faces.min() <= faces.max() < len(vertices):
            raise ValueError(f"a face has a vertex that is not among its {len(vertices)}")
        return Surface(path, vertices, faces.astype(np.int32), _to_scanner(volume))


def _to_scanner(volume: Mapping[str, Any]) -> Array | None:
    """Return the affine to scanner RAS from what a surface says of its volume.

    Of a conformed volume, x of surface RAS runs backwards along the first axis, y along the third, and z backwards
    along the second.
    """
    if not volume.get("valid", "").startswith("1"):
        return None
    x, y, z = (volume[axis] for axis in _AXES)
    affine = np.eye(4)
    affine[:3] = np.column_stack([-x, z, -y, volume["cras"]])
    return affine


def load_values(path: Path) -> Array:
    """Read one float32 value for each vertex, shape (n_vertices,).

    Raises
    ------
    SelectionError
        If the file holds a mesh.
    DataFormatError
        If it is damaged, or something else.
    """
    head = _head(path)
    if head == _MESH:
        raise SelectionError(f"{path} holds no values at vertices, it is a surface; use surface()")
    with _telling(path, "FreeSurfer values at vertices"):
        if head != _VALUES:
            raise ValueError(f"it begins with {head.hex(' ') or 'nothing'}")
        stored = path.read_bytes()
        vertices, _, per_vertex = np.frombuffer(stored, ">i4", 3, len(_VALUES)).tolist()
        if per_vertex != 1:
            raise ValueError(f"it holds {per_vertex} values for each vertex")
        return np.frombuffer(stored, ">f4", vertices, _HEAD_OF_VALUES).astype(np.float32)


def load_annotation(path: Path) -> Array:
    """Read the name of the region of each vertex, shape (n_vertices,); empty for a vertex of no region.

    Raises
    ------
    DataFormatError
        If the file is damaged, or no annotation.
    """
    with _telling(path, "a FreeSurfer annotation"):
        codes, colours, names = read_annot(path, orig_ids=True)
        name_of = dict(zip(colours[:, 4].tolist(), (name.decode() for name in names), strict=True))
        found, place = np.unique(codes, return_inverse=True)
        return np.array([name_of.get(code, "") for code in found.tolist()], str)[place]


def load_volume(path: Path) -> tuple[Array, Array]:
    """Read an MGH file, compressed (``.mgz``) or not.

    Returns
    -------
    data : array, shape (i, j, k)
        Of the type of the file.
    affine : array of float64, shape (4, 4)
        From voxel indices to scanner RAS, mm.

    Raises
    ------
    DataFormatError
        If the file is damaged, or no volume.
    """
    with _telling(path, "a FreeSurfer volume"):
        stored = path.read_bytes()
        image = MGHImage.from_bytes(gzip.decompress(stored) if path.suffix == ".mgz" else stored)
        data = np.asanyarray(image.dataobj)
        if data.ndim != 3:  # noqa: PLR2004
            raise ValueError(f"it has shape {data.shape}")
        return data.astype(data.dtype.newbyteorder("=")), image.affine


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(len(_MESH))


@contextmanager
def _telling(path: Path, kind: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # readers of nibabel raise whatever damage leads them to
        raise DataFormatError(f"{path} cannot be read as {kind}: {error}; download it again") from error
