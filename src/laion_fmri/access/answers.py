"""What an access service answers with."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, SecretStr

Sha256 = Annotated[str, Field(pattern="^[0-9a-fA-F]{64}$")]


class _Answer(BaseModel):
    """Base of all answers: what we do not know is left aside, and mistakes are told without the values."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)


class ServedFile(_Answer):
    """A file that the service gives.

    Attributes
    ----------
    name : str
        Its name.
    size : int
        Bytes.
    sha256 : str
        Hexadecimal digest of its bytes.
    """

    name: str
    size: Annotated[int, Field(ge=0)]
    sha256: Sha256


class Manifest(_Answer):
    """What an access service has, and the version of the terms under which it gives it.

    Attributes
    ----------
    dataset : str, optional
        Name of the dataset.
    current_terms_version : str
        Version of the terms.
    versions : tuple of str
        Versions of the files.
    files : tuple of ServedFile
        The files.
    """

    dataset: str | None = None
    current_terms_version: str
    versions: tuple[str, ...] = ()
    files: tuple[ServedFile, ...]

    def file(self, name: str) -> ServedFile | None:
        """Return what is said of a file, if anything is."""
        return next((file for file in self.files if file.name == name), None)


class Link(ServedFile):
    """A file that the service gives, and where it is for a while.

    Attributes
    ----------
    url : SecretStr
        Signed address, which opens the file to whoever has it.
    """

    url: SecretStr


class Grant(_Answer):
    """The links of an agreement.

    Attributes
    ----------
    request_id : SecretStr, optional
        Identifier of a new agreement.
    status : str, optional
        ``"pending"`` as long as the service has not decided.
    expires_at : str, optional
        Until when the links are good.
    files : tuple of Link
        The links.
    """

    request_id: SecretStr | None = None
    status: str | None = None
    expires_at: str | None = None
    files: tuple[Link, ...] = ()

    @property
    def pending(self) -> bool:
        """Whether the service decides later."""
        return self.status == "pending"

    def link(self, name: str) -> Link | None:
        """Return the link of a file, if there is one."""
        return next((link for link in self.files if link.name == name), None)
