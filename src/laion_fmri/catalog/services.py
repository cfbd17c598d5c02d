"""A web service that gives files to those who have agreed to its terms."""

from __future__ import annotations

import re
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from laion_fmri.catalog.entities import Strict


def _short(name: str) -> str:
    if not re.fullmatch("[a-z][a-z0-9_]*", name):
        raise ValueError(f"{name} is no name of a service: lower-case letters, digits and underscores, a letter first")
    return name


def _address(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme != "https" or not parts.hostname or "@" in parts.netloc or parts.query or parts.fragment:
        raise ValueError(f"{url} is no https address without user, query and fragment; write https://HOST/PATH")
    return url.rstrip("/")


def _host(name: str) -> str:
    if not re.fullmatch(r"[a-z0-9-]+(\.[a-z0-9-]+)+", name):
        raise ValueError(f"{name} is no name of a host; write it like files.example.org")
    return name


def _below(path: str) -> str:
    if not re.fullmatch("[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)*", path):
        raise ValueError(f"{path} is no path below the address of the service; write it like api/v1/manifest")
    return path


Host = Annotated[str, AfterValidator(_host)]
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


class Service(Strict):
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

    name: Annotated[str, AfterValidator(_short)]
    url: Annotated[str, AfterValidator(_address)]
    hosts: tuple[Host, ...] = ()
    version: str
    lifetime: Annotated[int, Field(gt=0)]
    timeout: Annotated[float, Field(gt=0)] = 30
    endpoints: Endpoints
    pages: Pages

    @property
    def variable(self) -> str:
        """Environment variable that stands in for the address."""
        return f"LAION_FMRI_{self.name.upper()}_URL"
