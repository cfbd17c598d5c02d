"""Which hosts may be asked: those that are named, over https; plain http is for this machine."""

from __future__ import annotations

from collections.abc import Collection
from ipaddress import ip_address

from laion_fmri.errors import RemoteError
from laion_fmri.storage.answer import shown


def allowed(url: str, address: str, hosts: Collection[str]) -> str:
    """Return an address as it may be asked.

    Parameters
    ----------
    url : str
        The address.
    address : str
        What errors call it, or what led to it.
    hosts : collection of str
        Hosts that may be asked.

    Raises
    ------
    RemoteError
        If its host may not be asked, or not like this.
    """
    scheme, host, plain = _parts(url)
    if host not in hosts:
        other = host or shown(url)
        raise RemoteError(f"{address} leads to {other}, which is none of the hosts that may be asked")
    require_safe(scheme, host, address)
    return plain


def require_safe(scheme: str, host: str, address: str) -> None:
    """Raise RemoteError unless a host is asked over https, or is this machine."""
    if scheme != "https" and not (scheme == "http" and is_this_machine(host)):
        raise RemoteError(f"{address} leads to {host} over {scheme}; only https is safe on a network")


def _parts(url: str) -> tuple[str, str, str]:
    """Return scheme and host of an address, and it itself so that every other parser sees the same in it."""
    from urllib3.exceptions import LocationParseError
    from urllib3.util import parse_url

    try:
        parts = parse_url(url)
    except LocationParseError:
        return "", "", ""
    return (parts.scheme, (parts.host or "").strip("[]"), parts.url) if parts.scheme else ("", "", "")


def is_this_machine(host: str) -> bool:
    """Tell whether a host is this machine itself.

    Examples
    --------
    >>> is_this_machine("127.0.0.1"), is_this_machine("example.org")
    (True, False)
    """
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
