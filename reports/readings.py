"""A study of readings: the ratio of each, ranked, and what it comes to at every rate."""

import math
from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ablations.plan import Plan
from ablations.store import Store
from reports.comparison import Comparison
from reports.effect import Effect
from reports.rate_map import draw_rate_curves, rate_curves
from reports.words import estimate, interval, metric_name, spoken, times


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


def draw_readings(
    plan: Plan, comparison: Comparison, store: Store, style: dict[Any, Any]
) -> Figure | None:
    """Draw the ranked readings and, beneath, epochs against the rate; None without any of both."""
    found, curves = ranked(comparison), rate_curves(plan, store)
    if not found and not curves:
        return None
    top = 1.2 + 0.28 * max(3, len(found))
    with sns.axes_style("ticks"), mpl.rc_context(style):
        figure = Figure(figsize=(10, top + (4.0 if curves else 0)), layout="constrained")
        above, *below = figure.subfigures(
            1 + bool(curves), 1, height_ratios=(top, 4.0) if curves else None, squeeze=False
        ).ravel()
        _draw_ranked(above.subplots(), found, plan)
        if curves:
            axes = below[0].subplots()
            draw_rate_curves(axes, curves, metric_name(plan.definition.metric))
            sns.despine(ax=axes)
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
