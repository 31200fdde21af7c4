"""Choosing each arm's rate: the same grid, the same seeds, and a rule that reads records alone.

Rates are tried from the largest down, each with the tuning seeds. A run that is still at chance
when the plan gives up ends there. Once a rate has reached the threshold of a time-to-threshold
study with every seed, the rates after it get the epochs that a tenth more than its mean time
takes, and never more than the horizon. A rate that a seed does not bring there in that time is
not chosen, even if another seed was so fast that their mean would win. All arms follow one rule.
A grid of one rate leaves nothing to choose, and nothing is tried.
"""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

from ablations.metrics import FinalError, Gap, Metric, Outcome, TimeTo, observe
from ablations.record import Record
from ablations.run import TUNING_SEEDS, Run
from alexnet.config import Config, Frozen, GiveUp
from alexnet.progress import gave_up


class Trial(Frozen):
    """One rate, tried with every tuning seed."""

    rate: float
    epochs: int  # the most that its runs were given
    outcomes: tuple[float, ...]  # by seed; epochs or a fraction
    reached: bool  # every seed got a value that is not a bound
    runs: tuple[str, ...]  # ids

    @property
    def mean(self) -> float:
        """The mean outcome over the seeds."""
        return sum(self.outcomes) / len(self.outcomes)


class Choice(Frozen):
    """The rate chosen for one arm, with all that it was chosen from."""

    rate: float
    trials: tuple[Trial, ...]  # none where there was one rate
    none_reached: bool  # no rate got a value; the smallest was taken
    edge: bool  # the best rate is the largest or smallest tried

    @property
    def chosen(self) -> Trial | None:
        """The trial of the rate that was chosen; None where it was the only one."""
        return next((trial for trial in self.trials if trial.rate == self.rate), None)


class Pending(NamedTuple):
    """Tuning is not done; these runs are needed next."""

    runs: list[Run]
    tried: int  # rates that are done


def tune(
    config: Config,
    metric: Metric,
    rates: Sequence[float],
    give_up: GiveUp | None,
    make_run: Callable[[Config, int], Run],
    find: Callable[[Run], Record | None],
) -> Choice | Pending:
    """Return the rate that the records choose for an arm, or the runs still missing for it.

    Args:
        config: The arm, at any rate.
        metric: What the study compares; what needs ``test`` is judged on ``valid`` here.
        rates: The grid.
        give_up: When a run counts as hopeless, if ever.
        make_run: Completes a config and a seed to a run.
        find: Returns the record of a run, or None.
    """
    if len(rates) == 1:
        return Choice(rate=rates[0], trials=(), none_reached=False, edge=False)
    judged = held_out(metric)
    trials: list[Trial] = []
    for rate in sorted(rates, reverse=True):
        epochs = _epochs(trials, judged, config.training.epochs)
        changed = at_rate(config, rate).but(
            training={"epochs": epochs, "give_up": give_up and give_up.model_dump()}
        )
        runs = [make_run(changed, seed) for seed in TUNING_SEEDS]
        records = [find(run) for run in runs]
        if missing := [run for run, record in zip(runs, records, strict=True) if record is None]:
            return Pending(missing, len(trials))
        outcomes = [_outcome(record, judged) for record in records if record is not None]
        trials.append(
            Trial(
                rate=rate,
                epochs=epochs,
                outcomes=tuple(outcome.value for outcome in outcomes),
                reached=not any(outcome.bound for outcome in outcomes),
                runs=tuple(run.id for run in runs),
            )
        )
    return choose(trials)


def held_out(metric: Metric) -> Metric:
    """Return the metric that rates are chosen by: the study's own, unless it needs ``test``."""
    match metric:
        case FinalError(part="test"):
            return metric.but(part="valid")
        case Gap():
            return FinalError(part="valid")
        case _:
            return metric


def choose(trials: Sequence[Trial]) -> Choice:
    """Return the rate with the best mean among those reached by every seed; ties to the smaller."""
    reached = [trial for trial in trials if trial.reached]
    best = min(reached or trials, key=lambda t: (t.mean if reached else 0.0, t.rate))
    rates = [trial.rate for trial in trials]
    return Choice(
        rate=best.rate,
        trials=tuple(trials),
        none_reached=not reached,
        edge=len(rates) > 1 and best.rate in (min(rates), max(rates)),
    )


def at_rate(config: Config, rate: float) -> Config:
    """Return a config with its rate replaced; the biases' rate is a multiple of it and follows."""
    return config.but(training={"optimizer": {"rate": rate}})


def _epochs(trials: Sequence[Trial], metric: Metric, horizon: int) -> int:
    reached = [trial.mean for trial in trials if trial.reached]
    if not reached or not isinstance(metric, TimeTo):
        return horizon
    # The window's centre is half an epoch behind, so to see time t takes t + 1/2 epochs.
    return min(horizon, math.ceil(1.1 * min(reached) + 0.5))


def _outcome(record: Record, metric: Metric) -> Outcome:
    """Flag a run that gave up as one that never got there, whatever it was measured at."""
    outcome = observe(record, metric) or Outcome(1.0, bound=True)
    return outcome._replace(bound=outcome.bound or gave_up(record.curve, record.run.config))
