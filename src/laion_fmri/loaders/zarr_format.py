"""As much of Zarr's format, version 3, as a store of voxels in trials takes; written and read without Zarr itself.

The values are one file: a shard of uncompressed chunks, so that other programs read a part of it, whose chunks follow
each other so that to us it is one plain array, shape (band, voxel, trial of the band). A band is some trials of all
voxels: what one voxel answered in them lies together, and one trial is found in one band.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from laion_fmri.loaders.nifti import Array

METADATA, VALUES, VECTOR = "zarr.json", "c.0.0", "c.0"

_TRIALS = 128  # of a band, at most: 512 bytes of each voxel together, and 140 MB of a band of a whole brain
_VOXELS = 512  # of a chunk: what other programs read at once for a single voxel, 240 kB of each band


@dataclass(frozen=True)
class Tiles:
    """How the values of voxels in trials lie in a file.

    Attributes
    ----------
    trials, voxels : int
        How many there are, both at least 1.
    dtype : dtype
        Of a value; stored with the low byte first.
    """

    trials: int
    voxels: int
    dtype: np.dtype[Any]

    @property
    def bands(self) -> int:
        """Number of bands."""
        return -(-self.trials // _TRIALS)

    @property
    def height(self) -> int:
        """Number of trials of a band; the last band may end in zeros.

        Examples
        --------
        >>> tiles = Tiles(1044, 1000, np.dtype("float32"))
        >>> tiles.bands, tiles.height, tiles.shape
        (9, 116, (9, 1024, 116))
        """
        return -(-self.trials // self.bands)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape of the plain array: (band, voxel, trial), with zeros after the last voxel."""
        return self.bands, -(-self.voxels // _VOXELS) * _VOXELS, self.height

    @property
    def stored(self) -> np.dtype[Any]:
        """Type and byte order in the file."""
        return self.dtype.newbyteorder("<")

    @property
    def size(self) -> int:
        """Size of the file, bytes."""
        return math.prod(self.shape) * self.dtype.itemsize + len(self.index)

    @cached_property
    def index(self) -> bytes:
        """The end of the file: where each chunk begins, and its size."""
        bands, width, height = self.shape
        size = _VOXELS * height * self.dtype.itemsize
        starts = np.arange(bands * width // _VOXELS) * size
        return np.stack([starts, np.full_like(starts, size)], axis=-1).astype("<u8").tobytes()

    def metadata(self, dims: tuple[str, ...], attributes: Mapping[str, Any]) -> dict[str, Any]:
        """Return what Zarr has to know of the array (trial, voxel)."""
        bands, width, height = self.shape
        inner = [_codec("transpose", order=[1, 0]), _codec("bytes", endian="little")]
        shard = _codec(
            "sharding_indexed",
            chunk_shape=[height, _VOXELS],
            codecs=inner,
            index_codecs=[_codec("bytes", endian="little")],
            index_location="end",
        )
        shape, chunk = [self.trials, self.voxels], [bands * height, width]
        return _array(shape, chunk, self.dtype.name, self.dtype.type(0).item(), [shard], dims, attributes)


def vector(values: Array, dim: str) -> tuple[dict[str, Any], bytes]:
    """Return numbers, truths or texts along a dimension: what Zarr has to know of them, and their one chunk."""
    if values.dtype.kind in "iufb":
        dtype, fill, codec = values.dtype.name, values.dtype.type(0).item(), _codec("bytes", endian="little")
        data = values.astype(values.dtype.newbyteorder("<")).tobytes()
    else:
        dtype, fill, codec, data = "string", "", {"name": "vlen-utf8"}, _texts(values)
    return _array([len(values)], [len(values)], dtype, fill, [codec], (dim,), {}), data


def group(arrays: Mapping[str, Mapping[str, Any]], attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Return what Zarr has to know of arrays that belong together, that of each of them with it."""
    consolidated = {"kind": "inline", "must_understand": False, "metadata": dict(arrays)}
    return {
        "zarr_format": 3,
        "node_type": "group",
        "attributes": dict(attributes),
        "consolidated_metadata": consolidated,
    }


def arrays_of(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arrays of a group, as of `group`."""
    arrays: dict[str, Any] = metadata["consolidated_metadata"]["metadata"]
    return arrays


def _array(  # noqa: PLR0917
    shape: list[int],
    chunk: list[int],
    dtype: str,
    fill: Any,
    codecs: list[dict[str, Any]],
    dims: tuple[str, ...],
    attributes: Mapping[str, Any],
) -> dict[str, Any]:
    return {
        "zarr_format": 3,
        "node_type": "array",
        "shape": shape,
        "data_type": dtype,
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": chunk}},
        "chunk_key_encoding": {"name": "default", "configuration": {"separator": "."}},
        "fill_value": fill,
        "codecs": codecs,
        "attributes": dict(attributes),
        "dimension_names": list(dims),
    }


def _codec(name: str, **configuration: Any) -> dict[str, Any]:
    return {"name": name, "configuration": configuration}


def _texts(values: Array) -> bytes:
    """Return texts as Zarr's codec for them has it: their number, then each with its size before it."""
    texts = [str(value).encode() for value in values]
    return b"".join([_number(len(texts)), *(_number(len(text)) + text for text in texts)])


def _number(value: int) -> bytes:
    return value.to_bytes(4, "little")
