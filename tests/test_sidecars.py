"""The JSON files beside other files, through both doors: the source and the intake source."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import laion_fmri
from laion_fmri.catalog import load_catalog
from laion_fmri.errors import DataFormatError, DataNotDownloadedError, SelectionError
from laion_fmri.local import artifact_source

ONE = {"subject": "03", "ses": "01"}
WITH = [name for name, source in load_catalog().sources.items() if source.args.sidecar]
WITHOUT = [name for name, source in load_catalog().sources.items() if not source.args.sidecar]


def beside(path: Path) -> Path:
    return path.with_name(f"{path.name.partition('.')[0]}.json")


@pytest.mark.parametrize("name", WITH)
def test_the_sidecar_of_an_artifact_is_its_json_file(here_all, name):
    chosen = load_catalog().sources[name].metadata["example"]
    source = getattr(laion_fmri.open_catalog(), name)(**chosen)
    (file,) = source.files()
    expected = json.loads(beside(file.path).read_text(encoding="utf-8"))
    assert expected
    assert source.sidecar() == artifact_source(name)(**chosen).sidecar() == expected


def test_sidecars_of_several_files_are_found_by_the_entity_in_which_they_differ(here_all):
    trials = laion_fmri.open_catalog().trials(subject="03", ses=["02", "01"])
    found = trials.sidecar()
    assert list(found) == ["02", "01"]
    assert found["01"] == trials(ses="01").sidecar()


@pytest.mark.parametrize("name", WITHOUT)
def test_an_artifact_without_sidecars_says_so(data_dir, name):
    with pytest.raises(SelectionError, match=f"{name} has no sidecars: no JSON files lie beside its files"):
        getattr(laion_fmri.open_catalog(), name).sidecar()


def test_a_sidecar_needs_the_entities_of_its_file(here):
    with pytest.raises(SelectionError, match="betas: give ses="):
        laion_fmri.open_catalog().betas(subject="03").sidecar()


def test_a_sidecar_that_is_not_here_is_told_with_the_command_that_fetches_it(here):
    betas = laion_fmri.open_catalog().betas(**ONE)
    path = beside(betas.files()[0].path)
    path.unlink()
    with pytest.raises(DataNotDownloadedError, match=rf"{path.name}; run: laion-fmri download --subject 03 --ses 01"):
        betas.sidecar()


def test_a_sidecar_is_read_where_its_file_is_not_here(here):
    betas = laion_fmri.open_catalog().betas(**ONE)
    betas.files()[0].path.unlink()
    assert betas.sidecar()["Units"]


def test_a_damaged_sidecar_is_named(here):
    betas = laion_fmri.open_catalog().betas(**ONE)
    path = beside(betas.files()[0].path)
    path.write_text("{", encoding="utf-8")
    with pytest.raises(DataFormatError, match=rf"{path.name} cannot be read as JSON"):
        betas.sidecar()


def test_sidecars_are_downloaded_with_their_files_at_the_root_too(server, data_dir, miniature):
    participants = laion_fmri.open_catalog().participants()
    assert {file.key for file in participants.plan().files} == {"participants.tsv", "participants.json"}
    participants.download()
    assert participants.sidecar() == json.loads((miniature / "participants.json").read_text(encoding="utf-8"))
