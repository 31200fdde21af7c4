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
from reports.figures.pictures import styled
from reports.figures.shares import PREVIEW, draw_shares
from reports.figures.study import comparison_curves, draw_curves, draw_speed_ups
from reports.findings.headline import Answer
from reports.findings.sections import Section, real
from reports.findings.shares import FrontRows, few

WIDTH, HEIGHT, DPI = 1200, 630, 100  # pixels, as previews of pages are shown
MARGIN = 40  # pixels
LETTERS = 27  # pixels, of the headline in the picture to send around
ACROSS, MOST_LINES = 76, 5  # letters in a line of it at most, and lines
SMALLEST = 0.9  # of their full size, letters in the picture below it


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


def draw_share(front: Answer, rows: FrontRows, lead: Section | None = None) -> bytes | None:
    """Return a PNG of 1200 x 630 pixels: the headline and the front picture; None without that.

    It is seen at half its size, so what does not fit in letters that can be read there is left out.

    Args:
        front: Whose headline it has.
        rows: Of the front picture.
        lead: The study that redraws Figure 1, which is shown where nothing has a share.
    """
    with styled():
        page = Figure(figsize=(WIDTH / DPI, HEIGHT / DPI), dpi=DPI, facecolor="white")
        bottom = _write_headline(page, front.headline)
        page.text(1 - MARGIN / WIDTH, 0.5 * MARGIN / HEIGHT, "AlexNet 2012 taken apart",
                  ha="right", fontsize=_points(0.7 * LETTERS), color="0.35")  # fmt: skip
        across, down = WIDTH - 2 * MARGIN, bottom - round(1.2 * MARGIN) - 14
        if lead is not None and not rows.shares:
            figure: Figure | None = _draw_wide_figure_1(lead, down / across)
        else:
            figure = _shown_large(rows, across, down)
        if figure is None:
            return None
        pixels = _fitted(figure, across, down)
        page.figimage(pixels, (WIDTH - pixels.shape[1]) // 2, bottom - 14 - pixels.shape[0])
        content = io.BytesIO()
        page.savefig(content, format="png", dpi=DPI, metadata={})
    return content.getvalue()


def _write_headline(page: Figure, headline: str) -> int:
    """Write a headline in lines as long as there is room for; return pixels below it."""
    text = page.text(
        MARGIN / WIDTH, 1 - MARGIN / HEIGHT, "", va="top", fontsize=_points(LETTERS),
        fontweight="bold", color="0.1", linespacing=1.2,
    )  # fmt: skip
    for letters in range(ACROSS, 0, -2):
        text.set_text(textwrap.fill(headline, letters, max_lines=MOST_LINES, placeholder=" \u2026"))
        box = text.get_window_extent()
        if box.width <= WIDTH - 2 * MARGIN:
            break
    return int(box.y0)


def _points(pixels: float) -> float:
    return pixels * 72 / DPI


def _draw_wide_figure_1(section: Section, ratio: float) -> Figure:
    """Draw Figure 1 with the speed-up beside it, as large as the front picture has its letters."""
    plan = section.plan
    called = {arm: plan.label(arm) for arm in plan.definition.arms}
    with styled("ticks"):
        figure = Figure(figsize=(PREVIEW.width, PREVIEW.width * ratio), layout="constrained")
        left, right = figure.subplots(1, 2, width_ratios=(1.5, 1))
        draw_curves(left, plan, comparison_curves(section.records), False, called)
        draw_speed_ups(right, section.records, section.comparison.effects, called)
        right.set_title("")  # the headline says it
        sns.despine(figure)
    return figure


def _shown_large(rows: FrontRows, across: int, down: int) -> Figure | None:
    """Return the front picture of as many rows as there is room for; of one, if not even that."""
    figure = None
    for most in range(len(rows.shares) + len(rows.directions), 0, -1):
        figure = draw_shares(few(rows, most), PREVIEW)
        if figure is not None:
            width, height = figure.get_size_inches()
            if SMALLEST * height * across / width <= down:
                break
    return figure


def _fitted(figure: Figure, width: float, height: float) -> NDArray[np.uint8]:
    """Return a figure as pixels that fill a room without being stretched."""
    inches = figure.get_size_inches()
    figure.set_dpi(min(width / inches[0], height / inches[1]))
    canvas = FigureCanvasAgg(figure)
    canvas.draw()  # type: ignore[no-untyped-call]
    return np.asarray(canvas.buffer_rgba())  # type: ignore[no-untyped-call]
