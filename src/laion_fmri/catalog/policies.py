"""Under which conditions data may be had."""

from typing import Annotated, Literal

from pydantic import Field

from laion_fmri.catalog.entities import Strict
from laion_fmri.catalog.forms import Form
from laion_fmri.catalog.services import Service


class Open(Strict):
    """Access without conditions.

    Attributes
    ----------
    policy : {"open"}
        What the user does: nothing.
    license : str
        SPDX identifier of the licence.
    url : str
        Text of the licence.
    """

    policy: Literal["open"]
    license: str
    url: str


class Acknowledge(Strict):
    """Access after one typed answer, remembered in the data directory.

    Attributes
    ----------
    policy : {"acknowledge"}
        What the user does: type an answer, once.
    license : str
        SPDX identifier of the licence.
    url : str
        Text of the licence.
    text : str
        File beside the catalog that is shown before.
    prompt : str
        What asks for the answer.
    answer : str
        The answer that is typed.
    marker : str
        File in the data directory that remembers it.
    """

    policy: Literal["acknowledge"]
    license: str
    url: str
    text: str
    prompt: str
    answer: str
    marker: str


class Agreement(Strict):
    """Access after an agreement with a service, which gives the files itself; the remote lists them and denies them.

    Attributes
    ----------
    policy : {"agreement"}
        What the user does: fill in a form and accept terms, once.
    license : str
        Identifier of the terms.
    url : str
        Text of the terms.
    service : Service
        What gives the files.
    form : Form
        What is filled in.
    """

    policy: Literal["agreement"]
    license: str
    url: str
    service: Service
    form: Form


Access = Annotated[Open | Acknowledge | Agreement, Field(discriminator="policy")]
