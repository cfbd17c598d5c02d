"""The client of an access service: what there is, under which terms, and links for those who have agreed."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from typing import Any, TypeVar
from urllib.parse import urlsplit

from pydantic import BaseModel, SecretStr, ValidationError

from laion_fmri.access.answers import Grant, Manifest
from laion_fmri.access.refusals import Refusal, refused
from laion_fmri.catalog.services import Service
from laion_fmri.errors import AccessServiceError, OfflineError, RemoteError
from laion_fmri.storage.answer import Answer
from laion_fmri.storage.http import Http

_MOST_BYTES = 1 << 20
_SUCCESS = range(200, 300)
_JSON = {"Accept": "application/json"}

Model = TypeVar("Model", bound=BaseModel)


def service_url(service: Service) -> str:
    """Return the address of a service: that of its environment variable, else that of the catalog."""
    return (os.environ.get(service.variable) or service.url).rstrip("/")


class AccessClient:
    """A client of an access service.

    Parameters
    ----------
    service : Service
        What the catalog says of it.
    url : str, optional
        Its address; that of its environment variable or of the catalog where left out.
    """

    def __init__(self, service: Service, url: str | None = None) -> None:
        self.service = service
        self.url = url.rstrip("/") if url else service_url(service)
        self._http = Http([urlsplit(self.url).hostname or ""], seconds=service.timeout)

    def manifest(self) -> Manifest:
        """Return what the service has; needs no agreement.

        Raises
        ------
        OfflineError
            If the network may not be used.
        AccessServiceError
            If the service cannot be reached, or does not answer as it should.
        """
        return self._asked("GET", self.service.endpoints.manifest, Manifest)

    def request(self, answers: Mapping[str, Any]) -> Grant:
        """Send a form that is filled in.

        Raises
        ------
        AccessPendingError, OfflineError, AccessServiceError
            As `refresh`; also if the service does not take an answer.
        """
        secrets = [answer for answer in answers.values() if isinstance(answer, str)]
        return self._asked("POST", self.service.endpoints.request, Grant, answers, secrets)

    def refresh(self, request_id: SecretStr) -> Grant:
        """Return new links of an agreement.

        Raises
        ------
        TermsOutdatedError
            If the terms have changed since they were accepted.
        AccessRevokedError
            If the agreement was withdrawn.
        AccessNotFoundError
            If the service does not know the identifier.
        AccessPendingError
            If the service has not decided yet.
        OfflineError, AccessServiceError
            As `manifest`.
        """
        secret = request_id.get_secret_value()
        sent = {"request_id": secret, "dataset_version": self.service.version}
        return self._asked("POST", self.service.endpoints.refresh, Grant, sent, [secret])

    def _asked(
        self,
        method: str,
        path: str,
        model: type[Model],
        sent: Mapping[str, Any] | None = None,
        secrets: Collection[str] = (),
    ) -> Model:
        address = f"{self.url}/{path}"
        status, body, retry_after = self._answer(method, address, sent)
        if status not in _SUCCESS:
            refusal = Refusal(status, body, retry_after, identified=path == self.service.endpoints.refresh)
            raise refused(refusal, self.url, self.service.pages, secrets)
        try:
            return model.model_validate_json(body)
        except ValidationError as error:
            mistake = error.errors(include_input=False, include_url=False, include_context=False)[0]
        place = ".".join(map(str, mistake["loc"]))
        raise AccessServiceError(
            f"{address}: the answer is not what an access service gives: {f'{place}: ' if place else ''}"
            f"{mistake['msg']}. Run the same again later, or update laion-fmri"
        )

    def _answer(self, method: str, address: str, sent: Mapping[str, Any] | None) -> tuple[int, bytes, str]:
        try:
            with self._http.ask(method, address, headers=_JSON, json=sent) as answer:
                return answer.status, _bounded(answer, address), answer.headers.get("Retry-After", "")
        except OfflineError:
            raise
        except RemoteError as error:
            message = f"{error}{self._where()}"
        raise AccessServiceError(message)

    def _where(self) -> str:
        variable = self.service.variable
        return f" ({variable} names this address)" if os.environ.get(variable) else ""


def _bounded(answer: Answer, address: str) -> bytes:
    body = b""
    for piece in answer.chunks():
        body += piece
        if len(body) > _MOST_BYTES:
            raise RemoteError(f"{address}: the answer is longer than {_MOST_BYTES:,} bytes; run the same again later")
    return body
