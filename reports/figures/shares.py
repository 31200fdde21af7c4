"""The picture that answers: how much of the paper's effect was found, a bar a claim.

Above, a grey bar leads from no effect to the paper's, a diamond; ours lies on it in colour with its
interval. Below, smaller, what has no share: other images, or claims without a number. There each
effect is measured in its own margin, and what is predicted lies to the right.

What leaves the axis ends at its side with an arrow; its size is beside it in words.
"""

import textwrap
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import matplotlib.patheffects as effects
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import FixedLocator

from alexnet.data.catalogue import called
from reports.analysis.effect import DECIDED
from reports.figures.pictures import styled
from reports.findings.forest import ForestRow
from reports.findings.shares import FrontRows, ShareRow
from reports.wording import sentences
from reports.wording.formatting import percent, two_figures

LETTER = 0.61 / 72  # inches of a letter's width for a point of its size, on average
BASELINE = 1.0 / 72  # inches from the top of a line to where letters stand, likewise
LINE = 1.32 / 72  # inches of a line's height for a point of its letters' size
TEXT, SMALL = 10.0, 8.8  # points
BAR = 0.17  # inches
LEAST, FURTHEST = (-0.09, 1.18), (-0.85, 1.85)  # ends of the axis of shares, as few and as many
MARGINS = 6.0  # in the lower part, to both sides
TICKS = {0.0: "no effect", 1.0: "the paper", 0.5: "half"}
"""What shares are called, the most telling first."""
QUIET, INK = "0.35", "0.1"
DOT = "\u00b7"
GAP = 0.12  # inches between axes and words
APART = 0.15  # inches between rows of shares
FOOT = 0.24  # inches below the directions, for which way is which


class Layout(NamedTuple):
    """Where words have their place, in inches."""

    width: float
    left: float  # for names beside the axes; 0: they are above the bars
    right: float  # for sizes and verdicts beside the axes; 0: below the bars
    verdict: float  # from a size to the verdict beside it; 0: below the size
    is_brief: bool = False  # all in two lines a share, and in one a direction

    @property
    def is_narrow(self) -> bool:
        """Whether all words lie above and below the bars."""
        return not self.left


PAGE = Layout(width=8.0, left=2.95, right=2.65, verdict=1.48)
PREVIEW = Layout(width=7.1, left=3.5, right=1.55, verdict=0.0, is_brief=True)
PHONE = Layout(width=4.2, left=0.0, right=0.0, verdict=0.0)
EDGE = 0.14  # inches beside the axes on a phone


def draw_shares(rows: FrontRows, layout: Layout = PAGE) -> Figure | None:
    """Draw shares and, below them, directions; None where there is neither.

    Args:
        rows: What is shown, in its order.
        layout: How wide, and where words lie.
    """
    if not (rows.shares or rows.directions):
        return None
    heights = [_height(row, layout) for row in rows.shares]
    heights += [_height(row, layout) for row in rows.directions]
    of_shares = sum(heights[: len(rows.shares)])
    of_directions = sum(heights[len(rows.shares) :])
    above = of_shares + _foot(rows) if rows.shares else 0.0
    below = _head(rows, layout) + of_directions + FOOT if rows.directions else 0.0
    height = above + below + 0.1
    left, right = (layout.left, layout.right) if not layout.is_narrow else (EDGE, EDGE)
    across = (left / layout.width, 1 - (left + right) / layout.width)
    with styled():
        figure = Figure(figsize=(layout.width, height))
        if rows.shares:
            axes = figure.add_axes(
                (across[0], (height - of_shares - 0.05) / height, across[1], of_shares / height)
            )
            axes.set_ylim(of_shares, 0)  # inches from the top
            _draw_share_axis(axes, rows.shares, layout)
            at = 0.0
            for share_row, room in zip(rows.shares, heights, strict=False):
                _draw_share(axes, at, share_row, layout)
                at += room
        if rows.directions:
            head = _head(rows, layout)
            axes = figure.add_axes((across[0], FOOT / height, across[1],
                                    (head + of_directions) / height))  # fmt: skip
            axes.set_ylim(head + of_directions, 0)
            _draw_direction_axis(axes, head, rows, layout)
            at = head
            for row, room in zip(rows.directions, heights[len(rows.shares) :], strict=True):
                _draw_direction(axes, at, row, layout)
                at += room
    return figure


# ---- Rooms


def _across(layout: Layout, beside: float, size: float) -> int:
    """Return how many letters fit into a line of a name."""
    inches = layout.width - 2 * EDGE if layout.is_narrow else beside - GAP - 0.05
    return int(inches / (LETTER * size))


def _lines(text: str, letters: int, most: int) -> str:
    """Return a text in lines, cut where even the most of them are too few."""
    lines = textwrap.wrap(
        text, letters, max_lines=most, placeholder=" \u2026", break_on_hyphens=False
    )
    return "\n".join(line.rstrip(f" {DOT}") for line in lines)


def _name(text: str, layout: Layout, size: float) -> str:
    return _lines(text, _across(layout, layout.left, size), 2)


def _source(row: ShareRow, layout: Layout) -> str:
    """Return the claim, where it stands and the images; in brief, also what is to be noted."""
    parts = [row.claim, f"section {row.section}" if row.section else "", row.images]
    if layout.is_brief:
        parts = [row.images, row.note]
    held = (part.replace(" ", "\u00a0") for part in parts if part)
    return _lines(f" {DOT} ".join(held), _across(layout, layout.left, SMALL), 2)


def _note(row: ShareRow, layout: Layout) -> str:
    if layout.is_brief:
        return ""
    return _lines(row.note, _across(layout, layout.right - layout.verdict, SMALL), 2)


def _tall(text: str, size: float) -> float:
    """Return the inches of so many lines."""
    return (text.count("\n") + 1) * LINE * size if text else 0.0


def _height(row: ShareRow | ForestRow, layout: Layout) -> float:
    """Return inches for a row with all its words."""
    if isinstance(row, ShareRow):
        name = _tall(_name(row.label, layout, TEXT), TEXT) + _tall(_source(row, layout), SMALL)
        note = _tall(_note(row, layout), SMALL)
        if layout.is_narrow:
            return name + BAR + 0.14 + LINE * TEXT + note + APART
        said = LINE * TEXT * (1 if layout.verdict else 2) + note
        return max(name, said) + APART
    name = _tall(_name(row.label, layout, SMALL), SMALL)
    return name + (0.2 + LINE * SMALL + 0.1 if layout.is_narrow else 0.06)


def _foot(rows: FrontRows) -> float:
    """Return inches for the axis of shares and what is said under it."""
    return 0.3 + (LINE * SMALL if _scale(rows.shares) else 0.0) + 0.1 * bool(rows.directions)


def _title(rows: FrontRows, layout: Layout) -> str:
    """Return what the directions are of: why they have no share."""
    own = any(row.own for row in rows.directions)
    beside = _images(row for row in rows.directions if row.is_beside and not row.own)
    other = _images(row for row in rows.directions if not row.is_beside and not row.own)
    kinds = [f"on other images than the paper's, {other}"] if other else []
    kinds += ["claims without a number"] if own else []
    kinds += [f"questions beside the paper, {beside}"] if beside else []
    text = f"Direction only: {'; '.join(kinds)}"
    if beside and not (own or other):
        text = f"Each effect in its own margin, {beside}"
    return _lines(text, int((layout.width - 2 * EDGE) / (LETTER * SMALL)), 3)


def _images(rows: Iterable[ForestRow]) -> str:
    return ", ".join(dict.fromkeys(called(row.dataset) for row in rows))


def _head(rows: FrontRows, layout: Layout) -> float:
    """Return inches above the directions: a rule and a title."""
    return 0.12 * bool(rows.shares) + _tall(_title(rows, layout), SMALL) + 0.06


# ---- Shares


def _draw_share_axis(axes: Axes, rows: Sequence[ShareRow], layout: Layout) -> None:
    """Draw the axis, as wide as what is drawn needs, and say what it is of."""
    ends = [v for row in rows for v in (row.at, row.low, row.high) if v is not None]
    low = max(FURTHEST[0], min(LEAST[0], *(end - 0.06 for end in ends), 0.0))
    high = min(FURTHEST[1], max(LEAST[1], *(end + 0.06 for end in ends), 1.0))
    axes.set_xlim(low, high)
    ticks = _named_ticks(low, high, layout)
    axes.xaxis.set_major_locator(FixedLocator(ticks))
    axes.xaxis.set_minor_locator(
        FixedLocator([q / 4 for q in range(-3, 8) if low <= q / 4 <= high])
    )
    axes.set_xticklabels([TICKS[tick] for tick in ticks], fontsize=SMALL)
    axes.set_yticks([])
    sns.despine(ax=axes, left=True)
    if scale := _scale(rows):
        axes.annotate(
            scale, (0.5, 0), xycoords="axes fraction", xytext=(0, -19),
            textcoords="offset points", ha="center", va="top", fontsize=SMALL, color=QUIET,
        )  # fmt: skip


def _named_ticks(low: float, high: float, layout: Layout) -> list[float]:
    """Return where the axis has names, of which none lies over another or leaves the picture."""
    left, right = layout.left or EDGE, layout.right or EDGE
    inches = (layout.width - left - right) / (high - low)
    kept: dict[float, tuple[float, float]] = {}
    for tick, name in TICKS.items():
        half = (len(name) + 1) * LETTER * SMALL / 2
        at = left + (tick - low) * inches
        room = at - half, at + half
        clear = all(room[1] < other[0] or other[1] < room[0] for other in kept.values())
        if low <= tick <= high and clear and room[0] > 0 and room[1] < layout.width:
            kept[tick] = room
    return sorted(kept)


def _scale(rows: Sequence[ShareRow]) -> str:
    """Return what is said of ratios under the axis, of one on its way; empty without ratios."""
    ratios = [(row.at, row.ratios) for row in rows if row.at is not None and row.ratios is not None]
    if not ratios:
        return ""
    at, numbers = min(ratios, key=lambda ratio: not 0 < ratio[0] < 1)  # the first of those
    ours, paper = (f"{two_figures(one)}\u00d7" for one in numbers)
    return f"ratios on the log scale: {ours} is {percent(round(at, 2))} of the way to {paper}"


def _draw_share(axes: Axes, top: float, row: ShareRow, layout: Layout) -> None:
    name, source, note = _name(row.label, layout, TEXT), _source(row, layout), _note(row, layout)
    names = _tall(name, TEXT) + _tall(source, SMALL)
    word = sentences.word(row.verdict)
    quiet: dict[str, Any] = {"size": SMALL, "color": QUIET}
    if layout.is_narrow:
        _write(axes, name, top, 0, False, size=TEXT)
        _write(axes, source, top + _tall(name, TEXT), 0, False, **quiet)
        bar = top + names + 0.07 + BAR / 2
        _draw_bar(axes, bar, row)
        below = bar + BAR / 2 + 0.07
        _write(axes, row.amount, below, 0, False, size=TEXT)
        _write(axes, word, below, 0, True, size=TEXT, bold=True, ha="right")
        _write(axes, note, below + LINE * TEXT, 0, True, ha="right", **quiet)
        return
    middle = top + (_height(row, layout) - APART) / 2
    begin = middle - names / 2
    _write(axes, name, begin, -GAP, False, size=TEXT, ha="right")
    _write(axes, source, begin + _tall(name, TEXT), -GAP, False, ha="right", **quiet)
    _draw_bar(axes, middle, row)
    begin = middle - (LINE * TEXT * (1 if layout.verdict else 2) + _tall(note, SMALL)) / 2
    _write(axes, row.amount, begin, GAP, True, size=TEXT)
    begin += 0 if layout.verdict else LINE * TEXT
    _write(axes, word, begin, GAP + layout.verdict, True, size=TEXT, bold=True)
    _write(axes, note, begin + LINE * TEXT, GAP + layout.verdict, True, **quiet)


def _draw_bar(axes: Axes, place: float, row: ShareRow) -> None:
    """Draw ours on the way to the paper's: filled where its size is judged."""
    blue, orange = (sns.color_palette("colorblind")[i] for i in (0, 1))
    axes.add_patch(
        Rectangle((0, place - BAR / 2), 1, BAR, facecolor="0.89", edgecolor="none", zorder=2)
    )
    axes.plot([0, 0], [place - 0.7 * BAR, place + 0.7 * BAR], color="0.4", linewidth=0.9, zorder=4)
    axes.plot([1], [place], "D", color=orange, markersize=8.5, zorder=6, clip_on=False)
    low, high = axes.get_xlim()
    if row.at is not None:
        inside = _tint(blue, row)
        end = min(max(row.at, low), high)
        if row.bound is None or (row.bound == "right") == (row.at > 0):
            # Of at most so much, no part is known to be there.
            axes.add_patch(
                Rectangle(
                    (min(0, end), place - BAR / 2), abs(end), BAR, facecolor=inside,
                    edgecolor=blue, linewidth=1.0, zorder=3,
                )
            )  # fmt: skip
        if row.bound in ("left", "right"):
            _arrow(axes, end, place, row.bound, INK)
        elif end != row.at:
            _arrow(axes, end, place, "left" if row.at < low else "right", INK)
    if row.low is not None and row.high is not None:
        _draw_interval(axes, place, row.low, row.high, INK)


def _tint(blue: Any, row: ShareRow) -> Any:
    """Return full colour for a judged size, pale for a direction, none for what is undecided."""
    if row.is_judged:
        return blue
    return sns.light_palette(blue, 5)[1] if row.verdict in DECIDED else "white"


def _draw_interval(axes: Axes, place: float, low: float, high: float, color: Any) -> None:
    """Draw a line from end to end, as far as the axis goes; an arrow where it goes on."""
    least, most = axes.get_xlim()
    ends = [min(max(end, least), most) for end in (low, high)]
    if low <= most and high >= least:  # else nothing of it is on the axis
        casing = [effects.Stroke(linewidth=3.6, foreground="white"), effects.Normal()]
        axes.plot(ends, [place, place], color=color, linewidth=1.8, zorder=5,
                  solid_capstyle="butt", path_effects=casing, gid="interval")  # fmt: skip
    if low < least:
        _arrow(axes, least, place, "left", color)
    if high > most:
        _arrow(axes, most, place, "right", color)


def _arrow(axes: Axes, at: float, place: float, side: str, color: Any) -> None:
    marker = "<" if side == "left" else ">"
    axes.plot([at], [place], marker, color=color, markersize=6.5, markeredgecolor="white",
              zorder=7, clip_on=False)  # fmt: skip


def _write(
    axes: Axes, text: str, top: float, inches: float, right: bool, size: float,
    color: str = INK, bold: bool = False, ha: str = "left",
) -> None:  # fmt: skip
    """Write so many inches from the left side of the axes, or the right, lines from a top down."""
    for number, line in enumerate(text.split("\n") if text else ()):
        # By their baselines: words in one line stay in it, whatever letters they have.
        axes.annotate(
            line, (float(right), top + number * LINE * size + BASELINE * size),
            xycoords=("axes fraction", "data"), xytext=(72 * inches, 0),
            textcoords="offset points", va="baseline", ha=ha, fontsize=size, color=color,
            fontweight="bold" if bold else "normal", annotation_clip=False,
        )  # fmt: skip


# ---- Directions


def _draw_direction_axis(axes: Axes, head: float, rows: FrontRows, layout: Layout) -> None:
    """Draw a rule, what is below it, the band of nothing, and which way is which."""
    axes.set_xlim(-MARGINS, MARGINS)
    axes.set(xticks=[], yticks=[])
    sns.despine(ax=axes, left=True, bottom=True)
    left, right = (layout.left, layout.right) if not layout.is_narrow else (EDGE, EDGE)
    inside = layout.width - left - right
    top = 0.0
    if rows.shares:
        axes.plot([-left / inside, 1 + right / inside], [0.04, 0.04], color="0.8", linewidth=0.8,
                  transform=axes.get_yaxis_transform(), clip_on=False)  # fmt: skip
        top = 0.12
    _write(axes, _title(rows, layout), top, EDGE - left, False, size=SMALL, color=QUIET)
    bottom = axes.get_ylim()[0]
    if not layout.is_narrow:
        _draw_nothing(axes, head - 0.02, bottom)
    for text, at, side in (
        ("\u2190 other way", -MARGINS, "left"), ("as predicted \u2192", MARGINS, "right"),
    ):  # fmt: skip
        axes.annotate(text, (at, bottom), xytext=(0, -4), textcoords="offset points", ha=side,
                      va="top", fontsize=SMALL, color=QUIET, annotation_clip=False)  # fmt: skip


def _draw_nothing(axes: Axes, top: float, bottom: float) -> None:
    """Draw the band of what counts as nothing, and where there is no effect."""
    axes.fill_betweenx([top, bottom], -1, 1, color="0.92", linewidth=0, zorder=0)
    axes.plot([0, 0], [top, bottom], color="0.7", linewidth=0.8, zorder=1)


def _draw_direction(axes: Axes, top: float, row: ForestRow, layout: Layout) -> None:
    name = _name(row.label, layout, SMALL)
    word, shown = sentences.word(row.verdict), row.shown.partition(" [")[0]
    if layout.is_narrow:
        _write(axes, name, top, 0, False, size=SMALL)
        place = top + _tall(name, SMALL) + 0.1
        _draw_nothing(axes, place - 0.1, place + 0.1)
        said = f"{shown}, {called(row.dataset)}"
        _write(axes, said, place + 0.1, 0, False, size=SMALL, color=QUIET)
        _write(axes, word, place + 0.1, 0, True, size=SMALL, ha="right")
    else:
        place = top + _tall(name, SMALL) / 2
        line = place - LINE * SMALL / 2
        _write(axes, name, top, -GAP, False, size=SMALL, ha="right")
        _write(axes, shown, line, GAP, True, size=SMALL)
        if layout.verdict:  # in brief, the side says it
            _write(axes, word, line, GAP + layout.verdict, True, size=SMALL)
    _draw_dot(axes, place, row)


def _draw_dot(axes: Axes, place: float, row: ForestRow) -> None:
    """Draw an effect with its interval, hollow where nothing is decided."""
    blue = sns.color_palette("colorblind")[0]
    low, high = axes.get_xlim()
    end = min(max(row.at, low), high)
    if row.bound != "both":
        axes.plot([0, end], [place, place], color=blue, linewidth=0.7, alpha=0.6, zorder=2)
    if row.low is not None and row.high is not None:
        _draw_interval(axes, place, row.low, row.high, blue)
    if row.bound in ("left", "right"):
        _arrow(axes, end, place, row.bound, blue)
    elif end != row.at:
        _arrow(axes, end, place, "left" if row.at < low else "right", blue)
    elif row.bound is None:
        inside = blue if row.verdict in DECIDED else "white"
        axes.plot([row.at], [place], "o", color=blue, markerfacecolor=inside, markersize=5.5,
                  zorder=6)  # fmt: skip
