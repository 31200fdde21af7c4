"""How commands print: lines with a label, tables, and what is as wide as it is."""

import re
from collections.abc import Sequence

import click
from rich.console import Console
from rich.measure import Measurement
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

CONSOLE_SCRIPT = "alexnet-ablations"
LABEL = 16
"""Columns of the label at the start of a line."""
BETWEEN = 2
"""Columns between those of a table."""


def plain(console: Console, text: str = "") -> None:
    """Print a line as it is, however wide."""
    console.print(text.rstrip(), soft_wrap=True, markup=False)


def as_typed(text: str) -> str:
    """Return text whose commands are spelled for the program in use.

    Texts are written for `invoke`; who installed a wheel has only the console script, which
    knows no chained tasks.
    """
    context = click.get_current_context(silent=True)
    program = context.find_root().info_name if context else None
    if program != CONSOLE_SCRIPT:
        return text
    text = re.sub(r"invoke (prepare .*?) (ablate .*)", r"invoke \1 && invoke \2", text)
    commands = "ablate|report|verify|results|export|compare|prepare|presets|studies|datasets"
    return re.sub(rf"\binvoke (?={commands})", f"{CONSOLE_SCRIPT} ", text)


def say(console: Console, label: str, text: str = "") -> None:
    """Print one line with its label.

    A terminal that is too narrow breaks it between words, under its own beginning; but a command
    stays one line, as it is copied.
    """
    apart, typed = label if len(label) < LABEL else f"{label} ", as_typed(text)
    is_command = bool(re.search(r"\b(invoke|alexnet-ablations|pip) ", typed))
    fits = len(f"{apart:<{LABEL}}{typed}") <= console.width
    if fits or is_command or not console.is_terminal or len(label) >= LABEL:
        console.print(Text(f"{apart:<{LABEL}}{typed}".rstrip()), soft_wrap=True)
        return
    grid = Table.grid()
    grid.add_column(width=LABEL)
    grid.add_column(overflow="fold")
    grid.add_row(Text(apart), Text(typed))
    console.print(grid)


def needed(console: Console, table: Table) -> int:
    """Return how many columns a table takes if no cell is broken."""
    return Measurement.get(console, console.options.update(max_width=100_000), table).maximum


def show(console: Console, table: Table, indent: int = 0) -> None:
    """Print a table, indented where there is room; as wide as it needs where nobody's terminal is.

    A terminal that is too narrow breaks cells between words.
    """
    wide = needed(console, table)
    narrow = console.width
    if not console.is_terminal:
        console.width = max(narrow, wide + indent)
    room = console.width - wide
    console.print(Padding(table, (0, 0, 0, max(0, min(indent, room)))))
    console.width = narrow


def show_rows(
    console: Console, columns: Sequence[str], rows: Sequence[Sequence[object]], indent: int = 0
) -> None:
    """Print rows as a table; a line a cell where a terminal has no room for the longest words."""
    cells = [list(map(str, row)) for row in rows]
    room = console.width if console.is_terminal else None
    widths = _widths([columns, *cells], room)
    if widths is not None:
        table = Table(box=None, padding=(0, BETWEEN, 0, 0), show_edge=False, header_style="bold")
        for column, width in zip(columns, widths, strict=True):
            table.add_column(Text(column), width=width)
        for row in cells:
            table.add_row(*map(Text, row))
        show(console, table, indent)
        return
    for row in cells:
        grid = Table.grid(padding=(0, BETWEEN, 0, 0))
        grid.add_column()
        grid.add_column(overflow="fold")
        for column, cell in zip(columns[1:], row[1:], strict=True):
            grid.add_row(Text(column), Text(cell))
        console.print(Text(row[0]))
        console.print(Padding(grid, (0, 0, 0, BETWEEN)))


def _widths(rows: Sequence[Sequence[str]], room: int | None) -> list[int] | None:
    """Return how wide the columns of a table are to be; None if its longest words have no room.

    The widest column is narrowed first, none to less than its longest word.
    """
    columns = list(zip(*rows, strict=True))
    widths = [max(map(len, cells)) for cells in columns]
    least = [max((len(word) for cell in cells for word in cell.split()), default=0)
             for cells in columns]  # fmt: skip
    while room is not None and sum(widths) + BETWEEN * len(widths) > room:
        able = [place for place, width in enumerate(widths) if width > least[place]]
        if not able:
            return None
        widths[max(able, key=widths.__getitem__)] -= 1
    return widths
