"""The live lines of a terminal: how many runs are done, of how many, tuning included."""

import io
import re
from pathlib import Path

import pytest
from rich.console import Console

from ablations.plan import Plan
from ablations.runner import Chosen
from ablations.store import Store
from ablations.tuning import at_rate
from ablations.workers.protocol import Event, Finished, Noticed
from reports.commands.progress import StudyProgress
from tests.builders.plans import chosen, plan_of
from tests.builders.records import record_of


def following(plan: Plan, store: Store) -> tuple[StudyProgress, io.StringIO]:
    """Return what follows a plan in a terminal, and what it prints to."""
    file = io.StringIO()
    console = Console(file=file, width=100, force_terminal=True, color_system=None)
    return StudyProgress(console, [plan], store, {plan.name: plan.definition.seeds}), file


def show(progress: StudyProgress, event: Event | Chosen) -> None:
    """Show an event at once, which a terminal shows four times a second."""
    progress.show(event)
    progress._live.refresh()


def told(file: io.StringIO) -> list[str]:
    """Return every "done of total" that was printed, in order, each once."""
    found = re.findall(r"runs\s+(\d+ of \d+)", file.getvalue())
    return list(dict.fromkeys(found))


def test_tuning_and_comparison_are_counted_together(tmp_path: Path) -> None:
    """Two arms of five rates and two tuning seeds, and of ten seeds: 40 runs."""
    plan, store = plan_of(), Store(tmp_path)
    config = plan.definition.arms["tanh"]
    tuning = [plan.make_run("tanh", config, seed) for seed in plan.definition.tuning_seeds]

    progress, file = following(plan, store)
    with progress:
        for run in tuning:
            store.add(record_of(run, [0.5]))
            show(progress, Finished(run))
        ready = chosen(plan)
        show(progress, Chosen("tanh", ready.choices["tanh"], ready.model_copy(update={
            "choices": {"tanh": ready.choices["tanh"]}})))  # fmt: skip
        show(progress, Chosen("relu", ready.choices["relu"], ready))
        run = ready.run("tanh", 0)
        store.add(record_of(run, [0.5]))
        show(progress, Finished(run))

    assert told(file) == ["0 of 40", "1 of 40", "2 of 40", "10 of 40", "20 of 40", "21 of 40"]


def test_what_is_here_counts_from_the_start(tmp_path: Path) -> None:
    """Three seeds of two arms, whose rates are chosen."""
    plan, store = chosen(plan_of()), Store(tmp_path)
    for arm in plan.definition.arms:
        for seed in range(3):
            store.add(record_of(plan.run(arm, seed), [0.4]))
    progress, file = following(plan, store)
    run = plan.run("relu", 3)

    with progress:
        store.add(record_of(run, [0.4]))
        show(progress, Finished(run))

    assert told(file) == ["26 of 40", "27 of 40"]
    assert "left" in file.getvalue()


def test_tuning_runs_that_are_here_count_from_the_start(tmp_path: Path) -> None:
    """Those of an earlier call, though no rate is chosen yet; the arm's own line says so too."""
    plan, store = plan_of(), Store(tmp_path)
    config = plan.definition.arms["relu"]
    for seed in plan.definition.tuning_seeds:
        store.add(record_of(plan.make_run("relu", config, seed), [0.5]))

    progress, file = following(plan, store)
    with progress:
        pass

    assert told(file) == ["2 of 40"]
    assert re.search(r"relu +choosing its rate, 2 of 10 runs", file.getvalue())
    assert re.search(r"tanh +choosing its rate, 0 of 10 runs", file.getvalue())


def test_a_log_says_how_far_it_is_and_how_long_it_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run each ten seconds: from the fourth on, the others' time by that pace."""
    now = [0.0]
    monkeypatch.setattr("reports.commands.progress.time.monotonic", lambda: now[0])
    plan, store = plan_of(), Store(tmp_path)
    config = plan.definition.arms["tanh"]
    file = io.StringIO()
    console = Console(file=file, width=80, force_terminal=False)
    progress = StudyProgress(console, [plan], store, {plan.name: plan.definition.seeds})
    rates = [rate for rate in plan.definition.rates[:2] for _ in plan.definition.tuning_seeds]

    with progress:
        for number, rate in enumerate(rates):
            now[0] += 10
            seed = plan.definition.tuning_seeds[number % 2]
            run = plan.make_run("tanh", at_rate(config, rate), seed)
            store.add(record_of(run, [0.5]))
            progress.show(Finished(run))

    lines = file.getvalue().splitlines()
    assert len(lines) == 4
    assert lines[0].endswith(" 0:10   1 of 40 runs")
    assert lines[2].endswith(" 0:30   3 of 40 runs")
    assert lines[3].endswith(" 0:40   4 of 40 runs, about 6 min left")


def test_a_node_that_is_lost_has_a_line(tmp_path: Path) -> None:
    """Which counts no run, and is no failure."""
    plan, store = plan_of(), Store(tmp_path)
    progress, file = following(plan, store)

    with progress:
        show(progress, Noticed("node 10.0.0.7 is lost"))

    assert re.search(r"cluster +node 10\.0\.0\.7 is lost +0:00", file.getvalue())
    assert told(file) == ["0 of 40"]
    assert not progress.failures
