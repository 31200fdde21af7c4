"""What a study says it will do, worked out by hand for runs that are here and runs that are not."""

import io
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest
from rich.console import Console

from ablations.kept import UNASKED, WEIGHTS, KeptWeights
from ablations.machine import Fingerprint
from ablations.plan import Plan
from ablations.runner import remaining
from ablations.workers.protocol import Probe, Timed
from reports.commands.ablate import announcement
from reports.commands.ablate.announcement import Announcement, announce, list_runs
from reports.commands.ablate.disk import Runs, disk
from reports.commands.ablate.folder import say_without_weights
from tests.builders.instant_workers import (
    ARMS,
    FOLLOWS,
    against,
    finish,
    labelled,
    plan_of,
    run_all,
)
from tests.builders.made_up_studies import printed
from tests.builders.plans import MANIFEST, filled
from tests.builders.records import FINGERPRINT
from tests.builders.studies import example
from tests.proofs.simulation import Memory


class Unregistered(Memory):
    """Records of other studies, and no plan of this one."""

    path = Path("results")

    def read_plan(self, *_: object) -> None:
        """Return that there is none."""


def announced(
    plan: Plan,
    store: Unregistered,
    seconds: float = 0.01,
    fingerprint: Fingerprint = FINGERPRINT,
    parameters: int = 1000,
    kept: KeptWeights = UNASKED,
) -> dict[str, str]:
    """Return what is said of a plan, by what stands before it; a step takes so many seconds."""
    a = Announcement(
        study=example(),
        plan=plan,
        store=store,  # type: ignore[arg-type]
        manifest=MANIFEST,
        seeds=plan.seeds,
        probe=Probe("float32", fingerprint),
        workers=1,
        step=dict.fromkeys(plan.definition.arms, Timed(seconds, parameters)),
        kept_weights=kept,
    )
    console = Console(file=io.StringIO(), width=200)
    announce(console, a)
    list_runs(console, a)
    assert isinstance(console.file, io.StringIO)
    lines = [line.partition("  ") for line in console.file.getvalue().splitlines()]
    return {name or text.strip()[:19]: text.strip() for name, _, text in lines}


def test_a_new_plan_counts_the_runs_that_another_study_trained() -> None:
    """Two of its three arms are another's: their rates are known though none is registered."""
    other = plan_of({name: ARMS[name] for name in ("base", "a")}, [against("a")])
    store = Unregistered()
    run_all(other, store)

    said = announced(plan_of({n: ARMS[n] for n in ("base", "a", "b")}, [against("b")]), store)

    assert said["plan"].startswith("3 arms x 3 seeds = 9 runs, 6 of them here")
    assert said["tuning"].startswith("3 arms x 2 rates x 2 seeds = 12 runs, 8 of them here")
    assert "the ids after these" in said


def test_a_new_plan_all_of_whose_runs_are_here_takes_no_time() -> None:
    """Which is said."""
    store = Unregistered()
    run_all(plan_of(), store)

    said = announced(plan_of({name: ARMS[name] for name in ("base", "a")}, [against("a")]), store)

    assert said["plan"].startswith("2 arms x 3 seeds = 6 runs, 6 of them here")
    assert said["time"] == "none: there is nothing to train"
    assert "the ids after these" not in said
    assert "reused" not in said


def test_runs_of_another_machine_are_said_before_a_plan_is_registered() -> None:
    """They are used as they are."""
    store = Unregistered()
    run_all(plan_of(), store)
    two = plan_of({name: ARMS[name] for name in ("base", "a")}, [against("a")])

    said = announced(two, store, fingerprint=FINGERPRINT.but(processor="slide rule"))

    assert said["reused"] == "6 runs with torch 2.9.9 on abacus, beads"


def test_records_of_another_release_are_used_and_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """All of torch 2.9.9 here; with another one there is a way to train again, beside them."""
    store = Unregistered()
    plan, _ = run_all(plan_of(), store)

    for here, silent in (("2.9.9+cu130", True), ("2.15.0", False)):
        monkeypatch.setattr(announcement, "version", lambda name, here=here: here)
        said = printed(announcement.say_other_releases, plan, store, plan.seeds)

        assert (said == "") is silent
    assert "torch is 2.15.0 here" in said
    assert "12 runs with torch 2.9.9 on abacus, beads" in said
    assert f"invoke compare --before {store.path} --after NEW" in said


def test_one_rate_is_not_chosen() -> None:
    """So nothing goes before the comparison, and all ids are known."""
    said = announced(plan_of(rates=(0.02,)), Unregistered())

    assert said["plan"].startswith("4 arms x 3 seeds = 12 runs, 2 epochs")
    assert said["learning rate"] == "0.02 in every arm; none is chosen here"
    assert "tuning" not in said
    assert "the ids after these" not in said


@pytest.mark.parametrize(
    "done",
    [
        (),
        ("base 1000 0.003",),
        ("base 1000 0.003", "b 1000 0.003", "b 1001 0.003"),
        ("base 1000 0.003", "base 1001 0.003", "base 1000 0.001", "base 1001 0.001"),
        ("b 1000 0.003", "b 1001 0.003", "b 1000 0.001", "b 1001 0.001"),
    ],
)
def test_an_arm_that_takes_anothers_rate_is_not_tuned(done: Sequence[str]) -> None:
    """Three arms, one of which follows base: two are tuned, eight runs, some of which are here."""
    plan = plan_of({**{n: ARMS[n] for n in ("base", "b")}, "a": FOLLOWS}, [against("a")])
    store = Unregistered()
    for name in done:
        runs = remaining(plan, store, plan.seeds).runs
        (number,) = [i for i, label in enumerate(labelled(plan, runs)) if label == name]
        finish(store, [runs[number]])

    said = announced(plan, store)

    there = f", {len(done)} of them here" if done else ""
    assert said["tuning"].startswith(f"2 arms x 2 rates x 2 seeds = 8 runs{there}, to choose")


LARGE = 60_965_224  # parameters, as the paper's network has: 244 MB


def test_weights_are_said_with_the_disk_they_take() -> None:
    """Two arms, three seeds: six comparison runs, and 2 x 2 rates x 2 seeds before them."""
    plan = plan_of({name: ARMS[name] for name in ("base", "a")}, [against("a")])

    def disk(kept: KeptWeights, parameters: int = LARGE) -> str:
        said = announced(plan, Unregistered(), parameters=parameters, kept=kept)
        return " ".join(said[name] for name in said if name == "disk" or "weights" in name)

    assert disk(KeptWeights("comparison", None)).startswith(
        "about 1.5 GB: weights of 6 runs 1.5 GB"
    )
    assert disk(KeptWeights("all", None)).startswith("about 3.4 GB: weights of 14 runs 3.4 GB")
    none = disk(KeptWeights("none"))
    assert none.startswith("about 1 MB: records and scores 1 MB; 488 MB while it trains")
    assert disk(UNASKED, parameters=1_000_000).startswith("about 24 MB: weights of 6 runs 24 MB")


def test_weights_that_are_too_large_to_be_kept_unasked_are_said() -> None:
    """With the option that keeps them, and the disk that would take."""
    plan = plan_of({name: ARMS[name] for name in ("base", "a")}, [against("a")])
    lines = printed_lines(plan, LARGE)

    assert lines[0].startswith("about 1 MB: records and scores")
    assert lines[1] == (
        "weights of 6 runs are not kept, of up to 244 MB each: --keep-weights comparison keeps "
        "them, 1.5 GB"
    )


def test_too_small_a_disk_is_said_before_it_is_full(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the results would lie."""
    usage = shutil.disk_usage(".")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=10_000_000))
    plan = plan_of({name: ARMS[name] for name in ("base", "a")}, [against("a")])

    assert printed_lines(plan, 1000)[1:] == []
    assert printed_lines(plan, LARGE)[-1] == (
        "only 10 MB are free in results; choose another with --results PATH"
    )


def test_runs_that_left_no_weights_are_said_to_who_wants_them(results: Path) -> None:
    """Five records, one with weights beside it."""
    plan, store = filled(results, 3, [0.9, 0.6, 0.2], [0.5, 0.2])
    (store.folder(plan.run("tanh", 0)) / WEIGHTS).write_bytes(b"weights")

    said = printed(say_without_weights, plan, store, plan.seeds)

    assert "5 runs here left none" in said
    assert "the same command with --results NEW" in said


def printed_lines(plan: Plan, parameters: int) -> list[str]:
    """Return what is said of the disk that six runs of a network of that size take."""
    config = plan.definition.arms["base"]
    runs = Runs.of(config, "float32", parameters, MANIFEST, compared=6, tuning=8)
    return list(disk([runs], MANIFEST, UNASKED, 1, Path("results")))
