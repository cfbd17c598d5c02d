"""The table of faults names tests that there are, and has every row."""

import re
from pathlib import Path

TESTS = Path(__file__).parent
TABLE = TESTS.parent / "docs" / "faults.md"
IDS = {*(f"N{n}" for n in range(1, 15)), *(f"F{n}" for n in range(1, 11)), "S1", "S2", "S3", "O1", "O2"}


def rows():
    return [line.split(" | ") for line in TABLE.read_text().splitlines() if re.match(r"\| [-A-Z]", line)]


def functions(pattern="test_*.py"):
    return {name for path in TESTS.glob(pattern) for name in re.findall(r"^def (test_\w+)", path.read_text(), re.M)}


def test_every_test_that_the_table_names_exists():
    named = set(re.findall(r"`(test_\w+)`", TABLE.read_text()))
    assert named - functions() == set()
    assert {name for name in re.findall(r"`(test_\w+\.py)`", TABLE.read_text()) if not (TESTS / name).exists()} == set()


def test_every_test_of_the_suite_is_in_the_table():
    named = set(re.findall(r"`(test_\w+)`", TABLE.read_text()))
    assert functions("test_faults_*.py") - functions("test_faults_table.py") - named == set()


def test_every_fault_has_a_row():
    assert {one for row in rows() for one in re.findall(r"[NFSO]\d+", row[0])} == IDS
