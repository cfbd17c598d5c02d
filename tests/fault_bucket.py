"""What the bucket of the fault suite holds, and how its tests download and judge it."""

import random
import warnings
from pathlib import Path

from laion_fmri.catalog import load_catalog
from laion_fmri.catalog.templates import local_path
from laion_fmri.download import download
from laion_fmri.storage import pieces

PIECE = 1 << 16  # bytes of a range, in this suite
FOLDER = "derivatives/glmsingle-tedana/sub-03/ses-01/func"
START = f"{FOLDER}/sub-03_ses-01_task-images_"
SMALL = f"{START}desc-SingletrialBetas_trials.tsv"
LARGE = f"{START}space-T1w_stat-effect_desc-SingletrialBetas_statmap.nii.gz"
OTHER = f"{START}desc-SingletrialBetas_trials.json"
TOP = "participants.tsv"

_chance = random.Random(5)
PAGE = b"<!DOCTYPE html><html><body>Sign in to the network of this hotel</body></html>"
OBJECTS = {
    TOP: b"participant_id\nsub-03\n",
    OTHER: b'{"session": {"Description": "Session."}}',
    SMALL: b"session\tlabel\n" + bytes(_chance.choices(b"0123456789\t\n", k=5000)),
    LARGE: b"\x1f\x8b\x08" + _chance.randbytes(4 * PIECE + 1234),
}
PIECES = 5  # of LARGE


def cut_small(patch, size=PIECE):
    """Let files of the suite come as large ones do: in parts, written by a thread of their own bit by bit."""
    patch.setattr(pieces, "PIECE", size)
    patch.setattr(pieces, "AT_ONCE", size // 8)
    patch.setattr(pieces, "SMALL", size)


def fetched(**how):
    """Download the session, and return the report and what was warned of."""
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        report = download("sub-03", ses="01", **how)
    return report, "\n".join(str(warning.message) for warning in told)


def place(root, key):
    """Return where a key lands."""
    return Path(root) / local_path(key, load_catalog().entities)


def holds(root, objects):
    """Tell whether a data directory has all of some objects, and nothing that is not theirs or not whole."""
    return unfinished(root) == [] and has(root, objects)


def has(root, objects):
    """Tell whether a data directory has all of some objects, and no other; what is not whole yet does not count."""
    found = {path: path.read_bytes() for path in data_files(root) if not path.name.startswith(".")}
    return found == {place(root, key): content for key, content in objects.items()}


def is_right(root, objects=None):
    """Tell whether the place of every object has all of it, or nothing."""
    places = ((place(root, key), content) for key, content in (objects or OBJECTS).items())
    return all(not path.exists() or path.read_bytes() == content for path, content in places)


def data_files(root):
    return [path for path in Path(root).rglob("*") if path.is_file() and ".laion_fmri" not in path.parts]


def unfinished(root):
    """Return the names of what is not whole yet, and of its journals."""
    return [path.name for path in data_files(root) if path.name.startswith(".")]
