"""What CI is told: JUnit files and GitHub's commands, whatever arms are called."""

from pathlib import Path
from xml.etree import ElementTree

from reports.smoke.github import MOST, error_lines, summary
from reports.smoke.junit import write_junit
from reports.smoke.outcomes import Outcome

HOSTILE = 'study/<b>100 %, "a" & b:c | d</b>'
CHANGED = Outcome(HOSTILE, "0", "changed", "step 2", 1.5, 1.0, 0.01)


def test_a_suite_counts_its_cases(tmp_path: Path) -> None:
    """Two studies whose arms come in any order."""
    write_junit(
        tmp_path / "a" / "smoke.xml",
        [
            Outcome("one/agrees", "1", "agrees"),
            CHANGED,
            Outcome("one/fails", "2", "failed", "\x1b[31mout of\x00 memory"),
            Outcome("study/late", "3", "left out"),
            Outcome("one/gone", "4", "gone"),
        ],
        {"one/agrees": 1.25, "one/fails": 0.5},
    )
    root = ElementTree.parse(tmp_path / "a" / "smoke.xml").getroot()
    suites = {suite.get("name"): dict(suite.attrib) for suite in root}

    assert suites == {
        "one": {"name": "one", "tests": "3", "failures": "1", "errors": "1", "skipped": "0",
                "time": "1.750"},
        "study": {"name": "study", "tests": "2", "failures": "1", "errors": "0", "skipped": "1",
                  "time": "0.000"},
    }  # fmt: skip
    hostile = root.find("testsuite[@name='study']/testcase")
    assert hostile is not None
    assert hostile.get("name") == HOSTILE.partition("/")[2]
    assert hostile[0].get("message") == "step 2: 1.5000, baseline 1.0000 \u00b1 0.01"


def test_error_lines_are_at_most_ten_the_furthest_first() -> None:
    """Twenty arms, the last of them furthest off; one line for all of them."""
    wrong = [Outcome(f"s/{n}", f"{n}", "changed", "step 1", 1.0 + n, 1.0, 0.1) for n in range(20)]

    lines = error_lines(wrong, "20 changed")

    assert len(lines) == MOST == 10
    assert lines[0] == "::error title=smoke ablations::20 changed"
    assert lines[1].startswith("::error title=s/19::step 1")


def test_arms_of_one_training_have_one_error_line() -> None:
    """They are one change, and GitHub shows ten lines."""
    lines = error_lines([CHANGED._replace(arm=f"s/{n}") for n in range(3)], "1 changed")

    assert lines[1:] == [
        "::error title=s/0 and 2 more arms::step 2: 1.5000, baseline 1.0000 \u00b1 0.01"
    ]


def test_a_name_cannot_end_a_command() -> None:
    """What GitHub would read as the end of a title or a line is escaped."""
    (_, line) = error_lines([CHANGED._replace(arm="s/a, b: 100 %\nc")], "one")

    assert line.startswith("::error title=s/a%2C b%3A 100 %25%0Ac::step 2")


def test_the_summary_is_a_table() -> None:
    """A bar in a name does not add a column."""
    text = summary([CHANGED], "1 changed in 1 study", "every changed training has LRN")

    assert "1 changed in 1 study\nevery changed training has LRN" in text
    assert text.count("\\|") == 1
    assert "| a b \\| c | failed |" in summary([Outcome("a\nb | c", "0", "failed", "x")], "", "")
    assert "| changed | step 2: 1.5000" in text
