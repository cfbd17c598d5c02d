"""The dataset in miniature: a folder whose relative paths are the keys of its remotes."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from laion_fmri.catalog import CatalogFile, load_catalog, templates
from laion_fmri.sandbox import files, glmsingle, images
from laion_fmri.sandbox.bold import Scans
from laion_fmri.sandbox.brain import Brain, Grid, make_brain
from laion_fmri.sandbox.chance import generator
from laion_fmri.sandbox.localizers import write_localizers
from laion_fmri.sandbox.recon import VERTICES, write_recon
from laion_fmri.sandbox.responses import Voxels, make_voxels
from laion_fmri.sandbox.splits import write_splits
from laion_fmri.sandbox.stimuli import Stimuli, write_stimuli

_RUNS = 12
_REPETITIONS = {"Noiseceiling4rep": (4,), "Noiseceiling12rep": (12,), "NoiseceilingAllrep": (4, 12)}
_ON_SURFACE = {"face", "motion"}
_README = """This is {title} in miniature.

It has the file names, formats and tables of {title} ({url}), on small grids and with few trials.
All numbers in it are made up. It shows how the software works, and nothing about any brain.
"""


def make_dataset(
    folder: Path,
    catalog: CatalogFile | None = None,
    *,
    subjects: Iterable[str] = ("01", "03"),
    sessions: Iterable[str] = ("01", "02"),
    trials: int = 60,
    grid: tuple[int, int, int] = (20, 23, 18),
    features: tuple[int, int] = (16, 24),
    pixels: int = 50,
    seed: int = 0,
) -> None:
    """Write the dataset in miniature.

    Every file has the key, the format and the columns of the real one. Each subject also has one session that
    the remote holds out. The same arguments always give the same bytes.

    Parameters
    ----------
    folder : Path
        New or empty; relative paths below it are the keys of the bucket and of web servers.
    catalog : CatalogFile, optional
        Says where the files lie; the one of the package where left out.
    subjects, sessions : iterable of str
        Values of these entities.
    trials : int
        Trials of a session.
    grid : tuple of int
        (X, Y, Z) of the betas; voxels are 1.778 mm wide.
    features : tuple of int
        Width of an image embedding: of SigLIP2 the second, of all other models the first; really 1024 and 1152.
    pixels : int
        Height and width of an image and of its segmentation masks; really 1000.
    seed : int
        Other seeds give other numbers in the same files.

    Raises
    ------
    FileExistsError
        If the folder holds anything.
    SelectionError
        If the catalog does not know a subject or a session.
    """
    catalog = catalog or load_catalog()
    people = catalog.entities["subject"].choose("subject", subjects)
    public = catalog.entities["ses"].choose("ses", sessions)
    if folder.exists() and any(folder.iterdir()):
        raise FileExistsError(f"{folder} is not empty; name a new folder for the miniature")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as scratch:
        dataset = _Dataset(Path(scratch, "dataset"), catalog, trials, seed)
        dataset.write_root(people)
        shown = set[str]()
        for subject in people:
            shown |= dataset.write_subject(subject, public, make_brain(subject, grid, seed))
        stimuli = Stimuli(tuple(sorted(shown)), people, features, pixels, seed)
        write_stimuli(dataset.root, catalog, stimuli)
        write_splits(dataset.root, catalog, stimuli)
        if folder.exists():
            folder.rmdir()
        dataset.root.replace(folder)


@dataclass(frozen=True)
class _Dataset:
    root: Path
    catalog: CatalogFile
    trials: int
    seed: int

    def path(self, name: str, **entities: str) -> Path:
        """Return where the catalog puts a file of an artifact."""
        template = self.catalog.artifact(name).template({entity: (value,) for entity, value in entities.items()})
        return self.root / templates.fill(template, entities)

    def write_root(self, subjects: Sequence[str]) -> None:
        dataset = self.catalog.dataset
        description = {
            "Name": f"{dataset.title} in miniature",
            "BIDSVersion": "1.10.0",
            "DatasetType": "derivative",
            "License": dataset.license,
            "GeneratedBy": [{"Name": "laion-fmri", "Description": "Made-up data in the layout of the dataset."}],
        }
        readme = _README.format(title=dataset.title, url=dataset.url)
        participants = {"participant_id": [f"sub-{subject}" for subject in subjects]}
        files.write_json(self.root / "dataset_description.json", description)
        files.write_json(self.root / "participants.json", self._columns("participants"))
        files.write_table(self.path("participants"), participants)
        files.write_text(self.root / "README", readme)

    def write_subject(self, subject: str, sessions: Sequence[str], brain: Brain) -> set[str]:
        """Write the files of a subject and return the images that it saw."""
        voxels = make_voxels(subject, brain, self.seed)
        self._write_anatomy(subject, brain)
        self._write_rois(subject, brain)
        write_recon(self.path("freesurfer", subject=subject, file="surf").parent, subject, brain, self.seed)
        self._write_summaries(subject, len(sessions), voxels, brain)
        shared = images.shared_images(self.trials)
        shared = generator(self.seed, "order", subject).permutation(shared).tolist()
        unique = images.unique_images(self.trials, subject)
        shown = {}
        for number, session in enumerate([*sessions, *self._held_out()]):
            chance = generator(self.seed, "session", subject, session)
            labels = images.session_labels(shared, unique, self.trials, number, chance)
            self._write_session(subject, session, labels, voxels, brain)
            shown[session] = labels
        write_localizers(self.path, subject, brain, VERTICES, self.seed)
        Scans(self.path, subject, shown, self._held_out(), self.seed).write(brain)
        return set().union(*shown.values())

    def _held_out(self) -> tuple[str, ...]:
        rule = self.catalog.remote.held_out
        return rule.values[:1] if rule else ()

    def _write_session(self, subject: str, session: str, labels: Sequence[str], voxels: Voxels, brain: Brain) -> None:
        chance = generator(self.seed, "responses", subject, session)
        path = self.path("betas", subject=subject, ses=session)
        betas = voxels.respond(labels, self.seed, chance)
        _lose_some(betas, chance)
        self._write_artifact("betas", path, _unmasked(betas.T, brain.responsive), brain.grid)
        self._write_trials(subject, session, labels)
        counts = np.unique(labels, return_counts=True)[1]
        repeated = counts[counts > 1] if (counts > 1).any() else counts
        ceiling = _unmasked(voxels.noise_ceiling(repeated), brain.responsive)
        target = self.path("noise_ceiling", subject=subject, ses=session)
        self._write_artifact("noise_ceiling", target, ceiling, brain.grid)
        self._write_model(path, voxels, brain, chance)
        summary = {"Runs": _RUNS, "ExcludedRuns": [], "Trials": len(labels)}
        files.write_json(_beside(path, "desc-GLMsingle_summary.json"), summary)
        model = self.path("glmsingle_model", subject=subject, ses=session)
        glmsingle.write_arrays(model, betas, voxels, brain.responsive)
        figure = f"{path.name.partition('_space-')[0]}_desc-GLMsingle_betas.png"
        glmsingle.write_figure(self.path("glmsingle_figures", subject=subject, ses=session, figure=figure), betas)

    def _write_model(self, betas: Path, voxels: Voxels, brain: Brain, chance: np.random.Generator) -> None:
        """Write the maps of a session's model, beside its betas."""
        count = len(voxels.mean)
        for ending, description, values in (
            (
                "stat-rsquare_desc-R2_statmap",
                "Variance explained by the model, percent.",
                voxels.variance_explained(chance),
            ),
            (
                "desc-HRFindex_dseg",
                "Index of the response function, 0 to 19.",
                chance.integers(0, 20, count, dtype=np.int16),
            ),
            (
                "desc-Fracridge_statmap",
                "Fraction of the ridge penalty.",
                chance.uniform(0.05, 1, count).astype(np.float32),
            ),
        ):
            path = _beside(betas, f"space-T1w_{ending}.nii.gz")
            files.write_volume(path, _unmasked(values, brain.responsive), brain.grid)
            files.write_json(files.sidecar(path), {"Description": description})

    def _write_trials(self, subject: str, session: str, labels: Sequence[str]) -> None:
        path = self.path("trials", subject=subject, ses=session)
        count = len(labels)
        columns: dict[str, Sequence[object]] = {
            "session": [f"ses-{session}"] * count,
            "run": [1 + trial * _RUNS // count for trial in range(count)],
            "beta_index": range(count),
            "label": labels,
        }
        files.write_table(path, columns)
        files.write_json(files.sidecar(path), self._columns("trials"))

    def _write_summaries(self, subject: str, sessions: int, voxels: Voxels, brain: Brain) -> None:
        chance = generator(self.seed, "summaries", subject)
        inside = brain.responsive
        path = self.path("r2", subject=subject)
        r2 = _unmasked(voxels.variance_explained(chance), inside)
        rim = np.argwhere(brain.mask(brain.grid) & ~inside)
        r2[tuple(chance.choice(rim, 3, replace=False).T)] = np.nan
        self._write_artifact("r2", path, r2, brain.grid)
        for desc, repetitions in _REPETITIONS.items():
            ceiling = _unmasked(voxels.noise_ceiling(repetitions), inside)
            target = self.path("noise_ceiling", subject=subject, desc=desc)
            self._write_artifact("noise_ceiling", target, ceiling, brain.grid)
        files.write_json(_beside(path, "desc-GLMsingle_summary.json"), {"Sessions": sessions})

    def _write_anatomy(self, subject: str, brain: Brain) -> None:
        chance = generator(self.seed, "anatomy", subject)
        for res in ("1pt8", None):
            grid = brain.grid.at(res)
            mask = brain.mask(grid)
            path = self.path("brain_mask", subject=subject, **({"res": res} if res else {}))
            self._write_artifact("brain_mask", path, mask.astype(np.uint8), grid)
            for suffix, brightness in (("T1w", 900), ("T2w", 400)):
                noise = chance.integers(0, 60, grid.shape, dtype=np.int16)
                image = noise + mask.astype(np.int16) * np.int16(brightness)
                files.write_volume(path.with_name(path.name.replace("desc-brain_mask", suffix)), image, grid)

    def _write_rois(self, subject: str, brain: Brain) -> None:
        for category, rois in brain.rois.items():
            for label, mask in rois.items():
                for res in self.catalog.artifact("rois").entities["res"].known:
                    path = self.path("rois", subject=subject, category=category, label=label, res=res)
                    grid = brain.grid.at(res)
                    self._write_artifact("rois", path, brain.resampled(mask, grid).astype(np.uint8), grid)
                if category in _ON_SURFACE:
                    self._write_surface_roi(path, subject, label)

    def _write_surface_roi(self, volume: Path, subject: str, label: str) -> None:
        for hemi, count in VERTICES.items():
            start = int(generator(self.seed, "surface", subject, label, hemi).integers(count - 12))
            vertices = range(start, start + 12)
            values = np.zeros(count, np.float32)
            values[vertices] = 1
            stem = f"hemi-{hemi}_space-fsnative_label-{label}_mask"
            files.write_surface(_beside(volume, f"{stem}.func.gii"), values, hemi)
            files.write_label(_beside(volume, f"{stem}.label"), vertices, subject)

    def _write_artifact(self, name: str, path: Path, data: NDArray[Any], grid: Grid) -> None:
        source = self.catalog.sources[name]
        files.write_volume(path, data, grid)
        if source.args.sidecar:
            content = {"Description": source.description, "Units": source.args.layout.units}
            files.write_json(files.sidecar(path), content)

    def _columns(self, name: str) -> Mapping[str, Any]:
        columns = self.catalog.artifact(name).layout.columns
        return {column: {"Description": spec.description} for column, spec in columns.items()}


def _lose_some(betas: NDArray[np.float32], chance: np.random.Generator) -> None:
    """Put NaN where the model could not be fitted: some voxels in all trials, some in one."""
    trials, voxels = betas.shape
    betas[:, chance.integers(voxels, size=4)] = np.nan
    betas[chance.integers(trials, size=9), chance.integers(voxels, size=9)] = np.nan


def _unmasked(values: NDArray[Any], mask: NDArray[np.bool_]) -> NDArray[Any]:
    """Return values of voxels, (voxel, ...), on their grid, with zeros elsewhere."""
    volume = np.zeros(mask.shape + values.shape[1:], values.dtype, order="F")
    volume[mask] = values
    return volume


def _beside(path: Path, ending: str) -> Path:
    """Return a neighbour in the folder of a file: its name up to the space, and another ending."""
    return path.with_name(f"{path.name.partition('_space-')[0]}_{ending}")
