"""How much of the paper's effect was found: what the front picture shows.

Where the paper has a number and its own images were used, an effect is a share of the paper's: 0
is no effect, 1 is the paper's, below 0 is against what it claims. Differences are divided; ratios
are divided by their logarithms, since two steps of twice as fast are four times as fast: 3.5 times
of 6 is log 3.5 / log 6. A copy of the paper's images has a share too, whose size no verdict judges.

What has no such number (other images, claims without one, predictions of equality) is shown by its
direction alone.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

from alexnet.config import Frozen
from alexnet.data.catalogue import called
from alexnet.text import counted
from reports.analysis.effect import DECIDED, Effect
from reports.findings.forest import SHOWN, ForestRow, Side, forest, label, open_side
from reports.findings.sections import Nearness, Section, real
from reports.wording import formatting, sentences

MOST = 8
"""Rows of other data in the front picture; its table has all."""


class ShareRow(Frozen):
    """One effect as a share of the paper's, and in words."""

    says: str  # the claim alone; empty without a sentence
    label: str
    claim: str  # its number; empty for a question of one's own
    section: str  # of the paper
    images: str
    at: float | None  # the end that a bound can be relied on at; None: unknown
    low: float | None
    high: float | None
    bound: Side | None  # to which side it may lie further
    amount: str  # of how much: "3.5x of 6x"
    verdict: str
    is_judged: bool  # the size, on the paper's own data
    note: str  # why no size is judged, or how far it has come
    ratios: tuple[float, float] | None  # ours and the paper's, where those are ratios


class FrontRows(NamedTuple):
    """What the front picture shows."""

    shares: tuple[ShareRow, ...]
    directions: tuple[ForestRow, ...]  # as predicted to the right
    left_out: int  # effects that have a word and are in the table alone


def share(value: float, effect: Effect) -> float | None:
    """Return an effect as a share of the paper's; None where that has no size to be a share of.

    Args:
        value: A ratio, or a difference, in the metric's unit.
        effect: Whose contrast has the paper's number.
    """
    paper = effect.contrast.paper
    if paper is None or effect.predicted == "equal":
        return None
    scale = math.log if effect.metric.is_ratio else float
    return scale(value) / scale(paper) if scale(paper) else None


def front_rows(found: Sequence[Section], most: int = MOST) -> FrontRows:
    """Return what the front picture shows of what was found, each sentence once with each verdict.

    Args:
        found: All studies.
        most: How many directions, those that are decided first.
    """
    shares = sorted(_shares(found), key=_place)
    rows = forest(found)
    answered = {row.says or row.label for row in shares if row.verdict in SHOWN}
    once: dict[str, dict[str, ForestRow]] = {}  # by what is said, and by the verdict
    for row in sorted(rows, key=lambda row: row.verdict not in DECIDED):  # is stable
        if (said := row.says or row.label) in answered:
            continue
        of_it = once.setdefault(said, {})
        if not of_it or row.verdict in DECIDED:  # which may decide it otherwise elsewhere
            of_it.setdefault(row.verdict, row)
    kept = [row for of_it in once.values() for row in of_it.values()][:most]
    directions = sorted(kept, key=lambda row: (row.verdict not in DECIDED, -row.at))
    in_shares = sum(row.verdict in SHOWN for row in shares)
    return FrontRows(tuple(shares), tuple(directions), len(rows) - in_shares - len(directions))


def few(rows: FrontRows, most: int) -> FrontRows:
    """Return the first of what is shown, for a small picture: shares first, then directions.

    Of directions, those with a sentence; of those, what goes against it, and then the largest.
    """
    shares = rows.shares[:most]
    chosen = sorted(rows.directions, key=_interest)[: most - len(shares)]
    directions = tuple(row for row in rows.directions if row in chosen)
    shown = len(shares) + len(directions)
    left_out = rows.left_out + len(rows.shares) + len(rows.directions) - shown
    return FrontRows(shares, directions, left_out)


def _interest(row: ForestRow) -> tuple[bool, bool, bool, float]:
    return row.verdict not in DECIDED, not row.says, row.at >= 0, -row.at


def _place(row: ShareRow) -> tuple[bool, bool, float]:
    """Judged sizes first, then what has a word, then what is under way; the largest share first."""
    return not row.is_judged, row.verdict not in SHOWN, -(row.at or 0.0)


def _shares(found: Sequence[Section]) -> list[ShareRow]:
    return [
        _share_row(section, effect)
        for section in real(found)
        if section.plan.about.shows == "effects" and section.nearness < Nearness.OTHER
        for effect in section.comparison.effects
        if effect.verdict in (*SHOWN, "incomplete")
        and effect.contrast.judged
        and effect.estimate is not None
        and share(effect.estimate, effect) is not None
    ]


def _share_row(section: Section, effect: Effect) -> ShareRow:
    comparison = section.comparison
    own = section.nearness is Nearness.OWN
    # No share before all seeds are there: it would be read as an answer.
    waiting = effect.verdict == "incomplete"
    at = None if waiting or effect.bound == "both" else _share_of(_reliable(effect), effect)
    ends = [_share_of(end, effect) for end in (effect.low, effect.high)]
    known = at is not None and effect.bound == "none" and None not in ends
    low, high = sorted(end for end in ends if end is not None) if known else (None, None)
    note = "" if own else "size not judged"
    if waiting:
        note = f"{comparison.done} of {counted(comparison.planned, 'run')}"
    paper = effect.contrast.paper
    ratio = effect.metric.is_ratio and at is not None and paper is not None
    return ShareRow(
        says=effect.contrast.says,
        label=label(section, effect),
        claim=effect.contrast.claim or "",
        section=section.plan.about.section,
        images=called(comparison.dataset),
        at=at,
        low=low,
        high=high,
        bound=None if waiting else open_side(effect),
        amount=_amount(effect, waiting),
        verdict=effect.verdict,
        is_judged=own and effect.verdict in DECIDED,
        note=note,
        ratios=(_reliable(effect), paper) if ratio and paper is not None else None,
    )


def _share_of(value: float | None, effect: Effect) -> float | None:
    return None if value is None else share(value, effect)


def _reliable(effect: Effect) -> float:
    """Return the estimate; of a bound, the end of its interval that can be relied on."""
    end = {"lower": effect.low, "upper": effect.high}.get(effect.bound, effect.estimate)
    found = effect.estimate if end is None else end
    assert found is not None  # whoever has a row has an estimate
    return found


def _amount(effect: Effect, waiting: bool) -> str:
    """Return how much was found of how much, to two figures; against the claim it is negative."""
    paper, ratio = effect.contrast.paper, effect.metric.is_ratio
    assert paper is not None
    unit = formatting.unit(effect.metric)
    scale = 100 if unit == "points" else 1
    if ratio:
        whole = f"{formatting.two_figures(paper)}\u00d7"
    else:
        shown = formatting.two_figures(abs(scale * paper))
        whole = f"{shown} {unit.removesuffix('s') if shown == '1' else unit}"
    if waiting:
        return f"? of {whole}"
    if effect.bound == "both":
        return f"unknown, of {whole}"
    ours = _reliable(effect) if ratio else scale * math.copysign(1, paper) * _reliable(effect)
    bound = {"lower": "at least ", "upper": "at most "}.get(effect.bound, "")
    text = f"{bound}{formatting.two_figures(ours)}{chr(0xD7) if ratio else ''}"
    return f"{text} of {whole}"


def alternative(rows: FrontRows) -> str:
    """Return the picture in words, for who does not see it."""
    parts = [
        f"{row.label} ({row.images}): {row.amount}, {sentences.word(row.verdict)}"
        + (f", {row.note}" if row.note else "")
        for row in rows.shares
    ]
    parts += [
        f"{row.label} ({called(row.dataset)}): {row.shown}, {sentences.word(row.verdict)}"
        for row in rows.directions
    ]
    return "; ".join(parts)
