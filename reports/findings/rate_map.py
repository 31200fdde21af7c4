"""Epochs to the threshold against the rate: two activations, say, at every rate that was asked."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from ablations.metrics import Outcome, observe
from ablations.plan import apart_from_rate
from reports.findings.sections import Section
from reports.wording.formatting import times


class AtRate(NamedTuple):
    """One arm of one rate."""

    rate: float
    outcomes: tuple[Outcome, ...]  # of its seeds, epochs

    @property
    def reached(self) -> bool:
        """Whether every seed got to the threshold."""
        return not any(outcome.bound for outcome in self.outcomes)

    @property
    def mean(self) -> float:
        """The geometric mean of its epochs; at least so many where a seed did not get there."""
        return math.exp(np.mean([math.log(outcome.value) for outcome in self.outcomes]))


class RateCurve(NamedTuple):
    """One network at several rates, all of them given."""

    name: str
    points: tuple[AtRate, ...]  # rising

    @property
    def best(self) -> AtRate | None:
        """The rate at which every seed got there soonest; None if at none."""
        reached = [point for point in self.points if point.reached]
        return min(reached, key=lambda point: point.mean, default=None)

    def at(self, rate: float) -> AtRate | None:
        """Return what came of a rate, or None."""
        return next((point for point in self.points if point.rate == rate), None)


def rate_curves(section: Section) -> list[RateCurve]:
    """Return a curve for every network whose arms have a rate each, of those that have runs."""
    plan = section.plan
    definition = plan.definition
    groups: dict[str, list[str]] = {}
    for arm, config in definition.arms.items():
        if len(definition.rates_of.get(arm, ())) == 1:
            key = apart_from_rate(config).canonical + definition.precisions_of[arm]
            groups.setdefault(key, []).append(arm)
    found = []
    for arms in groups.values():
        points = []
        for arm in arms:
            records = section.records[arm].values()
            seen = tuple(o for record in records if (o := observe(record, definition.metric)))
            if seen:
                points.append(AtRate(definition.rates_of[arm][0], seen))
        if len(arms) > 1 and points:
            name = plan.label(arms[0]).rpartition(" at ")[0]
            found.append(RateCurve(name, tuple(sorted(points, key=lambda point: point.rate))))
    return found


def rate_readings(curves: Sequence[RateCurve]) -> list[str]:
    """Return what two curves say of how many times as fast the first is, a sentence a reading.

    At the best rate of each; both at the first's best; and at which rates one never arrived.
    """
    if len(curves) != 2 or any(curve.best is None for curve in curves):
        return []
    one, other = curves
    best, others_best = one.best, other.best
    assert best is not None
    assert others_best is not None
    lines = [
        f"each at its best rate ({best.rate:g} and {others_best.rate:g}): {one.name} "
        f"{times(others_best.mean / best.mean)} times as fast as {other.name}"
    ]
    for curve, mine, against in ((one, best, other), (other, others_best, one)):
        there = against.at(mine.rate)
        if there is None:
            continue
        bound = "" if there.reached else "at least "  # who did not arrive has the horizon
        lines.append(
            f"both at {curve.name}'s best rate, {mine.rate:g}: {curve.name} {bound}"
            f"{times(there.mean / mine.mean)} times as fast as {against.name}"
        )
    for curve in curves:
        never = [f"{point.rate:g}" for point in curve.points if not point.reached]
        if never:
            lines.append(f"{curve.name} does not arrive with every seed at {', '.join(never)}")
    return lines


def rate_table(curves: Sequence[RateCurve]) -> pd.DataFrame:
    """Return a row a rate: the mean epochs of each curve."""
    rates = sorted({point.rate for curve in curves for point in curve.points})
    rows = []
    for rate in rates:
        cells = [curve.at(rate) for curve in curves]
        shown = [
            "-" if cell is None else ("" if cell.reached else "> ") + times(cell.mean)
            for cell in cells
        ]
        rows.append([f"{rate:g}", *shown])
    return pd.DataFrame(
        rows, columns=["learning rate", *(f"{curve.name}, epochs" for curve in curves)]
    )
