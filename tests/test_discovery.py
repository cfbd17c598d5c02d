"""What the specification pages show of configuration, discovery and constants."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

import laion_fmri
from laion_fmri._constants import ACCESS_SERVICE_URL, LICENSE_AGREEMENT_BODY, LICENSE_AGREEMENT_TEXT
from laion_fmri.catalog import load_catalog
from laion_fmri.catalog.templates import parse
from laion_fmri.config import config_path, dataset_initialize, get_data_dir, set_data_dir
from laion_fmri.discovery import describe, get_rois, get_subjects, inspect_bucket

SOURCES = {"PYTHONPATH": str(Path(laion_fmri.__file__).parents[1])}


def rois_on_disk(miniature, subject, category="*"):
    """Read the ROI names from the miniature's file names, with the label's hyphens left out."""
    names = Path(miniature).glob(
        f"derivatives/rois/{subject}/{category}/{subject}_space-T1w_res-1pt8_label-*_mask.nii.gz"
    )
    return sorted(name.name.split("_label-")[1].removesuffix("_mask.nii.gz").replace("-", "") for name in names)


def test_the_data_directory_is_chosen_once_and_stored_as_given(no_config, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("data").mkdir()
    dataset_initialize("data")
    assert get_data_dir() == "data"
    assert json.loads(config_path().read_text()) == {"data_dir": "data"}
    assert Path("data/.laion_fmri").is_dir()
    assert set_data_dir is dataset_initialize is laion_fmri.set_data_dir


def test_a_directory_that_does_not_exist_is_refused_and_nothing_changes(data_dir):
    with pytest.raises(FileNotFoundError, match="/nowhere"):
        dataset_initialize("/nowhere")
    with pytest.raises(TypeError, match="Path"):
        dataset_initialize(Path())
    assert get_data_dir() == str(data_dir)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"data_dir": 3}', "{}"])
def test_a_damaged_configuration_says_how_to_mend_it(no_config, text):
    config_path().parent.mkdir(parents=True)
    config_path().write_text(text)
    with pytest.raises(laion_fmri.DataDirNotSetError, match="laion-fmri config --data-dir"):
        get_data_dir()


def test_subjects_and_rois_come_from_the_bucket(server, miniature, no_config):
    subjects = sorted(path.name for path in Path(miniature, "derivatives/rois").iterdir())
    assert get_subjects() == subjects
    assert get_rois("sub-03") == rois_on_disk(miniature, "sub-03")
    assert get_rois("03", category="face") == rois_on_disk(miniature, "sub-03", "face")
    assert get_rois() == rois_on_disk(miniature, subjects[0])
    with pytest.warns(UserWarning, match="No ROIs found"):
        assert get_rois("sub-99") == []


def test_describe_prints_what_the_page_shows(server, miniature, capsys):
    describe()
    subjects = get_subjects()
    assert capsys.readouterr().out == (
        "LAION-fMRI Dataset\n"
        "  Bucket:    s3://laion-fmri\n"
        f"  Subjects:  {len(subjects)} ({', '.join(subjects)})\n"
        f"  ROIs:      {', '.join(rois_on_disk(miniature, subjects[0]))}\n"
    )


def test_inspect_bucket_counts_entries(server, miniature, capsys):
    inspect_bucket()
    lines = capsys.readouterr().out.splitlines()
    people = len(get_subjects())
    assert lines[0] == "Bucket: s3://laion-fmri"
    assert f"derivatives/rois/: {people} entries, {people} sub-* entries" in lines


def test_constants_are_those_of_the_page():
    assert ACCESS_SERVICE_URL == "https://laion-fmri.hebartlab.com"
    assert LICENSE_AGREEMENT_BODY.splitlines()[0] == "=== LAION-fMRI Dataset License (CC0 1.0) ==="
    assert LICENSE_AGREEMENT_BODY.endswith("``laion-fmri request-access`` to obtain a download.\n")
    assert LICENSE_AGREEMENT_TEXT.endswith('Type "I AGREE" to accept and continue with the download: ')


def test_every_artifact_of_the_catalog_is_in_the_miniature(miniature):
    keys = [path.relative_to(miniature).as_posix() for path in Path(miniature).rglob("*") if path.is_file()]
    for name, source in load_catalog().sources.items():
        for template in source.args.path:
            assert any(parse(template, source.args.entities, key) is not None for key in keys), (
                name,
                template,
            )


def test_importing_the_package_imports_the_standard_library_only():
    code = "import sys, laion_fmri; print(*{name.partition('.')[0] for name in sys.modules} - sys.stdlib_module_names)"
    done = subprocess.run([sys.executable, "-S", "-c", code], capture_output=True, text=True, check=True, env=SOURCES)
    assert set(done.stdout.split()) <= {"laion_fmri", "__main__"}


@pytest.mark.parametrize("name", laion_fmri.__all__)
def test_every_public_name_can_be_had(name):
    assert getattr(laion_fmri, name) is not None
    assert name in dir(laion_fmri)
