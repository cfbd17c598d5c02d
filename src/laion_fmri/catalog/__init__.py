"""Floor 1: what a catalog file says. Knows no disk beside that file and its compiled form, and no network."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from laion_fmri.catalog.compiled import compiled_catalog
from laion_fmri.catalog.models import CatalogFile

__all__ = ["CatalogFile", "catalog_path", "load_catalog", "read_text"]


def catalog_path() -> Path:
    """Return the catalog that comes with the package, from the wheel or from the checkout."""
    packaged = Path(__file__).parents[1] / "_catalog"
    folder = packaged if packaged.is_dir() else Path(__file__).parents[3] / "catalog"
    return folder / "laion-fmri.yaml"


@lru_cache(maxsize=1)
def load_catalog() -> CatalogFile:
    """Return the model of the catalog that comes with the package."""
    return compiled_catalog(catalog_path())


def read_text(path: Path) -> str:
    """Return a long text that a catalog names, such as a licence."""
    return path.read_text(encoding="utf-8")
