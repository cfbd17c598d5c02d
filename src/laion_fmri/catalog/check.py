"""Reading a catalog file whole, with every mistake of it at once."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from pathlib import Path as File

from pydantic import ValidationError

from laion_fmri.catalog.entities import Strict
from laion_fmri.catalog.lines import Lines, Path, Problem, read_yaml
from laion_fmri.catalog.messages import pydantic_problems
from laion_fmri.catalog.models import CatalogFile
from laion_fmri.catalog.references import reference_problems
from laion_fmri.errors import CatalogError


def _build(models: Iterable[type[Strict]]) -> None:
    for model in models:
        model.model_rebuild()
        _build(model.__subclasses__())


# What the models put off is built here, where it is needed, and at once: some versions of pydantic build it wrongly
# in several threads, and an import is one.
_build(Strict.__subclasses__())


def read_catalog(path: File, loaders: Collection[str] | None = None) -> CatalogFile:
    """Read and check a catalog file.

    Parameters
    ----------
    path : Path
        A YAML file.
    loaders : collection of str, optional
        Names that an entry's ``loader`` may have; not looked at where left out.

    Returns
    -------
    CatalogFile
        The checked model.

    Raises
    ------
    CatalogError
        With one ``file:line: path: message`` for every mistake.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise CatalogError([f"{path}: cannot be read: {error.strerror}"]) from None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise CatalogError([f"{path}:{line}: is not UTF-8 text: {error.reason}; save it as UTF-8"]) from None
    model, problems = check_catalog(text, path.parent, loaders)
    if model is None or problems:
        raise CatalogError([problem.render(str(path)) for problem in problems])
    return model


def check_catalog(
    text: str, folder: File, loaders: Collection[str] | None = None
) -> tuple[CatalogFile | None, list[Problem]]:
    """Check the text of a catalog whose long texts lie in `folder`; problems come in the order of lines."""
    data, lines, problems = read_yaml(text)
    if not problems and not isinstance(data, dict):
        problems = [Problem(1, (), "a catalog is a mapping with name, description, x-definitions and sources")]
    if not isinstance(data, dict):
        return None, problems
    told = {lines.home(problem.path) for problem in problems}
    model = None
    try:
        model = CatalogFile.model_validate(data)
    except ValidationError as error:
        problems += _untold(pydantic_problems(error, lines), lines, told)
    references = reference_problems(data, folder, loaders)
    problems += _untold((Problem(lines.of(path), path, message) for path, message in references), lines, told)
    return model, sorted(_once(problems, lines), key=lambda problem: problem.line)


def _untold(found: Iterable[Problem], lines: Lines, told: Collection[Path]) -> Iterator[Problem]:
    """Leave out what follows from an earlier problem with the same value, or with the block that lacks it."""
    for problem in found:
        home = lines.home(problem.path)
        if home not in told and not (problem.message == "is missing" and home[:-1] in told):
            yield problem


def _once(problems: Iterable[Problem], lines: Lines) -> list[Problem]:
    """Drop repeats: a block that aliases put in many places is wrong once."""
    first: dict[tuple[object, str], Problem] = {}
    for problem in problems:
        first.setdefault((lines.home(problem.path), problem.message), problem)
    return list(first.values())
