"""Statistics for few paired seeds: arrays in, numbers out.

Differences are of paired seeds, shape (n,); a ratio is a difference of logarithms.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import optimize, stats

MOST_ENUMERATED = 20
"""Pairs up to which every pattern of signs is tried; beyond, patterns are drawn."""


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
    half = float(stats.t.ppf((1 + confidence) / 2, len(x) - 1) * _standard_error(x))
    return Interval(mean, mean - half, mean + half)


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
    sums = generator.choice([-1.0, 1.0], size=(draws, len(x))) @ x
    return float((1 + np.sum(np.abs(sums) >= observed - tolerance)) / (1 + draws))


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
    above = stats.t.sf((x.mean() + margin) / error, len(x) - 1)
    below = stats.t.cdf((x.mean() - margin) / error, len(x) - 1)
    return float(max(above, below))


def detectable_effect(
    deviation: float, pairs: int, alpha: float = 0.05, power: float = 0.8
) -> float:
    """Return the mean difference that a two-sided paired test finds with the given power.

    Args:
        deviation: Standard deviation of the paired differences.
        pairs: How many there will be, at least 2.
        alpha: Size of the test.
        power: Probability of finding it.

    >>> round(detectable_effect(1.0, pairs=10), 3)
    0.996
    """
    if pairs < 2:
        raise ValueError(f"{pairs} pairs can show no effect; at least 2 are needed")
    critical = stats.t.ppf(1 - alpha / 2, pairs - 1)

    def missing(effect: float) -> float:
        shift = effect * np.sqrt(pairs)
        found = stats.nct.sf(critical, pairs - 1, shift)
        return float(found - power)

    return float(deviation * optimize.brentq(missing, 1e-6, 100.0))


def correlation(one: ArrayLike, other: ArrayLike) -> float | None:
    """Return Pearson's correlation of paired values, or None where it is not defined."""
    x, y = _checked(one), _checked(other)
    if len(x) < 3 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return None
    return float(np.corrcoef(x, y)[0, 1])


def _standard_error(x: NDArray[np.float64]) -> float:
    return float(x.std(ddof=1) / np.sqrt(len(x)))


def _checked(values: ArrayLike) -> NDArray[np.float64]:
    x = np.asarray(values, dtype=float)
    if x.ndim != 1 or not len(x):
        raise ValueError(f"expected a list of at least one number, got shape {x.shape}")
    if not np.isfinite(x).all():
        raise ValueError("a value is not finite; a missing run must be left out, not passed on")
    return x
