"""What stands beside a comparison: caveats, who made the records, what changed."""

from collections import Counter
from collections.abc import Sequence

from ablations.metrics import EnsembleError, TimeToValid, observe
from ablations.plan import Plan
from ablations.record import Record
from alexnet.config import Frozen
from alexnet.text import counted
from reports.analysis.effect import Effect
from reports.analysis.preconditions import side_of_the_edge


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


def caveats_of_arms(plan: Plan, rows: Sequence[ArmRow]) -> list[str]:
    """Return what to keep in mind of arms: rates at an edge, none that worked, divergence."""
    caveats = []
    ratio = plan.definition.metric.is_ratio
    for row in rows:
        arm = plan.label(row.arm)
        # An arm that takes another's rate has nothing of its own to say of it.
        own = row.arm not in plan.definition.tuned_as and not plan.definition.smoke
        choice = plan.choices.get(row.arm) if own else None
        if choice and choice.none_reached:
            caveats.append(
                f"no rate brought {arm} to the threshold in tuning; {row.rate:g} used"
                if ratio
                else f"no rate trained {arm} in tuning; {row.rate:g} used"
            )
        elif choice and row.at_edge:
            side = side_of_the_edge(choice)
            better = "speed it up" if ratio else "improve it"
            caveats.append(
                f"{arm} did best at {row.rate:g}, the {side} rate tried: a wider grid might "
                f"{better} further (rates= in {plan.about.source or 'its study'})"
            )
        if row.diverged:
            runs = counted(row.diverged, "run")
            standing = "the horizon" if ratio else "chance"
            caveats.append(f"{runs} of {arm} diverged, counted as {standing}")
    return caveats


def elsewhere(plan: Plan, effects: Sequence[Effect]) -> list[str]:
    """Return at which other thresholds an effect turns round, and which were passed unseen."""
    caveats = []
    for effect in effects:
        if not effect.metric.is_ratio or effect.estimate is None:
            continue
        which = f"{effect.contrast.compared}: " if len(effects) > 1 else ""
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
    definition = plan.definition
    metrics = [definition.metric]
    for contrast in definition.contrasts:
        metrics += [m for m in (contrast.metric, contrast.against_metric) if m]
    # These two are not read from one record alone.
    single = [m for m in metrics if not isinstance(m, EnsembleError | TimeToValid)]
    missing = sum(
        any(observe(record, m) is None for m in single)
        for record in records
        if record.status == "finished"
    )
    if not missing:
        return []
    verb = "was" if missing == 1 else "were"
    return [
        f"{counted(missing, 'run')} {verb} recorded before all that this study compares was "
        "measured, and missing there; another --results folder trains anew"
    ]


def made_by(records: Sequence[Record]) -> tuple[str, ...]:
    """Return with which releases and on which machines records were made, and how many."""
    prints: Counter[str] = Counter()
    for record in records:
        f = record.fingerprint
        set_by_hand = f", {' '.join(f.variables)}" if f.variables else ""
        several = f", {counted(f.devices, 'device')} a run" if f.devices > 1 else ""
        several += ", two towers on two devices" if f.tower_devices == 2 else ""
        torch = f.torch.split("+")[0]
        prints[f"torch {torch} on {f.hardware}, {f.capability}{several}{set_by_hand}"] += 1
    return tuple(f"{counted(count, 'run')} with {name}" for name, count in prints.items())


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
    notes = [f"{counted(count, 'run')} trained {where}" for where, count in commits.items()]
    notes += [
        f"{note.at:%Y-%m-%d %H:%M} UTC: called a {note.setting}: {note.reason}"
        if note.setting
        else f"{note.at:%Y-%m-%d %H:%M} UTC: other words for {', '.join(note.fields)}"
        for note in plan.amendments
    ]
    notes += [
        f"{look.at:%Y-%m-%d %H:%M} UTC: a second look, {counted(len(look.seeds), 'seed')} more"
        for look in plan.second_looks
    ]
    return tuple(notes)
