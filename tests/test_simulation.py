"""Studies with a known effect, from plan to verdict: the right words at the right rates."""

from collections import Counter

import pytest
from simulation import (
    Memory,
    Trainer,
    Workers,
    comparison_runs,
    plan_of,
    records_of,
    study_of,
    tuned,
)

from ablations.runner import Chosen, run_study
from reports.comparison import compare

WORLDS = 150


def words_of(speed_up: float, spread: float, **study: object) -> Counter[str]:
    """Return how often each verdict came out, over many worlds of chance."""
    plan = tuned(plan_of(study_of(**study)))
    runs = comparison_runs(plan)
    found: Counter[str] = Counter()
    for world in range(WORLDS):
        store = records_of(plan, Trainer(speed_up, spread, world), runs)
        found[compare(plan, store).effects[0].verdict] += 1
    return found


@pytest.mark.parametrize("speed_up", [6.0, 0.5])
def test_a_study_from_plan_to_verdict(speed_up: float) -> None:
    """Tuning, comparison runs in pairs, verdict, with nothing but the trainer made up.

    Rates are the true best ones; the estimate is within four standard errors of the truth.
    """
    plan, store = plan_of(study_of()), Memory()
    workers = Workers(3, Trainer(speed_up, spread=0.1), store)

    for event in run_study(plan, store, workers, plan.seeds):
        plan = event.plan if isinstance(event, Chosen) else plan
    comparison = compare(plan, store)
    effect = comparison.effects[0]

    assert {arm: choice.rate for arm, choice in plan.choices.items()} == {
        "tanh": 0.003,
        "relu": 0.001,
    }
    assert (comparison.done, comparison.planned) == (20, 20)
    assert effect.estimate == pytest.approx(speed_up, rel=4 * 0.1 / 10**0.5)
    assert effect.verdict == ("holds" if speed_up == 6 else "reversed")
    assert comparison.caveats == ()


def test_a_true_six_holds_as_often_as_its_interval_covers() -> None:
    """95 % of 150 is 142.5, with a standard deviation of 2.7; the rest is weaker or stronger."""
    found = words_of(6.0, spread=0.1)

    assert found["holds"] == pytest.approx(142.5, abs=4 * 2.7)
    assert found["holds"] + found["weaker"] + found["stronger"] == WORLDS


def test_a_true_three_is_weaker_and_a_true_half_reversed() -> None:
    """Both are dozens of standard errors away."""
    assert words_of(3.0, spread=0.1) == {"weaker": WORLDS}
    assert words_of(0.5, spread=0.1) == {"reversed": WORLDS}
    assert words_of(3.0, spread=0.1, setting="stand-in") == {"same way": WORLDS}


def test_no_difference_is_absent_when_seeds_suffice_and_open_when_not() -> None:
    """The margin, 1.25, is 0.223 in logarithms; ten seeds decide within 1.005 spreads.

    With a spread of 0.1 nearly always. With 0.5 mostly not; what is then said beside "absent" is
    false, which may happen in 5 % of studies: 7.5 of 150, with a standard deviation of 2.7.
    """
    narrow, wide = words_of(1.0, spread=0.1), words_of(1.0, spread=0.5)
    false = WORLDS - wide["open"] - wide["absent"]

    assert narrow["absent"] >= 0.99 * WORLDS
    assert wide["open"] > 0.8 * WORLDS
    assert false <= 7.5 + 4 * 2.7


def test_a_difference_as_large_as_the_margin_is_seldom_called_absent() -> None:
    """In at most 5 % of studies, the size of the equivalence test."""
    found = words_of(1.25, spread=0.1)

    assert found["absent"] <= 7.5 + 4 * 2.7
    assert found["weaker"] > WORLDS / 2


def test_an_arm_that_does_not_get_there_leaves_a_bound() -> None:
    """Three epochs times forty are beyond the horizon of sixty: at least 20 times as fast."""
    plan = tuned(plan_of(study_of()))
    store = records_of(plan, Trainer(40.0, spread=0.1), comparison_runs(plan))

    effect = compare(plan, store).effects[0]

    assert effect.bound == "lower"
    assert effect.verdict == "stronger"
    assert effect.low > 15
