"""Doing what a plan still lacks, in an order that is balanced whenever it stops."""

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from ablations.plan import Plan
from ablations.queue import DriverShard, Place, Queue
from ablations.results import Results
from ablations.run import Run
from ablations.store import Store
from ablations.tuning import Choice, Pending
from ablations.workers.protocol import Elsewhere, Event, Failed, Finished, Workers

AGAIN = 1.0
"""Seconds after which is looked again at what others were doing."""
SELDOM = 40
"""At most a fortieth of the time goes into looking for what others have added."""
UNSEEN = 120.0
"""Seconds after which a record is seen that was written: file systems of several machines keep what
they know of a folder for a minute."""


class Chosen(NamedTuple):
    """An arm's rate has been chosen and the plan written."""

    arm: str
    choice: Choice
    plan: Plan


class Found(NamedTuple):
    """Another process has added the record of a run that was missing."""

    run: Run


class Work(NamedTuple):
    """What the records in a store leave to be done."""

    plan: Plan  # with the rate of every arm whose tuning is complete, registered or not
    runs: list[Run]  # that can start now, the most urgent first
    rates: int  # to be tried in all arms, as far as is known
    untried: float  # of these, a part of one by its seeds


class _Due(NamedTuple):
    """When a run of a plan is due: stage after stage, within each by its place."""

    stage: Place
    place: Place
    run: Run


class _Order:
    """The order of a plan's runs.

    Tuning first, then seed by seed, all arms together: those that a verdict needs, then those that
    are only shown. Or one contrast after the other, each in that order, where the plan says so.
    """

    def __init__(self, plan: Plan, seeds: Sequence[int]) -> None:
        """Find the place of every arm.

        Args:
            plan: Whose definition counts; its choices may still come.
            seeds: Of the comparison runs.
        """
        definition = plan.definition
        first = (
            [contrast.arms for contrast in definition.contrasts]
            if definition.one_by_one
            else [definition.judged_arms]
        )
        self._seeds = seeds
        self._arms: dict[str, tuple[int, int]] = {}  # the first group that an arm is in, and where
        for group, arms in enumerate((*first, tuple(definition.arms))):
            for place, arm in enumerate(arms):
                self._arms.setdefault(arm, (group, place))

    def of(self, plan: Plan, arm: str, found: Choice | Pending) -> Iterator[_Due]:
        """Yield what an arm needs next: runs that choose its rate, or those at the chosen one."""
        group, place = self._arms[arm]
        if isinstance(found, Pending):
            for number, run in enumerate(found.runs):
                yield _Due((group, 0), (run.seed, place, number), run)
            return
        for number, seed in enumerate(self._seeds):
            yield _Due((group, 1), (number, place), plan.run(arm, seed))


def remaining(plan: Plan, store: Results, seeds: Sequence[int]) -> Work:
    """Return the runs a plan needs next."""
    definition = plan.definition
    # A rate once registered stands, whatever becomes of the records it was chosen from.
    tuned = {arm: plan.choices.get(arm) or plan.tuned(arm, store.find) for arm in definition.arms}
    choices = {arm: found for arm, found in tuned.items() if isinstance(found, Choice)}
    own = {arm: found for arm, found in tuned.items() if arm not in definition.tuned_as}
    chosen = plan.model_copy(update={"choices": choices})
    order = _Order(plan, seeds)
    due = sorted(
        (one for arm, found in tuned.items() for one in order.of(chosen, arm, found)),
        key=lambda one: one[:2],
    )
    runs = {one.run.id: one.run for one in due}  # arms may share some
    return Work(
        chosen,
        [run for run in runs.values() if store.find(run) is None],
        rates=sum(f.rates if isinstance(f, Pending) else len(f.trials) for f in own.values()),
        untried=sum(f.rates - f.tried for f in own.values() if isinstance(f, Pending)),
    )


def counts(plan: Plan, store: Results, seeds: Sequence[int]) -> tuple[int, int]:
    """Return how many comparison runs have a record, and how many there are."""
    arms = plan.definition.arms
    runs = [plan.run(arm, seed) for seed in seeds for arm in plan.choices]
    return sum(store.find(run) is not None for run in runs), len(arms) * len(seeds)


def run_study(
    plan: Plan,
    store: Store,
    workers: Workers,
    seeds: Sequence[int],
    shard: DriverShard | None = None,
) -> Iterator[Event | Chosen | Found]:
    """Do all that one plan lacks, yielding what happens; see `run_studies`."""
    return run_studies([plan], store, workers, {plan.name: seeds}, shard)


def run_studies(
    plans: Sequence[Plan],
    store: Store,
    workers: Workers,
    seeds: Mapping[str, Sequence[int]],
    shard: DriverShard | None = None,
) -> Iterator[Event | Chosen | Found]:
    """Do all that plans lack, yielding what happens; safe to stop anywhere and to repeat.

    Several plans go on together: rates first, then seed by seed, so that all are balanced whenever
    this stops; plans that go one by one come last. What they share is trained once.

    Args:
        plans: Registered in the store.
        store: Where records are looked for; workers have the same.
        workers: All of one number of threads.
        seeds: Of the comparison runs, by the plan's name.
        shard: Where this starts, if several do this on one folder.
    """
    return _work_off(_OfPlans(plans, store, seeds, shard), store, workers)


def work_off(
    runs: Sequence[Run], store: Store, workers: Workers, shard: DriverShard | None = None
) -> Iterator[Event | Found]:
    """Keep workers busy with those of some runs that have no record, in this order.

    A run that fails is not tried again in this call and stops no other. A run that another process
    is at is waited for.
    """
    return _work_off(_Missing(runs, store, shard), store, workers)  # type: ignore[return-value]


class _Missing:
    """Runs without a record, kept up to date by what happens: each is looked for once."""

    def __init__(self, runs: Sequence[Run], store: Store, shard: DriverShard | None = None) -> None:
        """Look for each."""
        self.queue = Queue(shard)
        for number, run in enumerate(runs):
            if store.find(run) is None:
                self.queue.add((), (number,), run)

    def settle(self, run: Run) -> None:
        """Note that a run has its record."""
        self.queue.strike(run)

    def chosen(self) -> Iterator[Chosen]:
        """Yield what records have decided since this was last asked."""
        yield from ()


class _OfPlans(_Missing):
    """What plans lack: a record may choose a rate, and so name further runs."""

    def __init__(
        self,
        plans: Sequence[Plan],
        store: Store,
        seeds: Mapping[str, Sequence[int]],
        shard: DriverShard | None,
    ) -> None:
        """Look for every run that is known now."""
        super().__init__((), store, shard)
        self._store = store
        self._plans = {plan.name: plan for plan in plans}
        self._orders = {plan.name: _Order(plan, seeds[plan.name]) for plan in plans}
        self._numbers = {plan.name: number for number, plan in enumerate(plans)}
        self._awaited: dict[str, dict[tuple[str, str], None]] = {}  # plan and arm, by a run's id
        self._chosen: list[Chosen] = []
        for plan in plans:
            for arm in plan.definition.arms:
                self._look(plan.name, arm)

    def settle(self, run: Run) -> None:
        """Note that a run has its record, and what is known now of the arms that waited for it."""
        super().settle(run)
        for name, arm in self._awaited.pop(run.id, ()):
            self._look(name, arm)

    def chosen(self) -> Iterator[Chosen]:
        """Yield the rates that were chosen since this was last asked."""
        while self._chosen:
            yield self._chosen.pop(0)

    def _look(self, name: str, arm: str) -> None:
        """Add what an arm needs next; register its rate if records decide it."""
        plan = self._plans[name]
        found = plan.choices.get(arm) or plan.tuned(arm, self._store.find)
        if isinstance(found, Choice) and arm not in plan.choices:
            plan = plan.model_copy(update={"choices": plan.choices | {arm: found}})
            self._plans[name] = plan
            self._store.write_plan(plan)
            self._chosen.append(Chosen(arm, found, plan))
        for due in self._orders[name].of(plan, arm, found):
            if isinstance(found, Pending):  # which has looked for it
                self._awaited.setdefault(due.run.id, {})[name, arm] = None
            elif self._store.find(due.run) is not None:
                continue
            self._add(plan, due)

    def _add(self, plan: Plan, due: _Due) -> None:
        number, run = self._numbers[plan.name], due.run
        if len(self._plans) == 1:
            self.queue.add(due.stage, due.place, run)
        elif plan.definition.one_by_one:
            self.queue.add((1, number, *due.stage), due.place, run)
        else:
            seed = run.seed if run.sees_test else 0
            self.queue.add((0, run.sees_test), (seed, number, *due.stage, *due.place), run)


def _work_off(
    missing: _Missing, store: Store, workers: Workers
) -> Iterator[Event | Chosen | Found]:
    """Give out what is missing until nothing is, yielding what happens; see `work_off`."""
    queue = missing.queue
    given: dict[str, Run] = {}
    elsewhere: list[Run] = []
    unseen: dict[str, float] = {}  # since when, by id
    others = _Others(store)
    again = time.monotonic() + AGAIN

    def added(run: Run) -> Iterator[Found | Chosen]:
        missing.settle(run)
        yield Found(run)
        yield from missing.chosen()

    yield from missing.chosen()
    while True:
        while workers.idle and (run := queue.take()) is not None:
            if store.find(run) is not None:
                yield from added(run)
                continue
            workers.submit(run)
            given[run.id] = run
        is_over = queue.is_empty and not given and not elsewhere
        for run in others.added(now=is_over):
            if queue.lacks(run) and run.id not in given:
                is_over = False
                yield from added(run)
        if is_over:
            return
        happened = list(workers.events(timeout=AGAIN))
        for event in happened:
            match event:
                case Failed(run=Run() as run):
                    given.pop(run.id, None)
                case Elsewhere(run=run):
                    given.pop(run.id, None)
                    elsewhere.append(run)
                case Finished(run=run):
                    given.pop(run.id, None)
                    if store.find(run) is not None:
                        missing.settle(run)
                    elif _is_too_long(unseen.setdefault(run.id, time.monotonic())):
                        event = Failed(run, _never_seen(store))
                    else:
                        elsewhere.append(run)
            yield event
            yield from missing.chosen()
        if not happened or time.monotonic() >= again:
            again = time.monotonic() + AGAIN
            running = {run.id for run in workers.running}
            lost = [run for run in given.values() if run.id not in running]  # with its worker
            for run in (*elsewhere, *lost):
                given.pop(run.id, None)
                queue.put_back(run)
            elsewhere.clear()


def _is_too_long(since: float) -> bool:
    return time.monotonic() - since > UNSEEN


def _never_seen(store: Store) -> str:
    return (
        f"its worker says that it has finished, and no record of it can be read in {store.path}: "
        "both have to see one folder, and what is written there has to stay as it is"
    )


class _Others:
    """Looks for the records that others add, now and then: looking at all takes its time."""

    def __init__(self, store: Store) -> None:
        """Look soon: all was looked at just now."""
        self._store = store
        self._next = time.monotonic() + AGAIN

    def added(self, now: bool) -> Iterator[Run]:
        """Yield the runs whose records have appeared, if it is time to look, or asked for now."""
        start = time.monotonic()
        if not now and start < self._next:
            return
        for record in self._store.appeared():
            yield record.run
        end = time.monotonic()
        self._next = end + max(AGAIN, SELDOM * (end - start))
