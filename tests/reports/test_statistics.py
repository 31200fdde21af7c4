"""Statistics against worked answers, other libraries and simulation."""

import math
from collections.abc import Sequence
from itertools import product
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, stats
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.power import TTestPower
from statsmodels.stats.weightstats import DescrStatsW

from reports.analysis.statistics import (
    correlation,
    decidable_margin,
    detectable_effect,
    deviation_interval,
    difference_limit,
    equivalence_p,
    holm,
    joint_sign_flip_p,
    power_of,
    prediction_limits,
    ratio_interval,
    seeds_needed,
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


@pytest.mark.parametrize(("pairs", "contrasts"), [(6, 1), (10, 1), (10, 9), (16, 4)])
def test_the_detectable_effect_is_detected_four_times_in_five(pairs: int, contrasts: int) -> None:
    """By 3,000 other samples and the test that decides; four standard errors are 0.03."""
    effect = detectable_effect(2.0, pairs, 0.05 / contrasts)
    samples = np.random.default_rng(2).normal(effect, 2.0, (3000 if pairs < 16 else 400, pairs))
    found = np.mean([contrasts * sign_flip_p(x) < 0.05 for x in samples])

    assert found == pytest.approx(0.8, abs=0.03 if pairs < 16 else 0.08)


def test_nine_contrasts_of_ten_seeds_need_two_thirds_more_than_one() -> None:
    """1.66 deviations for 1.01; Student's test would say 1.46, and is not the one that decides."""
    assert detectable_effect(1.0, 10) == pytest.approx(1.01, abs=0.01)
    assert detectable_effect(1.0, 10, 0.05 / 9) == pytest.approx(1.66, abs=0.02)
    assert decidable_margin(1.0, 10) == pytest.approx(1.01, abs=0.01)


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


def test_nothing_can_be_shown_with_one_pair() -> None:
    """Nor can anything be equivalent within nothing."""
    with pytest.raises(ValueError, match="at least 2"):
        power_of(1.0, pairs=1)
    with pytest.raises(ValueError, match="margin"):
        equivalence_p([1.0, 2.0], 0.0)


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


@pytest.mark.parametrize(("pairs", "within"), [(12, 0.02), (13, 0.005), (30, 0.005)])
def test_power_is_statsmodels_with_enough_pairs(pairs: int, within: float) -> None:
    """Of the paired t test, but for rejections towards the wrong side."""
    theirs = TTestPower().power(effect_size=0.8, nobs=pairs, alpha=0.05, alternative="two-sided")

    assert power_of(0.8, pairs) == pytest.approx(theirs, abs=within)
    assert power_of(-0.8, pairs) == power_of(0.8, pairs)


@pytest.mark.parametrize("pairs", [6, 7, 8])
@pytest.mark.parametrize("alpha", [0.05, 1 / 32, 0.05 / 3, 0.9])
@pytest.mark.parametrize("effect", [0.0, 0.7, -1.5, 4.0])
def test_power_of_few_pairs_is_the_share_of_tests_that_find(
    pairs: int, alpha: float, effect: float
) -> None:
    """The test itself on 4,000 samples; 1/32 is a p-value that six pairs can have."""
    noise = np.random.default_rng(0).standard_normal((4000, pairs))
    samples = noise + abs(effect)

    found = [x.mean() > 0 and sign_flip_p(x) < alpha for x in samples]

    assert power_of(effect, pairs, alpha) == pytest.approx(np.mean(found), abs=1e-9)


@pytest.mark.parametrize(("pairs", "alpha"), [(2, 0.01), (2, 0.001), (10, 0.01), (400, 0.01)])
def test_a_decidable_margin_is_that_of_scipys_distributions(pairs: int, alpha: float) -> None:
    """The chance that both tests reject, over the deviation that will be seen: 0.9 as asked."""
    margin, freedom = decidable_margin(1.0, pairs, alpha=alpha, power=0.9), pairs - 1
    seen = stats.chi(freedom, scale=freedom**-0.5)
    critical = stats.t.ppf(1 - alpha, freedom)

    def both(deviation: float) -> float:
        inside = 2 * stats.norm.cdf(margin * pairs**0.5 - critical * deviation) - 1
        return max(0.0, inside) * seen.pdf(deviation)

    chance, _ = integrate.quad(both, 0, seen.ppf(1 - 1e-12), limit=200)

    assert chance == pytest.approx(0.9, abs=1e-3)


@pytest.mark.parametrize("pairs", [6, 13, 500])
def test_what_is_beyond_all_noise_is_found(pairs: int) -> None:
    """A difference of 1 with a deviation of rounding."""
    assert power_of(1e17, pairs) == 1
    assert seeds_needed(1e-17, 1.0) == 6


def test_five_pairs_find_nothing_however_large() -> None:
    """The smallest p-value of their exact test is 1/16, where Student's would find nearly all."""
    assert power_of(9.0, 5) == 0
    with pytest.raises(ValueError, match="5 pairs find nothing"):
        detectable_effect(1.0, 5)


@pytest.mark.parametrize(("deviation", "effect"), [(1.0, 1.0), (2.0, 0.3), (0.5, -0.2), (1.0, 9.0)])
def test_the_seeds_needed_are_the_fewest_with_that_power(deviation: float, effect: float) -> None:
    """One fewer is too few; statsmodels says the same of many."""
    needed = seeds_needed(deviation, effect)

    assert power_of(effect / deviation, needed) >= 0.8
    assert power_of(effect / deviation, needed - 1) < 0.8
    if needed > 13:
        theirs = TTestPower().solve_power(
            effect_size=abs(effect) / deviation, alpha=0.05, power=0.8
        )
        assert needed == np.ceil(theirs)


def test_no_number_of_seeds_shows_nothing_and_six_show_what_never_varies() -> None:
    """The two ends."""
    assert seeds_needed(0.0, 0.1) == 6
    with pytest.raises(ValueError, match="effect of zero"):
        seeds_needed(1.0, 0.0)


@pytest.mark.parametrize("pairs", [3, 10, 20])
def test_a_decidable_margin_is_decided_four_times_in_five(pairs: int) -> None:
    """By 4,000 simulated pairs of equal means; four standard errors are 0.025."""
    margin = decidable_margin(2.0, pairs)
    samples = np.random.default_rng(9).normal(0, 2.0, (4000, pairs))

    found = np.mean([equivalence_p(x, margin) < 0.05 for x in samples])

    assert found == pytest.approx(0.8, abs=0.025)


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
