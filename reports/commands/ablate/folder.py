"""What `ablate` does to a results folder before it trains, and after."""

import contextlib
from collections.abc import Iterator, Sequence

from rich.console import Console

from ablations.drivers import Driver, at_work, joined
from ablations.ensembles import with_ensembles, without_scores
from ablations.kept import WEIGHTS
from ablations.leftovers import sweep
from ablations.plan import Plan
from ablations.queue import DriverShard
from ablations.store import Store
from alexnet.data.manifest import in_words
from alexnet.locks import LEASE, chosen_kind, has_locks, kind_of
from alexnet.text import counted
from reports.commands.ablate.request import Request
from reports.commands.console import say
from reports.findings.records import find_records

NAMED = 3
"""Other commands, where there are many."""


@contextlib.contextmanager
def opened_for_writing(console: Console, store: Store, request: Request) -> Iterator[None]:
    """Be one of those who write a results folder; delete what kills have left in it.

    Raises:
        StoreError: If it cannot be written.
        DriverError: If others are at work there with another kind of locks.
    """
    store.ensure_writable()
    with joined(store.path, request.study, request.asked_locks) as others:
        if kind_of(store.path) == "lease":
            has_none = not has_locks(store.path)
            why = f"the file system of {store.path} has none; " if has_none else ""
            _say_leases(console, "no locks" if has_none else "leases", why)
        say_who_is_at_work(console, others)
        _say_shard(console, request.shard)
        if swept := sweep(store):
            freed = in_words(sum(entry.size for entry in swept))
            say(console, "swept", f"{counted(len(swept), 'file')} that a kill had left, {freed}")
        yield


def say_how_it_would_be_shared(console: Console, store: Store, request: Request) -> None:
    """Say for a dry run, which writes nothing, how runs would be shared out, and with whom."""
    if (request.asked_locks or chosen_kind(store.path)) == "lease":
        _say_leases(console, "leases")
    say_who_is_at_work(console, at_work(store.path))
    _say_shard(console, request.shard)


def _say_leases(console: Console, label: str, why: str = "") -> None:
    text = "runs are shared out by leases, and one whose owner gives no sign of life for"
    say(console, label, f"{why}{text} {LEASE:.0f} s is taken over")


def _say_shard(console: Console, shard: DriverShard) -> None:
    if not shard.is_alone:
        number, of = shard
        say(console, "shard", f"{number} of {of}: where it starts; it trains what is missing")


def say_who_is_at_work(console: Console, others: Sequence[Driver]) -> None:
    """Say which other commands train what is missing in the same folder."""
    if others:
        more = f" and {len(others) - NAMED} more" if len(others) > NAMED else ""
        named = ", ".join(map(str, others[:NAMED])) + more
        say(console, "shared", f"{named} {'are' if len(others) > 1 else 'is'} at work here too")


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
