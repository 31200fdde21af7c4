"""How commands print where a terminal is narrow, and where there is none."""

import io

import pytest
from rich.console import Console

from reports.commands.console import LABEL, say, show_rows

COLUMNS = ("contrast", "effect", "p (corrected)")
ROWS = [
    ("normalisation against none", "+0.69 points", "0.11"),
    ("dropout against none", "-1.83 points", "0.002"),
]
TEXT = "the rate of each arm is chosen by the same rule from the same grid with seeds of its own"


def printed(width: int, terminal: bool, *what: object, **options: object) -> list[str]:
    """Return what is printed, line by line, without spaces at the ends."""
    file = io.StringIO()
    console = Console(file=file, width=width, force_terminal=terminal, color_system=None)
    function, *arguments = what
    function(console, *arguments, **options)  # type: ignore[operator]
    return [line.rstrip() for line in file.getvalue().splitlines()]


@pytest.mark.parametrize("width", [40, 60, 80])
def test_a_narrow_terminal_breaks_a_line_between_words(width: int) -> None:
    """Under its own beginning; no word is lost, none broken."""
    lines = printed(width, True, say, "tuning", TEXT)

    assert lines[0].startswith(f"{'tuning':<{LABEL}}the rate")
    assert len(lines) > 1
    assert all(line.startswith(" " * LABEL) and len(line) <= width for line in lines[1:])
    assert " ".join(line[LABEL:].strip() for line in lines) == TEXT


def test_a_command_is_one_line_however_narrow_it_is() -> None:
    """As it is copied; and so is everything in a log."""
    command = "    invoke prepare --dataset cifar10 ablate --study relu_vs_tanh --dataset cifar10"

    assert printed(40, True, say, "", command) == [" " * LABEL + command]
    assert printed(40, False, say, "tuning", TEXT) == [f"{'tuning':<{LABEL}}{TEXT}"]


@pytest.mark.parametrize("width", [30, 44, 60, 100])
def test_no_word_of_a_table_is_broken(width: int) -> None:
    """Cells are broken between words, and where even that is too wide each has a line."""
    lines = printed(width, True, show_rows, COLUMNS, ROWS, indent=LABEL)
    words = [word for row in (COLUMNS, *ROWS) for cell in row for word in cell.split()]
    said = " ".join(lines).split()

    assert max(map(len, lines)) <= width
    assert set(said) >= {word for word in words if word != "contrast"}
    assert (len(lines) == 3) is (width >= 60)


def test_a_log_has_the_whole_table_indented_as_its_lines_are() -> None:
    """Nobody's terminal is too narrow for it."""
    lines = printed(20, False, show_rows, COLUMNS, ROWS, indent=LABEL)

    assert lines == [
        " " * LABEL + "contrast                    effect        p (corrected)",
        " " * LABEL + "normalisation against none  +0.69 points  0.11",
        " " * LABEL + "dropout against none        -1.83 points  0.002",
    ]
