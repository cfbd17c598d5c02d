"""What the names of the images say of them, by the rules of the catalog; needs no file."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from laion_fmri.catalog import load_catalog
from laion_fmri.catalog.image_names import ImageName, ImageNames
from laion_fmri.errors import SelectionError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["ImageName", "image_names_table", "ood_types", "parse_image_name"]

_DTYPES = {
    "kind": "str",
    "shared": "bool",
    "repetitions": "int64",
    "source": "str",
    "owner": "str",
    "batch": "str",
    "cluster": "Int64",
    "number": "Int64",
    "concept": "str",
    "ood": "bool",
    "ood_type": "str",
    "detail": "str",
    "encoding": "str",
}


def parse_image_name(name: str) -> ImageName:
    """Return what the name of an image says of it.

    Parameters
    ----------
    name : str
        File name of an image, as trial tables, embeddings, captions and masks write it.

    Raises
    ------
    UnknownNameError
        A KeyError and a ValueError, if the name follows no rule; it names the nearest.

    Examples
    --------
    >>> image = parse_image_name("unique_LAION_initial_cluster_2188_i6_p04.jpg")
    >>> image.source, image.owner, image.cluster, image.repetitions
    ('LAION', 'sub-03', 2188, 4)
    """
    return _rules().parse(name)


def image_names_table(names: Iterable[str]) -> pd.DataFrame:
    """Return what the names of images say, one row for each name.

    Parameters
    ----------
    names : iterable of str
        File names of images, in any order, with or without repeats: ``betas.label.values``, a column of a table.

    Returns
    -------
    DataFrame
        Row i belongs to name i. Columns: ``image_name``, then what `ImageName` has: ``kind``, ``shared``,
        ``repetitions``, ``source``, ``owner``, ``batch``, ``cluster``, ``number``, ``concept``, ``ood``, ``ood_type``,
        ``detail``, ``encoding``. Where a name does not say something, the cell is missing.

    Raises
    ------
    UnknownNameError
        If a name follows no rule.

    Examples
    --------
    >>> names = ["shared_4rep_NSD_special100_64.jpg", "shared_4rep_OOD_gaudy_gaudy-boy.jpg"]
    >>> image_names_table(names)[["source", "repetitions", "ood"]].values.tolist()
    [['NSD', 4, False], ['OOD', 4, True]]
    """
    import pandas as pd

    names = [names] if isinstance(names, str) else list(names)
    rules = _rules()
    images = {name: rules.parse(name) for name in dict.fromkeys(names)}
    rows = [images[name] for name in names]
    said = {column: pd.Series([getattr(row, column) for row in rows], dtype=dtype) for column, dtype in _DTYPES.items()}
    return pd.DataFrame({"image_name": pd.Series(names, dtype="str"), **said})


def ood_types() -> tuple[str, ...]:
    """Return the ways in which images are out of distribution.

    Examples
    --------
    >>> ood_types()[:3]
    ('shape', 'relations', 'unusual')
    """
    return tuple(_rules().ood_types)


def _rules() -> ImageNames:
    rules = load_catalog().definitions.image_names
    if rules is None:
        raise SelectionError("the catalog has no rules for the names of images: x-definitions.image_names is missing")
    return rules
