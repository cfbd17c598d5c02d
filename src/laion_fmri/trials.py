"""The trials of a subject in the order of its sessions: what a trial index and a trial key mean."""

from __future__ import annotations

from operator import index
from typing import TYPE_CHECKING

from laion_fmri.by_name import require_known
from laion_fmri.config import data_root
from laion_fmri.errors import DataNotDownloadedError

if TYPE_CHECKING:
    import pandas as pd

    from laion_fmri.source import Source

Trial = int | str
Sessions = str | list[str] | None


class TrialOrder:
    """The trials of those sessions of a subject that are here, counted from 0 over all of them.

    They are those that were here when they were read: an index means one trial as long as this object lives.

    Parameters
    ----------
    source : Source
        The trial tables of the catalog, with a subject chosen.
    subject : str
        BIDS identifier of the subject, for messages.
    sessions : list of str
        The sessions that are here.

    Attributes
    ----------
    table : DataFrame
        One row for each trial, with the columns of the trial tables, ``subject`` and ``trial_key``, a text such as
        ``"sub-03_ses-01_0007"`` that names a trial whichever other sessions are here.

    Raises
    ------
    DataNotDownloadedError
        If no session is here, or one without its trial table.
    DataFormatError
        If a trial table is damaged.
    """

    def __init__(self, source: Source, subject: str, sessions: list[str]) -> None:
        import pandas as pd

        from laion_fmri.loaders.trials import KEY, LABEL, SESSION, keyed_trials

        if not sessions:
            raise DataNotDownloadedError(
                f"no session of {subject} is in {data_root()}; run: laion-fmri download --subject {subject}"
            )
        self._source, self._subject = source, subject
        owner = tuple((name, values[0]) for name, values in source.choice.entities.items() if values)
        request = source(ses=sessions).request()
        tables = [keyed_trials(request, file, owner) for file in request.files]
        self.table: pd.DataFrame = pd.concat(tables, ignore_index=True)
        self._images: list[str] = self.table[LABEL].tolist()
        self._sessions: list[str] = self.table[SESSION].tolist()
        self._rows = {key: row for row, key in enumerate(self.table[KEY])}

    def __len__(self) -> int:
        return len(self._images)

    def image(self, trial: Trial) -> str:
        """Return the name of the image that a trial showed.

        Parameters
        ----------
        trial : int or str
            Its row in `table`, or its key.

        Raises
        ------
        IndexError
            If there is no such row.
        UnknownNameError
            A KeyError, if there is no such key, naming the nearest.
        """
        if isinstance(trial, str):
            require_known(f"trial of {self._subject} here", trial, self._rows)
            return self._images[self._rows[trial]]
        row = index(trial)
        if not 0 <= row < len(self):
            raise IndexError(f"{self._subject} has no trial {row} here; its {len(self)} trials count from 0")
        return self._images[row]

    def images(self, session: Sessions = None) -> list[str]:
        """Return the name of the image of each trial of one or more sessions, in the order of `table`.

        Raises
        ------
        SelectionError
            If there is no such session.
        DataNotDownloadedError
            If it is not here.
        """
        if session is None:
            return list(self._images)
        chosen = self._source(ses=session)
        prefix = f"{chosen.artifact.entities['ses'].key_of('ses')}-"
        tokens = {f"{prefix}{value}" for value in chosen.choice.entities["ses"] or ()}
        new = sorted(tokens - set(self._sessions))
        if new:
            chosen.present()
            raise DataNotDownloadedError(
                f"{new[0]} arrived after the trials of {self._subject} were read; "
                f'load the subject again: load_subject("{self._subject}")'
            )
        return [image for image, own in zip(self._images, self._sessions, strict=True) if own in tokens]
