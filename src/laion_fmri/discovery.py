"""What the remote holds, whatever is downloaded: needs neither a data directory nor a licence."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterable

from laion_fmri.catalog import load_catalog
from laion_fmri.catalog.models import CatalogFile
from laion_fmri.catalog.templates import listing_prefix, local_path, parse
from laion_fmri.storage.bucket import Bucket

_LABEL_WIDTH = 11


def get_subjects() -> list[str]:
    """Return the BIDS identifiers of all subjects in the bucket, sorted.

    Warns
    -----
    UserWarning
        If there are none.
    """
    catalog = load_catalog()
    return find_subjects(catalog, Bucket(catalog.remote))


def find_subjects(catalog: CatalogFile, bucket: Bucket) -> list[str]:
    """Return the subjects that a bucket shows below the prefixes that the catalog names."""
    rule = catalog.definitions.discovery.subjects
    token = f"{catalog.entities[rule.entity].key_of(rule.entity)}-"
    found = {name for prefix in rule.prefixes for name in bucket.folder(prefix)[1] if name.startswith(token)}
    if not found:
        warnings.warn(f"No subjects found in {bucket.url}", UserWarning, stacklevel=3)
    return sorted(found)


def get_rois(subject: str | None = None, category: str | None = None) -> list[str]:
    """Return the names of the ROIs of a subject in the bucket, sorted, as local file names write them.

    Parameters
    ----------
    subject : str, optional
        A subject; the first one where left out.
    category : str, optional
        Only the ROIs of this set, such as ``"face"``.

    Warns
    -----
    UserWarning
        If there are none.
    """
    catalog = load_catalog()
    bucket = Bucket(catalog.remote)
    if subject is None:
        subjects = find_subjects(catalog, bucket)
        if not subjects:
            return []
        subject = subjects[0]
    return find_rois(catalog, bucket, subject, category)


def find_rois(catalog: CatalogFile, bucket: Bucket, subject: str, category: str | None = None) -> list[str]:
    """Return the ROI names of a subject that a bucket shows for the default grid."""
    rule, subjects = catalog.definitions.discovery.rois, catalog.definitions.discovery.subjects
    if rule is None:
        return []
    artifact = catalog.artifact(rule.artifact)
    bare = catalog.entities[subjects.entity].bare(subjects.entity, subject)
    defaults = {name: entity.default for name, entity in artifact.entities.items() if entity.default}
    wanted = {**defaults, subjects.entity: bare, **({rule.category: category} if category else {})}
    open_values = {name for name, entity in artifact.entities.items() if entity.is_open}
    template = artifact.path[0]
    known = {name: [value] for name, value in wanted.items() if name not in open_values}
    found = set()
    for prefix in listing_prefix(template, known):
        for file in bucket.files(prefix):
            values = parse(template, artifact.entities, local_path(file.key, artifact.entities))
            if values and all(values[name] == value for name, value in wanted.items() if value != "all"):
                found.add(values[rule.entity])
    if not found:
        warnings.warn(f"No ROIs found for {subject} in {bucket.url}", UserWarning, stacklevel=3)
    return sorted(found)


def describe() -> None:
    """Print the name of the dataset, its bucket, its subjects and the ROIs of the first of them."""
    catalog = load_catalog()
    bucket = Bucket(catalog.remote)
    subjects = find_subjects(catalog, bucket)
    lines = {"Bucket:": bucket.url, "Subjects:": f"{len(subjects)} ({', '.join(subjects) or 'none'})"}
    rois = find_rois(catalog, bucket, subjects[0]) if subjects else []
    if rois:
        lines["ROIs:"] = ", ".join(rois)
    _print([f"{catalog.dataset.title} Dataset", *(f"  {k:<{_LABEL_WIDTH}}{v}" for k, v in lines.items())])


def inspect_bucket() -> None:
    """Print the top-level prefixes of the bucket and how much lies directly below those that hold subjects."""
    catalog = load_catalog()
    bucket = Bucket(catalog.remote)
    rule = catalog.definitions.discovery.subjects
    token = f"{catalog.entities[rule.entity].key_of(rule.entity)}-"
    top_files, top = bucket.folder("")
    lines = [
        f"Bucket: {bucket.url}",
        f"Top-level prefixes ({len(top)}):",
        *(f"  {name}/" for name in sorted(top)),
    ]
    for prefix in rule.prefixes:
        files, folders = (top_files, top) if not prefix else bucket.folder(prefix)
        people = sum(name.startswith(token) for name in folders)
        name = prefix or "(raw BIDS root)"
        lines.append(f"{name}: {len(files) + len(folders)} entries, {people} {token}* entries")
    _print(lines)


def _print(lines: Iterable[str]) -> None:
    sys.stdout.write("\n".join(lines) + "\n")
