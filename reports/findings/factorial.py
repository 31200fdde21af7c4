"""What a factorial design found: its networks from the best to the worst, and its effects."""

from typing import NamedTuple

import numpy as np

from ablations.metrics import observe
from reports.analysis.effect import Effect
from reports.findings.sections import Section

SINGLE = 2.0
"""What the weights of one idea's effect sum to, signs apart: one half of the arms each way."""


class Network(NamedTuple):
    """One arm: which ideas it has, and what its runs came to."""

    arm: str
    has: tuple[bool, ...]  # by idea
    values: tuple[float, ...]  # by seed


class Factorial(NamedTuple):
    """A factorial design with runs."""

    ideas: tuple[Effect, ...]  # of one idea each
    together: tuple[Effect, ...]  # of two, beyond the sum of both
    networks: tuple[Network, ...]  # the best first


def factorial_of(section: Section) -> Factorial | None:
    """Return what a factorial design found; None of another study, or before it has runs."""
    effects = section.comparison.effects
    if not all(effect.contrast.weights for effect in effects):
        return None
    ideas = tuple(effect for effect in effects if _is_single(effect))
    together = tuple(effect for effect in effects if not _is_single(effect))
    metric = section.plan.definition.metric
    networks = []
    for arm, records in section.records.items():
        seen = [observe(record, metric) for record in records.values()]
        values = tuple(outcome.value for outcome in seen if outcome is not None)
        if values:
            has = tuple((idea.contrast.weights or {}).get(arm, 0.0) > 0 for idea in ideas)
            networks.append(Network(arm, has, values))
    networks.sort(key=lambda network: float(np.mean(network.values)))
    return Factorial(ideas, together, tuple(networks)) if networks and ideas else None


def _is_single(effect: Effect) -> bool:
    weights = effect.contrast.weights or {}
    return bool(np.isclose(sum(map(abs, weights.values())), SINGLE))
