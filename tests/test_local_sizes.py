"""What a plan sees of the data directory."""

from laion_fmri.storage.disk import local_stamps


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
