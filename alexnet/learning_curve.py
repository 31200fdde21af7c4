"""What a pass over the training images leaves behind, and the curve drawn from it.

The same functions serve the training loop, which may stop at a threshold, and the report.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from alexnet.config import Config, Frozen, GiveUp, added_field

PARTS = 10
"""An epoch is counted in tenths."""


class Epoch(Frozen):
    """One pass over the training images, counted while training, as cuda-convnet prints it."""

    number: int  # 1, 2, ...
    errors: tuple[int, ...]  # images misclassified in each tenth
    images: tuple[int, ...]  # images seen in each tenth
    loss: float  # mean cross-entropy, nats
    losses: tuple[float, ...] = ()  # the same in each tenth; records of old have none
    seconds: float
    valid_error: float | None = added_field(None)  # a fraction; where it was measured

    @property
    def error(self) -> float:
        """The running training error of the whole pass, a fraction."""
        return sum(self.errors) / sum(self.images)


class Curve(NamedTuple):
    """The running training error, or loss, against epochs, both of shape (points,)."""

    epochs: NDArray[np.float64]
    errors: NDArray[np.float64]  # fractions; or losses, nats


def running_curve(epochs: Sequence[Epoch]) -> Curve:
    """Return the training error over a sliding window of one epoch's images.

    The window advances by a tenth of an epoch and its error is placed at its centre, so the
    first point, at 0.5, is the error of the first pass as a whole.
    """
    return _over_a_window([e for epoch in epochs for e in epoch.errors], epochs)


def valid_curve(epochs: Sequence[Epoch]) -> Curve | None:
    """Return the held-out error after each epoch; None if one was not measured."""
    errors = [epoch.valid_error for epoch in epochs if epoch.valid_error is not None]
    if not errors or len(errors) < len(epochs):
        return None
    return Curve(np.array([float(epoch.number) for epoch in epochs]), np.array(errors))


def _over_a_window(sums: Sequence[float], epochs: Sequence[Epoch]) -> Curve:
    """Return a mean over images, given its sum over each tenth of an epoch."""
    if not epochs:
        return Curve(np.empty(0), np.empty(0))
    totals = np.concatenate([[0], np.cumsum(sums)])
    images = np.concatenate([[0], np.cumsum([n for epoch in epochs for n in epoch.images])])
    window = images[PARTS]
    starts, ends = images[:-PARTS], images[PARTS:]
    return Curve(
        (starts + ends) / 2 / window,
        (totals[PARTS:] - totals[:-PARTS]) / (ends - starts),
    )


def time_to(error: float, curve: Curve) -> float | None:
    """Return the epochs after which ``curve`` first falls to ``error``, or None if it never does.

    Interpolated on a straight line between the two points around the crossing.

    >>> time_to(0.25, Curve(np.array([0.5, 0.6, 0.7]), np.array([0.5, 0.3, 0.2])))
    0.65
    """
    below = np.flatnonzero(curve.errors <= error)
    if not len(below):
        return None
    after = int(below[0])
    if after == 0:
        return float(curve.epochs[0])
    before = after - 1
    step = (curve.errors[before] - error) / (curve.errors[before] - curve.errors[after])
    x = curve.epochs
    return round(float(x[before] + step * (x[after] - x[before])), 9)


def early_loss(epochs: Sequence[Epoch], tenths: int) -> float | None:
    """Return the mean training loss, in nats, over the first so many tenths of an epoch.

    None if they were not all trained, or not counted by tenths.

    >>> epoch = Epoch(number=1, errors=(1, 1), images=(3, 1), loss=2.5, losses=(2, 4), seconds=1)
    >>> early_loss([epoch], 2), early_loss([epoch], 3)
    (2.5, None)
    """
    losses = [loss for epoch in epochs for loss in epoch.losses][:tenths]
    images = [count for epoch in epochs for count in epoch.images][:tenths]
    if len(losses) < tenths:
        return None
    return float(np.average(losses, weights=images))


def over(epochs: Sequence[Epoch], config: Config) -> bool:
    """Return whether a run with these epochs behind it is finished."""
    if len(epochs) >= config.training.epochs or gave_up(epochs, config):
        return True
    until = config.training.until
    return until is not None and time_to(until.training_error, running_curve(epochs)) is not None


def gave_up(epochs: Sequence[Epoch], config: Config) -> bool:
    """Return whether a run was still so close to chance that its config ends it."""
    rule = config.training.give_up
    if rule is None:
        return False
    judged = _judged_by(rule, epochs, config.training.batch)
    if judged is None:
        return False
    chance = 1 - 1 / config.network.classes
    return judged.error > chance - rule.within


def _judged_by(rule: GiveUp, epochs: Sequence[Epoch], batch: int) -> Epoch | None:
    """Return the first pass at whose end a rule's updates, or epochs, are done; None before."""
    updates = 0
    for epoch in epochs:
        updates += math.ceil(sum(epoch.images) / batch)
        done, asked = (epoch.number, rule.epoch) if rule.epoch else (updates, rule.updates)
        if asked is not None and done >= asked:
            return epoch
    return None
