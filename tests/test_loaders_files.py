"""Loaders of files that are not read, and of texts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import laion_fmri
from laion_fmri.errors import DataFormatError, DataNotDownloadedError, SelectionError
from laion_fmri.loaders import get_loader
from loader_files import entry, request

ANY = {"description": "Any.", "pattern": "[0-9]+"}
FILE = {"description": "File.", "kind": "path"}
FIGURES = entry("files", "ses-{ses}/figures/{figure}", {"dims": []}, {"ses": ANY, "figure": FILE})
MAPS = entry("files", "maps/sub-{subject}_map.bin", {"dims": []}, {"subject": ANY})
NOTES = entry("text", "sub-{subject}_ses-{ses}_note.txt", {"dims": []}, {"subject": ANY, "ses": ANY})


def write(root: Path, path: str, content: bytes = b"x") -> Path:
    place = root / path
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(content)
    return place


def paths(root: Path, spec, *choices):
    return get_loader("files").read(request(spec, root, choices))


def test_files_of_a_folder_are_paths_by_name(tmp_path):
    one, deep = (write(tmp_path, f"ses-01/figures/{name}") for name in ("a.png", "more/a.png"))
    found = paths(tmp_path, FIGURES, {"ses": "01", "figure": "a.png"}, {"ses": "01", "figure": "more/a.png"})
    assert found == {"a.png": one, "more/a.png": deep}
    assert paths(tmp_path, FIGURES, {"ses": "01", "figure": "more/a.png"}) == {"more/a.png": deep}


def test_files_of_several_folders_are_told_apart(tmp_path):
    one, other = (write(tmp_path, f"ses-{ses}/figures/a.png") for ses in ("02", "01"))
    found = paths(tmp_path, FIGURES, {"ses": "02", "figure": "a.png"}, {"ses": "01", "figure": "a.png"})
    assert found == {("02", "a.png"): one, ("01", "a.png"): other}


def test_files_whose_names_are_made_of_entities_have_these_names(tmp_path):
    one = write(tmp_path, "maps/sub-03_map.bin")
    assert paths(tmp_path, MAPS, {"subject": "03"}) == {"sub-03_map.bin": one}


def test_a_text_is_its_content(tmp_path):
    write(tmp_path, "sub-03_ses-01_note.txt", "crème\nbrûlée\n".encode())
    write(tmp_path, "sub-03_ses-02_note.txt", "﻿marked\n".encode())
    loader = get_loader("text")
    first, second = {"subject": "03", "ses": "01"}, {"subject": "03", "ses": "02"}
    assert loader.read(request(NOTES, tmp_path, [first])) == "crème\nbrûlée\n"
    assert loader.read(request(NOTES, tmp_path, [second, first])) == {"02": "marked\n", "01": "crème\nbrûlée\n"}


def test_bytes_that_are_no_text_are_damage(tmp_path):
    path = write(tmp_path, "sub-03_ses-01_note.txt", b"\xff\xfe\x00")
    with pytest.raises(DataFormatError, match=f"{path} is not UTF-8 text.*download it again"):
        get_loader("text").read(request(NOTES, tmp_path, [{"subject": "03", "ses": "01"}]))


@pytest.mark.parametrize(
    ("spec", "choice", "told"),
    [
        (FIGURES, {"ses": "01", "figure": "a.png"}, r"no lazy form \(a\.png\); use read\(\), which gives their paths"),
        (NOTES, {"subject": "03", "ses": "01"}, r"a text has no lazy form \(sub-03_ses-01_note\.txt\); it is small"),
    ],
)
def test_there_is_no_lazy_form_and_there_are_no_joins(tmp_path, spec, choice, told):
    loader = get_loader(spec.loader)
    assert loader.needs(spec, {}) == ()
    with pytest.raises(SelectionError, match=told):
        loader.to_dask(request(spec, tmp_path, [choice]))


# The miniature


def test_figures_of_a_session_are_pictures(here):
    figures = laion_fmri.open_catalog().glmsingle_figures(subject="03", ses="01")
    (path,) = figures.read().values()
    with Image.open(path) as picture:
        assert picture.format == "PNG"
        assert np.ptp(np.asarray(picture)) > 100
    sessions = figures(ses=["01", "02"]).read()
    assert {session for session, _ in sessions} == {"01", "02"}
    assert path in sessions.values()


def test_the_readme_is_text(here_all, miniature):
    assert laion_fmri.open_catalog().readme.read() == (miniature / "README").read_text(encoding="utf-8")


def test_a_readme_that_is_not_here_is_told_with_what_fetches_it(server, data_dir):
    with pytest.raises(DataNotDownloadedError, match=r"run: laion_fmri\.open_catalog\(\)\.readme\(\)\.download\(\)"):
        laion_fmri.open_catalog().readme.read()
    assert "made up" in laion_fmri.open_catalog().readme().download().read()
