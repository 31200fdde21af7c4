"""What `ablate` does to a results folder before it trains, and after."""

from collections.abc import Sequence

from rich.console import Console

from ablations.ensembles import with_ensembles, without_scores
from ablations.kept import WEIGHTS
from ablations.leftovers import sweep
from ablations.plan import Plan
from ablations.store import Store
from alexnet.data.manifest import in_words
from alexnet.locks import LEASE, has_locks
from alexnet.text import counted
from reports.commands.console import say
from reports.findings.records import find_records


def open_for_writing(console: Console, store: Store) -> None:
    """Make sure that a results folder can be written; delete what kills have left in it.

    Raises:
        StoreError: If it cannot be.
    """
    store.ensure_writable()
    if not has_locks(store.path):
        say(
            console,
            "no locks",
            f"the file system of {store.path} has none; runs are shared out by leases, and one "
            f"whose owner gives no sign of life for {LEASE:.0f} s is taken over",
        )
    if swept := sweep(store):
        freed = in_words(sum(entry.size for entry in swept))
        say(console, "swept", f"{counted(len(swept), 'file')} that a kill had left, {freed}")


def train_again(console: Console, plan: Plan, store: Store, dry: bool) -> None:
    """Have finished runs trained again whose scores are to be averaged, and are gone."""
    for run in without_scores(plan, store):
        if dry or store.forget(run):
            will = "would be" if dry else "is"
            text = f"run {run.short} {will} trained again: its scores are averaged, and are gone"
            say(console, "again", text)


def say_without_weights(console: Console, plan: Plan, store: Store, seeds: Sequence[int]) -> None:
    """Say how many finished runs have no weights, though they are to be kept."""
    found = find_records(plan, store, seeds)
    records = [record for of_arm in found.values() for record in of_arm.values()]
    without = [one for one in records if not (store.folder(one.run) / WEIGHTS).exists()]
    if without:
        say(console, "weights", f"{counted(len(without), 'run')} here left none, and have them not")
        say(console, "", "to train again, beside them: the same command with --results NEW")


def averaged(console: Console, plan: Plan, store: Store) -> Plan:
    """Return a plan with its averaged networks; say which scores are damaged and so left out."""
    known = len(store.problems)
    plan = with_ensembles(plan, store)
    for problem in store.problems[known:]:
        say(console, "ignored", problem)
    return plan
