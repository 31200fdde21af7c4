"""How long networks of the paper's size take on graphics cards, reckoned: none was at hand.

The paper's own training says which part of a card's peak this network reaches, and a card's data
sheet says what its peak is. What that leaves out, such as a disk that is too slow, is not in it.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

from alexnet.config import Config
from alexnet.cost import cost_of
from alexnet.presets import paper
from reports.commands.estimate import BACKWARD
from reports.wording import formatting

OPERATIONS = 2
"""Of a multiply-add: as peaks are counted."""
CYCLES, IMAGES = 90, 1.2e6
DAYS = (5, 6)
"""Section 5: roughly 90 cycles through 1.2 million images took five to six days."""
GTX_580 = 1.581e12
"""Operations a second in float32 at most: 512 cores, 1.544 GHz, two in a cycle; there were two."""
DAY = 86_400


class Card(NamedTuple):
    """A card of today."""

    name: str
    peak: float  # operations a second in float32, by its maker


A100 = Card("NVIDIA A100", 19.5e12)
"""NVIDIA's data sheet: FP32, without tensor cores, which is what float32 is here."""
NUMBERS = (1, 8)


def use_in_2012() -> tuple[float, float]:
    """Return the part of their peak that the paper's two cards reached: at least, at most.

    >>> ["%.2f" % part for part in use_in_2012()]
    ['0.29', '0.34']
    """
    done = CYCLES * IMAGES * _operations(paper())
    slow, fast = (done / (days * DAY) / (2 * GTX_580) for days in reversed(DAYS))
    return slow, fast


def _operations(config: Config) -> float:
    """Return the operations of training with one image."""
    return OPERATIONS * BACKWARD * cost_of(config.network).multiply_adds


def seconds_of_a_run(config: Config, images: int, card: Card = A100) -> tuple[float, float]:
    """Return how long a run takes on a card, at least and at most, all its epochs.

    Args:
        config: Of the run.
        images: That are there to train with.
        card: Which.
    """
    seen = min(config.training.images or images, images) * config.training.epochs
    at_peak = seen * _operations(config) / card.peak
    slow, fast = use_in_2012()
    return at_peak / fast, at_peak / slow


def on_cards(configs: Sequence[Config], images: int, runs: float) -> list[str]:
    """Return how long runs take on one card and on eight, a run at a time on each, in words.

    Args:
        configs: Of the arms, which have as many runs each.
        images: That are there to train with.
        runs: How many there are, of all arms.
    """
    each = [seconds_of_a_run(config, images) for config in configs]
    least, most = (sum(bounds) / len(configs) for bounds in zip(*each, strict=True))
    lines = []
    for cards in NUMBERS:
        rounds = math.ceil(round(runs) / cards)  # a sum of fractions, which is not quite whole
        name = f"one {A100.name}" if cards == 1 else f"{cards} of them"
        lines.append(
            f"{name}: {formatting.duration(least * rounds)} to {formatting.duration(most * rounds)}"
        )
    slow, fast = use_in_2012()
    lines.append(
        f"reckoned in float32, at the {100 * slow:.0f} to {100 * fast:.0f} % of their peak that "
        "the paper's cards reached; not measured"
    )
    return lines
