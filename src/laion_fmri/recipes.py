"""What analyses of a whole subject begin with, put together from what sources and splits offer. See docs/recipes.md."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from laion_fmri.splits import get_split_masks

if TYPE_CHECKING:
    import xarray as xr

    from laion_fmri.intake_driver import ArtifactSource
    from laion_fmri.loaders.nifti import Array
    from laion_fmri.source import Source

__all__ = ["train_test"]


def train_test(
    source: Source | ArtifactSource,
    name: str,
    pool: str,
    variant_id: int = 0,
    ood_types: str | Iterable[str] | None = None,
) -> tuple[xr.DataArray, xr.DataArray]:
    """Read betas, and divide them into those to train on and those to test, by image.

    All trials of an image are on one side, single or averaged, so that no repetition of a test image is trained on.

    Parameters
    ----------
    source : source
        Betas with subject, sessions and options, such as ``zscore="session"``, ``average="image"``, ``nc_threshold``.
    name, pool, variant_id, ood_types
        The split, as for `laion_fmri.splits.get_split_masks`.

    Returns
    -------
    train, test : DataArray, shape (row, voxel)
        What ``source.read()`` returns, its rows divided, in their order; rows that the split does not have are left
        out. Both are views of one array in memory: beside what is read, one row is held.

    Raises
    ------
    SelectionError
        If something is chosen that does not exist, or the source reads no rows with the names of images.
    DataNotDownloadedError, DataFormatError
        As of ``source.read()`` and `laion_fmri.splits.load_split`.

    Examples
    --------
    >>> from laion_fmri import open_catalog, load_subject
    >>> subject = load_subject("sub-03")
    >>> betas = open_catalog().betas(subject="03", ses=["01", "02"], roi="V1", zscore="session", average="image")
    >>> train, test = train_test(betas, "tau", pool=subject.id)
    >>> train.dims, set(train.image.values) & set(test.image.values)
    (('image', 'voxel'), set())
    """
    import numpy as np

    data = source.read()
    train, test = (np.flatnonzero(side) for side in get_split_masks(data, name, pool, variant_id, ood_types))
    _bring_forward(data.values, [*train.tolist(), *test.tolist()])
    return _rows(data, train, 0), _rows(data, test, len(train))


def _bring_forward(values: Array, wanted: list[int]) -> None:
    """Put some rows first, in this order and in place; the others follow in any.

    Examples
    --------
    >>> import numpy as np
    >>> values = np.arange(5)[:, np.newaxis]
    >>> _bring_forward(values, [3, 4, 0])
    >>> values[:3, 0]
    array([3, 4, 0])
    """
    where = list(range(len(values)))  # the place of each row
    what = list(range(len(values)))  # the row at each place
    for place, row in enumerate(wanted):
        found, moved = where[row], what[place]
        if found != place:
            kept = values[place].copy()
            values[place], values[found] = values[found], kept
            what[found], where[moved] = moved, found


def _rows(data: xr.DataArray, rows: Array, start: int) -> xr.DataArray:
    """Return some rows, whose values begin at a place, with their labels."""
    import xarray as xr

    labels = data.coords.to_dataset().isel({data.dims[0]: rows})
    return xr.DataArray(data.values[start : start + len(rows)], labels.coords, data.dims, data.name, data.attrs)
