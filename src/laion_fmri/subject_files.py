"""What is here of one subject: its sessions, its ROIs, and the paths of its anatomical files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from laion_fmri.catalog.entities import ALL
from laion_fmri.catalog.words import did_you_mean, listed
from laion_fmri.errors import SelectionError
from laion_fmri.loaders.several import folder_of
from laion_fmri.local import artifact_source
from laion_fmri.source import Source

_ANATOMY = ("t1w", "t2w", "brain_mask")


@dataclass(frozen=True)
class SubjectFiles:
    """The files of one subject.

    Attributes
    ----------
    id : str
        BIDS identifier.
    """

    id: str

    def get_sessions(self) -> list[str]:
        """Return the sessions of which betas or trial table are here, sorted.

        Examples
        --------
        >>> from laion_fmri import load_subject
        >>> load_subject("03").get_sessions()
        ['ses-01', 'ses-02']
        """
        files = [file for name in ("betas", "trials") for file in self._source(name, ses=ALL).files()]
        return sorted({f"{session_prefix()}{file.entities['ses']}" for file in files if file.size is not None})

    def get_available_categories(self) -> list[str]:
        """Return the sets of ROIs that are here, sorted."""
        return sorted({category for category, _ in self._rois_here()})

    def get_available_rois(self, category: str | None = None) -> list[str]:
        """Return the labels of the ROIs that are here, of all sets or of one, sorted.

        Raises
        ------
        SelectionError
            If no such set is here, naming the nearest.
        """
        rois = self._rois_here()
        known = self.get_available_categories()
        if category is not None and category not in known:
            hint = did_you_mean(category, known) or f"; {self.id} has {listed(known) or 'none here'}"
            raise SelectionError(f"{category!r} is no category of ROIs{hint}")
        return sorted({label for one, label in rois if category in (None, one)})

    def has_anatomical(self) -> bool:
        """Tell whether any anatomical file is here."""
        return bool(self._anatomy_here())

    def get_anatomical_dir(self) -> Path:
        """Return the folder of the anatomical files; DataNotDownloadedError where none is here."""
        here = self._anatomy_here()
        return (here[0] if here else self._path(_ANATOMY[0], None)).parent

    def has_freesurfer(self) -> bool:
        """Tell whether any file of the FreeSurfer reconstruction is here."""
        return bool(self._source("freesurfer").files())

    def get_freesurfer_dir(self) -> Path:
        """Return the folder of the FreeSurfer reconstruction; DataNotDownloadedError where nothing of it is here."""
        source = self._source("freesurfer")
        return folder_of(source.present()[0], source.artifact.rest)

    def get_t1w(self, res: str | None = None) -> Path:
        """Return the path of the T1-weighted volume; see `get_anatomical_brain_mask`."""
        return self._path("t1w", res)

    def get_t2w(self, res: str | None = None) -> Path:
        """Return the path of the T2-weighted volume; see `get_anatomical_brain_mask`."""
        return self._path("t2w", res)

    def get_anatomical_brain_mask(self, res: str | None = None) -> Path:
        """Return the path of the anatomical brain mask.

        Parameters
        ----------
        res : str, optional
            ``"1pt8"`` is the grid of the betas; full resolution where left out.

        Raises
        ------
        DataNotDownloadedError
            If it is not here; the message has the command that fetches it.
        """
        return self._path("brain_mask", res)

    def _source(self, name: str, **chosen: Any) -> Source:
        return artifact_source(name)(subject=self.id, **chosen)

    def _path(self, name: str, res: str | None) -> Path:
        (file,) = self._source(name, res=res).present()
        return file.path

    def _rois_here(self) -> list[tuple[str, str]]:
        return [(file.entities["category"], file.entities["label"]) for file in self._source("rois").files()]

    def _anatomy_here(self) -> list[Path]:
        files = (file for name in _ANATOMY for res in (None, ALL) for file in self._source(name, res=res).files())
        return [file.path for file in files if file.size is not None]


def session_prefix() -> str:
    """Return what stands before the bare value of a session, as in ``ses-01``."""
    return f"{artifact_source('betas').artifact.entities['ses'].key_of('ses')}-"
