"""One arm by two metrics: the two values of each seed, joined, and their paired difference.

The curves of these studies are those of another; what they compare is in no curve.
"""

import textwrap

import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ablations.metrics import EnsembleError
from alexnet.data.catalogue import called
from reports.analysis.effect import ON_THE_PAPERS_DATA
from reports.figures.pictures import styled
from reports.findings.sections import Section
from reports.findings.slopes import Slope, slopes
from reports.wording.formatting import unit
from reports.wording.sentences import effect_sentence, named

IN_A_ROW = 3
ALONE, PANEL, TALL = 5.4, 3.6, 3.9  # inches: the width of one, of each of several, the height
LETTER = 0.083  # inches of a letter's width, on average
AFTER, APART, END = 1.0, 1.75, 2.15  # places: of the other metric, of the difference


def draw_slopes(section: Section) -> Figure | None:
    """Draw a panel for each contrast of one arm by two metrics; None without any.

    The mean difference stands at the right of each with its interval, from the mean of what is
    compared with, around which grey is what counts as nothing.
    """
    found = slopes(section)
    if not found:
        return None
    across = min(len(found), IN_A_ROW)
    down = -(-len(found) // across)
    own = section.comparison.setting in ON_THE_PAPERS_DATA
    arms = list(section.plan.definition.arms)
    with styled("ticks"):
        width = ALONE if across == 1 else PANEL * across
        figure = Figure(figsize=(width, TALL * down + 0.3), layout="constrained")
        panels = figure.subplots(down, across, squeeze=False).ravel()
        for axes, slope in zip(panels, found, strict=False):
            room = width / across - 0.75  # inches, without the scale at the left
            effect = slope.effect
            name = effect.contrast.says or named(effect, section.comparison.effects)
            title = (_in_lines(text, room) for text in (name, effect_sentence(effect)))
            _draw_slope(axes, slope, own, arms.index(effect.contrast.arm))
            axes.set_title("\n".join(title))
            below = (slope.names.other, slope.names.one, "difference")
            rooms = (room / 3, room / 3, room / 4)
            axes.set_xticks((0, AFTER, APART), list(map(_in_lines, below, rooms)))
        for axes in panels[len(found) :]:
            axes.remove()
        figure.suptitle(
            f"{called(section.comparison.dataset)}: {section.plan.about.title}", x=0.01,
            ha="left", fontsize=10,
        )  # fmt: skip
        sns.despine(figure)
    return figure


def _draw_slope(axes: Axes, slope: Slope, own: bool, arm: int) -> None:
    blue, orange = (sns.color_palette("colorblind")[i] for i in (0, 1))
    effect = slope.effect
    scale = 100 if unit(effect.metric) == "points" else 1
    start, end = scale * slope.mean_before, scale * slope.mean_after
    margin = scale * effect.margin
    axes.fill_between([APART - 0.2, END], start - margin, start + margin, color="0.92", linewidth=0)
    axes.plot([0, END], [start, start], color="0.55", linewidth=0.8, linestyle=(0, (2, 2)))
    for seed, *values in zip(effect.seeds, slope.before, slope.after, strict=True):
        (line,) = axes.plot(
            [0, AFTER], [scale * value for value in values], "-o", color="0.6", linewidth=0.9,
            markersize=3.5,
        )  # fmt: skip
        if not isinstance(effect.metric, EnsembleError):  # whose groups are of several runs
            line.set_gid(f"curve-{arm}-{seed}")
    axes.plot([0, AFTER], [start, end], "-o", color=blue, linewidth=2.4, markersize=6, zorder=3)
    spread = None
    if effect.low is not None and effect.high is not None and effect.estimate is not None:
        ends = (effect.estimate - effect.low, effect.high - effect.estimate)
        spread = [[scale * max(0.0, away)] for away in ends]  # of equal seeds, but for rounding
    axes.errorbar([APART], [end], spread, fmt="o", color=blue, capsize=3, markersize=6, zorder=3)
    if own and effect.contrast.paper is not None:
        axes.plot([APART], [start + scale * effect.contrast.paper], "D", color=orange,
                  markersize=6)  # fmt: skip
    axes.set_xlim(-0.25, END)
    measured_in = "%" if scale == 100 else unit(effect.metric)
    axes.set_ylabel(_in_lines(f"{slope.names.both}, {measured_in}", 0.8 * TALL))


def _in_lines(text: str, inches: float) -> str:
    return textwrap.fill(text, max(10, int(inches / LETTER)))
