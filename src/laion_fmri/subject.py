"""One subject of the dataset, as plain NumPy arrays and pandas tables.

A face over the catalog: labelled objects of the same data come from `laion_fmri.open_catalog`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from laion_fmri.catalog.entities import ALL, one_or_many
from laion_fmri.config import data_root
from laion_fmri.errors import DataNotDownloadedError, SelectionError, SubjectNotFoundError
from laion_fmri.local import has_files_of, one_or_each
from laion_fmri.selection import resolve_subject_id
from laion_fmri.subject_files import session_prefix
from laion_fmri.subject_raw import SubjectRaw
from laion_fmri.subject_trials import SubjectTrials

if TYPE_CHECKING:
    from laion_fmri.loaders.nifti import Array
    from laion_fmri.loaders.voxels import Axis
    from laion_fmri.source import Source
    from laion_fmri.torch_data import LaionFMRIDataset
    from laion_fmri.voxel_space import Query, Regions


def load_subject(subject: str) -> Subject:
    """Return a subject of whom something is downloaded.

    Parameters
    ----------
    subject : str
        ``"sub-03"`` or ``"03"``.

    Raises
    ------
    TypeError
        If it is not text.
    SubjectNotFoundError
        If the catalog knows no such subject.
    DataNotDownloadedError
        If no file of the subject is in the data directory.

    Examples
    --------
    >>> load_subject("03").id
    'sub-03'
    """
    if subject == ALL:
        raise SubjectNotFoundError(f'subject="{ALL}" is not one subject; use load_subjects("{ALL}")')
    name = resolve_subject_id(subject)
    if not has_files_of(name):
        raise DataNotDownloadedError(
            f"nothing of {name} is in {data_root()}; run: laion-fmri download --subject {name}"
        )
    return Subject(name)


@dataclass(frozen=True)
class Subject(SubjectRaw, SubjectTrials):
    """What is downloaded of one subject; nothing here uses the network.

    A vector of voxels has one value for each voxel of the brain mask that `mask_source` names, in C order of the
    grid. These arguments mean the same in every method:

    session : str or list of str
        ``"ses-01"`` or ``"01"`` gives one result, a list (or ``"all"``) a dict of results by session
        (``"ses-01"``).
    roi : str or list of str
        Labels, categories, ``"all"`` and named regions of the catalog, with ``+``, ``-`` and parentheses; a list is
        their union.
    mask : bool array, shape (n_voxels,)
        Over the voxels of the brain mask. Not together with `roi`.
    mask_source : str
        Brain mask that defines the voxels: ``"anatomical"``, or the narrower ``"rsquare"``.

    Wrong values raise `SelectionError`, a `ValueError`. Files that are not here raise `DataNotDownloadedError`, a
    `FileNotFoundError`, with the command that fetches them.

    Attributes
    ----------
    id : str
        BIDS identifier.
    """

    def get_trial_info(self, session: str | list[str]) -> Any:
        """Return the trial table of a session as DataFrame: row i belongs to row i of its betas.

        Columns: subject, and those of the file.
        """
        return one_or_each(self._source("trials"), "ses", session, lambda one: one.read(), session_prefix())

    def get_betas(  # noqa: PLR0917
        self,
        session: str | list[str],
        roi: Regions | None = None,
        mask: Array | None = None,
        nc_threshold: float | None = None,
        stimuli: str | None = None,
        streaming: bool = False,
        mask_source: str = "anatomical",
    ) -> Any:
        """Return single-trial betas.

        Parameters
        ----------
        session, roi, mask, mask_source
            See `Subject`.
        nc_threshold : float, optional
            Keep the voxels whose noise ceiling in the same session reaches this, in percent, 0 to 100.
        stimuli : str, optional
            Keep the trials of ``"shared"`` or of ``"unique"`` images.
        streaming : bool
            Changes nothing: every file is read as a stream, one volume at a time.

        Returns
        -------
        float32 array, shape (n_trials, n_voxels), or dict of those by session
            C order. NaN where a voxel could not be fitted in a trial.

        Examples
        --------
        >>> betas = load_subject("03").get_betas("ses-01", roi="V1v")
        >>> betas.dtype
        dtype('float32')
        """
        source = self._source("betas", roi=roi, nc_threshold=nc_threshold, stimuli=stimuli, mask_source=mask_source)
        return self._vectors(source, "ses", session, mask)

    def get_noise_ceiling(
        self,
        session: str | list[str] | None = None,
        desc: str | list[str] | None = None,
        roi: Regions | None = None,
        mask: Array | None = None,
        mask_source: str = "anatomical",
    ) -> Any:
        """Return the noise ceiling, percent, of a session or of the subject over all sessions.

        Parameters
        ----------
        session : str or list of str
            Ceiling within a session; or else
        desc : str or list of str
            ceiling over all sessions, by the repetitions it is computed from; a list gives a dict by desc.
        roi, mask, mask_source
            See `Subject`.

        Returns
        -------
        float32 array, shape (n_voxels,), or dict of those
        """
        if (session is None) == (desc is None):
            raise SelectionError("noise ceiling: give session or desc, and not both")
        source = self._source("noise_ceiling", roi=roi, mask_source=mask_source)
        if desc is None:
            return self._vectors(source, "ses", session, mask)
        return self._vectors(source, "desc", desc, mask)

    def get_n_voxels(self, source: str = "anatomical", res: str | None = "1pt8") -> int:
        """Return the number of voxels of a brain mask; see `get_brain_mask`."""
        return int(self.get_brain_mask(source, res).sum())

    def get_brain_mask(self, source: str = "anatomical", res: str | None = "1pt8") -> Array:
        """Return a brain mask over the whole grid.

        Parameters
        ----------
        source : str
            Which mask; `mask_source` of the other methods.
        res : str or None
            Grid of the anatomical mask; None is full resolution.

        Returns
        -------
        bool array, shape (i * j * k,)
            C order.
        """
        from laion_fmri.voxel_space import brain_volume

        return brain_volume(self.id, source, res).ravel()

    def get_roi_mask(self, query: Query, mask_source: str = "anatomical") -> Array:
        """Return the union of ROIs as a bool array over the voxels of the brain mask.

        Examples
        --------
        >>> subject = load_subject("03")
        >>> face = subject.get_roi_mask("face")
        >>> bool(face.sum() == subject.get_betas("ses-01", roi="face").shape[1])
        True
        """
        from laion_fmri.voxel_space import roi_masks

        (mask,) = roi_masks(self.id, mask_source, [query])
        return mask

    def get_roi_masks(self, queries: str | Iterable[str], mask_source: str = "anatomical") -> dict[str, Array]:
        """Return a mask as of `get_roi_mask` for each query; each ROI file is read once."""
        from laion_fmri.voxel_space import roi_masks

        wanted = one_or_many(queries)
        return dict(zip(wanted, roi_masks(self.id, mask_source, wanted), strict=True))

    def get_roi_data(
        self, query: Query, format: str | None = None, hemi: str | None = None, mask_source: str = "anatomical"
    ) -> dict[str, dict[str, Any]]:
        """Return ROIs one by one, as voxels and as vertices.

        Parameters
        ----------
        query, mask_source
            See `Subject` (`roi`). A category or ``"all"`` stands for each of its ROIs.
        format : str, optional
            ``"volume"`` or ``"nii.gz"``: voxels; ``"gii"``: vertices, ``"func.gii"`` and ``"label"``: one of their two
            forms. Left out or ``"all"``: the voxels, which have to be here, and what is here of the vertices.
        hemi : str, optional
            ``"L"`` or ``"R"``; both hemispheres where left out. One of them has to be here if vertices are asked for.

        Returns
        -------
        dict of str to dict
            By label: ``"volume"``, a bool array over the voxels of the brain mask; and ``"gii"``, by hemisphere
            (``"hemi-L"``) ``"func.gii"``, a bool array over the vertices, and ``"label"``, the numbers of the vertices
            (int, ascending).

        Examples
        --------
        >>> load_subject("03").get_roi_data("OFA", hemi="L")["OFA"]["gii"]["hemi-L"]["func.gii"].shape
        (162,)
        """
        from laion_fmri.subject_rois import roi_data

        return roi_data(self.id, query, format, hemi, mask_source)

    def to_nifti(
        self,
        values: Any,
        output_path: str | Path,
        roi: Regions | None = None,
        mask: Array | None = None,
        mask_source: str = "anatomical",
    ) -> None:
        """Write values of voxels as a float32 volume on the grid of the betas, zero elsewhere.

        Parameters
        ----------
        values : array, shape (n_voxels,)
            One for each voxel that `roi` or `mask` chooses; see `Subject`.
        output_path : str or Path
            Ends in ``.nii`` or ``.nii.gz``; an existing file is replaced once the new one is whole.
        """
        from laion_fmri.voxel_space import save_volume

        save_volume(self._voxels(roi, mask, mask_source), values, Path(output_path))

    def get_voxel_coordinates(
        self, roi: Regions | None = None, mask: Array | None = None, mask_source: str = "anatomical"
    ) -> Array:
        """Return where voxels lie: float array of shape (n_voxels, 3), mm, scanner RAS of the T1w space."""
        return self._voxels(roi, mask, mask_source).millimetres.T.copy()

    def to_torch_dataset(self, session: str | list[str], **options: Any) -> LaionFMRIDataset:
        """Return trials as a PyTorch dataset; see `laion_fmri.torch_data.LaionFMRIDataset` for the options.

        Raises
        ------
        ImportError
            If PyTorch is not installed; the message has the command that installs it.
        """
        from laion_fmri.torch_data import LaionFMRIDataset

        return LaionFMRIDataset(self, session, **options)

    def _voxels(self, roi: Regions | None, mask: Array | None, mask_source: str) -> Axis:
        from laion_fmri.voxel_space import brain_axis

        _refuse_both(roi, mask)
        return brain_axis(self.id, mask_source, roi, mask)

    def _vectors(self, source: Source, entity: str, wanted: Any, mask: Array | None) -> Any:
        import numpy as np

        _refuse_both(source.choice.options["roi"], mask)

        def read(one: Source) -> Array:
            return np.ascontiguousarray(one.read(mask=mask).values, np.float32)

        return one_or_each(source, entity, wanted, read, session_prefix() if entity == "ses" else "")


def _refuse_both(roi: object, mask: object) -> None:
    if roi is not None and mask is not None:
        raise SelectionError("give roi or mask, and not both; for both, take mask & get_roi_mask(roi)")
