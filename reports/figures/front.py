"""The pictures of a report's front: Figure 1 in half a page's width, and one to send around."""

import io
import textwrap
from collections.abc import Sequence

import numpy as np
import seaborn as sns
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ablations.metrics import TimeTo
from reports.figures.forest import ForestRow, draw_forest, one_a_claim
from reports.figures.pictures import styled
from reports.figures.study import comparison_curves, draw_curves, draw_speed_ups
from reports.findings.headline import Answer
from reports.findings.sections import Section, real

WIDTH, HEIGHT, DPI = 1200, 630, 100  # pixels, as previews of pages are shown
MARGIN = 40  # pixels
SHARES = (0.58, 0.42)  # of the width, for the forest plot and Figure 1
ROWS = 14  # of the forest plot, in the picture to send around


def figure_1(found: Sequence[Section]) -> Section | None:
    """Return the study that redraws the paper's Figure 1: on the paper's data, if it ran there."""
    times = [
        section
        for section in real(found)
        if isinstance(section.comparison.effects[0].metric, TimeTo)
        and section.plan.definition.claim == "C09"
        and section.plan.about.shows == "effects"
        and any(run.epochs for of_arm in section.runs.values() for run in of_arm)
    ]

    def distance(section: Section) -> tuple[int, bool]:
        return section.nearness, section.missing > 0

    return min(times, key=distance, default=None)


def draw_front_figure(section: Section) -> Figure:
    """Draw Figure 1 with the speed-up at every training error beneath it."""
    plan = section.plan
    called = {arm: plan.label(arm) for arm in plan.definition.arms}
    with styled("ticks"):
        figure = Figure(figsize=(6.2, 5.4), layout="constrained")
        above, below = figure.subplots(2, 1, height_ratios=(2.1, 1))
        draw_curves(above, plan, comparison_curves(section.records), False, called)
        draw_speed_ups(below, section.records, section.comparison.effects, called)
        sns.despine(figure)
    return figure


def draw_share(front: Answer, rows: Sequence[ForestRow], lead: Section | None) -> bytes | None:
    """Return a PNG of 1200 x 630 pixels: sentence, forest plot, Figure 1; None without both."""
    few = one_a_claim(rows, ROWS)
    trees = draw_forest(few, width=8.6)
    pictures = [trees, draw_front_figure(lead) if lead else None]
    drawn = [picture for picture in pictures if picture is not None]
    if not drawn:
        return None
    with styled():
        page = Figure(figsize=(WIDTH / DPI, HEIGHT / DPI), dpi=DPI, facecolor="white")
        top = float(HEIGHT - MARGIN)
        headline = textwrap.fill(front.headline, 78)
        for text, size, weight, color in (
            (headline, 17, "bold", "0.1"),
            (textwrap.fill(front.counts, 150), 9.5, "normal", "0.35"),
        ):
            page.text(MARGIN / WIDTH, top / HEIGHT, text, fontsize=size, fontweight=weight,
                      color=color, va="top", linespacing=1.25)  # fmt: skip
            top -= (text.count("\n") + 1) * size * 1.9 + 10
        across = WIDTH - MARGIN * (len(drawn) + 1)
        left = float(MARGIN)
        for picture, share in zip(drawn, SHARES if len(drawn) == 2 else (1.0,), strict=True):
            pixels = _fitted(picture, share * across, top - MARGIN)
            page.figimage(pixels, round(left), round(top) - pixels.shape[0])
            left += share * across + MARGIN
        page.text(1 - MARGIN / WIDTH, 14 / HEIGHT, "AlexNet 2012 taken apart", ha="right",
                  fontsize=9, color="0.35")  # fmt: skip
        content = io.BytesIO()
        page.savefig(content, format="png", dpi=DPI, metadata={})
    return content.getvalue()


def _fitted(figure: Figure, width: float, height: float) -> NDArray[np.uint8]:
    """Return a figure as pixels that fill a room without being stretched."""
    inches = figure.get_size_inches()
    figure.set_dpi(min(width / inches[0], height / inches[1]))
    canvas = FigureCanvasAgg(figure)
    canvas.draw()  # type: ignore[no-untyped-call]
    return np.asarray(canvas.buffer_rgba())  # type: ignore[no-untyped-call]
