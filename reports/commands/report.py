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
    page, *others = write_report(store, out or results[0] / "report", study)
    for problem in [*store.problems, *orphaned_runs(store, plans)]:
        say(console, "ignored", problem)
    say(console, "page", str(page))
    say(console, "beside it", f"{counted(len(others), 'file')}: tables, figures, report.json")
    if show:
        webbrowser.open(page.resolve().as_uri())
    return 0


def opened(folders: Sequence[Path]) -> Results:
    """Return what results folders hold, several of them as one.

    Raises:
        Refused: If one of them holds nothing, or all together no plan.
    """
    store = Results(folders[0]) if len(folders) == 1 else MergedResults(folders)
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
