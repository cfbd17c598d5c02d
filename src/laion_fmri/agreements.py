"""Consent from Python: the licence of the public data, the data-use agreement, and the files that it opens."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path
from typing import Any

from laion_fmri.catalog import catalog_path, load_catalog
from laion_fmri.catalog.models import Artifact
from laion_fmri.catalog.policies import Acknowledge, Agreement
from laion_fmri.config import data_root
from laion_fmri.fetch import ask_consent


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
        sys.stderr.write(
            "The terms of the stimulus images are accepted at the access service; run: laion-fmri request-access\n"
        )


def request_stimulus_access(server_url: str | None = None) -> dict[str, Any]:
    """Fill in the form of the data-use agreement, and keep the identifier that the service gives for it.

    Asks even where there is an agreement already, which the new one replaces.

    Parameters
    ----------
    server_url : str, optional
        Address of the access service; that of the catalog, or of ``LAION_FMRI_ACCESS_URL``, where left out.

    Returns
    -------
    dict
        ``request_id`` and ``files``, whose secrets show as asterisks (``.get_secret_value()`` has them), and
        ``expires_at``, until when the links of the files are good.

    Raises
    ------
    AgreementNeededError
        If nobody answers, or the terms are not accepted. Nothing was sent then.
    AccessServiceError, OfflineError
        If the service cannot be reached, or does not take the form.
    """
    from laion_fmri.access.permit import Permit

    grant = Permit(_gated()[1], server_url).apply()
    return grant.model_dump(include={"request_id", "expires_at", "files"})


def download_stimuli(data_dir: str | Path | None = None, server_url: str | None = None) -> dict[str, Path]:
    """Download the stimulus images and the table of what is known of them.

    What the service has is asked first. Files that are here with its size and checksum are left as they are, wherever
    they come from, and nothing else is asked then. Otherwise the agreement that is kept is used, or its form is shown.

    Parameters
    ----------
    data_dir : str or Path, optional
        Where they land; the configured directory where left out.
    server_url : str, optional
        Address of the access service; that of the catalog, or of ``LAION_FMRI_ACCESS_URL``, where left out.

    Returns
    -------
    dict of str to Path
        Every file by its name.

    Raises
    ------
    AgreementNeededError
        If the form is not filled in, or the terms are not accepted.
    TermsOutdatedError
        If the terms have changed; ``accept_url`` is where they are accepted.
    AccessServiceError
        If the service refuses otherwise, or a file could not be fetched; the message says what to do.
    OfflineError
        If ``LAION_FMRI_OFFLINE`` is set and a file is not here.
    NoSpaceError
        If the disk is too full.

    Warns
    -----
    UserWarning
        For each file that could not be fetched, with the reason.
    """
    from laion_fmri.gated import Gated

    root = data_root() if data_dir is None else Path(data_dir)
    files = Gated(*_gated(), root, server_url)
    files.download()
    return {path.name: path for path in files.paths}


def current_terms_version(server_url: str | None = None) -> str:
    """Return the version of the terms that the access service asks for now.

    Parameters
    ----------
    server_url : str, optional
        Address of the access service; that of the catalog, or of ``LAION_FMRI_ACCESS_URL``, where left out.

    Raises
    ------
    AccessServiceError, OfflineError
        If it cannot be asked.
    """
    from laion_fmri.access.service import AccessClient

    return AccessClient(_gated()[1].service, server_url).manifest().current_terms_version


def _gated() -> tuple[Artifact, Agreement]:
    return load_catalog().gated[0]
