"""The client of a remote, by its kind."""

from __future__ import annotations

from laion_fmri.catalog.remotes import HttpsRemote, S3Remote
from laion_fmri.storage.bucket import Bucket
from laion_fmri.storage.website import Website

Client = Bucket | Website


def client(remote: S3Remote | HttpsRemote, connections: int = 1) -> Client:
    """Return what lists the files of a remote and gives their bytes; asks nothing yet."""
    return Website(remote, connections) if isinstance(remote, HttpsRemote) else Bucket(remote, connections)
