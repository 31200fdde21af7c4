"""Several results folders read as one: a class that shares out the seeds of a study."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from safetensors.numpy import save_file

from ablations.merged import MergedResults, orphaned_runs
from ablations.metrics import EnsembleError
from ablations.plan import Plan, PlanError, SecondLook
from ablations.store import Store
from reports.cli import main
from reports.findings.records import comparison_of
from reports.page.report import gather
from tests.builders.plans import HELPS, chosen, of_errors, plan_of
from tests.builders.records import PROVENANCE, leaving, measures_of, record_of

ROOT = Path(__file__).parents[2]
SEEDS = (0, 1, 2)


def folder_of(results: Path, plan: Plan, seeds: Sequence[int], tanh: float = 0.3) -> Path:
    """Return a results folder of some seeds, where tanh erred so in its second epoch."""
    store = Store(results)
    store.write_plan(plan)
    for seed in seeds:
        store.add(record_of(plan.run("tanh", seed), [0.6, tanh, 0.1]))
        store.add(record_of(plan.run("relu", seed), [0.4, 0.0]))
    return results


@pytest.fixture
def shared_out(tmp_path: Path) -> list[Path]:
    """Return three folders with a seed each of one plan."""
    plan = chosen(plan_of(seeds=3))
    return [folder_of(tmp_path / f"student{seed}", plan, [seed]) for seed in SEEDS]


def report(*folders: Path) -> tuple[int, str]:
    """Return exit code and output of the report on several folders, without its wrapping."""
    arguments = [part for folder in folders for part in ("--results", str(folder))]
    result = CliRunner().invoke(main, ["report", *arguments])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, re.sub(r"\s+", " ", result.output)


def test_three_folders_with_a_seed_each_are_a_whole_study(shared_out: list[Path]) -> None:
    """Twice as fast in every seed; alone, each is incomplete, 2 of 6 runs."""
    alone = comparison_of(Store(shared_out[0]).plans()[0], Store(shared_out[0]))
    pool = MergedResults(shared_out)
    (plan,) = pool.plans()

    together = comparison_of(plan, pool)

    assert (alone.done, together.done, together.planned) == (2, 6, 6)
    assert alone.effects[0].verdict == "incomplete"
    assert together.effects[0].verdict != "incomplete"
    assert together.effects[0].seeds == SEEDS
    assert together.effects[0].by_seed == pytest.approx((2.0, 2.0, 2.0))
    assert pool.problems == []


def test_the_report_on_several_folders_is_written_beside_the_first(shared_out: list[Path]) -> None:
    """Its data has all the seeds, and nothing is written into the other folders."""
    before = [sorted(folder.rglob("*")) for folder in shared_out[1:]]

    code, output = report(*shared_out)
    content = json.loads((shared_out[0] / "report" / "report.json").read_text())
    study = content["studies"]["relu_vs_tanh@fashion_mini"]

    assert code == 0, output
    assert [run["seed"] for run in study["runs"]["tanh"]] == [0, 1, 2]
    assert study["comparison"]["done"] == 6
    assert (shared_out[0] / "report" / "index.html").exists()
    assert [sorted(folder.rglob("*")) for folder in shared_out[1:]] == before


def test_invoke_takes_a_folder_several_times(shared_out: list[Path], tmp_path: Path) -> None:
    """`--results` once each, and `--out` for another place."""
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    folders = [part for folder in shared_out for part in ("--results", str(folder))]
    done = subprocess.run(
        ["invoke", "report", *folders, "--out", str(tmp_path / "out")],
        cwd=ROOT, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    content = json.loads((tmp_path / "out" / "report.json").read_text())
    assert content["studies"]["relu_vs_tanh@fashion_mini"]["comparison"]["done"] == 6


def test_a_pool_says_what_its_folders_copied_into_one_would_say(
    shared_out: list[Path], tmp_path: Path
) -> None:
    """The other way to merge of docs/studies.md; the digest leaves out who measured what when."""
    plan = chosen(plan_of(seeds=3))
    folder_of(tmp_path / "one", plan, SEEDS)

    pooled, copied = gather(MergedResults(shared_out)), gather(Store(tmp_path / "one"))

    assert pooled.document["digest"] == copied.document["digest"]


def of(plan: Plan, **fields: object) -> Plan:
    """Return a plan whose definition has other fields."""
    return plan.model_copy(update={"definition": plan.definition.model_copy(update=fields)})


def with_rate(plan: Plan, arm: str, rate: float) -> Plan:
    """Return a plan in which an arm has chosen another rate."""
    return plan.model_copy(
        update={"choices": plan.choices | {arm: plan.choices[arm].but(rate=rate)}}
    )


PLAN = chosen(plan_of(seeds=3))


@pytest.mark.parametrize(
    ("other", "what"),
    [
        (of(PLAN, edition=2), "edition is 1 and 2"),
        (of(PLAN, seeds=(0, 1)), "seeds is [0, 1, 2] and [0, 1]"),
        (of(PLAN, precision="float32"), "precision is bfloat16 and float32"),
        (with_rate(PLAN, "relu", 0.003), "the rate of relu is 0.001 and 0.003"),
        (
            of(PLAN, arms=dict.fromkeys(("tanh", "relu"), PLAN.definition.arms["tanh"])),
            "arms.relu.network.parts.act.",
        ),
    ],
    ids=["edition", "seeds", "precision", "rate", "arm"],
)  # fmt: skip
def test_other_questions_are_not_pooled(other: Plan, what: str, tmp_path: Path) -> None:
    """Refused by name, with both folders, both values and the way out: exit code 2."""
    folders = [folder_of(tmp_path / "a", PLAN, [0]), folder_of(tmp_path / "b", other, [1])]

    with pytest.raises(PlanError, match="not the same question"):
        MergedResults(folders).plans()
    code, output = report(*folders)

    assert code == 2
    assert f"relu_vs_tanh@fashion_mini is not the same question in {folders[0]}" in output
    assert what in output
    assert "report them apart" in output
    assert len(output) < 500 + 2 * len(str(tmp_path))


def test_machines_with_other_numbers_of_cores_ask_one_question(tmp_path: Path) -> None:
    """Large networks take all cores; their runs have the same ids."""
    more = of(PLAN, threads=64)
    folders = [folder_of(tmp_path / "a", PLAN, [0, 1]), folder_of(tmp_path / "b", more, [2])]
    pool = MergedResults(folders)
    (plan,) = pool.plans()

    assert comparison_of(plan, pool).done == 6


def test_a_damaged_record_is_named_and_another_folders_believed(tmp_path: Path) -> None:
    """The files beside a run are then those of the folder whose record is read."""
    folders = [folder_of(tmp_path / "a", PLAN, [0]), folder_of(tmp_path / "b", PLAN, SEEDS)]
    run = PLAN.run("tanh", 0)
    path = folders[0] / "runs" / run.short / "record.json"
    path.write_text(path.read_text()[:-30])
    pool = MergedResults(folders)
    (plan,) = pool.plans()

    assert [problem for problem in pool.problems if str(path) in problem]
    assert comparison_of(plan, pool).done == 6
    assert pool.folder(run) == folders[1] / "runs" / run.short


def test_a_damaged_plan_is_named_and_another_folders_used(tmp_path: Path) -> None:
    """Its runs are still found."""
    folders = [folder_of(tmp_path / "a", PLAN, [0]), folder_of(tmp_path / "b", PLAN, [1, 2])]
    path = folders[0] / "plans" / "relu_vs_tanh@fashion_mini.json"
    path.write_text("{")
    pool = MergedResults(folders)
    (plan,) = pool.plans()

    assert [problem for problem in pool.problems if str(path) in problem]
    assert comparison_of(plan, pool).done == 6


def test_runs_in_several_folders_are_said_and_the_first_is_shown(tmp_path: Path) -> None:
    """Two runs of seed 0, in three folders: said once for each run, and slower tanh is not read.

    Where tanh falls to 40 % before 10 %, it takes 1.5 + 2/3 epochs to 20 %.
    """
    folders = [
        folder_of(tmp_path / name, PLAN, [0, number], tanh)
        for number, (name, tanh) in enumerate([("a", 0.3), ("b", 0.4), ("c", 0.4)])
    ]
    pool = MergedResults(folders)
    (plan,) = pool.plans()

    assert pool.problems == ["2 runs in more than one folder: the first one's is shown"]
    assert comparison_of(plan, pool).effects[0].by_seed == pytest.approx((2.0, 13 / 6, 13 / 6))
    assert pool.folder(plan.run("tanh", 0)).is_relative_to(folders[0])
    assert "ignored 2 runs in more than one folder" in report(*folders)[1]


def test_a_folder_named_twice_is_read_once(tmp_path: Path) -> None:
    """Nothing is then in more than one."""
    folder = folder_of(tmp_path / "a", PLAN, SEEDS)

    assert MergedResults([folder, tmp_path / "a" / ".." / "a"]).problems == []


def test_the_earliest_registration_wins_whatever_the_order(tmp_path: Path) -> None:
    """With the words of the latest, and every timing and second look, no seed twice."""
    late, early = (
        PLAN.model_copy(
            update={
                "registered": PROVENANCE.but(at=datetime(year, 1, 1, tzinfo=UTC), commit=commit),
                "about": PLAN.about.but(title=commit),
                "second_looks": (SecondLook(at=datetime(year, 6, 1, tzinfo=UTC), seeds=seeds),),
            }
        )
        for year, commit, seeds in ((2027, "late", (3, 4)), (2026, "early", (3,)))
    )
    folders = [folder_of(tmp_path / "a", late, [0]), folder_of(tmp_path / "b", early, [1, 2])]

    for order in (folders, folders[::-1]):
        (plan,) = MergedResults(order).plans()

        assert plan.registered.commit == "early"
        assert plan.about.title == "late"
        assert [(look.at.year, look.seeds) for look in plan.second_looks] == [
            (2026, (3,)), (2027, (4,)),
        ]  # fmt: skip
        assert plan.seeds == (0, 1, 2, 3, 4)


def test_rates_chosen_in_different_folders_come_together(tmp_path: Path) -> None:
    """One tuned tanh, the other relu."""
    halves = [
        PLAN.model_copy(update={"choices": {arm: PLAN.choices[arm]}}) for arm in ("tanh", "relu")
    ]
    for name, half in zip("ab", halves, strict=True):
        Store(tmp_path / name).write_plan(half)

    (plan,) = MergedResults([tmp_path / "a", tmp_path / "b"]).plans()

    assert plan.choices == PLAN.choices
    found = MergedResults([tmp_path / "a", tmp_path / "b"]).read_plan(
        "relu_vs_tanh", "fashion_mini", False
    )
    assert found == plan


def test_runs_of_no_plan_are_named_by_edition_and_images(tmp_path: Path) -> None:
    """Three of another edition, one of other images; those of the plan are none of them."""
    folder = folder_of(tmp_path / "a", PLAN, SEEDS)
    other = folder_of(tmp_path / "b", PLAN, [0])
    store = Store(other)
    image = PLAN.definition.dataset.but(name="pets", digest="123456789abc")
    for seed in SEEDS:
        store.add(record_of(of(PLAN, edition=7).run("relu", seed), [0.4]))
    store.add(record_of(of(PLAN, dataset=image).run("relu", 0), [0.4]))
    pool = MergedResults([folder, other])
    name, digest = PLAN.definition.dataset.name, PLAN.definition.dataset.digest[:6]

    found = orphaned_runs(pool, pool.plans())

    assert found == [
        "1 run of edition 1 on pets (123456), of no plan here, kept apart",
        f"3 runs of edition 7 on {name} ({digest}), of no plan here, kept apart",
    ]
    assert orphaned_runs(Store(folder), [PLAN]) == []
    assert found[1] in gather(pool).problems


def test_networks_of_several_folders_are_averaged(tmp_path: Path) -> None:
    """Two networks that are each right on one image of two: together right on both.

    The surer one wins each image: 4 against 1.
    """
    metric = EnsembleError(networks=2, group=2)
    contrast = HELPS.but(
        judged=False,
        arm="with",
        against="with",
        metric=metric,
        against_metric=metric.but(networks=1),
    )
    plan = of_errors(contrast, seeds=2)
    sure = np.array([[4.0, 0.0], [1.0, 0.0]], dtype=np.float32)
    folders = [tmp_path / "a", tmp_path / "b"]
    for seed, folder in enumerate(folders):
        store, run = Store(folder), plan.run("with", seed)
        store.write_plan(plan)
        scores = sure if seed == 0 else sure[::-1, ::-1].copy()
        path = store.folder(run) / "scores.safetensors"
        path.parent.mkdir(parents=True)
        save_file({"ten": scores, "labels": np.array([0, 1])}, path)
        record = record_of(run, [0.2], measures=measures_of(0.1, 0.2, 0.5))
        store.add(leaving(record, path))

    alone, together = Store(folders[0]).plans()[0], MergedResults(folders).plans()[0]

    assert alone.ensembles == {}
    assert together.ensembles == {"with": {"2 of 2": (0.0,), "1 of 2": (0.5,)}}


def test_a_folder_that_holds_nothing_is_refused(shared_out: list[Path], tmp_path: Path) -> None:
    """It is most likely misspelt; a folder of runs alone is not."""
    (tmp_path / "typo").mkdir()
    runs_alone = tmp_path / "runs-alone"
    (shared_out[2] / "runs").rename(tmp_path / "moved")
    runs_alone.mkdir()
    (tmp_path / "moved").rename(runs_alone / "runs")

    code, output = report(shared_out[0], tmp_path / "typo")
    everywhere = [*shared_out, runs_alone]
    sides = [part for folder in everywhere for part in ("--before", folder, "--after", folder)]
    together = CliRunner().invoke(main, ["compare", *map(str, sides)])

    assert code == 2
    assert f"no study has been run in {tmp_path / 'typo'};" in output
    assert together.exit_code == 0, together.output
    assert "6 runs with torch" in together.output
    assert "one report" in together.output
