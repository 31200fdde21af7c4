"""What all trainings that changed have, and none that agrees.

Arms differ by one idea, so that it can be named. Trainings are told apart by the facets of their
configs, which are in words.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import NamedTuple

from ablations.run import Run
from reports.wording.config_summary import NONE, facets

MOST = 3
"""Traits that are named, if several fit alike."""


class Trait(NamedTuple):
    """Something that a run has or has not."""

    facet: str
    value: str | None  # None: any; "-": it has none

    def is_of(self, seen: Mapping[str, str]) -> bool:
        """Whether a run with these facets has it."""
        there = seen.get(self.facet, NONE)
        return there != NONE if self.value is None else there == self.value

    @property
    def words(self) -> str:
        """What comes after "has"."""
        if self.value is None:
            return self.facet.removesuffix(" in")  # "towers in" conv2, conv4
        return f"no {self.facet}" if self.value == NONE else f"{self.facet} {self.value}"


def culprit(
    changed: Sequence[Run], agreeing: Sequence[Run], how: str = "changed", among: str = ""
) -> str:
    """Return in a sentence what sets the runs that changed apart from those that agree.

    One trait if one will do, else two together, else what fewest of the others share, and how
    many these are; what all of them share sets nothing apart.

    Args:
        changed: Or failed; each training once.
        agreeing: Those that did not.
        how: Whether they changed or failed.
        among: Which of the agreeing trainings are meant, if not all: " in float64".
    """
    agrees = f"agrees{among}"
    if not changed:
        return ""
    if not agreeing:
        return f"no training{among} agrees: what {how} is in what all of them share"
    moved, stayed = [[_seen(run) for run in runs] for runs in (changed, agreeing)]
    common = list(_common(moved))
    shared = {trait: sum(map(trait.is_of, stayed)) for trait in common}
    only = [trait for trait, count in shared.items() if not count]
    if only:
        return f"every {how} training has {_any_of(only)}, none that {agrees} has it"
    if not common:
        return f"the {how} trainings have nothing in common"
    nearest = _nearest(sorted(common, key=lambda trait: shared[trait]), stayed)
    every = f"every {how} training has {' and '.join(trait.words for trait in nearest)}"
    count = _count(nearest, stayed)
    if not count:
        return f"{every}, none that {agrees} has both"
    if count == len(stayed):
        return f"nothing sets the {how} trainings apart from those that agree{among}"
    have = "has" if count == 1 else "have"
    return f"{every}, and so {have} {count} of the {len(stayed)} trainings that agree{among}"


def _nearest(common: Sequence[Trait], stayed: Sequence[dict[str, str]]) -> tuple[Trait, ...]:
    """Return the trait that fewest of the others have, or the two if fewer have both."""
    several: list[tuple[Trait, ...]] = [(one,) for one in common]
    several += combinations(common, 2)
    return min(several, key=lambda traits: _count(traits, stayed))  # the first of equals: one


def _count(traits: Sequence[Trait], stayed: Sequence[dict[str, str]]) -> int:
    return sum(all(trait.is_of(seen) for trait in traits) for seen in stayed)


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
