"""From a plan and its records to rows, effects and verdicts."""

import math
from collections.abc import Sequence

import numpy as np

from ablations.metrics import Outcome, observe
from ablations.plan import Plan
from ablations.record import Record
from ablations.store import Store
from ablations.study import Contrast, Setting, TimeTo
from alexnet.config import Frozen
from alexnet.progress import running_curve, time_to
from reports import statistics
from reports.effect import AtThreshold, Bound, Effect, verdict


class ArmRow(Frozen):
    """One arm, over the seeds that have a record."""

    arm: str
    rate: float | None  # chosen by tuning; None while it goes on
    at_edge: bool
    seeds: tuple[int, ...]
    reached: int
    diverged: int
    mean: float | None  # geometric for times, arithmetic for errors
    is_bound: bool  # some seed never got there, so the mean is at least this


class Comparison(Frozen):
    """Everything that a study on a dataset has to say so far."""

    study: str
    dataset: str
    setting: Setting
    smoke: bool
    done: int  # comparison runs with a record
    planned: int
    rows: tuple[ArmRow, ...]
    effects: tuple[Effect, ...]
    caveats: tuple[str, ...]
    made_by: tuple[str, ...]  # torch and processor of the records, with how many


def compare(plan: Plan, store: Store, seeds: Sequence[int] | None = None) -> Comparison:
    """Return the comparison of a plan's arms over ``seeds``, the planned ones if None."""
    one = plan.definition
    seeds = one.seeds if seeds is None else seeds
    records = {
        arm: {seed: record for seed in seeds if (record := store.find(plan.run(arm, seed)))}
        if arm in plan.choices
        else {}
        for arm in one.arms
    }
    rows = tuple(_row(plan, arm, found) for arm, found in records.items())
    effects = [_effect(plan, contrast, records, len(seeds)) for contrast in one.contrasts]
    decided = [effect.p for effect in effects if effect.p is not None]
    adjusted = iter(statistics.holm(decided))
    complete = all(len(found) == len(seeds) for found in records.values())
    judged = []
    for effect in effects:
        if effect.p is not None:
            effect = effect.but(p_adjusted=next(adjusted))
        if one.smoke:
            judged.append(effect.but(verdict="incomplete" if effect.pairs else "not run"))
        else:
            word = verdict(effect, one.setting, complete, ratio=isinstance(one.metric, TimeTo))
            judged.append(effect.but(verdict=word))
    everything = [record for found in records.values() for record in found.values()]
    return Comparison(
        study=one.study,
        dataset=one.dataset.name,
        setting=one.setting,
        smoke=one.smoke,
        done=len(everything),
        planned=len(seeds) * len(one.arms),
        rows=rows,
        effects=tuple(judged),
        caveats=_caveats(plan, rows),
        made_by=_made_by(everything),
    )


def _row(plan: Plan, arm: str, records: dict[int, Record]) -> ArmRow:
    metric = plan.definition.metric
    outcomes = [observe(record, metric) for record in records.values()]
    values = np.array([outcome.value for outcome in outcomes])
    mean = None
    if len(values):
        logarithmic = isinstance(metric, TimeTo)
        mean = float(np.exp(np.log(values).mean()) if logarithmic else values.mean())
    choice = plan.choices.get(arm)
    return ArmRow(
        arm=arm,
        rate=choice.rate if choice else None,
        at_edge=bool(choice and choice.edge),
        seeds=tuple(records),
        reached=sum(not outcome.bound for outcome in outcomes),
        diverged=sum(record.status == "diverged" for record in records.values()),
        mean=mean,
        is_bound=any(outcome.bound for outcome in outcomes),
    )


def _effect(
    plan: Plan, contrast: Contrast, records: dict[str, dict[int, Record]], planned: int
) -> Effect:
    metric = plan.definition.metric
    arms, against = records[contrast.arm], records[contrast.against]
    seeds = [seed for seed in arms if seed in against]
    if not seeds:
        return Effect(contrast=contrast, pairs=0, planned=planned)
    here = [observe(arms[seed], metric) for seed in seeds]
    there = [observe(against[seed], metric) for seed in seeds]
    x, y = (np.array([outcome.value for outcome in outcomes]) for outcomes in (here, there))
    ratio = isinstance(metric, TimeTo)
    differences = np.log(y / x) if ratio else x - y
    back = math.exp if ratio else float
    interval = statistics.student_interval(differences)
    bound = _bound(here, there) if ratio else "none"
    margin = math.log(contrast.margin) if ratio else contrast.margin
    deviation = float(differences.std(ddof=1)) if len(seeds) > 1 else None
    estimate = back(interval.mean)
    return Effect(
        contrast=contrast,
        pairs=len(seeds),
        planned=planned,
        estimate=estimate,
        low=None if interval.low is None else back(interval.low),
        high=None if interval.high is None else back(interval.high),
        bound=bound,
        p=statistics.sign_flip_p(differences, np.random.default_rng(0)),
        equivalence_p=statistics.equivalence_p(differences, margin) if bound == "none" else None,
        detectable=None
        if deviation is None
        else back(statistics.detectable_effect(deviation, max(2, planned))),
        pair_correlation=statistics.correlation(x, y),
        at_thresholds=speed_ups(
            [arms[seed] for seed in seeds],
            [against[seed] for seed in seeds],
            plan.about.thresholds if ratio else (),
        ),
        seconds_ratio=_seconds_ratio(plan, contrast, estimate)
        if ratio and bound == "none"
        else None,
    )


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
        interval = statistics.student_interval(np.log(y / x))
        bounds = (None if b is None else math.exp(b) for b in (interval.low, interval.high))
        low, high = bounds
        found.append(
            AtThreshold(
                training_error=error,
                estimate=math.exp(interval.mean),
                low=low,
                high=high,
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


def _caveats(plan: Plan, rows: Sequence[ArmRow]) -> tuple[str, ...]:
    caveats = []
    rates = plan.definition.rates
    for row in rows:
        choice = plan.choices.get(row.arm)
        if choice and choice.none_reached:
            caveats.append(
                f"no rate brought {row.arm} to the threshold in tuning; {row.rate:g} used"
            )
        elif row.at_edge:
            side = "largest" if row.rate == max(rates) else "smallest"
            caveats.append(
                f"{row.arm} did best at {row.rate:g}, the {side} rate tried: a wider grid might "
                f"speed it up further (rates= in ablations/studies/{plan.definition.study}.py)"
            )
        if row.diverged:
            runs = "1 run" if row.diverged == 1 else f"{row.diverged} runs"
            caveats.append(f"{runs} of {row.arm} diverged, counted as the horizon")
    return tuple(caveats)


def _made_by(records: Sequence[Record]) -> tuple[str, ...]:
    prints: dict[str, int] = {}
    for record in records:
        f = record.fingerprint
        device = f.processor if f.device == "cpu" else f.device
        name = f"torch {f.torch.split('+')[0]} on {device}, {f.capability}"
        prints[name] = prints.get(name, 0) + 1
    return tuple(
        f"{count} {'run' if count == 1 else 'runs'} with {name}" for name, count in prints.items()
    )
