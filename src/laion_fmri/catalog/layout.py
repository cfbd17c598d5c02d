"""What reading a file gives: an array, or a table whose cells are checked."""

import re
from typing import Annotated, Literal, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from laion_fmri.catalog.entities import Strict
from laion_fmri.catalog.image_names import ImageNames
from laion_fmri.catalog.words import did_you_mean

Intensity = Annotated[int, Field(ge=0, le=255)]


class Reference(Strict):
    """A column of another table, in which every cell has to stand.

    Attributes
    ----------
    join : str
        The join that has the other table. Read where it is here; neither fetched nor missed where it is not.
    column : str
        The column of that table.
    """

    join: str
    column: str


class Column(Strict):
    """A column of a table.

    Attributes
    ----------
    dtype : {"str", "int64", "float64", "bool"}
        Type of its values.
    description : str
        One sentence.
    values : tuple of str
        The only values that there are, as the file writes them; any where left out.
    names : ImageNames, optional
        Rules that its cells follow as names of images.
    owner : str, optional
        Entity of the file: an image that only one subject saw has to be that of this subject.
    counts : bool
        Whether it counts the rows of a file from 0.
    known_in : Reference, optional
        Where its cells have to stand too.
    """

    dtype: Literal["str", "int64", "float64", "bool"]
    description: str
    values: tuple[str, ...] = ()
    names: ImageNames | None = None
    owner: str | None = None
    counts: bool = False
    known_in: Reference | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.names and self.dtype != "str":
            raise ValueError("names are text; write dtype: str")
        if self.owner and not self.names:
            raise ValueError("only names of images have an owner; give names too")
        if self.known_in and self.dtype != "str":
            raise ValueError("what is known in another table is text; write dtype: str")
        if self.counts and self.dtype != "int64":
            raise ValueError("a column that counts rows takes dtype: int64")
        if self.values and self.dtype not in ("str", "int64"):
            raise ValueError("values are listed of text and whole numbers only")
        if self.dtype == "int64" and not all(re.fullmatch("-?[0-9]+", value) for value in self.values):
            raise ValueError("values of dtype int64 are whole numbers")
        return self


class StoredArray(Strict):
    """An array of a file that is read whole.

    Attributes
    ----------
    dims : tuple of str
        Names of its dimensions, in order.
    units : str, optional
        Units of its values.
    description : str
        One sentence.
    """

    dims: tuple[str, ...]
    units: str | None = None
    description: str


class Layout(Strict):
    """What ``read()`` returns: dimensions, type and units, or columns.

    Attributes
    ----------
    dims : tuple of str
        Names of the dimensions, in order.
    dtype : str, optional
        NumPy type of an array.
    units : str, optional
        Units of an array.
    columns : dict of str to Column
        Columns of a table.
    key : tuple of str
        Columns of a table that together tell its rows apart: no two rows of a file agree in all of them.
    datasets : dict of str to str
        Where an HDF5 file holds what the loader reads: name of a dataset by its role.
    background : tuple of int, optional
        Colour on which transparent images are shown: red, green and blue, 0 to 255.
    names : ImageNames, optional
        Rules that names follow as names of images: those of the rows of an HDF5 file, or those in a split.
    arrays : dict of str to StoredArray
        What is known of the arrays of an HDF5 file that is read whole, by the name of the dataset; it may have others.
    """

    dims: tuple[str, ...]
    dtype: str | None = None
    units: str | None = None
    columns: dict[str, Column] = Field(default={})
    key: tuple[str, ...] = ()
    datasets: dict[str, str] = Field(default={})
    background: tuple[Intensity, Intensity, Intensity] | None = None
    names: ImageNames | None = None
    arrays: dict[str, StoredArray] = Field(default={})

    @field_validator("key")
    @classmethod
    def _of_columns(cls, key: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        columns: dict[str, Column] = info.data.get("columns", dict.fromkeys(key))
        for name in key:
            if name not in columns:
                raise ValueError(f"there is no column {name}{did_you_mean(name, columns)}")
        return key
