"""A finished run as trackers know runs: names, parameters, curves by step, final numbers."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from ablations.run import SHORT
from alexnet.config import Frozen
from alexnet.config.base import canonical
from reports.findings.frames import StudyRun, by_epoch, measured, observed

ID = 16
"""Digits of an id; of all runs of a folder no two have the same."""


class Step(Frozen):
    """What was counted in one epoch."""

    epoch: int  # 1, 2, ...
    at: datetime  # when it was over, as far as the seconds of training say
    values: dict[str, float]  # fractions, nats


class ExportedRun(Frozen):
    """A run of one arm of one study; one that several studies share is exported for each."""

    id: str  # the same in every export
    group: str  # study@dataset
    name: str  # within its group
    arm: str
    place: str  # within its arm: seed, and the rate where it chooses one
    tags: dict[str, str]
    params: dict[str, str | int | float | bool]  # the config, flattened
    curve: tuple[Step, ...]
    final: dict[str, float]  # after the last epoch: fractions, nats, epochs
    started: datetime
    finished: datetime

    @cached_property
    def digest(self) -> str:
        """The first digits of the SHA-256 of all that it holds."""
        return hashlib.sha256(canonical(self.model_dump(mode="json")).encode()).hexdigest()[:SHORT]


def exported_runs(runs: Iterable[StudyRun]) -> list[ExportedRun]:
    """Return runs as trackers know them, in the same order."""
    return [_exported(run) for run in runs]


def _exported(run: StudyRun) -> ExportedRun:
    record, own = run.record, run.record.run
    rate = f"{own.config.training.optimizer.rate:g}"
    seconds = record.seconds.training + record.seconds.evaluation
    started = record.provenance.at - timedelta(seconds=seconds)
    where = f"seed {run.seed}" if run.phase == "comparison" else f"rate {rate}, seed {run.seed}"
    identity = canonical([run.plan.name, run.arm, run.phase, own.id])
    return ExportedRun(
        id=hashlib.sha256(identity.encode()).hexdigest()[:ID],
        group=run.plan.name,
        name=f"{run.plan.label(run.arm)}, {where}",
        arm=run.arm,
        place=where,
        tags={
            "study": run.plan.definition.study,
            "dataset": run.plan.definition.dataset.name,
            "setting": run.plan.setting,
            "arm": run.arm,
            "label": run.plan.label(run.arm),
            "phase": run.phase,
            "planned": str(run.planned).lower(),
            "smoke": str(run.plan.definition.smoke).lower(),
            "seed": str(run.seed),
            "run_id": own.short,
            "status": record.status,
            "precision": own.precision,
            "hardware": record.fingerprint.hardware,
            "torch": record.fingerprint.torch,
        },
        params={"seed": own.seed, **flattened(own.config.model_dump(mode="json"))},
        curve=_steps(run, started),
        final=_final(run),
        started=started,
        finished=record.provenance.at,
    )


def _steps(run: StudyRun, started: datetime) -> tuple[Step, ...]:
    values: dict[int, dict[str, float]] = {}
    for number, metric, value in by_epoch(run.record):
        values.setdefault(int(number), {})[metric] = value
    steps, passed = [], 0.0
    for epoch in run.record.curve:
        passed += epoch.seconds
        at = started + timedelta(seconds=passed)
        steps.append(Step(epoch=epoch.number, at=at, values=values[epoch.number]))
    return tuple(steps)


def _final(run: StudyRun) -> dict[str, float]:
    """Return what was measured after the last epoch, and what the study compares, if known.

    A value that stands for something worse than was seen is left out: no tracker can mark it.
    """
    found = {name: value for name, value in measured(run.record).items() if value is not None}
    seen = observed(run)
    if seen is not None and not seen.bound:
        found["compared"] = seen.value
    return found


def flattened(content: Mapping[str, Any], within: str = "") -> dict[str, str | int | float | bool]:
    """Return nested data as one level, names joined by dots; layers by their own names.

    >>> flattened({"a": {"b": 1, "c": None}, "stages": [{"name": "conv1", "size": 3}], "d": [1, 2]})
    {'a.b': 1, 'a.c': 'none', 'stages.conv1.size': 3, 'd': '1, 2'}
    """
    found: dict[str, str | int | float | bool] = {}
    for name, value in content.items():
        whole = f"{within}{name}"
        match value:
            case None | [] | {} if not value:
                found[whole] = "none"
            case dict():
                found |= flattened(value, f"{whole}.")
            case [dict(), *_]:
                found |= flattened(_by_name(value), f"{whole}.")
            case list():
                found[whole] = ", ".join(map(str, value))
            case _:
                found[whole] = value
    return found


def _by_name(layers: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return values that have names by these, and others by their place."""
    return {
        str(layer.get("name", number)): {k: v for k, v in layer.items() if k != "name"}
        for number, layer in enumerate(layers)
    }
