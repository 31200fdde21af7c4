"""One contrast's effect, and the one word for what it says of a claim."""

import math
from typing import Literal

from pydantic import Field

from ablations.contrast import Contrast, Direction
from ablations.metrics import Metric
from ablations.study import ALPHA, Setting
from alexnet.config import Frozen

Verdict = Literal[
    "not run", "incomplete", "absent", "reversed", "weaker", "stronger", "holds", "open",
    "same way", "other way", "no effect", "shown", "exploratory",
]  # fmt: skip
Bound = Literal["lower", "upper", "both", "none"]

DECIDED: tuple[Verdict, ...] = (
    "absent", "reversed", "weaker", "stronger", "holds", "same way", "other way", "no effect",
)  # fmt: skip
UNDECIDED: tuple[Verdict, ...] = ("not run", "incomplete", "shown", "exploratory")
"""No verdict yet, or never one."""
ON_THE_PAPERS_DATA: tuple[Setting, ...] = ("paper", "closest reading")
ELSEWHERE: dict[Verdict, Verdict] = {
    "absent": "no effect",
    "reversed": "other way",
    "weaker": "same way",
    "stronger": "same way",
    "holds": "same way",
}
"""What a word of the paper's own data becomes on other data, where sizes are not judged."""


class AtThreshold(Frozen):
    """The speed-up at another threshold, where every run crossed it."""

    training_error: float
    estimate: float
    low: float | None
    high: float | None
    pairs: int


class Effect(Frozen):
    """One contrast: how large, how sure, and what follows for the claim.

    A ratio for times, a difference for all else, in the metric's unit. Fields are None where
    there is too little to say.
    """

    contrast: Contrast
    metric: Metric
    pairs: int
    planned: int
    mean: float | None = None  # of the arm; geometric for times
    mean_against: float | None = None
    seeds: tuple[int, ...] = ()  # of each pair; of ensembles, the numbers of their groups
    by_seed: tuple[float, ...] = ()  # the effect in each pair
    estimate: float | None = None
    low: float | None = None
    high: float | None = None
    bound: Bound = "none"
    # Where one more pair would lie, at the level that the study's judged numbers leave to each:
    prediction_low: float | None = None
    prediction_high: float | None = None
    p: float | None = None  # exact sign-flip; of many arms at once, Student's
    freedom: int | None = None  # degrees of freedom of the latter
    p_adjusted: float | None = None  # times the number of the study's judged contrasts
    equivalence_p: float | None = None
    equivalence_p_adjusted: float | None = None  # likewise
    detectable: float | None = None  # by the planned seeds, from the spread seen here
    seeds_for_paper: int | None = None  # to detect the paper's effect, from the same spread
    seeds_for_margin: int | None = None  # to detect an effect as large as the margin
    decidable_margin: float | None = None  # within which they can find equality, likewise
    pair_correlation: float | None = None
    unmet: str | None = None  # why nothing can follow for the claim, whatever the numbers
    rate_left_open: str | None = None  # why the arm that loses may have had a rate too bad
    rate_step: float | None = None  # the factor to the next rates that were tried, where any were
    norm_activity: dict[str, float] = Field(
        default_factory=dict
    )  # where a precondition asks for it
    known_before: int = 0  # runs of its arms that were finished before the plan was registered
    at_thresholds: tuple[AtThreshold, ...] = ()
    seconds_ratio: float | None = None  # the same speed-up on the clock
    verdict: Verdict = "not run"

    @property
    def is_complete(self) -> bool:
        """Whether all planned pairs are there."""
        return self.pairs == self.planned

    @property
    def margin(self) -> float:
        """Within what it is nothing: a factor, or a difference."""
        return self.contrast.margin_for(self.metric)

    @property
    def differs(self) -> bool:
        """Whether the corrected test of the difference decides."""
        return self.p_adjusted is not None and self.p_adjusted < ALPHA

    @property
    def is_equivalent(self) -> bool:
        """Whether the corrected test of equivalence decides: any difference is within the margin.

        A difference can be decided and smaller than the margin, both at once.
        """
        p = self.equivalence_p_adjusted
        return p is not None and p < ALPHA

    @property
    def predicted(self) -> Direction:
        """Which way it should go."""
        return self.contrast.predicts(self.metric)


def verdict(effect: Effect, setting: Setting, complete: bool) -> Verdict:
    """Return the one word for a claim in one setting; the first rule that applies.

    ``not run``; ``incomplete``; ``exploratory`` if a run was finished before the plan was
    registered, which may have been made knowing it; ``open`` if what the claim presupposes is not
    so, or if the arm that loses did best at the edge of the rates that were tried. Then, if the
    difference is decided: against the claim ``reversed``; for it ``weaker`` or ``stronger`` if the
    paper's number lies outside the prediction limits, else ``holds``. If it is not: ``absent`` if
    equivalence is decided (any difference is smaller than the margin), else ``open``. A claim of
    equality ``holds`` if equivalence is decided, and is ``reversed`` if only a difference is. Other
    data than the paper's says ``no effect``, ``other way``, ``same way`` or ``open``, and nothing
    of the size.

    The paper's number is that of one run, so that it is held against the limits of one more pair,
    not against the interval of our mean: with the truth the same here and there, single pairs lie
    outside of that in half of all worlds.
    """
    if effect.estimate is None or effect.p_adjusted is None:
        return "not run" if effect.pairs == 0 else "incomplete"
    if not complete:
        return "incomplete"
    if effect.known_before:
        return "exploratory"
    if effect.unmet or effect.rate_left_open:
        return "open"
    word = _of_equality(effect) if effect.predicted == "equal" else _of_direction(effect)
    return word if setting in ON_THE_PAPERS_DATA else ELSEWHERE.get(word, word)


def _of_equality(effect: Effect) -> Verdict:
    if effect.is_equivalent:
        return "holds"
    return "reversed" if effect.differs and effect.bound == "none" else "open"


def _of_direction(effect: Effect) -> Verdict:
    if not effect.differs:
        return "absent" if effect.is_equivalent else "open"
    towards = 1 if effect.predicted == "higher" else -1
    scale = math.log if effect.metric.is_ratio else float
    size = 0.0 if effect.estimate is None else towards * scale(effect.estimate)
    # A bound on the side of zero leaves the sign open: at most so much, or at least so little.
    too_large, too_small = ("upper", "lower") if towards > 0 else ("lower", "upper")
    if not size or effect.bound in ("both", too_large if size > 0 else too_small):
        return "open"
    if size < 0:
        return "reversed"
    paper, *limits = (
        None if value is None else towards * scale(value)
        for value in (effect.contrast.paper, effect.prediction_low, effect.prediction_high)
    )
    known = [limit for limit in limits if limit is not None]
    if paper is None or not known:
        return "holds"
    if min(known) > paper:
        return "stronger"
    if effect.bound != "none":  # at least so much, which a longer horizon may yet find to be more
        return "open"
    return "weaker" if max(known) < paper else "holds"
