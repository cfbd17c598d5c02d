"""One artifact without intake: what its plan lists and what its download asks and tells."""

import io

import pytest

from laion_fmri.catalog import load_catalog
from laion_fmri.download import download
from laion_fmri.errors import SelectionError
from laion_fmri.local import artifact_source
from laion_fmri.source import Source


def test_files_of_several_trees_are_listed_each_in_its_folder(server, data_dir):
    artifact, root = load_catalog().artifact("segmentations"), load_catalog().definitions.trees["root"]
    join = artifact.joins["metadata"].model_copy(update={"tree": root, "path": ("participants.tsv",)})
    plan = Source("segmentations", "", artifact.model_copy(update={"joins": {"metadata": join}})).plan()
    assert [file.key for file in plan.files] == [*artifact.path, "participants.tsv"]


def test_an_incomplete_choice_is_refused_before_the_licence_is_asked_for(server, fresh_dir, capsys, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("I AGREE\n"))
    with pytest.raises(SelectionError, match=r"betas: give ses="):
        artifact_source("betas")(subject="03").download()
    assert capsys.readouterr().out == ""


@pytest.fixture
def colliding_key(server):
    """A key whose local path is that of another key of the bucket."""
    below = "derivatives/rois/sub-03/face/sub-03_space-T1w_res-1pt8_label-"
    key = f"{below}FFA1_mask.nii.gz"
    server.owner.put_object(Bucket=server.bucket, Key=key, Body=b"x", ACL="public-read")
    yield {key, f"{below}FFA-1_mask.nii.gz"}
    server.owner.delete_object(Bucket=server.bucket, Key=key)


@pytest.mark.parametrize(
    "fetch",
    [
        lambda: artifact_source("rois")(subject="03").download(),
        lambda: download("03", ses="averages", suffix="mask"),
    ],
)
def test_two_keys_of_one_local_path_are_both_refused_and_told(data_dir, colliding_key, fetch):
    with pytest.warns(UserWarning, match="is refused: another key has the same local path") as told:
        report = fetch()
    assert len(told) == len(colliding_key)
    assert set(report.failed) == colliding_key
    assert report.downloaded
    assert not list(data_dir.rglob("*_res-1pt8_label-FFA1_mask.nii.gz"))
