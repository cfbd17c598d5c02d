"""Downloading: a subject and filters in, files on disk out.

The arguments of `download` are the filters and flags of the catalog, so they grow with it.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from laion_fmri.agreements import (
    accept_license,
    accept_licenses,
    current_terms_version,
    download_stimuli,
    request_stimulus_access,
)
from laion_fmri.catalog import catalog_path, load_catalog
from laion_fmri.catalog.models import CatalogFile
from laion_fmri.catalog.words import did_you_mean, listed
from laion_fmri.config import data_root
from laion_fmri.errors import AccessNotFoundError, AccessServiceError, SelectionError, TermsOutdatedError
from laion_fmri.fetch import Report, ask_consent, policies, run, survey
from laion_fmri.gated import gated_parts
from laion_fmri.selection import DownloadRequest, resolve_request, resolve_tree_request, usable_jobs
from laion_fmri.signatures import download_signature, given, tree_signature
from laion_fmri.storage.bucket import Bucket
from laion_fmri.storage.plan import Plan

if TYPE_CHECKING:
    from laion_fmri.loaders import LocalFile

__all__ = [
    "AccessNotFoundError",
    "AccessServiceError",
    "Report",
    "TermsOutdatedError",
    "accept_license",
    "accept_licenses",
    "current_terms_version",
    "download",
    "download_captions",
    "download_embeddings",
    "download_locked",
    "download_raw",
    "download_segmentations",
    "download_stimuli",
    "download_tree",
    "request_stimulus_access",
]

_last_data_dir: list[str] = []


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
        Workers, each of which has up to eight requests under way: parts of large files, or small ones.

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
    AgreementNeededError
        If files are asked for that are given under an agreement, and it is declined; nothing was downloaded then.
    TermsOutdatedError, AccessServiceError
        If the access service does not give them; what comes from the bucket is here then, and in ``error.report``.
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
    call = given(catalog, download_signature(catalog), args, kwargs)
    root = _root()
    subject = call[catalog.definitions.discovery.subjects.entity]
    filters = {name: call[name] for name in catalog.filters}
    request = resolve_request(catalog, subject, filters, {name: call[name] for name in catalog.flags})
    workers = usable_jobs(call["n_jobs"])
    request, gated = gated_parts(catalog, request, root)
    plan, bucket = _surveyed(catalog, request, root, workers)
    for files in gated:
        files.ensure()
    report = run(plan, bucket, workers)
    for files in gated:
        try:
            report += files.download(workers)
        except AccessServiceError as error:
            error.report = report
            raise
    return report


download.__signature__ = download_signature(load_catalog())  # type: ignore[attr-defined]


def download_raw(*args: Any, **kwargs: Any) -> Report:
    """Download raw BIDS files of a subject, and nothing else but the files of the dataset as a whole.

    Parameters
    ----------
    subject : str
        ``"sub-03"``, ``"03"``, or ``"all"``.
    ses, task, run, echo, part, suffix, extension : str or list of str, optional
        Filters, as for `download`; a file that lacks run, echo or part passes. Values are written as in file names:
        ``run="01"``, ``echo="1"``.
    n_jobs : int
        Workers, each of which has up to eight requests under way: parts of large files, or small ones.

    Returns
    -------
    Report
        What was done; errors and warnings are those of `download`.
    """
    return download_tree("raw", *args, **kwargs)


def download_tree(name: str, /, *args: Any, **kwargs: Any) -> Report:
    """Download one tree of the catalog that has filters of its own; `download_raw` is that of the tree ``raw``.

    Parameters
    ----------
    name : str
        Name of the tree.
    *args, **kwargs
        Subject, filters of the tree and ``n_jobs``.

    Returns
    -------
    Report
        What was done; errors and warnings are those of `download`.

    Raises
    ------
    SelectionError
        If there is no such tree, naming those that there are.
    """
    catalog = load_catalog()
    known = [tree.name for tree in catalog.trees if tree.by_filters]
    if name not in known:
        hint = did_you_mean(name, known) or f"; there are {listed(known)}"
        raise SelectionError(f"there is no tree {name} with filters of its own{hint}")
    tree = catalog.definitions.trees[name]
    call = given(catalog, tree_signature(catalog, name), args, kwargs)
    root = _root()
    subject = call[catalog.definitions.discovery.subjects.entity]
    request = resolve_tree_request(catalog, tree, subject, {name: call[name] for name in tree.filters})
    workers = usable_jobs(call["n_jobs"])
    return run(*_surveyed(catalog, request, root, workers), workers)


download_raw.__signature__ = tree_signature(load_catalog(), "raw")  # type: ignore[attr-defined]


def download_locked(path: str | Path, n_jobs: int = 1) -> Report:
    """Download exactly the files that a lock file names, as they were when it was written.

    What is here already is compared by its checksum, and skipped.

    Parameters
    ----------
    path : str or Path
        A file that `laion_fmri.lock` wrote.
    n_jobs : int
        Workers, each of which has up to eight requests under way: parts of large files, or small ones.

    Returns
    -------
    Report
        What was done; further errors and warnings are those of `download`.

    Raises
    ------
    LockError
        If it is no lock file, or of another dataset or release than the catalog; or if a file is gone from its remote
        or is another one there. Nothing was downloaded then.
    """
    from laion_fmri.locked import Locked
    from laion_fmri.lockfile import read_lock

    return Locked(read_lock(path), load_catalog(), _root(), usable_jobs(n_jobs)).download()


def _surveyed(catalog: CatalogFile, request: DownloadRequest, root: Path, workers: int) -> tuple[Plan, Bucket]:
    ask_consent(policies(catalog, request), root, catalog_path().parent)
    bucket = Bucket(catalog.remote, workers)
    return survey(catalog, request, bucket, root), bucket


def _root() -> Path:
    """Return the data directory; warn where it is another one than last time."""
    root = data_root()
    if _last_data_dir and _last_data_dir[0] != str(root):
        warnings.warn(
            f"the data directory changed from {_last_data_dir[0]} to {root} since the last download",
            UserWarning,
            stacklevel=3,
        )
    _last_data_dir[:] = [str(root)]
    return root


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
        Workers, each of which has up to eight requests under way: parts of large files, or small ones.

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
    return {file.entities["model"]: file.path for file in _fetched("embeddings", data_dir, n_jobs, model=models)}


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
    (file,) = _fetched("captions", data_dir)
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
    (masks,) = _fetched("segmentations", data_dir)
    (table,) = _fetched("segmentation_table", data_dir)
    return {"h5": masks.path, "metadata": table.path}


def _fetched(name: str, data_dir: str | Path | None, n_jobs: int = 1, **chosen: Any) -> tuple[LocalFile, ...]:
    from laion_fmri.local import artifact_source

    source = artifact_source(name, data_dir)(**chosen)
    source.download(n_jobs)
    return source.present()
