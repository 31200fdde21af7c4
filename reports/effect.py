"""One contrast's effect, and the one word for what it says of a claim."""

import math
from typing import Literal

from ablations.study import Contrast, Setting
from alexnet.config import Frozen

ALPHA = 0.05

Verdict = Literal[
    "not run", "incomplete", "absent", "reversed", "weaker", "stronger", "holds", "open",
    "same way", "other way", "no effect",
]  # fmt: skip
Bound = Literal["lower", "upper", "both", "none"]


class AtThreshold(Frozen):
    """The speed-up at another threshold, where every run crossed it."""

    training_error: float
    estimate: float
    low: float | None
    high: float | None
    pairs: int


class Effect(Frozen):
    """One contrast: how large, how sure, and what follows for the claim."""

    contrast: Contrast
    pairs: int
    planned: int
    estimate: float | None = None  # a ratio for times, a difference for errors
    low: float | None = None
    high: float | None = None
    bound: Bound = "none"
    p: float | None = None  # exact sign-flip
    p_adjusted: float | None = None  # Holm over the study's contrasts
    equivalence_p: float | None = None
    detectable: float | None = None  # by the planned seeds, from the spread seen here
    pair_correlation: float | None = None
    at_thresholds: tuple[AtThreshold, ...] = ()
    seconds_ratio: float | None = None  # the same speed-up on the clock
    verdict: Verdict = "not run"


def verdict(effect: Effect, setting: Setting, complete: bool, ratio: bool) -> Verdict:
    """Return the one word for a claim in one setting; the first rule that applies.

    ``not run``, ``incomplete``, ``absent`` (any difference is smaller than the margin),
    ``reversed``, ``weaker`` or ``stronger`` (the interval wholly on one side of the paper's
    number), ``holds`` (decided, the number not ruled out), ``open``. A stand-in says
    ``no effect``, ``other way``, ``same way`` or ``open``, and nothing of the size.
    """
    if effect.estimate is None or effect.p_adjusted is None:
        return "not run" if effect.pairs == 0 else "incomplete"
    if not complete:
        return "incomplete"
    paper = effect.contrast.paper
    scale = math.log if ratio else float
    towards = math.copysign(1, scale(paper))
    size = towards * scale(effect.estimate)  # positive: the way the paper says
    paper_size = towards * scale(paper)
    stand_in = setting == "stand-in"
    if effect.equivalence_p is not None and effect.equivalence_p < ALPHA:
        return "no effect" if stand_in else "absent"
    too_large = "upper" if towards > 0 else "lower"  # the bound that makes size look too large
    undone = too_large if size > 0 else {"upper": "lower", "lower": "upper"}[too_large]
    if effect.p_adjusted >= ALPHA or size == 0 or effect.bound in (undone, "both"):
        return "open"
    if size < 0:
        return "other way" if stand_in else "reversed"
    if stand_in:
        return "same way"
    if effect.low is None or effect.high is None:
        return "holds"
    smallest, largest = sorted((towards * scale(effect.low), towards * scale(effect.high)))
    if largest < paper_size and effect.bound == "none":
        return "weaker"
    if smallest > paper_size:
        return "stronger"
    return "holds"
