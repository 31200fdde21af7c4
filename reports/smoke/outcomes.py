"""What became of every arm of a smoke, held against its baseline."""

import math
from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

from alexnet.text import counted
from reports.smoke.baseline import (
    Baseline,
    Expected,
    MadeWith,
    furthest,
    is_comparable,
    losses_of,
    tolerance_of,
)
from reports.smoke.trainings import Smoked

Kind = Literal[
    "agrees", "trained", "changed", "asked otherwise", "new", "gone", "failed", "left out"
]
MOVED: tuple[Kind, ...] = ("changed", "asked otherwise", "new", "gone")


class Outcome(NamedTuple):
    """What became of one arm."""

    arm: str
    training: str  # twelve digits; arms that ask the same share one
    kind: Kind
    what: str = ""  # the loss that lies furthest off; or why it failed
    here: float | None = None
    expected: float | None = None
    tolerance: float = 0.0

    @property
    def times(self) -> float:
        """How many tolerances the furthest loss lies off."""
        if self.here is None or self.expected is None:
            return math.inf
        return abs(self.here - self.expected) / self.tolerance

    @property
    def text(self) -> str:
        """What a person reads of it."""
        match self.kind:
            case "changed" if not self.tolerance:
                return self.what
            case "changed":
                digits = 2 - math.floor(math.log10(self.tolerance))
                here, expected = (_shown(loss, digits) for loss in (self.here, self.expected))
                return f"{self.what}: {here}, baseline {expected} \u00b1 {self.tolerance:.1g}"
            case "asked otherwise":
                return "its config or images are others than the baseline's"
            case "new":
                return "not in the baseline"
            case "gone":
                return "in the baseline, and no arm any more"
            case "failed":
                return self.what
            case "left out":
                return "not trained before the time limit"
            case "trained":
                return "finished; not compared"
            case "agrees":
                return "agrees"


def _shown(loss: float | None, digits: int) -> str:
    return "no number" if loss is None else f"{loss:.{digits}f}"


def held_against(baseline: Baseline | None, smoked: Sequence[Smoked]) -> list[Outcome]:
    """Return what became of every arm, those that are gone last; nothing agrees without baseline.

    Args:
        baseline: What is expected; None: nothing is.
        smoked: Every training, or some: then the arms of the others count as gone.
    """
    found = [outcome for one in smoked for outcome in outcomes_of(one, baseline)]
    here = {outcome.arm for outcome in found}
    gone = [
        Outcome(arm, one.run, "gone")
        for arm, one in (baseline.by_arm if baseline else {}).items()
        if arm not in here
    ]
    return [*found, *gone]


def outcomes_of(one: Smoked, baseline: Baseline | None) -> list[Outcome]:
    """Return what became of each arm that a training stands for."""
    expected = baseline.by_arm if baseline else {}
    made_with = baseline.made_with if baseline else None
    return [_outcome(arm, one, expected.get(arm), made_with) for arm in one.training.arms]


def _outcome(
    arm: str, one: Smoked, expected: Expected | None, made_with: MadeWith | None
) -> Outcome:
    run = one.training.run
    if one.failure:
        return Outcome(arm, run.short, "failed", one.failure)
    if one.record is None:
        return Outcome(arm, run.short, "left out")
    if made_with is None:
        return Outcome(arm, run.short, "trained")
    if expected is None:
        return Outcome(arm, run.short, "new")
    if expected.run != run.short:
        return Outcome(arm, run.short, "asked otherwise")
    if not is_comparable(run.precision, one.record.fingerprint.device, made_with):
        return Outcome(arm, run.short, "trained")
    found = losses_of(one.record)
    names, losses = tuple(found), tuple(found.values())
    if len(losses) != len(expected.losses):
        counts = f"{counted(len(losses), 'loss')}, the baseline has {len(expected.losses)}"
        return Outcome(arm, run.short, "changed", counts)
    tolerance = tolerance_of(run.precision)
    place = furthest(losses, expected.losses, tolerance)
    if place is None:
        return Outcome(arm, run.short, "agrees")
    return Outcome(
        arm, run.short, "changed", names[place], losses[place], expected.losses[place], tolerance
    )


def count_trainings(outcomes: Iterable[Outcome]) -> int:
    """Return how many trainings outcomes are of."""
    return len({one.training for one in outcomes})


def furthest_first(outcomes: Iterable[Outcome]) -> list[list[Outcome]]:
    """Return outcomes, those of one training and of one kind together, the furthest off first."""
    groups: dict[tuple[str, Kind], list[Outcome]] = {}
    for one in outcomes:
        groups.setdefault((one.training, one.kind), []).append(one)
    return sorted(groups.values(), key=lambda group: -group[0].times)


def in_short(group: Sequence[Outcome]) -> str:
    """Return the arms of one training by the first and how many more there are.

    >>> in_short([Outcome("a/b", "0", "agrees"), Outcome("c/d", "0", "agrees")])
    'a/b and 1 more arm'
    """
    more = len(group) - 1
    others = f" and {counted(more, 'more arm')}" if more else ""
    return f"{group[0].arm}{others}"
