"""Where the data directory is: one setting, kept between sessions.

The file is ``$XDG_CONFIG_HOME/laion_fmri/config.json``, by default ``~/.config/laion_fmri/config.json``.
"""

from __future__ import annotations

import json
import os
import uuid
from pathlib import Path

from laion_fmri.errors import DataDirNotSetError

_MARKERS = ".laion_fmri"
_HOW = "choose one with: laion-fmri config --data-dir PATH"


def config_path() -> Path:
    """Return the path of the configuration file."""
    home = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(home) / "laion_fmri" / "config.json"


def dataset_initialize(path: str) -> None:
    """Choose the data directory, for this session and all later ones.

    Asks for no licence and uses no network.

    Parameters
    ----------
    path : str
        An existing directory; stored as it is given.

    Raises
    ------
    TypeError
        If `path` is not a str.
    FileNotFoundError
        If the directory does not exist; it is never created.

    Examples
    --------
    >>> dataset_initialize("/nowhere")
    Traceback (most recent call last):
    FileNotFoundError: /nowhere is no directory; create it first, on a disk with enough room
    """
    if not isinstance(path, str):
        raise TypeError(f"path={path!r} is of type {type(path).__name__}; give the directory as text")
    if not Path(path).is_dir():
        raise FileNotFoundError(f"{path} is no directory; create it first, on a disk with enough room")
    (Path(path) / _MARKERS).mkdir(exist_ok=True)
    target = config_path()
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.{uuid.uuid4().hex[:8]}.part")
    try:
        part.write_text(json.dumps({"data_dir": path}, indent=2), encoding="utf-8")
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def get_data_dir() -> str:
    """Return the data directory as it was given to `dataset_initialize`.

    Raises
    ------
    DataDirNotSetError
        If none was chosen yet, or the configuration file cannot be read.
    """
    path = config_path()
    try:
        data_dir = json.loads(path.read_text(encoding="utf-8"))["data_dir"]
    except FileNotFoundError:
        raise DataDirNotSetError(f"no data directory is configured; {_HOW}") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataDirNotSetError(f"{path} is damaged ({error}); {_HOW}") from None
    if not isinstance(data_dir, str):
        raise DataDirNotSetError(f"{path} is damaged (data_dir is no text); {_HOW}")
    return data_dir


def data_root() -> Path:
    """Return the data directory as a path that exists.

    Raises
    ------
    DataDirNotSetError
        If none was chosen yet, or it is gone.
    """
    data_dir = get_data_dir()
    if not Path(data_dir).is_dir():
        raise DataDirNotSetError(
            f"the configured data directory {data_dir} does not exist (any more); mount or create it, or {_HOW}"
        )
    return Path(data_dir)


set_data_dir = dataset_initialize
