"""Every effect that has a word in one picture, in margins, beside the paper's number.

The axis is linear, so that distances can be compared; what lies beyond it is drawn as an arrow at
its end, and said in words beside it.
"""

from collections.abc import Sequence
from itertools import groupby
from typing import Any

import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from alexnet.data.catalogue import called
from reports.figures.pictures import short, styled
from reports.findings.forest import ForestRow
from reports.wording import sentences

FURTHEST = 12.0  # margins to either side, beyond which an arrow stands
LONGEST = 48  # letters of a name
LEFT, RIGHT = 3.95, 3.9  # inches, for the names and for sizes and verdicts
PAPER, VERDICT = 1.95, 3.1  # inches from the axes to where these columns begin
ROW, HEADING = 0.27, 0.34  # inches
NARROW, EDGE, NARROW_ROW = 4.2, 0.12, 0.62  # inches: as wide as a phone, at its letters' size
NARROW_LONGEST = 51  # letters of a claim and a name


def draw_forest(rows: Sequence[ForestRow], width: float = 11.2) -> Figure | None:
    """Draw the rows, names to their left, sizes and verdicts to their right; None if none.

    Args:
        rows: Those on the paper's data first.
        width: Inches.
    """
    if not rows:
        return None
    blocks = [(key, list(of)) for key, of in groupby(rows, key=lambda row: (row.own, row.dataset))]
    height = 0.85 + ROW * len(rows) + HEADING * len(blocks)
    with styled("ticks"):
        figure = Figure(figsize=(width, height))
        axes = figure.add_axes(
            (LEFT / width, 0.55 / height, 1 - (LEFT + RIGHT) / width, 1 - 0.6 / height)
        )
        axes.set_ylim(height - 0.6, 0)  # inches from the top, so that rows keep their distance
        _draw_axis(axes, rows)
        at = 0.0
        for (own, dataset), of_block in blocks:
            at = _draw_heading(axes, at, own, dataset, width if at else None)
            for row in of_block:
                _draw_row(axes, at + ROW / 2, row)
                at += ROW
        axes.set_yticks([])
        sns.despine(ax=axes, left=True)
    return figure


def _draw_heading(
    axes: Axes, at: float, own: bool, dataset: str, rule_across: float | None
) -> float:
    """Draw what a block is of, after a rule or, in the first, with the columns; return its end."""
    place, quiet = at + 0.62 * HEADING, {"color": "0.35", "fontsize": 8.0}
    if rule_across is not None:
        inside = rule_across - LEFT - RIGHT  # inches of the axes, whose ends are 0 and 1
        axes.plot(
            [-LEFT / inside, 1 + RIGHT / inside], [at + 0.14 * HEADING] * 2, color="0.75",
            linewidth=0.8, transform=axes.get_yaxis_transform(), clip_on=False,
        )  # fmt: skip
    _write(axes, _of_block(own, dataset), place, -LEFT + 0.05, right=False, **quiet)
    for head, inches in (
        ("ours [95 %]", 0.12),
        ("paper", PAPER),
        ("verdict", VERDICT),
    ):
        if rule_across is None:
            _write(axes, head, place, inches, right=True, **quiet)
    return at + HEADING


def _of_block(own: bool, dataset: str) -> str:
    images = called(dataset)
    if own:
        return f"{images}: the paper's own data"
    return f"{images}, in place of the paper's: a direction only"


def _write(axes: Axes, text: str, place: float, inches: float, right: bool, **look: Any) -> None:
    """Write beside the axes: so many inches from its left side, or from its right."""
    axes.annotate(
        text, (float(right), place), xycoords=("axes fraction", "data"),
        xytext=(72 * inches, 0), textcoords="offset points", va="center",
        annotation_clip=False, **look,
    )  # fmt: skip


def _draw_scale(axes: Axes, rows: Sequence[ForestRow]) -> None:
    """Draw the axis, as wide as what is drawn needs, and the band of nothing."""
    seen = [v for row in rows for v in (row.at, row.low, row.high, row.paper) if v is not None]
    axes.set_xlim(max(-FURTHEST, 1.1 * min(-2.0, *seen)), min(FURTHEST, 1.1 * max(2.0, *seen)))
    axes.axvspan(-1, 1, color="0.92", zorder=0, linewidth=0)
    axes.axvline(0, color="0.7", linewidth=0.8, zorder=1)
    left, right = axes.get_xlim()
    ticks = MaxNLocator(6, integer=True).tick_values(left, right)
    axes.set_xticks([tick for tick in ticks if left <= tick <= right])
    axes.tick_params(labelsize=8)


def _draw_axis(axes: Axes, rows: Sequence[ForestRow]) -> None:
    _draw_scale(axes, rows)
    axes.set_xlabel("effect, in margins of what counts as nothing", fontsize=8.5)
    for text, inches, end, side in (
        ("\u2190 against the prediction", -0.05, False, "right"),
        ("as predicted \u2192", 0.05, True, "left"),
    ):
        axes.annotate(
            text, (float(end), 0), xycoords="axes fraction", xytext=(72 * inches, -27),
            textcoords="offset points", ha=side, va="center", fontsize=8.5, color="0.35",
        )  # fmt: skip


def _draw_row(axes: Axes, place: float, row: ForestRow) -> None:
    _draw_mark(axes, place, row)
    _write(axes, row.claim or "", place, -LEFT + 0.05, right=False, fontsize=8, color="0.35")
    _write(axes, short(row.label, LONGEST), place, -LEFT + 0.42, right=False, fontsize=9)
    _write(axes, row.shown, place, 0.12, right=True, fontsize=8.5)
    _write(axes, row.paper_shown, place, PAPER, right=True, fontsize=8.5)
    weight = "bold" if row.own else "normal"
    _write(
        axes, sentences.word(row.verdict), place, VERDICT, right=True, fontsize=8.5,
        fontweight=weight,
    )  # fmt: skip


def _draw_mark(axes: Axes, place: float, row: ForestRow) -> None:
    """Draw ours with its interval, and the paper's; an arrow where either leaves the axis."""
    blue, orange = (sns.color_palette("colorblind")[i] for i in (0, 1))
    least, most = axes.get_xlim()

    def within(value: float) -> float:
        return min(max(value, least), most)

    if row.low is not None and row.high is not None:
        ends = [within(row.low), within(row.high)]
        axes.plot(ends, [place, place], color=blue, linewidth=1.6, zorder=2)
        for at, end in zip((row.low, row.high), ends, strict=True):
            if at != end:
                _draw_arrow(axes, end, place, at < end, blue)
    marker = {"left": "<", "right": ">", "both": "|", None: "o"}[row.bound]
    inside = blue if row.own else "white"
    if within(row.at) != row.at:
        _draw_arrow(axes, within(row.at), place, row.at < least, blue)
    else:
        axes.plot(
            [row.at], [place], marker, color=blue, markerfacecolor=inside, markersize=6, zorder=4
        )
    if row.paper is not None:
        if within(row.paper) != row.paper:
            _draw_arrow(axes, within(row.paper), place, row.paper < least, orange)
        else:
            axes.plot([row.paper], [place], "D", color=orange, markersize=6, zorder=3)


def _draw_arrow(axes: Axes, at: float, place: float, is_left: bool, color: Any) -> None:
    axes.plot([at], [place], "<" if is_left else ">", color=color, markersize=5, zorder=4,
              clip_on=False)  # fmt: skip


def draw_narrow_forest(rows: Sequence[ForestRow]) -> Figure | None:
    """Draw the rows for a phone, names above each, sizes and verdicts below; None if none."""
    if not rows:
        return None
    blocks = [(key, list(of)) for key, of in groupby(rows, key=lambda row: (row.own, row.dataset))]
    height = 0.75 + sum(map(_narrow_height, rows)) + HEADING * len(blocks)
    with styled("ticks"):
        figure = Figure(figsize=(NARROW, height))
        axes = figure.add_axes(
            (EDGE / NARROW, 0.6 / height, 1 - 2 * EDGE / NARROW, 1 - 0.65 / height)
        )
        axes.set_ylim(height - 0.65, 0)  # inches from the top
        _draw_scale(axes, rows)
        apart = "\u00a0" * 3  # an SVG runs plain spaces together
        ends = ("\u2190 against", "in margins of nothing", "as predicted \u2192")
        axes.set_xlabel(apart.join(ends), fontsize=9)
        at, quiet = 0.0, {"color": "0.35", "fontsize": 9}
        for (own, dataset), of_block in blocks:
            images = called(dataset)
            of = f"{images}: the paper's own data" if own else f"{images}: a direction only"
            _write(axes, of, at + HEADING / 2, 0, right=False, **quiet)
            at += HEADING
            for row in of_block:
                _draw_narrow_row(axes, at, row)
                at += _narrow_height(row)
        axes.set_yticks([])
        sns.despine(ax=axes, left=True)
    return figure


def _narrow_height(row: ForestRow) -> float:
    return NARROW_ROW + (0.17 if row.paper_shown else 0.0)


def _draw_narrow_row(axes: Axes, top: float, row: ForestRow) -> None:
    name = f"{row.claim} {row.label}" if row.claim else row.label
    weight = "bold" if row.own else "normal"
    verdict = sentences.word(row.verdict)
    _write(axes, short(name, NARROW_LONGEST), top + 0.12, 0, right=False, fontsize=10)
    _draw_mark(axes, top + 0.3, row)
    below = top + 0.47
    _write(axes, row.shown, below, 0, right=False, fontsize=9, color="0.35")
    _write(axes, verdict, below, 0, right=True, ha="right", fontsize=10, fontweight=weight)
    if row.paper_shown:
        paper = f"the paper: {row.paper_shown}"
        _write(axes, paper, below + 0.17, 0, right=False, fontsize=9, color="0.35")
