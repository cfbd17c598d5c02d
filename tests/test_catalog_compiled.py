"""The checked catalog that is kept beside the compiled modules, in a package laid out as by its wheel."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import laion_fmri
from laion_fmri.catalog import catalog_path

CODE = """
import json, sys
from laion_fmri.catalog import catalog_path, load_catalog
catalog = load_catalog()
checked = "yaml" in sys.modules
from laion_fmri.catalog.check import read_catalog
assert catalog == read_catalog(catalog_path())
print(json.dumps([checked, catalog.description]))
"""
LOAD = ("-c", "from laion_fmri.catalog import load_catalog; load_catalog()")
CHECKED, KEPT = True, False


@pytest.fixture
def package(tmp_path):
    """The package with its catalog, in a folder of its own."""
    folder = tmp_path / "site" / "laion_fmri"
    shutil.copytree(Path(laion_fmri.__file__).parent, folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(catalog_path().parent, folder / "_catalog")
    return folder


@pytest.fixture
def yaml(package):
    return package / "_catalog" / catalog_path().name


def start(package, *words, **environment):
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    return subprocess.Popen(
        [sys.executable, *(words or ("-c", CODE))],
        env={**kept, "PYTHONPATH": str(package.parent), **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def loaded(package, **environment):
    """Load the catalog in a process; return whether it was checked, and its description."""
    return told(start(package, **environment))


def told(process):
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")
    return tuple(json.loads(out))


def was_checked(package, **environment):
    return loaded(package, **environment)[0]


def pickles(folder):
    return sorted(folder.rglob("*.pickle*"))


def test_a_checked_catalog_is_kept_beside_the_compiled_modules_and_taken_from_there(package):
    assert was_checked(package) is CHECKED
    (kept,) = pickles(package)
    assert kept.parent == package / "catalog" / "__pycache__"
    before = kept.read_bytes()
    assert was_checked(package) is KEPT
    assert pickles(package) == [kept]
    assert kept.read_bytes() == before


def test_commands_check_no_catalog_that_is_kept(package):
    code = "import sys; from laion_fmri.cli import main; main(['ls']); print('yaml' in sys.modules)"
    first, second = (start(package, "-c", code).communicate(timeout=60)[0].splitlines() for _ in range(2))
    assert (first[-1], second[-1]) == ("True", "False")
    assert first[:-1] == second[:-1]


def test_the_prefix_of_compiled_modules_holds_for_the_catalog(package, tmp_path):
    prefix = {"PYTHONPYCACHEPREFIX": str(tmp_path / "prefix")}
    assert [was_checked(package, **prefix) for _ in range(2)] == [CHECKED, KEPT]
    assert pickles(package) == []
    assert len(pickles(tmp_path / "prefix")) == 1


def test_nothing_is_kept_where_no_module_is_but_what_is_there_is_taken(package):
    quiet = {"PYTHONDONTWRITEBYTECODE": "1"}
    assert [was_checked(package, **quiet) for _ in range(2)] == [CHECKED, CHECKED]
    assert pickles(package) == []
    assert [was_checked(package), was_checked(package, **quiet)] == [CHECKED, KEPT]


@pytest.mark.parametrize(
    "damage",
    [
        lambda whole: b"",
        lambda whole: whole[:16],
        lambda whole: whole[: len(whole) // 2],
        lambda whole: whole + b"x",
        lambda whole: whole.replace(b"LAION", b"NOIAL", 1),
        lambda whole: bytes(len(whole)),
    ],
    ids=["empty", "begun", "half", "longer", "other_text", "zeros"],
)
def test_a_damaged_file_is_not_taken_and_written_anew(package, damage):
    was_checked(package)
    (kept,) = pickles(package)
    whole = kept.read_bytes()
    assert damage(whole) != whole
    kept.write_bytes(damage(whole))
    assert [was_checked(package) for _ in range(2)] == [CHECKED, KEPT]


def test_a_change_of_the_catalog_is_seen_though_its_size_and_time_stay(package, yaml):
    before, stat = loaded(package)[1], yaml.stat()
    yaml.write_text(yaml.read_text().replace(before, before.swapcase(), 1))
    os.utime(yaml, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert [loaded(package) for _ in range(2)] == [(CHECKED, before.swapcase()), (KEPT, before.swapcase())]


def test_another_version_of_what_checks_is_seen(package):
    assert was_checked(package) is CHECKED
    module = package / "catalog" / "values.py"
    module.write_text(module.read_text() + "# changed\n")
    assert [was_checked(package) for _ in range(2)] == [CHECKED, KEPT]


def test_mistakes_are_told_every_time(package, yaml):
    was_checked(package)
    right = yaml.read_text()
    yaml.write_text(right.replace("loader: table", "lodaer: table", 1))
    for _ in range(2):
        _, err = start(package, *LOAD).communicate(timeout=60)
        assert "did you mean `loader`?" in err
    yaml.write_text(right)
    assert was_checked(package) is KEPT


def test_a_text_that_is_gone_is_told(package, yaml):
    was_checked(package)
    (text,) = (yaml.parent / "texts").iterdir()
    text.unlink()
    assert f"there is no file texts/{text.name}" in start(package, *LOAD).communicate(timeout=60)[1]


def test_where_nothing_can_be_written_the_catalog_is_checked(package, tmp_path):
    no_folder = tmp_path / "file"
    no_folder.touch()
    prefix = {"PYTHONPYCACHEPREFIX": str(no_folder)}
    assert [was_checked(package, **prefix) for _ in range(2)] == [CHECKED, CHECKED]


def test_processes_that_start_at_once_do_each_other_no_harm(package):
    together = [start(package) for _ in range(4)]
    assert len({told(process)[1] for process in together}) == 1
    assert len(pickles(package)) == 1
    assert was_checked(package) is KEPT


def test_a_catalog_that_a_user_names_is_never_kept(package, yaml, tmp_path):
    named = shutil.copytree(yaml.parent, tmp_path / "named") / yaml.name
    checking = start(package, "-m", "laion_fmri.cli", "catalog", "validate", str(named))
    assert checking.communicate(timeout=60)[1] == ""
    assert checking.returncode == 0
    assert pickles(tmp_path) == []
