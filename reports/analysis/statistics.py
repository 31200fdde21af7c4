"""Statistics for few paired seeds: arrays in, numbers out.

Differences are of paired seeds, shape (n,); a ratio is a difference of logarithms.
"""

import math
from bisect import bisect_left
from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import product
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

MOST_ENUMERATED = 20
"""Pairs up to which every pattern of signs is tried; beyond, patterns are drawn."""
MOST_ENUMERATED_JOINTLY = 14
"""Units likewise, where many rows are tested together."""
MOST_SIMULATED, SIMULATED = 12, 4_000
"""Pairs up to which the power of a test is simulated, and in how many draws."""

CERTAIN = 100.0
"""Standard errors that any test finds: with more, noncentral t is no longer computed."""


class Interval(NamedTuple):
    """A mean and the bounds of its interval; the bounds are None for a single value."""

    mean: float
    low: float | None
    high: float | None


def student_interval(values: ArrayLike, confidence: float = 0.95) -> Interval:
    """Return the mean of ``values`` (n,) with Student's interval.

    >>> interval = student_interval([1.0, 2.0, 3.0])
    >>> [round(bound, 3) for bound in interval]
    [2.0, -0.484, 4.484]

    Raises:
        ValueError: Without values, or if one is not finite.
    """
    x = _checked(values)
    mean = float(x.mean())
    if len(x) == 1:
        return Interval(mean, None, None)
    half = float(special.stdtrit(len(x) - 1, (1 + confidence) / 2) * _standard_error(x))
    return Interval(mean, mean - half, mean + half)


def ratio_interval(
    numerators: ArrayLike, denominators: ArrayLike, confidence: float = 0.95
) -> Interval:
    """Return the geometric mean of paired ratios, both (n,), with its interval.

    Student's interval of the differences of logarithms, turned back.

    >>> ratio_interval([2.0, 8.0], [1.0, 1.0]).mean
    4.0

    Raises:
        ValueError: If a value is not positive and finite, or the lengths differ.
    """
    above, below = _checked(numerators), _checked(denominators)
    if above.shape != below.shape:
        raise ValueError(f"{len(above)} numerators cannot be paired with {len(below)} denominators")
    if min(above.min(), below.min()) <= 0:
        raise ValueError("a ratio needs positive values")
    mean, low, high = student_interval(np.log(above) - np.log(below), confidence)
    back = (None if bound is None else float(np.exp(bound)) for bound in (low, high))
    return Interval(float(np.exp(mean)), *back)


def sign_flip_p(
    differences: ArrayLike, generator: np.random.Generator | None = None, draws: int = 100_000
) -> float:
    """Return the two-sided p-value that paired ``differences`` (n,) average zero.

    Exact up to 20 pairs, by trying every pattern of signs: with n pairs the smallest value it
    can return is 2 ** (1 - n). Beyond, patterns are drawn from ``generator``, the observed one
    counted among them, so that the test keeps its size.

    >>> sign_flip_p([0.3, 0.1, 0.2, 0.4])
    0.125

    Raises:
        ValueError: Without differences, if one is not finite, or if more than 20 come without
            a generator.
    """
    x = _checked(differences)
    observed = abs(x.sum())
    tolerance = 1e-12 * np.abs(x).sum()
    if len(x) <= MOST_ENUMERATED:
        # The first sign can stay: flipping all of them changes no absolute sum.
        sums = np.array([x[0]])
        for value in x[1:]:
            sums = np.concatenate([sums + value, sums - value])
        return float(np.mean(np.abs(sums) >= observed - tolerance))
    if generator is None:
        raise ValueError(f"{len(x)} pairs are too many to enumerate; pass a generator")
    negative = generator.integers(0, 2, size=(draws, len(x)), dtype=np.int8)
    sums = x.sum() - 2 * (negative @ x)
    return float((1 + np.sum(np.abs(sums) >= observed - tolerance)) / (1 + draws))


def joint_sign_flip_p(
    differences: ArrayLike, generator: np.random.Generator | None = None, draws: int = 20_000
) -> list[float]:
    """Return the p-values that rows of paired differences average zero, adjusted for all rows.

    The sign-flip test of the largest statistic, stepping down (Westfall and Young 1993): a unit,
    such as a seed, flips in all rows together, so that rows that tell the same cost nothing, and
    n units can show 2 ** (1 - n) however many rows there are. Holm's correction of separate
    tests, of which the smallest of ten seeds is 1/512, could find nothing among more than 25.

    Args:
        differences: Shape (rows, units); zero where a row has no pair of a unit.
        generator: Draws the patterns of signs beyond 14 units; below, every pattern is tried.
        draws: How many patterns.

    >>> joint_sign_flip_p([[0.3, 0.1, 0.2, 0.4]])
    [0.125]
    >>> joint_sign_flip_p([[0.3, 0.1, 0.2, 0.4], [0.6, 0.2, 0.4, 0.8]])
    [0.125, 0.125]

    Raises:
        ValueError: If a row is all zero or not finite, or if more than 14 units come without a
            generator.
    """
    x = np.asarray(differences, dtype=float)
    if x.ndim != 2 or not np.isfinite(x).all() or not x.any(axis=1).all():
        raise ValueError("expected finite rows (rows, units), each with a difference")
    # The mean square of a row's statistic is one, however many pairs it has.
    scaled = x / np.sqrt((x**2).sum(axis=1, keepdims=True))
    units, exact = x.shape[1], x.shape[1] <= MOST_ENUMERATED_JOINTLY
    if exact:
        # The first sign can stay: flipping all of them changes no absolute sum.
        signs = np.array([(1.0, *rest) for rest in product((1.0, -1.0), repeat=units - 1)])
    elif generator is None:
        raise ValueError(f"{units} units are too many to enumerate; pass a generator")
    else:
        signs = generator.choice([-1.0, 1.0], size=(draws, units))
    observed = np.abs(scaled.sum(axis=1))
    order = np.argsort(-observed)
    flipped = np.abs(signs @ scaled[order].T)
    # In each column the largest of its row and all rows with smaller statistics.
    largest = np.maximum.accumulate(flipped[:, ::-1], axis=1)[:, ::-1]
    reached = (largest >= observed[order] - 1e-9).sum(axis=0)
    p = reached / len(signs) if exact else (1 + reached) / (1 + len(signs))
    adjusted = np.empty(len(x))
    adjusted[order] = np.maximum.accumulate(p)
    return [float(value) for value in adjusted]


def welch_p(values: ArrayLike, others: ArrayLike) -> float:
    """Return the two-sided p-value that two independent samples, (n,) and (m,), have one mean.

    Welch's test: their variances may differ.

    >>> round(welch_p([1.0, 2.0, 3.0], [2.0, 4.0, 6.0]), 4)
    0.2209

    Raises:
        ValueError: With fewer than two values on a side, one that is not finite, or no spread on
            either side.
    """
    x, y = _spread(values), _spread(others)
    if np.ptp(x) == 0 and np.ptp(y) == 0:
        raise ValueError("neither side has any spread")
    squares = float(x.var(ddof=1) / len(x)), float(y.var(ddof=1) / len(y))
    freedom = sum(squares) ** 2 / (squares[0] ** 2 / (len(x) - 1) + squares[1] ** 2 / (len(y) - 1))
    t = abs(float(x.mean() - y.mean())) / math.sqrt(sum(squares))
    return float(2 * special.stdtr(freedom, -t))


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values adjusted so that the chance of any false decision stays what it was.

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    count = len(p_values)
    order = sorted(range(count), key=lambda i: p_values[i])
    adjusted, largest = [0.0] * count, 0.0
    for rank, index in enumerate(order):
        largest = max(largest, min(1.0, (count - rank) * p_values[index]))
        adjusted[index] = largest
    return adjusted


def equivalence_p(differences: ArrayLike, margin: float) -> float:
    """Return the p-value that the mean difference lies outside plus or minus ``margin``.

    Two one-sided Student tests; the larger of their p-values. One pair decides nothing.

    Raises:
        ValueError: If ``margin`` is not positive or a difference is not finite.
    """
    x = _checked(differences)
    if not margin > 0:
        raise ValueError(f"a margin of {margin} leaves nothing to be equivalent within")
    if len(x) == 1:
        return 1.0
    error = _standard_error(x)
    if np.ptp(x) == 0:
        return 0.0 if abs(x.mean()) < margin else 1.0
    above = special.stdtr(len(x) - 1, -(x.mean() + margin) / error)
    below = special.stdtr(len(x) - 1, (x.mean() - margin) / error)
    return float(max(above, below))


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
        raise ValueError(f"{pairs} pairs can show no effect; at least 2 are needed")
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
        raise ValueError(f"{pairs} pairs find nothing with p below {alpha:.2g}")
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


def prediction_limits(values: ArrayLike, alpha: float = 0.05) -> tuple[float, float] | None:
    """Return the limits that one more normal value keeps to with probability 1 - ``alpha``.

    ``mean - t s sqrt(1 + 1/n)`` and ``mean + t s sqrt(1 + 1/n)``: where another single
    measurement of the same thing would lie, not where its mean is. None for a single value.

    >>> [round(limit, 3) for limit in prediction_limits([1.0, 2.0, 3.0])]
    [-2.968, 6.968]

    Raises:
        ValueError: Without values, or if one is not finite.
    """
    x = _checked(values)
    if len(x) < 2:
        return None
    mean, n = float(x.mean()), len(x)
    half = float(special.stdtrit(n - 1, 1 - alpha / 2) * x.std(ddof=1) * np.sqrt(1 + 1 / n))
    return mean - half, mean + half


def difference_limit(values: ArrayLike, alpha: float = 0.05) -> float:
    """Return what two more normal values differ by at most with probability 1 - ``alpha``.

    ``t s sqrt(2)``: both vary, as the values do that ``s`` is of.

    >>> round(difference_limit([1.0, 2.0, 3.0]), 3)
    6.085

    Raises:
        ValueError: If there are fewer than two, or if one is not finite.
    """
    x = _checked(values)
    if len(x) < 2:
        raise ValueError("the spread of a single value is not known")
    quantile = special.stdtrit(len(x) - 1, 1 - alpha / 2)
    return float(quantile * x.std(ddof=1) * np.sqrt(2))


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
        raise ValueError(f"{pairs} pairs decide no equivalence; at least 2 are needed")
    return deviation * _decidable_deviations(pairs, alpha, power)


@lru_cache(maxsize=256)
def _decidable_deviations(pairs: int, alpha: float, power: float) -> float:
    """Return the decidable margin in standard deviations, to a ten-thousandth."""
    freedom = pairs - 1
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


def deviation_interval(values: ArrayLike, confidence: float = 0.95) -> Interval:
    """Return the standard deviation of normal ``values`` (n,) with its chi-square interval.

    >>> [round(bound, 3) for bound in deviation_interval([1.0, 2.0, 3.0])]
    [1.0, 0.521, 6.285]

    Raises:
        ValueError: With fewer than two values, or if one is not finite.
    """
    x = _spread(values)
    freedom, deviation = len(x) - 1, float(x.std(ddof=1))
    low, high = (
        deviation * float(np.sqrt(freedom / special.chdtri(freedom, 1 - share)))
        for share in ((1 + confidence) / 2, (1 - confidence) / 2)
    )
    return Interval(deviation, low, high)


def variance_ratio_interval(
    values: ArrayLike, others: ArrayLike, confidence: float = 0.95
) -> Interval:
    """Return the variance of ``values`` (n,) over that of ``others`` (m,), with its F interval.

    Both normal, and independent of each other.

    Raises:
        ValueError: With fewer than two values on a side, one that is not finite, or no spread
            among ``others``.
    """
    x, y = _spread(values), _spread(others)
    if np.ptp(y) == 0:
        raise ValueError("the variance below the line is zero")
    ratio = float(x.var(ddof=1) / y.var(ddof=1))
    low, high = (
        ratio / float(special.fdtri(len(x) - 1, len(y) - 1, share))
        for share in ((1 + confidence) / 2, (1 - confidence) / 2)
    )
    return Interval(ratio, low, high)


def correlation(one: ArrayLike, other: ArrayLike) -> float | None:
    """Return Pearson's correlation of paired values, or None where it is not defined."""
    x, y = _checked(one), _checked(other)
    if len(x) < 3 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return None
    return float(np.corrcoef(x, y)[0, 1])


def _standard_error(x: NDArray[np.float64]) -> float:
    return float(x.std(ddof=1) / np.sqrt(len(x)))


def _spread(values: ArrayLike) -> NDArray[np.float64]:
    x = _checked(values)
    if len(x) < 2:
        raise ValueError("one value has no spread; at least 2 are needed")
    return x


def _checked(values: ArrayLike) -> NDArray[np.float64]:
    x = np.asarray(values, dtype=float)
    if x.ndim != 1 or not len(x):
        raise ValueError(f"expected a list of at least one number, got shape {x.shape}")
    if not np.isfinite(x).all():
        raise ValueError("a value is not finite; a missing run must be left out, not passed on")
    return x
