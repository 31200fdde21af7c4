"""What a study compares, read from one record."""

import math
from typing import NamedTuple

from ablations.record import Record
from ablations.study import EarlyLoss, FinalError, Gap, Metric, TimeTo
from alexnet.measures import Measure
from alexnet.progress import PARTS, early_loss, running_curve, time_to


class Outcome(NamedTuple):
    """A metric of one run."""

    value: float  # epochs, a fraction, or nats
    bound: bool = False  # the run never got there, or diverged: it stands for something worse


def observe(record: Record, metric: Metric) -> Outcome | None:
    """Return the metric of a run; None if it was not measured when the record was written.

    A run that never reaches the threshold, or diverges, counts as its horizon, flagged as a
    bound. A diverged run errs as chance does, on training images too, and has the loss of chance.
    """
    config, diverged = record.run.config, record.status == "diverged"
    classes = config.network.classes
    match metric:
        case TimeTo(training_error=error):
            reached = time_to(error, running_curve(record.curve))
            if reached is not None and not diverged:
                return Outcome(reached)
            return Outcome(float(config.training.epochs), bound=True)
        case FinalError(top=top):
            if diverged:
                return Outcome(1 - top / classes, bound=True)
            return _measured(_error(record, metric))
        case Gap():
            if diverged:
                return Outcome(0.0, bound=True)
            seen = record.measures
            if seen is None or seen.test is None:
                return None
            return Outcome(seen.test.top1_error - seen.train.top1_error)
        case EarlyLoss(share=share):
            if diverged:
                return Outcome(math.log(classes), bound=True)
            tenths = max(1, round(share * config.training.epochs * PARTS))
            return _measured(early_loss(record.curve, tenths))


def _error(record: Record, metric: FinalError) -> float | None:
    name = f"{metric.part}_ten" if metric.views == "ten" else metric.part
    measure: Measure | None = getattr(record.measures, name, None)
    if measure is None:
        return None
    return measure.top1_error if metric.top == 1 else measure.top5_error


def _measured(value: float | None) -> Outcome | None:
    return None if value is None else Outcome(value)
