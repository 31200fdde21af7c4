"""The runner: what is given out, in which order, and how little is looked for."""

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import pytest
from rich.console import Console

from ablations import runner
from ablations.plan import Plan
from ablations.queue import DriverShard, Queue, ShardError
from ablations.run import Run
from ablations.runner import Chosen, Found, remaining, run_studies, run_study, work_off
from ablations.store import Store
from ablations.study import Arm
from ablations.workers.protocol import Elsewhere, Event, Failed, Finished
from reports.commands.progress import StudyProgress
from tests.builders.instant_workers import (
    ARMS,
    FOLLOWS,
    CountingStore,
    InstantWorkers,
    against,
    finish,
    labelled,
    plan_of,
    record,
)
from tests.builders.plans import chosen
from tests.proofs.simulation import Memory

JUDGED = against("b").but(judged=True)


def naively(
    plans: Sequence[Plan], store: Memory, seeds: Mapping[str, Sequence[int]]
) -> Iterator[Run]:
    """Yield one run after the other, of all that is missing at that time the most urgent."""
    known = {plan.name: plan for plan in plans}
    while True:
        together: list[Run] = []
        after: list[Run] = []
        for name, plan in known.items():
            work = remaining(plan, store, seeds[name])
            known[name] = plan.model_copy(update={"choices": work.plan.choices})
            (after if plan.definition.one_by_one else together).extend(work.runs)
        if len(known) > 1:
            together.sort(key=lambda run: (run.sees_test, run.seed if run.sees_test else 0))
        if not together + after:
            return
        run = (together + after)[0]
        finish(store, [run], error_of(run))
        yield run


def error_of(run: Run) -> float:
    """Return an error by which arms come to different rates."""
    return int(run.id[:6], 16) / 2**24


def done_of(plans: Sequence[Plan], shard: DriverShard | None = None) -> list[Run]:
    """Return what the runner gives to one worker, in order."""
    store = Memory()
    workers = InstantWorkers(lambda run: finish(store, [run], error_of(run)))
    seeds = {plan.name: plan.seeds for plan in plans}
    list(run_studies(plans, store, workers, seeds, shard))
    return workers.submitted


def named(plan: Plan, name: str) -> Plan:
    """Return a plan of another study of the same arms."""
    return plan.model_copy(update={"definition": plan.definition.but(study=name)})


PLANS = {
    "all arms": [plan_of()],
    "some judged": [plan_of(contrasts=(against("a"), JUDGED), seeds=6)],
    "one by one": [plan_of(one_by_one=True)],
    "a follower": [plan_of(arms={"base": Arm(), "a": FOLLOWS}, contrasts=(against("a"),))],
    "alike at one rate": [
        plan_of(arms=ARMS | {"d": FOLLOWS}, contrasts=(against("a"), against("d")))
    ],
    "two that share": [
        plan_of(contrasts=(against("a"), JUDGED), seeds=6),
        named(plan_of(seeds=4), "second"),
    ],
    "three, one of which goes one by one": [
        named(plan_of(one_by_one=True, seeds=2), "first"),
        plan_of(arms={"base": Arm(), "c": ARMS["c"]}, contrasts=(against("c"),)),
        named(plan_of(seeds=5), "third"),
    ],
}


@pytest.mark.parametrize("plans", PLANS.values(), ids=PLANS)
def test_the_order_is_that_of_looking_at_everything_before_every_run(plans: list[Plan]) -> None:
    """What is kept up to date by events is what a look at all records would find."""
    seeds = {plan.name: plan.seeds for plan in plans}

    expected = [run.id for run in naively(plans, Memory(), seeds)]

    assert [run.id for run in done_of(plans)] == expected
    assert len(set(expected)) == len(expected)


@pytest.mark.parametrize("seeds", [5, 50])
def test_a_run_is_looked_for_a_few_times_however_many_there_are(tmp_path: Path, seeds: int) -> None:
    """Before it is given out, when it is, and by who shows it; of tuning runs also by the rule."""
    plan = plan_of(seeds=seeds)
    alone, shown = CountingStore(tmp_path), CountingStore(tmp_path)
    list(run_study(plan, alone, InstantWorkers(alone.hold, 8), plan.seeds))
    console = Console(file=io.StringIO(), force_terminal=True)
    with StudyProgress(console, [plan], shown, {plan.name: plan.seeds}) as progress:
        for event in run_study(plan, shown, InstantWorkers(shown.hold, 8), plan.seeds):
            progress.show(event)

    tuning = 4 * 2 * 2
    assert alone.looks <= 3 * 4 * seeds + 12 * tuning
    assert shown.looks <= 5 * 4 * seeds + 14 * tuning


class _Told(InstantWorkers):
    """Workers that say of a run what they are told to, and finish it where they are told nothing.

    ``says`` has by run's id what happens each time that it is submitted.
    """

    says: dict[str, list[Callable[[Run], Event] | None]]

    def events(self, timeout: float) -> Iterator[Event]:
        for run in list(self.running):
            if told := self.says.get(run.id):
                self.running.remove(run)
                if (event := told.pop(0)) is not None:
                    yield event(run)
                return
        yield from super().events(timeout)


def told(store: Store, says: dict[str, list[Callable[[Run], Event] | None]]) -> _Told:
    """Return two of them, whose records are kept."""
    workers = _Told(lambda run: store.add(record(run)), 2)
    workers.says = says
    return workers


def runs_of(seeds: int) -> list[Run]:
    """Return comparison runs of one arm."""
    plan = chosen(plan_of(seeds=seeds))
    return [plan.run("a", seed) for seed in plan.seeds]


def test_a_run_that_is_lost_with_its_worker_is_given_out_again(tmp_path: Path) -> None:
    """It is neither running nor finished, and nobody has said why."""
    store, runs = Store(tmp_path), runs_of(3)
    workers = told(store, {runs[1].id: [None, None]})

    events = list(work_off(runs, store, workers))

    assert sorted(event.run.seed for event in events) == [0, 1, 2]
    assert all(isinstance(event, Finished) for event in events)
    assert [run.seed for run in workers.submitted].count(1) == 3


def test_a_run_that_fails_is_not_tried_again_and_stops_no_other(tmp_path: Path) -> None:
    """In this call."""
    store, runs = Store(tmp_path), runs_of(3)
    workers = told(store, {runs[0].id: [lambda run: Failed(run, "too large")] * 2})

    events = list(work_off(runs, store, workers))

    assert [type(event).__name__ for event in events] == ["Failed", "Finished", "Finished"]
    assert [run.seed for run in workers.submitted] == [0, 1, 2]


def test_a_run_that_another_process_is_at_is_waited_for(tmp_path: Path) -> None:
    """And not trained, if its record comes; others go first."""
    store, runs = Store(tmp_path), runs_of(3)

    def at_it(run: Run) -> Event:
        return Elsewhere(run, "process 1")

    def has_done_it(run: Run) -> Event:
        Store(tmp_path).add(record(run))
        return Elsewhere(run, "process 1")

    workers = told(store, {runs[0].id: [at_it, has_done_it]})

    events = list(work_off(runs, store, workers))

    assert [(type(event), event.run.seed) for event in events] == [
        (Elsewhere, 0), (Finished, 1), (Finished, 2), (Elsewhere, 0), (Found, 0),
    ]  # fmt: skip
    assert len(workers.submitted) == 4


def test_what_another_process_adds_meanwhile_is_found_and_names_what_comes_next(
    tmp_path: Path,
) -> None:
    """Its tuning runs choose a rate here too; nothing is trained that has a record."""
    plan = plan_of(seeds=2)
    store, other = Store(tmp_path), Store(tmp_path)
    store.write_plan(plan)
    trained: list[Run] = []

    def done(run: Run) -> None:
        store.add(record(run))
        trained.append(run)
        if len(trained) == 1:  # the other process does all tuning of the arm c meanwhile
            while isinstance(pending := plan.tuned("c", other.find), runner.Pending):
                for one in pending.runs:
                    other.add(record(one))

    events = list(run_study(plan, store, InstantWorkers(done), plan.seeds))

    labels = labelled(plan, trained)
    assert not [label for label in labels if label.startswith("c 100")]
    assert {"c 0", "c 1"} <= set(labels)
    assert sum(isinstance(event, Found) for event in events) == 2  # those that were known of
    assert sum(isinstance(event, Chosen) for event in events) == 4
    assert len(labels) == 3 * 4 + 4 * 2


def test_records_of_others_are_seen_while_nothing_else_happens(tmp_path: Path) -> None:
    """Not only when it is their turn: who watches the bar wants to know how far all are."""
    store, runs = Store(tmp_path), runs_of(4)
    assert store.records() == []
    Store(tmp_path).add(record(runs[2]))
    (tmp_path / "runs" / "begun").mkdir()

    assert [one.run.seed for one in store.appeared()] == [2]
    assert store.appeared() == []


def test_a_record_that_is_never_seen_here_fails_its_run_in_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a worker writes into another folder than the one that is looked at, it would go on."""
    monkeypatch.setattr(runner, "UNSEEN", 0.0)
    store, runs = Store(tmp_path / "here"), runs_of(2)
    elsewhere = Store(tmp_path / "there")

    def done(run: Run) -> None:
        (elsewhere if run.seed == 0 else store).add(record(run))

    events = list(work_off(runs, store, InstantWorkers(done)))

    failed = [event for event in events if isinstance(event, Failed)]
    assert [event.run.seed for event in failed if event.run] == [0]
    assert "both have to see one folder" in failed[0].reason
    assert "\n" not in failed[0].reason
    assert [event.run.seed for event in events if isinstance(event, Finished)][-1] == 1


# ---- several drivers of one folder


@pytest.mark.parametrize("plans", PLANS.values(), ids=PLANS)
def test_a_shard_changes_where_a_driver_starts_and_never_which_runs_there_are(
    plans: list[Plan],
) -> None:
    """Nor that rates come first; the first of several does what one alone would."""
    alone = done_of(plans)
    each = [done_of(plans, DriverShard(number, 4)) for number in range(1, 5)]

    assert [run.id for run in each[0]] == [run.id for run in alone]
    for runs in each:
        assert {run.id for run in runs} == {run.id for run in alone}
        assert len(runs) == len(alone)
        if plans == PLANS["all arms"]:
            assert [run.sees_test for run in runs] == [run.sees_test for run in alone]


def test_drivers_start_as_far_from_each_other_as_can_be_and_go_round() -> None:
    """Also where half is done: what counts is what is missing."""
    runs = runs_of(20)
    order = []
    for number in range(1, 5):
        queue = Queue(DriverShard(number, 4))
        for place, run in enumerate(runs[12:]):
            queue.add((1,), (place,), run)
        order.append([run.seed for run in iter(queue.take, None)])

    assert [seeds[0] for seeds in order] == [12, 14, 16, 18]
    assert order[2] == [16, 17, 18, 19, 12, 13, 14, 15]


def test_what_becomes_known_later_is_due_from_where_a_driver_started() -> None:
    """A stage that was empty, too."""
    runs = runs_of(6)
    queue = Queue(DriverShard(2, 2))
    for place in (0, 2):
        queue.add((0,), (place,), runs[place])
    assert queue.take() is runs[2]
    for place in (1, 3):
        queue.add((0,), (place,), runs[place])
    assert [queue.take(), queue.take(), queue.take()] == [runs[3], runs[0], runs[1]]
    assert queue.take() is None
    for place in (4, 0):
        queue.put_back(runs[place])
    assert queue.take() is runs[0]
    assert queue.is_empty


@pytest.mark.parametrize("text", ["5/4", "0/4", "x/y", "4", "1/0", "-1/4", "1/4/4", "", "1.5/2"])
def test_what_is_no_shard_is_refused_in_a_sentence(text: str) -> None:
    """With what would be one."""
    with pytest.raises(ShardError, match=r"is not a shard; write which of how many, from 1/4 to"):
        DriverShard.parse(text)


def test_a_shard_beyond_the_last_is_told_the_last() -> None:
    """Of as many as were written."""
    with pytest.raises(ShardError, match=r"'3/2' is not a shard; .* from 1/2 to 2/2$"):
        DriverShard.parse("3/2")
