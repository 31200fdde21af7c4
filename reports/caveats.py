"""What stands beside a comparison: preconditions, caveats, who made the records, what changed."""

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from ablations.contrast import Contrast, NormActive, Overfits, Precondition, Reaches
from ablations.metrics import EnsembleError, Gap, Metric, TimeToLoss, observe
from ablations.plan import Plan
from ablations.record import Record
from alexnet.config import Frozen
from reports.effect import Effect

Records = dict[str, dict[int, Record]]
"""Comparison runs that have a record, by arm and seed."""


class ArmRow(Frozen):
    """One arm by the study's primary metric, over the seeds that have a record."""

    arm: str
    rate: float | None  # chosen by tuning; None while it goes on
    at_edge: bool
    seeds: tuple[int, ...]
    reached: int
    diverged: int
    mean: float | None  # geometric for times
    is_bound: bool  # some seed never got there, so the mean is at least this


def unmet(contrast: Contrast, metric: Metric, records: Records) -> str | None:
    """Say why nothing can follow from a contrast, whatever its numbers; None if something can."""
    if isinstance(metric, Gap):
        for arm in dict.fromkeys((contrast.arm, contrast.against)):
            if arm in records and (diverged := _diverged(records[arm])):
                return f"{_runs(diverged)} of {arm} diverged, and so cannot be said to overfit"
    together, pairs = diverged_together(contrast, records)
    if pairs and together == pairs:
        return "no pair has a run that trained, since all of them diverged"
    for needed in contrast.preconditions:
        if why := _unmet(needed, metric, records[needed.arm]):
            return why
    return None


def _unmet(needed: Precondition, metric: Metric, records: dict[int, Record]) -> str | None:
    """Say why one precondition is not met by the runs of its arm, or None."""
    if diverged := _diverged(records):
        return f"{_runs(diverged)} of {needed.arm}, which the claim presupposes to work, diverged"
    measures = [record.measures for record in records.values() if record.measures]
    match needed:
        case Overfits(arm=arm, training_error=most, gap=least):
            seen = [(m.train.top1_error, m.test.top1_error) for m in measures if m.test]
            if not seen:
                return f"whether {arm} overfits was not measured"
            train, test = (float(np.mean(side)) for side in zip(*seen, strict=True))
            if train < most and test - train > least:
                return None
            return (
                f"{arm} does not overfit: {100 * train:.1f} % clean training error and "
                f"{100 * test:.1f} % test error, where below {100 * most:g} % and a gap above "
                f"{100 * least:g} points are needed"
            )
        case NormActive(arm=arm, activity=least):
            found = norm_activity(list(records.values()))
            if not found:
                return f"the activity of {arm}'s normalisation was not measured"
            if max(found.values()) >= least:
                return None
            return (
                f"{arm}'s normalisation does next to nothing: {activity_in_words(found)}, where "
                f"{least:g} is needed in one layer"
            )
        case Reaches(arm=arm, within=most, metric=level):
            seen_at = [observe(record, level or metric) for record in records.values()]
            errors = [outcome.value for outcome in seen_at if outcome is not None]
            if not errors:
                return f"the error of {arm} was not measured"
            if (mean := float(np.mean(errors))) <= most:
                return None
            return (
                f"{arm} errs by {100 * mean:.1f} %, and the claim is about networks that err by "
                f"{100 * most:g} % at most"
            )


def norm_activity(records: Sequence[Record]) -> dict[str, float]:
    """Return the median of alpha S / k over runs, by the name of the norm."""
    seen = [record.measures.norm_activity for record in records if record.measures]
    names = dict.fromkeys(name for one in seen for name in one)
    return {name: float(np.median([one[name] for one in seen if name in one])) for name in names}


def activity_in_words(activity: Mapping[str, float]) -> str:
    """Return the activity of every norm.

    >>> activity_in_words({"conv1_norm": 0.13, "conv2_norm": 0.0051})
    'alpha S / k is 0.13 after conv1 and 0.0051 after conv2'
    """
    parts = [f"{value:.2g} after {name.removesuffix('_norm')}" for name, value in activity.items()]
    return f"alpha S / k is {' and '.join(parts)}"


def diverged_together(contrast: Contrast, records: Records) -> tuple[int, int]:
    """Return in how many pairs every run diverged, of how many: chance is equal to chance."""
    named = (contrast.arm, contrast.against, *(contrast.minus or ()))
    sides = [records[arm] for arm in named if arm in records]  # the paper's number has no runs
    paired = set.intersection(*map(set, sides))
    together = [all(side[s].status == "diverged" for side in sides) for s in paired]
    return sum(together), len(together)


def _diverged(records: dict[int, Record]) -> int:
    return sum(record.status == "diverged" for record in records.values())


def caveats_of_arms(plan: Plan, rows: Sequence[ArmRow]) -> list[str]:
    """Return what to keep in mind of arms: rates at an edge, none that worked, divergence."""
    caveats = []
    ratio = plan.definition.metric.is_ratio
    for row in rows:
        # An arm that takes another's rate has nothing of its own to say of it.
        own = row.arm not in plan.definition.tuned_as and not plan.definition.smoke
        choice = plan.choices.get(row.arm) if own else None
        if choice and choice.none_reached:
            caveats.append(
                f"no rate brought {row.arm} to the threshold in tuning; {row.rate:g} used"
                if ratio
                else f"no rate trained {row.arm} in tuning; {row.rate:g} used"
            )
        elif choice and row.at_edge:
            side = "largest" if row.rate == max(plan.definition.rates) else "smallest"
            better = "speed it up" if ratio else "improve it"
            caveats.append(
                f"{row.arm} did best at {row.rate:g}, the {side} rate tried: a wider grid might "
                f"{better} further (rates= in {plan.about.source or 'its study'})"
            )
        if row.diverged:
            runs = _runs(row.diverged)
            counted = "the horizon" if ratio else "chance"
            caveats.append(f"{runs} of {row.arm} diverged, counted as {counted}")
    return caveats


def older_runs(plan: Plan, records: Sequence[Record]) -> int:
    """Return how many records were written before a plan was registered."""
    return sum(record.provenance.at < plan.registered.at for record in records)


def known_before(plan: Plan, records: Sequence[Record]) -> tuple[str, ...]:
    """Return how many runs are older than the plan, whose question may then have known them."""
    older = older_runs(plan, records)
    if not older:
        return ()
    verb = "is" if older == 1 else "are"
    return (
        f"{_runs(older)} of {len(records)} {verb} older than the plan, which was registered "
        f"{plan.registered.at:%Y-%m-%d %H:%M} UTC: it may have been made knowing them",
    )


def elsewhere(plan: Plan, effects: Sequence[Effect]) -> list[str]:
    """Return at which other thresholds an effect turns round, and which were passed unseen."""
    caveats = []
    for effect in effects:
        if not effect.metric.is_ratio or effect.estimate is None:
            continue
        which = f"{effect.contrast.between}: " if len(effects) > 1 else ""
        for at in effect.at_thresholds:
            if at.low is None or at.high is None:
                continue
            if at.high < 1 < effect.estimate or effect.estimate < 1 < at.low:
                caveats.append(
                    f"{which}to {100 * at.training_error:g} % training error it goes the other "
                    f"way: {at.estimate:.2f} times [{at.low:.2f}, {at.high:.2f}]"
                )
        shown = {at.training_error for at in effect.at_thresholds}
        unseen = [f"{100 * t:g} %" for t in plan.about.thresholds if t not in shown]
        if unseen:
            caveats.append(
                f"{which}not measured to {', '.join(unseen)}: not every run crossed it in view"
            )
    return caveats


def unmeasured(plan: Plan, records: Sequence[Record]) -> list[str]:
    """Return how many records lack something that the study compares."""
    one = plan.definition
    metrics = [one.metric]
    for contrast in one.contrasts:
        metrics += [m for m in (contrast.metric, contrast.against_metric) if m]
    # These two are not read from one record alone.
    single = [m for m in metrics if not isinstance(m, EnsembleError | TimeToLoss)]
    missing = sum(
        any(observe(record, m) is None for m in single)
        for record in records
        if record.status == "finished"
    )
    if not missing:
        return []
    return [
        f"{_runs(missing)} {'was' if missing == 1 else 'were'} recorded before all that this study "
        "compares was measured, and missing there; another --results folder trains anew"
    ]


def made_by(records: Sequence[Record]) -> tuple[str, ...]:
    """Return with which releases and on which machines records were made, and how many."""
    prints: Counter[str] = Counter()
    for record in records:
        f = record.fingerprint
        prints[f"torch {f.torch.split('+')[0]} on {f.hardware}, {f.capability}"] += 1
    return tuple(f"{_runs(count)} with {name}" for name, count in prints.items())


def since(plan: Plan, records: Sequence[Record]) -> tuple[str, ...]:
    """Say what differs between the plan as registered and the runs that answered it."""
    registered = plan.registered
    commits: Counter[str] = Counter()
    for record in records:
        made = record.provenance
        if made.commit != registered.commit:
            commits[f"at commit {made.commit}" if made.commit else "from an installed copy"] += 1
        if made.clean is False:
            commits["from a checkout with changes of its own"] += 1
    notes = [f"{_runs(count)} trained {where}" for where, count in commits.items()]
    notes += [
        f"{note.at:%Y-%m-%d %H:%M} UTC: called a {note.setting}: {note.reason}"
        if note.setting
        else f"{note.at:%Y-%m-%d %H:%M} UTC: other words for {', '.join(note.fields)}"
        for note in plan.amendments
    ]
    notes += [
        f"{look.at:%Y-%m-%d %H:%M} UTC: a second look, {len(look.seeds)} seeds more"
        for look in plan.second_looks
    ]
    return tuple(notes)


def _runs(count: int) -> str:
    return "1 run" if count == 1 else f"{count} runs"
