"""A study: a question, its arms, what is compared, and the base on each dataset."""

import math
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from ablations.claims import CLAIMS
from alexnet.config import Config, Fraction, Frozen, GiveUp

ALPHA = 0.05
"""The chance of a false decision that a study allows itself, over all of its contrasts."""

Setting = Literal["paper", "closest reading", "stand-in", "own question"]
Direction = Literal["lower", "higher", "equal"]


class TimeTo(Frozen):
    """Epochs until the running training error first falls to a threshold; compared as a ratio."""

    is_ratio: ClassVar[bool] = True
    kind: Literal["time_to"] = "time_to"
    training_error: Fraction


class FinalError(Frozen):
    """Error after the last epoch; compared as a difference."""

    is_ratio: ClassVar[bool] = False
    kind: Literal["final_error"] = "final_error"
    part: Literal["train", "valid", "test"] = "test"
    views: Literal["one", "ten"] = "one"  # ten: section 4.1; not measured on train
    top: Literal[1, 5] = 1

    @model_validator(mode="after")
    def _is_measured(self) -> Self:
        if self.part == "train" and self.views == "ten":
            raise ValueError("the clean training error is measured with one view; use views='one'")
        return self


class Gap(Frozen):
    """Test error minus clean training error, centre view, top-1: how far it overfits."""

    is_ratio: ClassVar[bool] = False
    kind: Literal["gap"] = "gap"


class EarlyLoss(Frozen):
    """Mean training loss, in nats, over the first updates; compared as a difference."""

    is_ratio: ClassVar[bool] = False
    kind: Literal["early_loss"] = "early_loss"
    share: Annotated[float, Field(gt=0, le=1)] = 0.1  # of all updates


Metric = Annotated[TimeTo | FinalError | Gap | EarlyLoss, Field(discriminator="kind")]


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


Precondition = Annotated[Overfits | NormActive, Field(discriminator="kind")]


class Contrast(Frozen):
    """What is compared with what, and what is said of it beforehand.

    The effect of a ratio is the other arm's time divided by this one's, a speed-up; any other is
    this arm's value minus the other's. ``paper`` and ``direction`` are of that effect.
    """

    arm: str
    against: str
    claim: str | None = None  # C01 ... C30; None for a question of one's own
    metric: Metric | None = None  # None: the base's primary one
    paper: float | None = None  # the paper's effect, if it prints one
    direction: Direction | None = None  # None: that of the paper's number
    margin: PositiveFloat  # effects within it are nothing: a factor above 1, or a difference
    margin_reason: str
    precondition: Precondition | None = None  # not met: nothing is decided

    def predicts(self, metric: Metric) -> Direction:
        """Return which way the effect should go."""
        if self.direction is not None:
            return self.direction
        nothing = 1 if metric.is_ratio else 0
        return "higher" if (self.paper or nothing) > nothing else "lower"


class Base(Frozen):
    """What all arms share on one dataset."""

    config: Config
    metric: Metric  # the primary one, by which rates are chosen
    rates: tuple[PositiveFloat, ...] = Field(min_length=1)  # tried in every arm alike
    give_up: GiveUp | None = None  # when a rate counts as hopeless, in every arm alike
    setting: Setting = "own question"
    left_open: tuple[str, ...] = ()  # how this differs from, or fills in, what the paper says
    threads: PositiveInt = 1  # per run; never follows the number of workers
    thresholds: tuple[Fraction, ...] = ()  # others at which the effect is shown, not judged
    passes: PositiveFloat | None = None  # over the images, the whole study, as measured once


class Study(Frozen):
    """A named comparison."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    title: str = ""
    section: str = ""
    claim: str | None = None
    question: str
    paper_says: str = ""
    paper_dataset: str | None = None  # in the catalogue
    arms: dict[str, dict[str, Any]] = Field(min_length=2)  # each: what differs from the base
    contrasts: tuple[Contrast, ...] = Field(min_length=1)
    bases: dict[str, Base] = Field(min_length=1)  # by dataset; the first is the default
    seeds: PositiveInt = 10
    source: str = ""  # the file it is written in, filled in by whoever reads it

    @model_validator(mode="after")
    def _names_exist(self) -> Self:
        for claim in (self.claim, *(contrast.claim for contrast in self.contrasts)):
            if claim is not None and claim not in CLAIMS:
                raise ValueError(f"the paper has no claim {claim!r}; they are C01 to C30")
        for contrast in self.contrasts:
            needed = contrast.precondition.arm if contrast.precondition else contrast.arm
            for arm in (contrast.arm, contrast.against, needed):
                if arm not in self.arms:
                    raise ValueError(f"a contrast names arm {arm!r}, which the study lacks")
        for base in self.bases.values():
            for changes in self.arms.values():
                base.config.but(**changes)
        return self

    @model_validator(mode="after")
    def _says_what_it_expects(self) -> Self:
        for base in self.bases.values():
            for contrast in self.contrasts:
                between = f"{contrast.arm} against {contrast.against}"
                ratio = (contrast.metric or base.metric).is_ratio
                if contrast.direction is None and contrast.paper in (None, 1 if ratio else 0):
                    raise ValueError(f"{between}: say which way it should go (direction=)")
                if ratio and (contrast.margin <= 1 or (contrast.paper or 1) <= 0):
                    raise ValueError(
                        f"{between} compares times as a ratio: its margin is a factor above 1 and "
                        "its paper's number is positive"
                    )
            if base.setting in ("paper", "closest reading") and self.paper_dataset is None:
                raise ValueError(f"setting {base.setting!r} needs the paper's dataset")
        return self

    @model_validator(mode="after")
    def _seeds_can_decide(self) -> Self:
        count, smallest = len(self.contrasts), 2.0 ** (1 - self.seeds)
        if count * smallest >= ALPHA:
            needed = math.floor(1 + math.log2(count / ALPHA)) + 1
            most = math.ceil(ALPHA / smallest) - 1
            raise ValueError(
                f"{self.seeds} seeds cannot decide {count} contrasts: the smallest p-value of "
                f"their exact test is 2/2^{self.seeds} = {smallest:.2g}, times {count} by Holm "
                f"{count * smallest:.2g}, which is not below {ALPHA:g}; plan {needed} seeds"
                + (f", or at most {most} contrasts" if most else "")
            )
        return self

    def config(self, dataset: str, arm: str) -> Config:
        """Return the whole config of an arm on a dataset."""
        return self.bases[dataset].config.but(**self.arms[arm])
