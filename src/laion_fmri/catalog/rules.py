"""What many artifacts share: the dataset, who may have it, how it is divided."""

from typing import Annotated, Self

from pydantic import Field, field_validator, model_validator

from laion_fmri.catalog.entities import Strict
from laion_fmri.catalog.templates import fields

SCHEMA_VERSION = "1"


class Dataset(Strict):
    """What the data is, who made it, under which release and licence.

    Attributes
    ----------
    catalog_schema : str
        Version of this grammar.
    name : str
        Short name.
    title : str
        Name for people.
    release : str
        Version of the data.
    released : str
        Date of the release.
    license : str
        SPDX identifier of the licence.
    url : str
        Home page.
    citation : str
        How to cite the data.
    """

    catalog_schema: Annotated[str, Field(json_schema_extra={"const": SCHEMA_VERSION})]
    name: str
    title: str
    release: str
    released: str
    license: str
    url: str
    citation: str

    @field_validator("catalog_schema")
    @classmethod
    def _readable(cls, version: str) -> str:
        if version != SCHEMA_VERSION:
            raise ValueError(
                f'this version reads catalogs of schema "{SCHEMA_VERSION}", not "{version}"; '
                "install the version of laion-fmri that the catalog was written for"
            )
        return version


class Forced(Strict):
    """A file that is fetched whenever a filter names a value, whatever the other filters say.

    Attributes
    ----------
    when : str
        The filter.
    path : str
        Template of the key.
    """

    when: str
    path: str


class Tree(Strict):
    """A part of the remote that a download lists as one.

    Attributes
    ----------
    name : str
        Short name.
    description : str
        One sentence.
    prefix : str, optional
        Template of the keys' beginning.
    files : tuple of str
        Or the keys themselves, as templates of the entity that `choice` names.
    filters : tuple of str
        Entities whose filters apply.
    flag : str, optional
        Argument that asks for the tree; always fetched where left out.
    choice : str, optional
        Entity whose values the argument may name, to fetch only their files.
    alone : bool
        Whether it is no part of a subject's download, and fetched through its artifacts only.
    required : bool
        It is an error when all required trees together match nothing.
    forced : tuple of Forced
        Files that no filter drops.
    """

    name: str
    description: str
    prefix: str | None = None
    files: tuple[str, ...] = ()
    filters: tuple[str, ...] = ()
    flag: str | None = None
    choice: str | None = None
    alone: bool = False
    required: bool = False
    forced: tuple[Forced, ...] = ()

    @model_validator(mode="after")
    def _keys(self) -> Self:
        if (self.prefix is None) == (not self.files):
            raise ValueError("give either prefix or files")
        if self.alone and (self.flag or self.required):
            raise ValueError("a tree that is alone has no flag and is not required")
        if self.choice and not (self.flag and self.files):
            raise ValueError("a choice has a meaning with flag and files only")
        return self

    @property
    def scope(self) -> tuple[str, ...]:
        """The entities that the tree is listed by: that of subjects, or none."""
        return fields(self.prefix or "")

    @property
    def by_filters(self) -> bool:
        """Whether its own command fetches it for a subject, narrowed by all of its filters."""
        return bool(self.flag and self.scope and self.filters)

    @property
    def command(self) -> str | None:
        """Command of its own that fetches it; none for a tree that only comes with a subject's download."""
        of_no_subject = self.alone or (self.flag and self.files)
        return f"download-{self.name}" if of_no_subject or self.by_filters else None


class RoiDiscovery(Strict):
    """The artifact and the entities that name regions of interest.

    Attributes
    ----------
    artifact : str
        Name of the artifact.
    entity : str
        The entity that names a region.
    category : str
        The entity that names a set of regions.
    """

    artifact: str
    entity: str
    category: str


class SubjectDiscovery(Strict):
    """Where the remote shows which subjects there are.

    Attributes
    ----------
    entity : str
        The entity that names a subject.
    prefixes : tuple of str
        Where folders of subjects lie.
    """

    entity: str
    prefixes: tuple[str, ...]


class Discovery(Strict):
    """What discovery asks the remote for.

    Attributes
    ----------
    subjects : SubjectDiscovery
        Where subjects show.
    rois : RoiDiscovery, optional
        What names regions of interest.
    """

    subjects: SubjectDiscovery
    rois: RoiDiscovery | None = None
