"""How the rates move: pure functions of what has been trained so far."""

from collections.abc import Sequence
from typing import NamedTuple

from alexnet.config import (
    Constant,
    Drops,
    Exponential,
    Plateau,
    Schedule,
    Steps,
    Training,
)
from alexnet.learning_curve import Epoch


class Factors(NamedTuple):
    """What the rates of weights and biases are multiplied by, and those of single layers."""

    weights: float = 1.0
    biases: float = 1.0
    layers: tuple[tuple[str, str, float], ...] = ()  # layer, "weights" or "biases", factor


FULL = Factors()


def factors(training: Training, done: Sequence[Epoch], updates: int, each: int) -> Factors:
    """Return what multiplies the rates in the next update.

    Args:
        training: Says how they move.
        done: The epochs trained so far.
        updates: The updates made so far, in all epochs.
        each: Updates in an epoch.
    """
    biases = training.bias_schedule or training.schedule
    return Factors(
        factor(training.schedule, done, updates, each * training.epochs),
        factor(biases, done, updates, each * training.epochs),
        tuple(
            (one.layer, of, one.factor)
            for one in training.layer_rates
            if len(done) >= one.after
            for of in ("weights", "biases")
            if one.of in ("all", of)
        ),
    )


def factor(schedule: Schedule, done: Sequence[Epoch], updates: int, total: int) -> float:
    """Return what one schedule multiplies a rate by in the next update.

    Args:
        schedule: Which one.
        done: The epochs trained so far.
        updates: The updates made so far.
        total: All that there can be, which `Exponential` divides into steps.
    """
    match schedule:
        case Constant():
            return 1.0
        case Drops(after=after):
            return float(schedule.factor ** sum(len(done) >= drop for drop in after))
        case Plateau():
            errors = [epoch.valid_error for epoch in done]
            return float(schedule.factor ** len(plateaus(schedule, errors)))
        case Steps(updates=each):
            return float(schedule.factor ** (updates // each))
        case Exponential(fall=fall, steps=steps):
            return float(fall ** -(updates * steps // total / (steps - 1)))


def plateaus(schedule: Plateau, errors: Sequence[float | None]) -> list[int]:
    """Return the epochs (1, 2, ...) after which the error had stopped improving.

    Raises:
        ValueError: If an epoch has no error on ``valid``.
    """
    best, since, found = float("inf"), 0, list[int]()
    for number, error in enumerate(errors, start=1):
        if error is None:
            raise ValueError(f"epoch {number} was trained without measuring the error on valid")
        better = error < best - schedule.improvement
        best, since = (error, 0) if better else (best, since + 1)
        if since == schedule.patience and len(found) < schedule.drops:
            found.append(number)
            since = 0
    return found
