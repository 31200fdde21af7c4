"""A study of readings: the ratio of each, ranked, and at every pair of rates that was tried."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import matplotlib as mpl
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.colors import TwoSlopeNorm
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ablations.plan import Plan
from ablations.tuning import Trial
from reports.comparison import Comparison
from reports.effect import Effect
from reports.words import estimate, interval, spoken, times

PER_ROW = 4
LARGEST = 8.0
"""Times; above it the map's colour says no more."""


def ranked(comparison: Comparison) -> list[Effect]:
    """Return the readings that have a pair of runs, the largest ratio first."""
    found = [effect for effect in comparison.effects if effect.estimate is not None]
    return sorted(found, key=lambda effect: -(effect.estimate or 0.0))


def readings_table(comparison: Comparison) -> pd.DataFrame:
    """Return a row a reading, ranked; what has no runs yet comes last."""
    none = [effect for effect in comparison.effects if effect.estimate is None]
    rows = [
        [
            str(place) if effect.pairs else "",
            effect.contrast.between,
            times(effect.mean),
            times(effect.mean_against),
            estimate(effect) if effect.pairs else "not run",
            interval(effect),
            f"{effect.pairs} of {effect.planned}",
        ]
        for place, effect in enumerate((*ranked(comparison), *none), 1)
    ]
    columns = ["", "reading", "epochs", "epochs of the other", "times", "95 % interval", "seeds"]
    return pd.DataFrame(rows, columns=columns)


class RateMap(NamedTuple):
    """The ratio of two arms' times at every pair of rates, by their tuning runs."""

    arm: str
    against: str
    rates: NDArray[np.float64]  # of the arm, (n,), rising
    against_rates: NDArray[np.float64]  # (m,), rising
    ratio: NDArray[np.float64]  # (m, n); NaN where neither got there
    bound: NDArray[np.int64]  # (m, n); 1: at least so much, -1: at most, 0: as it is


def rate_maps(plan: Plan) -> list[RateMap]:
    """Return a map for every contrast of two arms that each chose a rate of its own."""
    shared = plan.definition.tuned_as
    found = []
    for contrast in plan.definition.contrasts:
        sides = [plan.choices.get(arm) for arm in (contrast.arm, contrast.against)]
        if {contrast.arm, contrast.against} & shared.keys() or None in sides:
            continue
        trials = [sorted(one.trials, key=lambda t: t.rate) for one in sides if one is not None]
        if all(trials):
            found.append(_map(contrast.arm, contrast.against, *trials))
    return found


def _map(arm: str, against: str, mine: Sequence[Trial], other: Sequence[Trial]) -> RateMap:
    shape = (len(other), len(mine))
    ratio, bound = np.full(shape, np.nan), np.zeros(shape, dtype=np.int64)
    for row, slow in enumerate(other):
        for column, fast in enumerate(mine):
            if not (slow.reached or fast.reached):
                continue
            # Whoever did not get there takes at least the epochs that were given.
            times_of = [trial.mean if trial.reached else trial.epochs for trial in (slow, fast)]
            ratio[row, column] = times_of[0] / times_of[1]
            bound[row, column] = int(fast.reached) - int(slow.reached)
    return RateMap(
        arm,
        against,
        np.array([trial.rate for trial in mine]),
        np.array([trial.rate for trial in other]),
        ratio,
        bound,
    )


def draw_readings(plan: Plan, comparison: Comparison, style: dict[Any, Any]) -> Figure | None:
    """Draw the ranked readings and, beneath, the map of each; None without any of both."""
    found, maps = ranked(comparison), rate_maps(plan)
    if not found and not maps:
        return None
    rows = math.ceil(len(maps) / PER_ROW)
    top = 1.2 + 0.28 * max(3, len(found))
    with sns.axes_style("ticks"), mpl.rc_context(style):
        figure = Figure(figsize=(10, top + 2.6 * rows), layout="constrained")
        above, *below = figure.subfigures(
            1 + bool(maps), 1, height_ratios=(top, 2.6 * rows) if maps else None, squeeze=False
        ).ravel()
        _draw_ranked(above.subplots(), found, plan)
        if maps:
            panels = below[0].subplots(rows, PER_ROW, squeeze=False).ravel()
            for axes, one in zip(panels, maps, strict=False):
                _draw_map(axes, one, _paper(plan))
            for axes in panels[len(maps) :]:
                axes.set_visible(False)
    return figure


def _paper(plan: Plan) -> float | None:
    numbers = (contrast.paper for contrast in plan.definition.contrasts)
    return next((number for number in numbers if number is not None), None)


def _draw_ranked(axes: Axes, found: Sequence[Effect], plan: Plan) -> None:
    color = sns.color_palette("colorblind")[0]
    for row, effect in enumerate(found):
        at = effect.estimate or math.nan
        marker = {"lower": ">", "upper": "<"}.get(effect.bound, "o")
        axes.plot(effect.by_seed, [row + 0.2] * len(effect.by_seed), "o", color="0.6", markersize=3)
        spread = None
        if effect.low is not None and effect.high is not None and effect.bound == "none":
            spread = [[at - effect.low], [effect.high - at]]
        axes.errorbar([at], [row], xerr=spread, fmt=marker, color=color, capsize=2)
    if (paper := _paper(plan)) is not None:
        axes.axvline(paper, color="0.35", linewidth=0.8, linestyle=(0, (4, 2)))
        axes.annotate(
            f"the paper: {paper:g}", (paper, 1), xycoords=("data", "axes fraction"),
            xytext=(3, -10), textcoords="offset points", color="0.35",
        )  # fmt: skip
    axes.axvline(1, color="0.75", linewidth=0.8, zorder=0)
    axes.set_yticks(range(len(found)), [spoken(effect.contrast.between) for effect in found])
    axes.set_ylim(max(len(found), 1) - 0.4, -0.6)
    axes.set_xlim(0, None)
    axes.set_xlabel("times as fast; a triangle points to where a bound leaves it open")
    done, all_ = len(found), len(plan.definition.contrasts)
    axes.set_title(f"{plan.about.title}  {done} of {all_} readings", loc="left")
    sns.despine(ax=axes)


def _draw_map(axes: Axes, one: RateMap, paper: float | None) -> None:
    """Draw a cell a pair of rates, and where the ratio passes the paper's."""
    scale = TwoSlopeNorm(0.0, -math.log(LARGEST), math.log(LARGEST))
    logs = np.log(one.ratio)
    axes.pcolormesh(logs, cmap="PuOr_r", norm=scale, edgecolors="white", linewidth=1)
    for (row, column), value in np.ndenumerate(one.ratio):
        if np.isnan(value):
            continue
        sign = {1: "> ", -1: "< "}.get(int(one.bound[row, column]), "")
        dark = abs(logs[row, column]) > 0.7 * math.log(LARGEST)
        axes.text(
            column + 0.5, row + 0.5, f"{sign}{value:.2g}", ha="center", va="center", fontsize=7,
            color="white" if dark else "0.15",
        )  # fmt: skip
    if paper is not None and min(logs.shape) > 1 and (one.ratio >= paper).any():
        x, y = (np.arange(count) + 0.5 for count in logs.shape[::-1])
        axes.contour(x, y, logs, levels=[math.log(paper)], colors="0.1", linewidths=1.2)
    axes.set_xticks(
        np.arange(len(one.rates)) + 0.5, [f"{rate:g}" for rate in one.rates], fontsize=7
    )
    against = [f"{rate:g}" for rate in one.against_rates]
    axes.set_yticks(np.arange(len(against)) + 0.5, against, fontsize=7)
    name, _, arm = one.arm.rpartition(": ")
    axes.set_title(name or one.arm, fontsize=8, loc="left")
    axes.set_xlabel(f"rate of {spoken(arm)}", fontsize=7)
    axes.set_ylabel(f"rate of {spoken(one.against.rpartition(': ')[2])}", fontsize=7)
