"""Runs and curves as tables: against the files, read here without the project."""

import itertools
import json
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ablations.plan import Plan, SecondLook
from ablations.store import Store, StoreError
from ablations.tuning import Pending
from reports import curves_frame, runs_frame
from reports.evidence import EVIDENCE
from reports.findings.frames import CURVES, RUNS
from tests.builders.plans import HELPS, chosen, filled, of_errors, plan_of
from tests.builders.records import measures_of, record_of

TANH, RELU = [0.6, 0.3, 0.1], [0.4, 0.0]


@pytest.fixture(scope="module")
def files() -> dict[str, dict]:
    """Return the records that ship, as JSON, by the twelve digits of their folders."""
    return {
        path.parent.name: json.loads(path.read_text())
        for path in EVIDENCE.glob("runs/*/record.json")
    }


@pytest.fixture(scope="module")
def shipped() -> pd.DataFrame:
    """Return the runs of the evidence."""
    return runs_frame(EVIDENCE)


def test_every_record_that_ships_is_in_the_table_with_its_own_numbers(
    files: dict[str, dict], shipped: pd.DataFrame
) -> None:
    """Errors, losses, seconds, rate and seed are those of the file, to the last digit."""
    assert set(shipped.run_id) == files.keys()
    for row in shipped.drop_duplicates("run_id").itertuples():
        file = files[row.run_id]
        measures = file["measures"]
        assert row.status == file["status"]
        assert row.epochs == len(file["curve"])
        assert row.own_seed == file["run"]["seed"]
        assert row.rate == file["run"]["config"]["training"]["optimizer"]["rate"]
        assert row.training_seconds == file["seconds"]["training"]
        assert row.finished_at == datetime.fromisoformat(file["provenance"]["at"])
        if measures is None:
            assert np.isnan(row.valid_error)
            continue
        assert row.valid_error == measures["valid"]["top1_error"]
        assert row.train_loss == measures["train"]["loss"]
        if measures["test"] is None:
            assert row.phase == "tuning"
            assert np.isnan(row.test_error)
        else:
            assert row.test_error == measures["test"]["top1_error"]
            ten = measures.get("test_ten") or {"top5_error": None}  # not in the oldest records
            assert same(row.test_ten_top5_error, ten["top5_error"])


def same(cell: float, number: float | None) -> bool:
    """Return whether a cell is a number, or missing where there is none."""
    return bool(np.isnan(cell)) if number is None else cell == number


def test_rates_were_chosen_by_the_values_in_the_table(shipped: pd.DataFrame) -> None:
    """The outcomes that were written into the plans when rates were chosen, run by run.

    Of an arm whose rate is not chosen yet, the table has what other studies have trained of it.
    """
    seen = waiting = 0
    for path in EVIDENCE.glob("plans/*.json"):
        plan = json.loads(path.read_text())
        name, images = plan["definition"]["study"], plan["definition"]["dataset"]["name"]
        tuning = shipped[(shipped.study == name) & (shipped.dataset == images)]
        tuning = tuning[tuning.phase == "tuning"].set_index(["arm", "run_id"])
        for arm, choice in plan["choices"].items():
            for trial in choice["trials"]:
                for run, outcome in zip(trial["runs"], trial["outcomes"], strict=True):
                    row = tuning.loc[arm, run[:12]]
                    assert row.value == outcome
                    assert row.rate == trial["rate"]
                    seen += 1
        of_chosen = tuning[tuning.index.get_level_values("arm").isin(list(plan["choices"]))]
        in_plan = sum(len(t["runs"]) for c in plan["choices"].values() for t in c["trials"])
        assert len(of_chosen) == in_plan
        waiting += len(tuning) - len(of_chosen)
    assert seen > 100
    assert seen + waiting == (shipped.phase == "tuning").sum()


def test_the_mean_speed_up_of_the_page_comes_out_of_the_table(shipped: pd.DataFrame) -> None:
    """Geometric mean over pairs of the epochs to 25 %, tanh by ReLU: what README prints."""
    runs = shipped[(shipped.study == "relu_vs_tanh") & (shipped.dataset == "cifar10_jpeg")]
    runs = runs[runs.phase == "comparison"]
    wide = runs.pivot(index="seed", columns="arm", values="value")

    assert set(runs.metric) == {"epochs to 25 % training error"}
    assert set(runs.unit) == {"epochs"}
    speed_up = np.exp(np.log(wide.tanh / wide.relu).mean())
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    assert f"ReLU: {speed_up:.2f} times as fast [" in readme


def test_curves_are_the_counts_of_the_files(files: dict[str, dict]) -> None:
    """Errors over images of each whole epoch, mean losses, and errors on held-out images."""
    curves = curves_frame(EVIDENCE)
    once = curves.drop_duplicates(["run_id", "epoch", "metric"])
    wide = once.pivot(index=["run_id", "epoch"], columns="metric", values="value")

    for run_id, file in files.items():
        epochs = file["curve"]
        mine = wide.loc[run_id] if epochs else wide.iloc[:0]
        assert list(mine.index) == [epoch["number"] for epoch in epochs]
        expected = [sum(epoch["errors"]) / sum(epoch["images"]) for epoch in epochs]
        assert list(mine.training_error) == expected
        assert list(mine.training_loss) == [epoch["loss"] for epoch in epochs]


def test_errors_on_held_out_images_are_there_where_a_run_measured_them(results: Path) -> None:
    """After each epoch; no row stands for one that was not measured."""
    plan, store = filled(results, 1, tanh=TANH, relu=RELU)
    record = record_of(plan.run("relu", 0), RELU)
    seen = [epoch.but(valid_error=0.5 / epoch.number) for epoch in record.curve]
    store.add(record.model_copy(update={"curve": tuple(seen)}))

    curves = curves_frame(store)
    held_out = curves[curves.metric == "valid_error"]

    assert list(zip(held_out.arm, held_out.epoch, held_out.value, strict=True)) == [
        ("relu", 1.0, 0.5), ("relu", 2.0, 0.25),
    ]  # fmt: skip
    assert len(curves) == 2 * len(TANH) + 3 * len(RELU)


def test_by_tenths_times_can_be_read_from_the_curve(shipped: pd.DataFrame) -> None:
    """The first crossing of 25 %, interpolated by NumPy, is the value of the run."""
    tenths = curves_frame(EVIDENCE, tenths=True)
    runs = shipped[shipped.metric == "epochs to 25 % training error"]
    runs = runs[~runs.is_bound].drop_duplicates("run_id")
    by_run = dict(list(tenths.drop_duplicates(["run_id", "epoch"]).groupby("run_id")))

    assert set(tenths.metric) == {"training_error"}
    assert len(runs) > 20
    for row in runs.itertuples():
        curve = by_run[row.run_id]
        errors, epochs = curve.value.to_numpy(), curve.epoch.to_numpy()
        after = int(np.argmax(errors <= 0.25))
        ends = slice(after - 1, after + 1)
        assert np.interp(-0.25, -errors[ends], epochs[ends]) == pytest.approx(row.value, abs=1e-8)


def test_a_run_of_two_studies_has_a_row_for_each(shipped: pd.DataFrame) -> None:
    """Of the same number where both compare the same, and once after duplicates are dropped."""
    shared = shipped[shipped.duplicated("run_id", keep=False)]
    counts = shared.groupby("run_id").study.nunique()

    assert counts.max() >= 4
    both = shipped[shipped.study.isin(["ensembles", "ten_views"])]
    assert (both.groupby("run_id").value.nunique() == 1).all()
    assert len(shipped.drop_duplicates("run_id")) == len(list(EVIDENCE.glob("runs/*/record.json")))


def test_types_are_real_also_where_there_is_no_row(results: Path) -> None:
    """A plan without a run gives both tables, empty, with the types that the others have."""
    filled(results, 0, tanh=[], relu=[])
    empty, full = (runs_frame(results), curves_frame(results)), (
        runs_frame(EVIDENCE), curves_frame(EVIDENCE)
    )  # fmt: skip

    for none, some, columns in zip(empty, full, (RUNS, CURVES), strict=True):
        assert len(none) == 0
        assert list(none.columns) == list(columns)
        assert (none.dtypes == some.dtypes).all()
    types = full[0].dtypes
    assert pd.api.types.is_string_dtype(types["arm"])
    assert pd.api.types.is_integer_dtype(types["seed"])
    assert pd.api.types.is_float_dtype(types["test_error"])
    assert pd.api.types.is_bool_dtype(types["planned"])
    assert str(types["finished_at"]) == "datetime64[us, UTC]"
    errors = [name for name in RUNS if name.endswith("_error")]
    assert full[0][errors].stack().dropna().between(0, 1).all()


def test_rows_come_in_the_plans_order_and_tuning_under_way_is_there(results: Path) -> None:
    """Of the first rates that were tried, too, before one is chosen."""
    plan, store = plan_of(seeds=3), Store(results)
    store.write_plan(plan)
    first = plan.tuned("relu", store.find)
    assert isinstance(first, Pending)
    for run in first.runs:
        store.add(record_of(run, RELU))
    stray = plan.make_run("relu", plan.definition.arms["relu"].but(training={"epochs": 7}), 0)
    store.add(record_of(stray, RELU))

    runs = runs_frame(results)

    assert list(runs.run_id) == [run.short for run in first.runs]
    assert set(runs.phase) == {"tuning"}
    assert list(runs.seed) == [1000, 1001]
    assert runs.planned.all()


def test_bounds_diverged_runs_and_later_seeds_are_marked(results: Path) -> None:
    """A run that never got there counts as its horizon; one that diverged has no measures."""
    plan = chosen(plan_of(seeds=3))
    look = SecondLook(at=datetime(2026, 3, 4, tzinfo=UTC), seeds=(7,))
    plan, store = plan.model_copy(update={"second_looks": (look,)}), Store(results)
    store.write_plan(plan)
    store.add(record_of(plan.run("relu", 0), [0.4, 0.0], measures=measures_of(0.1, 0.2, 0.3)))
    store.add(record_of(plan.run("relu", 1), [0.9, 0.8]))
    store.add(record_of(plan.run("relu", 7), [0.4, 0.0]))
    store.add(record_of(plan.run("tanh", 0), [0.9], status="diverged"))

    runs = runs_frame(results).set_index(["arm", "seed"])

    horizon = plan.definition.arms["relu"].training.epochs
    assert list(runs.index) == [("tanh", 0), ("relu", 0), ("relu", 1), ("relu", 7)]
    assert list(runs.is_bound) == [True, False, True, False]
    assert list(runs.value[runs.is_bound]) == [horizon, horizon]
    assert list(runs.planned) == [True, True, True, False]
    assert list(runs.status) == ["diverged", "finished", "finished", "finished"]
    assert (runs.test_error["relu", 0], runs.test_ten_error["relu", 0]) == (0.3, 0.29)
    assert runs.test_top5_error["relu", 0] == 0.06
    assert np.isnan(runs.valid_error["tanh", 0])
    assert runs.label["tanh", 0] == "tanh"
    assert runs.label["relu", 0] == "ReLU"


def test_arms_with_seeds_of_their_own_are_paired_by_the_plans(results: Path) -> None:
    """Their own seed has a column of its own."""
    plan, store = of_errors(HELPS), Store(results)
    plan = shifted(plan, "without", 100)
    store.write_plan(plan)
    for arm, seed in itertools.product(plan.choices, (0, 1)):
        store.add(record_of(plan.run(arm, seed), RELU))

    runs = runs_frame(results)

    assert list(zip(runs.arm, runs.seed, runs.own_seed, strict=True)) == [
        ("with", 0, 0), ("with", 1, 1), ("without", 0, 100), ("without", 1, 101),
    ]  # fmt: skip


def shifted(plan: Plan, arm: str, start: int) -> Plan:
    """Return a plan that adds a number to the seeds of an arm."""
    definition = plan.definition.model_copy(update={"seeds_from": {arm: start}})
    return plan.model_copy(update={"definition": definition})


def test_several_folders_are_one_table(tmp_path: Path) -> None:
    """Each run once, whoever trained it; a store does as well as a path."""
    plan = chosen(plan_of(seeds=3))
    for seed in range(3):
        store = Store(tmp_path / str(seed))
        store.write_plan(plan)
        store.add(record_of(plan.run("relu", seed), RELU))
        store.add(record_of(plan.run("relu", 0), RELU))
    folders = [tmp_path / str(seed) for seed in range(3)]

    with pytest.warns(UserWarning, match="1 run in more than one folder"):
        together = runs_frame(folders)

    assert list(together.seed) == [0, 1, 2]
    pd.testing.assert_frame_equal(runs_frame(str(folders[0])), runs_frame(Store(folders[0])))
    assert len(curves_frame(folders[0])) == 4


def test_a_damaged_record_is_named_and_absent(results: Path) -> None:
    """Not silently: whoever counts rows has to know."""
    plan, store = filled(results, 1, tanh=TANH, relu=RELU)
    path = store.folder(plan.run("tanh", 0)) / "record.json"
    path.write_text(path.read_text()[:-9])

    with pytest.warns(UserWarning, match="treated as absent") as seen:
        runs = runs_frame(results)

    assert list(runs.arm) == ["relu"]
    assert str(path) in str(seen[0].message)
    assert seen[0].filename == __file__


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("nowhere", r"no study has been run in nowhere; run_study\('relu_vs_tanh'\) runs one"),
        ([EVIDENCE, "nowhere"], "no study has been run in nowhere; "),
        ([], "no results folder was named"),
    ],
)
def test_a_folder_without_studies_is_refused(given: object, message: str) -> None:
    """A misspelt name is no empty table."""
    for frame in (runs_frame, curves_frame):
        with pytest.raises(StoreError, match=message):
            frame(given)  # type: ignore[operator]


def test_they_are_read_without_pytorch_and_without_matplotlib() -> None:
    """In a second, in any notebook."""
    code = (
        "import sys\nfrom reports import runs_frame\n"
        "print([name for name in ('torch', 'matplotlib') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout == "[]\n"


def test_the_pages_lines_for_tables_run() -> None:
    """And come to the errors that the shipped page has of each arm."""
    page = (Path(__file__).parents[2] / "docs" / "python.md").read_text()
    (lines,) = [code for code in re.findall(r"```py\n(.*?)```", page, re.DOTALL)
                if "runs_frame" in code]  # fmt: skip
    names: dict[str, pd.DataFrame] = {}

    exec(lines, names)  # type: ignore[arg-type]

    assert f"{names['errors']['mean']['cifar10', 'as it is']:.4f}" == "0.3142"
    assert len(names["losses"]) > 10_000
