"""Statistics against worked answers, other libraries and simulation."""

import math
from collections.abc import Sequence
from itertools import product
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.weightstats import DescrStatsW

from reports.analysis.statistics import (
    correlation,
    deviation_interval,
    difference_limit,
    equivalence_p,
    holm,
    joint_sign_flip_p,
    prediction_limits,
    ratio_interval,
    sign_flip_p,
    student_interval,
    variance_ratio_interval,
    welch_p,
)

NUMBERS = st.floats(-100, 100).map(lambda x: round(x, 3))


@pytest.mark.parametrize(
    ("differences", "p"),
    [
        ([1.0], 1.0),  # both signs are as extreme
        ([1.0, 2.0], 0.5),  # 2 of 4
        ([1.0, 2.0, 3.0], 0.25),
        ([0.3, 0.1, 0.2, 0.4], 0.125),
        ([3.0, -1.0, 1.0], 0.75),  # 3, 3 and 5 of 3, 5, 1, 3 and their mirror images
        ([0.0, 0.0], 1.0),
        ([1.0, 0.0], 1.0),  # a zero has no sign
        ([1.0, 1.0, -1.0, -1.0], 1.0),
    ],
)
def test_sign_flips_worked_by_hand(differences: list[float], p: float) -> None:
    """Every pattern of signs counted."""
    assert sign_flip_p(differences) == p


@given(st.lists(NUMBERS, min_size=2, max_size=9))
def test_sign_flips_are_those_of_a_full_enumeration(differences: list[float]) -> None:
    """Written out plainly, for up to 512 patterns."""
    sums = [abs(np.dot(s, differences)) for s in product((1, -1), repeat=len(differences))]
    observed = abs(sum(differences))
    plain = np.mean([total >= observed - 1e-12 * np.abs(differences).sum() for total in sums])

    assert sign_flip_p(differences) == pytest.approx(plain, abs=1e-12)


def test_sign_flips_are_scipys() -> None:
    """Its permutation test of paired samples, exact at eight pairs."""
    x = np.random.default_rng(3).normal(0.4, 1, 8)
    theirs = stats.permutation_test(
        (x,), np.mean, permutation_type="samples", n_resamples=np.inf
    ).pvalue

    assert sign_flip_p(x) == pytest.approx(theirs, abs=1e-12)


def test_many_pairs_are_sampled_and_repeat() -> None:
    """Thirty pairs: near Student's p, the same with the same generator, refused without one."""
    x = np.random.default_rng(5).normal(0.4, 1, 30)
    drawn = [sign_flip_p(x, np.random.default_rng(1)) for _ in range(2)]

    assert drawn[0] == drawn[1]
    assert drawn[0] == pytest.approx(stats.ttest_1samp(x, 0).pvalue, abs=0.01)
    with pytest.raises(ValueError, match="too many"):
        sign_flip_p(x)


def test_the_interval_is_scipys() -> None:
    """Student's, of a mean."""
    x = np.random.default_rng(0).normal(1, 2, 10)
    theirs = stats.ttest_1samp(x, 0).confidence_interval()

    assert student_interval(x) == pytest.approx((x.mean(), theirs.low, theirs.high), rel=1e-9)


def test_one_value_has_no_interval_and_equal_values_a_point() -> None:
    """Nothing is known of the spread of one; none was seen in three."""
    assert student_interval([2.0]) == (2.0, None, None)
    assert student_interval([2.0, 2.0, 2.0]) == (2.0, 2.0, 2.0)


def test_intervals_cover_and_tests_keep_their_size() -> None:
    """4,000 samples of ten: 95 % and 5 %, within four standard errors (0.0034 each)."""
    samples = np.random.default_rng(11).normal(0, 1, (4000, 10))
    intervals = [student_interval(x) for x in samples]
    covered = np.mean([i.low <= 0 <= i.high for i in intervals])
    found = np.mean([sign_flip_p(x) < 0.05 for x in samples])

    assert covered == pytest.approx(0.95, abs=0.014)
    assert found <= 0.05 + 0.014
    assert found > 0.03


def test_one_more_value_keeps_to_the_prediction_limits() -> None:
    """In 95 and 99 % of 4,000 samples of eleven, the last of which is predicted by the others."""
    samples = np.random.default_rng(12).normal(3.0, 2.0, (4000, 11))
    for alpha, within in ((0.05, 0.014), (0.01, 0.0063)):
        limits = [prediction_limits(sample[:10], alpha) for sample in samples]
        kept = [low <= one <= high for (low, high), one in zip(limits, samples[:, 10], strict=True)]

        assert np.mean(kept) == pytest.approx(1 - alpha, abs=within)
    assert prediction_limits([1.0]) is None


def test_two_more_values_differ_by_no_more_than_the_limit() -> None:
    """In 95 and 99 % of 4,000 samples of eight, of which six say what two differ by."""
    samples = np.random.default_rng(13).normal(3.0, 2.0, (4000, 8))
    for alpha, within in ((0.05, 0.014), (0.01, 0.0063)):
        limits = np.array([difference_limit(sample[:6], alpha) for sample in samples])

        kept = np.abs(samples[:, 6] - samples[:, 7]) <= limits
        assert np.mean(kept) == pytest.approx(1 - alpha, abs=within)
    with pytest.raises(ValueError, match="a single value"):
        difference_limit([1.0])


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_is_statsmodels(p_values: list[float]) -> None:
    """For any p-values, in any order."""
    with patch("gc.collect"):  # theirs collects rubbish each time, which takes a tenth of a second
        theirs = multipletests(p_values, method="holm")[1]

    assert holm(p_values) == pytest.approx(list(theirs), abs=1e-12)


@pytest.mark.parametrize("shift", [0.0, 0.2, 0.9, -0.9])
def test_equivalence_is_statsmodels(shift: float) -> None:
    """Two one-sided tests of a paired mean."""
    x = np.random.default_rng(4).normal(shift, 0.5, 12)
    theirs = DescrStatsW(x).ttost_mean(-0.5, 0.5)[0]

    assert equivalence_p(x, 0.5) == pytest.approx(theirs, abs=1e-9)


def test_equivalence_of_constants() -> None:
    """Without spread, inside is certain and outside is out; one value decides nothing."""
    assert equivalence_p([0.1, 0.1, 0.1], 0.5) == 0.0
    assert equivalence_p([0.9, 0.9, 0.9], 0.5) == 1.0
    assert equivalence_p([0.1], 0.5) == 1.0


def test_correlation_is_numpys_where_there_is_one() -> None:
    """And None for two pairs or a constant."""
    assert correlation([1, 2, 3], [1, 2, 4]) == pytest.approx(0.98198, abs=1e-5)
    assert correlation([1, 2], [1, 2]) is None
    assert correlation([1, 1, 1], [1, 2, 3]) is None


@pytest.mark.parametrize("bad", [[], [1.0, float("nan")], [float("inf")], [[1.0]]])
def test_what_is_not_a_list_of_numbers_is_refused(bad: list[float]) -> None:
    """A missing run must be left out by whoever calls."""
    for function in (student_interval, sign_flip_p):
        with pytest.raises(ValueError, match=r"not finite|expected a list"):
            function(bad)


def test_a_ratios_interval_is_students_of_logarithms() -> None:
    """By SciPy, turned back; worked: 2 and 8 have a geometric mean of 4."""
    x, y = np.exp(np.random.default_rng(6).normal(1, 0.5, (2, 10)))
    theirs = stats.ttest_rel(np.log(x), np.log(y)).confidence_interval()
    found = ratio_interval(x, y)

    assert found.low == pytest.approx(np.exp(theirs.low))
    assert found.high == pytest.approx(np.exp(theirs.high))
    assert ratio_interval([2.0, 8.0], [1.0, 1.0]).mean == pytest.approx(4.0)


@pytest.mark.parametrize(
    ("above", "below", "message"),
    [
        ([1.0, 0.0], [1.0, 1.0], "positive"),
        ([1.0], [-1.0], "positive"),
        ([1.0, 2.0], [1.0], "cannot be paired"),
        ([1.0, float("nan")], [1.0, 1.0], "not finite"),
    ],
)
def test_a_ratio_needs_pairs_of_positive_numbers(above, below, message: str) -> None:
    """A run that never got there comes as its horizon, not as zero or nothing."""
    with pytest.raises(ValueError, match=message):
        ratio_interval(above, below)


def test_holm_keeps_the_chance_of_any_false_decision() -> None:
    """25 contrasts of ten pairs without an effect, 400 families: at most 5 %, give or take.

    Four standard errors are 0.044. All against one reference, so the contrasts are dependent,
    as they are in a study.
    """
    rng = np.random.default_rng(8)
    families = 0
    for _ in range(400):
        arms = rng.normal(size=(26, 10))
        adjusted = holm([sign_flip_p(arm - arms[0]) for arm in arms[1:]])
        families += min(adjusted) < 0.05

    assert families / 400 <= 0.05 + 0.044


def test_a_standard_deviations_interval_covers_it() -> None:
    """2,000 samples of eight; and by SciPy's chi-square for one of them."""
    samples = np.random.default_rng(10).normal(0, 3.0, (2000, 8))
    intervals = [deviation_interval(x) for x in samples]
    low, high = np.sqrt(7 * samples[0].var(ddof=1) / stats.chi2.ppf([0.975, 0.025], 7))

    assert np.mean([i.low <= 3.0 <= i.high for i in intervals]) == pytest.approx(0.95, abs=0.02)
    assert intervals[0] == pytest.approx((samples[0].std(ddof=1), low, high))


def test_a_variance_ratios_interval_covers_it() -> None:
    """2,000 pairs of samples with true ratio 4; turned over, the interval turns over."""
    rng = np.random.default_rng(11)
    pairs = [(rng.normal(0, 2, 9), rng.normal(0, 1, 12)) for _ in range(2000)]
    intervals = [variance_ratio_interval(x, y) for x, y in pairs]
    turned = variance_ratio_interval(*pairs[0][::-1])

    assert np.mean([i.low <= 4 <= i.high for i in intervals]) == pytest.approx(0.95, abs=0.02)
    assert (1 / turned.high, 1 / turned.low) == pytest.approx(intervals[0][1:])


@pytest.mark.parametrize("function", [deviation_interval, lambda x: variance_ratio_interval(x, x)])
@pytest.mark.parametrize("bad", [[], [1.0], [1.0, float("nan")]])
def test_spread_needs_two_finite_values(function, bad: list[float]) -> None:
    """One seed has none."""
    with pytest.raises(ValueError, match=r"no spread|not finite|expected a list"):
        function(bad)


def test_a_ratio_to_no_variance_is_refused() -> None:
    """Constants below the line."""
    with pytest.raises(ValueError, match="below the line is zero"):
        variance_ratio_interval([1.0, 2.0], [3.0, 3.0])


@given(
    st.lists(st.floats(-10, 10), min_size=2, max_size=9),
    st.lists(st.floats(-10, 10), min_size=2, max_size=9),
)
def test_welch_agrees_with_scipy(values: list[float], others: list[float]) -> None:
    """Wherever there is spread that floats can tell from none."""
    spreads = [np.std(side, ddof=1) for side in (values, others)]
    if max(spreads) < 1e-3 or min(spreads) < 1e-3:
        return

    expected = stats.ttest_ind(values, others, equal_var=False).pvalue

    assert welch_p(values, others) == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_a_side_without_spread_borrows_none() -> None:
    """Mean 2 and 5, variance 1 and 0, three each: t = 3 sqrt 3 with two degrees of freedom."""
    expected = 2 * stats.t.sf(3 * math.sqrt(3), 2)

    assert welch_p([1.0, 2.0, 3.0], [5.0, 5.0, 5.0]) == pytest.approx(expected)
    with pytest.raises(ValueError, match="neither side has any spread"):
        welch_p([1.0, 1.0], [2.0, 2.0])


@given(st.lists(st.integers(-50, 50), min_size=1, max_size=9).filter(any))
def test_one_row_of_flips_is_the_sign_flip_test(differences: list[int]) -> None:
    """Whatever the values, zeros and ties among them."""
    assert joint_sign_flip_p([differences]) == pytest.approx([sign_flip_p(differences)])


def by_hand(rows: Sequence[Sequence[float]]) -> list[float]:
    """Return adjusted p-values, pattern by pattern and step by step, in plain loops."""
    roots = [math.sqrt(sum(x * x for x in row)) for row in rows]

    def statistics_of(signs: Sequence[int]) -> list[float]:
        return [
            abs(sum(s * x for s, x in zip(signs, row, strict=True))) / root
            for row, root in zip(rows, roots, strict=True)
        ]

    observed = statistics_of([1] * len(rows[0]))
    patterns = [statistics_of(s) for s in product((1, -1), repeat=len(rows[0]))]
    left, found, p = set(range(len(rows))), [0.0] * len(rows), 0.0
    while left:
        best = max(left, key=lambda row: observed[row])
        reached = [
            max(pattern[row] for row in left) >= observed[best] - 1e-9 for pattern in patterns
        ]
        p = max(p, sum(reached) / len(patterns))
        found[best] = p
        left.remove(best)
    return found


def test_rows_of_flips_are_tested_together_step_by_step() -> None:
    """Five rows of seven units, one of them clear, one shared by half of the units."""
    rows = np.random.default_rng(5).normal(size=(5, 7))
    rows[1] += 4
    rows[3, :3] = 0

    assert joint_sign_flip_p(rows) == pytest.approx(by_hand(rows.tolist()))


def test_drawn_patterns_come_close_to_all_of_them() -> None:
    """Twelve units, exactly and, two empty columns and another beside, from 20,000 draws."""
    rows = np.random.default_rng(6).normal(0.4, 1.0, size=(4, 12))
    wide = np.hstack([rows, np.zeros((4, 3))])

    exact, drawn = joint_sign_flip_p(rows), joint_sign_flip_p(wide, np.random.default_rng(0))

    assert drawn == pytest.approx(exact, abs=4 * math.sqrt(0.25 / 20_000))
    assert drawn != exact
    with pytest.raises(ValueError, match="15 units are too many"):
        joint_sign_flip_p(wide)


def test_ten_seeds_find_one_change_among_sixty_where_holm_of_flips_cannot() -> None:
    """A shift of five standard deviations; the smallest p of ten seeds is 1/512, times 60 0.12."""
    rows = np.random.default_rng(7).normal(size=(60, 10))
    rows[17] += 5

    jointly, apart = joint_sign_flip_p(rows), holm([sign_flip_p(row) for row in rows])

    assert [row for row, p in enumerate(jointly) if p < 0.05] == [17]
    assert min(apart) > 0.05
