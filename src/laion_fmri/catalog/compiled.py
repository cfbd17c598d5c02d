"""The checked catalog of the package, kept as Python keeps compiled modules.

Checking the YAML costs many times what loading a checked catalog does. So that is kept, pickled, in the ``__pycache__``
of this folder, beside the compiled forms of its modules: written by the same loader, so whole or not at all, in silence
where that cannot be, and with regard for ``PYTHONPYCACHEPREFIX`` and ``PYTHONDONTWRITEBYTECODE``. A pickle may run any
code when it is loaded, but so may a compiled module: who can write the one can write the other.
"""

from __future__ import annotations

import hashlib
import pickle
import sys
from importlib.machinery import SourceFileLoader
from importlib.util import cache_from_source
from pathlib import Path

import pydantic

from laion_fmri.catalog.models import CatalogFile

_HERE = Path(__file__)
_SEAL = hashlib.sha256().digest_size


def compiled_catalog(path: Path) -> CatalogFile:
    """Return the checked model of a catalog that is trusted like the code of the package.

    Parameters
    ----------
    path : Path
        Its YAML file, which is read and checked where no model is kept of just this file, by just this code.

    Raises
    ------
    CatalogError
        As of `laion_fmri.catalog.check.read_catalog`; a catalog with mistakes is not kept.
    OSError
        If it cannot be read.
    """
    place = Path(cache_from_source(str(_HERE.with_name(path.name)))).with_suffix(".pickle")
    facts = _facts(path)
    catalog = _kept(place, facts)
    if catalog is None:
        from laion_fmri.catalog.check import read_catalog

        catalog = read_catalog(path)
        if not sys.dont_write_bytecode:
            body = pickle.dumps(catalog, pickle.HIGHEST_PROTOCOL)
            SourceFileLoader(__name__, __file__).set_data(str(place), _seal(facts, body) + body)
    return catalog


def _facts(path: Path) -> bytes:
    """Return all that the outcome of the check depends on; modules are told apart as for their compiled forms."""
    beside = sorted(map(str, path.parent.rglob("*")))
    modules = [
        (one.name, stat.st_size, stat.st_mtime_ns) for one in sorted(_HERE.parent.glob("*.py")) if (stat := one.stat())
    ]
    return path.read_bytes() + repr((pydantic.VERSION, beside, modules)).encode()


def _kept(place: Path, facts: bytes) -> CatalogFile | None:
    try:
        content = place.read_bytes()
    except OSError:
        return None
    seal, body = content[:_SEAL], content[_SEAL:]
    return pickle.loads(body) if seal == _seal(facts, body) else None


def _seal(facts: bytes, body: bytes) -> bytes:
    return hashlib.sha256(facts + body).digest()
