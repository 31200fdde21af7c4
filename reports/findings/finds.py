"""What was found, in words for who has never read the paper: the front page's first lines.

Each find is said only while complete studies show it, of real runs; what is said of sizes is
computed. Their order is how much they may surprise.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

from ablations.metrics import FinalError, Gap, SameClass, TimeTo
from alexnet.data.catalogue import called
from alexnet.text import counted
from reports.analysis.effect import Effect
from reports.findings.copies import originals
from reports.findings.sections import Section, real
from reports.wording.formatting import percent, times, two_figures, value


class Find(NamedTuple):
    """Something that was found: what, and by how much."""

    headline: str
    text: str


class Seen(NamedTuple):
    """An effect, complete and of real runs, and the images it was seen on."""

    effect: Effect
    images: str
    trained: str  # on how many pictures, how often
    low: float
    high: float

    @property
    def is_lower(self) -> bool:
        """Whether its whole interval lies below none."""
        return self.high < (1 if self.effect.metric.is_ratio else 0)

    @property
    def is_higher(self) -> bool:
        """Whether its whole interval lies above none."""
        return self.low > (1 if self.effect.metric.is_ratio else 0)


def finds(found: Sequence[Section]) -> list[Find]:
    """Return what can be said of complete studies, the most surprising first."""
    said = (one(found) for one in (_dropout, _norm, _speed, _neighbours))
    return [find for find in said if find is not None]


def _seen(
    found: Sequence[Section], study: str, arm: str, against: str, metric: type = FinalError
) -> Seen | None:
    """Return the effect of one arm against another, on the images nearest to the paper's."""
    for section in originals(real(found)):  # the nearest to the paper's first
        if section.plan.definition.study != study or section.missing:
            continue
        for effect in section.comparison.effects:
            contrast = effect.contrast
            is_it = (contrast.arm, contrast.against) == (arm, against)
            if not is_it or not isinstance(effect.metric, metric):
                continue
            if effect.low is None or effect.high is None or effect.bound != "none":
                continue
            images = called(section.comparison.dataset)
            return Seen(effect, images, _trained(section, arm), effect.low, effect.high)
    return None


def _trained(section: Section, arm: str) -> str:
    """Return on how many pictures a network was trained, and how often on each."""
    training = section.plan.definition.arms[arm].training
    pictures = "all pictures" if training.images is None else f"{training.images:,} pictures"
    return f"trained {counted(training.epochs, 'time')} on {pictures}"


def _dropout(found: Sequence[Section]) -> Find | None:
    """Say that the network errs less without dropout."""
    without = _seen(found, "one_removed", "no dropout", "as it is")
    if without is None or not without.is_lower:
        return None
    text = (
        "While it trains, dropout switches half of the units of the two large layers off at "
        "random, so that none can rely on a few others. In our small AlexNet "
        f"({without.trained}, each cut and mirrored in many ways) {_errors(without)}."
    )
    gap = _seen(found, "dropout", "0.5", "none", Gap)
    alone = _seen(found, "dropout", "0.5", "none")
    if gap is not None and gap.is_lower and alone is not None and alone.is_lower:
        text += (
            " Trained on the pictures as they are, dropout does what the paper says: the test "
            f"error exceeds the training error by {_points(gap)} less, and is {_points(alone)} "
            "lower in one view."
        )
    return Find("Dropout made a small network worse where its pictures are varied.", text)


def _errors(without: Seen) -> str:
    """Return how many pictures are wrong with an idea and without it, and how sure that is."""
    effect = without.effect
    assert isinstance(effect.metric, FinalError)
    views = ", each seen in ten views," if effect.metric.views == "ten" else ""
    errors = [value(one, effect.metric) for one in (effect.mean_against, effect.mean)]
    return (
        f"{errors[0]} of {without.images}'s test pictures{views} are named wrongly with it and "
        f"{errors[1]} without it ({_points(without)}, {_alike(without)})"
    )


def _points(seen: Seen) -> str:
    """Return the size of a difference without its sign, with its interval."""
    effect, sign = seen.effect, 1 if seen.is_higher else -1
    assert effect.estimate is not None  # what has an interval has an estimate
    low, high = sorted(100 * sign * end for end in (seen.low, seen.high))
    return f"{100 * sign * effect.estimate:.1f} points [{low:.1f}, {high:.1f}]"


def _alike(seen: Seen) -> str:
    """Return in how many pairs of runs it goes the same way."""
    sign = 1 if seen.is_higher else -1
    alike = sum(sign * one > 0 for one in seen.effect.by_seed)
    return f"in {alike} of {counted(seen.effect.pairs, 'pair')} of runs"


def _norm(found: Sequence[Section]) -> Find | None:
    """Say that what LRN's constant does alone is no less than what LRN does."""
    alone = _seen(found, "response_norm", "the constant alone", "none")
    printed = _seen(found, "response_norm", "as printed", "none")
    beyond = _seen(found, "response_norm", "as printed", "the constant alone")
    if alone is None or printed is None or beyond is None:
        return None
    if not alone.is_lower or beyond.is_lower:
        return None
    return Find(
        "What response normalisation (LRN) wins in a small network, its constant wins alone.",
        "LRN lets the channels of a layer hold each other down. Where they do not, it still "
        "multiplies all by 0.59. Against no LRN at all, to multiply by 0.59 and do nothing "
        f"else lowers our small AlexNet's error on {alone.images} by {_points(alone)}; LRN as "
        f"printed lowers it by {_points(printed)}.",
    )


def _speed(found: Sequence[Section]) -> Find | None:
    """Say how much faster ReLU trains than tanh, where that is not six times."""
    seen = _seen(found, "relu_vs_tanh", "relu", "tanh", TimeTo)
    if seen is None or not seen.is_higher or seen.high >= (seen.effect.contrast.paper or math.inf):
        return None
    assert isinstance(seen.effect.metric, TimeTo)
    assert seen.effect.estimate is not None  # what has an interval has an estimate
    error = percent(seen.effect.metric.training_error)
    return Find(
        f"ReLU trains faster than tanh: here {two_figures(seen.effect.estimate)} times, in the "
        "paper six.",
        f"To get from guessing to naming all but {error} of its training pictures rightly, a "
        "four-layer network as in the paper's Figure 1 takes "
        f"{times(seen.effect.mean)} rounds through {seen.images} with ReLU and "
        f"{times(seen.effect.mean_against)} with tanh, each at the best of the learning "
        f"rates that were tried: {times(seen.effect.estimate)} times as many "
        f"[{times(seen.low)}, {times(seen.high)}].",
    )


def _neighbours(found: Sequence[Section]) -> Find | None:
    """Say that near in the last hidden layer is of one class more often than near by pixels."""
    seen = _seen(found, "nearest_neighbours", "as it is", "as it is", SameClass)
    if seen is None or not seen.is_higher:
        return None
    return Find(
        "Pictures that the network finds alike show the same thing.",
        f"Of the six training pictures of {seen.images} that its last hidden layer puts nearest "
        f"to a test picture, {value(seen.effect.mean, seen.effect.metric)} are of its class; "
        f"of the six nearest by pixels, {value(seen.effect.mean_against, seen.effect.metric)}.",
    )
