"""A web service that gives files to those who have agreed to its terms."""

import re
from typing import Annotated

from pydantic import AfterValidator, Field

from laion_fmri.catalog.addresses import Addressed
from laion_fmri.catalog.entities import Strict


def _below(path: str) -> str:
    if not re.fullmatch("[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)*", path):
        raise ValueError(f"{path} is no path below the address of the service; write it like api/v1/manifest")
    return path


Below = Annotated[str, AfterValidator(_below)]


class Endpoints(Strict):
    """Where a service answers programs, below its address.

    Attributes
    ----------
    manifest : str
        What there is: names, sizes and checksums, and the version of the terms; for everybody.
    request : str
        Takes a filled-in form.
    refresh : str
        Takes the identifier of an agreement, and gives new links.
    """

    manifest: Below
    request: Below
    refresh: Below


class Pages(Strict):
    """What a service shows people, below its address.

    Attributes
    ----------
    terms, privacy, takedown : str
        Terms of use, privacy notice, and whom to ask to take an image down.
    request : str
        The form, for a browser.
    accept : str
        Where changed terms are accepted.
    """

    terms: Below
    privacy: Below
    takedown: Below
    request: Below
    accept: Below


class Service(Addressed):
    """A service that gives files under an agreement.

    Attributes
    ----------
    name : str
        Short name; the environment variable ``LAION_FMRI_<NAME>_URL`` stands in for `url`.
    url : str
        Its address.
    hosts : tuple of str
        Hosts that its links may lead to, beside its own.
    version : str
        Version of the files that are asked for.
    lifetime : int
        Seconds for which a link is good.
    timeout : float
        Seconds that an answer may take.
    endpoints : Endpoints
        Where it answers programs.
    pages : Pages
        What it shows people.
    """

    version: str
    lifetime: Annotated[int, Field(gt=0)]
    timeout: Annotated[float, Field(gt=0)] = 30
    endpoints: Endpoints
    pages: Pages
