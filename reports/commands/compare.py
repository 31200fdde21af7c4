"""`compare`: which verdicts moved between two reports, and which numbers did beyond noise."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from reports.commands.console import as_typed, say
from reports.commands.exit_codes import CHANGED
from reports.commands.options import Refused
from reports.commands.report import opened
from reports.findings.changes import CHANGED_KINDS, changes, compared, lines
from reports.page.document import ReportError, read
from reports.page.report import gather


def run(
    before: Sequence[Path], after: Sequence[Path], fail_on_change: bool, console: Console
) -> int:
    """Say what has changed between two reports; return the exit code.

    Raises:
        Refused: If one cannot be read, or a change was asked for and nothing could be compared.
    """
    one, other = _content(before), _content(after)
    for label, places, content in (("before", before, one), ("after", after, other)):
        measured = content["measured"]
        where = " and ".join(map(str, places))
        made = "; ".join(measured["provenance"]["made_by"])
        say(console, label, f"{where}, digest {content['digest'][:12]}; {made or 'no run'}")
        for problem in measured["set_aside"]:
            say(console, "ignored", problem)
    if one["digest"] == other["digest"]:
        say(console, "the same", f"one report, digest {one['digest'][:12]}")
        return 0
    rows = changes(one, other)
    for label, text in lines(rows):
        say(console, label, text)
    if not fail_on_change:
        return 0
    if not compared(rows):
        raise Refused("no study of one report is in the other, so that nothing could be compared")
    return CHANGED if any(row.kind in CHANGED_KINDS for row in rows) else 0


def _content(places: Sequence[Path]) -> dict[str, Any]:
    """Return a report as data, from its file, its folder, or the results that it would be of.

    Raises:
        Refused: If there is none, or it cannot be read.
    """
    for place in places:
        if not place.exists():
            raise Refused(f"there is no results folder or report {place}")
    if len(places) == 1 and (file := _report_in(places[0])) is not None:
        try:
            return read(file)
        except ReportError as error:
            raise Refused(as_typed(str(error))) from error
    for place in places:
        if not place.is_dir():
            raise Refused(f"{place} is a file; several results folders are read as one, no reports")
    return gather(opened(places)).document


def _report_in(place: Path) -> Path | None:
    """Return the file of a report, given itself or its folder; None for a folder of plans."""
    if place.is_file():
        return place
    file = place / "report.json"
    return file if file.is_file() and not (place / "plans").exists() else None
