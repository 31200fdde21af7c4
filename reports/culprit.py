"""What all runs that changed have, and none that agrees.

Arms differ by one idea, so that it can be named. Runs are told apart by the facets of their
configs, which are in words.
"""

from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import NamedTuple

from ablations.run import Run
from reports.facets import NONE, facets

MOST = 3
"""Traits that are named, if several fit alike."""


class Trait(NamedTuple):
    """Something that a run has or has not."""

    facet: str
    value: str | None  # None: any; "-": it has none

    def is_of(self, seen: dict[str, str]) -> bool:
        """Whether a run with these facets has it."""
        there = seen.get(self.facet, NONE)
        return there != NONE if self.value is None else there == self.value

    @property
    def words(self) -> str:
        """What comes after "has"."""
        if self.value is None:
            return self.facet.removesuffix(" in")  # "towers in" conv2, conv4
        return f"no {self.facet}" if self.value == NONE else f"{self.facet} {self.value}"


def culprit(changed: Sequence[Run], agreeing: Sequence[Run]) -> str:
    """Return in a sentence what sets the runs that changed apart from those that agree.

    One trait if one will do, else two together, else the one that fewest of the others share.
    """
    if not changed:
        return ""
    if not agreeing:
        return "every arm changed: look at what all of them share"
    moved, stayed = [[_seen(run) for run in runs] for runs in (changed, agreeing)]
    common = list(_common(moved))
    shared = {trait: sum(map(trait.is_of, stayed)) for trait in common}
    only = [trait for trait, count in shared.items() if not count]
    if only:
        return f"every changed arm has {_any_of(only)}, no agreeing arm has it"
    for one, other in combinations(sorted(common, key=lambda trait: shared[trait]), 2):
        if not any(one.is_of(seen) and other.is_of(seen) for seen in stayed):
            return f"every changed arm has {one.words} and {other.words}, no agreeing arm has both"
    if not common:
        return "the changed arms have nothing in common"
    nearest = min(common, key=lambda trait: shared[trait])
    return (
        f"every changed arm has {nearest.words}, and so have {shared[nearest]} of the "
        f"{len(stayed)} trainings that agree"
    )


def _any_of(traits: Sequence[Trait]) -> str:
    """Return the traits that fit alike; having something says more than what exactly."""
    kind = [trait for trait in traits if trait.value is None] or traits
    return " or ".join(trait.words for trait in kind[:MOST])


def _seen(run: Run) -> dict[str, str]:
    return {**facets(run.config), "precision": run.precision}


def _common(moved: Sequence[dict[str, str]]) -> Iterator[Trait]:
    """Yield what all have, the most general first."""
    for facet in moved[0]:
        values = {seen[facet] for seen in moved}
        if NONE not in values:
            yield Trait(facet, None)
    for facet in moved[0]:
        values = {seen[facet] for seen in moved}
        if len(values) == 1:
            yield Trait(facet, values.pop())
