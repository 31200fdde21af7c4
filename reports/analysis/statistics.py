"""Statistics for few paired seeds: arrays in, numbers out.

Differences are of paired seeds, shape (n,); a ratio is a difference of logarithms. Distributions
are SciPy's, and its tests are the oracle of ours. They are not called in their place: a study's
pairs may be alike to the last digits, of which `scipy.stats` warns; its exact sign-flip test
counts some sums that are equal but for rounding as different, and takes a thousand times as long
for twenty pairs.
"""

import math
from collections.abc import Sequence
from itertools import product
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from alexnet.text import counted

MOST_ENUMERATED = 20
"""Pairs up to which every pattern of signs is tried; beyond, patterns are drawn."""
MOST_ENUMERATED_JOINTLY = 14
"""Units likewise, where many rows are tested together."""


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
        raise ValueError(
            f"{counted(len(above), 'numerator')} cannot be paired with "
            f"{counted(len(below), 'denominator')}"
        )
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


class LinearContrast(NamedTuple):
    """A weighted sum of means, with what is known of how far it may be off."""

    estimate: float
    error: float  # its standard error
    freedom: int  # degrees of freedom of that

    def interval(self, confidence: float = 0.95) -> Interval:
        """Return the estimate with Student's interval."""
        half = float(special.stdtrit(self.freedom, (1 + confidence) / 2) * self.error)
        return Interval(self.estimate, self.estimate - half, self.estimate + half)

    def p(self) -> float:
        """Return the two-sided p-value that it is zero, by Student's test."""
        if self.error == 0:
            return 1.0 if self.estimate == 0 else 0.0
        return float(2 * special.stdtr(self.freedom, -abs(self.estimate) / self.error))

    def equivalence_p(self, margin: float) -> float:
        """Return the p-value that it lies outside plus or minus ``margin``: two one-sided tests.

        Raises:
            ValueError: If ``margin`` is not positive.
        """
        if not margin > 0:
            raise ValueError(f"a margin of {margin} leaves nothing to be equivalent within")
        if self.error == 0:
            return 0.0 if abs(self.estimate) < margin else 1.0
        return float(special.stdtr(self.freedom, (abs(self.estimate) - margin) / self.error))


def linear_contrast(values: ArrayLike, weights: ArrayLike) -> LinearContrast:
    """Return a linear contrast of arms that all have been run with the same seeds.

    The spread is what is left of all runs when the mean of each arm and of each seed is taken away,
    so that few seeds of many arms are enough: 16 arms of 4 seeds leave 45 degrees of freedom. It is
    taken to be the same in every arm.

    Args:
        values: Shape (seeds, arms).
        weights: Shape (arms,), which sum to zero.

    >>> linear_contrast([[1.0, 2.0], [2.0, 5.0]], [-1.0, 1.0])
    LinearContrast(estimate=2.0, error=1.0, freedom=1)

    Raises:
        ValueError: With fewer than two seeds or arms, a value that is not finite, or weights that
            do not sum to zero.
    """
    x, w = np.asarray(values, dtype=float), _checked(weights)
    if x.ndim != 2 or min(x.shape) < 2 or x.shape[1:] != w.shape or not np.isfinite(x).all():
        raise ValueError(f"expected finite values (seeds, {len(w)}), two or more each way")
    if abs(w.sum()) > 1e-9 * np.abs(w).sum():
        raise ValueError(f"weights of a contrast sum to zero, not to {w.sum():g}")
    means = x.mean(axis=0)
    left = x - means - x.mean(axis=1, keepdims=True) + x.mean()
    freedom = (x.shape[0] - 1) * (x.shape[1] - 1)
    error = math.sqrt(float((left**2).sum()) / freedom * float((w**2).sum()) / x.shape[0])
    return LinearContrast(float(means @ w), error, freedom)


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
