"""The dataset in miniature, and an S3 endpoint on this machine that serves it."""

from __future__ import annotations

from laion_fmri.sandbox.dataset import make_dataset
from laion_fmri.sandbox.server import Server, serve

__all__ = ["Server", "make_dataset", "serve"]
