"""What a copy of a dataset's images changes, such as one stored as JPEG.

A study of a copy answers for want of something better. Once the same study is complete on the
images themselves, only that one speaks; the other then says what the copy changes.
"""

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy import stats

from alexnet.config import Frozen
from alexnet.data.catalogue import CATALOGUE
from alexnet.text import counted
from reports.analysis.effect import DECIDED, Effect
from reports.analysis.statistics import Interval
from reports.findings.forest import is_turned, label, shown
from reports.findings.sections import Section, real
from reports.wording.formatting import change, unit
from reports.wording.sentences import word


class CopyRow(Frozen):
    """One comparison that was made of images and of a copy of them."""

    study: str
    label: str  # what was compared
    dataset: str
    copy_of_it: str
    shown: str  # the effect on the images, and on the copy
    shown_on_copy: str
    verdict: str
    verdict_on_copy: str
    differs: str  # by how much that on the copy is higher, with its 95 % interval
    is_clear: bool  # that interval leaves out no difference
    rates: tuple[str, str]  # of the arm and of the other, on the images
    rates_on_copy: tuple[str, str]


def originals(found: Sequence[Section]) -> list[Section]:
    """Return studies without those of a copy, where the same is complete on the images."""
    return [section for section in found if _on_the_images(section, found) is None]


def of_copies(found: Sequence[Section]) -> list[CopyRow]:
    """Return what was compared on images and on a copy of them, in the order of the studies."""
    rows = []
    for copied in real(found):
        section = _on_the_images(copied, found)
        if section is None or copied.missing:
            continue
        of_copy = {_asked(effect): effect for effect in copied.comparison.effects}
        rows += [
            _row(section, effect, copied, of_copy[_asked(effect)])
            for effect in section.comparison.effects
            if _asked(effect) in of_copy
        ]
    return [row for row in rows if row is not None]


def _on_the_images(copied: Section, found: Sequence[Section]) -> Section | None:
    """Return the same study, complete on the images that a section has a copy of."""
    known = CATALOGUE.get(copied.comparison.dataset)
    asked = copied.plan.definition
    return next(
        (
            section
            for section in real(found)
            if known is not None
            and section.comparison.dataset == known.copy_of
            and section.plan.definition.study == asked.study
            and section.plan.definition.epochs == asked.epochs
            and not section.missing
        ),
        None,
    )


def _asked(effect: Effect) -> str:
    """Return what an effect compares, without what is claimed or said of it."""
    of_what = {"arm", "against", "against_metric", "minus", "number", "weights"}
    return effect.contrast.model_dump_json(include=of_what) + effect.metric.model_dump_json()


def _row(section: Section, effect: Effect, copied: Section, of_copy: Effect) -> CopyRow | None:
    if effect.estimate is None or of_copy.estimate is None:
        return None
    differs = difference(effect, of_copy)
    nothing = 1.0 if effect.metric.is_ratio else 0.0
    return CopyRow(
        study=section.plan.definition.study,
        label=label(section, effect),
        dataset=section.comparison.dataset,
        copy_of_it=copied.comparison.dataset,
        shown=shown(effect),
        shown_on_copy=shown(of_copy.model_copy(update={"contrast": effect.contrast})),
        verdict=word(effect.verdict),
        verdict_on_copy=word(of_copy.verdict),
        differs=_in_words(differs, effect),
        is_clear=differs is not None
        and differs.low is not None
        and differs.high is not None
        and not differs.low <= nothing <= differs.high,
        rates=_rates(section, effect),
        rates_on_copy=_rates(copied, of_copy),
    )


def copies_table(rows: Sequence[CopyRow]) -> pd.DataFrame:
    """Return one row per comparison, every cell as it is read."""
    columns = [
        "compared", "on the images [95 %]", "on the copy [95 %]",
        "the copy minus the images [95 %]", "verdicts", "rates", "rates on the copy",
    ]  # fmt: skip
    cells = [
        (
            row.label,
            row.shown,
            row.shown_on_copy,
            row.differs,
            row.verdict if row.verdict == row.verdict_on_copy
            else f"{row.verdict}; {row.verdict_on_copy}",
            ", ".join(row.rates),
            ", ".join(row.rates_on_copy),
        )
        for row in rows
    ]  # fmt: skip
    return pd.DataFrame(cells, columns=columns)


def in_short(rows: Sequence[CopyRow]) -> str:
    """Return in a sentence how many comparisons differ on a copy, or came to another verdict."""
    clear = sum(row.is_clear for row in rows)
    decided = [row for row in rows if {row.verdict, row.verdict_on_copy} <= set(DECIDED)]
    turned = sum(row.verdict != row.verdict_on_copy for row in decided)
    return (
        f"{counted(len(rows), 'comparison')} made of both: in {clear} the 95 % interval of the "
        f"difference leaves out zero, by chance one in twenty would. {len(decided)} decided on "
        f"both: {turned or 'none'} with another verdict."
    )


def difference(effect: Effect, of_copy: Effect) -> Interval | None:
    """Return by how much an effect on a copy is higher, turned as it is shown; None if unknown.

    Both have pairs of their own, so that the interval is Welch's; of ratios, a ratio of them.
    """
    if effect.bound != "none" or of_copy.bound != "none":
        return None
    ours, theirs = np.array(effect.by_seed), np.array(of_copy.by_seed)
    if effect.metric.is_ratio:
        ours, theirs = np.log(ours), np.log(theirs)
    sign = -1 if not effect.metric.is_ratio and is_turned(effect) else 1
    mean = sign * float(theirs.mean() - ours.mean())
    ends: tuple[float, float] | tuple[None, None] = (None, None)
    if min(len(ours), len(theirs)) > 1 and (np.ptp(ours) or np.ptp(theirs)):
        found = stats.ttest_ind(sign * theirs, sign * ours, equal_var=False).confidence_interval(
            0.95
        )
        ends = (float(found.low), float(found.high))
    if not effect.metric.is_ratio:
        return Interval(mean, *ends)
    return Interval(math.exp(mean), *(None if end is None else math.exp(end) for end in ends))


def _in_words(differs: Interval | None, effect: Effect) -> str:
    if differs is None:
        return "-"
    mean, low, high = (change(end, effect.metric) for end in differs)
    between = "" if differs.low is None else f" [{low}, {high}]"
    return f"{mean}{chr(0xD7) if effect.metric.is_ratio else f' {unit(effect.metric)}'}{between}"


def _rates(section: Section, effect: Effect) -> tuple[str, str]:
    by_arm = {row.arm: row.rate for row in section.comparison.rows}
    rates = (by_arm.get(arm) for arm in (effect.contrast.arm, effect.contrast.against))
    first, second = ("-" if rate is None else f"{rate:g}" for rate in rates)
    return first, second
