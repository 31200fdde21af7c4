"""What has to be so for anything to follow from a contrast: asked of its runs, or of tuning."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from ablations.bases import PRACTICE_IMAGES
from ablations.contrast import Contrast, NormActive, Overfits, Precondition, Reaches
from ablations.metrics import EarlyLoss, FinalError, Gap, Metric, TimeTo, observe
from ablations.plan import Plan
from ablations.record import Record
from ablations.side_effects import blinded, scale_effects
from ablations.store import Store
from ablations.tuning import Choice, held_out
from alexnet.text import counted
from reports.analysis.comparable import Records, incomparable


def unmet(contrast: Contrast, metric: Metric, records: Records) -> str | None:
    """Say why nothing can follow from a contrast, whatever its numbers; None if something can."""
    if isinstance(metric, Gap):
        for arm in dict.fromkeys((contrast.arm, contrast.against)):
            if arm in records and (diverged := _diverged(records[arm].values())):
                runs = f"{counted(diverged, 'run')} of {contrast.label_of(arm)}"
                return f"{runs} diverged, and so cannot be said to overfit"
    if why := incomparable(contrast, metric, records):
        return why
    for needed in contrast.preconditions:
        if why := _unmet(
            needed, metric, list(records[needed.arm].values()), contrast.label_of(needed.arm)
        ):
            return why
    return None


def uncontrolled(plan: Plan, contrast: Contrast) -> str | None:
    """Say what goes with what a claim is about, where the plan compares no control of it.

    Without LRN activations are 1.68 times as large, twice: whatever that does is not LRN's doing.
    Nor is it overlap's, if pooling without it does not reach most of a map.
    """
    definition = plan.definition
    if contrast.claim is None or not contrast.is_simple:
        return None
    arm, against = (definition.arms[name].network for name in (contrast.arm, contrast.against))
    if said := blinded(arm, against):
        return f"in {contrast.arm!r} {' and '.join(said)}, where {contrast.against!r} reaches all"
    said = scale_effects(arm, against)
    if not said:
        return None
    return (
        f"the scale of activations differs too ({contrast.arm!r} has {' and '.join(said)}), and "
        "the plan has no control of that"
    )


def unmet_in_tuning(plan: Plan, contrast: Contrast, store: Store) -> str | None:
    """Say which precondition the tuning runs at the chosen rates do not meet; None if all are.

    Those of ``test`` are asked of ``valid``, since tuning never sees the former. Nothing is said
    where no rate was chosen.
    """
    definition = plan.definition
    by_id = {record.run.id: record for record in store.records()}
    for needed in contrast.preconditions:
        choice = plan.choices.get(needed.arm)
        followed = needed.arm in definition.tuned_as  # then they are runs of another network
        trial = choice.chosen if choice and not followed else None
        found = [by_id[run] for run in trial.runs if run in by_id] if trial else []
        metric = held_out(contrast.metric or definition.metric)
        if found and (why := _unmet(needed, metric, found, plan.label(needed.arm))):
            return why
    return None


def rate_left_open(plan: Plan, contrast: Contrast, metric: Metric, estimate: float) -> str | None:
    """Say why the arm that loses may not have had the rate that suits it; None if it had.

    Its best rate was the largest or smallest that was tried, or none worked. Of two arms that are
    compared by how well, or how fast, they learn: a gap is not what rates are chosen by. The arm
    that wins has a caveat, since a better rate would only let it win by more. On practice images,
    where no grid is followed further, so has the one that loses.
    """
    if plan.definition.dataset.name in PRACTICE_IMAGES:
        return None
    if not (contrast.is_simple and isinstance(metric, TimeTo | FinalError | EarlyLoss)):
        return None
    nothing = 1.0 if metric.is_ratio else 0.0
    if estimate == nothing:
        return None
    arm_wins = (estimate > nothing) == metric.is_ratio
    loser = contrast.against if arm_wins else contrast.arm
    choice = plan.choices.get(loser)
    if loser in plan.definition.tuned_as or choice is None or not choice.trials:
        return None
    label = plan.label(loser)
    if choice.none_reached:
        return f"no rate that was tried brought {label}, which comes out worse, to the threshold"
    if not choice.edge:
        return None
    return (
        f"{label}, which comes out worse, did best at {choice.rate:g}, the "
        f"{side_of_the_edge(choice)} rate that was tried"
    )


def side_of_the_edge(choice: Choice) -> str:
    """Return whether a best rate at the edge of its grid is the largest or the smallest of it."""
    largest = max(trial.rate for trial in choice.trials)
    return "largest" if choice.rate == largest else "smallest"


def rate_step(plan: Plan, contrast: Contrast) -> float | None:
    """Return the factor to the next rates tried, the larger of a contrast's arms; None if none."""
    arms = set(contrast.compared_arms) - plan.definition.tuned_as.keys()
    steps = [choice.step for arm in arms if (choice := plan.choices.get(arm))]
    return max((step for step in steps if step is not None), default=None)


def _unmet(needed: Precondition, metric: Metric, records: Sequence[Record], arm: str) -> str | None:
    """Say why one precondition is not met by the runs of its arm, called ``arm``, or None.

    By the median over seeds. Runs that never saw ``test`` are asked by ``valid``.
    """
    if diverged := _diverged(records):
        runs = counted(diverged, "run")
        return f"{runs} of {arm}, which the claim presupposes to work, diverged"
    measures = [record.measures for record in records if record.measures]
    match needed:
        case Overfits(training_error=most, gap=least):
            seen = [(m.train.top1_error, (m.test or m.valid).top1_error) for m in measures]
            if not seen:
                return f"whether {arm} overfits was not measured"
            train, test = (float(np.median(side)) for side in zip(*seen, strict=True))
            named = "test" if all(m.test for m in measures) else "held-out"
            if train < most and test - train > least:
                return None
            return (
                f"{arm} does not overfit: {100 * train:.1f} % clean training error and "
                f"{100 * test:.1f} % {named} error, where below {100 * most:g} % and a gap above "
                f"{100 * least:g} {'point is' if 100 * least == 1 else 'points are'} needed"
            )
        case NormActive(activity=least):
            found = norm_activity(records)
            if not found:
                return f"the activity of the normalisation of {arm} was not measured"
            if max(found.values()) >= least:
                return None
            return (
                f"the normalisation of {arm} does next to nothing: {activity_in_words(found)}, "
                f"where {least:g} is needed in one layer"
            )
        case Reaches(within=most, metric=level):
            by = level or metric
            by = by if all(m.test for m in measures) else held_out(by)
            seen_at = [observe(record, by) for record in records]
            errors = [outcome.value for outcome in seen_at if outcome is not None]
            if not errors:
                return f"the error of {arm} was not measured"
            if (median := float(np.median(errors))) <= most:
                return None
            return (
                f"{arm} errs by {100 * median:.1f} %, and the claim is about networks that err by "
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


def _diverged(records: Iterable[Record]) -> int:
    return sum(record.status == "diverged" for record in records)
