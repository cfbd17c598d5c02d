"""The grammar of entities: which values there are and what a caller's value means.

An entity is a BIDS key with its values (``ses-01``), the suffix or the extension of a file name
(BIDS 1.10, https://bids-specification.readthedocs.io, "Filenames"), a folder without a key, a name that is not of
BIDS, or the rest of a path below a folder.
"""

import contextlib
import operator
import re
from collections.abc import Iterable, Set
from functools import cached_property
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, model_validator

from laion_fmri.catalog.values import (
    ALL,
    ANY_PATH,
    MOST_DIGITS,
    Aliases,
    Default,
    Pattern,
    Range,
    Values,
    numbers_or_values,
)
from laion_fmri.catalog.words import listed, nearest
from laion_fmri.errors import SelectionError

__all__ = ["ALL", "Entity", "Strict", "Waiver", "one_or_many"]


class Strict(BaseModel):
    """Base of every part of a catalog: unknown keys are refused, nothing can be changed."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    def __getstate__(self) -> dict[Any, Any]:
        """Return what the catalog says, without what was computed of it."""
        fields = {name: value for name, value in self.__dict__.items() if name in type(self).model_fields}
        return {**super().__getstate__(), "__dict__": fields}


class Waiver(Strict):
    """Files that a filter does not test, as long as another filter is on.

    Attributes
    ----------
    value : str
        Value of the entity that the files have.
    when : str
        The other filter.
    """

    value: str
    when: str


class Entity(Strict):
    """What may stand for one entity.

    Attributes
    ----------
    description : str
        One sentence.
    key : str, optional
        Key in file names (``sub``); the name of the entity where left out.
    kind : {"key", "suffix", "extension", "name", "path"}
        Which part of a file name holds it; a name is that of a folder or a file as a whole, and may have ``_`` in it;
        a path is all that follows a folder, with the ``/`` in it.
    values, range, pattern
        The values: a list, the first and the last of zero-padded numbers, or a regular expression
        for a list that only the remote knows. Exactly one of the three; of a path, pattern or nothing, which is
        any path.
    aliases : dict
        Other names of values.
    absent : str, optional
        Special filter value that selects the files without the entity.
    match : {"permissive", "strict", "exact"}
        What a filter does with a file that lacks the entity: keep it, drop it, or (suffix and extension)
        compare its empty text.
    waived : Waiver, optional
        Files that the filter leaves alone.
    default : str, optional
        Taken where the caller names none.
    strip : str
        Characters of the value that local file names leave out.
    """

    description: str
    key: str | None = None
    kind: Literal["key", "suffix", "extension", "name", "path"] = "key"
    values: Values = ()
    range: Range | None = None
    pattern: Pattern | None = None
    aliases: Aliases = {}
    absent: str | None = None
    match: Literal["permissive", "strict", "exact"] = "permissive"
    waived: Waiver | None = None
    default: Default | None = None
    strip: str = ""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.kind == "path":
            if self.values or self.range or self.aliases or self.match != "permissive" or self.strip:
                raise ValueError("a path takes no values, range, aliases, match and strip")
        elif sum(map(bool, (self.values, self.range, self.pattern))) != 1:
            raise ValueError("give exactly one of values, range and pattern")
        if (self.kind in ("suffix", "extension")) != (self.match == "exact"):
            raise ValueError("a suffix or an extension takes match: exact, a key permissive or strict")
        if self.absent and self.match != "strict":
            raise ValueError("absent has a meaning with match: strict only")
        if self.waived and self.kind != "extension":
            raise ValueError("waived has a meaning with kind: extension only")
        return self

    @cached_property
    def known(self) -> tuple[str, ...]:
        """All values; empty where only the remote knows them."""
        return numbers_or_values({"range": self.range, "values": self.values})

    @property
    def is_open(self) -> bool:
        """Whether only the remote knows the values."""
        return not self.known

    @cached_property
    def regex(self) -> str:
        """Regular expression of one value."""
        known = "|".join(map(re.escape, sorted(self.known, key=len, reverse=True)))
        return self.pattern or known or ANY_PATH

    @property
    def form(self) -> str:
        """What a value that only the remote knows looks like, for people."""
        return self.pattern or "folder/name, without . and .. between the slashes"

    def key_of(self, name: str) -> str:
        """Return the key that file names use for the entity called `name`."""
        return self.key or name

    def bare(self, name: str, value: str) -> str:
        """Return a value without its key (``ses-04`` is ``04``) and with its alias resolved."""
        if self.kind == "key":
            value = value.removeprefix(f"{self.key_of(name)}-")
        return self.aliases.get(value, value)

    def choose(self, name: str, value: Any) -> tuple[str, ...]:
        """Return the values that a caller's value means.

        Parameters
        ----------
        name : str
            Name of the entity, for messages and the key.
        value : str, int or iterable of those
            ``3``, ``"3"``, ``"03"`` and ``"sub-03"`` mean the same; ``"all"`` alone means every value.

        Returns
        -------
        tuple of str
            Without repeats, in the order asked for (sorted for a set); ``("all",)`` for all values of an open
            entity.

        Raises
        ------
        SelectionError
            If a value is none of the known ones, naming the nearest.

        Examples
        --------
        >>> ses = Entity(description="Session.", range=("01", "30"))
        >>> ses.choose("ses", [1, "ses-02", "02"])
        ('01', '02')
        """
        if isinstance(value, str) and value == ALL:
            return (ALL,) if self.is_open else self.known
        chosen = list(dict.fromkeys(self._one(name, one) for one in one_or_many(value)))
        if not chosen:
            raise SelectionError(f"{name}={value!r} selects nothing; name a value or leave {name} out")
        return tuple(sorted(chosen) if isinstance(value, Set) else chosen)

    def _one(self, name: str, value: Any) -> str:
        text = self.bare(name, value if isinstance(value, str) else _integer_text(name, value))
        if text == ALL:
            raise SelectionError(f'{name}: "{ALL}" stands alone; leave the other values or "{ALL}" out')
        if text.isdecimal() and text not in self.known:
            text = self._padded(text)
        text = text.translate(dict.fromkeys(map(ord, self.strip)))
        self.check(name, text, self.known)
        return text

    def _padded(self, number: str) -> str:
        """Return the value that is this number with other zeros before it; the number itself where there is none."""
        if self.is_open:
            longer = (number.zfill(width) for width in range(len(number), MOST_DIGITS + 1))
            return next((text for text in longer if re.fullmatch(self.regex, text)), number)
        return next((value for value in self.known if value.lstrip("0") == number.lstrip("0")), number)

    def check(self, name: str, value: str, known: Iterable[str]) -> None:
        """Raise SelectionError, naming the nearest values, unless `value` is possible."""
        known = tuple(known)
        if value in known:
            return
        if not self.is_open:
            near = nearest(value, known)
            hint = f"; did you mean {' or '.join(map(repr, near))}?" if near else ""
            raise SelectionError(f"{name}={value!r} is not one of {listed(known)}{hint}")
        if not re.fullmatch(self.regex, value):
            raise SelectionError(f"{name}={value!r} is not a possible value; it must look like {self.form}")


def one_or_many(value: Any) -> list[Any]:
    """Return the members of a collection, or a list of the one value; text and bytes are one value."""
    if isinstance(value, str | bytes):
        return [value]
    try:
        return list(value)
    except TypeError:
        return [value]


def _integer_text(name: str, value: Any) -> str:
    if not isinstance(value, bool):
        with contextlib.suppress(TypeError):
            return str(operator.index(value))
    kind = type(value).__name__
    raise SelectionError(f"{name}={value!r} is of type {kind}; give text, an integer or a list of those")
