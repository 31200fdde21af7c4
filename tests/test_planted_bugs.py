"""The bugs that are planted to check the smoke can be planted in the code as it is."""

import shutil
from pathlib import Path

import pytest

from reports.smoke.trainings import PRECISION
from tests.proofs.planted_bugs import (
    BUGS,
    PACKAGES,
    ROOT,
    Bug,
    Caught,
    Edit,
    all_trainings,
    every_arm,
    planted,
)


@pytest.mark.parametrize("name", BUGS)
def test_every_bug_still_has_its_place(name: str, tmp_path: Path) -> None:
    """Each of its edits stands once, changes the file, and leaves it Python."""
    for package in PACKAGES:
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("*.json"))

    planted(BUGS[name].edits, tmp_path)

    for file in {edit.file for edit in BUGS[name].edits}:
        text = (tmp_path / file).read_text()
        assert text != (ROOT / file).read_text()
        compile(text, file, "exec")


def test_a_bug_without_its_place_is_not_planted_in_silence(tmp_path: Path) -> None:
    """Else it would be counted as missed, or another as caught."""
    (tmp_path / "one.py").write_text("a = 1\na = 1\n")

    with pytest.raises(ValueError, match=r"one.py has 2 times: a = 1"):
        planted((Edit("one.py", "a = 1", "a = 2"),), tmp_path)


@pytest.mark.parametrize("bug", BUGS.values(), ids=BUGS)
def test_a_bug_touches_some_arms_and_not_all(bug: Bug) -> None:
    """But for those in what all arms share: else "and no others" would say nothing."""
    touched = [bug.touches(one.run.config) for one in all_trainings()]

    assert any(touched)
    assert all(touched) == (bug.touches is every_arm)


def test_a_bug_is_caught_where_it_is_and_nowhere_else() -> None:
    """By the first and third arm of the smoke, of which a made-up bug touches the first."""
    first, _, third = (one.arms[0] for one in all_trainings()[:3])
    (run, *_) = (one.run for one in all_trainings())
    assert run.precision == PRECISION

    def touches(other: object) -> bool:
        return other == run

    assert Caught.of(touches, frozenset([first])) == (1, 1, ())
    assert Caught.of(touches, frozenset([first])).right
    assert Caught.of(touches, frozenset([first, third])) == (1, 1, (third,))
    assert not Caught.of(touches, frozenset([first, third])).right
    assert not Caught.of(touches, frozenset()).right


def test_there_are_twenty() -> None:
    """As many as reports/smoke/README.md counts."""
    assert len(BUGS) == 20
