"""An S3 bucket read without credentials, through boto3.

``AWS_ENDPOINT_URL_S3``, boto3's own variable, points it elsewhere; ``LAION_FMRI_OFFLINE=1`` forbids it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

from laion_fmri.catalog.remotes import S3Remote
from laion_fmri.errors import ChangedError, DeniedError, GoneError, PassingError, RemoteError
from laion_fmri.storage.online import refuse_offline
from laion_fmri.storage.origin import Body
from laion_fmri.storage.plan import RemoteFile

_CHUNK = 1 << 20
_DENIED = {"403", "AccessDenied", "Forbidden"}
_ERRORS = {"NoSuchKey": GoneError, "404": GoneError, "412": ChangedError, "PreconditionFailed": ChangedError}


class Bucket:
    """The public bucket of a catalog.

    Parameters
    ----------
    remote : S3Remote
        Name and region.
    connections : int
        Connections kept open, as many as there are workers.
    """

    def __init__(self, remote: S3Remote, connections: int = 1) -> None:
        self.url = remote.url
        self._remote = remote
        self._connections = connections

    @cached_property
    def _client(self) -> Any:
        refuse_offline(self.url)
        import boto3
        from botocore import UNSIGNED
        from botocore.config import Config

        config = Config(
            signature_version=UNSIGNED,
            connect_timeout=10,
            read_timeout=60,
            retries={"mode": "standard", "total_max_attempts": 3},
            max_pool_connections=max(10, self._connections),
        )
        with self._told(self.url):
            return boto3.client("s3", region_name=self._remote.region, config=config)

    def files(self, prefix: str) -> Iterator[RemoteFile]:
        """Yield every file whose key begins with `prefix`, page by page."""
        for page in self._pages(Prefix=prefix):
            for item in page.get("Contents", ()):
                yield _file(item)

    def folder(self, prefix: str) -> tuple[list[RemoteFile], list[str]]:
        """Return the files directly below a prefix, and the names of the folders there."""
        files, folders = [], []
        for page in self._pages(Prefix=prefix, Delimiter="/"):
            files += [_file(item) for item in page.get("Contents", ())]
            folders += [item["Prefix"][len(prefix) : -1] for item in page.get("CommonPrefixes", ())]
        return files, folders

    def _pages(self, **arguments: str) -> Iterator[dict[str, Any]]:
        with self._told(f"{self.url}/{arguments['Prefix']}"):
            yield from self._client.get_paginator("list_objects_v2").paginate(Bucket=self._remote.bucket, **arguments)

    @contextmanager
    def open(self, key: str, start: int = 0, stop: int | None = None, etag: str | None = None) -> Iterator[Body]:
        """Give the bytes of a file; see `laion_fmri.storage.origin.Origin`."""
        condition = {"IfMatch": etag} if etag else {}
        part = {"Range": f"bytes={start}-{'' if stop is None else stop - 1}"} if start or stop is not None else {}
        with self._told(f"{self.url}/{key}"):
            answer = self._client.get_object(Bucket=self._remote.bucket, Key=key, **condition, **part)
            body = answer["Body"]
            try:
                yield Body(body.iter_chunks(_CHUNK), *_place(answer), answer.get("ETag"))
            finally:
                body.close()

    @contextmanager
    def _told(self, address: str) -> Iterator[None]:
        """Turn errors of botocore into ours, naming address, reason and next step."""
        from botocore.exceptions import BotoCoreError, ClientError, EndpointConnectionError

        try:
            yield
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code", "")
            if code in _DENIED:
                raise DeniedError(f"Access denied: {address}") from error
            raise _ERRORS.get(code, RemoteError)(f"{address}: the bucket answered {code}: {error}") from error
        except EndpointConnectionError as error:
            endpoint = "{0.scheme}://{0.netloc}".format(urlsplit(error.kwargs.get("endpoint_url", self.url)))
            raise RemoteError(
                f"{address}: cannot reach {endpoint}; check the network, the proxy and AWS_ENDPOINT_URL_S3, "
                "then run the same again"
            ) from error
        except (BotoCoreError, OSError, ValueError) as error:
            if isinstance(error, RemoteError):
                raise
            raise PassingError(f"{address}: {error}; run the same again to continue") from error


def _file(item: dict[str, Any]) -> RemoteFile:
    return RemoteFile(item["Key"], item["Size"], item.get("ETag"))


def _place(answer: dict[str, Any]) -> tuple[int, int]:
    """Return where the bytes of an answer begin, and how many the whole file has."""
    place = answer.get("ContentRange")
    if place is None:
        return 0, answer["ContentLength"]
    span, _, total = place.removeprefix("bytes ").partition("/")
    return int(span.partition("-")[0]), int(total)
