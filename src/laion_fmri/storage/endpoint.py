"""The addresses of an S3 bucket: those that boto3 would use, which is what people configure.

boto3 itself is asked only where there is something to configure it: importing it takes a third of a second.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote, urlencode, urlsplit

from laion_fmri.catalog.remotes import S3Remote
from laion_fmri.errors import RemoteError
from laion_fmri.storage.hosts import is_this_machine

_VARIABLES = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
_GOOD_FOR = 3600  # seconds


class Addresses(Protocol):
    """Where a bucket is asked."""

    def of_list(self, query: Mapping[str, str]) -> str:
        """Return the address of a page of a listing."""

    def of_file(self, key: str) -> str:
        """Return the address of a file."""


class _Plain:
    def __init__(self, base: str) -> None:
        self._base = base.rstrip("/")

    def of_list(self, query: Mapping[str, str]) -> str:
        return f"{self._base}/?{urlencode(query, quote_via=quote)}"

    def of_file(self, key: str) -> str:
        return f"{self._base}/{quote(key)}"


class _Signed:
    """Addresses that boto3 signs with the credentials that it finds."""

    def __init__(self, client: Any, bucket: str) -> None:
        self._client = client
        self._bucket = bucket

    def of_list(self, query: Mapping[str, str]) -> str:
        names = {"prefix": "Prefix", "delimiter": "Delimiter", "continuation-token": "ContinuationToken"}
        given = {name: query[key] for key, name in names.items() if key in query}
        return self._sign("list_objects_v2", EncodingType=query["encoding-type"], **given)

    def of_file(self, key: str) -> str:
        return self._sign("get_object", Key=key)

    def _sign(self, operation: str, **given: str) -> str:
        from botocore.exceptions import BotoCoreError

        try:
            url: str = self._client.generate_presigned_url(
                operation, Params={"Bucket": self._bucket, **given}, ExpiresIn=_GOOD_FOR
            )
        except BotoCoreError as error:
            raise RemoteError(
                f"s3://{self._bucket} is not public, and its addresses cannot be signed: {error}; configure the "
                "credentials as for every AWS tool, with AWS_PROFILE or in ~/.aws/credentials"
            ) from error
        return url


def addresses(remote: S3Remote) -> Addresses:
    """Return the addresses of a bucket.

    Parameters
    ----------
    remote : S3Remote
        Its name and region, and whether it is public.
    """
    if not remote.anonymous:
        return _Signed(_client(remote, anonymous=False), remote.bucket)
    given = next(filter(None, map(os.environ.get, _VARIABLES)), None)
    if given and is_this_machine(urlsplit(given).hostname or ""):
        return _Plain(f"{given.rstrip('/')}/{remote.bucket}")
    if given or _is_configured():
        client = _client(remote, anonymous=True)
        unsigned: str = client.generate_presigned_url("get_object", Params={"Bucket": remote.bucket, "Key": "key"})
        return _Plain(unsigned.partition("?")[0].removesuffix("key"))
    return _Plain(f"https://{remote.bucket}.s3.{remote.region}.amazonaws.com")


def _is_configured() -> bool:
    place = os.environ.get("AWS_CONFIG_FILE") or "~/.aws/config"
    return "AWS_PROFILE" in os.environ or Path(place).expanduser().exists()


def _client(remote: S3Remote, anonymous: bool) -> Any:
    import boto3
    from botocore import UNSIGNED
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError

    config = Config(signature_version=UNSIGNED if anonymous else "s3v4")
    try:
        return boto3.session.Session().client("s3", region_name=remote.region, config=config)
    except (BotoCoreError, ValueError) as error:
        raise RemoteError(f"{remote.url}: boto3 cannot be configured: {error}; check AWS_PROFILE and ~/.aws") from error
