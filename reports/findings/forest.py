"""Every effect that has a word, beside the paper's number: what a forest plot shows.

Effects of times and of errors share one axis: each is measured in the margin within which it
counts as nothing, so that the band of nothing is the same for all, and turned so that what the
paper says lies to the right. Beside each stands its size in its own unit, in words that go the
same way as the name beside them.
"""

import math
from collections.abc import Sequence
from typing import Literal

from alexnet.config import Frozen
from reports.analysis.effect import DECIDED, ON_THE_PAPERS_DATA, Effect, Verdict
from reports.findings.sections import Section, real
from reports.wording import formatting, sentences

Side = Literal["left", "right", "both"]
SHOWN: tuple[Verdict, ...] = (*DECIDED, "open", "exploratory")


class ForestRow(Frozen):
    """One effect: in margins, what the paper says to the right, and in words."""

    study: str
    dataset: str
    claim: str | None
    says: str  # the claim alone, which several rows may be about; empty without a sentence
    label: str
    own: bool  # on the paper's data
    is_beside: bool  # no question of the paper
    at: float
    low: float | None
    high: float | None
    bound: Side | None  # to which side it may lie further
    paper: float | None
    shown: str  # the effect in its own unit
    paper_shown: str
    one_more: str  # where one more pair would lie, in its own unit; empty if sizes are not judged
    verdict: str


def forest(found: Sequence[Section]) -> list[ForestRow]:
    """Return a row for every effect with a word, in the paper's order, its own data first."""
    seen = [
        (section, effect)
        for section in real(found)
        if section.plan.about.shows == "effects"
        for effect in section.comparison.effects
        if effect.verdict in SHOWN and effect.estimate is not None
    ]
    rows = [_row(section, effect) for section, effect in _each_once(seen)]
    in_order = sorted(rows, key=lambda row: (not row.own, row.dataset, row.claim or "D"))
    return _told_apart(in_order)


def _each_once(seen: Sequence[tuple[Section, Effect]]) -> list[tuple[Section, Effect]]:
    """Return each comparison of the same runs once: where its claim is asked, else the first."""
    once: dict[tuple[object, ...], tuple[Section, Effect]] = {}
    for section, effect in seen:
        contrast = effect.contrast
        runs = frozenset(
            frozenset(run.id for run in section.runs.get(arm, ()))
            for arm in (contrast.arm, contrast.against)
        )
        is_pair = contrast.is_simple and contrast.says and contrast.arm != contrast.against
        key = (
            (section.comparison.setting, contrast.says, effect.metric, runs)
            if is_pair and all(runs)
            else (section.name, id(effect))
        )
        asked = section.plan.definition.claim
        if key not in once or (asked == contrast.claim and asked is not None):
            once[key] = section, effect
    return list(once.values())


def _told_apart(rows: Sequence[ForestRow]) -> list[ForestRow]:
    """Return rows of which no two studies have the same label on the same images."""
    studies: dict[tuple[str, str], set[str]] = {}
    for row in rows:
        studies.setdefault((row.dataset, row.label), set()).add(row.study)
    return [
        row.but(label=f"{row.label} ({row.study})")
        if len(studies[row.dataset, row.label]) > 1 else row
        for row in rows
    ]  # fmt: skip


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
    low, high = _ends(effect)
    paper = effect.contrast.paper
    return ForestRow(
        study=section.plan.definition.study,
        dataset=section.comparison.dataset,
        claim=effect.contrast.claim,
        says=effect.contrast.says,
        label=label(section, effect),
        own=own,
        is_beside=effect.contrast.claim is None and not section.plan.about.paper_dataset,
        at=in_margins(_relied_on(effect), effect),
        low=low,
        high=high,
        bound=open_side(effect),
        paper=in_margins(paper, effect) if own and paper is not None else None,
        shown=shown(effect),
        paper_shown=_paper_shown(effect) if own else "",
        one_more=_one_more(effect) if own else "",
        verdict=effect.verdict,
    )


def label(section: Section, effect: Effect) -> str:
    """Return what is claimed, as a sentence; where a plan has none, what was compared.

    It stands alone, without the title of its study. Where a study has several contrasts of one
    sentence, each also says of which arm it is; where it also compares with several arms, it says
    what is compared alone, for which there is room.
    """
    contrast, effects = effect.contrast, section.comparison.effects
    if contrast.says:
        if sum(other.contrast.says == contrast.says for other in effects) == 1:
            return contrast.says
        against = {one.contrast.against for one in effects if one.metric == effect.metric}
        if len(against) > 1 and not is_turned(effect):
            return contrast.label or contrast.compared
        return f"{contrast.says}: {contrast.label_of(contrast.arm)}"
    equal = ", predicted equal" if effect.predicted == "equal" else ""
    if contrast.against_metric is not None:
        return section.plan.about.title + equal
    named = sentences.named(effect, effects)
    if any(letter.isalpha() for letter in contrast.label_of(contrast.arm)):
        return named + equal
    # 1 against 0 of what?
    return f"{section.plan.definition.study.replace('_', ' ')} {named}{equal}"


def in_margins(value: float, effect: Effect) -> float:
    """Return an effect in the margins within which it is nothing; as predicted is positive.

    Where no difference is predicted, any is against the prediction, and so negative.
    """
    scaled = math.log(value) if effect.metric.is_ratio else value
    margin = math.log(effect.margin) if effect.metric.is_ratio else effect.margin
    if effect.predicted == "equal":
        return -abs(scaled) / margin
    return (-1 if effect.predicted == "lower" else 1) * scaled / margin


def _ends(effect: Effect) -> tuple[float, float] | tuple[None, None]:
    """Return the ends of an interval in margins, the lower first; of bounds, none."""
    if effect.low is None or effect.high is None or effect.bound != "none":
        return None, None
    low, high = sorted((in_margins(effect.low, effect), in_margins(effect.high, effect)))
    nothing = 1 if effect.metric.is_ratio else 0
    if effect.predicted == "equal" and effect.low < nothing < effect.high:
        return low, 0.0  # no difference is inside
    return low, high


def _relied_on(effect: Effect) -> float:
    """Return where an effect is drawn: of a bound, the end that its words name."""
    end = {"lower": effect.low, "upper": effect.high}.get(effect.bound, effect.estimate)
    return (effect.estimate or 0.0) if end is None else end


def open_side(effect: Effect) -> Side | None:
    """Return to which side a bound may lie further, what is predicted being to the right."""
    if effect.bound in ("none", "both"):
        return None if effect.bound == "none" else "both"
    if effect.predicted == "equal":
        return "both"
    further = effect.bound == "lower"  # at least so much: it may lie higher
    return "right" if further != (effect.predicted == "lower") else "left"


def is_turned(effect: Effect) -> bool:
    """Return whether the name beside an effect is of having what its arm lacks."""
    return bool(effect.contrast.says) and sentences.lacks_the_idea(effect)


def shown(effect: Effect) -> str:
    """Return an effect and its interval in its own unit, the way its label says it."""
    if not effect.metric.is_ratio:
        return sentences.sized(effect, turned=is_turned(effect))
    text = f"{sentences.estimate(effect)}\u00d7"
    if effect.low is None or effect.bound != "none":
        return text
    low, high = (formatting.change(end, effect.metric) for end in (effect.low, effect.high))
    return f"{text} [{low}, {high}]"


def _paper_shown(effect: Effect) -> str:
    paper = effect.contrast.paper
    if paper is None:
        return ""
    if effect.metric.is_ratio:
        return f"{sentences.paper_number(effect)}\u00d7"
    return formatting.amount(-paper if is_turned(effect) else paper, effect.metric)


def _one_more(effect: Effect) -> str:
    """Return where one more pair would lie, turned as the size beside it."""
    if effect.metric.is_ratio or not is_turned(effect):
        return sentences.one_more_pair(effect)
    low, high = effect.prediction_low, effect.prediction_high
    if low is None or high is None:
        return ""
    turned = {"prediction_low": -high, "prediction_high": -low}
    return sentences.one_more_pair(effect.model_copy(update=turned))
