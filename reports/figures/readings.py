"""Readings, ranked; and what each network comes to at every rate."""

import math
from collections.abc import Sequence
from typing import Any

import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ablations.plan import Plan
from alexnet.data.catalogue import called
from alexnet.text import counted
from reports.analysis.effect import Effect
from reports.figures.pictures import styled
from reports.findings.rate_map import RateCurve, rate_curves
from reports.findings.readings import ranked
from reports.findings.sections import Section
from reports.wording.formatting import metric_name, times

MARKERS = "os^D"
EPOCHS = (1, 2, 3, 5, 7, 10, 15, 20, 30, 50, 70, 100, 200)
"""What is written beside the axis of epochs."""


def draw_readings(section: Section) -> Figure | None:
    """Draw the ranked readings; while there are none, epochs against the rate; None without both.

    See `draw_rate_map` for that as a figure of its own.
    """
    plan, found = section.plan, ranked(section.comparison)
    if not found:
        return draw_rate_map(section)
    with styled("ticks"):
        figure = Figure(figsize=(9, 1.2 + 0.3 * max(3, len(found))), layout="constrained")
        _draw_ranked(figure.subplots(), found, plan)
    return figure


def draw_rate_map(section: Section) -> Figure | None:
    """Draw epochs against the rate, a line a network; None without arms of one rate each."""
    if not (curves := rate_curves(section)):
        return None
    plan = section.plan
    with styled("ticks"):
        figure = Figure(figsize=(9, 4.2), layout="constrained")
        axes = figure.subplots()
        draw_rate_curves(axes, curves, metric_name(plan.definition.metric))
        where = called(plan.definition.dataset.name)
        axes.set_title(f"{where}: epochs at every rate", loc="left")
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
    axes.set_yticks(range(len(found)), [effect.contrast.compared for effect in found])
    axes.set_ylim(max(len(found), 1) - 0.4, -0.6)
    axes.set_xlim(0, None)
    axes.set_xlabel("times as fast; a triangle points to where a bound leaves it open")
    done, all_ = len(found), len(plan.definition.contrasts)
    axes.set_title(f"{plan.about.title}  {done} of {counted(all_, 'reading')}", loc="left")
    sns.despine(ax=axes)


def draw_rate_curves(axes: Axes, curves: Sequence[RateCurve], what: str) -> None:
    """Draw epochs against the rate; a hollow triangle where not every seed arrived.

    Args:
        axes: Where to.
        curves: A line each.
        what: On the axis of epochs.
    """
    palette = sns.color_palette("colorblind", len(curves))
    for number, curve in enumerate(curves):
        color, marker = palette[number], MARKERS[number % len(MARKERS)]
        look: dict[str, Any] = {"color": color}
        reached = [point for point in curve.points if point.reached]
        axes.plot(
            [point.rate for point in reached], [point.mean for point in reached],
            marker=marker, markersize=5, linewidth=1.6, label=curve.name, **look,
        )  # fmt: skip
        for point in curve.points:
            values = [outcome.value for outcome in point.outcomes]
            axes.plot([point.rate] * len(values), values, marker, markersize=2.5, alpha=0.6, **look)
            if not point.reached:
                axes.plot(
                    [point.rate], [point.mean], "^", markersize=8, markerfacecolor="none", **look
                )
        if (best := curve.best) is not None:
            axes.plot([best.rate], [best.mean], "o", markersize=12, markerfacecolor="none", **look)
            axes.annotate(
                f"{curve.name}: {times(best.mean)} at {best.rate:g}", (best.rate, best.mean),
                xytext=(0, -14), textcoords="offset points", ha="center", va="top", **look,
                bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1},
            )  # fmt: skip
    rates = sorted({point.rate for curve in curves for point in curve.points})
    axes.set(xscale="log", yscale="log", xlabel="learning rate", ylabel=what)
    axes.set_xticks(rates, [f"{rate:g}" for rate in rates], rotation=45, fontsize=7)
    axes.minorticks_off()
    axes.margins(y=0.14)  # for what is written below the lowest
    low, high = axes.get_ylim()
    ticks = [
        tick for tick in (1, 2, 3, 5, 7, 10, 15, 20, 30, 50, 70, 100, 200) if low <= tick <= high
    ]
    axes.set_yticks(ticks, [str(tick) for tick in ticks])
    axes.legend(frameon=False)
