"""One word for a claim: a row for each rule and for each pair of rules that could both apply."""

import numpy as np
import pytest
from scipy import stats

from ablations.study import FinalError, Setting, TimeTo
from reports.analysis.effect import Effect, verdict
from reports.analysis.statistics import prediction_limits, student_interval
from tests.builders.contrasts import CONTRAST

TIMES, ERRORS = TimeTo(training_error=0.25), FinalError()


def effect_of(estimate: float, low: float, high: float, **fields: object) -> Effect:
    """Return an effect that is decided unless told otherwise; ``same`` is its equivalence p.

    Its interval stands for the limits of one more pair as well, which are always wider.
    """
    decided = {"p_adjusted": 0.002, "pairs": 10, "planned": 10}
    decided |= {"prediction_low": low, "prediction_high": high}
    decided["equivalence_p_adjusted"] = fields.pop("same", 1.0)
    basis = {"contrast": CONTRAST, "metric": TIMES, "estimate": estimate, "low": low, "high": high}
    return Effect.model_validate(basis | decided | fields)


@pytest.mark.parametrize(
    ("effect", "setting", "complete", "word"),
    [
        (Effect(contrast=CONTRAST, metric=TIMES, pairs=0, planned=10), "paper", False, "not run"),
        (effect_of(3.0, 2.5, 3.5), "paper", False, "incomplete"),
        (effect_of(1.1, 1.05, 1.15, same=0.01), "paper", False, "incomplete"),
        (effect_of(1.1, 0.95, 1.2, same=0.01, p_adjusted=0.2), "paper", True, "absent"),
        (effect_of(0.9, 0.85, 1.05, same=0.01, p_adjusted=0.2), "paper", True, "absent"),
        # What is decided is never absent, however small:
        (effect_of(1.1, 1.05, 1.15, same=0.01), "paper", True, "weaker"),
        (effect_of(0.9, 0.85, 0.95, same=0.01), "paper", True, "reversed"),
        (effect_of(0.5, 0.4, 0.6), "paper", True, "reversed"),
        (effect_of(3.0, 2.5, 3.5), "paper", True, "weaker"),
        (effect_of(3.0, 2.5, 3.5), "closest reading", True, "weaker"),
        (effect_of(9.0, 8.0, 10.0), "paper", True, "stronger"),
        (effect_of(5.0, 4.0, 7.0), "paper", True, "holds"),
        (effect_of(2.0, 0.9, 4.0, p_adjusted=0.2), "paper", True, "open"),
        # The interval of the mean excludes six, a single pair would not:
        (effect_of(4.0, 3.6, 4.4, prediction_high=6.5), "paper", True, "holds"),
        (effect_of(9.0, 8.0, 10.0, prediction_low=5.9), "paper", True, "holds"),
        # A shorter horizon confirms nothing:
        (effect_of(3.0, 2.9, 3.5, bound="lower"), "paper", True, "open"),
        (effect_of(7.0, 6.5, 7.5, bound="lower", prediction_low=5.0), "paper", True, "open"),
        (effect_of(9.0, 8.0, 10.0, bound="lower"), "paper", True, "stronger"),
        (effect_of(3.0, 2.5, 3.5, bound="upper"), "paper", True, "open"),
        (effect_of(0.5, 0.4, 0.6, bound="lower"), "paper", True, "open"),
        (effect_of(0.5, 0.4, 0.6, bound="upper"), "paper", True, "reversed"),
        (effect_of(3.0, 2.5, 3.5, bound="both"), "paper", True, "open"),
        (effect_of(3.0, 2.5, 3.5, unmet="inert"), "paper", True, "open"),
        (
            effect_of(1.1, 1.05, 1.15, same=0.01, unmet="inert"),
            "paper",
            True,
            "open",
        ),
        (effect_of(3.0, 2.5, 3.5, unmet="inert"), "paper", False, "incomplete"),
        (effect_of(3.0, 2.5, 3.5), "stand-in", True, "same way"),
        (effect_of(9.0, 8.0, 10.0), "stand-in", True, "same way"),
        (effect_of(0.5, 0.4, 0.6), "stand-in", True, "other way"),
        (effect_of(1.1, 0.95, 1.2, same=0.01, p_adjusted=0.2), "stand-in", True, "no effect"),
        (effect_of(1.1, 1.05, 1.15, same=0.01), "stand-in", True, "same way"),
        (effect_of(3.0, 2.9, 3.5, bound="lower"), "stand-in", True, "open"),
        (effect_of(2.0, 0.9, 4.0, p_adjusted=0.2), "stand-in", True, "open"),
        (effect_of(3.0, 2.5, 3.5), "stand-in", False, "incomplete"),
        (effect_of(3.0, 2.5, 3.5), "own question", True, "same way"),
    ],
)
def test_the_word_for_a_claim(effect: Effect, setting: Setting, complete: bool, word: str) -> None:
    """One row for each rule and for each pair of rules that could both apply."""
    assert verdict(effect, setting, complete) == word


@pytest.mark.parametrize(
    ("estimate", "low", "high", "word"),
    [
        (-0.014, -0.016, -0.012, "holds"),
        (-0.005, -0.006, -0.004, "weaker"),
        (-0.03, -0.04, -0.02, "stronger"),
        (0.01, 0.005, 0.015, "reversed"),
    ],
)
def test_a_claim_of_a_lower_error(estimate: float, low: float, high: float, word: str) -> None:
    """1.4 points lower, says the paper of LRN: towards the claim is down."""
    claim = CONTRAST.but(paper=-0.014, margin=0.007)
    effect = effect_of(estimate, low, high, contrast=claim, metric=ERRORS)

    assert verdict(effect, "paper", complete=True) == word


@pytest.mark.parametrize(
    ("mean", "half", "paper", "word"),
    [(-0.64, 0.03, -1.4, "weaker"), (0.45, 0.03, -1.0, "reversed"), (-0.64, 0.3, -1.4, "holds")],
)
def test_decided_effects_within_the_margin_have_their_own_words(
    mean: float, half: float, paper: float, word: str
) -> None:
    """Points of ten seeds whose interval is so wide: two were called absent, having been decided.

    Of the third a single pair lies as far as 0.99 points off, t s sqrt(1 + 1/10): 1.4 is within.
    """
    deviation = half * 10**0.5 / stats.t.ppf(0.975, 9)
    pattern = np.array([-1, 1] * 5) * deviation * (9 / 10) ** 0.5
    differences = (mean + pattern) / 100
    low, high = prediction_limits(differences) or (0, 0)
    effect = effect_of(
        mean / 100, (mean - half) / 100, (mean + half) / 100, metric=ERRORS, same=0.001,
        contrast=CONTRAST.but(paper=paper / 100, margin=abs(paper) / 200),
        prediction_low=low, prediction_high=high,
    )  # fmt: skip

    assert student_interval(differences) == pytest.approx(
        (effect.estimate, effect.low, effect.high)
    )
    assert verdict(effect, "paper", complete=True) == word


@pytest.mark.parametrize(
    ("estimate", "fields", "setting", "word"),
    [
        (-0.01, {}, "paper", "holds"),
        (-0.09, {}, "paper", "holds"),  # no number, so none that it could exceed
        (0.01, {}, "paper", "reversed"),
        (-0.001, {"same": 0.01, "p_adjusted": 0.3}, "paper", "absent"),
        (-0.001, {"same": 0.01}, "paper", "holds"),
        (-0.01, {"p_adjusted": 0.3}, "paper", "open"),
        (-0.01, {}, "stand-in", "same way"),
    ],
)
def test_a_claim_without_a_number(estimate, fields, setting: Setting, word: str) -> None:
    """Weight decay lowers the training error, says section 5, and not by how much."""
    claim = CONTRAST.but(paper=None, direction="lower", margin=0.005)
    effect = effect_of(
        estimate, estimate - 0.004, estimate + 0.004, contrast=claim, metric=ERRORS, **fields
    )

    assert verdict(effect, setting, complete=True) == word


@pytest.mark.parametrize(
    ("fields", "setting", "word"),
    [
        ({"p_adjusted": 0.6, "same": 0.01}, "paper", "holds"),
        (
            {"p_adjusted": 0.002, "same": 0.01},
            "paper",
            "holds",
        ),  # differs, by nothing
        ({"p_adjusted": 0.002, "same": 0.4}, "paper", "reversed"),
        ({"p_adjusted": 0.6, "same": 0.4}, "paper", "open"),
        ({"p_adjusted": 0.6, "same": 0.01, "unmet": "inert"}, "paper", "open"),
        ({"p_adjusted": 0.002, "same": None, "bound": "lower"}, "paper", "open"),
        ({"p_adjusted": 0.6, "same": 0.01}, "own question", "same way"),
        ({"p_adjusted": 0.002, "same": 0.4}, "own question", "other way"),
    ],
)
def test_a_claim_of_equality(fields, setting: Setting, word: str) -> None:
    """Bfloat16 changes nothing: only the equivalence test can say so."""
    claim = CONTRAST.but(paper=None, direction="equal")
    effect = effect_of(1.1, 1.0, 1.2, contrast=claim, **fields)

    assert verdict(effect, setting, complete=True) == word
