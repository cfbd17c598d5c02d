"""Entities that stand for the rest of a path: what they mean, what they claim, and which files they find."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

import laion_fmri
from laion_fmri.catalog import catalog_path, load_catalog
from laion_fmri.catalog.check import check_catalog
from laion_fmri.catalog.entities import Entity
from laion_fmri.catalog.filters import held_out_test
from laion_fmri.catalog.templates import fill, listing_prefix, overlap, parse
from laion_fmri.errors import DataNotDownloadedError, SelectionError
from laion_fmri.loaders import LOADERS
from laion_fmri.storage.disk import is_part, part_of
from laion_fmri.storage.find import expected_files

FILE = Entity(description="File.", kind="path", default="all")
WHO = Entity(description="Who.", key="sub", values=("01", "03"))
ENTITIES = {"who": WHO, "file": FILE}
TEMPLATE = "recon/sub-{who}/{file}"
FREESURFER = "derivatives/freesurfer/sub-03"

RIGHT = [
    "README",
    "surf/lh.white",
    "mri/transforms/talairach.xfm",
    ".hidden",
    "a/.b/c_d",
    "...",
    "aparc+aseg.mgz",
    "a b",
]
WRONG = ["", "/", "/a", "a/", "a//b", ".", "..", "./a", "../a", "a/.", "a/..", "a/../b", "a\nb", "a\x00"]


@pytest.mark.parametrize("path", RIGHT)
def test_a_path_below_a_folder_is_a_value(path):
    assert FILE.choose("file", path) == (path,)
    assert parse(TEMPLATE, ENTITIES, f"recon/sub-03/{path}") == {"who": "03", "file": path}


@pytest.mark.parametrize("path", WRONG)
def test_a_path_that_leads_elsewhere_or_nowhere_is_none(path):
    with pytest.raises(SelectionError, match=r"is not a possible value; it must look like folder/name, without"):
        FILE.choose("file", path)
    assert parse(TEMPLATE, ENTITIES, f"recon/sub-03/{path}") is None


@settings(deadline=None, max_examples=300)
@given(st.text("ab./", max_size=8))
def test_what_is_a_path_is_what_pathlib_leaves_as_it_is(text):
    parts = text.split("/")
    is_path = bool(text) and not {"", ".", ".."} & set(parts)
    assert bool(re.fullmatch(FILE.regex, text)) == is_path


def test_all_paths_are_open_and_lists_keep_their_order():
    assert FILE.choose("file", "all") == ("all",)
    assert FILE.choose("file", ["surf/rh.white", "surf/lh.white"]) == ("surf/rh.white", "surf/lh.white")
    assert list(listing_prefix(TEMPLATE, {"who": ["03"], "file": ["all"]})) == ["recon/sub-03/"]


def test_a_pattern_narrows_the_paths_and_may_not_leave_the_folder():
    pictures = Entity(description="Picture.", kind="path", pattern=r"(?:[a-z]+/)*[a-z]+\.png")
    assert pictures.choose("file", "deep/er/a.png") == ("deep/er/a.png",)
    with pytest.raises(SelectionError, match=r"must look like .*png"):
        pictures.choose("file", "a.svg")
    with pytest.raises(ValidationError, match=r"matches '/'; a path has no empty part, \. or \.\."):
        Entity(description="Any.", kind="path", pattern=".+")


@pytest.mark.parametrize(
    "given", [{"values": ["a"]}, {"range": ["1", "3"]}, {"aliases": {"a": "b"}}, {"match": "strict"}, {"strip": "-"}]
)
def test_a_path_takes_nothing_that_belongs_to_keys(given):
    with pytest.raises(ValidationError, match="a path takes no values, range, aliases, match and strip"):
        Entity(description="File.", kind="path", **given)


OTHERS = {
    "recon/sub-{who}/surf/lh.white": True,
    "recon/sub-03/deep/er/name_x.txt": True,
    "recon/sub-{who}/{file}": True,
    "recon/sub-{who}/surf/{file}": True,
    "recon/{file}": True,
    "{file}": True,
    "recon/sub-{who}.txt": False,
    "recon/sub-04/lh.white": False,
    "recon": False,
    "recons/sub-{who}/{file}": False,
    "recon/sub-{who}_x/{file}": False,
    "recon_sub-{who}/{file}": False,
}


@pytest.mark.parametrize(("other", "meets"), OTHERS.items())
def test_a_path_claims_everything_below_its_folder(other, meets):
    assert overlap(TEMPLATE, ENTITIES, other, ENTITIES) == meets
    assert overlap(other, ENTITIES, TEMPLATE, ENTITIES) == meets


@settings(deadline=None, max_examples=300)
@given(
    st.lists(st.sampled_from(["a", "b", "_", "/", "{who}"]), max_size=5).map("".join),
    st.lists(st.sampled_from(["a", "b", "_", "/", "{who}"]), max_size=5).map("".join),
    st.sampled_from(["a", "b_a", "a/b"]),
    st.sampled_from(WHO.known),
)
def test_overlap_misses_no_key_below_a_folder(one, other, file, who):
    """What is of both templates is claimed by both."""
    key = fill(f"{one}/{{file}}", {"who": who, "file": file})
    for theirs in (other, f"{other}/{{file}}"):
        if parse(theirs, ENTITIES, key) is not None:
            assert overlap(f"{one}/{{file}}", ENTITIES, theirs, ENTITIES)


# What a catalog may say


def edited(*pairs: tuple[str, str]) -> list[str]:
    text = catalog_path().read_text(encoding="utf-8")
    for old, new in pairs:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    _, problems = check_catalog(text, catalog_path().parent, LOADERS)
    return [problem.render("catalog") for problem in problems]


@pytest.mark.parametrize(
    "path",
    ["{file}/sub-{subject}", "sub-{subject}/{file}.txt", "sub-{subject}/x_{file}", "{file}/sub-{subject}/{file}"],
)
def test_a_path_stands_once_as_the_whole_last_part(path):
    old = "path: derivatives/freesurfer/sub-{subject}/{file}"
    (told,) = edited((old, f"path: derivatives/freesurfer/{path}"))
    assert re.match(
        r"catalog:\d+: sources\.freesurfer\.args\.path: \{file\} is the rest of a path; it stands once", told
    )


def test_two_artifacts_do_not_share_what_lies_below_a_folder():
    (told,) = edited(("      path: README\n", "      path: derivatives/freesurfer/sub-03/README\n"))
    assert "sources.readme.args.path: claims keys that freesurfer claims too" in told


def test_a_filter_is_no_path():
    (told,) = edited(("filters: [task, space, desc, stat", "filters: [figure, task, space, desc, stat"))
    assert "x-definitions.trees.rois.filters.0: figure is the rest of a path, which filters do not look at" in told


def test_files_of_any_path_have_no_sidecars():
    (told,) = edited(("      loader: files\n", "      loader: files\n      sidecar: true\n"))
    assert "sidecar: the files of {figure} have no names that one could tell" in told


# Which files are found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("README", "surf/lh.white", "surf/.hidden", "mri/transforms/talairach.xfm"):
        path = tmp_path / "recon" / "sub-03" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    (tmp_path / "recon" / "sub-03" / "empty").mkdir()
    return tmp_path


def found(root: Path, **values: tuple[str, ...]) -> list[str]:
    files = expected_files(root, TEMPLATE, ENTITIES, {"who": ("03",), "file": ("all",), **values})
    assert all(path == root / fill(TEMPLATE, bound) for path, bound in files)
    return [bound["file"] for _, bound in files]


def test_all_files_below_the_folder_are_found_sorted(folder):
    names = ["README", "mri/transforms/talairach.xfm", "surf/.hidden", "surf/lh.white"]
    assert found(folder) == names
    assert found(folder, who=("01", "03")) == names
    assert found(folder, who=("01",)) == []


def test_named_files_are_expected_whether_they_are_here_or_not(folder):
    assert found(folder, file=("surf/rh.white", "surf/lh.white")) == ["surf/rh.white", "surf/lh.white"]


def test_files_that_a_transfer_has_not_finished_are_not_found(folder):
    before = found(folder)
    part = part_of(folder / "recon" / "sub-03" / "surf" / "rh.white")
    part.write_text("half")
    assert is_part(part)
    assert part.parent.name == "surf"
    assert found(folder) == before
    assert not any(is_part(Path(name)) for name in ("rh.white", ".hidden", "x.part", ".x.part", ".x.12345678.par"))


def test_links_to_files_are_files_and_links_to_folders_are_not_walked(folder):
    recon = folder / "recon" / "sub-03"
    (recon / "surf" / "lh.link").symlink_to("lh.white")
    (recon / "loop").symlink_to(".", target_is_directory=True)
    (recon / "broken").symlink_to("nowhere")
    assert found(folder) == ["README", "mri/transforms/talairach.xfm", "surf/.hidden", "surf/lh.link", "surf/lh.white"]


# One artifact of the catalog


def of_miniature(miniature: Path) -> list[str]:
    paths = sorted((miniature / FREESURFER).rglob("*"))
    return sorted(path.relative_to(miniature / FREESURFER).as_posix() for path in paths if path.is_file())


def test_the_whole_folder_is_planned_and_downloaded(server, data_dir, miniature):
    recon = laion_fmri.open_catalog().freesurfer(subject="03")
    plan = recon.plan()
    assert sorted(file.path for file in plan.files) == [f"{FREESURFER}/{name}" for name in of_miniature(miniature)]
    assert {file.tree for file in plan.files} == {"freesurfer"}
    with pytest.raises(DataNotDownloadedError, match=r"laion-fmri download --subject 03 --include-freesurfer"):
        recon.read()
    files = recon.download().files()
    assert [file.entities["file"] for file in files] == of_miniature(miniature)
    for file in files:
        assert file.path.read_bytes() == (miniature / FREESURFER / file.entities["file"]).read_bytes()
    assert not recon.plan().bytes_to_download


def test_named_files_alone_are_downloaded(server, data_dir):
    wanted = ["surf/lh.white", "surf/rh.white"]
    recon = laion_fmri.open_catalog().freesurfer(subject="03", file=wanted)
    recon.download()
    here = [path.relative_to(data_dir).as_posix() for path in data_dir.rglob("*h.*") if path.is_file()]
    assert sorted(here) == [f"{FREESURFER}/{name}" for name in wanted]
    assert recon(file="all").files() == recon.files()
    with pytest.raises(DataNotDownloadedError, match=r"surf/lh\.pial.*laion-fmri download --subject 03"):
        recon(file=[*wanted, "surf/lh.pial"]).read()


def test_a_figure_that_is_held_out_is_not_requested(server, data_dir, miniature):
    held_out = held_out_test(load_catalog().remote.held_out, load_catalog().entities)
    figures = laion_fmri.open_catalog().glmsingle_figures(subject="03", ses="all").download()
    keys = [path.relative_to(miniature).as_posix() for path in miniature.rglob("figures/*") if "sub-03" in path.parts]
    assert any(held_out(key) for key in keys)
    here = [file.path.relative_to(data_dir).as_posix() for file in figures.files()]
    assert here == sorted(key for key in keys if not held_out(key))
    assert list(figures(ses=["01", "02"]).read().values()) == [file.path for file in figures.files()]


def test_links_count_as_what_they_lead_to(folder):
    subject = folder / "recon" / "sub-03"
    (folder / "recon" / "sub-01").symlink_to("sub-03")
    (subject / "linked").symlink_to("README")
    (subject / "lost").symlink_to("nowhere")
    (subject / "itself").symlink_to("itself")
    (subject / "mri" / "up").symlink_to("..")
    names = ["README", "linked", "mri/transforms/talairach.xfm", "surf/.hidden", "surf/lh.white"]
    assert found(folder) == names
    assert found(folder, who=("01",)) == names


def test_folders_are_found_in_the_order_of_their_names(tmp_path):
    names = ["a", "a-b", "a.b", "ab"]
    for name in reversed(names):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x").touch()
    kind = Entity(description="Kind.", pattern="[a-z][a-z.-]*")
    files = expected_files(tmp_path, "{kind}/x", {"kind": kind}, {"kind": ("all",)})
    assert files == [(tmp_path / name / "x", {"kind": name}) for name in names]
