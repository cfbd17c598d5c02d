"""A whole catalog file, as strict pydantic models.

`CatalogFile` is a file, `Artifact` what stands in one entry's ``args:``. Driver, planner, command line and reference
pages all read these.
"""

from typing import Any, Literal

from pydantic import Field, field_validator

from laion_fmri.catalog.artifacts import Artifact, FileSpec, Join, Option, Size
from laion_fmri.catalog.entities import Entity, Strict
from laion_fmri.catalog.image_names import ImageNames
from laion_fmri.catalog.layout import Column, Layout
from laion_fmri.catalog.policies import Access, Agreement
from laion_fmri.catalog.regions import Regions
from laion_fmri.catalog.remotes import Remote, S3Remote
from laion_fmri.catalog.rules import Dataset, Discovery, Tree
from laion_fmri.catalog.services import Service
from laion_fmri.catalog.words import did_you_mean
from laion_fmri.errors import SelectionError

__all__ = ["Artifact", "CatalogFile", "Column", "Definitions", "FileSpec", "Join", "Layout", "Option", "Size", "Source"]


class Source(Strict):
    """One entry of a catalog, in intake's grammar.

    Attributes
    ----------
    driver : {"laion_fmri"}
        Name of our intake driver.
    description : str
        One sentence.
    args : Artifact
        The entry itself.
    metadata : dict
        Further facts, such as the example of the reference page.
    """

    driver: Literal["laion_fmri"]
    description: str
    args: Artifact
    metadata: dict[str, Any] = Field(default={})


class Definitions(Strict):
    """Blocks that the entries share through YAML aliases.

    Attributes
    ----------
    dataset : Dataset
        The dataset that the catalog describes.
    remotes : dict of str to Remote
        Where data comes from; a subject's download uses the first bucket.
    access : dict of str to Access
        Conditions of access.
    services : dict of str to Service
        Services that give files under an agreement.
    entities : dict of str to Entity
        Grammar of file names.
    image_names : ImageNames, optional
        What the names of images say.
    trees : dict of str to Tree
        Parts of the remote, in the order of downloads.
    joins : dict of str to Join
        Files that loaders read beside their own.
    regions : dict of str to str
        Names that stand for queries of regions of interest.
    options : dict of str to Option
        What read() takes beside entities.
    discovery : Discovery
        What discovery asks the remote for.
    """

    dataset: Dataset
    remotes: dict[str, Remote]
    access: dict[str, Access]
    services: dict[str, Service] = Field(default={})
    entities: dict[str, Entity]
    image_names: ImageNames | None = None
    trees: dict[str, Tree]
    joins: dict[str, Join] = Field(default={})
    regions: Regions = Field(default={})
    options: dict[str, Option] = Field(default={})
    discovery: Discovery

    @field_validator("remotes")
    @classmethod
    def _one_lists(cls, remotes: dict[str, Remote]) -> dict[str, Remote]:
        if not any(isinstance(remote, S3Remote) for remote in remotes.values()):
            raise ValueError("there is no bucket (kind: s3), which a subject's download lists")
        return remotes


class CatalogFile(Strict):
    """A whole catalog file.

    Attributes
    ----------
    name, description : str
        Of the catalog.
    metadata : dict
        Belongs to intake: {version: 1} is its grammar.
    x-definitions : Definitions
        Blocks that the entries share.
    sources : dict of str to Source
        The artifacts, by name.
    """

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
        """The bucket that a subject's download comes from."""
        return next(remote for remote in self.definitions.remotes.values() if isinstance(remote, S3Remote))

    @property
    def entities(self) -> dict[str, Entity]:
        """Grammar of all entities."""
        return self.definitions.entities

    @property
    def trees(self) -> tuple[Tree, ...]:
        """The trees of a subject's download that some entry belongs to, in the order of the file."""
        used = {source.args.tree.name for source in self.sources.values()}
        return tuple(tree for tree in self.definitions.trees.values() if tree.name in used and not tree.alone)

    @property
    def filters(self) -> dict[str, Entity]:
        """The entities that filter a subject's download: those of the trees that it always fetches, in their order."""
        names = dict.fromkeys(name for tree in self.trees if not tree.flag for name in tree.filters)
        return {name: self.entities[name] for name in names}

    def filters_of(self, tree: Tree) -> dict[str, Entity]:
        """Return the entities that filter a tree."""
        return {name: self.entities[name] for name in tree.filters}

    def trees_with_filter(self, name: str) -> tuple[Tree, ...]:
        """Return the trees whose own commands have a filter that a subject's download does not have."""
        known = self.filters
        return tuple(tree for tree in self.trees if tree.by_filters and name in tree.filters and name not in known)

    @property
    def flags(self) -> dict[str, Tree]:
        """The trees that are fetched on request, by the name of their argument."""
        return {tree.flag: tree for tree in self.trees if tree.flag}

    @property
    def gated(self) -> tuple[tuple[Artifact, Agreement], ...]:
        """The artifacts that are given under an agreement, each with it."""
        artifacts = (source.args for source in self.sources.values())
        return tuple((one, one.access) for one in artifacts if isinstance(one.access, Agreement))

    def artifact(self, name: str) -> Artifact:
        """Return an artifact by name; SelectionError names the nearest for a wrong one."""
        if name not in self.sources:
            raise SelectionError(f"there is no artifact {name}{did_you_mean(name, self.sources)}")
        return self.sources[name].args
