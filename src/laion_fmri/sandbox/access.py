"""The access service of the miniature: what the real one answers, and every trouble that it may have.

It runs on this machine and forgets all it was told when it ends. Its attributes may be changed while it runs.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from threading import Lock
from typing import Any
from urllib.parse import parse_qs, urlencode

from laion_fmri.catalog.policies import Agreement
from laion_fmri.sandbox import access_pages as pages
from laion_fmri.sandbox.web import Answer, Request, part_of

_EXPIRED = b"<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>"
_UNSIGNED = b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"


@dataclass
class Member:
    """Somebody who has agreed.

    Attributes
    ----------
    form : dict
        What was filled in.
    terms_version : str
        The version of the terms that was accepted.
    state : str
        ``"good"``, ``"pending"`` or ``"revoked"``.
    """

    form: dict[str, Any]
    terms_version: str
    state: str = "good"


class AccessService:
    """The access service of the miniature.

    Parameters
    ----------
    policy : Agreement
        Its endpoints and its form.
    contents : mapping of str to bytes
        The files that it gives, by name.

    Attributes
    ----------
    terms_version : str
        Version of the terms; with another one, older agreements are outdated.
    members : dict of str to Member
        Who has agreed, by identifier.
    approves : bool
        Whether a form is enough; otherwise it waits until `approve`.
    trouble : Answer, optional
        What every question of a program is answered with.
    delay : float
        Seconds before every answer to a program.
    lifetime : float
        Seconds for which a link is good.
    uses : int, optional
        Answers for which a link is good.
    whole : bool
        Whether links give the whole file, whatever part is asked for.
    cut : int, optional
        Bytes after which an answer of a link breaks off.
    asked : list of (str, str)
        Every question so far: method and path.
    """

    def __init__(self, policy: Agreement, contents: Mapping[str, bytes]) -> None:
        self.policy = policy
        self.contents = dict(contents)
        self.published = {name: _described(name, content) for name, content in contents.items()}
        self.terms_version = "2026-05-12"
        self.members: dict[str, Member] = {}
        self.approves = True
        self.trouble: Answer | None = None
        self.delay = 0.0
        self.lifetime: float = policy.service.lifetime
        self.uses: int | None = None
        self.whole = False
        self.cut: int | None = None
        self.asked: list[tuple[str, str]] = []
        self._key = secrets.token_bytes(32)
        self._used: Counter[str] = Counter()
        self._tokens: dict[str, str] = {}
        self._lock = Lock()

    def approve(self) -> None:
        """Approve everybody who waits."""
        for member in self.members.values():
            member.state = member.state.replace("pending", "good")

    def publish(self, name: str, content: bytes) -> None:
        """Put another file in place of one."""
        self.contents[name] = content
        self.published[name] = _described(name, content)

    def __call__(self, request: Request) -> Answer:
        """Answer a request."""
        with self._lock:
            self.asked.append((request.method, request.path))
        ends, shown = self.policy.service.endpoints, self.policy.service.pages
        programs = {ends.manifest: self._manifest, ends.request: self._request, ends.refresh: self._refresh}
        people = {
            shown.terms: lambda _: pages.page("Terms of use", f"<p>Version {self.terms_version}.</p>"),
            shown.privacy: lambda _: pages.page("Privacy notice", "<p>Nothing leaves this machine.</p>"),
            shown.takedown: lambda _: pages.page("Take-down", "<p>This is a miniature; there is nobody to ask.</p>"),
            shown.request: self._form,
            shown.accept: self._accept,
        }
        if request.path in programs:
            time.sleep(self.delay)
            return self.trouble or programs[request.path](request)
        if request.path in people:
            return people[request.path](request)
        folder, _, name = request.path.partition("/")
        return self._file(request, name) if folder == "files" else Answer(b'{"detail": "Not Found"}', 404)

    # ------------------------------------------------------------ for programs

    def _manifest(self, _: Request) -> Answer:
        return _json(
            {
                "dataset": "miniature",
                "current_terms_version": self.terms_version,
                "versions": [self.policy.service.version],
                "files": list(self.published.values()),
            }
        )

    def _request(self, request: Request) -> Answer:
        form = json.loads(request.body)
        mistake = self._mistake(form)
        if mistake:
            return _json({"detail": [mistake]}, 422)
        identifier = self._enrol(form)
        if not self.approves:
            return _json({"request_id": identifier, "status": "pending"}, 202)
        return _json({"request_id": identifier, **self._links(request)})

    def _refresh(self, request: Request) -> Answer:
        member = self.members.get(json.loads(request.body).get("request_id", ""))
        if member is None:
            return _json({"detail": "Unknown request id"}, 404)
        if member.state == "revoked":
            return _json({"detail": "Access was revoked"}, 403)
        if member.state == "pending":
            return _json({"status": "pending"}, 202)
        if member.terms_version != self.terms_version:
            return _json({"detail": self._outdated(request, member)}, 403)
        return _json(self._links(request))

    def _mistake(self, form: Mapping[str, Any]) -> dict[str, Any] | None:
        expected = {**self.policy.form.sends, "terms_version": self.terms_version}
        for name, question in self.policy.form.questions.items():
            if complaint := question.complaint(form.get(name) or ""):
                return {"loc": ["body", name], "msg": complaint, "input": form.get(name)}
        for name, value in expected.items():
            if form.get(name) != value:
                return {"loc": ["body", name], "msg": f"should be {value}", "input": form.get(name)}
        return None

    def _enrol(self, form: dict[str, Any]) -> str:
        identifier = f"lfm_{secrets.token_hex(16)}"
        self.members[identifier] = Member(form, form["terms_version"], "good" if self.approves else "pending")
        return identifier

    def _outdated(self, request: Request, member: Member) -> dict[str, str]:
        token = secrets.token_hex(8)
        self._tokens[token] = next(name for name, one in self.members.items() if one is member)
        page = f"{self._base(request)}/{self.policy.service.pages.accept}?token={token}"
        return {"error": "terms_outdated", "accept_url": page, "current_terms_version": self.terms_version}

    def _links(self, request: Request) -> dict[str, Any]:
        expires = datetime.fromtimestamp(time.time() + self.lifetime, UTC).isoformat(timespec="seconds")
        files = [{**file, "url": self._signed(request, name)} for name, file in self.published.items()]
        return {"expires_at": expires, "files": files}

    def _base(self, request: Request) -> str:
        return f"http://{request.headers['Host']}/{self.policy.service.name}"

    # ------------------------------------------------------------ files

    def _signed(self, request: Request, name: str) -> str:
        until, serial = f"{time.time() + self.lifetime:.3f}", secrets.token_hex(4)
        signature = self._signature(name, until, serial)
        query = {"X-Amz-Expires": until, "X-Amz-Credential": serial, "X-Amz-Signature": signature}
        return f"{self._base(request)}/files/{name}?{urlencode(query)}"

    def _signature(self, *parts: str) -> str:
        return hmac.new(self._key, "\n".join(parts).encode(), hashlib.sha256).hexdigest()

    def _file(self, request: Request, name: str) -> Answer:
        given = {key: values[0] for key, values in parse_qs(request.query).items()}
        until, serial = given.get("X-Amz-Expires", "0"), given.get("X-Amz-Credential", "")
        signature = given.get("X-Amz-Signature", "")
        if not hmac.compare_digest(signature, self._signature(name, until, serial)) or name not in self.contents:
            return Answer(_UNSIGNED, 403)
        with self._lock:
            self._used[signature] += 1
        if time.time() > float(until) or (self.uses is not None and self._used[signature] > self.uses):
            return Answer(_EXPIRED, 403)
        return self._part(request, self.contents[name])

    def _part(self, request: Request, content: bytes) -> Answer:
        etag = f'"{hashlib.md5(content, usedforsecurity=False).hexdigest()}"'
        found = part_of(content, None if self.whole else request.headers.get("Range"))
        headers = {**found.headers, "ETag": etag, "Content-Length": str(len(found.body))}
        return Answer(found.body[: self.cut], found.status, headers)

    # ------------------------------------------------------------ for people

    def _form(self, request: Request) -> Answer:
        if request.method != "POST":
            return pages.form(self.policy.form, self.terms_version)
        given = {name: values[0].strip() for name, values in parse_qs(request.body.decode()).items()}
        accepted = self.policy.form.sends if given.pop("accept", "") else {}
        form = {**given, **accepted, "terms_version": self.terms_version}
        mistake = self._mistake(form)
        if mistake:
            return pages.page("Please go back", f"<p>{mistake['loc'][-1]}: {mistake['msg']}.</p>", 422)
        self._enrol(form)
        return pages.links(self._links(request))

    def _accept(self, request: Request) -> Answer:
        token = parse_qs(request.query).get("token", [""])[0]
        if token not in self._tokens:
            return pages.page("Terms of use", "<p>This link is not known.</p>", 404)
        if request.method != "POST":
            return pages.accept(self.terms_version)
        self.members[self._tokens[token]].terms_version = self.terms_version
        return pages.page("Thank you", "<p>The terms are accepted. Run the same command again.</p>")


def _described(name: str, content: bytes) -> dict[str, Any]:
    return {"name": name, "size": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def _json(content: object, status: int = 200) -> Answer:
    return Answer(json.dumps(content).encode(), status, {"Content-Type": "application/json"})
