"""Readings, ranked, and what each network comes to at every rate, as one figure."""

import math
from collections.abc import Sequence
from typing import Any

import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ablations.plan import Plan
from alexnet.text import counted
from reports.analysis.effect import Effect
from reports.figures.pictures import styled
from reports.findings.rate_map import RateCurve, rate_curves
from reports.findings.readings import ranked
from reports.findings.sections import Section
from reports.wording.formatting import metric_name

MARKERS = "os^D"


def draw_readings(section: Section) -> Figure | None:
    """Draw the ranked readings and, beneath, epochs against the rate; None without any of both."""
    plan, found, curves = section.plan, ranked(section.comparison), rate_curves(section)
    if not found and not curves:
        return None
    top = 1.2 + 0.28 * max(3, len(found))
    with styled("ticks"):
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
    rates = sorted({point.rate for curve in curves for point in curve.points})
    axes.set(xscale="log", yscale="log", xlabel="learning rate", ylabel=what)
    axes.set_xticks(rates, [f"{rate:g}" for rate in rates], rotation=45, fontsize=7)
    axes.minorticks_off()
    low, high = axes.get_ylim()
    ticks = [tick for tick in (1, 2, 3, 5, 10, 20, 30, 50, 70, 100, 200) if low <= tick <= high]
    axes.set_yticks(ticks, [str(tick) for tick in ticks])
    axes.legend(frameon=False)
