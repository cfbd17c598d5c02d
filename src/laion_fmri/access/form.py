"""Filling in the form of an agreement, question by question; nothing is sent before all answers are good."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from laion_fmri.access.ask import ask, is_terminal
from laion_fmri.catalog.forms import Form, Question
from laion_fmri.errors import AgreementNeededError


def fill_in(form: Form, links: Mapping[str, str], terms_version: str, again: str) -> dict[str, Any]:
    """Ask the questions of a form.

    Parameters
    ----------
    form : Form
        What is asked.
    links : mapping of str to str
        Pages to read before, by what they are; shown first.
    terms_version : str
        The version of the terms that is accepted.
    again : str
        The command that asks the same, for the errors.

    Returns
    -------
    dict
        What the service takes.

    Raises
    ------
    AgreementNeededError
        If nobody is there to answer, or the terms are not accepted; nothing was sent then.
    """
    sys.stdout.write(f"\n{form.title}\n\n")
    width = max(map(len, links))
    for name, link in links.items():
        sys.stdout.write(f"  {name:{width}}  {link}\n")
    sys.stdout.write("\n")
    answers = {name: _answer(question, again) for name, question in form.questions.items()}
    said = _said(form.prompt.format(terms_version=terms_version), again)
    if said.lower() != form.answer.lower():
        raise AgreementNeededError(
            f'The terms were not accepted: the answer was not "{form.answer}". Nothing was sent. '
            f"To fill in the form again: {again}"
        )
    return {**answers, **form.sends, "terms_version": terms_version}


def _answer(question: Question, again: str) -> str | None:
    """Ask until the answer is good; answers that are piped in are given once."""
    while True:
        answer = _said(f"{question.prompt}: ", again)
        complaint = question.complaint(answer)
        if complaint is None:
            return answer or None
        if not is_terminal():
            raise AgreementNeededError(
                f"{question.prompt}: the answer {complaint}. Nothing was sent. To fill in the form again: {again}"
            )
        sys.stdout.write(f"  This {complaint}.\n")


def _said(prompt: str, again: str) -> str:
    said = ask(prompt)
    if said is None:
        raise AgreementNeededError(
            f"The form asks questions, and nobody is there to answer. Nothing was sent. Run this in a terminal: {again}"
        )
    return said
