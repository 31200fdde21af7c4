"""Runs and their curves as tidy tables of pandas, straight from plans and records.

Errors are fractions, times are epochs, losses are nats: nothing is rounded or put into words.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import pandas as pd

from ablations.metrics import EarlyLoss, Metric, Outcome, observe
from ablations.plan import Plan
from ablations.record import Record
from ablations.results import Results
from ablations.run import SHORT, Run
from ablations.tuning import held_out
from alexnet.learning_curve import running_curve
from alexnet.measures import Measure
from reports.findings.sections import Section
from reports.wording.formatting import metric_name

PARTS = ("train", "valid", "valid_ten", "test", "test_ten")
"""Of `Measures`: the images that an error is counted on; ``ten``: over ten views."""
NEIGHBOURS = ("hidden", "untrained", "pixels")
"""Of `alexnet.measures.Neighbours`: by which distance images are near."""
WHICH = {
    "study": "string",
    "dataset": "string",
    "smoke": "bool",
    "arm": "string",
    "label": "string",
    "phase": "string",
    "planned": "bool",
    "seed": "Int64",
    "own_seed": "Int64",
    "rate": "float64",
    "run_id": "string",
    "status": "string",
}
"""Columns that say which run a row is of, and their types; both tables begin with them."""
RUNS = {
    **WHICH,
    "epochs": "Int64",
    "epochs_given": "Int64",
    "metric": "string",
    "unit": "string",
    "value": "float64",
    "is_bound": "bool",
    **{f"{part}_{what}": "float64" for part in PARTS
       for what in ("error", "top5_error", "loss")},
    **{f"neighbours_{by}": "float64" for by in NEIGHBOURS},
    "setting": "string",
    "precision": "string",
    "hardware": "string",
    "torch": "string",
    "interruptions": "Int64",
    "training_seconds": "float64",
    "evaluation_seconds": "float64",
    "finished_at": "datetime64[us, UTC]",
}  # fmt: skip
CURVES = {**WHICH, "epoch": "float64", "metric": "string", "value": "float64"}


class StudyRun(NamedTuple):
    """A finished run, as a run of one arm of one study."""

    plan: Plan
    arm: str
    phase: str  # tuning or comparison
    seed: int  # of the plan: runs of one seed are pairs
    record: Record

    @property
    def metric(self) -> Metric:
        """What is read of it: what the study compares or, while tuning, chooses rates by."""
        metric = self.plan.definition.metric
        return metric if self.phase == "comparison" else held_out(metric)

    @property
    def planned(self) -> bool:
        """Whether its seed was registered; not if it was added later, as a second look."""
        return self.phase == "tuning" or self.seed in self.plan.definition.seeds


def every_run(results: Results, study: str | None = None) -> list[StudyRun]:
    """Return the finished runs of each plan in a results folder, or of one study, plan by plan."""
    records = {record.run.id: record for record in results.records()}
    plans = sorted(results.plans(), key=lambda plan: plan.name)
    asked_for = [plan for plan in plans if study in (None, plan.definition.study)]
    return [run for plan in asked_for for run in study_runs(plan, records)]


def runs_of(section: Section) -> list[StudyRun]:
    """Return the finished runs of one study on one dataset, as far as its section holds them."""
    compared = [*section.records.values(), *section.later_records.values()]
    records = {record.run.id: record for of_arm in compared for record in of_arm.values()}
    return list(study_runs(section.plan, records | section.tuning_records))


def study_runs(plan: Plan, records: Mapping[str, Record]) -> Iterator[StudyRun]:
    """Yield the finished runs of a plan, arm by arm as the plan names them.

    Of an arm first the comparison runs by seed, then those that chose its rate, from the largest
    rate down. A run that two arms share, as one that takes another's rate shares those that chose
    it, is yielded for each.

    Args:
        plan: Whose runs.
        records: By the whole ids of their runs.
    """
    for arm in plan.definition.arms:
        for seed in plan.seeds if arm in plan.choices else ():
            if record := records.get(plan.run(arm, seed).id):
                yield StudyRun(plan, arm, "comparison", seed, record)
        tuning = sorted(
            _tuning(plan, arm, records), key=lambda record: (_rate(record), record.run.seed)
        )
        for record in tuning:
            yield StudyRun(plan, arm, "tuning", record.run.seed, record)


def _rate(record: Record) -> float:
    return -record.run.config.training.optimizer.rate


def _tuning(plan: Plan, arm: str, records: Mapping[str, Record]) -> list[Record]:
    """Return the runs that chose an arm's rate or, if it is not chosen, all that are asked for."""
    if (choice := plan.choices.get(arm)) is not None:
        ids = [run for trial in choice.trials for run in trial.runs]
        return [records[run] for run in ids if run in records]
    seen: dict[str, Record] = {}

    def find(run: Run) -> Record | None:
        record = records.get(run.id)
        if record is not None:
            seen[run.id] = record
        return record

    plan.tuned(arm, find)
    return list(seen.values())


def runs_table(runs: Iterable[StudyRun]) -> pd.DataFrame:
    """Return a row for each run, `RUNS` being its columns."""
    return _frame([_which(run) | _of_run(run) for run in runs], RUNS)


def curves_table(runs: Iterable[StudyRun], tenths: bool = False) -> pd.DataFrame:
    """Return a row for each run, epoch and metric, `CURVES` being its columns.

    Args:
        runs: Whose curves.
        tenths: Instead, the running training error alone, at every tenth of an epoch: the curve
            that figures show and times are read from.
    """
    points = _by_tenths if tenths else by_epoch
    rows = [
        which | {"epoch": epoch, "metric": metric, "value": value}
        for run in runs
        for which in [_which(run)]
        for epoch, metric, value in points(run.record)
    ]
    return _frame(rows, CURVES)


def by_epoch(record: Record) -> Iterator[tuple[float, str, float]]:
    """Yield the number of each epoch with each thing that is known of it, by name: its value."""
    for epoch in record.curve:
        number = float(epoch.number)
        yield number, "training_error", epoch.error
        yield number, "training_loss", epoch.loss
        if epoch.valid_error is not None:
            yield number, "valid_error", epoch.valid_error


def _by_tenths(record: Record) -> Iterator[tuple[float, str, float]]:
    curve = running_curve(record.curve)
    for epoch, error in zip(curve.epochs, curve.errors, strict=True):
        yield float(epoch), "training_error", float(error)


def _which(run: StudyRun) -> dict[str, Any]:
    definition, own = run.plan.definition, run.record.run
    return {
        "study": definition.study,
        "dataset": definition.dataset.name,
        "smoke": definition.smoke,
        "arm": run.arm,
        "label": run.plan.label(run.arm),
        "phase": run.phase,
        "planned": run.planned,
        "seed": run.seed,
        "own_seed": own.seed,
        "rate": own.config.training.optimizer.rate,
        "run_id": own.id[:SHORT],
        "status": run.record.status,
    }


def _of_run(run: StudyRun) -> dict[str, Any]:
    record, metric = run.record, run.metric
    seen = observed(run)
    row: dict[str, Any] = {
        "epochs": len(record.curve),
        "epochs_given": record.run.config.training.epochs,
        "metric": metric_name(metric),
        "unit": unit_of(metric),
        "value": seen.value if seen else None,
        "is_bound": bool(seen and seen.bound),
        "setting": run.plan.setting,
        "precision": record.run.precision,
        "hardware": record.fingerprint.hardware,
        "torch": record.fingerprint.torch,
        "interruptions": record.interruptions,
        "training_seconds": record.seconds.training,
        "evaluation_seconds": record.seconds.evaluation,
        "finished_at": record.provenance.at,
    }
    return row | measured(record)


def observed(run: StudyRun) -> Outcome | None:
    """Return a run's value of the metric that is read of it; None if it was not measured."""
    return observe(run.record, run.metric)


def measured(record: Record) -> dict[str, float | None]:
    """Return what was measured after a run's last epoch, by column; None where it was not.

    Errors and shares are fractions, losses nats. A run that diverged has none; one that chooses a
    rate has none of test images.
    """
    found: dict[str, float | None] = {}
    for part in PARTS:
        one: Measure | None = getattr(record.measures, part, None)
        found[f"{part}_error"] = one.top1_error if one else None
        found[f"{part}_top5_error"] = one.top5_error if one else None
        found[f"{part}_loss"] = one.loss if one else None
    near = record.measures.neighbours if record.measures else None
    return found | {f"neighbours_{by}": getattr(near, by, None) for by in NEIGHBOURS}


def unit_of(metric: Metric) -> str:
    """Return the unit of one run's value of a metric."""
    if metric.is_ratio:
        return "epochs"
    return "nats" if isinstance(metric, EarlyLoss) else "fraction"


def _frame(rows: list[dict[str, Any]], columns: Mapping[str, str]) -> pd.DataFrame:
    """Return rows as a frame whose columns have their types, also where there is no row."""
    return pd.DataFrame(rows, columns=list(columns)).astype(dict(columns))
