"""The CSV files beside a report: numbers in full, for those who go on computing."""

import csv
import itertools
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from ablations.plan import Plan
from ablations.store import Store
from reports import runs_frame
from reports.evidence import EVIDENCE
from reports.findings.frames import every_run, runs_table
from reports.findings.sections import sections
from reports.page.report import write_report
from reports.page.tables import effects_table, write_csv, write_tables
from tests.builders.plans import HELPS, chosen, filled, of_errors, plan_of
from tests.builders.records import measures_of, record_of

PER_SEED = {"tanh": [[0.6, 0.3, 0.1], [0.6, 0.4, 0.1], [0.7, 0.3, 0.1]],
            "relu": [[0.4, 0.0], [0.5, 0.0], [0.3, 0.0]]}  # fmt: skip


def tables_of(results: Path) -> Path:
    """Return a folder with the tables of a results folder's studies."""
    store, out = Store(results), results / "tables"
    for section in sections(store):
        write_tables(section.plan, section.comparison, out, section.name)
    write_csv(runs_table(every_run(store)), out, "runs")
    write_csv(effects_table(sections(store)), out, "effects")
    return out


def rows(path: Path) -> list[dict[str, str]]:
    """Return the rows of a CSV file, as text."""
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def compared(results: Path) -> tuple[Plan, Store]:
    """Return a plan and a store of three seeds that differ."""
    plan, store = chosen(plan_of(seeds=3)), Store(results)
    for arm, several in PER_SEED.items():
        for seed, errors in enumerate(several):
            store.add(record_of(plan.run(arm, seed), errors))
    store.write_plan(plan)
    return plan, store


def test_runs_csv_is_the_frame(tmp_path: Path) -> None:
    """Read back with its types it is equal, to the last digit: of all studies that ship."""
    frame = runs_frame(EVIDENCE)
    types = {name: kind for name, kind in frame.dtypes.items() if name != "finished_at"}

    back = pd.read_csv(write_csv(frame, tmp_path, "runs"), dtype=types)
    back["finished_at"] = pd.to_datetime(back.finished_at, format="ISO8601")

    pd.testing.assert_frame_equal(
        back.astype({"finished_at": frame.dtypes["finished_at"]}), frame, check_exact=True
    )


def test_the_report_writes_it_of_what_was_asked_for(results: Path) -> None:
    """All runs of a folder, or one study's, as the report has its section alone."""
    compared(results)
    plan, store = of_errors(HELPS), Store(results)
    store.write_plan(plan)
    store.add(record_of(plan.run("with", 0), [0.4], measures=measures_of(0.1, 0.2, 0.3)))

    for study in (None, "norm"):
        write_report(Store(results), results / "report", study)
        frame = runs_frame(results)
        expected = frame if study is None else frame[frame.study == study]
        wanted = write_csv(expected, results, "wanted").read_bytes()
        assert (results / "report" / "tables" / "runs.csv").read_bytes() == wanted
        effects = rows(results / "report" / "tables" / "effects.csv")
        assert {row["study"] for row in effects} == set(expected.study)
        assert len(expected) == (7 if study is None else 1)


def test_the_numbers_of_a_contrast_are_those_of_a_textbook(results: Path) -> None:
    """Geometric mean ratio with Student's interval on logarithms, from the table of runs."""
    plan, _ = compared(results)
    folder = tables_of(results)
    wide = pd.read_csv(folder / "runs.csv").pivot(index="seed", columns="arm", values="value")
    logs = np.log(wide.tanh / wide.relu)
    low, high = stats.t.interval(0.95, 2, logs.mean(), stats.sem(logs))

    (contrast,) = rows(folder / f"{plan.name}.contrasts.csv")
    (effect,) = rows(folder / "effects.csv")
    arms = {row["arm"]: row for row in rows(folder / f"{plan.name}.csv")}

    for row in (contrast, effect, arms["relu"]):
        assert float(row["estimate"]) == pytest.approx(np.exp(logs.mean()), rel=1e-12)
        assert float(row["low"]) == pytest.approx(np.exp(low), rel=1e-12)
        assert float(row["high"]) == pytest.approx(np.exp(high), rel=1e-12)
        assert (row["unit"], row["n"], row["p"]) == ("times", "3", "0.25")
    assert contrast["effect"] == f"{float(contrast['estimate']):.2f} times"
    assert effect["verdict"] == contrast["verdict"]
    assert (effect["paper"], effect["claim"], effect["setting"]) == ("6.0", "C09", "stand-in")
    assert float(arms["tanh"]["mean"]) == pytest.approx(stats.gmean(wide.tanh), rel=1e-12)
    assert (arms["tanh"]["mean_unit"], arms["tanh"]["estimate"], arms["tanh"]["n"]) == (
        "epochs", "", "",
    )  # fmt: skip


def test_errors_are_fractions_where_people_read_points(results: Path) -> None:
    """A percent less is 0.01 less."""
    plan, store = of_errors(HELPS), Store(results)
    store.write_plan(plan)
    tests = {"with": [0.30, 0.31, 0.29], "without": [0.32, 0.32, 0.32]}
    for arm, seed in itertools.product(tests, range(3)):
        measures = measures_of(0.1, 0.2, tests[arm][seed])
        store.add(record_of(plan.run(arm, seed), [0.4], measures=measures))

    (row,) = rows(tables_of(results) / f"{plan.name}.contrasts.csv")

    assert float(row["estimate"]) == pytest.approx(-0.02)
    assert (row["unit"], row["effect"], row["n"]) == ("fraction", "-2.00 points", "3")


@pytest.mark.parametrize(
    ("tanh", "relu", "known"),
    [
        ([0.9, 0.9], [0.4, 0.0], "low"),
        ([0.4, 0.0], [0.9, 0.9], "high"),
        ([0.9, 0.9], [0.9, 0.9], ""),
    ],
)
def test_of_a_bound_only_the_end_that_holds_is_a_number(
    tanh: list[float], relu: list[float], known: str, results: Path
) -> None:
    """An arm that never gets there leaves no estimate, and words and numbers agree."""
    plan, _ = filled(results, 3, tanh=tanh, relu=relu)

    (row,) = rows(tables_of(results) / f"{plan.name}.contrasts.csv")

    assert row["estimate"] == ""
    assert {end for end in ("low", "high") if row[end]} == ({known} if known else set())
    if known:
        said = {"low": r"at least ([\d.]+) times", "high": r"at most ([\d.]+) times"}[known]
        (end,) = re.fullmatch(said, row["effect"]).groups()
        assert float(row[known]) == pytest.approx(float(end), abs=0.005)


def test_the_table_of_effects_has_every_contrast() -> None:
    """Of all studies that ship: what `report.json` says of each, in the order of its studies."""
    found = sections(Store(EVIDENCE))
    table = effects_table(found)
    effects = [effect for section in found for effect in section.comparison.effects]

    assert len(table) == len(effects) > 40
    assert list(table.verdict) == [effect.verdict for effect in effects]
    for row, effect in zip(table.itertuples(), effects, strict=True):
        assert (row.p, row.p_corrected, row.n) == (effect.p, effect.p_adjusted, effect.pairs)
        if effect.bound == "none":
            assert (row.estimate, row.low, row.high) == (effect.estimate, effect.low, effect.high)


def test_numbers_are_no_part_of_what_is_read(results: Path) -> None:
    """Markdown and LaTeX keep their columns."""
    plan, _ = compared(results)
    folder = tables_of(results)

    head = (folder / f"{plan.name}.contrasts.md").read_text().splitlines()[0]
    assert "estimate" not in head
    assert "p\\_corrected" not in (folder / f"{plan.name}.contrasts.tex").read_text()
    assert "p_corrected" in (folder / f"{plan.name}.contrasts.csv").read_text()


def test_no_cell_of_runs_is_a_formula(results: Path) -> None:
    """An arm may be called anything; a spreadsheet does not compute it."""
    plan, _ = compared(results)
    odd = plan.model_copy(update={"about": plan.about.but(labels={"relu": "=1+1"})})
    (results / "plans" / f"{plan.name}.json").write_text(odd.to_json())

    text = (tables_of(results) / "runs.csv").read_text()

    assert ",'=1+1," in text
    assert ",=1+1," not in text
