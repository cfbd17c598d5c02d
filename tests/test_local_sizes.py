"""What a plan sees of the data directory."""

import os

import pytest

from laion_fmri.storage.disk import local_stamps
from laion_fmri.storage.plan import Local
from laion_fmri.storage.receipts import Receipt, local_files, write


def test_files_have_sizes_and_nothing_else_has(tmp_path):
    (tmp_path / "a/b").mkdir(parents=True)
    (tmp_path / "a/b/whole").write_bytes(b"12345")
    (tmp_path / "a/empty").touch()
    (tmp_path / "a/link").symlink_to("b/whole")
    (tmp_path / "a/dangling").symlink_to("nowhere")
    paths = ["a/b/whole", "a/empty", "a/link", "a/dangling", "a/b", "a/missing", "a/empty/below", "", "a\0b", "x" * 300]
    assert {path: size for path, (size, _) in local_stamps(tmp_path, paths).items()} == {
        "a/b/whole": 5,
        "a/empty": 0,
        "a/link": 5,
    }


def receipt(at, etag, **but):
    known = {"path": "a", "key": "a", "remote": "s3://b", "tree": "t", "release": "1", "size": 5, "mtime_ns": 7}
    return Receipt(**{**known, "at": at, "etag": f'"{etag}"', **but})


@pytest.mark.parametrize(
    ("receipts", "etag"),
    [
        ([], None),
        ([receipt(1, "old")], '"old"'),
        ([receipt(1, "old"), receipt(2, "new")], '"new"'),
        ([receipt(2, "new"), receipt(1, "old")], '"new"'),
        ([receipt(1, "one"), receipt(1, "other")], '"other"'),
        ([receipt(1, "old"), receipt(2, "new", mtime_ns=8)], None),
        ([receipt(1, "old"), receipt(2, "new", size=4)], None),
        ([receipt(1, "old", size=4), receipt(2, "new")], '"new"'),
        ([receipt(1, "old"), receipt(2, "new", removed=True)], None),
        ([receipt(1, "old"), receipt(2, "another file", path="b")], '"old"'),
    ],
)
def test_the_latest_receipt_of_a_file_holds_unless_it_was_touched_since(tmp_path, receipts, etag):
    (tmp_path / "a").write_bytes(b"12345")
    os.utime(tmp_path / "a", ns=(0, 7))
    write(tmp_path, receipts)
    found = local_files(tmp_path, ["a", "missing"])
    assert found.keys() == {"a"}
    assert found["a"][:4] == Local(5, 7, etag)[:4]
