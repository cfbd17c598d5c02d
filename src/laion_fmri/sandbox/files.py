"""The file formats of the miniature."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import h5py
import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from laion_fmri.sandbox.brain import Grid

_SCANNER = 1
_STRUCTURES = {"L": "CortexLeft", "R": "CortexRight"}


def write_volume(path: Path, data: NDArray[Any], grid: Grid, seconds: float | None = None) -> None:
    """Write a gzipped NIfTI-1 file of the array's own type, without scaling; `seconds` from volume to volume."""
    image = nib.Nifti1Image(data, None)
    image.set_sform(grid.affine, _SCANNER)
    image.set_qform(grid.affine, _SCANNER)
    image.header.set_xyzt_units("mm", None if seconds is None else "sec")
    if seconds is not None:
        image.header["pixdim"][4] = seconds
    nib.save(image, _made(path))


def write_surface(path: Path, values: NDArray[np.float32], hemi: str) -> None:
    """Write one float32 value for each vertex as GIfTI."""
    array = nib.gifti.GiftiDataArray(values, "NIFTI_INTENT_SHAPE", "NIFTI_TYPE_FLOAT32")
    meta = nib.gifti.GiftiMetaData(AnatomicalStructurePrimary=_STRUCTURES[hemi])
    nib.save(nib.gifti.GiftiImage(darrays=[array], meta=meta), _made(path))


def write_label(
    path: Path, vertices: Sequence[int] | NDArray[Any], subject: str, places: NDArray[Any] | None = None
) -> None:
    """Write the vertices of a region as a FreeSurfer ASCII label, at their places or all at the origin."""
    where = np.zeros((len(vertices), 3)) if places is None else places
    rows = [
        f"{vertex}  {x:.3f}  {y:.3f}  {z:.3f} 1.0000000000"
        for vertex, (x, y, z) in zip(vertices, where.tolist(), strict=True)
    ]
    head = f"#!ascii label  , from subject sub-{subject} vox2ras=TkReg"
    write_text(path, "\n".join([head, str(len(rows)), *rows, ""]))


def write_table(path: Path, columns: Mapping[str, Sequence[object]]) -> None:
    """Write a TSV file."""
    rows = [columns.keys(), *zip(*columns.values(), strict=True)]
    write_text(path, "".join("\t".join(map(str, row)) + "\n" for row in rows))


def write_rows(path: Path, rows: Sequence[Mapping[str, object]]) -> None:
    """Write a CSV file, quoted where needed; the first row names the columns."""
    with _made(path).open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, rows[0].keys(), lineterminator="\n")
        table.writeheader()
        table.writerows(rows)


def write_arrays(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write an HDF5 file of one dataset for each array; arrays of `str` objects become variable-length text."""
    with h5py.File(_made(path), "w") as file:
        for name, array in arrays.items():
            file.create_dataset(name, data=array, dtype=h5py.string_dtype() if array.dtype == object else array.dtype)


def write_stack(path: Path, name: str, shape: tuple[int, ...], layers: Iterable[NDArray[np.uint8]]) -> None:
    """Write an HDF5 file of one compressed uint8 dataset of this shape, a chunk for each layer."""
    with h5py.File(_made(path), "w") as file:
        stack = file.create_dataset(name, shape, np.uint8, chunks=(1, *shape[1:]), compression="gzip", shuffle=True)
        for row, layer in enumerate(layers):
            stack[row] = layer


def write_bytes(path: Path, name: str, rows: Sequence[bytes]) -> None:
    """Write an HDF5 file of one dataset, whose rows are bytes, each of a length of its own."""
    with h5py.File(_made(path), "w") as file:
        dataset = file.create_dataset(name, (len(rows),), h5py.vlen_dtype(np.uint8))
        for row, data in enumerate(rows):
            dataset[row] = np.frombuffer(data, np.uint8)


def sidecar(path: Path) -> Path:
    """Return where the JSON file that describes a file lies."""
    return path.with_name(f"{path.name.partition('.')[0]}.json")


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a JSON file."""
    write_text(path, json.dumps(content, indent=2) + "\n")


def write_text(path: Path, text: str) -> None:
    """Write a text file."""
    _made(path).write_text(text, encoding="utf-8", newline="\n")


def _made(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path
