"""Whether the names in a catalog name something: fields, filters, joins, files, artifacts.

Works on the plain data of the file, so that one mistake in a block does not hide the others.
"""

from __future__ import annotations

import contextlib
import itertools
import keyword
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path as File
from typing import Any

from pydantic import TypeAdapter, ValidationError

from laion_fmri.catalog import templates
from laion_fmri.catalog.entities import Entity
from laion_fmri.catalog.lines import Path
from laion_fmri.catalog.words import did_you_mean

Found = Iterator[tuple[Path, str]]

_ENTITIES = TypeAdapter(dict[str, Entity])
_TOP = "x-definitions"
_JOINS = ((_TOP, "joins", "*"), ("sources", "*", "args", "joins", "*"))
_NAMES_OF = {
    "entity": (
        (_TOP, "entities", "*", "waived", "when"),
        (_TOP, "trees", "*", "filters", "*"),
        (_TOP, "trees", "*", "choice"),
        (_TOP, "trees", "*", "forced", "*", "when"),
        (_TOP, "remotes", "*", "held_out", "entity"),
        (_TOP, "discovery", "subjects", "entity"),
        (_TOP, "discovery", "rois", "entity"),
        (_TOP, "discovery", "rois", "category"),
    ),
    "artifact": ((_TOP, "discovery", "rois", "artifact"), *((*join, "artifact") for join in _JOINS)),
    "tree": (("sources", "*", "args", "tree", "name"), *((*join, "tree", "name") for join in _JOINS)),
    "loader": (("sources", "*", "args", "loader"),),
}
_OPTIONS_OF_JOINS = ("mask_source", "nc")
# Attributes of intake's YAMLFileCatalog: an artifact so named could not be reached.
_RESERVED = """
access add auth autoreload cat classname close configure_new container describe description discover dtype entry
filesystem filter force_reload from_dict get getenv getshell gui has_been_persisted is_persisted items keys kwargs
metadata model name name_from_path npartitions on_server parse partition_access path pmode pop read read_chunked
read_partition reload save search serialize shape storage_options text to_dask to_spark ttl updated user_parameters
values version walk yaml
"""


def reference_problems(data: Any, folder: File, loaders: Collection[str] | None) -> Found:
    """Yield the path and the text of every mistake in how the parts of a catalog go together.

    Parameters
    ----------
    data : object
        Plain data of the file, right or wrong.
    folder : Path
        Where its long texts lie.
    loaders : collection of str, optional
        Names that an entry's ``loader`` may have; not looked at where left out.
    """
    known = {
        "entity": [path[-1] for path, _ in find(data, _TOP, "entities", "*")],
        "artifact": [path[-1] for path, _ in find(data, "sources", "*")],
        "tree": [name for _, name in find(data, _TOP, "trees", "*", "name")],
        "loader": [*(loaders or ())],
    }
    for kind, found in known.items():
        names = [name for name in found if isinstance(name, str)]
        if names:
            yield from _unknown(data, kind, names)
    yield from _artifact_names(data)
    yield from _misfits(data)
    yield from _owners(data)
    yield from _tree_templates(data)
    yield from _path_filters(data)
    yield from _joined_paths(data)
    yield from _chosen_joins(data)
    yield from _joined_remotes(data)
    yield from _name_filters(data)
    yield from _texts(data, folder)
    yield from _shared_keys(data)


def find(data: Any, *pattern: str) -> Iterator[tuple[Path, Any]]:
    """Yield every value at a place, with its path; ``*`` stands for every key and every position.

    Examples
    --------
    >>> list(find({"a": {"x": [1, 2]}, "b": 3}, "*", "x", "*"))
    [(('a', 'x', 0), 1), (('a', 'x', 1), 2)]
    """
    if not pattern:
        yield (), data
        return
    members: Any = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, value in members:
        if pattern[0] in ("*", key):
            for path, found in find(value, *pattern[1:]):
                yield (key, *path), found


def _unknown(data: Any, kind: str, known: Collection[str]) -> Found:
    for pattern in _NAMES_OF[kind]:
        for path, name in find(data, *pattern):
            if isinstance(name, str) and name not in known:
                yield path, f"there is no {kind} {name}{did_you_mean(name, known)}"


def _artifact_names(data: Any) -> Found:
    for path, _ in find(data, "sources", "*"):
        name = str(path[-1])
        if name in _RESERVED.split() or name.startswith("_"):
            yield path, "a catalog has an attribute of this name; call the artifact something else"
        elif not name.isidentifier() or keyword.iskeyword(name):
            yield path, "the name of an artifact is letters, digits and underscores, so that cat.NAME works"


def _misfits(data: Any) -> Found:
    for path, spec in _specs(data, ("sources", "*", "args"), *_JOINS):
        options = spec.get("options")
        entities = spec["entities"]
        paths = [name for name, entity in entities.items() if isinstance(entity, dict) and entity.get("kind") == "path"]
        for place, message in templates.misfits(
            entities, paths, spec["path"], options if isinstance(options, dict) else ()
        ):
            yield (*path, *place), message


def _specs(data: Any, *patterns: tuple[str, ...]) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Yield the blocks that have entities and paths of the right shape."""
    for path, spec in itertools.chain.from_iterable(find(data, *pattern) for pattern in patterns):
        if isinstance(spec, dict) and isinstance(spec.get("entities"), dict) and _templates(spec):
            yield path, spec


def _templates(spec: Mapping[str, Any]) -> list[str]:
    path = spec.get("path")
    paths: list[Any] = path if isinstance(path, list) else [path]
    texts = [one for one in paths if isinstance(one, str)]
    return texts if len(texts) == len(paths) else []


def _tree_templates(data: Any) -> Found:
    entities = {path[-1] for path, _ in find(data, _TOP, "entities", "*")}
    named = (name for _, name in find(data, _TOP, "discovery", "subjects", "entity"))
    subject = [name for name in named if isinstance(name, str) and name in entities]
    for pattern in (("prefix",), ("forced", "*", "path")):
        for path, template in find(data, _TOP, "trees", "*", *pattern):
            for field in templates.fields(template) if isinstance(template, str) else ():
                if subject and field not in subject:
                    yield path, f"a tree is listed for one {subject[0]} at a time; {{{field}}} cannot stand here"
    for path, tree in find(data, _TOP, "trees", "*"):
        for place, template in find(tree, "files", "*"):
            for field in templates.fields(template) if isinstance(template, str) else ():
                if field != tree.get("choice"):
                    yield (*path, *place), f"{{{field}}} is not the choice of the tree"


def _owners(data: Any) -> Found:
    names = [name for _, name in find(data, _TOP, "discovery", "subjects", "entity") if isinstance(name, str)]
    for path, block in find(data, _TOP, "entities", *names):
        with contextlib.suppress(ValidationError):
            subject = Entity.model_validate(block)
            known = [f"{subject.key_of(str(path[-1]))}-{value}" for value in subject.known]
            for place, owner in find(data, _TOP, "image_names", "owners", "*"):
                if known and isinstance(owner, str) and owner not in known:
                    yield place, f"{owner} is no subject{did_you_mean(owner, known)}"


def _path_filters(data: Any) -> Found:
    for path, name in find(data, _TOP, "trees", "*", "filters", "*"):
        if "path" in (kind for _, kind in find(data, _TOP, "entities", str(name), "kind")):
            yield path, f"{name} is the rest of a path, which filters do not look at"


def _joined_paths(data: Any) -> Found:
    paths = {path[1]: _templates(args) for path, args in _specs(data, ("sources", "*", "args"))}
    for path, join in _specs(data, *_JOINS):
        artifact = join.get("artifact")
        if isinstance(artifact, str) and artifact in paths and not {*_templates(join)} <= {*paths[artifact]}:
            yield (*path, "path"), f"is no path of artifact {artifact}"


def _chosen_joins(data: Any) -> Found:
    for path, joins in find(data, "sources", "*", "args", "joins"):
        for option in _OPTIONS_OF_JOINS:
            for place, join in find(data, "sources", str(path[1]), "args", "options", option, "choices", "*"):
                if isinstance(joins, dict) and isinstance(join, str) and join not in joins:
                    yield place, f"there is no join {join}{did_you_mean(join, joins)}"


def _joined_remotes(data: Any) -> Found:
    remotes = {path[1]: remote for path, remote in find(data, "sources", "*", "args", "remote")}
    for path, artifact in find(data, "sources", "*", "args", "joins", "*", "artifact"):
        if isinstance(artifact, str) and remotes.get(artifact, remotes.get(path[1])) != remotes.get(path[1]):
            yield path[:-1], f"{artifact} comes from another remote than {path[1]}; a download has one"


def _name_filters(data: Any) -> Found:
    names = [path[2] for path, kind in find(data, _TOP, "entities", "*", "kind") if kind == "name"]
    for path, entity in find(data, _TOP, "trees", "*", "filters", "*"):
        if entity in names:
            yield path, f"{entity} is a name without a key, which no filter finds"


def _texts(data: Any, folder: File) -> Found:
    for path, text in find(data, _TOP, "access", "*", "text"):
        if isinstance(text, str) and not (folder / text).is_file():
            yield path, f"there is no file {text} beside the catalog"


def _shared_keys(data: Any) -> Found:
    claims = []
    for path, args in _specs(data, ("sources", "*", "args")):
        with contextlib.suppress(ValidationError):
            claims.append((path, _templates(args), _ENTITIES.validate_python(args["entities"])))
    for (path, mine, entities), (other, theirs, others) in itertools.combinations(claims, 2):
        for one, template in itertools.product(mine, theirs):
            if _overlap(one, entities, template, others):
                yield (*other, "path"), f"claims keys that {path[1]} claims too: {template}"


def _overlap(one: str, mine: Mapping[str, Entity], other: str, theirs: Mapping[str, Entity]) -> bool:
    known = set(templates.fields(one)) <= set(mine) and set(templates.fields(other)) <= set(theirs)
    return known and templates.overlap(one, mine, other, theirs)
