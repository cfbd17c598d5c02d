"""The form of the agreement: on a terminal of its own, and piped in."""

import io
import subprocess
import sys

import pytest

import laion_fmri
from access_form import EMAIL, FORM, PIPED
from laion_fmri.access.form import fill_in
from laion_fmri.catalog import load_catalog
from laion_fmri.errors import AgreementNeededError
from laion_fmri.sandbox.web import Answer
from terminal import PROGRAM, terminal

PROMPTS = {
    "name": "Full name: ",
    "email": "Institutional e-mail: ",
    "institution": "Institution or affiliation: ",
    "pi_or_supervisor": "PI or supervisor (optional, Enter leaves it out): ",
    "research_purpose": "no sensitive data of others: ",
}
ACCEPT = 'Type "yes" to accept the Terms of Use (v2026-05-12)'


def run(*words, answers=None):
    stdin = {"stdin": subprocess.DEVNULL} if answers is None else {"input": answers}
    done = subprocess.run([*PROGRAM, *words], capture_output=True, text=True, timeout=120, check=False, **stdin)
    assert "Traceback" not in done.stderr
    return done


def fill_in_on(screen, **other):
    for name, prompt in PROMPTS.items():
        screen.until(prompt)
        screen.types(f"{ {**FORM, **other}[name] }\n".strip(" "))


def test_the_links_come_before_the_first_question(service):
    with terminal("request-access") as screen:
        screen.until(PROMPTS["name"])
    before = screen.shown
    for page in ("terms", "privacy", "takedown"):
        assert f"/access/{page}" in before


def test_a_form_that_is_filled_in_is_sent_as_the_service_wants_it(service):
    with terminal("request-access") as screen:
        fill_in_on(screen)
        screen.until(ACCEPT)
        screen.types("Yes\n")
        screen.until("laion-fmri download-stimuli")
        assert screen.ends() == 0
    (member,) = service.members.values()
    assert member.form == {
        **FORM,
        "pi_or_supervisor": None,
        "accepted_terms": True,
        "acknowledged_privacy": True,
        "terms_version": "2026-05-12",
        "source": "cli",
    }


@pytest.mark.parametrize(
    ("field", "wrong", "said"),
    [
        ("email", "grace at university", "should look like name@university.edu"),
        ("email", "", "is needed"),
        ("name", "   ", "is needed"),
        ("research_purpose", "a thesis", "needs at least 20 characters, and this has 8"),
        ("institution", "Uni\x1b[Dx", "characters that cannot be shown"),
    ],
)
def test_a_wrong_answer_is_told_at_once_and_asked_for_again(service, field, wrong, said):
    with terminal("request-access") as screen:
        for name, prompt in PROMPTS.items():
            screen.until(prompt)
            if name == field:
                screen.types(f"{wrong}\n")
                screen.until(said)
                screen.until(prompt)
                assert not service.members
            screen.types(f"{FORM[name]}\n")
        screen.until(ACCEPT)
        screen.types("yes\n")
        assert screen.ends() == 0
    (member,) = service.members.values()
    assert member.form[field] == FORM[field]


@pytest.mark.parametrize("answer", ["no", "", "I AGREE"])
def test_nothing_is_sent_when_the_terms_are_declined(service, no_config, answer):
    with terminal("request-access") as screen:
        fill_in_on(screen)
        screen.until(ACCEPT)
        screen.types(f"{answer}\n")
        screen.until("The terms were not accepted")
        assert screen.ends() == 3
    assert [path for method, path in service.asked if method == "POST"] == []
    assert not (no_config / ".cache" / "laion-fmri").exists()


def test_the_end_of_input_on_a_terminal_ends_the_form(service):
    with terminal("request-access") as screen:
        screen.until(PROMPTS["name"])
        screen.types("\x04")
        screen.until("nobody is there to answer")
        assert screen.ends() == 3
    assert not service.members


def test_an_interrupt_in_the_form_ends_it_and_sends_nothing(service):
    with terminal("request-access") as screen:
        screen.until(PROMPTS["name"])
        screen.process.send_signal(2)
        screen.until("interrupted")
        assert screen.ends() == 130
    assert not service.members


def test_answers_may_be_piped_in(service):
    ended = run("request-access", answers=PIPED)
    assert ended.returncode == 0
    assert len(service.members) == 1


@pytest.mark.parametrize("command", ["request-access", "download-stimuli"])
@pytest.mark.parametrize("lines", [0, 1, 5])
def test_without_anybody_to_answer_the_error_has_the_command(service, data_dir, command, lines):
    answers = "".join(PIPED.splitlines(keepends=True)[:lines])
    ended = run(command, answers=answers or None)
    assert ended.returncode == 3
    assert ended.stderr.endswith("Nothing was sent. Run this in a terminal: laion-fmri request-access\n")
    assert not service.members


def test_a_wrong_answer_that_is_piped_in_is_no_answer_to_the_next_question(service):
    ended = run("request-access", answers=PIPED.replace(EMAIL, "grace"))
    assert ended.returncode == 3
    assert "Institutional e-mail: the answer should look like name@university.edu" in ended.stderr
    assert not service.members


def test_without_standard_input_there_is_an_error_and_no_crash(service):
    code = "import sys; sys.stdin.close(); import laion_fmri; laion_fmri.request_stimulus_access()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert "AgreementNeededError: The form asks questions, and nobody is there to answer" in done.stderr


def test_the_form_comes_before_anything_is_downloaded(service, data_dir):
    ended = run("download", "--subject", "03", "--ses", "01", "--include-stimuli")
    assert ended.returncode == 3
    assert not (data_dir / "derivatives").exists()


def test_a_service_that_fails_is_told_before_the_first_question(service):
    service.trouble = Answer(b"<html>", 500)
    ended = run("request-access", answers=PIPED)
    assert ended.returncode == 1
    assert "Full name" not in ended.stdout


def test_a_new_form_replaces_the_agreement_that_was_there(service, no_config):
    assert run("request-access", answers=PIPED).returncode == 0
    first = (no_config / ".cache/laion-fmri/auth.json").read_text()
    assert run("request-access", answers=PIPED).returncode == 0
    assert (no_config / ".cache/laion-fmri/auth.json").read_text() != first
    assert len(service.members) == 2


def test_what_the_service_refuses_can_be_filled_in_again(service):
    service.policy = service.policy.model_copy(update={"form": stricter(service.policy.form)})
    ended = run("request-access", answers=PIPED)
    assert ended.returncode == 1
    assert "HTTP 422: body.institution: needs at least 500 characters" in ended.stderr
    assert "laion-fmri request-access" in ended.stderr


def stricter(form):
    questions = dict(form.questions)
    questions["institution"] = questions["institution"].model_copy(update={"minimum": 500})
    return form.model_copy(update={"questions": questions})


def test_the_function_gives_the_links_and_hides_its_secrets(service, monkeypatch, capsys):
    monkeypatch.setattr("sys.stdin", io.StringIO(PIPED))
    grant = laion_fmri.request_stimulus_access()
    (identifier,) = service.members
    assert grant["request_id"].get_secret_value() == identifier
    assert {file["name"] for file in grant["files"]} == set(service.contents)
    shown = repr(grant) + str(grant) + "".join(capsys.readouterr())
    assert identifier not in shown
    assert "Signature" not in shown


def test_the_form_is_that_of_the_catalog(monkeypatch, capsys):
    (_, policy), *_ = load_catalog().gated
    form = policy.form.model_copy(update={"questions": {"badge": policy.form.questions["name"]}, "sends": {"via": "x"}})
    monkeypatch.setattr("sys.stdin", io.StringIO("B 7\nyes\n"))
    assert fill_in(form, {"Terms": "https://terms"}, "9", "again") == {"badge": "B 7", "via": "x", "terms_version": "9"}
    assert "v9" in capsys.readouterr().out


def test_the_answer_to_the_terms_is_shown_in_no_error(monkeypatch):
    (_, policy), *_ = load_catalog().gated
    monkeypatch.setattr("sys.stdin", io.StringIO(PIPED.replace("\nyes\n", f"\n{EMAIL}\n")))
    with pytest.raises(AgreementNeededError) as error:
        fill_in(policy.form, {"Terms": "https://terms"}, "9", "again")
    assert EMAIL not in str(error.value)
