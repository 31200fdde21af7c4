"""What a study compares, read from one record."""

from typing import NamedTuple

from ablations.record import Record
from ablations.study import FinalError, Metric, TimeTo
from alexnet.progress import running_curve, time_to


class Outcome(NamedTuple):
    """A metric of one run."""

    value: float  # epochs, or a fraction
    bound: bool = False  # the true value is larger: the run never got there


def observe(record: Record, metric: Metric) -> Outcome:
    """Return the metric of a run.

    A run that never reaches the threshold, or diverges, counts as its horizon, flagged as a
    bound; a diverged run's error is chance.
    """
    match metric:
        case TimeTo(training_error=error):
            reached = time_to(error, running_curve(record.curve))
            if reached is not None and record.status == "finished":
                return Outcome(reached)
            return Outcome(float(record.run.config.training.epochs), bound=True)
        case FinalError(part=part):
            measured = getattr(record.measures, part, None)
            if measured is None:
                return Outcome(1 - 1 / record.run.config.network.classes, bound=True)
            return Outcome(float(measured.top1_error))
