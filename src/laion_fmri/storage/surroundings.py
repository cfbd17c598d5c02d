"""What the environment says of connections: its proxies, and the certificates that it trusts."""

from __future__ import annotations

import os
import ssl
from pathlib import Path
from urllib.parse import urlsplit

from laion_fmri.errors import RemoteError

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


def proxy_for(url: str) -> str:
    """Return the proxy of the environment for an address; none is ``""``."""
    from urllib.request import getproxies, proxy_bypass

    parts = urlsplit(url)
    proxies = getproxies()
    proxy = proxies.get(parts.scheme) or proxies.get("all") or ""
    if not proxy or proxy_bypass(parts.hostname or ""):
        return ""
    return proxy if "://" in proxy else f"http://{proxy}"
