"""The effect of a contrast of many arms at once, as a factorial design has them."""

import numpy as np

from ablations.contrast import Contrast
from ablations.metrics import Metric
from ablations.plan import Plan
from ablations.study import ALPHA
from reports.analysis import power
from reports.analysis.comparable import Records
from reports.analysis.effect import Effect
from reports.analysis.foreknowledge import Seen, older_runs
from reports.analysis.outcomes import activity_of, compared_records, outcomes_of
from reports.analysis.preconditions import rate_step, unmet
from reports.analysis.statistics import linear_contrast


def weighed_effect(
    plan: Plan, contrast: Contrast, metric: Metric, records: Records, planned: int, seen: Seen
) -> Effect:
    """Return the weighted sum of arms, from the seeds that all of them have been run with.

    Tested by the spread of all these runs together; with one seed there is none.
    """
    weights = contrast.weights or {}
    values = {arm: outcomes_of(plan, arm, metric, records) for arm in weights}
    seeds = [seed for seed in values[contrast.arm] if all(seed in of for of in values.values())]
    if not seeds:
        return Effect(contrast=contrast, metric=metric, pairs=0, planned=planned)
    table = np.array([[values[arm][seed].value for arm in weights] for seed in seeds])
    w = np.array(list(weights.values()))
    sides = [float(table.mean(axis=0) @ side / side.sum()) for side in (w.clip(0), (-w).clip(0))]
    effect = Effect(
        contrast=contrast,
        metric=metric,
        pairs=len(seeds),
        planned=planned,
        mean=sides[0],
        mean_against=sides[1],
        seeds=tuple(seeds),
        by_seed=tuple(float(value) for value in table @ w),
        estimate=float(table.mean(axis=0) @ w),
        unmet=unmet(contrast, metric, records),
        rate_step=rate_step(plan, contrast),
        norm_activity=activity_of(contrast, records),
        known_before=older_runs(plan, compared_records(contrast, metric, records), seen),
    )
    if len(seeds) < 2:
        return effect
    found = linear_contrast(table, w)
    interval = found.interval()
    tests = ALPHA / max(1, sum(other.judged for other in plan.definition.contrasts))
    # With all planned seeds, by the spread seen here: errors shrink by the root of their number.
    error = found.error * np.sqrt(len(seeds) / planned)
    freedom = (planned - 1) * (len(weights) - 1)
    return effect.model_copy(
        update={
            "low": interval.low,
            "high": interval.high,
            "p": found.p(),
            "freedom": found.freedom,
            "equivalence_p": found.equivalence_p(contrast.margin_for(metric)),
            "detectable": float(error * power.detectable_errors(freedom, tests)),
            "decidable_margin": float(error * power.decidable_errors(freedom, tests)),
        }
    )
