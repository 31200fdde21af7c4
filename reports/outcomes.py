"""What became of every arm of a smoke, held against its baseline."""

import math
from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

from reports.baseline import Baseline, Expected, furthest, losses_of, names_of
from reports.smoke_runs import Smoked

Kind = Literal["agrees", "changed", "asked otherwise", "new", "gone", "failed", "left out"]
MOVED: tuple[Kind, ...] = ("changed", "asked otherwise", "new", "gone")


class Outcome(NamedTuple):
    """What became of one arm."""

    arm: str
    kind: Kind
    what: str = ""  # the loss that lies furthest off, in tolerances; or why it failed
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
            case "changed":
                here, expected = map(_shown, (self.here, self.expected))
                return f"{self.what}: {here}, baseline {expected} \u00b1 {self.tolerance:.2g}"
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
            case "agrees":
                return "agrees"


def _shown(loss: float | None) -> str:
    return "no number" if loss is None else f"{loss:.6f}"


def held_against(baseline: Baseline, smoked: Sequence[Smoked]) -> list[Outcome]:
    """Return what became of every arm, those that are gone last."""
    expected = baseline.by_arm
    found = [outcome for one in smoked for outcome in outcomes_of(one, expected)]
    here = {outcome.arm for outcome in found}
    return [*found, *(Outcome(arm, "gone") for arm in expected if arm not in here)]


def outcomes_of(one: Smoked, expected: Mapping[str, Expected]) -> list[Outcome]:
    """Return what became of each arm that a training stands for."""
    return [_outcome(arm, one, expected.get(arm)) for arm in one.training.arms]


def alone(smoked: Sequence[Smoked]) -> list[Outcome]:
    """Return what became of every arm, without a baseline."""
    return [
        Outcome(arm, "failed", one.failure)
        if one.failure
        else Outcome(arm, "left out" if one.left_out else "agrees")
        for one in smoked
        for arm in one.training.arms
    ]


def _outcome(arm: str, one: Smoked, expected: Expected | None) -> Outcome:
    if one.failure:
        return Outcome(arm, "failed", one.failure)
    if one.record is None:
        return Outcome(arm, "left out")
    if expected is None:
        return Outcome(arm, "new")
    losses = losses_of(one.record)
    place = furthest(losses, expected)
    if expected.run != one.training.run.short:
        return Outcome(arm, "asked otherwise")
    if place is None:
        return Outcome(arm, "agrees")
    return Outcome(
        arm, "changed", names_of(len(losses))[place], losses[place], expected.losses[place],
        expected.tolerances[place],
    )  # fmt: skip
