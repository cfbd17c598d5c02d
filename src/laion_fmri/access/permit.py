"""What an agreement opens: from the form, or the identifier that is kept, to links that are good for a while."""

from __future__ import annotations

import contextlib
import sys
import warnings
from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from threading import RLock
from typing import Any

from pydantic import SecretStr

from laion_fmri.access import credentials
from laion_fmri.access.answers import Grant, Link, Manifest
from laion_fmri.access.form import fill_in
from laion_fmri.access.refusals import APPLY, waiting
from laion_fmri.access.service import AccessClient
from laion_fmri.catalog.policies import Agreement
from laion_fmri.errors import AccessNotFoundError, AccessServiceError, ChangedError


class Permit:
    """The agreement of this user with a service, asked for when it is first needed.

    Parameters
    ----------
    policy : Agreement
        The service and its form.
    url : str, optional
        Address of the service; that of its environment variable or of the catalog where left out.
    """

    def __init__(self, policy: Agreement, url: str | None = None) -> None:
        self.policy = policy
        self.client = AccessClient(policy.service, url)
        self._grant: Grant | None = None
        self._request_id: SecretStr | None = None
        self._lock = RLock()

    @cached_property
    def manifest(self) -> Manifest:
        """What the service has, and the version of its terms."""
        return self.client.manifest()

    @property
    def pages(self) -> dict[str, str]:
        """Addresses of what to read before agreeing."""
        pages = self.policy.service.pages
        named = {"Terms of Use": pages.terms, "Privacy notice": pages.privacy, "Take-down requests": pages.takedown}
        return {name: f"{self.client.url}/{page}" for name, page in named.items()}

    def apply(self) -> Grant:
        """Ask for what the form asks, send it, and keep the identifier that the service gives.

        Raises
        ------
        AgreementNeededError
            If the form is not filled in, or the terms are not accepted.
        AccessPendingError
            If the service decides later; the identifier is kept for then.
        OfflineError, AccessServiceError
            If the service cannot be asked, or refuses.
        """
        credentials.load(self.client.url)  # refuses a place that is not safe before anything is asked
        version = self.manifest.current_terms_version
        answers = fill_in(self.policy.form, self.pages, version, APPLY)
        grant = self.client.request(answers)
        if grant.request_id is None:
            raise AccessServiceError(
                f"{self.client.url} took the form and gave no identifier; try again later: {APPLY}"
            )
        self._keep(grant.request_id, answers, version)
        return self._ready(grant, grant.request_id)

    def _keep(self, request_id: SecretStr, answers: Mapping[str, Any], version: str) -> None:
        address = answers.get(self.policy.form.contact or "")
        path = credentials.auth_path()
        identity = credentials.Identity(request_id, str(path), version, SecretStr(address) if address else None)
        try:
            credentials.save(identity, self.client.url)
        except OSError as error:
            why = f"{path} cannot be written ({error.strerror}), so the form will be asked for again next time"
            warnings.warn(why, UserWarning, stacklevel=2)
        else:
            sys.stdout.write(f"\n[laion-fmri] Thank you. Your agreement is kept in {path}, for you alone.\n")

    def ensure(self) -> None:
        """Ask for the agreement if there is none at all; one that is there is not looked at yet."""
        if self._grant is None and credentials.load(self.client.url) is None:
            self.apply()

    def open(self) -> Grant:
        """Return the links of the agreement, which is asked for if there is none or if the service has forgotten it.

        Raises
        ------
        TermsOutdatedError, AccessRevokedError
            If the agreement does not hold any more.
        AgreementNeededError, AccessPendingError, OfflineError, AccessServiceError
            As `apply`.
        """
        if self._grant is None:
            identity = credentials.load(self.client.url)
            return self.apply() if identity is None else self._reopen(identity)
        return self._grant

    def _reopen(self, identity: credentials.Identity) -> Grant:
        try:
            grant = self.client.refresh(identity.request_id)
        except AccessNotFoundError:
            hint = f"; unset {credentials.VARIABLE}" if identity.origin == credentials.VARIABLE else ""
            sys.stderr.write(
                f"[laion-fmri] {self.client.url} does not know the agreement of {identity.origin} (any more){hint}. "
                "Please fill in the form again.\n"
            )
        else:
            self._remember(identity)
            return self._ready(grant, identity.request_id)
        return self.apply()

    def _remember(self, identity: credentials.Identity) -> None:
        """Keep the version of the terms for which an agreement still holds."""
        version = self.manifest.current_terms_version
        if identity.origin != credentials.VARIABLE and identity.terms_version != version:
            with contextlib.suppress(OSError):
                credentials.save(replace(identity, terms_version=version), self.client.url)

    def _ready(self, grant: Grant, request_id: SecretStr) -> Grant:
        if grant.pending:
            raise waiting(self.client.url)
        self._grant, self._request_id = grant, request_id
        return grant

    def link(self, name: str, worn: Link | None = None) -> Link:
        """Return the link of a file; never asks for the agreement.

        Parameters
        ----------
        name : str
            Name of the file.
        worn : Link, optional
            The link that is no longer good; where it is still the one that we have, there will be new ones.

        Raises
        ------
        ChangedError
            If the service has another file of this name than its manifest said.
        AccessServiceError
            If it gives no link, or no links any more.
        """
        with self._lock:
            if self._grant is None or self._request_id is None:
                raise AccessServiceError(f"{self.client.url}: there is no agreement yet; run: {APPLY}")
            link = self._grant.link(name)
            if link is not None and link == worn:
                link = self._ready(self.client.refresh(self._request_id), self._request_id).link(name)
        if link is None:
            raise AccessServiceError(f"{self.client.url} gave no link to {name}; run the same again later")
        said = self.manifest.file(name)
        if said and (said.size, said.sha256.lower()) != (link.size, link.sha256.lower()):
            raise ChangedError(f"{self.client.url} has another {name} than it said; run the same again")
        return link
