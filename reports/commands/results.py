"""`results`: what is in a results folder, what it weighs, and what can go."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ablations.leftovers import UNNEEDED, Entry, Kind, delete, entries
from ablations.plan import Plan
from ablations.registration import RequestError
from ablations.runner import counts
from ablations.store import Store
from alexnet.data.manifest import in_words
from alexnet.text import counted
from reports.commands.console import BETWEEN, LABEL, say, show


def run(results: Path, console: Console, prune: bool, yes: bool) -> int:
    """List what is in a results folder; with ``prune`` delete what nothing needs, after asking.

    Raises:
        RequestError: If there is no such folder, or it is another: it may be as large as a disk.
    """
    if not results.is_dir():
        raise RequestError(f"there is no results folder {results}")
    if not any((results / name).is_dir() for name in ("plans", "runs", "smoke")):
        raise RequestError(f"{results} is no results folder: it has neither plans/ nor runs/")
    store = Store(results)
    found = list(entries(store))
    plans = store.plans()
    total = in_words(sum(entry.size for entry in found))
    say(console, "results", f"{results}: {counted(len(plans), 'plan')}, "
        f"{counted(len(store.records()), 'run')}, {total}")  # fmt: skip
    sizes: Counter[Path] = Counter()
    for entry in found:
        sizes[entry.path.parent] += entry.size
    of_plans, of_kinds = (Table.grid(padding=(0, BETWEEN, 0, 0)) for _ in range(2))
    for plan in plans:
        of_plans.add_row(Text(plan.name), _of_plan(plan, store, sizes))
    show(console, of_plans, indent=LABEL)
    console.print()
    for justify in ("left", "right", "right"):
        of_kinds.add_column(justify=justify)
    for kind in Kind:
        some = [entry for entry in found if entry.kind is kind]
        if some:
            of_kinds.add_row(*_row(kind, some))
    show(console, of_kinds, indent=LABEL)
    for problem in store.problems:
        say(console, "ignored", problem)
    unneeded = [entry for entry in found if entry.kind in UNNEEDED]
    if not unneeded:
        say(console, "unneeded", "nothing")
        return 0
    size = in_words(sum(entry.size for entry in unneeded))
    how = "" if prune else "; delete them with --prune"
    say(console, "unneeded", f"{counted(len(unneeded), 'file')}, {size}, marked * above{how}")
    if not prune:
        return 0
    if not yes and not click.confirm("delete them?", default=False):
        say(console, "kept", "nothing was deleted")
        return 0
    deleted = delete(store, unneeded)
    freed = in_words(sum(entry.size for entry in deleted))
    say(console, "deleted", f"{counted(len(deleted), 'file')}, {freed}" if deleted else "nothing")
    if left := len(unneeded) - len(deleted):
        say(console, "kept", f"{counted(left, 'file')} that a run needs by now, or that cannot go")
    return 0


def _of_plan(plan: Plan, store: Store, sizes: Mapping[Path, int]) -> str:
    """Return how far a plan is, and what its runs weigh; runs that plans share count in each."""
    done, planned = counts(plan, store, plan.seeds)
    compared = {plan.run(arm, seed).id for arm in plan.choices for seed in plan.seeds}
    runs = [
        record.run
        for record in store.records()
        if record.run.id in compared or (not record.run.sees_test and plan.arms_of(record.run))
    ]
    tuned = sum(not run.sees_test for run in runs)
    size = in_words(sum(sizes[store.folder(run)] for run in runs))
    return f"{done} of {counted(planned, 'run')}, {tuned} to choose rates, {size}"


def _row(kind: Kind, several: Sequence[Entry]) -> tuple[str, str, str]:
    """Return the cells of a kind of file: what it is, marked if it can go, how many, what size."""
    size = in_words(sum(entry.size for entry in several))
    mark = "* " if kind in UNNEEDED else "  "
    return f"{mark}{kind.value}", str(len(several)), size
