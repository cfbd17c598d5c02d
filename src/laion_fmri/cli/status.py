"""``laion-fmri status``: what is agreed to, and what is here."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from laion_fmri.catalog import CatalogFile, load_catalog
from laion_fmri.catalog.policies import Acknowledge, Agreement
from laion_fmri.catalog.templates import fields

if TYPE_CHECKING:
    from laion_fmri.access.credentials import Identity
    from laion_fmri.stores import LocalStore

_SHOWN, _LONG_ENOUGH = 4, 16


@click.command
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def status(as_json: bool) -> None:
    """Show the data directory, what is agreed to, and how much of each artifact is here.

    Of the network, only the access service is asked, for the version of its terms; not even that with
    LAION_FMRI_OFFLINE=1.
    """
    from laion_fmri.config import data_root
    from laion_fmri.stores import local_stores

    catalog, root = load_catalog(), data_root()
    policies = catalog.definitions.access.values()
    licences = [_licence(policy, root) for policy in policies if isinstance(policy, Acknowledge)]
    agreements = [_agreement(policy) for policy in policies if isinstance(policy, Agreement)]
    artifacts = [_artifact(catalog, name) for name in catalog.sources]
    stores = [_store(store) for store in local_stores(root)]
    if as_json:
        consents = {"licences": licences, "agreements": agreements}
        found = {"data_dir": str(root), **consents, "artifacts": artifacts, "stores": stores}
        click.echo(json.dumps(found, indent=2))
        return
    click.echo(f"Data directory: {root}")
    for consent in (*licences, *agreements):
        click.echo(f"{consent['license']}: {consent['said']}")
    click.echo()
    _print_artifacts(artifacts)
    if stores:
        click.echo()
        _print_stores(stores, root)


def _licence(policy: Acknowledge, root: Path) -> dict[str, object]:
    from laion_fmri.access.acknowledge import ACCEPT, is_acknowledged

    accepted = is_acknowledged(policy, root)
    said = "accepted for this data directory" if accepted else f"not accepted yet; run: {ACCEPT}"
    return {"license": policy.license, "accepted": accepted, "said": said}


def _agreement(policy: Agreement) -> dict[str, object]:
    from laion_fmri.access.credentials import load
    from laion_fmri.access.permit import Permit
    from laion_fmri.errors import AccessServiceError, OfflineError

    permit = Permit(policy)
    identity = load(permit.client.url)
    current, unknown = None, ""
    try:
        current = permit.manifest.current_terms_version
    except (AccessServiceError, OfflineError) as error:
        unknown = str(error)
    return {
        "license": policy.license,
        "identifier": masked(identity.request_id.get_secret_value()) if identity else None,
        "origin": identity.origin if identity else None,
        "terms_accepted": identity.terms_version if identity else None,
        "terms_current": current,
        "said": agreement_text(identity, current, unknown),
    }


def agreement_text(identity: Identity | None, current: str | None, unknown: str) -> str:
    """Return how an agreement stands, with what to do."""
    from laion_fmri.access.refusals import APPLY

    now = f"the terms are at v{current}" if current else f"the version of the terms is not known now: {unknown}"
    if identity is None:
        return f"no agreement yet, run: {APPLY}; {now}"
    kept = f"identifier {masked(identity.request_id.get_secret_value())} of {identity.origin}"
    accepted = identity.terms_version
    if accepted and accepted == current:
        return f"{kept}; terms v{accepted} accepted, which hold now"
    if accepted and current:
        return f"{kept}; terms v{accepted} accepted, but {now}; the next download says where to accept them"
    return f"{kept}; {f'terms v{accepted} accepted; ' if accepted else ''}{now}"


def masked(secret: str) -> str:
    """Return the end of a secret, by which its owner tells it from another.

    Examples
    --------
    >>> masked("lfm_0123456789abcdef"), masked("short")
    ('****cdef', '****')
    """
    return f"****{secret[-_SHOWN:] if len(secret) >= _LONG_ENOUGH else ''}"


def _artifact(catalog: CatalogFile, name: str) -> dict[str, object]:
    """Return how many files of an artifact are here; how many there are is not known where only the bucket knows it."""
    from laion_fmri.cli.ls import ways
    from laion_fmri.source import Source

    artifact = catalog.artifact(name)
    source = Source(name, catalog.sources[name].description, artifact)
    files = [file for choice in ways(artifact, {}) for file in source(**choice).files()]
    here = [file.size for file in files if file.size is not None]
    is_open = any(artifact.entities[field].is_open for path in artifact.path for field in fields(path))
    tree = artifact.tree
    flag = f" --{tree.flag.replace('_', '-')}" if tree.flag else ""
    return {
        "artifact": name,
        "here": len(here),
        "missing": None if is_open else len(files) - len(here),
        "bytes": sum(here),
        "download_with": f"laion-fmri {tree.command or f'download{flag}'}",
    }


def _store(store: LocalStore) -> dict[str, object]:
    return {"artifact": store.artifact, "path": str(store.path), "bytes": store.bytes, "files": store.files}


def _print_stores(stores: Iterable[Mapping[str, Any]], root: Path) -> None:
    from laion_fmri.cli.tables import print_table
    from laion_fmri.progress import size_text

    rows = ([str(Path(store["path"]).relative_to(root)), size_text(store["bytes"])] for store in stores)
    print_table(["local store", "size"], rows)


def _print_artifacts(artifacts: Iterable[Mapping[str, Any]]) -> None:
    from laion_fmri.cli.tables import print_table
    from laion_fmri.progress import size_text

    rows = (
        [
            artifact["artifact"],
            str(artifact["here"]),
            "?" if artifact["missing"] is None else str(artifact["missing"]),
            size_text(artifact["bytes"]) if artifact["here"] else "-",
            artifact["download_with"],
        ]
        for artifact in artifacts
    )
    print_table(["artifact", "files here", "missing", "size", "download with"], rows)
