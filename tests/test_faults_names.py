"""Names that would lead out of the data directory, that a system does not allow, or that meet in one place."""

import unicodedata
from pathlib import Path

import pytest

from fault_bucket import FOLDER, OBJECTS, PIECE, START, fetched, holds, place
from laion_fmri.download import download_stimuli
from laion_fmri.storage.plan import Action, decide

KEY = "sub-03_ses-01_task-images_desc-SingletrialBetas_trials.tsv"
HOSTILE = {
    "above": f"../../../../../../{KEY}",
    "above in the middle": f"a/../../../../../../{KEY}",
    "dot": f"./{KEY}",
    "no name between slashes": f"a//{KEY}",
    "NUL": f"a\x00{KEY}",
    "line": f"a\n{KEY}",
    "escape": f"\x1b[2J{KEY}",
    "delete": f"a\x7f{KEY}",
    "C1": f"a\x9b{KEY}",
    "backslash": f"..\\..\\{KEY}",
    "drive": f"C:{KEY}",
    "drive and path": f"C:\\{KEY}",
    "stream": f"{KEY}:hidden",
    "wildcard": f"a*{KEY}",
    "pipe": f"a|{KEY}",
    "CON": f"CON/{KEY}",
    "con": f"con.{KEY}",
    "NUL device": f"nul/{KEY}",
    "COM1": f"COM1.x/{KEY}",
    "LPT9": f"lpt9/{KEY}",
    "superscript COM": f"COM¹/{KEY}",
    "trailing dot": f"{KEY}.",
    "trailing space": f"{KEY} ",
    "folder with a trailing dot": f"a./{KEY}",
    "folder with a trailing space": f"a /{KEY}",
    "300 characters": f"{'a' * 300}_{KEY}",
    "300 bytes": f"{'é' * 130}_{KEY}",
    "reversed": f"a\u202e{KEY}",
    "isolated": f"a\u2066{KEY}",
    "invisible": f"a\u200b{KEY}",
    "line separator": f"a\u2028{KEY}",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_in_a_listing_is_refused_and_the_rest_comes(faulty, data_dir, name):
    key = f"{FOLDER}/{HOSTILE[name]}"
    faulty.objects[key] = b"hostile"
    before = everything(data_dir.parent)
    report, said = fetched()
    assert report.failed == (key,)
    assert "is refused" in said
    assert all(character.isprintable() for character in said)
    assert faulty.gets(key) == []
    assert holds(data_dir, OBJECTS)
    assert {path for path in everything(data_dir.parent) - before if not path.is_relative_to(data_dir)} == set()


def everything(folder):
    return set(folder.rglob("*"))


@pytest.mark.parametrize(
    "path",
    [
        "/etc/passwd",
        "//host/share",
        "..",
        "../x",
        "a/..",
        "",
        ".",
        "~/x/..",
        "C:/x",
        "c:x",
        "\\\\host\\share",
        "a\\..\\b",
    ],
)
def test_a_path_from_anywhere_else_is_refused(path):
    assert decide(path, 1, None)[0] is Action.REFUSE


PAIRS = {
    "case": ("a_trials.tsv", "A_trials.tsv"),
    "case of a folder": ("a/x_trials.tsv", "A/x_trials.tsv"),
    "case of other letters": ("straße_trials.tsv", "STRASSE_trials.tsv"),
    "composed": tuple(f"{unicodedata.normalize(form, 'é')}_trials.tsv" for form in ("NFC", "NFD")),
    "one local path": ("label-V1-v_trials.tsv", "label-V1v_trials.tsv"),
}


@pytest.mark.parametrize("pair", PAIRS)
def test_two_keys_that_meet_in_one_place_are_both_refused(faulty, data_dir, pair):
    keys = [f"{START}desc-SingletrialBetas_{name}" for name in PAIRS[pair]]
    faulty.objects |= {key: key.encode() for key in keys}
    report, said = fetched()
    assert set(report.failed) == set(keys)
    assert said.count("is refused") == 2
    assert [asked for key in keys for asked in faulty.gets(key)] == []
    assert holds(data_dir, OBJECTS)


@pytest.mark.parametrize("below", ["y_trials.tsv", "a/b/y_trials.tsv"])
def test_a_file_where_another_key_needs_a_folder_is_refused(faulty, data_dir, below):
    file = f"{START}desc-SingletrialBetas_x_trials.tsv"
    faulty.objects |= {file: b"file", f"{file}/{below}": b"below"}
    report, said = fetched()
    assert report.failed == (file,)
    assert f"{file} is refused" in said
    assert holds(data_dir, OBJECTS | {f"{file}/{below}": b"below"})


@pytest.mark.parametrize("letter", ["a", "é", "日", "😀"])
def test_a_name_as_long_as_a_file_system_allows_is_fine(faulty, data_dir, letter):
    most = 255 - len(f"_{KEY}")
    name = f"{letter * (most // len(letter.encode()))}_{KEY}"
    key = f"{FOLDER}/{name}"
    faulty.objects[key] = b"long"
    faulty.objects[large := key.replace("_trials.tsv", "_trials.bin")] = bytes(2 * PIECE)
    report, said = fetched()
    assert (report.complete, said) == (True, "")
    assert holds(data_dir, OBJECTS | {key: b"long", large: bytes(2 * PIECE)})


@pytest.mark.parametrize(
    "name", ["a b", "ä", "日本", "a+b", "a%2Fb", "a&b;c", "#a", "=a", "a'b", "(a)", "-a", "~a", "@a", "a,b"]
)
def test_an_unusual_name_that_every_system_allows_is_fine(faulty, data_dir, name):
    key = f"{FOLDER}/{name}_{KEY}"
    faulty.objects[key] = name.encode()
    report, said = fetched()
    assert (report.complete, said) == (True, "")
    assert place(data_dir, key).read_bytes() == name.encode()


@pytest.mark.parametrize("name", ["../../evil.h5", "/tmp/evil.h5", "..\\evil.h5", "CON", "evil\x00.h5", "a\nb"])
def test_a_hostile_name_in_a_manifest_reaches_no_path(agreed, data_dir, name):
    file = next(iter(agreed.published.values()))
    agreed.published[name] = {**file, "name": name}
    before = {path for path in everything(data_dir.parent) if not path.is_relative_to(data_dir)}
    found = download_stimuli()
    assert {Path(path).parent for path in found.values()} == {data_dir / "stimuli"}
    assert {path for path in everything(data_dir.parent) if not path.is_relative_to(data_dir)} == before
    assert {path.name for path in (data_dir / "stimuli").iterdir()} == set(found)
