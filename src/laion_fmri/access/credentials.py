"""The identifier of an agreement: where it is kept, and who may read it.

It opens files that others may not have. So it is kept outside the data directory, for its owner alone, and is a
`pydantic.SecretStr` everywhere else, which shows as asterisks.
"""

from __future__ import annotations

import contextlib
import json
import os
import stat
import uuid
import warnings
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pydantic import BaseModel, SecretStr, ValidationError

from laion_fmri.errors import AccessServiceError

VARIABLE = "LAION_FMRI_REQUEST_ID"
_NO_LINK = getattr(os, "O_NOFOLLOW", 0)
_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_MOST_BYTES = 1 << 16


@dataclass(frozen=True)
class Identity:
    """The identifier of an agreement.

    Attributes
    ----------
    request_id : SecretStr
        The identifier itself.
    origin : str
        Where it comes from: the environment variable or the file.
    terms_version : str or None
        The version of the terms that it was last known to hold for.
    email : SecretStr or None
        The address that was given for it.
    """

    request_id: SecretStr
    origin: str
    terms_version: str | None = None
    email: SecretStr | None = None


class _Kept(BaseModel):
    request_id: SecretStr
    server_url: str | None = None
    email: SecretStr | None = None
    terms_version: str | None = None


def auth_dir() -> Path:
    """Return the folder of the file that keeps the identifier."""
    return Path.home() / ".cache" / "laion-fmri"


def auth_path() -> Path:
    """Return the file that keeps the identifier."""
    return auth_dir() / "auth.json"


def load(server_url: str) -> Identity | None:
    """Return the identifier for a service: that of ``LAION_FMRI_REQUEST_ID``, else the one that is kept for it.

    Parameters
    ----------
    server_url : str
        Address of the service; what another one gave is not for it.

    Returns
    -------
    Identity or None
        None where there is none.

    Raises
    ------
    AccessServiceError
        If the file, or its folder, is a symbolic link.
    """
    given = os.environ.get(VARIABLE, "").strip()
    if given:
        return Identity(SecretStr(given), VARIABLE)
    kept = _read()
    if kept is None or not kept.request_id or kept.server_url not in (None, server_url):
        return None
    return Identity(kept.request_id, str(auth_path()), kept.terms_version, kept.email)


def _read() -> _Kept | None:
    _refuse_links()
    with (
        contextlib.suppress(OSError, ValidationError),
        os.fdopen(os.open(auth_path(), os.O_RDONLY | _NO_LINK), "rb") as file,
    ):
        if stat.S_IMODE(os.fstat(file.fileno()).st_mode) & _OTHERS:
            _close_to_others()
        return _Kept.model_validate_json(file.read(_MOST_BYTES))
    return None


def _close_to_others() -> None:
    path = auth_path()
    path.chmod(0o600)
    warnings.warn(f"{path} could be read by others; it is now for you alone", UserWarning, stacklevel=2)


def save(identity: Identity, server_url: str) -> Path:
    """Keep an identifier for later sessions, readable for its owner alone; whole, or as it was before.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    AccessServiceError
        If the file, or its folder, is a symbolic link.
    OSError
        If it cannot be written.
    """
    _refuse_links()
    path = auth_path()
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.parent.chmod(0o700)
    part = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.part")
    try:
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NO_LINK, 0o600), "wb") as out:
            part.chmod(0o600)
            out.write(_text(identity, server_url).encode())
            out.flush()
            os.fsync(out.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return path


def _text(identity: Identity, server_url: str) -> str:
    content = {
        "server_url": server_url,
        "request_id": identity.request_id.get_secret_value(),
        "email": identity.email.get_secret_value() if identity.email else None,
        "terms_version": identity.terms_version,
        "saved_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    return json.dumps(content, indent=2)


def _refuse_links() -> None:
    for path in (auth_dir(), auth_path()):
        if path.is_symlink():
            raise AccessServiceError(
                f"{path} is a symbolic link, and the identifier of your agreement is not kept behind one; remove it: "
                f"rm {path}"
            )
