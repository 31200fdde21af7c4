"""What so many paired seeds could show: power, detectable effects, the seeds that one needs.

Of the tests in `statistics`: the exact sign-flip test and that of equivalence.
"""

import math
from bisect import bisect_left
from collections.abc import Callable
from functools import lru_cache
from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy import special

from alexnet.text import counted

MOST_SIMULATED, SIMULATED = 12, 4_000
"""Pairs up to which the power of a test is simulated, and in how many draws."""

CERTAIN = 100.0
"""Standard errors that any test finds: with more, noncentral t is no longer computed."""


def power_of(effect: float, pairs: int, alpha: float = 0.05) -> float:
    """Return the probability that the two-sided sign-flip test of size ``alpha`` finds ``effect``.

    Finding it means on its own side: rejecting towards the wrong one is no success. With few pairs
    the test has few p-values, so that its power is that of the next smaller one: up to 12 it is
    simulated, always from the same draws; beyond, it is that of Student's test within 0.01.

    Args:
        effect: Mean difference, in standard deviations of the differences.
        pairs: At least 2.
        alpha: Size of the test.

    Raises:
        ValueError: With fewer than two pairs.
    """
    if pairs < 2:
        raise ValueError(f"{counted(pairs, 'pair')} can show no effect; at least 2 are needed")
    if pairs <= MOST_SIMULATED:
        return float(np.searchsorted(_found_beyond(pairs, alpha), abs(effect)) / SIMULATED)
    critical = special.stdtrit(pairs - 1, 1 - alpha / 2)
    shift = min(abs(effect) * math.sqrt(pairs), CERTAIN)
    return float(1 - special.nctdtr(pairs - 1, shift, critical))


@lru_cache(maxsize=256)
def _found_beyond(pairs: int, alpha: float) -> NDArray[np.float64]:
    """Return, for each simulated draw, the effect beyond which the test finds it, ascending.

    In standard deviations; infinite where so few pairs find nothing at all.
    """
    patterns = 2 ** (pairs - 1)
    counted = math.ceil(alpha * patterns) - 1  # p is their share, and below alpha
    if counted < 1:
        return np.full(SIMULATED, np.inf)
    zero, rivals = _overtaking(pairs, max(counted, math.ceil(0.05 * patterns)))
    # The pattern that flips none counts itself; all but so many have to be overtaken.
    return np.sort(np.maximum(rivals[:, -counted], zero))


@lru_cache(maxsize=16)
def _overtaking(pairs: int, most: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return from which effect on the sum of standard normal pairs is above 0, and above others.

    The others are the amounts of the sums under each other pattern of signs. An effect e adds
    ``pairs`` e to the sum and at most ``pairs - 2`` e to any of them, so that what is once
    overtaken stays so: x + n e is above y + s e beyond (y - x) / (n - s), and above its negative
    beyond -(y + x) / (n + s).

    Shapes (draws,) and (draws, ``most``): of each draw the largest, ascending.
    """
    signs = np.array([(1.0, *rest) for rest in product((1.0, -1.0), repeat=pairs - 1)])
    noise = np.random.default_rng(0).standard_normal((SIMULATED, pairs)) @ signs.T
    one, others, slopes = noise[:, :1], noise[:, 1:], signs[1:].sum(axis=1)
    beyond = np.maximum((others - one) / (pairs - slopes), -(others + one) / (pairs + slopes))
    if most < beyond.shape[1]:
        beyond = np.partition(beyond, -most, axis=1)[:, -most:]
    return -one[:, 0] / pairs, np.sort(beyond, axis=1)


def detectable_effect(
    deviation: float, pairs: int, alpha: float = 0.05, power: float = 0.8
) -> float:
    """Return the mean difference that the sign-flip test finds with the given power.

    Args:
        deviation: Standard deviation of the paired differences.
        pairs: How many there will be, at least as many as `fewest_pairs`.
        alpha: Size of the test.
        power: Probability of finding it.

    >>> round(detectable_effect(1.0, pairs=10), 1), round(detectable_effect(1.0, 10, 0.05 / 9), 1)
    (1.0, 1.7)

    Raises:
        ValueError: With fewer pairs, which find nothing however large.
    """
    if pairs < fewest_pairs(alpha):
        found = counted(pairs, "pair finds", "pairs find")
        raise ValueError(f"{found} nothing with p below {alpha:.2g}")
    return deviation * _detectable_deviations(pairs, alpha, power)


@lru_cache(maxsize=256)
def _detectable_deviations(pairs: int, alpha: float, power: float) -> float:
    """Return the detectable effect in standard deviations, to a thousandth."""
    return _smallest(lambda effect: power_of(effect, pairs, alpha), power, 1000)


def _smallest(chance: Callable[[float], float], wanted: float, parts: int) -> float:
    """Return from where on a rising chance is as wanted, to so many parts of one."""
    most = parts
    while chance(most / parts) < wanted:
        most *= 2
    return bisect_left(range(most), wanted, key=lambda part: chance(part / parts)) / parts


def seeds_needed(deviation: float, effect: float, alpha: float = 0.05, power: float = 0.8) -> int:
    """Return how many pairs find a mean difference of ``effect`` with the given power.

    >>> seeds_needed(1.0, effect=2.0), seeds_needed(1.0, effect=0.1)
    (6, 787)

    Raises:
        ValueError: If the effect is zero, which no number of seeds can show.
    """
    if effect == 0:
        raise ValueError("no number of seeds shows an effect of zero")
    fewest = fewest_pairs(alpha)
    if deviation == 0:
        return fewest

    def enough(pairs: int) -> bool:
        return power_of(effect / deviation, pairs, alpha) >= power

    few, many = fewest - 1, max(fewest, MOST_SIMULATED + 1)  # the first that is not simulated
    while not enough(many):
        few, many = many, 2 * many
    return bisect_left(range(many), True, lo=few + 1, key=enough)


def fewest_pairs(alpha: float = 0.05) -> int:
    """Return how many pairs an exact sign-flip test needs before it can reject at all.

    >>> fewest_pairs(0.05), fewest_pairs(0.05 / 25)
    (6, 10)
    """
    return math.floor(1 - math.log2(alpha)) + 1


def decidable_margin(
    deviation: float, pairs: int, alpha: float = 0.05, power: float = 0.8
) -> float:
    """Return the margin within which two means that do not differ are found equivalent.

    Args:
        deviation: Standard deviation of the paired differences.
        pairs: How many there will be, at least 2.
        alpha: Size of each one-sided test.
        power: Probability that both reject.

    >>> round(decidable_margin(1.0, pairs=10), 3)
    1.005
    """
    if pairs < 2:
        decided = counted(pairs, "pair decides", "pairs decide")
        raise ValueError(f"{decided} no equivalence; at least 2 are needed")
    return deviation * _decidable(pairs - 1, pairs, alpha, power)


def decidable_errors(freedom: int, alpha: float = 0.05, power: float = 0.8) -> float:
    """Return `decidable_margin` of any estimate, in its standard errors.

    >>> round(decidable_errors(9), 2), round(decidable_margin(1.0, pairs=10) * 10**0.5, 2)
    (3.18, 3.18)
    """
    return _decidable(freedom, 1, alpha, power)


def detectable_errors(freedom: int, alpha: float = 0.05, power: float = 0.8) -> float:
    """Return the effect that Student's two-sided test finds, in standard errors of its estimate.

    >>> round(detectable_errors(45), 2), round(detectable_errors(1_000_000), 2)
    (2.86, 2.8)
    """
    critical = special.stdtrit(freedom, 1 - alpha / 2)

    def found(size: float) -> float:
        return float(1 - special.nctdtr(freedom, size, critical))

    return _smallest(found, power, 1000)


@lru_cache(maxsize=256)
def _decidable(freedom: int, pairs: int, alpha: float, power: float) -> float:
    """Return the margin in standard deviations of which so many are averaged, to 1/10,000."""
    critical = special.stdtrit(freedom, 1 - alpha)
    # The deviation that will be seen, in true ones, is chi-distributed, times 1 / sqrt(freedom).
    largest = math.sqrt(2 * special.gammaincinv(freedom / 2, 1 - 1e-12))
    chi, width = np.linspace(0, largest, 4001, retstep=True)
    scale = special.gammaln(freedom / 2) + (freedom / 2 - 1) * math.log(2)
    density = np.exp(special.xlogy(freedom - 1, chi) - chi**2 / 2 - scale)
    weight = density * np.array([1.0, *[4.0, 2.0] * 1999, 4.0, 1.0]) * width / 3  # Simpson's rule

    def found(margin: float) -> float:
        inside = 2 * special.ndtr(margin * np.sqrt(pairs) - critical * chi / np.sqrt(freedom)) - 1
        return float(weight @ np.maximum(0, inside))

    return _smallest(found, power, 10_000)
