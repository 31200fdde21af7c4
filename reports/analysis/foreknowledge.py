"""What could be known of an answer when its plan was registered: then it is exploratory."""

from collections.abc import Sequence

from ablations.plan import Plan, apart_from_rate
from ablations.record import Record
from ablations.results import Results
from alexnet.config import Config
from alexnet.data.catalogue import called, copies_of
from alexnet.text import counted

Seen = frozenset[tuple[str, int]]
"""Runs by their config, apart from the rate, and their seed."""


def seen_on_copies(plan: Plan, results: Results) -> Seen:
    """Return the runs on copies of a plan's images that were finished before it was registered."""
    copies = copies_of(plan.definition.dataset.name)
    if not copies:
        return frozenset()
    return frozenset(
        (_asked(record.run.config), record.run.seed)
        for record in results.records()
        if record.run.dataset.name in copies and record.provenance.at < plan.registered.at
    )


def older_runs(plan: Plan, records: Sequence[Record], seen: Seen = frozenset()) -> int:
    """Return how many records, or their like on a copy of the images, are older than a plan."""
    return sum(_is_older(plan, record) or _is_seen(record, seen) for record in records)


def known_before(
    plan: Plan, records: Sequence[Record], seen: Seen = frozenset()
) -> tuple[str, ...]:
    """Return how many runs are older than the plan, whose question may then have known them."""
    when = f"which was registered {plan.registered.at:%Y-%m-%d %H:%M} UTC"
    lines = []
    if older := older_runs(plan, records):
        verb = "is" if older == 1 else "are"
        lines.append(
            f"{counted(older, 'run')} of {len(records)} {verb} older than the plan, {when}: it may "
            "have been made knowing them"
        )
    if copied := sum(_is_seen(record, seen) for record in records):
        where = " and ".join(map(called, sorted(copies_of(plan.definition.dataset.name))))
        lines.append(
            f"{counted(copied, 'run')} of {len(records)} had been seen with the same seeds on "
            f"{where}, the same images, before the plan, {when}"
        )
    return tuple(lines)


def _is_older(plan: Plan, record: Record) -> bool:
    return record.provenance.at < plan.registered.at


def _is_seen(record: Record, seen: Seen) -> bool:
    return bool(seen) and (_asked(record.run.config), record.run.seed) in seen


def _asked(config: Config) -> str:
    return apart_from_rate(config).canonical
