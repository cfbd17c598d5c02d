"""Single trials as a PyTorch dataset: the betas of each trial with its image, embeddings and caption.

Needs PyTorch: ``pip install "laion-fmri[torch]"``.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from laion_fmri.captions import Captions
from laion_fmri.catalog.words import did_you_mean, listed
from laion_fmri.errors import SelectionError
from laion_fmri.local import artifact_source
from laion_fmri.scratch import ScratchArray
from laion_fmri.splits import get_split_masks
from laion_fmri.stimuli import Stimuli, load_stimuli

try:
    import torch
    from torch.utils.data import Dataset
except ImportError as error:
    raise ImportError('laion_fmri.torch_data needs PyTorch; run: pip install "laion-fmri[torch]"') from error

if TYPE_CHECKING:
    import xarray as xr

    from laion_fmri.loaders.nifti import Array
    from laion_fmri.subject import Subject
    from laion_fmri.voxel_space import Regions

_PARTS = ("train", "test")
_CAPTIONS: Mapping[str, Callable[[Captions, str], str]] = {
    "human": lambda captions, name: next(iter(captions.human(name, limit=1)), ""),
    "ai": lambda captions, name: captions.ai(name) or "",
}
_IMAGE = "image_name"
_KEYS = {"label": _IMAGE, "image": _IMAGE, "repetition": "rep_index"}  # of an item, for coordinates of the betas


class LaionFMRIDataset(Dataset[dict[str, Any]]):
    """Trials of one subject.

    The betas are read once, when the dataset is made: volume by volume into a temporary file, from which items take
    their rows. So memory follows the batch, however many sessions and voxels there are, and the workers of a
    ``DataLoader`` share the file, forked or spawned. The file is removed with the dataset.

    Parameters
    ----------
    subject : Subject
        Whose trials.
    session, roi, mask, nc_threshold, mask_source
        As for `Subject.get_betas`; several sessions follow each other.
    image_transform : callable, optional
        Takes the image, a float32 tensor, and gives what the item has instead. To travel to spawned workers it must
        pickle, so no lambda.
    images : bool
        Whether items have the image; without it nothing needs the gated image file.
    embeddings : str or list of str
        Models, see `laion_fmri.embeddings.AVAILABLE_MODELS`.
    captions : {"human", "ai"}, optional
        Whose caption items have: of several by people the best; empty text where there is none.
    split, pool, ood_types
        Keep the trials of one side of a split, see `laion_fmri.splits`; `pool` is the subject's own where left out.
    part : {"train", "test"}
        Which side.
    scratch_dir : str or Path, optional
        Folder of the temporary file; the system's where left out. It takes 4 bytes for each trial and voxel.
    **options
        Further options of the catalog's ``betas``, such as ``zscore="session"``, ``stimuli="shared"``, ``nan="zero"``
        or ``average="image"``; with the last, items are images.

    Attributes
    ----------
    trials : DataFrame
        One row for each item: all coordinates of trials.
    voxels : DataFrame
        One row for each voxel: i, j, k, x, y, z (mm) and what else is known of it.

    Notes
    -----
    An item is a dict: ``betas``, float32 tensor (n_voxels,); ``image_name`` and the other columns of `trials` as text
    and int, ``rep_index`` being how often the image was shown before in these sessions; ``image``, float32 tensor
    (3, height, width) from 0 to 1, as it was displayed; ``embeddings``, a dict of float16 tensors (n_features,) by
    model; ``caption``, text. The last three are there as asked for.

    Raises
    ------
    SelectionError
        If a value is wrong, or no trial is left.
    DataNotDownloadedError, StimuliNotDownloadedError
        If a file is not here.
    NoSpaceError
        If the folder of the temporary file is too full.

    Examples
    --------
    >>> from laion_fmri import load_subject
    >>> subject = load_subject("03")
    >>> trials = LaionFMRIDataset(subject, ["ses-01", "ses-02"], roi="V1", images=False, embeddings="CLIP")
    >>> item = trials[0]
    >>> item["betas"].dtype, item["embeddings"]["CLIP"].dtype
    (torch.float32, torch.float16)
    """

    def __init__(  # noqa: PLR0917
        self,
        subject: Subject,
        session: str | Sequence[str],
        roi: Regions | None = None,
        mask: Array | None = None,
        nc_threshold: float | None = None,
        image_transform: Callable[[torch.Tensor], Any] | None = None,
        mask_source: str = "anatomical",
        *,
        images: bool = True,
        embeddings: str | Sequence[str] = (),
        captions: str | None = None,
        split: str | None = None,
        pool: str | None = None,
        ood_types: str | Sequence[str] | None = None,
        part: str = "train",
        scratch_dir: str | Path | None = None,
        **options: Any,
    ) -> None:
        _require("part", part, _PARTS)
        if captions is not None:
            _require("captions", captions, tuple(_CAPTIONS))
        self._stimuli: dict[int, Stimuli] = {}
        self._with_images, self._image_transform = images, image_transform
        if images:
            self._images()
        betas = artifact_source("betas")(
            subject=subject.id, ses=session, roi=roi, mask=mask, nc_threshold=nc_threshold, mask_source=mask_source
        )(**options)
        models = artifact_source("embeddings")(model=embeddings).present() if len(embeddings) else ()
        texts = Captions() if captions else None

        self._betas = ScratchArray(scratch_dir)
        data = betas.read_into(self._betas.allocate)
        self._betas.shape = data.shape
        every = _frame(data, data.dims[0]).rename(columns=_KEYS)
        self.voxels = _frame(data, data.dims[1])
        self._rows = _side(every[_IMAGE], split, pool or subject.id, ood_types, part)
        self.trials = every.iloc[self._rows].reset_index(drop=True)
        self._columns = {str(name): column.to_numpy() for name, column in self.trials.items()}
        names, self._image_of = np.unique(self.trials[_IMAGE].to_numpy(str), return_inverse=True)
        self._embeddings = {
            file.entities["model"]: _vectors(file.entities["model"], names, scratch_dir) for file in models
        }
        self._captions = [_CAPTIONS[captions](texts, name) for name in names.tolist()] if texts and captions else None

    def __len__(self) -> int:
        return len(self.trials)

    def __getitem__(self, index: int) -> dict[str, Any]:
        item = {name: column[index] for name, column in self._columns.items()}
        item = {name: getattr(value, "item", lambda value=value: value)() for name, value in item.items()}
        item["betas"] = torch.from_numpy(self._betas.values[self._rows[index]].copy())
        image = self._image_of[index]
        if self._with_images:
            item["image"] = self._image(item[_IMAGE])
        if self._embeddings:
            item["embeddings"] = {
                model: torch.from_numpy(vectors.values[image].copy()) for model, vectors in self._embeddings.items()
            }
        if self._captions is not None:
            item["caption"] = self._captions[image]
        return item

    def _images(self) -> Any:
        """Return the images; a process opens its own, because HDF5 files cannot be shared."""
        if os.getpid() not in self._stimuli:
            self._stimuli = {os.getpid(): load_stimuli()}
        return self._stimuli[os.getpid()].images

    def _image(self, name: str) -> Any:
        pixels = np.array(self._images().get(name), np.float32) / 255
        image = torch.from_numpy(pixels).permute(2, 0, 1).contiguous()
        return image if self._image_transform is None else self._image_transform(image)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_stimuli": {}}


def _require(name: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise SelectionError(f"{name}={value!r} is not one of {listed(known)}{did_you_mean(str(value), known)}")


def _frame(data: xr.DataArray, dim: Any) -> pd.DataFrame:
    """Return the coordinates of one dimension, one row each."""
    return pd.DataFrame({name: coord.to_numpy() for name, coord in data.coords.items() if coord.dims == (dim,)})


def _side(
    names: pd.Series[str], split: str | None, pool: str, ood_types: str | Sequence[str] | None, part: str
) -> Array:
    """Return the rows on one side of a split; all rows without a split."""
    if split is None:
        return np.arange(len(names))
    sides = get_split_masks(names.to_numpy(), split, pool, ood_types=ood_types)
    rows = np.flatnonzero(sides[_PARTS.index(part)])
    if not len(rows):
        raise SelectionError(
            f"split={split!r}, part={part!r} of pool {pool} has no image of these trials; add sessions"
        )
    return rows


def _vectors(model: str, names: Array, folder: str | Path | None) -> ScratchArray:
    """Return the embeddings of images, (image, feature)."""
    found = artifact_source("embeddings")(model=model).read(images=names.tolist()).to_numpy()
    vectors = ScratchArray(folder)
    vectors.allocate(found.shape, found.dtype)[:] = found
    return vectors
