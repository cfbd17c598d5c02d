"""What to tell somebody whose files are not here, with the command that fetches them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from laion_fmri.catalog.entities import ALL
from laion_fmri.catalog.models import FileSpec, Join
from laion_fmri.catalog.templates import fields


def missing_text(
    name: str,
    files: FileSpec,
    chosen: Mapping[str, tuple[str, ...] | None],
    missing: Sequence[tuple[Path, Mapping[str, str]]],
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
    return f"{what}{place}; run: {download_command(name, files, known)}"


def download_command(name: str, files: FileSpec, known: Sequence[Mapping[str, str]]) -> str:
    """Return the command that fetches files: for the shell, or for Python where no tree of a subject has them.

    The shell takes one subject at a time: the files of the first.
    """
    tree, scope = files.tree, fields(files.tree.prefix or "")
    if tree.command:
        chosen = list(dict.fromkeys(values[tree.choice] for values in known)) if tree.choice else []
        return " ".join([f"laion-fmri {tree.command}", *([f"--{tree.choice}", *chosen] if chosen else [])])
    if not scope:
        return f"laion_fmri.open_catalog().{name}().download()"
    alike = [values for values in known if all(values[one] == known[0][one] for one in scope)]
    flags = []
    for one in known[0]:
        wanted = dict.fromkeys(values[one] for values in alike if values[one] != ALL)
        if wanted and (one in scope or one in tree.filters):
            flags.append(f"--{one} {' '.join(wanted)}")
    include = [f"--{tree.flag.replace('_', '-')}"] if tree.flag else []
    return " ".join(["laion-fmri download", *flags, *include])
