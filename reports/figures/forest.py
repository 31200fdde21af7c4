"""The whole paper in one picture: every idea that was decided, beside the paper's number.

Effects of times and of errors share one axis: each is measured in the margin within which it
counts as nothing, so that the band of nothing is the same for all, and turned so that what the
paper says lies to the right. Beside each stands its size in its own unit.
"""

import math
from collections.abc import Sequence
from itertools import groupby
from typing import Any, Literal

import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator

from ablations.metrics import Metric
from alexnet.config import Frozen
from alexnet.data.catalogue import called
from reports.analysis.effect import DECIDED, ON_THE_PAPERS_DATA, Effect, Verdict
from reports.figures.pictures import short, styled
from reports.findings.sections import Section, real
from reports.wording import formatting, sentences

LINEAR = 1.0  # margins; beyond them the axis goes by powers
TICKS = (-100, -30, -10, -3, -1, 0, 1, 3, 10, 30, 100)
SEVERAL = 3  # contrasts with one reference, which then need not be said in each
LONGEST = 38  # letters of a name
LEFT, RIGHT = 2.75, 2.9  # inches, for the names and for sizes and verdicts
ROW, HEADING = 0.27, 0.34  # inches
NARROW, EDGE, NARROW_ROW = 4.2, 0.12, 0.62  # inches: as wide as a phone, at its letters' size
NARROW_LONGEST = 40  # letters of a claim and a name
SHOWN: tuple[Verdict, ...] = (*DECIDED, "open", "exploratory")


class ForestRow(Frozen):
    """One effect: in margins, what the paper says to the right, and in words."""

    study: str
    dataset: str
    claim: str | None
    label: str
    own: bool  # on the paper's data
    at: float
    low: float | None
    high: float | None
    bound: Literal["left", "right", "both"] | None  # to which side it may lie further
    paper: float | None
    shown: str  # the effect in its own unit
    paper_shown: str
    one_more: str  # where one more pair would lie, in its own unit; empty if sizes are not judged
    verdict: str


def forest(found: Sequence[Section]) -> list[ForestRow]:
    """Return a row for every effect with a word, in the paper's order, its own data first."""
    rows = [
        _row(section, effect)
        for section in real(found)
        if section.plan.about.shows == "effects"
        for effect in section.comparison.effects
        if effect.verdict in SHOWN and effect.estimate is not None
    ]
    return sorted(rows, key=lambda row: (not row.own, row.dataset, row.claim or "D"))


def one_a_claim(rows: Sequence[ForestRow], most: int) -> list[ForestRow]:
    """Return rows for a small picture: of each claim and data the first, and of the rest the first.

    The paper's own data comes first, so what is cut off is practice.
    """
    if len(rows) <= most:
        return list(rows)
    seen: set[tuple[str | None, bool]] = set()
    first: list[ForestRow] = []
    others: list[ForestRow] = []
    for row in rows:
        key = (row.claim, row.own)
        (others if row.claim is None or key in seen else first).append(row)
        seen.add(key)
    kept = [*first, *others][:most]
    return [row for row in rows if row in kept]


def _row(section: Section, effect: Effect) -> ForestRow:
    own = section.comparison.setting in ON_THE_PAPERS_DATA

    def place(value: float | None) -> float | None:
        return None if value is None else in_margins(value, effect)

    ends = [place(effect.low), place(effect.high)]
    low, high = sorted(end for end in ends if end is not None) if None not in ends else (None, None)
    return ForestRow(
        study=section.plan.definition.study,
        dataset=section.comparison.dataset,
        claim=effect.contrast.claim,
        label=_label(section, effect)
        + (", predicted equal" if effect.predicted == "equal" else ""),
        own=own,
        at=in_margins(_relied_on(effect), effect),
        low=low if effect.bound == "none" else None,
        high=high if effect.bound == "none" else None,
        bound=_open_side(effect),
        paper=place(effect.contrast.paper) if own else None,
        shown=_shown(effect),
        paper_shown=_with_unit(effect) if own else "",
        one_more=sentences.one_more_pair(effect) if own else "",
        verdict=effect.verdict,
    )


def _label(section: Section, effect: Effect) -> str:
    """Return what was compared, as short as it is clear beside the name of its data."""
    contrast, effects = effect.contrast, section.comparison.effects
    if contrast.against_metric is not None:
        return section.plan.about.title
    against = [one.contrast.against for one in effects]
    if against.count(contrast.against) >= SEVERAL and contrast.is_simple:
        # The others have their reference named in full.
        return contrast.label or contrast.label_of(contrast.arm)
    named = sentences.named(effect, effects)
    if any(letter.isalpha() for letter in contrast.label_of(contrast.arm)):
        return named
    return f"{section.plan.definition.study.replace('_', ' ')} {named}"  # 1 against 0 of what?


def in_margins(value: float, effect: Effect) -> float:
    """Return an effect in the margins within which it is nothing; as predicted is positive.

    Where no difference is predicted, higher is to the right.
    """
    towards = -1 if effect.predicted == "lower" else 1
    if effect.metric.is_ratio:
        return towards * math.log(value) / math.log(effect.margin)
    return towards * value / effect.margin


def _relied_on(effect: Effect) -> float:
    """Return where an effect is drawn: of a bound, the end that its words name."""
    end = {"lower": effect.low, "upper": effect.high}.get(effect.bound, effect.estimate)
    return (effect.estimate or 0.0) if end is None else end


def _open_side(effect: Effect) -> Literal["left", "right", "both"] | None:
    if effect.bound in ("none", "both"):
        return None if effect.bound == "none" else "both"
    further = effect.bound == "lower"  # at least so much: it may lie higher
    return "right" if further != (effect.predicted == "lower") else "left"


def _shown(effect: Effect) -> str:
    text = f"{sentences.estimate(effect)}{_unit(effect.metric)}"
    if effect.low is None or effect.bound != "none":
        return text
    low, high = (formatting.change(end, effect.metric) for end in (effect.low, effect.high))
    return f"{text} [{low}, {high}]"


def _with_unit(effect: Effect) -> str:
    number = sentences.paper_number(effect)
    return "" if number == "-" else f"{number}{_unit(effect.metric)}"


def _unit(metric: Metric) -> str:
    return {"times": "\u00d7", "points": "", "nats": " nats"}[formatting.unit(metric)]


def draw_forest(rows: Sequence[ForestRow], width: float = 8.6) -> Figure | None:
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
        ("ours: points or \u00d7 [95 %]", 0.12),
        ("paper", 1.7),
        ("verdict", 2.15),
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
    """Draw the axis, wide enough for all that is drawn, and the band of nothing."""
    axes.set_xscale("symlog", linthresh=LINEAR, linscale=0.6)
    seen = [v for row in rows for v in (row.at, row.low, row.high, row.paper) if v is not None]
    left, right = 1.3 * min(-1.6, *seen), 1.3 * max(1.6, *seen)
    axes.set_xlim(left, right)
    axes.axvspan(-1, 1, color="0.92", zorder=0, linewidth=0)
    axes.axvline(0, color="0.7", linewidth=0.8, zorder=1)
    ticks = [tick for tick in TICKS if left <= tick <= right]
    axes.xaxis.set_major_locator(FixedLocator(ticks))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xticklabels([f"{tick:g}".replace("-", "\u2212") for tick in ticks], fontsize=8)


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
    _write(axes, row.paper_shown, place, 1.7, right=True, fontsize=8.5)
    weight = "bold" if row.own else "normal"
    _write(
        axes, sentences.word(row.verdict), place, 2.15, right=True, fontsize=8.5, fontweight=weight
    )


def _draw_mark(axes: Axes, place: float, row: ForestRow) -> None:
    """Draw ours with its interval, and the paper's."""
    blue, orange = (sns.color_palette("colorblind")[i] for i in (0, 1))
    if row.low is not None and row.high is not None:
        axes.plot([row.low, row.high], [place, place], color=blue, linewidth=1.6, zorder=2)
    marker = {"left": "<", "right": ">", "both": "|", None: "o"}[row.bound]
    inside = blue if row.own else "white"
    axes.plot([row.at], [place], marker, color=blue, markerfacecolor=inside, markersize=6, zorder=4)
    if row.paper is not None:
        axes.plot([row.paper], [place], "D", color=orange, markersize=6, zorder=3)


def draw_narrow_forest(rows: Sequence[ForestRow]) -> Figure | None:
    """Draw the rows for a phone, names and verdicts above each, sizes below; None if none."""
    if not rows:
        return None
    blocks = [(key, list(of)) for key, of in groupby(rows, key=lambda row: (row.own, row.dataset))]
    height = 0.75 + NARROW_ROW * len(rows) + HEADING * len(blocks)
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
        at = 0.0
        for (own, dataset), of_block in blocks:
            _write(
                axes,
                _of_block(own, dataset),
                at + HEADING / 2,
                0,
                right=False,
                color="0.35",
                fontsize=9,
            )
            at += HEADING
            for row in of_block:
                _draw_narrow_row(axes, at, row)
                at += NARROW_ROW
        axes.set_yticks([])
        sns.despine(ax=axes, left=True)
    return figure


def _draw_narrow_row(axes: Axes, top: float, row: ForestRow) -> None:
    name = f"{row.claim} {row.label}" if row.claim else row.label
    weight = "bold" if row.own else "normal"
    _write(axes, short(name, NARROW_LONGEST), top + 0.12, 0, right=False, fontsize=10)
    verdict = sentences.word(row.verdict)
    _write(axes, verdict, top + 0.12, 0, right=True, ha="right", fontsize=10, fontweight=weight)
    _draw_mark(axes, top + 0.3, row)
    paper = f"; the paper: {row.paper_shown}" if row.paper_shown else ""
    _write(axes, f"{row.shown}{paper}", top + 0.47, 0, right=False, fontsize=9, color="0.35")
