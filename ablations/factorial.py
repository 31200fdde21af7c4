"""Factorial designs: several ideas, each with and without, in all combinations or half of them.

Every effect is estimated from every run: an idea's from the half of the arms that have it and the
half that have not; of two ideas, what they do beyond the sum of both, from the four quarters. Half
of all combinations is chosen so that no such effect is mixed up with another (resolution V: Box,
Hunter and Hunter, Statistics for Experimenters, chapter on fractional designs). What three and more
ideas do together is then taken to be nothing.
"""

import itertools
import math
from collections.abc import Callable, Sequence

from ablations.contrast import HALF_A_POINT, Contrast, Direction, Precondition
from ablations.study import Arm, Changes
from alexnet.config import Config, Frozen
from alexnet.data.manifest import Quality

WHOLE = "all of them"
NONE = "none of them"
FEWEST, MOST = 2, 6
"""Ideas in one design."""
HALVED_FROM = 5
"""Ideas: of fewer, half of the combinations would mix up effects of two ideas with each other."""
RUNS = 64
"""Comparison runs that a design has about, whatever the number of its ideas."""
FEWEST_SEEDS, MOST_SEEDS = 4, 10


class Factor(Frozen):
    """An idea that a network has or has not."""

    name: str
    label: str  # of the idea
    in_place_of: str = ""  # what a network without it has; "": nothing
    without: Changes | Callable[[Config], Changes]  # by which a network that has it loses it
    needs: tuple[Quality, ...] = ()  # of the images
    precondition: Precondition | None = None  # of the network with every idea

    @property
    def compared(self) -> str:
        """What its effect compares."""
        return f"{self.label} in place of {self.in_place_of}" if self.in_place_of else self.label


class Design(Frozen):
    """The arms of a factorial design, what is compared between them, and how often."""

    arms: dict[str, Arm]
    contrasts: tuple[Contrast, ...]
    seeds: int


def design(factors: Sequence[Factor]) -> Design:
    """Return the design of two to six ideas: the effect of each is judged, of two together shown.

    Raises:
        ValueError: If there are fewer or more.
    """
    if not FEWEST <= len(factors) <= MOST:
        raise ValueError(f"{len(factors)} ideas make no design; {FEWEST} to {MOST} do")
    # Ideas of a combination have the sign 1, the others -1.
    signs = list(itertools.product((1, -1), repeat=len(factors)))
    if len(factors) >= HALVED_FROM:
        signs = [one for one in signs if math.prod(one) == 1]
    needs = tuple(dict.fromkeys(need for factor in factors for need in factor.needs))
    arms = {
        _called(factors, one): Arm(changes=_changes(factors, one), needs=needs) for one in signs
    }

    def contrast(
        product: Sequence[int], parts: int, direction: Direction, label: str,
        says: str = "", precondition: Precondition | None = None,
    ) -> Contrast:  # fmt: skip
        weights = {arm: parts * sign / len(arms) for arm, sign in zip(arms, product, strict=True)}
        arm, against = (next(a for a in arms if weights[a] * way > 0) for way in (1, -1))
        return Contrast(
            arm=arm, against=against, weights=weights, direction=direction, label=label, says=says,
            precondition=precondition, judged=parts == 2, **HALF_A_POINT,
        )  # fmt: skip

    columns = list(zip(*signs, strict=True))
    single = [
        contrast(column, 2, "lower", factor.compared,
                 f"{factor.label[0].upper()}{factor.label[1:]} lowers the error",
                 factor.precondition)
        for factor, column in zip(factors, columns, strict=True)
    ]  # fmt: skip
    pairs = itertools.combinations(zip(factors, columns, strict=True), 2)
    double = [
        contrast([a * b for a, b in zip(mine, theirs, strict=True)], 4, "equal",
                 f"{one.label} and {other.label}, beyond the sum of both")
        for (one, mine), (other, theirs) in pairs
    ]  # fmt: skip
    seeds = max(FEWEST_SEEDS, min(MOST_SEEDS, math.ceil(RUNS / len(arms))))
    return Design(arms=arms, contrasts=(*single, *double), seeds=seeds)


def _called(factors: Sequence[Factor], signs: Sequence[int]) -> str:
    """Return what an arm is called: by the ideas that it has."""
    has = [factor.label for factor, sign in zip(factors, signs, strict=True) if sign > 0]
    return WHOLE if len(has) == len(factors) else " + ".join(has) or NONE


def _changes(factors: Sequence[Factor], signs: Sequence[int]) -> Callable[[Config], Changes]:
    """Return the changes by which a network that has every idea loses some of them."""
    removed = [factor.without for factor, sign in zip(factors, signs, strict=True) if sign < 0]

    def changes(base: Config) -> Changes:
        config = base
        for without in removed:
            config = config.but(**(without(config) if callable(without) else without))
        return {"network": config.network, "inputs": config.inputs, "training": config.training}

    return changes
