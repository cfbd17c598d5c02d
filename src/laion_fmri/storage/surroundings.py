"""What the environment says of connections: its proxies, and the certificates that it trusts."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from laion_fmri.errors import RemoteError

if TYPE_CHECKING:
    import ssl

    from urllib3 import PoolManager, ProxyManager

_WITH_SETTINGS = {"darwin", "win32"}  # systems that have proxies of their own, beside those of the environment
_BUNDLES = ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


def tls_context() -> ssl.SSLContext:
    """Return what certificates are checked with: those that the environment names, or those of the system."""
    import ssl

    named = _named()
    if named:
        variable, bundle = named
        folder = Path(bundle).is_dir()
        try:
            return ssl.create_default_context(cafile=None if folder else bundle, capath=bundle if folder else None)
        except OSError as error:
            raise RemoteError(
                f"{variable}={bundle} cannot be read as certificates ({error}); name a PEM file, or unset it"
            ) from error
    import certifi

    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    return context


def _named() -> tuple[str, str] | None:
    """Return the variable that names certificates, and what it names."""
    return next(((name, os.environ[name]) for name in _BUNDLES if os.environ.get(name)), None)


def authorities() -> tuple[str | None, str | None]:
    """Return where trusted certificates are for those who read them themselves: a file, a folder, or both.

    They are those that the environment names, or those of the system, or else those of certifi: one file, since libcurl
    reads that once, and anything else again for every connection.

    Raises
    ------
    RemoteError
        If what the environment names cannot be read.
    """
    named = _named()
    if named:
        tls_context()
        return (None, named[1]) if Path(named[1]).is_dir() else (named[1], None)
    from ssl import get_default_verify_paths

    import certifi

    found = get_default_verify_paths()
    return found.cafile or certifi.where(), found.capath if os.environ.get(found.openssl_capath_env) else None


def proxy_for(url: str) -> str:
    """Return the proxy of the environment for an address; none is ``""``."""
    if sys.platform not in _WITH_SETTINGS and not any(name.lower().endswith("_proxy") for name in os.environ):
        return ""  # without importing half of the standard library to hear it
    from urllib.request import getproxies, proxy_bypass

    parts = urlsplit(url)
    proxies = getproxies()
    proxy = proxies.get(parts.scheme) or proxies.get("all") or ""
    if not proxy or proxy_bypass(parts.hostname or ""):
        return ""
    return proxy if "://" in proxy else f"http://{proxy}"


def new_manager(proxy: str, connections: int, tls: ssl.SSLContext | None) -> PoolManager | ProxyManager:
    """Return what keeps connections: direct ones, or through a proxy, whose password may stand in its address."""
    from urllib3 import PoolManager, ProxyManager, make_headers

    if not proxy:
        return PoolManager(maxsize=connections, ssl_context=tls)
    parts = urlsplit(proxy)
    user = f"{parts.username}:{parts.password or ''}" if parts.username else None
    return ProxyManager(
        parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl(),
        maxsize=connections,
        ssl_context=tls,
        proxy_ssl_context=tls_context() if parts.scheme == "https" else None,
        proxy_headers=make_headers(proxy_basic_auth=user),
    )
