"""The pages of a catalog: model in, text out."""

from __future__ import annotations

from laion_fmri.catalog.models import CatalogFile
from laion_fmri.display import access_text
from laion_fmri.progress import size_text
from laion_fmri.reference import artifacts
from laion_fmri.reference.checks import checks
from laion_fmri.reference.examples import example
from laion_fmri.reference.filters import filters_page
from laion_fmri.reference.image_names import PAGE, image_names_page
from laion_fmri.reference.markdown import codes, escape, link, table
from laion_fmri.reference.template import render


def catalog_pages(catalog: CatalogFile, source: str) -> dict[str, str]:
    """Return the text of the pages of a catalog by file name.

    Parameters
    ----------
    catalog : CatalogFile
        What the pages are about.
    source : str
        Path of its file in the repository.
    """
    pages = {f"{name}.md": artifact_page(catalog, name, source) for name in catalog.sources}
    rules = catalog.definitions.image_names
    if rules:
        pages[PAGE] = image_names_page(rules, source)
    return {"index.md": index_page(catalog, source), "filters.md": filters_page(catalog, source), **pages}


def index_page(catalog: CatalogFile, source: str) -> str:
    """Return the table of all artifacts."""
    rows = (
        [
            link(name, f"{name}.md"),
            escape(entry.description),
            codes(entry.args.entities),
            escape(access_text(entry.args.access)),
            size_text(entry.args.size.bytes),
        ]
        for name, entry in catalog.sources.items()
    )
    return render(
        "index.md.jinja",
        source,
        source=source,
        description=escape(catalog.description),
        release=_release(catalog),
        image_names=PAGE if catalog.definitions.image_names else "",
        artifacts=table(["Artifact", "What it is", "Entities", "Access", "Size"], rows),
    )


def artifact_page(catalog: CatalogFile, name: str, source: str) -> str:
    """Return everything about one artifact."""
    entry = catalog.sources[name]
    artifact = entry.args
    return render(
        "artifact.md.jinja",
        f"{source} and the loaders",
        source=source,
        name=name,
        artifact=artifact,
        description=escape(entry.description),
        example=example(catalog, name),
        release=_release(catalog),
        size=size_text(artifact.size.bytes),
        size_note=escape(artifact.size.note),
        access=artifacts.access(artifact.access),
        downloaded=artifacts.downloaded(artifact.tree),
        held_out=artifacts.held_out(artifact),
        entities=artifacts.entity_table(artifact),
        spellings=artifacts.spellings(artifact, entry.metadata.get("example", {})),
        ways=artifacts.ways(artifact),
        gaps=artifacts.gaps(artifact),
        columns=artifacts.column_table(artifact),
        checks=[*checks(artifact)],
        arrays=artifacts.array_table(artifact),
        returns=artifacts.returns(artifact),
        options=artifacts.option_table(artifact),
        joins=artifacts.join_table(artifact, {each: other.description for each, other in catalog.sources.items()}),
    )


def _release(catalog: CatalogFile) -> str:
    dataset = catalog.dataset
    return f"{link(dataset.title, dataset.url)} {dataset.release} ({dataset.released})"
