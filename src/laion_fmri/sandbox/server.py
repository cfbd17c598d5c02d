"""A folder as a public S3 bucket and as web servers on this machine."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from laion_fmri.catalog import CatalogFile, load_catalog
from laion_fmri.catalog.filters import gated_test, held_out_test
from laion_fmri.catalog.models import Artifact
from laion_fmri.catalog.policies import Agreement
from laion_fmri.catalog.remotes import HttpsRemote
from laion_fmri.catalog.templates import parse
from laion_fmri.errors import LaionFMRIError
from laion_fmri.sandbox.access import AccessService
from laion_fmri.sandbox.web import Web, files_of, serve_web

_PACKAGES = ("moto", "flask", "flask_cors")
_WORKERS = 4
_UNNAMED_REGION = "us-east-1"  # S3 refuses it as a location: it is where buckets are made by default


class SandboxNotInstalledError(LaionFMRIError, ImportError):
    """The packages that serve the miniature are not installed."""


@dataclass(frozen=True)
class Server:
    """A running server.

    Attributes
    ----------
    endpoint : str
        Its address, ``http://127.0.0.1:PORT``.
    bucket : str
        The name of its bucket.
    owner : boto3 client
        Acts for the owner of the bucket: puts and deletes files, and takes them from the public
        (``put_object_acl(..., ACL="private")``).
    web : Web
        The web server beside it.
    addresses : mapping of str to str
        What stands at the web server: its address by environment variable.
    services : mapping of str to AccessService
        The access services at the web server, by name.
    """

    endpoint: str
    bucket: str
    owner: Any
    web: Web
    addresses: Mapping[str, str]
    services: Mapping[str, AccessService]

    def environment(self, home: Path) -> dict[str, str]:
        """Return the environment variables that point this package at the server.

        Parameters
        ----------
        home : Path
            Configuration, and the identifiers of agreements, are kept below this folder and not in the user's own.
        """
        return {
            "AWS_ENDPOINT_URL_S3": self.endpoint,
            "HOME": str(home),
            "USERPROFILE": str(home),
            "XDG_CONFIG_HOME": str(home / ".config"),
            "no_proxy": "127.0.0.1",
            **self.addresses,
        }


@contextmanager
def serve(folder: Path, catalog: CatalogFile | None = None) -> Iterator[Server]:
    """Serve a folder as the remotes of a catalog: its bucket, and web servers for all else.

    Anyone may list all keys of the bucket and get the public files, also by range; those that are held out or given
    under an agreement answer 403. Each bucket is a process with a state of its own, so several can run at once and each
    starts clean. Neither the environment nor standard output is touched.

    Parameters
    ----------
    folder : Path
        Relative paths below it are the keys.
    catalog : CatalogFile, optional
        Names the remotes, what lies where and what is not public; the one of the package where left out.

    Yields
    ------
    Server
        Runs until the ``with`` block ends.

    Raises
    ------
    SandboxNotInstalledError
        If moto is not installed, naming the command that installs it.
    """
    catalog = catalog or load_catalog()
    sites = [remote for remote in catalog.definitions.remotes.values() if isinstance(remote, HttpsRemote)]
    keys = {site: _keys_of(catalog, site) for site in sites}
    routes = {site.name: files_of(folder, test) for site, test in keys.items()}
    services = {policy.service.name: _service(folder, artifact, policy) for artifact, policy in catalog.gated}
    with _process() as endpoint, serve_web({**routes, **services}) as web:
        variables = {site.variable: site.name for site in sites}
        variables |= {service.policy.service.variable: name for name, service in services.items()}
        addresses = {variable: f"{web.address}/{name}" for variable, name in variables.items()}
        owner = _owner(endpoint, catalog.remote.region)
        server = Server(endpoint, catalog.remote.bucket, owner, web, addresses, services)
        try:
            _upload(folder, server, catalog, keys.values())
            yield server
        finally:
            server.owner.close()


def _keys_of(catalog: CatalogFile, site: HttpsRemote) -> Callable[[str], bool]:
    """Return the test for the keys of a web server."""
    artifacts = [source.args for source in catalog.sources.values() if source.args.remote == site]

    def test(key: str) -> bool:
        return any(parse(path, one.entities, key) is not None for one in artifacts for path in one.path)

    return test


def _service(folder: Path, artifact: Artifact, policy: Agreement) -> AccessService:
    keys = (key for key in artifact.tree.files if (folder / key).is_file())
    return AccessService(policy, {key.rpartition("/")[2]: (folder / key).read_bytes() for key in keys})


@contextmanager
def _process() -> Iterator[str]:
    """Run moto in a process of its own, because all of its servers in one process share their state."""
    if any(find_spec(package) is None for package in _PACKAGES):
        raise SandboxNotInstalledError(
            'the miniature is served by moto, which is not (wholly) installed; run: pip install "laion-fmri[demo]"'
        )
    with subprocess.Popen(
        [sys.executable, "-m", "laion_fmri.sandbox.moto_process"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        endpoint = process.stdout.readline().strip()
        if not endpoint:
            raise RuntimeError(
                f"the server of the miniature ended with exit code {process.wait()} before it began; "
                'its message is above. Try: pip install --upgrade "laion-fmri[demo]"'
            )
        try:
            yield endpoint
        finally:
            process.terminate()


def _owner(endpoint: str, region: str) -> Any:
    from boto3.session import Session
    from botocore.config import Config

    return Session(aws_access_key_id="owner", aws_secret_access_key="of-the-miniature").client(
        "s3",
        region_name=region,
        endpoint_url=endpoint,
        config=Config(proxies={}, request_checksum_calculation="when_required"),
    )


def _upload(folder: Path, server: Server, catalog: CatalogFile, elsewhere: Collection[Callable[[str], bool]]) -> None:
    held_out = held_out_test(catalog.remote.held_out, catalog.entities)
    gated = gated_test(source.args for source in catalog.sources.values())
    place = {"CreateBucketConfiguration": {"LocationConstraint": catalog.remote.region}}
    server.owner.create_bucket(
        Bucket=server.bucket, ACL="public-read", **(place if catalog.remote.region != _UNNAMED_REGION else {})
    )

    def put(key: str) -> None:
        acl = "private" if held_out(key) or gated(key) else "public-read"
        server.owner.put_object(Bucket=server.bucket, Key=key, Body=(folder / key).read_bytes(), ACL=acl)

    keys = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    with ThreadPoolExecutor(_WORKERS) as workers:
        list(workers.map(put, (key for key in keys if not any(test(key) for test in elsewhere))))
