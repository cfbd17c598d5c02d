"""What the catalog says of an artifact and what is chosen of it, as plain data under the keys that intake uses."""

from __future__ import annotations

from typing import Any

from laion_fmri.catalog.choice import Choice
from laion_fmri.catalog.models import Artifact, Layout

_RULES: Any = {"names": True, "columns": {"__all__": {"names"}}}  # too long to be shown


def description(name: str, text: str, artifact: Artifact, choice: Choice) -> dict[str, Any]:
    """Return the description of an artifact.

    Parameters
    ----------
    name, text : str
        Name of the catalog entry, and its description in one sentence.
    artifact : Artifact
        The entry itself.
    choice : Choice
        What is chosen of it.
    """
    return {
        "name": name,
        "description": text,
        "driver": "laion_fmri",
        "container": _container(artifact.layout),
        "user_parameters": [
            {
                "name": entity_name,
                "description": entity.description,
                "allowed": list(entity.known) or entity.form,
                "default": entity.default,
            }
            for entity_name, entity in artifact.entities.items()
        ],
        "options": {option: rule.model_dump(exclude_none=True) for option, rule in artifact.options.items()},
        "selection": {entity: list(values) for entity, values in choice.entities.items() if values},
        "access": artifact.access.model_dump(),
        "layout": artifact.layout.model_dump(exclude_none=True, exclude=_RULES),
        "size": artifact.size.model_dump(),
        "release": artifact.dataset.release,
    }


def _container(layout: Layout) -> str:
    if layout.columns:
        return "dataframe"
    return "xarray" if layout.dtype or layout.arrays else "python"
