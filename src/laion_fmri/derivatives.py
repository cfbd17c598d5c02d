"""Paths of the maps of functional localizers that are downloaded."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from laion_fmri.catalog import load_catalog
from laion_fmri.catalog.words import did_you_mean, listed
from laion_fmri.errors import SelectionError
from laion_fmri.local import artifact_source

_STATMAPS = ("localizers_surface", "localizers", "localizers_volume")
_EFFECTS = ("localizer_effects_surface", "localizer_effects", "localizer_effects_volume")


def _values(artifact: str, entity: str) -> tuple[str, ...]:
    entities = load_catalog().artifact(artifact).entities
    return entities[entity].known if entity in entities else ()


def _space(artifact: str) -> str:
    """Return the space that the file names of an artifact say."""
    found = re.search(r"_space-([A-Za-z0-9]+)_", load_catalog().artifact(artifact).path[0])
    return found[1] if found else ""


LOCALIZER_TASKS: tuple[str, ...] = _values("localizers", "task")
VOLUME_RESOLUTIONS: tuple[str, ...] = tuple(res for name in _STATMAPS for res in _values(name, "res"))
_SURFACE, _MEASURED = _space("localizers_surface"), _values("localizers_volume", "res")[0]


def localizer_statmap_path(  # noqa: PLR0917
    subject: str,
    task: str,
    contrast: str,
    session: str,
    space: str = _SURFACE,
    hemi: str | None = None,
    res: str = _MEASURED,
    data_dir: str | Path | None = None,
) -> Path:
    """Return the path of the z-map of a localizer contrast.

    Parameters
    ----------
    subject : str
        ``"sub-03"`` or ``"03"``.
    task : str
        One of `LOCALIZER_TASKS`.
    contrast : str
        Such as ``"faceVsOthers"``.
    session : str
        Session of the localizer, bare or with ``ses-``.
    space : str
        Of the surface, which takes `hemi`, or of volumes, which take `res`.
    hemi : str, optional
        ``"L"`` or ``"R"``.
    res : str
        One of `VOLUME_RESOLUTIONS`.
    data_dir : str or Path, optional
        Where the files are; the configured directory where left out.

    Returns
    -------
    Path
        Of a file that is there.

    Raises
    ------
    SelectionError
        If a value is wrong, or `hemi` does not go with `space`.
    DataNotDownloadedError
        If the file is not here; the message has the command that fetches it.

    Examples
    --------
    >>> localizer_statmap_path("03", "floc", "faceVsOthers", "4BarScreenfLoc", hemi="L").suffixes
    ['.func', '.gii']
    """
    form = _form(_STATMAPS, space, hemi, res)
    return _path(form, data_dir, subject=subject, task=task, ses=session, contrast=contrast)


def localizer_effect_path(  # noqa: PLR0917
    subject: str,
    task: str,
    condition: str,
    session: str,
    run: str,
    space: str = _SURFACE,
    hemi: str | None = None,
    res: str = _MEASURED,
    data_dir: str | Path | None = None,
) -> Path:
    """Return the path of the map of a condition's effect in one run of a localizer.

    Parameters
    ----------
    condition : str
        Such as ``"face"``.
    run : str
        Run, bare or with ``run-``.
    subject, task, session, space, hemi, res, data_dir
        As for `localizer_statmap_path`; a task that pools several has no runs, and so no effects.

    Returns
    -------
    Path
        Of a file that is there; errors are those of `localizer_statmap_path`.
    """
    form = _form(_EFFECTS, space, hemi, res)
    return _path(form, data_dir, subject=subject, task=task, ses=session, condition=condition, run=run)


def _form(forms: Sequence[str], space: str, hemi: str | None, res: str) -> tuple[str, dict[str, str]]:
    """Return the artifact of a space, and the entities that it has of its own."""
    _require("space", space, list(dict.fromkeys(map(_space, forms))))
    _require("res", res, VOLUME_RESOLUTIONS)
    if space != _SURFACE and hemi is not None:
        raise SelectionError(f"hemi={hemi!r}: volumes have no hemisphere; leave it out, or give space={_SURFACE!r}")
    if space != _SURFACE:
        return next(form for form in forms if res in _values(form, "res")), {"res": res}
    known = _values(forms[0], "hemi")
    if hemi not in known:
        raise SelectionError(f"hemi={hemi!r} is not one of {listed(known)}; space={space!r} needs it")
    return forms[0], {"hemi": hemi}


def _path(form: tuple[str, dict[str, str]], data_dir: str | Path | None, **where: str) -> Path:
    artifact, own = form
    file, *others = artifact_source(artifact, data_dir)(**where, **own).present()
    if others:
        raise SelectionError(f"{artifact}: {len(others) + 1} files have these values; name those of one")
    return file.path


def _require(name: str, value: str, known: Sequence[str]) -> None:
    if value not in known:
        raise SelectionError(f"{name}={value!r} is not one of {listed(known)}{did_you_mean(str(value), known)}")
