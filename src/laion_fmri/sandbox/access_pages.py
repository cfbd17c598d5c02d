"""What the access service of the miniature shows in a browser."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from laion_fmri.catalog.forms import Form
from laion_fmri.sandbox.web import Answer


def page(title: str, content: str, status: int = 200) -> Answer:
    """Return a page; `content` is HTML."""
    text = f"<!doctype html><html lang=en><meta charset=utf-8><title>{escape(title)}</title><h1>{escape(title)}</h1>"
    return Answer(f"{text}{content}</html>".encode(), status, {"Content-Type": "text/html; charset=utf-8"})


def form(asked: Form, terms_version: str) -> Answer:
    """Return the page with the form."""
    fields = "".join(
        f"<p><label>{escape(question.prompt)}<br><input name={escape(name)} {'' if question.optional else 'required'}>"
        "</label></p>"
        for name, question in asked.questions.items()
    )
    accept = f"I accept the terms of use (v{escape(terms_version)}) and acknowledge the privacy notice."
    box = f"<p><label><input type=checkbox name=accept value=yes required> {accept}</label></p>"
    return page(asked.title, f"<form method=post>{fields}{box}<button>Send</button></form>")


def links(grant: Mapping[str, Any]) -> Answer:
    """Return the page with the links of an agreement."""
    items = "".join(
        f'<li><a href="{escape(file["url"])}">{escape(file["name"])}</a>, {file["size"]:,} bytes, '
        f"sha256 {file['sha256']}</li>"
        for file in grant["files"]
    )
    return page("Thank you", f"<p>Good until {escape(grant['expires_at'])}:</p><ul>{items}</ul>")


def accept(terms_version: str) -> Answer:
    """Return the page on which changed terms are accepted."""
    return page(
        "Terms of use", f"<p>Version {escape(terms_version)}.</p><form method=post><button>I accept</button></form>"
    )
