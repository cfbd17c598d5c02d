"""The form of an agreement: what it asks for, and which answers are good."""

import re
from string import Formatter
from typing import Annotated

from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from laion_fmri.catalog.entities import Strict
from laion_fmri.catalog.words import did_you_mean


def _pattern(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"{text} is no regular expression: {error}") from None
    return text


def _names_the_version(prompt: str) -> str:
    if {field for _, field, _, _ in Formatter().parse(prompt) if field is not None} - {"terms_version"}:
        raise ValueError("the only field of this text is {terms_version}")
    return prompt


class Question(Strict):
    """A question of a form.

    Attributes
    ----------
    prompt : str
        What is asked.
    optional : bool
        Whether it may be left empty.
    minimum : int
        Fewest characters of an answer.
    pattern : str, optional
        Regular expression that an answer fits as a whole.
    like : str, optional
        A good answer, shown where one does not fit the pattern.
    """

    prompt: str
    optional: bool = False
    minimum: Annotated[int, Field(ge=1)] = 1
    pattern: Annotated[str, AfterValidator(_pattern)] | None = None
    like: str | None = None

    def complaint(self, answer: str) -> str | None:
        """Return what is wrong with an answer, if anything is.

        Examples
        --------
        >>> Question(prompt="Purpose", minimum=20).complaint("a thesis")
        'needs at least 20 characters, and this has 8'
        >>> Question(prompt="Supervisor", optional=True).complaint("") is None
        True
        """
        if not answer:
            return None if self.optional else "is needed"
        if not answer.isprintable():
            return "has characters that cannot be shown; type it anew"
        if len(answer) < self.minimum:
            return f"needs at least {self.minimum} characters, and this has {len(answer)}"
        if self.pattern and not re.fullmatch(self.pattern, answer):
            return f"should look like {self.like or self.pattern}"
        return None


class Form(Strict):
    """The form of an agreement.

    Attributes
    ----------
    title : str
        Headline.
    questions : dict of str to Question
        What is asked, in this order, by the name that the service knows the answer under.
    contact : str, optional
        The question whose answer is kept beside the identifier of the agreement.
    prompt : str
        What asks for the acceptance; may have ``{terms_version}`` in it.
    answer : str
        The answer that accepts, case aside.
    sends : dict of str to bool or str
        What is sent along with the answers.
    """

    title: str
    questions: Annotated[dict[str, Question], Field(min_length=1)]
    contact: str | None = None
    prompt: Annotated[str, AfterValidator(_names_the_version)]
    answer: str
    sends: dict[str, bool | str] = Field(default={})

    @field_validator("contact")
    @classmethod
    def _is_asked_for(cls, contact: str | None, info: ValidationInfo) -> str | None:
        questions = info.data.get("questions", {})
        if contact is not None and questions and contact not in questions:
            raise ValueError(f"there is no question {contact}{did_you_mean(contact, questions)}")
        return contact
