"""Choosing each arm's rate: the same grid, the same seeds, and a rule that reads records alone.

Rates are tried from the largest down, each with the tuning seeds. A run that is still at chance
when the plan gives up ends there. Once a rate has reached the threshold of a time-to-threshold
study with every seed, the rates after it get the epochs that a tenth more than its mean time
takes, and never more than the horizon. A rate that a seed does not bring there in that time is
not chosen, even if another seed was so fast that their mean would win.

Where a plan refines, a best rate at the edge of the grid is followed by one beyond that edge, and
then both neighbours of the best, at a factor of the square root of three, are tried; once, and
whatever they show. All arms follow one rule. A grid of one rate leaves nothing to choose, and
nothing is tried.
"""

import math
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import NamedTuple

from pydantic import Field, PositiveFloat

from ablations.metrics import FinalError, Gap, Metric, Outcome, TimeTo, observe
from ablations.record import Record
from ablations.run import TUNING_SEEDS, Run
from alexnet.config import Config, Frozen, GiveUp
from alexnet.learning_curve import gave_up

STEP = 3.0
"""About the factor between neighbours of a grid."""
NEIGHBOURS = 2
"""Of the best rate, tried where a plan refines."""
ALIKE = 1.05
"""Of a distance in logarithms: rates are written to three figures."""


class Trial(Frozen):
    """One rate, tried with every tuning seed."""

    rate: PositiveFloat
    epochs: int  # the most that its runs were given
    outcomes: tuple[float, ...] = Field(min_length=1)  # by seed; epochs or a fraction
    reached: bool  # every seed got a value that is not a bound
    runs: tuple[str, ...]  # ids

    @property
    def mean(self) -> float:
        """The mean outcome over the seeds."""
        return sum(self.outcomes) / len(self.outcomes)


class Choice(Frozen):
    """The rate chosen for one arm, with all that it was chosen from."""

    rate: PositiveFloat
    trials: tuple[Trial, ...]  # none where there was one rate
    none_reached: bool  # no rate got a value; the smallest was taken
    edge: bool  # the best rate is the largest or smallest tried

    @property
    def chosen(self) -> Trial | None:
        """The trial of the rate that was chosen; None where it was the only one."""
        return next((trial for trial in self.trials if trial.rate == self.rate), None)

    @property
    def step(self) -> float | None:
        """The factor to the next rates that were tried, the larger: how finely the best is known.

        None where nothing was tried. At an edge, of the side that was looked at.
        """
        rates = [trial.rate for trial in self.trials]
        below = [self.rate / rate for rate in rates if rate < self.rate]
        above = [rate / self.rate for rate in rates if rate > self.rate]
        return max((min(side) for side in (below, above) if side), default=None)


class Pending(NamedTuple):
    """Tuning is not done; these runs are needed next."""

    runs: list[Run]
    tried: float  # rates that are done; a part of one by its seeds
    rates: int  # to be tried, as far as is known


def tune(
    config: Config,
    metric: Metric,
    rates: Sequence[float],
    give_up: GiveUp | None,
    make_run: Callable[[Config, int], Run],
    find: Callable[[Run], Record | None],
    refine: bool = False,
) -> Choice | Pending:
    """Return the rate that the records choose for an arm, or the runs still missing for it.

    Args:
        config: The arm, at any rate.
        metric: What the study compares; what needs ``test`` is judged on ``valid`` here.
        rates: The grid.
        give_up: When a run counts as hopeless, if ever.
        make_run: Completes a config and a seed to a run.
        find: Returns the record of a run, or None.
        refine: Whether to go on beyond an edge of the grid, and then closer to the best rate.
    """
    if len(rates) == 1:
        return Choice(rate=rates[0], trials=(), none_reached=False, edge=False)
    judged = held_out(metric)
    trials: list[Trial] = []

    def missing(together: Sequence[float], then: int) -> Pending | None:
        """Add the trials of rates that do not wait for each other; or say what they lack."""
        epochs = _epochs(trials, judged, config.training.epochs)
        found, lacking = [], []
        for rate in together:
            changed = at_rate(config, rate).but(
                training={"epochs": epochs, "give_up": give_up and give_up.model_dump()}
            )
            runs = [make_run(changed, seed) for seed in TUNING_SEEDS]
            records = [record for run in runs if (record := find(run)) is not None]
            if len(records) < len(runs):
                lacking += [run for run in runs if find(run) is None]
            else:
                found.append(_trial(rate, epochs, runs, records, judged))
        if lacking:
            tried = len(trials) + len(together) - len(lacking) / len(TUNING_SEEDS)
            return Pending(lacking, tried, len(trials) + len(together) + then)
        trials.extend(found)
        return None

    grid = sorted(rates, reverse=True)
    for place, rate in enumerate(grid, 1):
        if pending := missing([rate], then=len(grid) - place + NEIGHBOURS * refine):
            return pending
    if refine and not (best := choose(trials)).none_reached:
        if best.edge and (pending := missing([_beyond(best)], then=NEIGHBOURS)):
            return pending
        if pending := missing(closer_rates(choose(trials)), then=0):
            return pending
    return choose(trials)


def rates_tried(rates: Sequence[float], refine: bool) -> int:
    """Return how many rates of an arm are tried, if none is best at the edge of the grid."""
    if len(rates) == 1:
        return 0
    return len(rates) + NEIGHBOURS * refine


def _beyond(best: Choice) -> float:
    """Return the rate a step outside of the grid, on the side of a best rate at its edge."""
    largest = max(trial.rate for trial in best.trials)
    return to_three_figures(best.rate * STEP if best.rate == largest else best.rate / STEP)


def closer_rates(best: Choice) -> list[float]:
    """Return the rates half a step from the best, but on a side that was looked at as closely."""
    half = math.sqrt(STEP)
    closer = {
        math.copysign(1, math.log(trial.rate / best.rate))
        for trial in best.trials
        if 0 < abs(math.log(trial.rate / best.rate)) < math.log(half) * ALIKE
    }
    return [to_three_figures(best.rate * half**side) for side in (1.0, -1.0) if side not in closer]


def to_three_figures(rate: float) -> float:
    """Return a rate to three figures, as people write them.

    >>> to_three_figures(0.01 * 3**0.5)
    0.0173
    """
    return float(f"{rate:.3g}")


def _trial(
    rate: float, epochs: int, runs: Sequence[Run], records: Sequence[Record], judged: Metric
) -> Trial:
    outcomes = [_outcome(record, judged) for record in records]
    return Trial(
        rate=rate,
        epochs=epochs,
        outcomes=tuple(outcome.value for outcome in outcomes),
        reached=not any(outcome.bound for outcome in outcomes),
        runs=tuple(run.id for run in runs),
    )


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


@lru_cache(maxsize=4096)
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
