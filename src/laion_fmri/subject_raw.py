"""Raw data of one subject: events, and what the scanner gave, as plain arrays and tables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from laion_fmri.catalog import load_catalog
from laion_fmri.catalog.entities import ALL
from laion_fmri.catalog.filters import key_filter
from laion_fmri.catalog.templates import fill
from laion_fmri.config import data_root
from laion_fmri.local import one_or_each
from laion_fmri.subject_files import SubjectFiles, session_prefix

if TYPE_CHECKING:
    from laion_fmri.loaders.nifti import Array
    from laion_fmri.source import Source


@dataclass(frozen=True)
class SubjectRaw(SubjectFiles):
    """What the scanner and the stimulation computer gave of one subject.

    In all methods `session` is ``"ses-01"`` or ``"01"``, or a list of those, which gives a dict by session; `run` is
    ``"run-01"``, ``"01"`` or 1, and `echo` ``"1"`` or 1.
    """

    def has_raw(self, session: str | list[str] | None = None) -> bool:
        """Tell whether any raw file is here, of any session or of those named."""
        source = self._source("raw_bold", **({} if session is None else {"ses": session}))
        (subject,) = source.choice.entities["subject"] or ()
        keeps = key_filter(load_catalog().entities, {"ses": source.choice.entities.get("ses")})
        root = data_root()
        folder = root / fill(source.artifact.tree.prefix or "", {"subject": subject})
        return any(keeps(path.relative_to(root).as_posix()) for path in folder.rglob("[!.]*") if path.is_file())

    def get_events(self, session: str | list[str], run: str | int | None = None) -> Any:
        """Return what happened in the runs of a session as DataFrame, one row per trial, blank trials included.

        Parameters
        ----------
        session : str or list of str
            See `SubjectRaw`.
        run : str or int, optional
            One run; all that are here where left out, one below the other.

        Returns
        -------
        DataFrame or dict of those by session
            Columns: ``run`` (``"run-01"``), and those of the files. The last two, the scanner's pulses, are lists
            written as text; `ast.literal_eval` reads them.

        Examples
        --------
        >>> from laion_fmri import load_subject
        >>> events = load_subject("03").get_events("ses-01")
        >>> events["run"].unique().tolist()
        ['run-01', 'run-02']
        """
        source = self._source("raw_events", run=ALL if run is None else run)
        key = source.artifact.entities["run"].key_of("run")

        def read(one: Source) -> Any:
            table = one.read()
            table["run"] = f"{key}-" + table["run"]
            return table.drop(columns=[name for name in one.artifact.entities if name in table and name != "run"])

        return one_or_each(source, "ses", session, read, session_prefix())

    def get_raw_bold(self, session: str | list[str], run: str | int, echo: str | int) -> Any:
        """Return the magnitude of one echo of a run, as the scanner gave it.

        The volumes lie on the scanner's own grid, not on that of the betas: no brain mask or ROI of this package fits
        them. `catalog.raw_bold` gives the same with its affine and times; `catalog.preprocessed_bold` is on the
        voxels of the betas.

        Parameters
        ----------
        session, run, echo
            See `SubjectRaw`.

        Returns
        -------
        float32 array, shape (n_volumes, i, j, k), or dict of those by session
        """
        return self._arrays(self._source("raw_bold", run=run, echo=echo), session)

    def get_sbref(self, session: str | list[str], run: str | int, echo: str | int) -> Any:
        """Return the single-band reference of a run; see `get_raw_bold`.

        Parameters
        ----------
        session, run, echo
            See `SubjectRaw`. File names with a part and without one are found; of those with, the magnitude.

        Returns
        -------
        float32 array, shape (i, j, k), or dict of those by session
        """
        without = self._source("raw_sbref", run=run, echo=echo)
        forms = [without, without(part=self._source("raw_bold").choice.entities["part"])]
        here = (form for form in forms if any(file.size is not None for file in form(ses=session).files()))
        return self._arrays(next(here, without), session)

    def _arrays(self, source: Source, session: str | list[str]) -> Any:
        def read(one: Source) -> Array:
            values: Array = one.read().values
            return values

        return one_or_each(source, "ses", session, read, session_prefix())
