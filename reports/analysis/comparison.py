"""From a plan and its records to rows, effects and verdicts."""

import math
from collections.abc import Sequence

import numpy as np

from ablations.metrics import (
    EnsembleError,
    Metric,
    Outcome,
    TimeTo,
    observe,
)
from ablations.plan import Plan
from ablations.record import Record
from ablations.study import ALPHA, Contrast, Setting
from ablations.tuning import held_out
from alexnet.config import Frozen
from alexnet.learning_curve import running_curve, time_to
from reports.analysis import power, statistics
from reports.analysis.caveats import (
    ArmRow,
    caveats_of_arms,
    elsewhere,
    made_by,
    since,
    unmeasured,
)
from reports.analysis.comparable import Records, diverged_together
from reports.analysis.effect import UNDECIDED, AtThreshold, Bound, Effect, Verdict, verdict
from reports.analysis.foreknowledge import Seen, known_before, older_runs
from reports.analysis.outcomes import activity_of, compared_records, mean_of, outcomes_of
from reports.analysis.preconditions import (
    rate_left_open,
    rate_step,
    uncontrolled,
    unmet,
)
from reports.analysis.weighed import weighed_effect


class Comparison(Frozen):
    """Everything that a study on a dataset has to say so far.

    What tells of machines and dates is in the last three fields and in ``Effect.seconds_ratio``
    alone: all else is the same for equal runs, except that the verdict is ``exploratory`` where
    runs are older than the plan, and ``Effect.known_before`` says how many.
    """

    study: str
    dataset: str
    setting: Setting
    smoke: bool
    judged: bool  # False: a demonstration, shown without a verdict
    done: int  # comparison runs with a record
    planned: int
    rows: tuple[ArmRow, ...]
    effects: tuple[Effect, ...]
    caveats: tuple[str, ...]
    older: tuple[str, ...]  # runs that the plan may have been made knowing
    made_by: tuple[str, ...]  # torch and processor of the records, with how many
    since: tuple[str, ...]  # what has changed since the plan was registered

    @property
    def has_verdicts(self) -> bool:
        """Whether all runs that verdicts need are there, whatever else is missing."""
        return any(effect.verdict not in UNDECIDED for effect in self.effects)


def compare(
    plan: Plan, records: Records, seeds: Sequence[int], seen: Seen = frozenset()
) -> Comparison:
    """Return the comparison of a plan's arms.

    Args:
        plan: What was asked.
        records: What there is of each arm, by seed.
        seeds: Over which it is; there may be none of some.
        seen: What was known of the same images when the plan was registered.
    """
    definition = plan.definition
    rows = tuple(_row(plan, arm, found) for arm, found in records.items())
    effects = _judged(plan, records, len(seeds), seen)
    everything = [record for found in records.values() for record in found.values()]
    return Comparison(
        study=definition.study,
        dataset=definition.dataset.name,
        setting=plan.setting,
        smoke=definition.smoke,
        judged=definition.judged,
        done=len(everything),
        planned=len(seeds) * len(definition.arms),
        rows=rows,
        effects=effects,
        caveats=(
            *caveats_of_arms(plan, rows),
            *elsewhere(plan, effects),
            *unmeasured(plan, everything),
        ),
        older=known_before(plan, everything, seen),
        made_by=made_by(everything),
        since=since(plan, everything),
    )


def _judged(plan: Plan, records: Records, planned: int, seen: Seen) -> tuple[Effect, ...]:
    definition = plan.definition
    effects = [_effect(plan, contrast, records, planned, seen) for contrast in plan.contrasts]
    tested = [effect.contrast.judged and definition.judged for effect in effects]
    # The correction is for all judged contrasts, so none is judged before all are there. What is
    # only shown is in no test.
    complete = all(e.is_complete for e, t in zip(effects, tested, strict=True) if t) and all(
        len(records[arm]) == planned for arm in definition.judged_arms
    )
    count = sum(tested)
    numbers = sum(
        is_tested and effect.contrast.paper is not None and effect.predicted != "equal"
        for effect, is_tested in zip(effects, tested, strict=True)
    )
    judged = []
    for effect, is_tested in zip(effects, tested, strict=True):
        if is_tested:
            effect = effect.model_copy(
                update={
                    "p_adjusted": _times(effect.p, count),
                    "equivalence_p_adjusted": _times(effect.equivalence_p, count),
                    **_prediction(effect, ALPHA / max(1, numbers)),
                }
            )
        word = verdict(effect, plan.setting, complete)
        if definition.smoke or not is_tested:
            word = _unjudged(effect, definition.smoke)
        judged.append(effect.model_copy(update={"verdict": word}))
    return tuple(judged)


def _times(p: float | None, count: int) -> float | None:
    """Return a p-value corrected for so many contrasts.

    A contrast has two nulls, no difference and at least the margin, of which one at most is true:
    so all words of a study together, of either test, are wrong in at most 5 % of studies.
    """
    return None if p is None else min(1.0, count * p)


def _prediction(effect: Effect, alpha: float) -> dict[str, float]:
    """Return where one more pair would lie, as fields of an effect."""
    if not effect.by_seed:
        return {}
    ratio = effect.metric.is_ratio
    limits = statistics.prediction_limits(
        np.log(effect.by_seed) if ratio else effect.by_seed, alpha
    )
    if limits is None:
        return {}
    low, high = (math.exp(limit) if ratio else limit for limit in limits)
    return {"prediction_low": low, "prediction_high": high}


def _unjudged(effect: Effect, smoke: bool) -> Verdict:
    """Return the word for what is shown without being judged."""
    if not effect.pairs:
        return "not run"
    return "incomplete" if smoke or not effect.is_complete else "shown"


def _row(plan: Plan, arm: str, records: dict[int, Record]) -> ArmRow:
    metric = plan.definition.metric
    outcomes = [found for record in records.values() if (found := observe(record, metric))]
    choice = plan.choices.get(arm)
    return ArmRow(
        arm=arm,
        rate=choice.rate if choice else None,
        at_edge=bool(choice and choice.edge),
        seeds=tuple(records),
        reached=sum(not outcome.bound for outcome in outcomes),
        diverged=sum(record.status == "diverged" for record in records.values()),
        mean=mean_of([outcome.value for outcome in outcomes], metric) if outcomes else None,
        is_bound=any(outcome.bound for outcome in outcomes),
    )


def _effect(plan: Plan, contrast: Contrast, records: Records, planned: int, seen: Seen) -> Effect:
    metric = contrast.metric or plan.definition.metric
    if contrast.weights is not None:
        return weighed_effect(plan, contrast, metric, records, planned, seen)
    ratio = metric.is_ratio
    sides = _sides(plan, contrast, metric, records)
    units = [unit for unit in sides[0] if all(unit in side for side in sides)]
    if isinstance(metric, EnsembleError):
        planned //= metric.group  # a second look may have made more groups
        units = units[:planned]
    if not units:
        return Effect(contrast=contrast, metric=metric, pairs=0, planned=planned)
    here, there, *others = ([side[unit] for unit in units] for side in sides)
    x, y, *rest = (np.array([o.value for o in found]) for found in (here, there, *others))
    differences = np.log(y / x) if ratio else x - y
    if rest:
        differences = differences - (rest[0] - rest[1])
    interval = (
        statistics.ratio_interval(y, x) if ratio else statistics.student_interval(differences)
    )
    bound = _bound(here, there) if ratio else "none"
    margin = contrast.margin_for(metric)
    at_thresholds: tuple[AtThreshold, ...] = ()
    if isinstance(metric, TimeTo):
        arm, against = (
            [records[name][unit] for unit in units] for name in (contrast.arm, contrast.against)
        )
        at_thresholds = speed_ups(arm, against, plan.about.thresholds)
    return Effect(
        contrast=contrast,
        metric=metric,
        pairs=len(units),
        planned=planned,
        mean=mean_of([float(value) for value in x], metric),
        mean_against=mean_of([float(value) for value in y], metric),
        seeds=tuple(units),
        by_seed=tuple(float(d) for d in (np.exp(differences) if ratio else differences)),
        estimate=interval.mean,
        low=interval.low,
        high=interval.high,
        bound=bound,
        p=statistics.sign_flip_p(differences, np.random.default_rng(0)),
        equivalence_p=statistics.equivalence_p(differences, math.log(margin) if ratio else margin)
        if bound == "none" and not diverged_together(contrast, records)[0]
        else None,
        pair_correlation=None if _is_independent(plan, contrast) else statistics.correlation(x, y),
        unmet=uncontrolled(plan, contrast) or unmet(contrast, metric, records),
        rate_left_open=rate_left_open(plan, contrast, metric, interval.mean),
        rate_step=rate_step(plan, contrast),
        norm_activity=activity_of(contrast, records),
        known_before=older_runs(plan, compared_records(contrast, metric, records), seen),
        at_thresholds=at_thresholds,
        seconds_ratio=_seconds_ratio(plan, contrast, interval.mean)
        if ratio and bound == "none"
        else None,
        **(_planning(plan, contrast, metric, differences, planned) if bound == "none" else {}),
    )


def _is_independent(plan: Plan, contrast: Contrast) -> bool:
    """Return whether the two arms have other seeds, so that pairs share nothing."""
    starts = plan.definition.seeds_from
    return starts.get(contrast.arm, 0) != starts.get(contrast.against, 0)


def _sides(
    plan: Plan, contrast: Contrast, metric: Metric, records: Records
) -> list[dict[int, Outcome]]:
    """Return what is compared, by seed or group: an arm, the other, and a pair to take off."""
    if contrast.number is not None:
        seen = outcomes_of(plan, contrast.arm, metric, records)
        return [seen, dict.fromkeys(seen, Outcome(contrast.number))]
    sides = [
        (contrast.arm, metric),
        (contrast.against, contrast.against_metric or metric),
        *((arm, metric) for arm in contrast.minus or ()),
    ]
    return [outcomes_of(plan, arm, by, records) for arm, by in sides]


def _planning(
    plan: Plan, contrast: Contrast, metric: Metric, differences: np.ndarray, planned: int
) -> dict[str, float | int | None]:
    """Return what the planned seeds could show, by the spread seen here.

    Of the tests that decide: the exact one and that of equivalence, each corrected for the number
    of judged contrasts.
    """
    found: dict[str, float | int | None] = {}
    to_scale, back = (math.log, math.exp) if metric.is_ratio else (float, float)
    alpha = ALPHA / max(1, sum(c.judged for c in plan.definition.contrasts))
    fewest = power.fewest_pairs(alpha)
    if len(differences) < 2:
        return found
    deviation = float(differences.std(ddof=1))
    if planned >= fewest:
        found["detectable"] = back(power.detectable_effect(deviation, planned, alpha))
        found["decidable_margin"] = back(power.decidable_margin(deviation, planned, alpha))
    looked_for = {"seeds_for_margin": contrast.margin_for(metric)}
    if contrast.paper is not None:
        looked_for["seeds_for_paper"] = contrast.paper
    for name, effect in looked_for.items():
        if to_scale(effect) != 0:
            found[name] = power.seeds_needed(deviation, to_scale(effect), alpha)
    return found


def tuning_spread(plan: Plan, contrast: Contrast) -> float | None:
    """Return the standard deviation of paired differences between the chosen tuning runs.

    On the scale of the test, logarithms for times; of ``valid`` where the contrast is of ``test``.
    None for anything but two arms that each chose a rate by what is compared, while rates are
    being chosen, and where a tuning run never got there.
    """
    definition = plan.definition
    if {contrast.arm, contrast.against} & definition.tuned_as.keys() or not contrast.is_simple:
        return None
    if (
        contrast.metric not in (None, definition.metric)
        or definition.metric.kind != held_out(definition.metric).kind
    ):
        return None
    values = []
    for arm in (contrast.arm, contrast.against):
        trial = plan.choices[arm].chosen if arm in plan.choices else None
        if trial is None or not trial.reached or len(trial.outcomes) < 2:
            return None
        values.append(
            np.log(trial.outcomes) if definition.metric.is_ratio else np.array(trial.outcomes)
        )
    return float((values[0] - values[1]).std(ddof=1))


def _bound(here: Sequence[Outcome], there: Sequence[Outcome]) -> Bound:
    """Say whether a speed-up is only a bound: the other arm never got there, or this one."""
    arm_late, against_late = (any(o.bound for o in outcomes) for outcomes in (here, there))
    if arm_late and against_late:
        return "both"
    if against_late:
        return "lower"
    return "upper" if arm_late else "none"


def speed_ups(
    arm: Sequence[Record], against: Sequence[Record], thresholds: Sequence[float]
) -> tuple[AtThreshold, ...]:
    """Return the speed-up of paired runs at each threshold that all of them crossed."""
    curves = [[running_curve(r.curve) for r in records] for records in (arm, against)]
    found = []
    for error in thresholds:
        times = [[time_to(error, curve) for curve in side] for side in curves]
        if any(time is None for side in times for time in side):
            continue
        if any(curve.errors[0] < error for side in curves for curve in side):
            continue  # below it from the start: no time was measured
        x, y = (np.array(side, dtype=float) for side in times)
        speed_up = statistics.ratio_interval(y, x)
        found.append(
            AtThreshold(
                training_error=error,
                estimate=speed_up.mean,
                low=speed_up.low,
                high=speed_up.high,
                pairs=len(x),
            )
        )
    return tuple(found)


def _seconds_ratio(plan: Plan, contrast: Contrast, estimate: float) -> float | None:
    timings = plan.timings
    if contrast.arm not in timings or contrast.against not in timings:
        return None
    step = timings[contrast.against].seconds_per_step / timings[contrast.arm].seconds_per_step
    return estimate * step
