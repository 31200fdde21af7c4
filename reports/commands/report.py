"""`report`: writes page, tables and figures of everything in results folders."""

import webbrowser
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from ablations.merged import MergedResults, orphaned_runs
from ablations.results import Results
from alexnet.text import counted
from reports.commands.console import as_typed, say
from reports.commands.options import Refused
from reports.evidence import EVIDENCE
from reports.page.report import write_report


def run(
    study: str | None, out: Path | None, show: bool, results: Sequence[Path], console: Console
) -> int:
    """Write the report of one study or of all; return the exit code.

    Raises:
        Refused: If nothing is there to report.
    """
    store = opened(results)
    plans = store.plans()
    names = sorted({plan.definition.study for plan in plans})
    if study is not None and study not in names:
        where = " and ".join(map(str, results))
        raise Refused(f"{study} has not been run in {where}; there is {', '.join(names)}")
    page, *others = write_report(store, out or _default_out(results), study)
    for problem in [*store.problems, *orphaned_runs(store, plans)]:
        say(console, "ignored", problem)
    say(console, "page", str(page))
    say(console, "beside it", f"{counted(len(others), 'file')}: tables, figures, report.json")
    if show:
        webbrowser.open(page.resolve().as_uri())
    return 0


def _default_out(folders: Sequence[Path]) -> Path:
    """Return where a report goes: beside what it is of, but never beside the evidence."""
    first = next((folder for folder in folders if folder != EVIDENCE), None)
    return Path("shipped-report") if first is None else first / "report"


def opened(folders: Sequence[Path]) -> Results:
    """Return what results folders hold, several of them as one; the evidence gives way to others.

    Raises:
        Refused: If one of them holds nothing, or all together no plan.
    """
    ordered = sorted(folders, key=lambda folder: folder == EVIDENCE)
    store = MergedResults(ordered, {EVIDENCE}) if len(ordered) > 1 else Results(ordered[0])
    held = ("plans/*.json", "runs/*/record.json")
    empty = [folder for folder in folders if not any(any(folder.glob(one)) for one in held)]
    if empty or not store.plans():
        where = " and ".join(map(str, empty or folders))
        damaged = "".join(f"\n{problem}" for problem in store.problems)
        raise Refused(
            as_typed(
                f"no study has been run in {where}; start with:  "
                f"invoke ablate --study relu_vs_tanh{damaged}"
            )
        )
    return store
