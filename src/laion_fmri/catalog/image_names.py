"""What the names of images say: the rules of a catalog, and one name taken apart; pure."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any, Self

from pydantic import AfterValidator, Field, model_validator

from laion_fmri.catalog.entities import Strict
from laion_fmri.catalog.words import did_you_mean, listed, nearest
from laion_fmri.errors import UnknownNameError

_OWNER, _OOD_TYPE = "owner", "ood_type"
_NUMBERS = ("cluster", "number")
GROUPS = {
    _OWNER: "The only subject that saw the image.",
    "batch": "Part of the source set.",
    "cluster": "Cluster of the source set; numbers of different sets have nothing to do with each other.",
    "number": "Number of the image in its cluster or batch.",
    "concept": "What the image shows, as the source set calls it.",
    _OOD_TYPE: "In which way the image is out of distribution.",
    "detail": "What else the name says.",
    "encoding": "Encoding of the file, as its extension.",
}


@dataclass(frozen=True, slots=True)
class ImageName:
    """What the name of an image says of the image. None: the name does not say it.

    Attributes
    ----------
    name : str
        The name itself.
    kind : str
        The rule that it follows.
    shared : bool
        Whether every subject saw the image.
    repetitions : int
        How often it was planned to be shown to a subject.
    source : str
        The set of images that it was taken from.
    owner : str or None
        The only subject that saw it, as a BIDS identifier; None for a shared image.
    batch : str or None
        Part of the source set.
    cluster : int or None
        Cluster of the source set; numbers of different sets have nothing to do with each other.
    number : int or None
        Number of the image in its cluster or batch.
    concept : str or None
        What it shows, as the source set calls it.
    ood_type : str or None
        In which way it is out of distribution; None for an image that is not.
    detail : str or None
        What else the name says.
    encoding : str or None
        Encoding of the file, as its extension.
    """

    name: str
    kind: str
    shared: bool
    repetitions: int
    source: str
    owner: str | None = None
    batch: str | None = None
    cluster: int | None = None
    number: int | None = None
    concept: str | None = None
    ood_type: str | None = None
    detail: str | None = None
    encoding: str | None = None

    @property
    def ood(self) -> bool:
        """Whether the image is out of distribution."""
        return self.ood_type is not None


def _has_known_groups(pattern: str) -> str:
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise ValueError(f"{pattern} is no regular expression: {error}") from None
    if compiled.groups > len(compiled.groupindex):
        raise ValueError(f"{pattern} has a group without a name; write (?P<name>...) or (?:...)")
    for group in compiled.groupindex:
        if group not in GROUPS:
            raise ValueError(f"there is no group {group}{did_you_mean(group, GROUPS)}; use {listed(GROUPS)}")
    return pattern


class ImageKind(Strict):
    """One kind of image names.

    Attributes
    ----------
    description : str
        One sentence.
    pattern : str
        Regular expression of the whole name. Its named groups are what the name says: owner, batch, cluster, number,
        concept, ood_type, detail, encoding.
    shared : bool
        Whether every subject sees these images.
    repetitions : int
        How often one is planned to be shown to a subject.
    source : str
        The set of images that they are taken from.
    count : int
        How many images there are.
    examples : tuple of str
        Names that follow this rule and no other.
    """

    description: str
    pattern: Annotated[str, AfterValidator(_has_known_groups)]
    shared: bool
    repetitions: Annotated[int, Field(gt=0)]
    source: str
    count: Annotated[int, Field(ge=0)]
    examples: Annotated[tuple[str, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _owned_if_unique(self) -> Self:
        if self.shared and _OWNER in self.regex.groupindex:
            raise ValueError(f"a shared image has no {_OWNER}; leave the group out, or write shared: false")
        return self

    @cached_property
    def regex(self) -> re.Pattern[str]:
        """The compiled pattern."""
        return re.compile(self.pattern)


class ImageNames(Strict):
    """The names of all images: every name follows exactly one rule.

    Attributes
    ----------
    kinds : dict of str to ImageKind
        The rules.
    owners : dict of str to str
        The subject, as a BIDS identifier, that the code of an owner stands for.
    ood_types : dict of str to int
        The ways to be out of distribution, and how many images are so.
    """

    kinds: Annotated[dict[str, ImageKind], Field(min_length=1)]
    owners: dict[str, str] = Field(default={})
    ood_types: dict[str, int] = Field(default={})

    @model_validator(mode="after")
    def _examples_fit(self) -> Self:
        wrong = [*self._wrong_examples()]
        if wrong:
            raise ValueError("; ".join(wrong))
        return self

    def _wrong_examples(self) -> Iterator[str]:
        for kind, rule in self.kinds.items():
            for example in rule.examples:
                try:
                    found = self.parse(example).kind
                except ValueError as error:
                    yield f"example of {kind}: {error}"
                    continue
                if found != kind:
                    yield f"example of {kind}: {example!r} follows the rule {found}"

    def parse(self, name: str) -> ImageName:
        """Take a name apart.

        Raises
        ------
        UnknownNameError
            If it follows no rule, or more than one, or has an owner or a type that the catalog does not know.
        """
        if not isinstance(name, str):
            raise UnknownNameError(f"{name!r} is of type {type(name).__name__}; the name of an image is text")
        found = [(kind, match) for kind, rule in self.kinds.items() if (match := rule.regex.fullmatch(name))]
        if len(found) > 1:
            raise UnknownNameError(f"{name!r} follows several rules: {listed(kind for kind, _ in found)}")
        if not found:
            raise UnknownNameError(f"{name!r} is no name of an image: {self._nearest_rule(name)}")
        ((kind, match),) = found
        said = match.groupdict()
        self._require(name, _OWNER, said, self.owners)
        self._require(name, _OOD_TYPE, said, self.ood_types)
        return self._image(name, kind, said)

    def _image(self, name: str, kind: str, said: dict[str, Any]) -> ImageName:
        for group in _NUMBERS:
            if said.get(group) is not None:
                said[group] = int(said[group])
        if said.get(_OWNER) is not None:
            said[_OWNER] = self.owners[said[_OWNER]]
        rule = self.kinds[kind]
        return ImageName(str(name), kind, rule.shared, rule.repetitions, rule.source, **said)

    @staticmethod
    def _require(name: str, group: str, said: dict[str, Any], known: dict[str, Any]) -> None:
        value = said.get(group)
        if value is not None and value not in known:
            hint = did_you_mean(value, known) or f"; there is {listed(known) or 'none'}"
            raise UnknownNameError(f"{name!r} is no name of an image: there is no {group} {value}{hint}")

    def _nearest_rule(self, name: str) -> str:
        kinds = {example: kind for kind, rule in self.kinds.items() for example in rule.examples}
        near = nearest(name, kinds, most=1)
        if not near:
            return f"it is like no rule of {listed(self.kinds)}"
        return f"it follows no rule; the nearest is {kinds[near[0]]}, as in {near[0]}"
