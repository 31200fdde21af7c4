"""From records to numbers and one word."""

import math

import pytest
from conftest import record_of
from test_plan import chosen, plan_of

from ablations.plan import Plan
from ablations.store import Store
from ablations.study import Contrast, Setting
from reports.comparison import compare
from reports.effect import Effect, verdict
from reports.figures import figure_1, mean_curve
from reports.tables import arms_table
from reports.words import headline

CONTRAST = Contrast(
    arm="relu", against="tanh", claim="C09", paper=6.0, margin=1.25, margin_reason="small"
)


def effect_of(estimate: float, low: float, high: float, **fields: object) -> Effect:
    """Return an effect that is decided unless told otherwise."""
    decided = {"p_adjusted": 0.002, "equivalence_p": 1.0, "pairs": 10, "planned": 10}
    return Effect.model_validate(
        {"contrast": CONTRAST, "estimate": estimate, "low": low, "high": high} | decided | fields
    )


@pytest.mark.parametrize(
    ("effect", "setting", "complete", "word"),
    [
        (Effect(contrast=CONTRAST, pairs=0, planned=10), "paper", False, "not run"),
        (effect_of(3.0, 2.5, 3.5), "paper", False, "incomplete"),
        (effect_of(1.1, 1.05, 1.15, equivalence_p=0.01), "paper", True, "absent"),
        (effect_of(0.5, 0.4, 0.6), "paper", True, "reversed"),
        (effect_of(3.0, 2.5, 3.5), "paper", True, "weaker"),
        (effect_of(3.0, 2.5, 3.5), "closest reading", True, "weaker"),
        (effect_of(9.0, 8.0, 10.0), "paper", True, "stronger"),
        (effect_of(5.0, 4.0, 7.0), "paper", True, "holds"),
        (effect_of(2.0, 0.9, 4.0, p_adjusted=0.2), "paper", True, "open"),
        (effect_of(3.0, 2.5, 3.5, bound="lower"), "paper", True, "holds"),
        (effect_of(9.0, 8.0, 10.0, bound="lower"), "paper", True, "stronger"),
        (effect_of(3.0, 2.5, 3.5, bound="upper"), "paper", True, "open"),
        (effect_of(0.5, 0.4, 0.6, bound="lower"), "paper", True, "open"),
        (effect_of(0.5, 0.4, 0.6, bound="upper"), "paper", True, "reversed"),
        (effect_of(3.0, 2.5, 3.5, bound="both"), "paper", True, "open"),
        (effect_of(3.0, 2.5, 3.5), "stand-in", True, "same way"),
        (effect_of(9.0, 8.0, 10.0), "stand-in", True, "same way"),
        (effect_of(0.5, 0.4, 0.6), "stand-in", True, "other way"),
        (effect_of(1.1, 1.05, 1.15, equivalence_p=0.01), "stand-in", True, "no effect"),
        (effect_of(2.0, 0.9, 4.0, p_adjusted=0.2), "stand-in", True, "open"),
        (effect_of(3.0, 2.5, 3.5), "stand-in", False, "incomplete"),
    ],
)
def test_the_word_for_a_claim(effect: Effect, setting: Setting, complete: bool, word: str) -> None:
    """One row for each rule and for each pair of rules that could both apply."""
    assert verdict(effect, setting, complete, ratio=True) == word


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
    effect = effect_of(estimate, low, high).but(contrast=claim.model_dump())

    assert verdict(effect, "paper", complete=True, ratio=False) == word


def filled(results, seeds: int, tanh: list[float], relu: list[float]) -> tuple[Plan, Store]:
    """Return a plan of three seeds and a store with records of the first so many."""
    plan, store = chosen(plan_of(seeds=3)), Store(results)
    for seed in range(seeds):
        for arm, errors in (("tanh", tanh), ("relu", relu)):
            store.add(record_of(plan.run(arm, seed), errors))
    store.write_plan(plan)
    return plan, store


def test_a_speed_up_worked_by_hand(results) -> None:
    """To 20 %: relu falls from 40 % at 0.5 to 0 at 1.5, so 1.0; tanh 60, 30, 10 %: 1.5 + 0.5.

    2.0 / 1.0 = 2, whichever seed; at 30 %: 1.5 / 0.75 = 2; relu is below 40 % from the start, 0.5,
    and tanh at 0.5 + 2/3.
    """
    plan, store = filled(results, 3, tanh=[0.6, 0.3, 0.1], relu=[0.4, 0.0])

    effect = compare(plan, store).effects[0]

    assert effect.estimate == pytest.approx(2.0)
    assert effect.pairs == 3
    assert effect.p == 0.25
    by_threshold = {at.training_error: at.estimate for at in effect.at_thresholds}
    assert by_threshold[0.3] == pytest.approx(2.0)
    assert by_threshold[0.4] == pytest.approx((0.5 + 2 / 3) / 0.5)


def test_a_run_that_never_got_there_makes_the_speed_up_a_bound(results) -> None:
    """Tanh stays at 50 % to its horizon of 16 epochs; relu needs 1.0: at least 16 times."""
    plan, store = filled(results, 3, tanh=[0.5] * 16, relu=[0.4, 0.0])

    comparison = compare(plan, store)
    effect = comparison.effects[0]

    assert (effect.estimate, effect.bound) == (pytest.approx(16.0), "lower")
    assert effect.equivalence_p is None
    assert [row.reached for row in comparison.rows] == [0, 3]
    assert arms_table(plan, comparison)["epochs"].tolist() == ["> 16.0", "1.00"]
    assert "at least 16.0 times" in headline(plan, comparison)
    assert "interval" not in headline(plan, comparison)


def test_a_partial_study_says_how_much_is_there(results) -> None:
    """Two of three seeds: numbers, and no verdict."""
    plan, store = filled(results, 2, tanh=[0.6, 0.3, 0.1], relu=[0.4, 0.0])

    comparison = compare(plan, store)

    assert (comparison.done, comparison.planned) == (4, 6)
    assert comparison.effects[0].verdict == "incomplete"
    assert "incomplete, 4 of 6 runs" in headline(plan, comparison)


def test_a_run_that_diverged_at_once_counts_as_the_horizon_and_still_draws(results) -> None:
    """It has no epoch to draw; its arm is then bounded by its horizon, 16 epochs."""
    plan, store = filled(results, 2, tanh=[0.6, 0.3, 0.1], relu=[0.4, 0.0])
    store.add(record_of(plan.run("tanh", 2), [], status="diverged"))
    store.add(record_of(plan.run("relu", 2), [0.4, 0.0]))

    comparison = compare(plan, store)
    effect = comparison.effects[0]

    assert effect.estimate == pytest.approx((2 * 2 * 16) ** (1 / 3))
    assert effect.bound == "lower"
    assert effect.at_thresholds == ()
    assert "1 run of tanh diverged, counted as the horizon" in comparison.caveats
    assert figure_1(plan, store) is not None


def test_a_seed_with_one_arm_is_no_pair(results) -> None:
    """It is counted as a run and compared with nothing."""
    plan, store = filled(results, 1, tanh=[0.6, 0.3, 0.1], relu=[0.4, 0.0])
    store.add(record_of(plan.run("relu", 1), [0.4, 0.0]))

    comparison = compare(plan, store)

    assert comparison.done == 3
    assert comparison.effects[0].pairs == 1


def test_a_smoke_run_never_gets_a_verdict(results) -> None:
    """However complete it is."""
    plan, store = chosen(plan_of(smoke=True, seeds=2)), Store(results)
    for seed in (0, 1):
        for arm, errors in (("tanh", [0.6, 0.1]), ("relu", [0.4, 0.0])):
            store.add(record_of(plan.run(arm, seed), errors))

    assert compare(plan, store).effects[0].verdict == "incomplete"
    assert "smoke" in headline(plan, compare(plan, store))


def test_the_mean_curve_ends_with_the_shortest() -> None:
    """Beyond it, only the slow seeds would be left."""
    from conftest import epochs_of

    from alexnet.progress import running_curve

    curves = [running_curve(epochs_of(errors)) for errors in ([0.6, 0.2], [0.4, 0.2, 0.1])]
    mean = mean_curve(curves)

    assert mean.epochs[-1] == pytest.approx(1.5)
    assert mean.errors[0] == pytest.approx(0.5)


def test_the_figure_shows_every_seed_and_every_mean(results) -> None:
    """Three thin lines and a thick one an arm, ReLU solid and tanh dashed, as in the paper."""
    plan, store = filled(results, 3, tanh=[0.6, 0.3, 0.1], relu=[0.4, 0.0])
    figure = figure_1(plan, store)
    assert figure is not None
    left = figure.axes[0]
    thick = {line.get_linestyle() for line in left.lines if line.get_linewidth() > 2}
    thin = [line for line in left.lines if line.get_linewidth() == 0.6]

    assert len(thin) == 6
    assert thick == {"-", "--"}
    assert "2.00 times" in figure.axes[1].get_title(loc="left")


def test_numbers_on_the_way_are_finite(results) -> None:
    """A figure of runs that never got there still draws."""
    plan, store = filled(results, 3, tanh=[0.9] * 16, relu=[0.9] * 16)
    effect = compare(plan, store).effects[0]

    assert effect.bound == "both"
    assert effect.verdict == "open"
    assert effect.estimate is not None
    assert math.isfinite(effect.estimate)
    assert figure_1(plan, store) is not None
