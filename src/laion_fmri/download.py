"""Downloading: a subject and filters in, files on disk out.

The arguments of `download` are the filters and flags of the catalog, so they grow with it.
"""

from __future__ import annotations

import inspect
import sys
import warnings
from pathlib import Path
from typing import Any

from laion_fmri.catalog import catalog_path, load_catalog
from laion_fmri.catalog.models import CatalogFile
from laion_fmri.catalog.policies import Acknowledge
from laion_fmri.config import data_root
from laion_fmri.fetch import Report, ask_consent, policies, run, survey
from laion_fmri.loaders import LocalFile
from laion_fmri.local import artifact_source
from laion_fmri.selection import resolve_request, usable_jobs
from laion_fmri.source import Source
from laion_fmri.storage.bucket import Bucket

__all__ = [
    "Report",
    "accept_license",
    "accept_licenses",
    "download",
    "download_captions",
    "download_embeddings",
    "download_segmentations",
]

_last_data_dir: list[str] = []


def download_signature(catalog: CatalogFile) -> inspect.Signature:
    """Return the arguments of `download`: the subject, the filters, the flags, and ``n_jobs``."""
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    subject = inspect.Parameter(catalog.definitions.discovery.subjects.entity, kind)
    filters = [inspect.Parameter(name, kind, default=None) for name in catalog.filters]
    flags = [inspect.Parameter(name, kind, default=False) for name in catalog.flags]
    jobs = inspect.Parameter("n_jobs", kind, default=1)
    return inspect.Signature([subject, *filters, *flags, jobs], return_annotation=Report)


def download(*args: Any, **kwargs: Any) -> Report:
    """Download the files of a subject, narrowed by BIDS entities.

    A file that is here with its listed size is skipped, so running it again fetches only what is missing.

    Parameters
    ----------
    subject : str
        ``"sub-03"``, ``"03"``, or ``"all"``.
    ses, task, space, desc, stat, suffix, extension : str or list of str, optional
        Filters. A bare value (``"04"``) and a full token (``"ses-04"``) mean the same; a list names alternatives. A
        file that lacks the entity passes, except for ``ses``: ``ses="averages"`` asks for the files without a session.
    include_... : bool
        Fetch a further tree of the catalog; `laion-fmri download --help` lists them.
    n_jobs : int
        Files fetched at once.

    Returns
    -------
    Report
        What was done; false only where nothing matched.

    Raises
    ------
    SubjectNotFoundError, SelectionError
        If the catalog does not know a value.
    DataDirNotSetError
        If no data directory is configured.
    LicenseNotAcceptedError
        If the licence is declined.
    NoMatchingDataError
        If nothing matches.
    RemoteError, OfflineError
        If the bucket cannot be reached, or may not be.
    NoSpaceError
        If the disk is too full.

    Warns
    -----
    UserWarning
        For each file that the bucket lists and does not give, or that could not be fetched.
    """
    catalog = load_catalog()
    arguments = download_signature(catalog).bind(*args, **kwargs)
    arguments.apply_defaults()
    given = arguments.arguments
    root = data_root()
    _tell_drift(str(root))
    filters = {name: given[name] for name in catalog.filters}
    flags = {name: given[name] for name in catalog.flags}
    subject = given[catalog.definitions.discovery.subjects.entity]
    request = resolve_request(catalog, subject, filters, flags)
    workers = usable_jobs(given["n_jobs"])
    ask_consent(policies(catalog, request), root, catalog_path().parent)
    bucket = Bucket(catalog.remote, workers)
    return run(survey(catalog, request, bucket, root), bucket, workers)


download.__signature__ = download_signature(load_catalog())  # type: ignore[attr-defined]


def _tell_drift(data_dir: str) -> None:
    if _last_data_dir and _last_data_dir[0] != data_dir:
        warnings.warn(
            f"the data directory changed from {_last_data_dir[0]} to {data_dir} since the last download",
            UserWarning,
            stacklevel=3,
        )
    _last_data_dir[:] = [data_dir]


def accept_license() -> None:
    """Show the licence of the data and ask for its acceptance, once for a data directory.

    Raises
    ------
    DataDirNotSetError
        If no data directory is configured.
    LicenseNotAcceptedError
        If it is declined.
    """
    asked = [policy for policy in load_catalog().definitions.access.values() if isinstance(policy, Acknowledge)]
    ask_consent(asked, data_root(), catalog_path().parent)


def accept_licenses(include_stimuli: bool = False) -> None:
    """Call `accept_license`; deprecated.

    Parameters
    ----------
    include_stimuli : bool
        Also say on standard error where the terms of the stimuli are accepted.
    """
    warnings.warn("accept_licenses is deprecated; use accept_license", DeprecationWarning, stacklevel=2)
    accept_license()
    if include_stimuli:
        url = load_catalog().definitions.services["access"]
        sys.stderr.write(f"The terms of the stimulus images are accepted at the access service: {url}/terms\n")


def download_embeddings(
    models: str | list[str] = "all", data_dir: str | Path | None = None, n_jobs: int = 1
) -> dict[str, Path]:
    """Download the embeddings of all images by vision models.

    Parameters
    ----------
    models : str or list of str
        ``"all"``, one of `laion_fmri.embeddings.AVAILABLE_MODELS`, or a list of them.
    data_dir : str or Path, optional
        Where they land; the configured directory where left out.
    n_jobs : int
        Files fetched at once.

    Returns
    -------
    dict of str to Path
        The file of each model.

    Raises
    ------
    SelectionError
        If a model is unknown, naming the nearest.
    DataNotDownloadedError
        If a file could not be had.
    """
    source = artifact_source("embeddings", data_dir)(model=models)
    return {file.entities["model"]: file.path for file in _fetched(source, n_jobs)}


def download_captions(data_dir: str | Path | None = None) -> Path:
    """Download the captions of all images.

    Parameters
    ----------
    data_dir : str or Path, optional
        Where they land; the configured directory where left out.

    Returns
    -------
    Path
        The CSV file.
    """
    (file,) = _fetched(artifact_source("captions", data_dir), 1)
    return file.path


def download_segmentations(data_dir: str | Path | None = None) -> dict[str, Path]:
    """Download the segmentation masks of the shared images and the table of what they show.

    Parameters
    ----------
    data_dir : str or Path, optional
        Where they land; the configured directory where left out.

    Returns
    -------
    dict of str to Path
        ``"h5"``, the masks, and ``"metadata"``, the table.
    """
    (masks,) = _fetched(artifact_source("segmentations", data_dir), 1)
    (table,) = _fetched(artifact_source("segmentation_table", data_dir), 1)
    return {"h5": masks.path, "metadata": table.path}


def _fetched(source: Source, n_jobs: int) -> tuple[LocalFile, ...]:
    source.download(n_jobs)
    return source.present()
