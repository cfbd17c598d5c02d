"""What belongs to the images of a subject, looked up by trial.

A trial is its index, the row of ``Subject.metadata`` (which changes when more sessions arrive), or its key, such as
``"sub-03_ses-01_0007"`` (which does not).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from laion_fmri.captions import Captions
from laion_fmri.embeddings import Embeddings
from laion_fmri.images import Images
from laion_fmri.segmentations import Segmentations
from laion_fmri.trials import Sessions, Trial, TrialOrder

if TYPE_CHECKING:
    import pandas as pd
    from PIL import Image

    from laion_fmri.loaders.hdf5 import Array


class TrialImages:
    """The image of each trial; ``images[trial]`` is its file as bytes.

    Parameters
    ----------
    subject : str
        BIDS identifier, for messages.
    trials : TrialOrder
        The trials.
    images : Images
        The images by name.
    """

    def __init__(self, subject: str, trials: TrialOrder, images: Images) -> None:
        self._subject, self._trials, self._images = subject, trials, images

    def __len__(self) -> int:
        return len(self._trials)

    def __getitem__(self, trial: Trial) -> bytes:
        return self._images[self._trials.image(trial)]

    def get(self, trial: Trial, as_displayed: bool = True) -> Image.Image:
        """Return the image of a trial; see `Images.get`."""
        return self._images.get(self._trials.image(trial), as_displayed)

    def all(self, session: Sessions = None) -> Iterator[Image.Image]:
        """Return the images of all trials as displayed, of all sessions here or of some, one after the other."""
        return map(self._images.get, self._trials.images(session))

    def array(self, session: Sessions = None) -> Array:
        """Return the images of all trials as displayed, of all sessions here or of some.

        Returns
        -------
        uint8 array, shape (n_trials, y, x, 3)

        Raises
        ------
        SelectionError
            If no session is named and the array would take more than 2 GiB.
        """
        pictures = self._images.pictures(self._trials.images(session))
        if session is None:
            pictures.require_few(self._subject, "name a session, or take them one by one with all()")
        return pictures.read()


class TrialEmbeddings:
    """The embedding of the image of each trial.

    Parameters
    ----------
    trials : TrialOrder
        The trials.
    embeddings : Embeddings
        The embeddings by image name.

    Attributes
    ----------
    models : tuple of str
        The models that are here.
    """

    def __init__(self, trials: TrialOrder, embeddings: Embeddings) -> None:
        self._trials, self._embeddings = trials, embeddings
        self.models = embeddings.models

    def get(self, model: str, trial: Trial) -> Array:
        """Return the embedding of the image of a trial: float16, (n_features,)."""
        return self._embeddings.get(model, self._trials.image(trial))

    def all(self, model: str, session: Sessions = None) -> Array:
        """Return the embeddings of all trials, of all sessions here or of some: float16, (n_trials, n_features).

        Row i belongs to row i of the betas; an image that was shown twice has two rows.
        """
        return self._embeddings.get(model, self._trials.images(session))


class TrialSegmentations:
    """The segmentation masks of the image of each trial; methods as of `Segmentations`.

    Parameters
    ----------
    trials : TrialOrder
        The trials.
    segmentations : Segmentations
        The masks by image name.
    """

    def __init__(self, trials: TrialOrder, segmentations: Segmentations) -> None:
        self._trials, self._segmentations = trials, segmentations

    def has_image(self, trial: Trial) -> bool:
        """Tell whether the image of a trial has masks."""
        return self._segmentations.has_image(self._trials.image(trial))

    def for_image(self, trial: Trial) -> pd.DataFrame:
        """Return the rows of the image of a trial, sorted by noun and instance; none for one without masks."""
        return self._segmentations.for_image(self._trials.image(trial))

    def nouns(self, trial: Trial, localized_only: bool = True) -> list[str]:
        """Return what the masks of the image of a trial show; see `Segmentations.nouns`."""
        return self._segmentations.nouns(self._trials.image(trial), localized_only)

    def get(self, trial: Trial, noun: str, instance: int | None = None) -> Array:
        """Return one mask of the image of a trial; that of the highest score where no instance is named."""
        return self._segmentations.get(self._trials.image(trial), noun, instance)


class TrialCaptions:
    """The captions of the image of each trial; methods as of `Captions`.

    Parameters
    ----------
    trials : TrialOrder
        The trials.
    captions : Captions
        The captions by image name.
    """

    def __init__(self, trials: TrialOrder, captions: Captions) -> None:
        self._trials, self._captions = trials, captions

    def for_image(self, trial: Trial) -> pd.DataFrame:
        """Return the rows of the image of a trial, that of the AI first, then people's, best first."""
        return self._captions.get(self._trials.image(trial))

    def human(self, trial: Trial, limit: int | None = None) -> list[str]:
        """Return the captions that people wrote, best first; the best `limit` of them, if given."""
        return self._captions.human(self._trials.image(trial), limit)

    def ai(self, trial: Trial) -> str | None:
        """Return the caption that an AI model wrote; None where there is none."""
        return self._captions.ai(self._trials.image(trial))

    def list(self, trial: Trial, source: str | None = None) -> list[str]:
        """Return the captions in the order of `for_image`; only those from one source, human or ai, if given."""
        return self._captions.list(self._trials.image(trial), source)
