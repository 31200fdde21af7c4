"""Which effect of a comparison speaks for all of it."""

import math

from reports.analysis.comparison import Comparison
from reports.analysis.effect import DECIDED, Effect


def speaks(comparison: Comparison) -> Effect:
    """Return the effect that a headline is about: of those that are decided, the largest.

    In margins, whichever way it goes; the first if none is decided.
    """
    decided = [effect for effect in comparison.effects if effect.verdict in DECIDED]
    return max(decided or comparison.effects[:1], key=_margins)


def largest(comparison: Comparison) -> Effect:
    """Return the largest effect there is, of readings that are ranked."""
    return max(comparison.effects, key=lambda effect: effect.estimate or 0.0)


def _margins(effect: Effect) -> float:
    scale = math.log if effect.metric.is_ratio else abs
    return abs(scale(effect.estimate)) / abs(scale(effect.margin)) if effect.estimate else 0.0
