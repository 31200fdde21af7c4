"""What a study compares, read from one record."""

import math
from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from ablations.record import Record
from alexnet.config import Config, Exponential, Fraction, Frozen
from alexnet.learning_curve import (
    PARTS,
    early_loss,
    running_curve,
    time_to,
    valid_curve,
)
from alexnet.measures import Measure
from alexnet.random_streams import derive
from alexnet.text import counted

SHUFFLES = 1_000
"""Ways to deal kernels to two towers that a run's own is compared with."""
HALF = 0.5
"""The mean rank of what is dealt by chance among others that are."""


class TimeTo(Frozen):
    """Epochs until the running training error first falls to a threshold; compared as a ratio."""

    is_ratio: ClassVar[bool] = True
    kind: Literal["time_to"] = "time_to"
    training_error: Fraction


class TimeToValid(Frozen):
    """Epochs until the held-out error first falls to what all of these arms end with.

    That is the largest of their last held-out errors with the same seed: all of them get there,
    and none is measured by an error that its own noise, as dropout's while training, holds up.
    """

    is_ratio: ClassVar[bool] = True
    kind: Literal["time_to_valid"] = "time_to_valid"
    arms: tuple[str, ...] = Field(min_length=1)


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


class SameClass(Frozen):
    """Share of a test image's nearest training images that are of its class, section 6.1."""

    is_ratio: ClassVar[bool] = False
    kind: Literal["same_class"] = "same_class"
    # distance in the last hidden layer, in that of the same network before training, or in pixels:
    by: Literal["hidden", "untrained", "pixels"] = "hidden"


class TowerDifference(Frozen):
    """How far the towers' mean colour selectivity is apart in conv1, section 6.1, Figure 3.

    ``shuffled`` is the mean over kernels dealt to two towers by chance.
    """

    is_ratio: ClassVar[bool] = False
    kind: Literal["tower_difference"] = "tower_difference"
    kernels: Literal["as trained", "shuffled"] = "as trained"


class TowerRank(Frozen):
    """How unusual the towers' difference is among kernels dealt to them by chance, section 6.1.

    The share of deals that leave the towers less far apart, ties by half: near 1 in a run whose
    towers specialise, and anywhere from 0 to 1 alike, with a mean of 1/2, if they do not.
    """

    is_ratio: ClassVar[bool] = False
    kind: Literal["tower_rank"] = "tower_rank"
    kernels: Literal["as trained", "by chance"] = "as trained"


class EnsembleError(Frozen):
    """Test error of the averaged probabilities of ``networks`` runs with other seeds, Table 2.

    Seeds are taken in disjoint groups, in their order: the unit is a group, not a run.
    """

    is_ratio: ClassVar[bool] = False
    kind: Literal["ensemble_error"] = "ensemble_error"
    networks: int = Field(ge=1)
    group: int = Field(ge=1)  # seeds of a value, cut into as many ensembles as there are in it

    @property
    def key(self) -> str:
        """By what a plan keeps its errors."""
        return f"{self.networks} of {self.group}"

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.networks > self.group:
            raise ValueError(
                f"a group of {counted(self.group, 'seed')} has no {self.networks} networks"
            )
        return self


Metric = Annotated[
    TimeTo
    | TimeToValid
    | FinalError
    | Gap
    | EarlyLoss
    | SameClass
    | TowerDifference
    | TowerRank
    | EnsembleError,
    Field(discriminator="kind"),
]


class Outcome(NamedTuple):
    """A metric of one run."""

    value: float  # epochs, a fraction, or nats
    bound: bool = False  # the run never got there, or diverged: it stands for something worse


def observe(
    record: Record, metric: Metric, references: Sequence[Record] | None = None
) -> Outcome | None:
    """Return the metric of a run; None if it was not measured when the record was written.

    A run that never reaches the threshold, or diverges, counts as its horizon, flagged as a
    bound. A diverged run errs as chance does, on training images too, and has the loss of chance.

    Args:
        record: Of the run.
        metric: Of a single run; `EnsembleError` is of several.
        references: Runs of the same seed of all arms that `TimeToValid` names.
    """
    classes = record.run.config.network.classes
    if record.status == "diverged":
        return _of_a_diverged_run(metric, classes, float(record.run.config.training.epochs))
    seen = record.measures
    match metric:
        case TimeTo(training_error=error):
            return _time(record, time_to(error, running_curve(record.curve)))
        case TimeToValid():
            curve, goal = valid_curve(record.curve), _common_level(references or ())
            return None if curve is None or goal is None else _time(record, time_to(goal, curve))
        case FinalError():
            return _measured(_error(record, metric))
        case Gap():
            if seen is None or seen.test is None:
                return None
            return Outcome(seen.test.top1_error - seen.train.top1_error)
        case EarlyLoss(share=share):
            tenths = max(1, round(share * record.run.config.training.epochs * PARTS))
            return _measured(early_loss(record.curve, tenths))
        case SameClass(by=by):
            near = seen.neighbours if seen else None
            return _measured(getattr(near, by)) if near else None
        case TowerDifference(kernels=kernels):
            selectivity = seen.colour_selectivity if seen else None
            if not selectivity:
                return None
            return Outcome(tower_difference(selectivity, kernels == "shuffled"))
        case TowerRank(kernels=kernels):
            selectivity = seen.colour_selectivity if seen else None
            if not selectivity:
                return None
            return Outcome(tower_rank(selectivity) if kernels == "as trained" else HALF)
        case EnsembleError():
            raise TypeError("an ensemble is of several runs; see ablations.ensembles")


def _of_a_diverged_run(metric: Metric, classes: int, horizon: float) -> Outcome | None:
    match metric:
        case TimeTo() | TimeToValid():
            return Outcome(horizon, bound=True)
        case FinalError(top=top):
            return Outcome(1 - top / classes, bound=True)
        case EarlyLoss():
            return Outcome(math.log(classes), bound=True)
        case Gap() | TowerDifference():
            return Outcome(0.0, bound=True)
        case TowerRank():
            return Outcome(HALF, bound=True)
        case SameClass():
            return Outcome(1 / classes, bound=True)
        case EnsembleError():
            return None


def _common_level(records: Sequence[Record]) -> float | None:
    """Return the held-out error that all runs end with or below; of one that diverged, chance."""
    ends = [_last_valid(record) for record in records]
    known = [end for end in ends if end is not None]
    return max(known) if known and len(known) == len(ends) else None


def _last_valid(record: Record) -> float | None:
    if record.status == "diverged":
        return 1 - 1 / record.run.config.network.classes
    return record.curve[-1].valid_error if record.curve else None


def _time(record: Record, reached: float | None) -> Outcome:
    horizon = float(record.run.config.training.epochs)
    return Outcome(horizon, bound=True) if reached is None else Outcome(reached)


def tower_difference(selectivity: Sequence[float], shuffled: bool) -> float:
    """Return how far apart the mean selectivity of the first and second half of the kernels is.

    Args:
        selectivity: Of each kernel, the first tower's first.
        shuffled: The mean of that over kernels dealt to the towers by chance.

    >>> tower_difference([0.1, 0.1, 0.9, 0.9], shuffled=False)
    0.8
    """
    if not shuffled:
        return round(float(_apart(np.array([selectivity]))[0]), 9)
    return float(_dealt(selectivity).mean())


def tower_rank(selectivity: Sequence[float]) -> float:
    """Return the share of ways to deal kernels to two towers that leave these less far apart.

    Args:
        selectivity: Of each kernel as trained, the first tower's first.

    >>> tower_rank([0.0, 0.1, 0.2, 0.3, 0.7, 0.8, 0.9, 1.0]) > 0.95
    True
    """
    trained, dealt = tower_difference(selectivity, shuffled=False), _dealt(selectivity).round(9)
    return float((dealt < trained).mean() + (dealt == trained).mean() / 2)


def _dealt(selectivity: Sequence[float]) -> NDArray[np.float64]:
    """Return how far apart towers are whose kernels are dealt by chance, (deals,)."""
    chance = np.random.default_rng(derive(0, "kernels dealt to towers"))
    return _apart(chance.permuted(np.tile(np.array(selectivity), (SHUFFLES, 1)), axis=1))


def _apart(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how far apart the means of both halves are, of each row (rows, kernels)."""
    half = values.shape[1] // 2
    apart: NDArray[np.float64] = np.abs(values[:, :half].mean(1) - values[:, half:].mean(1))
    return apart


def unmeasurable(metric: Metric, config: Config) -> str | None:
    """Say why runs of a config would not have a metric, or None."""
    classes = config.network.classes
    if isinstance(metric, FinalError) and metric.top == 5 and classes < 10:
        return f"top-5 error is not measured with {counted(classes, 'class')}, fewer than ten"
    schedules = (config.training.schedule, config.training.bias_schedule)
    if metric.is_ratio and any(isinstance(one, Exponential) for one in schedules):
        return "its rate falls with the length of a run, and tuning shortens those of slow rates"
    if wrong := _ends_too_early(metric, config):
        return wrong
    if isinstance(metric, TimeToValid) and not config.training.validates:
        return (
            "its runs do not measure the held-out error after each epoch (training "
            "validate_each_epoch=True)"
        )
    return None


def _ends_too_early(metric: Metric, config: Config) -> str | None:
    """Say why runs that end at a training error would not have a metric, or None."""
    until = config.training.until
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


def _error(record: Record, metric: FinalError) -> float | None:
    name = f"{metric.part}_ten" if metric.views == "ten" else metric.part
    measure: Measure | None = getattr(record.measures, name, None)
    if measure is None:
        return None
    return measure.top1_error if metric.top == 1 else measure.top5_error


def _measured(value: float | None) -> Outcome | None:
    return None if value is None else Outcome(value)
