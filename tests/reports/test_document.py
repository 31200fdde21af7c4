"""A report as data: the same for equal runs, with a digest that anyone can compute."""

import hashlib
import itertools
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from ablations.plan import SecondLook, Timing
from ablations.record import Seconds
from ablations.store import Store
from ablations.tuning import Pending
from reports.page.document import ReportError, read, to_json
from reports.page.report import gather, write_report
from tests.builders.plans import filled
from tests.builders.records import FINGERPRINT, PROVENANCE, record_of


def made(results: Path) -> dict[str, Any]:
    """Return the report on a made-up folder in which ReLU was twice as fast, thrice."""
    filled(results, 3, tanh=[0.6, 0.3, 0.1], relu=[0.4, 0.0])
    return gather(Store(results)).document


def made_elsewhere(results: Path) -> dict[str, Any]:
    """Return the report on the same runs by another machine, later, slower, and interrupted."""
    plan, store = filled(results, 3, tanh=[0.6, 0.3, 0.1], relu=[0.4, 0.0])
    registered = PROVENANCE.but(
        at=datetime(2027, 5, 6, tzinfo=UTC), commit="def", clean=False,
        command="invoke ablate --study relu_vs_tanh --workers 7", versions={"torch": "3.0.0"},
    )  # fmt: skip
    machine = FINGERPRINT.but(processor="slide rule", capability="ivory", torch="3.0.0")
    timings = {"relu": Timing(seconds_per_step=2.0, batch=8, fingerprint=machine)}
    plan = plan.model_copy(update={"registered": registered, "timings": timings})
    store.plan_path("relu_vs_tanh", "fashion_mini", smoke=False).write_text(plan.to_json())
    for record in store.records():
        slower = [epoch.model_copy(update={"seconds": 9.0}) for epoch in record.curve]
        other = {
            "curve": tuple(slower), "seconds": Seconds(training=99.0, evaluation=9.0),
            "interruptions": 3, "fingerprint": machine, "provenance": registered,
        }  # fmt: skip
        store.add(record.model_copy(update=other))
    return gather(Store(results)).document


def test_equal_runs_give_one_report_wherever_and_whenever_they_were_made(tmp_path: Path) -> None:
    """Dates, commits, commands, machines, releases and seconds are under ``measured`` alone."""
    here, there = made(tmp_path / "here"), made_elsewhere(tmp_path / "there")
    seconds = [content["measured"].pop("studies") for content in (here, there)]

    assert here.pop("measured") != there.pop("measured")
    assert here == there
    assert [of["relu_vs_tanh@fashion_mini"]["seconds"] for of in seconds] == [6.6, 648.0]


def test_every_run_behind_a_number_is_named(results: Path) -> None:
    """Those compared, those that chose a rate, and those of a seed added later, by their ids."""
    plan, store = filled(results, 3, tanh=[0.6, 0.3, 0.1], relu=[0.4, 0.0])
    while isinstance(choice := plan.tuned("relu", store.find), Pending):
        for run in choice.runs:
            store.add(record_of(run, [0.5] * run.config.training.epochs))
    plan = plan.model_copy(update={"choices": {**plan.choices, "relu": choice}})
    for arm, seed in itertools.product(plan.choices, (0, 1, 2, 7)):
        store.add(record_of(plan.run(arm, seed), [0.4, 0.0]))
    look = SecondLook(at=datetime(2026, 3, 4, tzinfo=UTC), seeds=(7,))
    plan = plan.model_copy(update={"second_looks": (look,)})
    store.plan_path("relu_vs_tanh", "fashion_mini", smoke=False).write_text(plan.to_json())
    tuning = [record.run for record in store.records() if not record.run.sees_test]
    later = [plan.run(arm, 7) for arm in plan.choices]

    page, data, *_ = write_report(Store(results), results / "report")

    assert len(tuning) == 2 * len(plan.definition.rates)
    for run in (*tuning, *later, plan.run("relu", 0), plan.run("tanh", 2)):
        assert run.short in page.read_text(), run.seed
        assert run.short in data.read_text(), run.seed
    study = read(data)["studies"]["relu_vs_tanh@fashion_mini"]
    assert [run["seed"] for run in study["runs"]["relu"]] == [0, 1, 2]
    assert [run["id"] for run in study["later_runs"]["tanh"]] == [later[0].short]


def test_another_outcome_is_another_digest(tmp_path: Path) -> None:
    """One error in a thousand, in one epoch of every tanh."""
    filled(tmp_path / "there", 3, tanh=[0.6, 0.3, 0.11], relu=[0.4, 0.0])

    there = gather(Store(tmp_path / "there")).document

    assert made(tmp_path / "here")["digest"] != there["digest"]


def test_the_digest_is_of_sorted_json_without_spaces(tmp_path: Path) -> None:
    """SHA-256 of the file's content, computed here, but for the digest itself and what's measured.

    Every comma and colon that JSON puts between values is without a space.
    """
    path = tmp_path / "report.json"
    path.write_text(to_json(made(tmp_path / "results")))
    content = json.loads(path.read_text())
    apart_from = ("digest", "measured", "sha256")
    apart = {key: content[key] for key in sorted(content) if key not in apart_from}
    text = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode(apart)

    assert content["digest"] == hashlib.sha256(text.encode("ascii")).hexdigest()
    del content["sha256"]
    assert read(path) == content


def changed(content: dict[str, Any]) -> str:
    """Return a report in which somebody has made the speed-up larger."""
    content["studies"]["relu_vs_tanh@fashion_mini"]["comparison"]["effects"][0]["estimate"] = 6.0
    return json.dumps(content)


def measured_otherwise(content: dict[str, Any]) -> str:
    """Return a report in which somebody has changed what clocks and machines say."""
    content["measured"]["provenance"]["made_by"] = ["another machine"]
    return json.dumps(content)


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (changed, "was edited after it was written"),
        (measured_otherwise, "was edited after it was written"),
        (lambda content: json.dumps(content | {"schema_version": 1}), "is of schema 1, not 4"),
        (lambda content: json.dumps(content | {"forest": float("nan")}), "is not a report"),
        (lambda content: json.dumps(content)[:-9], "is not a report"),
        (lambda _: '"studies"', "is not a report"),
        (lambda _: "{}", "is not a report"),
    ],
)
def test_what_is_no_report_is_refused_with_the_way_out(edit, message: str, tmp_path: Path) -> None:
    """Edited, of another schema, cut short, or something else altogether."""
    path = tmp_path / "report.json"
    path.write_text(edit(json.loads(to_json(made(tmp_path / "results")))))

    with pytest.raises(ReportError, match=message) as refused:
        read(path)

    assert str(path) in str(refused.value)


def test_two_writes_give_the_same_bytes(tmp_path: Path) -> None:
    """And the file says what the folder is gathered to."""
    content = made(tmp_path / "results")
    for out in ("one", "two"):
        write_report(Store(tmp_path / "results"), tmp_path / out)

    files = [(tmp_path / out / "report.json").read_bytes() for out in ("one", "two")]

    assert files[0] == files[1] == to_json(content).encode()
