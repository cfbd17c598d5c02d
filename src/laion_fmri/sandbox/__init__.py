"""The dataset in miniature, and servers on this machine that serve it."""

from __future__ import annotations

from laion_fmri.sandbox.dataset import make_dataset
from laion_fmri.sandbox.server import Server, serve

__all__ = ["Server", "make_dataset", "serve"]
