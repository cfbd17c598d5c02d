"""What the environment says of connections: its proxies, and the certificates that it trusts."""

from __future__ import annotations

import os
import ssl
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from laion_fmri.errors import RemoteError

if TYPE_CHECKING:
    from urllib3 import PoolManager, ProxyManager

_BUNDLES = ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


def tls_context() -> ssl.SSLContext:
    """Return what certificates are checked with: those that the environment names, or those of the system."""
    for variable in _BUNDLES:
        bundle = os.environ.get(variable)
        if bundle:
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


def authorities() -> tuple[bytes, str | None]:
    """Return the certificates that `tls_context` trusts, as PEM, and the folder in which there may be more."""
    named = next(filter(None, map(os.environ.get, _BUNDLES)), None)
    context = tls_context()
    folder = named if named and Path(named).is_dir() else None if named else ssl.get_default_verify_paths().capath
    trusted = context.get_ca_certs(binary_form=True)
    return "".join(map(ssl.DER_cert_to_PEM_cert, trusted)).encode(), folder


def proxy_for(url: str) -> str:
    """Return the proxy of the environment for an address; none is ``""``."""
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
