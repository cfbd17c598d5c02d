"""What an access service says when it does not give what it was asked for, as errors that say what to do."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from pydantic_core import from_json

from laion_fmri.catalog.services import Pages
from laion_fmri.errors import (
    AccessNotFoundError,
    AccessPendingError,
    AccessRevokedError,
    AccessServiceError,
    TermsOutdatedError,
)

APPLY = "laion-fmri request-access"
_LONGEST_SHOWN = 300
_SHORTEST_HIDDEN = 4
_FAULTS = 500


@dataclass(frozen=True)
class Refusal:
    """An answer that is no success.

    Attributes
    ----------
    status : int
        HTTP status.
    body : bytes
        What it says.
    retry_after : str
        When to ask again, as the service puts it.
    identified : bool
        Whether it was asked in the name of an agreement.
    """

    status: int
    body: bytes
    retry_after: str = ""
    identified: bool = False


def refused(refusal: Refusal, url: str, pages: Pages, secrets: Collection[str]) -> AccessServiceError:
    """Return the error for a refusal.

    Parameters
    ----------
    refusal : Refusal
        The answer.
    url : str
        Address of the service.
    pages : Pages
        Its pages.
    secrets : collection of str
        What was sent, and must not be shown although the service may repeat it.
    """
    detail = _detail(refusal.body)
    text = _shown(detail, secrets)
    if refusal.status == HTTPStatus.FORBIDDEN and (forbidden := _forbidden(detail, text, url, pages)):
        return forbidden
    if refusal.status == HTTPStatus.NOT_FOUND and refusal.identified:
        return AccessNotFoundError(
            f"{url} does not know the identifier of your agreement (any more): {text}. To apply anew: {APPLY}"
        )
    if refusal.status == HTTPStatus.TOO_MANY_REQUESTS:
        after = f" in {refusal.retry_after} seconds" if refusal.retry_after.isdecimal() else " in some minutes"
        return AccessServiceError(f"Rate limit exceeded: {url} was asked too often. Run the same again{after}")
    if refusal.status >= _FAULTS:
        return AccessServiceError(
            f"HTTP {refusal.status}: {text}. The fault is on the side of {url}; run the same again later. If it lasts, "
            f"the contact is at {url}/{pages.takedown}"
        )
    return AccessServiceError(f"HTTP {refusal.status}: {text}. {url} refuses this; to fill in the form again: {APPLY}")


def _forbidden(detail: Any, text: str, url: str, pages: Pages) -> AccessServiceError | None:
    if isinstance(detail, dict) and detail.get("error") == "terms_outdated":
        return _outdated(detail, url, f"{url}/{pages.accept}")
    if "revoked" in text.lower():
        return AccessRevokedError(
            f"{url}: your agreement was revoked, so its files are not given any more. If you think that this is a "
            f"mistake, the contact is at {url}/{pages.takedown}. To apply anew: {APPLY}"
        )
    return waiting(url) if "pending" in text.lower() else None


def waiting(url: str) -> AccessPendingError:
    """Return the error for a request that is not decided yet."""
    return AccessPendingError(
        f"{url} has your request and has not decided yet. Nothing needs to be done; run the same again later"
    )


def _outdated(detail: Mapping[str, Any], url: str, page: str) -> TermsOutdatedError:
    said, version = str(detail.get("accept_url")), str(detail.get("current_terms_version", "?"))
    good = said.startswith(("https://", f"{url}/")) and said.isprintable() and " " not in said
    return TermsOutdatedError(said if good else page, _shown(version, ()))


def _detail(body: bytes) -> Any:
    try:
        found = from_json(body)
    except ValueError:
        text = body.decode(errors="replace").strip()
        return "the answer is a web page" if text.startswith("<") else text
    return found["detail"] if isinstance(found, dict) and "detail" in found else found


def _shown(detail: Any, secrets: Collection[str]) -> str:
    """Return what a service says in one line, without what was sent to it."""
    text = " ".join("; ".join(_texts(detail)).split())
    for secret in secrets:
        if len(secret) >= _SHORTEST_HIDDEN:
            text = text.replace(secret, "***")
    text = "".join(letter for letter in text if letter.isprintable())
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}..."


def _texts(detail: Any) -> list[str]:
    """Return the texts of a detail; of the complaints about a form, which field is wrong and why."""
    if isinstance(detail, list):
        return [text for item in detail for text in _texts(item)]
    if isinstance(detail, dict) and "msg" in detail:
        return [f"{'.'.join(map(str, detail.get('loc', ())))}: {detail['msg']}"]
    if isinstance(detail, dict):
        return [f"{name}: {value}" for name, value in detail.items()]
    return [str(detail)]
