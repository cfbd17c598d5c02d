"""Addresses on the web, and what stands in for them."""

import re
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator

from laion_fmri.catalog.entities import Strict


def _short(name: str) -> str:
    if not re.fullmatch("[a-z][a-z0-9_]*", name):
        raise ValueError(f"{name} is no short name: lower-case letters, digits and underscores, a letter first")
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


class Addressed(Strict):
    """Something with an address.

    Attributes
    ----------
    name : str
        Short name; the environment variable ``LAION_FMRI_<NAME>_URL`` stands in for `url`.
    url : str
        The address.
    hosts : tuple of str
        Hosts that it may lead to, beside its own.
    """

    name: Annotated[str, AfterValidator(_short)]
    url: Annotated[str, AfterValidator(_address)]
    hosts: tuple[Annotated[str, AfterValidator(_host)], ...] = ()

    @property
    def variable(self) -> str:
        """Environment variable that stands in for the address."""
        return f"LAION_FMRI_{self.name.upper()}_URL"
