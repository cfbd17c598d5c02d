"""One entry of a catalog: its files, what a caller chooses of them, and what reading them gives."""

from collections.abc import Collection, Mapping
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, ValidationInfo, WithJsonSchema, field_validator, model_validator
from pydantic_core import PydanticCustomError

from laion_fmri.catalog import templates
from laion_fmri.catalog.entities import Entity, Strict
from laion_fmri.catalog.gaps import Gap, gap_mistake
from laion_fmri.catalog.layout import Layout, Reference
from laion_fmri.catalog.policies import Access, Agreement
from laion_fmri.catalog.regions import Regions
from laion_fmri.catalog.remotes import HttpsRemote, Remote
from laion_fmri.catalog.rules import Dataset, Tree
from laion_fmri.catalog.words import did_you_mean
from laion_fmri.errors import SelectionError

Selected = Mapping[str, tuple[str, ...] | None]

MISFIT = "misfit"

Paths = Annotated[
    tuple[str, ...],
    Field(min_length=1),
    BeforeValidator(lambda value: (value,) if isinstance(value, str) else value),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}]}),
]


class Option(Strict):
    """An argument of ``read()`` that is not an entity.

    Attributes
    ----------
    description : str
        One sentence.
    type : {"choice", "flag", "mask", "names", "number", "regions"}
        What a caller gives: one of the choices, True, a bool array, text or a list of texts, a number, or queries of
        regions.
    choices : dict of str to str
        What the loader makes of each choice.
    default : str, optional
        The choice that is taken where the caller makes none; off where left out.
    minimum, maximum : float, optional
        Limits of a number.
    units : str, optional
        Units of a number.
    named : dict of str to str
        Names that stand for queries of regions.
    """

    description: str
    type: Literal["choice", "flag", "mask", "names", "number", "regions"]
    choices: dict[str, str] = Field(default={})
    default: str | None = None
    minimum: float | None = None
    maximum: float | None = None
    units: str | None = None
    named: Regions = Field(default={})

    @field_validator("default")
    @classmethod
    def _is_a_choice(cls, default: str | None, info: ValidationInfo) -> str | None:
        choices = info.data.get("choices")
        if choices is not None and default is not None and default not in choices:
            raise ValueError(f"{default} is not one of the choices{did_you_mean(default, choices)}")
        return default


class Size(Strict):
    """How large one file is, about.

    Attributes
    ----------
    bytes : int
        About how many.
    note : str
        Of what.
    """

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
    gaps : tuple of dict
        Values by entity that no file has together.
    layout : Layout
        What reading gives.
    """

    tree: Tree
    entities: dict[str, Entity]
    path: Paths
    gaps: tuple[Gap, ...] = ()
    layout: Layout

    @field_validator("gaps")
    @classmethod
    def _name_values(cls, gaps: tuple[Gap, ...], info: ValidationInfo) -> tuple[Gap, ...]:
        for gap in gaps if "entities" in info.data else ():
            if mistake := gap_mistake(gap, info.data["entities"]):
                raise ValueError(mistake)
        return gaps

    @model_validator(mode="after")
    def _names_fit(self) -> Self:
        paths = [name for name, entity in self.entities.items() if entity.kind == "path"]
        found = [message for _, message in templates.misfits(self.entities, paths, self.path, self._options())]
        if found:
            raise PydanticCustomError(MISFIT, "{found}", {"found": "; ".join(found)})
        return self

    @model_validator(mode="after")
    def _owners_are_entities(self) -> Self:
        for name, column in self.layout.columns.items():
            if column.owner is not None and column.owner not in self.entities:
                hint = did_you_mean(column.owner, self.entities)
                raise ValueError(f"the owner in column {name} is {column.owner}, which is not among the entities{hint}")
        return self

    @property
    def rest(self) -> str | None:
        """The entity that stands for the rest of a path, if there is one."""
        return next((name for name, entity in self.entities.items() if entity.kind == "path"), None)

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
            raise SelectionError(f"give {' or '.join(', '.join(f'{name}=' for name in names) for names in missing)}")
        raise SelectionError(f"no file has {' and '.join(sorted(chosen))} together; {self._ways(ways)}")

    @staticmethod
    def _ways(ways: list[set[str]]) -> str:
        return "give " + " or ".join(" and ".join(sorted(way)) for way in ways)


class Join(FileSpec):
    """Files of another artifact that a loader reads beside its own.

    Attributes
    ----------
    artifact : str
        Name of the other artifact.
    """

    artifact: str


class Artifact(FileSpec):
    """Everything about one entry of a catalog: what stands in its ``args:``.

    Attributes
    ----------
    dataset : Dataset
        The dataset it belongs to.
    remote : Remote
        Where it comes from.
    access : Access
        Under which conditions.
    sidecar : bool
        Whether each file has a JSON file of the same name.
    loader : str
        What reads the files.
    options : dict of str to Option
        What read() takes beside entities.
    joins : dict of str to Join
        Files that the loader reads beside its own.
    size : Size
        How large one file is.
    """

    dataset: Dataset
    remote: Remote
    access: Access
    sidecar: bool = False
    loader: str
    options: dict[str, Option] = Field(default={})
    joins: dict[str, Join] = Field(default={})
    size: Size

    @model_validator(mode="after")
    def _is_found_without_a_listing(self) -> Self:
        if isinstance(self.remote, HttpsRemote):
            where = f"comes from {self.remote.name}, which lists nothing"
            if not self.tree.alone:
                raise ValueError(f"{where}; its tree has to be alone")
            for name, entity in self.entities.items():
                if entity.is_open:
                    raise ValueError(f"{where}; {name} needs values in place of a pattern")
        return self

    @model_validator(mode="after")
    def _is_known_to_its_service(self) -> Self:
        files = self.tree.files
        if isinstance(self.access, Agreement) and (not files or any(map(templates.fields, files))):
            raise ValueError("a service gives files by their names; its tree has to name them in files, without fields")
        return self

    def _options(self) -> Collection[str]:
        return self.options

    @model_validator(mode="after")
    def _references_fit(self) -> Self:
        for layout in (self.layout, *(join.layout for join in self.joins.values())):
            for name, column in layout.columns.items():
                if column.known_in is not None:
                    self._require_column(name, column.known_in)
        return self

    def _require_column(self, name: str, where: Reference) -> None:
        if where.join not in self.joins:
            hint = did_you_mean(where.join, self.joins)
            raise ValueError(f"column {name} is known in a join {where.join}, which is not among the joins{hint}")
        columns = self.joins[where.join].layout.columns
        if where.column not in columns:
            hint = did_you_mean(where.column, columns)
            raise ValueError(f"column {name} is known in a column {where.column} that {where.join} has not{hint}")

    @model_validator(mode="after")
    def _sidecars_have_names(self) -> Self:
        if self.sidecar and self.rest:
            raise ValueError(f"sidecar: the files of {{{self.rest}}} have no names that one could tell")
        return self
