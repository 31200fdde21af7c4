"""What the runs of a contrast came to: values by seed, and the records that they are from."""

from collections.abc import Sequence

import numpy as np

from ablations.contrast import Contrast, NormActive
from ablations.metrics import EnsembleError, Metric, Outcome, TimeToValid, observe
from ablations.plan import Plan
from ablations.record import Record
from reports.analysis.comparable import Records
from reports.analysis.preconditions import norm_activity


def outcomes_of(plan: Plan, arm: str, metric: Metric, records: Records) -> dict[int, Outcome]:
    """Return what each run of an arm came to, by its seed, or each group of an ensemble."""
    if isinstance(metric, EnsembleError):
        errors = plan.ensembles.get(arm, {}).get(metric.key, ())
        return {group: Outcome(error) for group, error in enumerate(errors)}
    others = [records[other] for other in metric.arms] if isinstance(metric, TimeToValid) else []
    return {
        seed: seen
        for seed, record in records[arm].items()
        if all(seed in other for other in others)
        and (seen := observe(record, metric, [other[seed] for other in others])) is not None
    }


def mean_of(values: Sequence[float], metric: Metric) -> float:
    """Return the mean of values, the geometric one of times."""
    if metric.is_ratio:
        return float(np.exp(np.log(values).mean()))
    return float(np.mean(values))


def compared_records(contrast: Contrast, metric: Metric, records: Records) -> list[Record]:
    """Return the records whose numbers a contrast compares, each once."""
    arms = list(contrast.compared_arms)
    if isinstance(metric, TimeToValid):
        arms += metric.arms
    found = [record for arm in dict.fromkeys(arms) for record in records.get(arm, {}).values()]
    return list({record.run.id: record for record in found}.values())


def activity_of(contrast: Contrast, records: Records) -> dict[str, float]:
    """Return how active the norms of the arm are whose activity the contrast presupposes."""
    arms = [needed.arm for needed in contrast.preconditions if isinstance(needed, NormActive)]
    of_arms = [record for arm in arms for record in records[arm].values()]
    return norm_activity(of_arms)
