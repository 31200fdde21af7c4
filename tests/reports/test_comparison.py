"""From records to numbers and one word."""

import math

import pytest

from ablations.store import Store
from ablations.study import (
    FinalError,
    Gap,
)
from ablations.tuning import Choice, Pending, Trial
from alexnet.config import GiveUp
from reports.analysis.comparison import tuning_spread
from reports.analysis.power import fewest_pairs
from reports.analysis.statistics import prediction_limits
from reports.figures.study import draw, mean_curve
from reports.findings.records import comparison_of
from reports.findings.sections import section_of
from reports.page.report import write_report
from reports.page.tables import arms_table, contrasts_table, needs_contrasts, tuning_table
from reports.wording.sentences import headline
from tests.builders.contrasts import CONTRAST
from tests.builders.plans import HELPS, chosen, filled, of_errors, plan_of, with_measures
from tests.builders.records import measures_of, record_of
from tests.proofs import simulation


def test_a_speed_up_worked_by_hand(results) -> None:
    """To 20 %: relu falls from 40 % at 0.5 to 0 at 1.5, so 1.0; tanh 60, 30, 10 %: 1.5 + 0.5.

    2.0 / 1.0 = 2, whichever seed; at 30 %: 1.5 / 0.75 = 2; relu is below 40 % from the start, 0.5,
    and tanh at 0.5 + 2/3.
    """
    plan, store = filled(results, 3, tanh=[0.6, 0.3, 0.1], relu=[0.4, 0.0])

    effect = comparison_of(plan, store).effects[0]

    assert effect.estimate == pytest.approx(2.0)
    assert effect.pairs == 3
    assert effect.p == 0.25
    by_threshold = {at.training_error: at.estimate for at in effect.at_thresholds}
    assert by_threshold[0.3] == pytest.approx(2.0)
    assert by_threshold[0.4] == pytest.approx((0.5 + 2 / 3) / 0.5)


def test_a_run_that_never_got_there_makes_the_speed_up_a_bound(results) -> None:
    """Tanh stays at 50 % to its horizon of 16 epochs; relu needs 1.0: at least 16 times."""
    plan, store = filled(results, 3, tanh=[0.5] * 16, relu=[0.4, 0.0])

    comparison = comparison_of(plan, store)
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

    comparison = comparison_of(plan, store)

    assert (comparison.done, comparison.planned) == (4, 6)
    assert comparison.effects[0].verdict == "incomplete"
    assert "incomplete, 4 of 6 runs" in headline(plan, comparison)


def test_a_run_that_diverged_at_once_counts_as_the_horizon_and_still_draws(results) -> None:
    """It has no epoch to draw; its arm is then bounded by its horizon, 16 epochs."""
    plan, store = filled(results, 2, tanh=[0.6, 0.3, 0.1], relu=[0.4, 0.0])
    store.add(record_of(plan.run("tanh", 2), [], status="diverged"))
    store.add(record_of(plan.run("relu", 2), [0.4, 0.0]))

    comparison = comparison_of(plan, store)
    effect = comparison.effects[0]

    assert effect.estimate == pytest.approx((2 * 2 * 16) ** (1 / 3))
    assert effect.bound == "lower"
    assert effect.at_thresholds == ()
    assert "1 run of tanh diverged, counted as the horizon" in comparison.caveats
    assert draw(section_of(plan, store)) is not None


@pytest.mark.parametrize("curve", [[], [0.1, 0.1]], ids=["diverged at once", "below it at once"])
def test_a_page_is_written_whatever_the_curves(curve: list[float], results) -> None:
    """Of runs without a single epoch there is no Figure 1; of runs that start at 10 %, there is."""
    plan, store = chosen(plan_of(seeds=3)), Store(results)
    store.write_plan(plan)
    for seed in range(3):
        for arm in plan.definition.arms:
            status = "finished" if curve else "diverged"
            store.add(record_of(plan.run(arm, seed), curve, status=status))

    page, *_ = write_report(Store(results), results / "report")

    assert page.exists()
    assert (results / "report" / "figures" / "figure1.svg").exists() is bool(curve)


def test_a_seed_with_one_arm_is_no_pair(results) -> None:
    """It is counted as a run and compared with nothing."""
    plan, store = filled(results, 1, tanh=[0.6, 0.3, 0.1], relu=[0.4, 0.0])
    store.add(record_of(plan.run("relu", 1), [0.4, 0.0]))

    comparison = comparison_of(plan, store)

    assert comparison.done == 3
    assert comparison.effects[0].pairs == 1


def test_a_smoke_run_never_gets_a_verdict(results) -> None:
    """However complete it is."""
    plan, store = chosen(plan_of(smoke=True, seeds=2)), Store(results)
    for seed in (0, 1):
        for arm, errors in (("tanh", [0.6, 0.1]), ("relu", [0.4, 0.0])):
            store.add(record_of(plan.run(arm, seed), errors))

    assert comparison_of(plan, store).effects[0].verdict == "incomplete"
    assert "smoke" in headline(plan, comparison_of(plan, store))


def test_the_mean_curve_ends_with_the_shortest() -> None:
    """Beyond it, only the slow seeds would be left."""
    from alexnet.learning_curve import running_curve
    from tests.builders.records import epochs_of

    curves = [running_curve(epochs_of(errors)) for errors in ([0.6, 0.2], [0.4, 0.2, 0.1])]
    mean = mean_curve(curves)

    assert mean.epochs[-1] == pytest.approx(1.5)
    assert mean.errors[0] == pytest.approx(0.5)


def test_the_figure_shows_every_seed_and_every_mean(results) -> None:
    """Three thin lines and a thick one an arm, ReLU solid and tanh dashed, as in the paper."""
    plan, store = filled(results, 3, tanh=[0.6, 0.3, 0.1], relu=[0.4, 0.0])
    figure = draw(section_of(plan, store))
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
    effect = comparison_of(plan, store).effects[0]

    assert effect.bound == "both"
    assert effect.verdict == "open"
    assert effect.estimate is not None
    assert math.isfinite(effect.estimate)
    assert draw(section_of(plan, store)) is not None


def test_a_difference_of_errors_worked_by_hand(results) -> None:
    """Test 20 % against 21 to 26 %: the mean difference is -3.5 points, p = 2 / 2^6.

    Differences of -1 to -6 points: a standard deviation of sqrt(3.5), an interval of
    3.5 +- 2.571 sqrt(3.5 / 6).
    """
    plan = of_errors(HELPS)
    without = [measures_of(0.1, 0.2, 0.21 + seed / 100) for seed in range(6)]
    store = with_measures(
        plan, results, {"with": [measures_of(0.1, 0.2, 0.2)] * 6, "without": without}
    )

    comparison = comparison_of(plan, store)
    effect = comparison.effects[0]
    half = 2.5705818 * (3.5 / 6) ** 0.5 / 100

    assert effect.estimate == pytest.approx(-0.035)
    assert (effect.low, effect.high) == pytest.approx((-0.035 - half, -0.035 + half))
    assert effect.p == pytest.approx(2 / 2**6)
    assert (effect.mean, effect.mean_against) == pytest.approx((0.2, 0.235))
    assert effect.verdict == "same way"
    arms = arms_table(plan, comparison)
    assert arms["change, points"].tolist() == ["-3.50", "0"]
    assert arms["verdict"].tolist() == ["same way", "-"]
    assert [arms.columns[1], contrasts_table(comparison).columns[1]] == ["verdict", "verdict"]
    assert "changed the top-1 test error by -3.50 points" in headline(plan, comparison)
    assert draw(section_of(plan, store)) is not None


def test_contrasts_by_several_metrics_share_one_correction(results) -> None:
    """Two contrasts, each with p = 2 / 2^6 = 0.031, which is doubled.

    Neither is decided, though each alone would be.
    """
    plan = of_errors(HELPS, HELPS.but(metric=Gap()), seeds=7)
    without = [measures_of(0.1, 0.2, 0.21 + seed / 100) for seed in range(6)]
    same = measures_of(0.1, 0.2, 0.3)
    store = with_measures(
        plan,
        results,
        {"with": [measures_of(0.1, 0.2, 0.2)] * 6 + [same], "without": [*without, same]},
    )

    effects = comparison_of(plan, store).effects

    assert [effect.metric for effect in effects] == [FinalError(), Gap()]
    assert [effect.p for effect in effects] == pytest.approx([2 / 2**6] * 2)
    assert [effect.p_adjusted for effect in effects] == pytest.approx([4 / 2**6] * 2)
    assert [effect.verdict for effect in effects] == ["open", "open"]
    table = contrasts_table(comparison_of(plan, store))
    assert table["metric"].tolist() == ["top-1 test error", "test error minus clean training error"]


def test_what_tuning_says_of_the_spread(results) -> None:
    """Log ratios of the two tuning seeds, log(4 / 2) and log(8 / 2), deviate by log 2 / sqrt 2."""
    plan = chosen(plan_of(seeds=10))

    def choice(outcomes: tuple[float, float]) -> Choice:
        trial = Trial(rate=0.001, epochs=16, outcomes=outcomes, reached=True, runs=("a", "b"))
        return Choice(rate=0.001, trials=(trial,), none_reached=False, edge=False)

    choices = {"relu": choice((2.0, 2.0)), "tanh": choice((4.0, 8.0))}
    plan = plan.model_copy(update={"choices": choices})
    spread = tuning_spread(plan, plan.definition.contrasts[0])

    assert spread == pytest.approx(math.log(2) / 2**0.5)
    assert tuning_spread(plan, CONTRAST.but(metric=FinalError(), margin=0.01)) is None


def test_what_seeds_can_show_is_by_the_test_that_decides(results) -> None:
    """Six pairs have a p-value below 0.05 and five have none, however little they vary."""
    plan = of_errors(HELPS.but(paper=-0.1))
    without = [measures_of(0.1, 0.2, 0.3 + seed / 1000) for seed in range(6)]
    arms = {"with": [measures_of(0.1, 0.2, 0.2)] * 6, "without": without}

    effect = comparison_of(plan, with_measures(plan, results, arms)).effects[0]

    assert effect.seeds_for_paper == 6
    assert effect.detectable is not None
    assert fewest_pairs(0.05) == 6


def test_changes_are_shown_where_there_is_one_arm_to_change_from(results) -> None:
    """Against two references the arms' table says nothing of changes; the contrasts' says all."""
    one, two = of_errors(HELPS), of_errors(HELPS, HELPS.but(arm="without", against="with"), seeds=7)
    seen = {"with": [measures_of(0.1, 0.2, 0.2)] * 6, "without": [measures_of(0.1, 0.2, 0.3)] * 6}
    column = "change, points"

    assert not needs_contrasts(one, comparison_of(one, with_measures(one, results, seen)))
    comparison = comparison_of(two, with_measures(two, results, seen))
    assert needs_contrasts(two, comparison)
    assert column in arms_table(one, comparison_of(one, with_measures(one, results, seen)))
    assert column not in arms_table(two, comparison)
    assert contrasts_table(comparison)["effect"].tolist() == ["-10.00 points", "+10.00 points"]


def test_a_study_of_26_arms_draws() -> None:
    """More than a palette has colours."""
    plan = simulation.tuned(simulation.plan_of(simulation.study_of(arms=26)))
    runs = [run for run in simulation.comparison_runs(plan) if run.seed < 2]
    store = simulation.records_of(plan, simulation.Trainer(4.0, spread=0.1), runs)

    figure = draw(section_of(plan, store))

    assert figure is not None
    assert len(figure.axes[1].lines) >= 25


def test_equality_too_is_corrected_for_the_number_of_contrasts(results) -> None:
    """Two contrasts, each with an equivalence p between 0.025 and 0.05: neither is decided."""
    plan = of_errors(HELPS, HELPS.but(metric=Gap()), seeds=7)
    small = [0.0, 0.004, -0.004, 0.008, -0.003, 0.002, 0.0]
    arms = {
        "with": [measures_of(0.1, 0.2, 0.2 + difference) for difference in small],
        "without": [measures_of(0.1, 0.2, 0.2)] * 7,
    }

    effects = comparison_of(plan, with_measures(plan, results, arms)).effects

    assert 0.01 < effects[0].equivalence_p < 0.05
    assert effects[0].equivalence_p_adjusted == pytest.approx(2 * effects[0].equivalence_p)
    single = of_errors(HELPS, seeds=7)
    alone = comparison_of(single, with_measures(single, results, arms)).effects[0]
    assert alone.verdict == "no effect"
    assert effects[0].verdict == ("no effect" if 2 * effects[0].equivalence_p < 0.05 else "open")


def test_the_level_of_predictions_is_shared_by_the_judged_numbers(results) -> None:
    """Two that are judged by a number: 2.5 % each. Shown ones and equalities do not count."""
    one = HELPS.but(paper=-0.1)
    contrasts = (
        one,
        one.but(metric=FinalError(part="valid")),
        one.but(metric=FinalError(part="train"), judged=False),
        one.but(metric=Gap(), paper=None, direction="equal"),
    )
    plan = of_errors(*contrasts, seeds=8)
    spread = [0.0, 0.004, -0.004, 0.008, -0.003, 0.002, 0.0, 0.001]
    arms = {
        "with": [measures_of(0.1, 0.2, 0.2 + one) for one in spread],
        "without": [measures_of(0.1, 0.21, 0.3)] * 8,
    }

    first, *_, shown, _ = comparison_of(plan, with_measures(plan, results, arms)).effects

    expected = prediction_limits(first.by_seed, 0.025)
    assert (first.prediction_low, first.prediction_high) == pytest.approx(expected)
    assert shown.prediction_low is None


def test_the_tuning_table_says_what_each_seed_came_to(results) -> None:
    """Given up, diverged, not within its epochs, or its number."""
    plan, store = plan_of(), Store(results)
    one = plan.definition.but(give_up=GiveUp(updates=1, within=0.05))  # a pass of a made-up record
    plan = plan.model_copy(update={"definition": one})
    answers = {0.03: ([0.9], "finished"), 0.01: ([], "diverged"), 0.003: ([0.5, 0.1], "finished")}
    while isinstance(found := plan.tuned("relu", store.find), Pending):
        for run in found.runs:
            rate = run.config.training.optimizer.rate
            errors, status = answers.get(rate, ([0.6] * run.config.training.epochs, "finished"))
            store.add(record_of(run, errors, status))
    plan = plan.model_copy(update={"choices": {"relu": found}})

    table = tuning_table(section_of(plan, store))

    assert table.iloc[:, 4].tolist() == [
        "given up after 1, given up after 1",
        "diverged in epoch 1, diverged in epoch 1",
        "1.25, 1.25",
        "not within 2, not within 2",
        "not within 2, not within 2",
    ]
    ids = [id_ for cell in table["runs"] for id_ in cell.split()]
    assert sorted(ids) == [record.run.short for record in store.records()]
