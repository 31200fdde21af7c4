"""The bugs that are planted to check the smoke can be planted in the code as it is."""

import shutil
from pathlib import Path

import pytest
from planted_bugs import BUGS, PACKAGES, ROOT, Edit, planted


@pytest.mark.parametrize("name", BUGS)
def test_every_bug_still_has_its_place(name: str, tmp_path: Path) -> None:
    """Each of its edits stands once, changes the file, and leaves it Python."""
    for package in PACKAGES:
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("*.json"))

    planted(BUGS[name], tmp_path)

    for file in {edit.file for edit in BUGS[name]}:
        text = (tmp_path / file).read_text()
        assert text != (ROOT / file).read_text()
        compile(text, file, "exec")


def test_a_bug_without_its_place_is_not_planted_in_silence(tmp_path: Path) -> None:
    """Else it would be counted as missed, or another as caught."""
    (tmp_path / "one.py").write_text("a = 1\na = 1\n")

    with pytest.raises(ValueError, match=r"one.py has 2 times: a = 1"):
        planted((Edit("one.py", "a = 1", "a = 2"),), tmp_path)


def test_there_are_fourteen() -> None:
    """As many as the README counts."""
    assert len(BUGS) == 14
