"""Where data comes from."""

from typing import Annotated, Literal

from pydantic import Field

from laion_fmri.catalog.addresses import Addressed
from laion_fmri.catalog.entities import Strict


class Exempt(Strict):
    """Keys that a held-out rule does not cover.

    Attributes
    ----------
    prefix : str
        Beginning of the keys.
    contains : tuple of str
        What they contain, at least one of these.
    """

    prefix: str
    contains: tuple[str, ...]


class HeldOut(Strict):
    """Data that the remote lists and gives to nobody: keys with a folder of these entity values.

    Attributes
    ----------
    entity : str
        The entity that tells.
    values : tuple of str
        Its values that are held out.
    except : tuple of Exempt
        Keys that are public all the same.
    """

    entity: str
    values: tuple[str, ...]
    exempt: tuple[Exempt, ...] = Field(default=(), alias="except")


class S3Remote(Strict):
    """An S3 bucket.

    Attributes
    ----------
    kind : {"s3"}
        What the remote is.
    bucket : str
        Name of the bucket.
    region : str
        Region of the bucket.
    anonymous : bool
        Whether it is public; otherwise the credentials that boto3 finds are used.
    held_out : HeldOut, optional
        What it lists and gives to nobody.
    """

    kind: Literal["s3"]
    bucket: str
    region: str
    anonymous: bool = True
    held_out: HeldOut | None = None

    @property
    def url(self) -> str:
        """``s3://`` address of the bucket."""
        return f"s3://{self.bucket}"


class HttpsRemote(Addressed):
    """Files of a web server, each at the address of its key. It lists nothing: the catalog names all values.

    Attributes
    ----------
    kind : {"https"}
        What the remote is.
    name : str
        Short name; the environment variable ``LAION_FMRI_<NAME>_URL`` stands in for `url`.
    url : str
        Address below which the keys lie.
    hosts : tuple of str
        Hosts that the server may redirect to, beside its own.
    """

    kind: Literal["https"]

    @property
    def held_out(self) -> None:
        """Nothing: such a remote lists nothing that it does not give."""
        return None


Remote = Annotated[S3Remote | HttpsRemote, Field(discriminator="kind")]
