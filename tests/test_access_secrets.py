"""Canaries: identifier, e-mail, answers and signatures are planted, and looked for wherever something may show."""

import json
import os
import pickle
import re
import subprocess
import sys
import textwrap
import traceback
from pathlib import Path

import pytest

from access_form import FORM, PIPED
from laion_fmri.access.answers import Grant
from laion_fmri.access.links import Links
from laion_fmri.access.permit import Permit
from laion_fmri.catalog import load_catalog
from laion_fmri.sandbox.web import Answer
from laion_fmri.storage.events import Denied, Failed
from laion_fmri.storage.plan import Action, Plan, PlannedFile
from laion_fmri.storage.transfer import transfer
from terminal import PROGRAM

# Everything that a library may log, and every error with all that led to it.
LOUD = """
    import logging, sys, traceback, warnings
    from dataclasses import replace
    from laion_fmri.storage import retry
    retry.PATIENCE = replace(retry.PATIENCE, pause=0)
    logging.basicConfig(level=logging.DEBUG, stream=sys.stdout)
    warnings.simplefilter("always")
    import laion_fmri
    from laion_fmri.access import credentials
    from laion_fmri.local import artifact_source

    def told(error, *before):
        if error is not None and error not in before:
            print(repr(error), error.args, vars(error), "".join(traceback.format_exception(error)))
            told(error.__cause__, error, *before)
            told(error.__context__, error, *before)

    try:
        print(laion_fmri.{call})
        source = laion_fmri.open_catalog().stimuli
        print(source, repr(source), source.describe(), source._repr_html_(), repr(source.plan()))
        print(credentials.load({url!r}))
    except Exception as error:
        told(error)
"""


@pytest.fixture
def canaries(service):
    """Secrets by what they are; those of the service grow while the test runs."""
    signatures = []
    sign = service._signature

    def signing(*parts):
        signatures.append(sign(*parts))
        return signatures[-1]

    service._signature = signing

    def found(text):
        return [secret for secret in (*service.members, *signatures, *filter(None, FORM.values())) if secret in text]

    found.signatures = signatures
    return found


def loudly(call, server, answers=""):
    code = textwrap.dedent(LOUD).format(call=call, url=server.addresses["LAION_FMRI_ACCESS_URL"])
    done = subprocess.run(
        [sys.executable, "-c", code], input=answers, capture_output=True, text=True, timeout=120, check=False
    )
    return done.stdout + done.stderr


def written(*folders):
    """Return the text of every file below some folders, but for the one that keeps the identifier."""
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file() and path.name != "auth.json"]
    return "".join(f"{path}\n{path.read_bytes().decode('latin-1')}\n" for path in files if path.suffix != ".h5")


def test_a_whole_download_shows_no_secret_in_output_logs_reprs_and_files(server, canaries, data_dir, no_config):
    shown = loudly("download_stimuli()", server, PIPED)
    assert "DEBUG:urllib3.connectionpool" in shown
    assert "/access/files/task-images_stimuli.h5: 200 OK" in shown
    assert len(canaries.signatures) > 2
    assert canaries(shown) == []
    assert canaries(written(data_dir, no_config)) == []
    assert canaries((no_config / ".cache/laion-fmri/auth.json").read_text()) != []


@pytest.mark.parametrize(
    "command", [["status"], ["status", "--json"], ["--debug", "download-stimuli"], ["ls", "--json"]]
)
def test_no_command_shows_a_secret(agreed, canaries, data_dir, command):
    done = subprocess.run([*PROGRAM, *command], capture_output=True, text=True, timeout=120, check=True)
    assert canaries(done.stdout + done.stderr) == []


TROUBLES = {
    "refused": lambda service: setattr(service, "trouble", Answer(b'{"detail": "no"}', 403)),
    "failing": lambda service: setattr(service, "trouble", Answer(b"<html>", 500)),
    "no json": lambda service: setattr(service, "trouble", Answer(b"<html>")),
    "cut": lambda service: setattr(service, "cut", 7),
    "worn": lambda service: setattr(service, "lifetime", -1),
    "echo": lambda service: setattr(service, "_refresh", lambda request: Answer(request.body, 418)),
    "revoked": lambda service: [setattr(one, "state", "revoked") for one in service.members.values()],
    "outdated": lambda service: setattr(service, "terms_version", "2099-01-01"),
    "elsewhere": lambda service: setattr(service, "_base", lambda request: "https://elsewhere.example"),
    "no address": lambda service: setattr(service, "_base", lambda request: "http://["),
    "downgrade": lambda service: setattr(service, "_base", lambda request: "http://laion-fmri.s3.amazonaws.com"),
    "nowhere": lambda service: setattr(service, "_base", lambda request: "http://127.0.0.1:9"),
}


@pytest.mark.parametrize("trouble", TROUBLES)
def test_no_error_shows_a_secret_not_even_in_what_led_to_it(server, agreed, canaries, data_dir, trouble):
    TROUBLES[trouble](agreed)
    shown = loudly("download_stimuli()", server)
    assert "Error" in shown
    assert canaries(shown) == []
    assert canaries(written(data_dir, Path.home())) == []


def chain(error, *before):
    """Return an error and all that led to it, as text."""
    if error is None or error in before:
        return ""
    told = f"{error!r} {error.args} {''.join(traceback.format_exception(error))}"
    return "".join([told, *(chain(one, error, *before) for one in (error.__cause__, error.__context__))])


@pytest.mark.parametrize("trouble", ["cut", "worn", "elsewhere", "no address", "downgrade", "nowhere"])
def test_no_error_of_a_link_shows_its_signature_not_even_in_what_led_to_it(
    agreed, canaries, data_dir, patience, trouble
):
    patience(pause=0)
    (_, policy), *_ = load_catalog().gated
    permit = Permit(policy)
    TROUBLES[trouble](agreed)
    permit.open()
    file = PlannedFile("stimuli/task-images_stimuli.h5", "stimuli.h5", 10, "stimuli", Action.DOWNLOAD, "")
    events = list(transfer(Plan("", str(data_dir), "", 1 << 40, (file,)), Links(permit)))
    assert isinstance(events[-1], Denied | Failed)
    assert canaries.signatures
    assert canaries(repr(events)) == []
    if isinstance(events[-1], Failed):
        assert canaries(chain(events[-1].error)) == []


def test_a_form_that_is_refused_shows_no_answer(server, service, canaries, data_dir):
    def repeating(request):
        form = json.loads(request.body)
        return Answer(json.dumps({"detail": [{"loc": ["body"], "msg": f"no: {form}", "input": form}]}).encode(), 422)

    service._request = repeating
    shown = loudly("request_stimulus_access()", server, PIPED)
    assert "HTTP 422" in shown
    assert "***" in shown
    assert canaries(shown) == []


def test_a_grant_hides_its_secrets_and_keeps_them(service):
    link = {"name": "a", "size": 1, "sha256": "0" * 64, "url": "https://x/?X-Amz-Signature=canary"}
    grant = Grant.model_validate({"request_id": "lfm_canary", "files": [link]})
    assert "canary" not in f"{grant} {grant!r} {grant.model_dump()} {grant.model_dump_json()}"
    assert pickle.loads(pickle.dumps(grant)) == grant


def test_the_suggested_commands_hold_no_secret(agreed, canaries, data_dir):
    (identifier,) = agreed.members
    done = subprocess.run(
        [*PROGRAM, "purge-stimuli"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        stdin=subprocess.DEVNULL,
        env={**os.environ, "LAION_FMRI_REQUEST_ID": identifier},
    )
    assert canaries(done.stdout + done.stderr) == []
    assert not re.search(r"lfm_\w{8}", done.stdout + done.stderr)
    assert Path.home().joinpath(".cache/laion-fmri/auth.json").exists()
