"""The parts of a catalog file, as strict pydantic models.

`CatalogFile` is a whole file, `Artifact` what stands in one entry's ``args:``. Driver, planner, command line
and reference pages all read these.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationInfo, WithJsonSchema, field_validator, model_validator
from pydantic_core import PydanticCustomError

from laion_fmri.catalog import templates
from laion_fmri.catalog.entities import Entity, Strict
from laion_fmri.catalog.rules import Access, Dataset, S3Remote, Tree
from laion_fmri.catalog.words import did_you_mean
from laion_fmri.errors import SelectionError

Selected = Mapping[str, tuple[str, ...] | None]

MISFIT = "misfit"

Paths = Annotated[
    tuple[str, ...],
    Field(min_length=1),
    BeforeValidator(lambda value: (value,) if isinstance(value, str) else value),
    WithJsonSchema(
        {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}]}
    ),
]


class Option(Strict):
    """An argument of ``read()`` that is not an entity."""

    description: str
    type: Literal["choice", "names", "number"]
    choices: dict[str, str] = Field(default={})
    default: str | None = None
    minimum: float | None = None
    maximum: float | None = None
    units: str | None = None

    @field_validator("default")
    @classmethod
    def _is_a_choice(cls, default: str | None, info: ValidationInfo) -> str | None:
        choices = info.data.get("choices", {})
        if default is not None and default not in choices:
            raise ValueError(f"{default} is not one of the choices{did_you_mean(default, choices)}")
        return default


class Column(Strict):
    """A column of a table."""

    dtype: Literal["str", "int64", "float64", "bool"]
    description: str


class Layout(Strict):
    """What ``read()`` returns: dimensions, type and units, or columns."""

    dims: tuple[str, ...]
    dtype: str | None = None
    units: str | None = None
    columns: dict[str, Column] = Field(default={})


class Size(Strict):
    """How large one file is, about."""

    bytes: int
    note: str


class FileSpec(Strict):
    """Where files lie and what their names hold; shared by artifacts and the files they join.

    Attributes
    ----------
    tree : Tree
        The tree they belong to.
    entities : dict of str to Entity
        What the caller chooses.
    path : tuple of str
        Templates; a selection takes the first one that has just its entities.
    layout : Layout
        What reading gives.
    """

    tree: Tree
    entities: dict[str, Entity]
    path: Paths
    layout: Layout

    @model_validator(mode="after")
    def _names_fit(self) -> FileSpec:
        found = [message for _, message in templates.misfits(self.entities, self.path, self._options())]
        if found:
            raise PydanticCustomError(MISFIT, "{found}", {"found": "; ".join(found)})
        return self

    def _options(self) -> Collection[str]:
        return ()

    def template(self, selection: Selected) -> str:
        """Return the path template that a complete selection takes.

        Raises
        ------
        SelectionError
            If entities are missing, or chosen that no file has together.
        """
        chosen = {name for name, values in selection.items() if values is not None}
        for path in self.path:
            if set(templates.fields(path)) == chosen:
                return path
        ways = [set(templates.fields(path)) for path in self.path]
        missing = [sorted(way - chosen) for way in ways if chosen < way]
        if missing:
            raise SelectionError(
                f"give {' or '.join(', '.join(f'{name}=' for name in names) for names in missing)}"
            )
        raise SelectionError(f"no file has {' and '.join(sorted(chosen))} together; {self._ways(ways)}")

    @staticmethod
    def _ways(ways: list[set[str]]) -> str:
        return "give " + " or ".join(" and ".join(sorted(way)) for way in ways)


class Join(FileSpec):
    """Files of another artifact that a loader reads beside its own."""

    artifact: str


class Artifact(FileSpec):
    """Everything about one entry of a catalog: what stands in its ``args:``."""

    dataset: Dataset
    remote: S3Remote
    access: Access
    sidecar: bool = False
    loader: str
    options: dict[str, Option] = Field(default={})
    joins: dict[str, Join] = Field(default={})
    size: Size

    def _options(self) -> Collection[str]:
        return self.options


class Source(Strict):
    """One entry of a catalog, in intake's grammar."""

    driver: Literal["laion_fmri"]
    description: str
    args: Artifact
    metadata: dict[str, Any] = Field(default={})


class RoiDiscovery(Strict):
    """The artifact and the entities that name regions of interest."""

    artifact: str
    entity: str
    category: str


class SubjectDiscovery(Strict):
    """Where the remote shows which subjects there are."""

    entity: str
    prefixes: tuple[str, ...]


class Discovery(Strict):
    """What discovery asks the remote for."""

    subjects: SubjectDiscovery
    rois: RoiDiscovery | None = None


class Definitions(Strict):
    """Blocks that the entries share through YAML aliases."""

    dataset: Dataset
    remotes: dict[str, S3Remote]
    access: dict[str, Access]
    services: dict[str, str] = Field(default={})
    entities: dict[str, Entity]
    trees: dict[str, Tree]
    joins: dict[str, Join] = Field(default={})
    options: dict[str, Option] = Field(default={})
    discovery: Discovery


class CatalogFile(Strict):
    """A whole catalog file."""

    name: str
    description: str
    metadata: dict[str, Any] = Field(default={})
    definitions: Definitions = Field(alias="x-definitions")
    sources: dict[str, Source]

    @property
    def dataset(self) -> Dataset:
        """The dataset that the catalog describes."""
        return self.definitions.dataset

    @property
    def remote(self) -> S3Remote:
        """The remote that downloads come from."""
        return next(iter(self.definitions.remotes.values()))

    @property
    def entities(self) -> dict[str, Entity]:
        """Grammar of all entities."""
        return self.definitions.entities

    @property
    def trees(self) -> tuple[Tree, ...]:
        """The trees that some entry belongs to, in the order of the file."""
        used = {source.args.tree.name for source in self.sources.values()}
        return tuple(tree for tree in self.definitions.trees.values() if tree.name in used)

    @property
    def filters(self) -> dict[str, Entity]:
        """The entities that filter some tree, in the order of the trees."""
        names = dict.fromkeys(name for tree in self.trees for name in tree.filters)
        return {name: self.entities[name] for name in names}

    @property
    def flags(self) -> dict[str, Tree]:
        """The trees that are fetched on request, by the name of their argument."""
        return {tree.flag: tree for tree in self.trees if tree.flag}

    def artifact(self, name: str) -> Artifact:
        """Return an artifact by name; SelectionError names the nearest for a wrong one."""
        if name not in self.sources:
            raise SelectionError(f"there is no artifact {name}{did_you_mean(name, self.sources)}")
        return self.sources[name].args
