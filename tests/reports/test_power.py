"""What seeds can show, against simulation and other libraries."""

import numpy as np
import pytest
from scipy import integrate, stats
from statsmodels.stats.power import TTestPower

from reports.analysis.power import decidable_margin, detectable_effect, power_of, seeds_needed
from reports.analysis.statistics import equivalence_p, sign_flip_p


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


def test_nothing_can_be_shown_with_one_pair() -> None:
    """Nor can anything be equivalent within nothing."""
    with pytest.raises(ValueError, match="at least 2"):
        power_of(1.0, pairs=1)
    with pytest.raises(ValueError, match="margin"):
        equivalence_p([1.0, 2.0], 0.0)


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
