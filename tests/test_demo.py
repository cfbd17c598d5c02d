"""The demo, from an empty folder to its pictures."""

import os
import subprocess
import sys

import pytest
from PIL import Image


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo") / "new"
    program = [sys.executable, "-m", "laion_fmri.cli", "demo", "--folder", str(folder)]
    home = tmp_path_factory.mktemp("home-of-the-demo")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "LAION_FMRI_"))}
    done = subprocess.run(
        program,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
        stdin=subprocess.DEVNULL,
        env={**environment, "HOME": str(home)},
    )
    return folder, done, home


def test_the_demo_runs_to_its_end_without_a_warning_or_an_answer(demo):
    _, done, _ = demo
    assert done.returncode == 0, done.stderr
    assert "warning" not in done.stderr.lower()


@pytest.mark.parametrize("name", ["mean-response-per-roi.png", "images-and-responses.png"])
def test_its_pictures_are_pictures_of_something(demo, name):
    folder, _, _ = demo
    with Image.open(folder / name) as picture:
        assert len(picture.convert("RGB").getcolors(1 << 24)) > 100


def test_both_consents_are_visible_with_their_answers(demo):
    _, done, _ = demo
    assert "continue with the download: I AGREE\n" in done.stdout
    assert "Full name: Ada Example\n" in done.stdout
    assert "acknowledge the Privacy notice: yes\n" in done.stdout
    assert "terms v2026-05-12 accepted, which hold now" in done.stdout


def test_nothing_is_kept_outside_its_folder(demo):
    folder, _, home = demo
    assert (folder / ".cache" / "laion-fmri" / "auth.json").exists()
    assert not list(home.rglob("*"))
