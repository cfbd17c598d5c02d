"""Several subjects at once, and the responses to the images that all of them saw."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from laion_fmri.catalog.entities import ALL
from laion_fmri.catalog.words import listed
from laion_fmri.config import data_root
from laion_fmri.errors import DataNotDownloadedError, SelectionError, SubjectNotFoundError
from laion_fmri.local import artifact_source, local_subjects
from laion_fmri.selection import resolve_subject_id
from laion_fmri.subject import Subject, load_subject

if TYPE_CHECKING:
    import xarray as xr

    from laion_fmri.loaders.nifti import Array
    from laion_fmri.voxel_space import Regions


def load_subjects(subjects: str | Iterable[str]) -> Group:
    """Return several subjects.

    Parameters
    ----------
    subjects : str or iterable of str
        Subjects as for `load_subject`, or ``"all"``: those of whom something is in the data directory (not all
        of the dataset; nothing is asked of the network).

    Raises
    ------
    SubjectNotFoundError
        If the catalog does not know one of them.
    DataNotDownloadedError
        If nothing of one of them is here; for ``"all"``, if there is nobody.

    Examples
    --------
    >>> [name for name, _ in load_subjects(["03", "sub-01"])]
    ['sub-01', 'sub-03']
    """
    if subjects != ALL:
        return Group(map(load_subject, [subjects] if isinstance(subjects, str) else subjects))
    found = local_subjects()
    if not found:
        raise DataNotDownloadedError(f"no subject is in {data_root()}; run: laion-fmri download --subject {ALL}")
    return Group(map(Subject, found))


class Group:
    """Subjects, sorted by their identifiers.

    ``group[0]`` is the first, ``group["sub-03"]`` or ``group["03"]`` that one; iteration gives
    ``("sub-01", Subject)`` and so on.

    Parameters
    ----------
    subjects : iterable of Subject
        At least one.
    """

    def __init__(self, subjects: Iterable[Subject]) -> None:
        self._subjects = {subject.id: subject for subject in sorted(subjects, key=lambda one: one.id)}
        if not self._subjects:
            raise SelectionError(f'a group has at least one subject; name some, or "{ALL}"')

    def __len__(self) -> int:
        return len(self._subjects)

    def __iter__(self) -> Iterator[tuple[str, Subject]]:
        return iter(self._subjects.items())

    def __getitem__(self, key: int | str) -> Subject:
        if isinstance(key, int):
            return list(self._subjects.values())[key]
        name = resolve_subject_id(key)
        if name not in self._subjects:
            raise SubjectNotFoundError(f"{name} is not in this group of {listed(self._subjects)}")
        return self._subjects[name]

    def __repr__(self) -> str:
        return f"Group({', '.join(self._subjects)})"

    def get_shared_betas(
        self,
        session: str | list[str],
        roi: Regions | None = None,
        mask: Mapping[str, Array] | None = None,
        nc_threshold: float | None = None,
    ) -> dict[str, Any]:
        """Return the betas of shared images of each subject, trial by trial.

        The trials of two subjects are not the same images in the same order; see `shared_betas` for that.

        Parameters
        ----------
        session, roi, nc_threshold
            As for `Subject.get_betas`.
        mask : mapping of str to bool array, optional
            A mask as for `Subject.get_betas` for each subject, whose brain masks differ.

        Returns
        -------
        dict of str to array
            By subject, what `Subject.get_betas` gives.
        """
        if mask is not None and (not isinstance(mask, Mapping) or set(mask) != set(self._subjects)):
            raise SelectionError(f"mask: give a dict with one mask for each of {listed(self._subjects)}")
        return {
            name: subject.get_betas(
                session, roi, mask[name] if mask else None, nc_threshold=nc_threshold, stimuli="shared"
            )
            for name, subject in self
        }

    def shared_betas(
        self,
        sessions: str | list[str],
        roi: Regions | None = None,
        **options: Any,
    ) -> dict[str, xr.DataArray]:
        """Return the mean response of each subject to each image that all of them saw.

        Of one subject at a time, the means and the shared trials of one session are in memory, beside the answer.

        Parameters
        ----------
        sessions : str or list of str
            Images count that every subject saw in these sessions.
        roi : str or list of str, optional
            See `Subject`.
        **options
            Further options of the catalog's ``betas``, such as ``zscore="session"`` (before the mean; as responses of
            different sessions are not on one scale), ``nc_threshold`` or ``mask_source``.

        Returns
        -------
        dict of str to DataArray, shape (image, voxel)
            By subject; all have the same images in the same (sorted) order. Else they are what ``betas`` gives with
            ``average="image"``: the mean over the trials in which a voxel could be fitted, NaN where there is none;
            ``n_repetitions`` is the number of trials of an image.

        Raises
        ------
        SelectionError
            If no image was seen by all of them.
        DataNotDownloadedError
            If a session of a subject is not here.

        Examples
        --------
        >>> group = load_subjects("all")
        >>> shared = group.shared_betas(["ses-01", "ses-02"], roi="V1v", zscore="session")
        >>> one, other = shared["sub-01"], shared["sub-03"]
        >>> bool((one.image == other.image).all())
        True
        """
        chosen = {"stimuli": "shared", **options, "average": "image"}
        betas = artifact_source("betas")(ses=sessions, roi=roi, **chosen)
        means = {name: betas(subject=name).to_dask() for name in self._subjects}
        images = sorted(set.intersection(*(set(mean["image"].values.tolist()) for mean in means.values())))
        if not images:
            raise SelectionError(f"no image was seen by all of {listed(means)} in ses={sessions!r}; add sessions")
        return {name: mean.sel(image=images).compute() for name, mean in means.items()}
