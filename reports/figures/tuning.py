"""How each arm's rate was chosen: what every rate came to, by seed."""

from typing import Any

import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ablations.metrics import Metric
from ablations.plan import Plan
from ablations.tuning import Choice, held_out
from reports.figures.pictures import LINES, styled
from reports.wording.formatting import metric_name

MARKERS = "osD^vPX*"
MANY = 12
"""Arms above which the legend no longer fits beside the curves."""


def draw_tuning(plan: Plan) -> Figure | None:
    """Draw the outcome of every rate that was tried, its seeds as points; None without any.

    A ring marks the rate that was chosen; what did not get there is hollow, at what it was given.
    """
    choices = {arm: choice for arm, choice in plan.choices.items() if choice.trials}
    if not choices:
        return None
    metric = held_out(plan.definition.metric)
    with styled("ticks"):
        figure = Figure(figsize=(7.2, 3.0), layout="constrained")
        axes = figure.subplots()
        palette = sns.color_palette("colorblind", len(choices))
        for number, arm in enumerate(list(choices)[::-1]):  # as in the study's own figure
            look = {"color": palette[number], "linestyle": LINES[number % len(LINES)]}
            _draw_arm(axes, arm, choices[arm], metric, MARKERS[number % len(MARKERS)], look)
        axes.set_xscale("log")
        rates = sorted({trial.rate for one in choices.values() for trial in one.trials})
        axes.set_xticks(rates, [f"{rate:g}" for rate in rates])
        axes.minorticks_off()
        axes.set(xlabel="learning rate", ylabel=_name(metric))
        axes.legend(
            frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5),
            ncols=1 if len(choices) <= MANY else 2,
        )  # fmt: skip
        sns.despine(figure)
    return figure


def _name(metric: Metric) -> str:
    name = metric_name(metric)
    unit = "" if metric.is_ratio or metric.kind == "early_loss" else ", %"
    return f"{name}{unit}".replace(" to ", "\nto ").replace(" over ", "\nover ")


def _draw_arm(
    axes: Axes, arm: str, choice: Choice, metric: Metric, marker: str, look: dict[str, Any]
) -> None:
    scale = 1.0 if metric.is_ratio or metric.kind == "early_loss" else 100.0
    trials = sorted(choice.trials, key=lambda trial: trial.rate)
    x, y = [trial.rate for trial in trials], [scale * trial.mean for trial in trials]
    axes.plot(x, y, marker=marker, markersize=0, linewidth=1.4, **look)
    axes.plot([], [], marker=marker, markersize=5, linewidth=1.4, label=arm, **look)
    for trial in trials:
        inside = look["color"] if trial.reached else "white"
        values = [scale * outcome for outcome in trial.outcomes]
        axes.plot(
            [trial.rate] * len(values), values, marker, color=look["color"],
            markerfacecolor=inside, markersize=4,
        )  # fmt: skip
    if (chosen := choice.chosen) is not None:
        axes.plot(
            [chosen.rate], [scale * chosen.mean], "o", color=look["color"],
            markerfacecolor="none", markersize=12, markeredgewidth=1.2,
        )  # fmt: skip
