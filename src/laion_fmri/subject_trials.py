"""The trials of one subject, over all of its sessions, and what belongs to their images."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property
from typing import TYPE_CHECKING

from laion_fmri.catalog.words import did_you_mean, listed
from laion_fmri.errors import DataFormatError, SelectionError
from laion_fmri.local import artifact_source
from laion_fmri.subject_files import SubjectFiles

if TYPE_CHECKING:
    import pandas as pd

    from laion_fmri.trial_faces import TrialCaptions, TrialEmbeddings, TrialImages, TrialSegmentations
    from laion_fmri.trials import TrialOrder


@dataclass(frozen=True)
class SubjectTrials(SubjectFiles):
    """The trials of a subject.

    A trial is named by its index, the row of `metadata`, or by its ``trial_key``. The index counts over the sessions
    that are here, so it is another one once more sessions arrive; the key, such as ``"sub-03_ses-01_0007"``, stays.
    What is read is kept: an index means one trial as long as this object lives, and sessions that arrive later are seen
    by a subject that is loaded then.
    """

    @cached_property
    def _trials(self) -> TrialOrder:
        from laion_fmri.trials import TrialOrder

        return TrialOrder(self._source("trials"), self.id, self.get_sessions())

    @cached_property
    def metadata(self) -> pd.DataFrame:
        """The trials of all sessions that are here, in the order of sessions; row i is trial i.

        Columns: those of the trial tables, ``subject``, ``trial_key``, and

        session_trial : int
            Place of the trial in its session, which is its row in the betas.
        image_name : str
            The image that it showed.
        stim_idx : int
            Row of the image in the table of the images, and in ``load_stimuli().images``.
        unique_or_shared, dataset : str
            Of that table.

        Raises
        ------
        DataNotDownloadedError
            If no session is here, or one without its trial table.
        StimuliNotDownloadedError
            If the table of the images is not here.
        DataFormatError
            If a trial shows an image that the table does not have.

        Examples
        --------
        >>> from laion_fmri import load_subject
        >>> load_subject("03").metadata.trial_key[7]
        'sub-03_ses-01_0007'
        """
        import pandas as pd

        from laion_fmri.images import stimulus_table
        from laion_fmri.loaders.trials import INDEX, KEY, LABEL

        trials, about = self._trials.table, stimulus_table()
        rows = about.index.get_indexer(pd.Index(trials[LABEL]))
        unknown = trials[rows < 0]
        if len(unknown):
            key, label = unknown[KEY].iloc[0], unknown[LABEL].iloc[0]
            (file,) = artifact_source("stimulus_metadata").present()
            raise DataFormatError(
                f"{file.path} has no row for {label}, which trial {key} shows{did_you_mean(label, about.index)}; the "
                "trial tables and this table do not belong together. Download both again"
            )
        found = about.iloc[rows].reset_index(drop=True)
        return trials.assign(
            session_trial=trials[INDEX],
            image_name=trials[LABEL],
            stim_idx=rows,
            unique_or_shared=found["unique_or_shared"],
            dataset=found["dataset"],
        )

    @cached_property
    def images(self) -> TrialImages:
        """The image of each trial; StimuliNotDownloadedError where images or their table are not here.

        Examples
        --------
        >>> from laion_fmri import load_subject
        >>> subject = load_subject("03")
        >>> subject.images.get(7) == subject.images.get("sub-03_ses-01_0007")
        True
        """
        from laion_fmri.images import Images
        from laion_fmri.trial_faces import TrialImages

        return TrialImages(self.id, self._trials, Images())

    @cached_property
    def embeddings(self) -> TrialEmbeddings:
        """The embeddings of each trial's image, of the models that are here; needs no images.

        Examples
        --------
        >>> from laion_fmri import load_subject
        >>> subject = load_subject("03")
        >>> len(subject.embeddings.all("CLIP", "ses-01")) == len(subject.get_betas("ses-01", roi="V1v"))
        True
        """
        from laion_fmri.embeddings import load_embeddings
        from laion_fmri.trial_faces import TrialEmbeddings

        return TrialEmbeddings(self._trials, load_embeddings())

    @cached_property
    def segmentations(self) -> TrialSegmentations:
        """The segmentation masks of each trial's image; needs no images."""
        from laion_fmri.segmentations import Segmentations
        from laion_fmri.trial_faces import TrialSegmentations

        return TrialSegmentations(self._trials, Segmentations())

    @cached_property
    def captions(self) -> TrialCaptions:
        """The captions of each trial's image; needs no images."""
        from laion_fmri.captions import Captions
        from laion_fmri.trial_faces import TrialCaptions

        return TrialCaptions(self._trials, Captions())

    def has_stimuli(self) -> bool:
        """Tell whether the images and their table are here."""
        sources = map(artifact_source, ("stimuli", "stimulus_metadata"))
        return all(file.size is not None for source in sources for file in source.files())

    def get_n_stimuli(self, stimuli: str | None = None) -> int:
        """Return the number of images in the whole dataset, not only of this subject.

        Parameters
        ----------
        stimuli : str, optional
            Count the ``"shared"`` or the ``"unique"`` ones only; see `get_betas`.

        Raises
        ------
        StimuliNotDownloadedError
            If the table of the images is not here.
        """
        from laion_fmri.images import stimulus_table

        patterns = artifact_source("betas").artifact.options["stimuli"].choices
        if stimuli is not None and stimuli not in patterns:
            raise SelectionError(f"stimuli={stimuli!r} is not one of {listed(patterns)}")
        pattern = "*" if stimuli is None else patterns[stimuli]
        return sum(fnmatchcase(name, pattern) for name in stimulus_table().index)
