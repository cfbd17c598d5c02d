"""What to tell somebody whose files are not here, with the command that fetches them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from laion_fmri.catalog.entities import ALL
from laion_fmri.catalog.filters import name_parts
from laion_fmri.catalog.models import FileSpec, Join
from laion_fmri.catalog.templates import fields
from laion_fmri.catalog.words import did_you_mean, listed

Chosen = Mapping[str, tuple[str, ...] | None]

_SUFFIX = "suffix"


def lost_value(found: Iterable[Mapping[str, str]], chosen: Chosen) -> dict[str, tuple[str, ...]]:
    """Return the first value that was asked for by name and that no file has, by its entity; nothing if all have one.

    Examples
    --------
    >>> lost_value([{"run": "01"}], {"run": ("01", "02")})
    {'run': ('02',)}
    """
    files = list(found)
    for name, values in chosen.items():
        for value in values or ():
            if value != ALL and all(one[name] != value for one in files):
                return {name: (value,)}
    return {}


def missing_text(
    name: str,
    files: FileSpec,
    chosen: Chosen,
    missing: Sequence[tuple[Path, Mapping[str, str]]],
    here: Callable[[Chosen], Iterable[Mapping[str, str]]],
) -> str:
    """Return the message for files of an artifact, or of one of its joins, that are not here.

    Parameters
    ----------
    name : str
        The artifact that is read.
    files : FileSpec
        It itself, or the join that misses files.
    chosen : mapping
        The values asked for.
    missing : sequence of (Path, mapping)
        The files and their entity values; empty where only the remote knows which there are.
    here : callable
        Returns the entity values of the files of a choice that are here.
    """
    known = [values for _, values in missing] or [
        {entity: values[0] for entity in files.entities if (values := chosen.get(entity))}
    ]
    where = ", ".join(f"{entity} {value}" for entity, value in known[0].items() if value != ALL)
    who = f" of {where}" if where else ""
    more = f" (and {len(missing) - 1} more)" if len(missing) > 1 else ""
    place = f": {missing[0][0]}{more}" if missing else ""
    if isinstance(files, Join):
        what = f"{name} needs {files.artifact}{who}, which is not downloaded"
    else:
        what = f"{name}{who} is not downloaded"
    return f"{what}{place}{_others(files, chosen, here)} run: {download_command(name, files, known)}"


def _others(files: FileSpec, chosen: Chosen, here: Callable[[Chosen], Iterable[Mapping[str, str]]]) -> str:
    """Return which other values are here of an entity that has a value which only the remote may know."""
    for name, entity in files.entities.items():
        values = chosen.get(name)
        if entity.is_open and values and values != (ALL,):
            found = sorted({one[name] for one in here({**chosen, name: (ALL,)})} - {*values})
            hint = did_you_mean(values[0], found)
            if found:
                return f"; of {name}, {listed(found)} {'is' if len(found) == 1 else 'are'} here" + (
                    f"{hint} Otherwise" if hint else ";"
                )
    return ";"


def download_command(name: str, files: FileSpec, known: Sequence[Mapping[str, str]]) -> str:
    """Return the command that fetches files: for the shell, or for Python where no tree of a subject has them.

    The shell takes one subject at a time: the files of the first.
    """
    tree = files.tree
    if tree.command and not tree.by_filters:
        return " ".join([f"laion-fmri {tree.command}", *_flags(files, known)])
    if not tree.scope:
        return f"laion_fmri.open_catalog().{name}().download()"
    alike = [values for values in known if all(values[one] == known[0][one] for one in tree.scope)]
    flags = []
    for one in known[0]:
        wanted = dict.fromkeys(values[one] for values in alike if values[one] != ALL)
        if wanted and (one in tree.scope or one in tree.filters):
            flags.append(f"--{one} {' '.join(wanted)}")
    if tree.by_filters:
        return " ".join([f"laion-fmri {tree.command}", *flags, *_by_suffix(files)])
    include = [f"--{tree.flag.replace('_', '-')}"] if tree.flag else []
    return " ".join(["laion-fmri download", *flags, *include])


def _flags(files: FileSpec, known: Sequence[Mapping[str, str]]) -> list[str]:
    """Return the flags that name the values of files; an entity needs none where all of its values are wanted."""
    flags = []
    for name, entity in files.entities.items():
        wanted = list(dict.fromkeys(values[name] for values in known if name in values))
        if wanted and ALL not in wanted and set(wanted) != set(entity.known):
            flags.append(f"--{name} {' '.join(wanted)}")
    return flags


def _by_suffix(files: FileSpec) -> list[str]:
    """Return the filter on the suffix of files, if the tree has it and all of them have the same."""
    suffixes = {name_parts(template)[0] for template in files.path}
    (suffix, *others) = suffixes
    constant = not others and not fields(suffix)
    return [f"--{_SUFFIX} {suffix}"] if constant and _SUFFIX in files.tree.filters else []
