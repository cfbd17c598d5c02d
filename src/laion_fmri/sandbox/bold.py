"""BOLD series: raw ones with what belongs to them, in scanner space and very small, and preprocessed ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from laion_fmri.sandbox import files
from laion_fmri.sandbox.brain import Brain, Grid
from laion_fmri.sandbox.chance import generator

_SCANNER = Grid((7, 8, 6), 1.8)
_VOLUMES, _REPETITION_TIME = 4, 1.9  # really 160 or more
_PREPROCESSED_VOLUMES, _PREPROCESSED_TIME = 5, 1.0
_ECHO_TIMES = {"1": 0.0112, "2": 0.0274, "3": 0.0436}  # seconds
_DECAY = 0.03  # seconds
_RUNS = 12
_ON, _TRIAL = 2.5, 4.0  # seconds
_SERIES = [("01", echo, part) for echo in _ECHO_TIMES for part in ("mag", "phase")] + [("02", "1", "mag")]
_MISSING = "n/a"

Place = Callable[..., Path]


@dataclass(frozen=True)
class Scans:
    """The scans of a subject.

    Attributes
    ----------
    path : callable
        Where the file of an artifact lies, from its name and entities.
    subject : str
        Whose.
    labels : mapping of str to sequence of str
        The images of each session, in their order.
    held_out : sequence of str
        Those of the sessions that are not public.
    seed : int
        Of all that is random.
    """

    path: Place
    subject: str
    labels: Mapping[str, Sequence[str]]
    held_out: Sequence[str]
    seed: int

    def write(self, brain: Brain) -> None:
        """Write the raw data of the first session, a series of those held out, and preprocessed runs of all others."""
        for session in self.held_out:
            self._write_series(session, "oloc", "01", "1", "mag")
        first, *others = (session for session in self.labels if session not in self.held_out)
        self._write_raw(first)
        for session, run in [(first, "01"), (first, "02"), *((session, "01") for session in others)]:
            self._write_preprocessed(session, run, brain)

    def _write_raw(self, session: str) -> None:
        for run, echo, part in _SERIES:
            self._write_series(session, "images", run, echo, part)
        for run, parts in (("01", {}), ("02", {"part": "mag"})):  # the names of both forms that are in use
            named = {"subject": self.subject, "ses": session, "task": "images", "run": run}
            files.write_volume(self.path("raw_sbref", **named, echo="1", **parts), self._image("sbref", run), _SCANNER)
            files.write_table(self.path("raw_events", **named), _columns(_trials(self.labels[session], int(run))))
        for suffix in ("magnitude1", "magnitude2", "phasediff"):
            path = self.path("raw_fieldmap", subject=self.subject, ses=session, run="01", suffix=suffix)
            files.write_volume(path, self._image(suffix, "01"), _SCANNER)
            files.write_json(files.sidecar(path), {"EchoTime1": 0.00408, "EchoTime2": 0.0051})

    def _write_series(self, session: str, task: str, run: str, echo: str, part: str) -> None:
        chance = generator(self.seed, "raw", self.subject, session, run, echo, part)
        path = self.path("raw_bold", subject=self.subject, ses=session, task=task, run=run, echo=echo, part=part)
        shape = (*_SCANNER.shape, _VOLUMES)
        if part == "mag":
            data = chance.normal(900 * np.exp(-_ECHO_TIMES[echo] / _DECAY), 20, shape)
        else:
            data = chance.uniform(-4096, 4095, shape)
        files.write_volume(path, data.astype(np.int16), _SCANNER, _REPETITION_TIME)
        about = {"TaskName": task, "RepetitionTime": _REPETITION_TIME, "EchoTime": _ECHO_TIMES[echo]}
        files.write_json(files.sidecar(path), about)

    def _image(self, kind: str, run: str) -> NDArray[np.int16]:
        return generator(self.seed, kind, self.subject, run).integers(0, 1000, _SCANNER.shape, dtype=np.int16)

    def _write_preprocessed(self, session: str, run: str, brain: Brain) -> None:
        chance = generator(self.seed, "preprocessed", self.subject, session, run)
        path = self.path("preprocessed_bold", subject=self.subject, ses=session, task="images", run=run)
        inside = brain.mask(brain.grid)
        data = np.zeros((*brain.grid.shape, _PREPROCESSED_VOLUMES), np.float32)
        data[inside] = chance.normal(1000, 15, (inside.sum(), _PREPROCESSED_VOLUMES))
        files.write_volume(path, data, brain.grid, _PREPROCESSED_TIME)


def _trials(labels: Sequence[str], run: int) -> Iterator[dict[str, object]]:
    """Yield the rows of a run's events: its images, and a blank trial at the end."""
    count = len(labels)
    runs = [1 + trial * _RUNS // count for trial in range(count)]
    before = Counter(label for label, of in zip(labels, runs, strict=True) if of < run)
    in_run = Counter[str]()
    shown = [label for label, of in zip(labels, runs, strict=True) if of == run]
    for number, label in enumerate([*shown, None]):
        in_run.update([label] if label else [])
        onset = number * _TRIAL
        pulses = [pulse for pulse in range(1000) if onset <= pulse * _REPETITION_TIME < onset + _TRIAL]
        yield {
            "onset": onset,
            "duration": _TRIAL,
            "trial_number": number + 1,
            "trial_type": "image" if label else "blank",
            "response": 1 if label else _MISSING,
            "response_correct": 1 if label else _MISSING,
            "response_changed": 0 if label else _MISSING,
            "response_time": 0.75 if label else _MISSING,
            "stim_number": labels.index(label) if label else _MISSING,
            "stim_name": label or _MISSING,
            "stim_occurrence": before[label] + in_run[label] if label else _MISSING,
            "stim_occurrence_run": in_run[label] if label else _MISSING,
            "stim_occurrence_session": before[label] + in_run[label] if label else _MISSING,
            "stim_duration": _ON if label else _MISSING,
            "isi_onset": onset + _ON,
            "isi_duration": _TRIAL - _ON,
            "pulse_number": [pulse + 1 for pulse in pulses],
            "pulse_onset": [round(pulse * _REPETITION_TIME, 3) for pulse in pulses],
        }


def _columns(rows: Iterator[dict[str, object]]) -> dict[str, list[object]]:
    table = list(rows)
    return {name: [row[name] for row in table] for name in table[0]}
