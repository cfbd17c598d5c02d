"""What the README shows works as it stands."""

import io
import re
import shlex
from pathlib import Path

import pytest

from laion_fmri.cli import main

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def test_the_python_runs_from_top_to_bottom(server, here_all, monkeypatch):
    monkeypatch.chdir(ROOT)
    names = {}
    for block in blocks("python"):
        exec(block, names)
    assert names["betas"].dims == ("trial", "voxel")
    assert {"label", "x", "y", "z"} <= set(names["betas"].coords)


def test_the_commands_run_in_order(server, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.stdin", io.StringIO())
    lines = [shlex.split(line, comments=True) for block in blocks("sh")[:2] for line in block.splitlines()]
    commands = [words[1:] for words in lines if words and words[0] == "laion-fmri"]
    assert [words[0] for words in commands] == ["config", "download", "download"]
    (tmp_path / "laion_fmri_data").mkdir()
    config, dry_run, download = commands
    assert main(config) == main(dry_run) == 0
    assert main(download) == 3
    (tmp_path / "laion_fmri_data/.laion_fmri/license_accepted").touch()
    assert main(download) == 0


@pytest.mark.parametrize("target", re.findall(r"\]\(((?!https?:)[^)]+)\)", README))
def test_links_lead_somewhere(target):
    assert (ROOT / target).exists()
