"""What is compared with what, what the paper says of it, and when it counts as nothing."""

import math
from collections.abc import Callable
from typing import Annotated, Any, Literal, NamedTuple, Self

from pydantic import Field, PositiveFloat

from ablations.metrics import (
    EnsembleError,
    FinalError,
    Gap,
    Metric,
    SameClass,
    TimeToValid,
)
from alexnet.config import Fraction, Frozen, added_field

RATIO_MARGIN = 1.25
"""The default margin of ratios: a factor within which one is called nothing."""

LARGEST_MARGIN = 0.1
"""Of errors: who calls ten points nothing has most likely written points for fractions."""

SUM_TO_NOTHING = 1e-9
"""Of weights: within what their sum is rounding."""

THE_PAPER = "the paper"
"""In place of an arm to compare with: a number that the paper prints."""

HALF_A_POINT: dict[str, Any] = {
    "margin": 0.005,
    "margin_reason": "half a point would not change what one builds",
}
"""The margin of errors where the paper has no number."""

Direction = Literal["lower", "higher", "equal"]


class Overfits(Frozen):
    """An arm that overfits: without one, nothing against overfitting can be judged."""

    kind: Literal["overfits"] = "overfits"
    arm: str
    training_error: Fraction = 0.05  # clean, at most
    gap: Fraction = 0.05  # test minus clean training error, at least


class NormActive(Frozen):
    """An arm with a normalisation that does something: alpha S / k is not next to nothing."""

    kind: Literal["norm_active"] = "norm_active"
    arm: str
    activity: PositiveFloat = 0.05  # median of alpha S / k, in its most active layer, at least


class Reaches(Frozen):
    """An arm that errs as little as the paper's: what was said at 13 % is not judged at 21 %."""

    kind: Literal["reaches"] = "reaches"
    arm: str
    within: Fraction  # the mean error over seeds, at most
    metric: FinalError | None = None  # None: that of the contrast


Precondition = Annotated[Overfits | NormActive | Reaches, Field(discriminator="kind")]


class Pair(NamedTuple):
    """Two arms whose difference is taken off another's."""

    arm: str
    against: str


class Contrast(Frozen):
    """What is compared with what, and what is said of it beforehand.

    The effect of a ratio is the other arm's time divided by this one's, a speed-up; any other is
    this arm's value minus the other's, errors as fractions. ``paper``, ``direction`` and ``margin``
    (a factor above 1, or a difference) are of that effect.

    The same arm twice is compared by two metrics, on the same runs. With ``minus``, the effect is
    a difference of differences: this pair's minus that one's. With ``number``, an arm is compared
    with what the paper prints of it. With ``weights``, many arms are compared at once, as in a
    factorial design.
    """

    arm: str
    against: str
    claim: str | None = None  # C01 ... C30; None for a question of one's own
    metric: Metric | None = None  # None: the base's primary one
    against_metric: Metric | None = added_field(None)  # of the other arm; None: the same
    minus: Pair | None = added_field(None)
    number: float | None = added_field(None)  # to compare with, if that is the paper's
    # Of several arms, which sum to nothing: the effect is the sum of weights times values, and
    # `arm` and `against` are one arm of either sign.
    weights: dict[str, float] | None = added_field(None)
    paper: float | None = None  # the paper's effect, if it prints one
    direction: Direction | None = None  # None: that of the paper's number
    margin: PositiveFloat | None = None  # effects within it are nothing; None: see `registered`
    margin_reason: str = ""
    # Not met: nothing is decided. One, or several in the order in which they are asked:
    precondition: Precondition | tuple[Precondition, ...] | None = None
    judged: bool = added_field(
        True
    )  # False: shown beside the others, in no test and with no verdict
    # Words, which a plan keeps apart from what it registers, so that they may be improved:
    label: str = Field("", exclude=True)  # what is compared; "": its arms, by their labels
    says: str = Field("", exclude=True)  # what the paper says of it, or is expected, in a sentence
    arm_labels: tuple[tuple[str, str], ...] = Field((), exclude=True)  # filled in by the plan

    def predicts(self, metric: Metric) -> Direction:
        """Return which way the effect should go."""
        if self.direction is not None:
            return self.direction
        nothing = 1 if metric.is_ratio else 0
        return "higher" if (self.paper or nothing) > nothing else "lower"

    def margin_for(self, metric: Metric) -> float:
        """Return within what an effect is nothing: by default a factor, or half of the paper's.

        Raises:
            ValueError: If there is neither a margin nor a number of the paper.
        """
        if self.margin is not None:
            return self.margin
        if metric.is_ratio:
            return RATIO_MARGIN
        if not self.paper:
            raise ValueError("say within what it is nothing (margin=)")
        return abs(self.paper) / 2

    def registered(self, metric: Metric) -> Self:
        """Return this contrast with its margin and the reason for it written out."""
        default = (
            f"a factor of {RATIO_MARGIN:g}" if metric.is_ratio else "half of the paper's effect"
        )
        reason = self.margin_reason or ("" if self.margin else f"the default, {default}")
        words = {"label": "", "says": "", "arm_labels": ()}
        return self.but(margin=self.margin_for(metric), margin_reason=reason, **words)

    @property
    def is_simple(self) -> bool:
        """Whether two arms are compared, by one metric, nothing taken off and none weighed."""
        special = (self.against_metric, self.minus, self.number, self.weights)
        return all(one is None for one in special)

    @property
    def preconditions(self) -> tuple[Precondition, ...]:
        """All that has to be so for anything to follow."""
        if self.precondition is None:
            return ()
        several = self.precondition
        return several if isinstance(several, tuple) else (several,)

    @property
    def compared_arms(self) -> tuple[str, ...]:
        """Every arm whose numbers it compares."""
        named = [self.arm, *(self.minus or ()), *(self.weights or ())]
        if self.number is None:
            named.insert(1, self.against)
        return tuple(dict.fromkeys(named))

    @property
    def arms(self) -> tuple[str, ...]:
        """Every arm that it needs."""
        named = list(self.compared_arms)
        named += [needed.arm for needed in self.preconditions]
        if isinstance(self.metric, TimeToValid):
            named += self.metric.arms
        return tuple(dict.fromkeys(named))

    @property
    def between(self) -> str:
        """What is compared, by the names of the arms."""
        return self._between(str)

    @property
    def compared(self) -> str:
        """What is compared, as people read it: its label, or the labels of its arms."""
        return self.label or self._between(self.label_of)

    def label_of(self, arm: str) -> str:
        """Return what one of its arms is called, as people read it; its name if nothing else."""
        return dict(self.arm_labels).get(arm, arm)

    def _between(self, called: Callable[[str], str]) -> str:
        arm, against = called(self.arm), called(self.against)
        if self.minus is not None:
            return f"{arm} against {against}, minus {' against '.join(map(called, self.minus))}"
        if self.number is not None:
            return f"{arm} against the paper's {100 * self.number:g} %"
        if self.arm == self.against:
            return arm
        reading, colon, other = against.rpartition(": ")
        # Arms of one reading are called by it once.
        return f"{arm} against {other if colon and arm.startswith(f'{reading}: ') else against}"

    def wrong(self, metric: Metric) -> str | None:
        """Say what is wrong with this contrast by ``metric``, or None."""
        if self.arm == self.against and self.against_metric in (None, metric):
            return "an arm is compared with another, or by another metric (against_metric=)"
        if (self.against == THE_PAPER) != (self.number is not None):
            return f"a number is compared with by against={THE_PAPER!r} and number="
        if self.number is not None and (metric.is_ratio or self.minus or self.against_metric):
            return "a printed number is compared with by a difference of one metric"
        single = metric.is_ratio or isinstance(metric, EnsembleError)
        if self.minus is not None and (single or self.against_metric is not None):
            return "differences of differences are of one metric, neither times nor ensembles"
        if self.against_metric is not None and (
            metric.is_ratio or self.against_metric.is_ratio or _unlike(metric, self.against_metric)
        ):
            return "two metrics are compared by their difference, and must be of one kind"
        if self.weights is not None and (said := self._wrong_weights(metric)):
            return said
        for needed in self.preconditions:
            level = isinstance(needed, Reaches) and needed.metric is None
            if level and not isinstance(metric, FinalError):
                return "say which error its reference has to reach (Reaches(metric=))"
        return self._wrong_numbers(metric)

    def _wrong_weights(self, metric: Metric) -> str | None:
        weights = self.weights or {}
        single = metric.is_ratio or isinstance(metric, EnsembleError)
        others = (self.against_metric, self.minus, self.number)
        if single or any(one is not None for one in others):
            return "weights are of one metric, neither times nor ensembles, and take nothing off"
        if weights.get(self.arm, 0.0) <= 0 or weights.get(self.against, 0.0) >= 0:
            return "arm= has a weight above 0, and against= one below"
        if not math.isclose(math.fsum(weights.values()), 0.0, abs_tol=SUM_TO_NOTHING):
            return f"weights sum to nothing, and these to {math.fsum(weights.values()):g}"
        return None if self.label else "say what the weights compare (label=)"

    def _wrong_numbers(self, metric: Metric) -> str | None:
        nothing = 1.0 if metric.is_ratio else 0.0
        paper = self.paper
        if self.direction is None and paper in (None, nothing):
            return "say which way it should go (direction=)"
        if self.margin is None and not metric.is_ratio and not paper:
            return "say within what it is nothing (margin=)"
        margin = self.margin_for(metric)
        if metric.is_ratio and (margin <= 1 or (paper is not None and paper <= 0)):
            return "times are compared as a ratio: a margin is a factor above 1, a number positive"
        errors = isinstance(metric, FinalError | Gap | EnsembleError | SameClass)
        if errors and (margin > LARGEST_MARGIN or max(abs(paper or 0), abs(self.number or 0)) >= 1):
            return (
                f"errors are fractions, half a point is 0.005; a margin is at most {LARGEST_MARGIN}"
            )
        if paper is None or self.direction == "equal":
            return None
        if self.direction not in (None, "higher" if paper > nothing else "lower"):
            return f"the paper's number, {paper:g}, does not go {self.direction}"
        size = max(paper, 1 / paper) if metric.is_ratio else abs(paper)
        if margin >= size:
            return f"a margin of {margin:g} would call the paper's own effect, {paper:g}, nothing"
        return None


def _unlike(one: Metric, other: Metric) -> bool:
    """Return whether a difference of two metrics would have no unit, or no pairs."""
    if isinstance(one, EnsembleError) and isinstance(other, EnsembleError):
        return one.group != other.group
    return one.kind != other.kind
