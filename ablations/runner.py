"""Doing what a plan still lacks, in an order that is balanced whenever it stops."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from ablations.plan import Plan
from ablations.results import Results
from ablations.run import Run
from ablations.store import Store
from ablations.tuning import Choice, Pending
from ablations.workers.protocol import Elsewhere, Event, Failed, Finished, Workers


class Chosen(NamedTuple):
    """An arm's rate has been chosen and the plan written."""

    arm: str
    choice: Choice
    plan: Plan


class Work(NamedTuple):
    """What the records in a store leave to be done."""

    plan: Plan  # with the rate of every arm whose tuning is complete, registered or not
    runs: list[Run]  # that can start now, the most urgent first
    rates: int  # to be tried in all arms, as far as is known
    untried: float  # of these, a part of one by its seeds


def remaining(plan: Plan, store: Results, seeds: Sequence[int]) -> Work:
    """Return the runs a plan needs next.

    Tuning first, then seed by seed, all arms together: those that a verdict needs, then those that
    are only shown. Or one contrast after the other, each in that order, where the plan says so.
    """
    definition = plan.definition
    # A rate once registered stands, whatever becomes of the records it was chosen from.
    tuned = {arm: plan.choices.get(arm) or plan.tuned(arm, store.find) for arm in definition.arms}
    choices = {arm: found for arm, found in tuned.items() if isinstance(found, Choice)}
    pending = {arm: found for arm, found in tuned.items() if isinstance(found, Pending)}
    own = {arm: found for arm, found in tuned.items() if arm not in definition.tuned_as}
    chosen = plan.model_copy(update={"choices": choices})
    first = (
        [contrast.arms for contrast in definition.contrasts]
        if definition.one_by_one
        else [definition.judged_arms]
    )
    runs: dict[str, Run] = {}  # by id: arms may share some
    for arms in (*first, tuple(definition.arms)):
        waited_for = [run for arm in arms if arm in pending for run in pending[arm].runs]
        compared = [chosen.run(arm, seed) for seed in seeds for arm in arms if arm in choices]
        missing = [run for run in compared if store.find(run) is None]
        for run in (*sorted(waited_for, key=lambda run: run.seed), *missing):
            runs.setdefault(run.id, run)
    return Work(
        chosen,
        list(runs.values()),
        rates=sum(f.rates if isinstance(f, Pending) else len(f.trials) for f in own.values()),
        untried=sum(f.rates - f.tried for f in own.values() if isinstance(f, Pending)),
    )


def counts(plan: Plan, store: Results, seeds: Sequence[int]) -> tuple[int, int]:
    """Return how many comparison runs have a record, and how many there are."""
    arms = plan.definition.arms
    runs = [plan.run(arm, seed) for seed in seeds for arm in plan.choices]
    return sum(store.find(run) is not None for run in runs), len(arms) * len(seeds)


def run_study(
    plan: Plan, store: Store, workers: Workers, seeds: Sequence[int]
) -> Iterator[Event | Chosen]:
    """Do all that one plan lacks, yielding what happens; see `run_studies`."""
    return run_studies([plan], store, workers, {plan.name: seeds})


def run_studies(
    plans: Sequence[Plan], store: Store, workers: Workers, seeds: Mapping[str, Sequence[int]]
) -> Iterator[Event | Chosen]:
    """Do all that plans lack, yielding what happens; safe to stop anywhere and to repeat.

    Several plans go on together: rates first, then seed by seed, so that all are balanced whenever
    this stops; plans that go one by one come last. What they share is trained once.

    Args:
        plans: Registered in the store.
        store: Where records are looked for; workers have the same.
        workers: All of one number of threads.
        seeds: Of the comparison runs, by the plan's name.
    """
    known = {plan.name: plan for plan in plans}
    found: list[Chosen] = []

    def missing() -> list[Run]:
        together: list[Run] = []
        after: list[Run] = []
        for name, plan in known.items():
            work = remaining(plan, store, seeds[name])
            for arm, choice in work.plan.choices.items():
                if arm not in plan.choices:
                    plan = plan.model_copy(update={"choices": plan.choices | {arm: choice}})
                    store.write_plan(plan)
                    found.append(Chosen(arm, choice, plan))
            known[name] = plan
            (after if plan.definition.one_by_one else together).extend(work.runs)
        if len(known) > 1:
            together.sort(key=lambda run: (run.sees_test, run.seed if run.sees_test else 0))
        return list({run.id: run for run in (*together, *after)}.values())

    for event in work_off(missing, store, workers):
        while found:
            yield found.pop(0)
        if event is not None:
            yield event
    yield from found


def work_off(
    missing: Callable[[], Sequence[Run]], store: Store, workers: Workers
) -> Iterator[Event | None]:
    """Keep workers busy with what is missing, the most urgent first, until nothing is.

    A run that fails is not tried again in this call and stops no other. A run that another
    process is at is waited for. Yields None when what is missing has been looked at anew.
    """
    failed: set[str] = set()
    elsewhere: set[str] = set()
    while True:
        runs = missing()
        yield None
        taken = failed | elsewhere | {run.id for run in workers.running}
        ready = [run for run in runs if run.id not in taken]
        for run in ready[: workers.idle]:
            workers.submit(run)
        if not ready and not workers.running and not elsewhere:
            return
        happened = list(workers.events(timeout=1.0))
        if not happened:
            elsewhere.clear()  # look again at what others were doing
        for event in happened:
            if isinstance(event, Failed) and event.run is not None:
                failed.add(event.run.id)
            elif isinstance(event, Elsewhere):
                elsewhere.add(event.run.id)
            elif isinstance(event, Finished):
                store.find(event.run)
            yield event
