"""Time: which moment each volume of a series belongs to."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from laion_fmri.loaders import LocalFile
from laion_fmri.loaders.nifti import Array, Header


def time_coords(files: Sequence[LocalFile], headers: Sequence[Header], dim: str) -> dict[str, tuple[str, Array]]:
    """Return the coordinates of the volumes of files laid one after the other.

    Parameters
    ----------
    files : sequence of LocalFile
        At least one.
    headers : sequence of Header
        Of these files.
    dim : str
        Name of the dimension.

    Returns
    -------
    dict
        The dimension itself: seconds from the first volume of the same file, NaN where its header does not say how
        far apart volumes are; and each entity of the files as text.
    """
    counts = [header.volumes for header in headers]
    coords = {dim: np.concatenate([np.arange(header.volumes) * header.seconds for header in headers])}
    coords |= {name: np.repeat([file.entities[name] for file in files], counts) for name in files[0].entities}
    return {name: (dim, values) for name, values in coords.items()}
