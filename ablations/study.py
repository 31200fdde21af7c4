"""A study: a question, its arms, what is compared, and the base on each dataset."""

import math
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, PositiveFloat, PositiveInt, ValidationError, model_validator

from ablations.claims import CLAIMS
from alexnet.config import Config, Exponential, Fraction, Frozen, GiveUp

ALPHA = 0.05
"""The chance of a false decision that a study allows itself, over all of its contrasts."""

RATIO_MARGIN = 1.25
"""The default margin of ratios: a factor within which one is called nothing."""

LARGEST_MARGIN = 0.1
"""Of errors: who calls ten points nothing has most likely written points for fractions."""

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
    this arm's value minus the other's, errors as fractions. ``paper``, ``direction`` and ``margin``
    (a factor above 1, or a difference) are of that effect.
    """

    arm: str
    against: str
    claim: str | None = None  # C01 ... C30; None for a question of one's own
    metric: Metric | None = None  # None: the base's primary one
    paper: float | None = None  # the paper's effect, if it prints one
    direction: Direction | None = None  # None: that of the paper's number
    margin: PositiveFloat | None = None  # effects within it are nothing; None: see `registered`
    margin_reason: str = ""
    precondition: Precondition | None = None  # not met: nothing is decided

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
        return self.but(margin=self.margin_for(metric), margin_reason=reason)

    @property
    def between(self) -> str:
        """What is compared, in words."""
        return f"{self.arm} against {self.against}"


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
                    known = ", ".join(self.arms)
                    raise ValueError(f"a contrast names arm {arm!r}; the study has {known}")
        for base in self.bases.values():
            for arm, changes in self.arms.items():
                try:
                    base.config.but(**changes)
                except ValidationError as error:
                    first = error.errors()[0]
                    where = ".".join(map(str, first["loc"]))
                    raise ValueError(f"arm {arm!r}: {where}: {first['msg']}") from error
        return self

    @model_validator(mode="after")
    def _compares_different_things_once(self) -> Self:
        seen = set()
        for contrast in self.contrasts:
            what = (contrast.arm, contrast.against, contrast.metric)
            if contrast.arm == contrast.against:
                raise ValueError(f"{contrast.between}: an arm is compared with another")
            if what in seen:
                raise ValueError(f"{contrast.between}: the same contrast twice")
            seen.add(what)
        for dataset in self.bases:
            configs = [self.config(dataset, arm) for arm in self.arms]
            for arm, config in zip(self.arms, configs, strict=True):
                if configs.count(config) > 1:
                    raise ValueError(f"arm {arm!r} is the same as another on {dataset}")
        return self

    @model_validator(mode="after")
    def _says_what_it_expects(self) -> Self:
        for base in self.bases.values():
            for contrast in self.contrasts:
                if wrong := _wrong_numbers(contrast, contrast.metric or base.metric):
                    raise ValueError(f"{contrast.between}: {wrong}")
            if base.setting != "own question" and None in (self.paper_dataset, self.claim):
                raise ValueError(f"setting {base.setting!r} needs a claim and the paper's dataset")
        return self

    @model_validator(mode="after")
    def _metrics_can_be_measured(self) -> Self:
        for dataset, base in self.bases.items():
            metrics = [base.metric, *(c.metric for c in self.contrasts if c.metric)]
            for arm in self.arms:
                config = self.config(dataset, arm)
                for metric in metrics:
                    if wrong := _unmeasurable(metric, config):
                        raise ValueError(f"{arm}: {wrong}")
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


def _wrong_numbers(contrast: Contrast, metric: Metric) -> str | None:
    """Say what is wrong with what a contrast expects, or None."""
    nothing = 1.0 if metric.is_ratio else 0.0
    paper = contrast.paper
    if contrast.direction is None and paper in (None, nothing):
        return "say which way it should go (direction=)"
    if contrast.margin is None and not metric.is_ratio and not paper:
        return "say within what it is nothing (margin=)"
    margin = contrast.margin_for(metric)
    if metric.is_ratio and (margin <= 1 or (paper is not None and paper <= 0)):
        return "times are compared as a ratio: a margin is a factor above 1, a number positive"
    if isinstance(metric, FinalError | Gap) and (margin > LARGEST_MARGIN or abs(paper or 0) >= 1):
        return f"errors are fractions, half a point is 0.005; a margin is at most {LARGEST_MARGIN}"
    if paper is None or contrast.direction == "equal":
        return None
    if contrast.direction not in (None, "higher" if paper > nothing else "lower"):
        return f"the paper's number, {paper:g}, does not go {contrast.direction}"
    size = max(paper, 1 / paper) if metric.is_ratio else abs(paper)
    if margin >= size:
        return f"a margin of {margin:g} would call the paper's own effect, {paper:g}, nothing"
    return None


def _unmeasurable(metric: Metric, config: Config) -> str | None:
    """Say why runs of a config would not have a metric, or None."""
    until, classes = config.training.until, config.network.classes
    if isinstance(metric, FinalError) and metric.top == 5 and classes < 10:
        return f"top-5 error is not measured with {classes} classes, fewer than ten"
    schedules = (config.training.schedule, config.training.bias_schedule)
    if isinstance(metric, TimeTo) and any(isinstance(one, Exponential) for one in schedules):
        return "its rate falls with the length of a run, and tuning shortens those of slow rates"
    if until is None:
        return None
    if not isinstance(metric, TimeTo):
        return (
            f"its runs end at {until.training_error:g} training error (until), each at another "
            f"epoch, so {metric.kind} cannot be compared"
        )
    if metric.training_error < until.training_error:
        return (
            f"its runs end at {until.training_error:g} training error (until), before "
            f"{metric.training_error:g} is reached"
        )
    return None
