"""What a study compares, a row a contrast: seeds, mean, interval, margin, the paper's number."""

import textwrap
from collections.abc import Sequence

import numpy as np
import seaborn as sns
from matplotlib.axes import Axes

from reports.analysis.effect import Effect
from reports.wording.formatting import metric_name, unit
from reports.wording.sentences import effect_sentence, named

ACROSS = 40  # letters of a line below the axes
WIDEST = 26  # letters of a line beside them
LINES_OF_A_NAME = 7
OUTLIER = 5.0
"""How many times as far as the median of many contrasts lies what is drawn as an arrow."""


def draw_contrasts(
    axes: Axes, effects: Sequence[Effect], own: bool, baseline: str | None = None
) -> None:
    """Draw a row for each contrast: seeds as points, mean and interval, paper, margin.

    Contrasts in another unit than the first are left to the table.

    Args:
        axes: Where to.
        effects: Of each contrast.
        own: On the paper's data; its number has no place among those of others.
        baseline: What most are compared with, which is then said once, below; None: in each name.
    """
    measured_in = unit(effects[0].metric)
    drawn = [effect for effect in effects if unit(effect.metric) == measured_in]
    scale = 100 if measured_in == "points" else 1
    for row, effect in enumerate(drawn):
        _draw_contrast(axes, row, effect, scale, own)
    axes.axvline(0, color="0.75", linewidth=0.8, zorder=0)
    names = [in_lines(row_name(effect, drawn, baseline)) for effect in drawn]
    axes.set_yticks(range(len(drawn)), names)
    axes.set_ylim(len(drawn) - 0.4, -0.6)
    if baseline is not None:
        _clip_outliers(axes, drawn, scale)
    # Rows of two metrics have both in their names.
    same = {(e.metric, e.contrast.against_metric) for e in drawn} == {(drawn[0].metric, None)}
    label = f"{metric_name(drawn[0].metric) if same else 'change'}, {measured_in}"
    if baseline is not None:
        label += f", against {drawn[0].contrast.label_of(baseline)}"
    # The layout keeps no room for what is wider than its axes; to the left there is some.
    axes.set_xlabel(textwrap.fill(label, ACROSS), loc="right")
    axes.set_title(effect_sentence(drawn[0]) if len(drawn) == 1 else "", wrap=True)


def _draw_contrast(axes: Axes, row: int, effect: Effect, scale: int, own: bool) -> None:
    color, margin = sns.color_palette("colorblind")[0], scale * effect.margin
    axes.fill_betweenx([row - 0.4, row + 0.4], -margin, margin, color="0.9", linewidth=0)
    differences = [scale * difference for difference in effect.by_seed]
    axes.plot(differences, [row + 0.18] * len(differences), "o", color="0.6", markersize=3)
    if own and effect.contrast.paper is not None:
        axes.plot([scale * effect.contrast.paper], [row], "D", color="0.2", markersize=5)
    if effect.estimate is not None:
        spread = None
        if effect.low is not None and effect.high is not None:
            ends = (effect.estimate - effect.low, effect.high - effect.estimate)
            spread = [[scale * end] for end in ends]
        axes.errorbar(
            [scale * effect.estimate], [row], xerr=spread, fmt="o", color=color, capsize=3
        )


def row_name(effect: Effect, drawn: Sequence[Effect], baseline: str | None) -> str:
    """Return what a contrast is called beside its row: its arm where all have one baseline."""
    contrast = effect.contrast
    if baseline is not None and contrast.against == baseline and not contrast.label:
        return contrast.label_of(contrast.arm)
    return named(effect, drawn)


def _clip_outliers(axes: Axes, drawn: Sequence[Effect], scale: int) -> None:
    """End the axis before the few rows that would squeeze all others; an arrow has their size."""
    reach = [scale * max(map(abs, (*e.by_seed, e.estimate or 0.0))) for e in drawn]
    usual = OUTLIER * float(np.median(reach))
    outside = [row for row, far in enumerate(reach) if far > usual]
    if not outside or len(outside) > len(drawn) // 4:
        return
    within = [e for row, e in enumerate(drawn) if row not in outside]
    inside = [scale * value for e in within for value in (*e.by_seed, e.margin, -e.margin)]
    low, high = 1.15 * min(inside), 1.15 * max(inside)
    axes.set_xlim(low, high)
    for row in outside:
        estimate = scale * (drawn[row].estimate or 0.0)
        if not low <= estimate <= high:
            side = ">" if estimate > 0 else "<"
            end = high if estimate > 0 else low
            axes.plot([end], [row], side, color=sns.color_palette("colorblind")[0], markersize=7,
                      clip_on=False)  # fmt: skip
            axes.annotate(
                f"{estimate:+.1f}", (end, row), xytext=(-8 if estimate > 0 else 8, 0),
                textcoords="offset points", va="center", ha="right" if estimate > 0 else "left",
                fontsize=9,
            )  # fmt: skip


def in_lines(name: str) -> str:
    """Return a contrast's name broken where it reads well, and never wider than its axes."""
    for place in (", ", " against", " over ", " minus "):
        name = name.replace(place, f"\n{place.lstrip(', ')}")
    lines = [line for part in name.split("\n") for line in textwrap.wrap(part, WIDEST)]
    cut = len(lines) > LINES_OF_A_NAME
    return "\n".join([*lines[: LINES_OF_A_NAME - 1], "…"] if cut else lines)
