"""The choice of a rate as a function of records alone."""

from collections.abc import Mapping, Sequence

from ablations.record import Record
from ablations.run import TUNING_SEEDS, Run
from ablations.study import FinalError, TimeTo
from ablations.tuning import Choice, Pending, Trial, choose, closer_rates, tune
from alexnet.config import Config, GiveUp
from alexnet.presets import tiny
from tests.builders.records import record_of, run_of

RATES = (0.001, 0.003, 0.01)
METRIC = TimeTo(training_error=0.25)
GIVE_UP = GiveUp(epoch=1, within=0.05)
HORIZON = tiny().but(training={"epochs": 9})


def tune_until_chosen(
    outcomes: Mapping[float, list[list[float]]], refine: bool = False
) -> tuple[Choice, list[Run]]:
    """Answer every run that tuning asks for with the running errors of its rate and seed.

    As training would, a run ends when it gives up, crosses the threshold or has had its epochs.
    """
    records: dict[str, Record] = {}
    asked: list[Run] = []
    while True:
        found = tune(
            HORIZON, METRIC, RATES, GIVE_UP, run_of, lambda run: records.get(run.id), refine
        )
        if isinstance(found, Choice):
            return found, asked
        for run in found.runs:
            asked.append(run)
            rate, epochs = run.config.training.optimizer.rate, run.config.training.epochs
            errors = outcomes[rate][TUNING_SEEDS.index(run.seed)][:epochs]
            records[run.id] = record_of(run, errors)


def test_the_fastest_mean_wins() -> None:
    """0.003 crosses in the second epoch with both seeds, 0.001 in the third, 0.01 never learns."""
    choice, _ = tune_until_chosen(
        {
            0.01: [[0.9], [0.9]],
            0.003: [[0.5, 0.2], [0.5, 0.2]],
            0.001: [[0.6, 0.4, 0.2], [0.6, 0.4, 0.2]],
        }
    )

    assert choice.rate == 0.003
    assert not choice.edge
    assert not choice.none_reached
    assert [trial.reached for trial in choice.trials] == [False, True, False]


def test_rates_after_a_fast_one_get_a_tenth_more_epochs() -> None:
    """0.01 crosses half way from 0.5 (at 0.5) to 0 (at 1.5), at 1.0; 1.1 is seen after 1.6."""
    _, asked = tune_until_chosen(
        {0.01: [[0.5, 0.0]] * 2, 0.003: [[0.5, 0.4]] * 2, 0.001: [[0.5, 0.45]] * 2}
    )
    given = {run.config.training.optimizer.rate: run.config.training.epochs for run in asked}

    assert given == {0.01: 9, 0.003: 2, 0.001: 2}


def test_a_rate_a_little_slower_than_the_best_is_still_seen_to_cross() -> None:
    """A best time of 2.0 gives the others 1.1 x 2.0 + 0.5 = 2.7 epochs: three.

    0.01 falls from 0.5 at 0.5 to 0.3 at 1.5 and to 0.2 at 2.5: 25 % at 2.0. 0.003 is faster.
    """
    choice, asked = tune_until_chosen(
        {0.01: [[0.5, 0.3, 0.2]] * 2, 0.003: [[0.5, 0.26, 0.1]] * 2, 0.001: [[0.5] * 3] * 2}
    )

    assert choice.rate == 0.003
    assert [run.config.training.epochs for run in asked] == [9, 9, 3, 3, 3, 3]


def test_a_rate_at_the_edge_says_so() -> None:
    """Then a wider grid might have found a faster one."""
    choice, _ = tune_until_chosen(
        {0.01: [[0.5, 0.0]] * 2, 0.003: [[0.5, 0.4]] * 2, 0.001: [[0.5, 0.45]] * 2}
    )

    assert (choice.rate, choice.edge) == (0.01, True)


def test_a_rate_that_one_seed_missed_does_not_win() -> None:
    """However fast the other seed was."""
    choice, _ = tune_until_chosen(
        {
            0.01: [[0.5, 0.0], [0.9] * 9],
            0.003: [[0.5, 0.4, 0.2]] * 2,
            0.001: [[0.6, 0.5, 0.4]] * 2,
        }
    )

    assert choice.rate == 0.003


def test_ties_go_to_the_smaller_rate() -> None:
    """Equal means, equal seeds."""
    trials = [
        Trial(rate=rate, epochs=9, outcomes=(2.0, 3.0), reached=True, runs=("a", "b"))
        for rate in (0.01, 0.001, 0.003)
    ]

    assert choose(trials).rate == 0.001


def test_without_a_rate_that_gets_there_the_smallest_is_taken_and_said() -> None:
    """The arm is then compared by its bound."""
    choice, _ = tune_until_chosen({rate: [[0.5] * 9] * 2 for rate in RATES})

    assert choice.none_reached
    assert choice.rate == 0.001


def test_other_studies_choose_by_held_out_images_never_by_test() -> None:
    """A tuning run has no test measure to choose by."""
    found = tune(HORIZON, FinalError(part="test"), RATES, GIVE_UP, run_of, lambda run: None)

    assert isinstance(found, Pending)
    assert [run.seed for run in found.runs] == list(TUNING_SEEDS)
    assert not any(run.sees_test for run in found.runs)


def test_a_tuning_run_can_give_up_and_a_comparison_run_cannot() -> None:
    """Stopping by outcome is for choosing a rate alone."""
    found = tune(HORIZON, METRIC, RATES, GIVE_UP, run_of, lambda run: None)

    assert isinstance(found, Pending)
    configs: list[Config] = [run.config for run in found.runs]
    assert all(config.training.give_up is not None for config in configs)
    assert HORIZON.training.give_up is None


def test_a_plan_that_gives_nothing_up_lets_every_rate_go_on() -> None:
    """Eight layers are still at chance after their first pass over few images."""
    found = tune(HORIZON, METRIC, RATES, None, run_of, lambda run: None)

    assert isinstance(found, Pending)
    assert {run.config.training.give_up for run in found.runs} == {None}


SLOW = [[0.5, 0.45, 0.4]] * 2
"""Never at 25 %, in however many epochs a rate is given here."""
STEPS: dict[str, dict[float, list[list[float]]]] = {
    # 25 % half way from 0.5, at 0.5, to 0, at 1.5: one epoch. At 0.003 as fast, a tie.
    "inside": {0.01: SLOW, 0.003: [[0.5, 0.0]] * 2, 0.001: SLOW, 0.0052: SLOW, 0.00173: SLOW},
    "at the largest": {0.01: [[0.5, 0.0]] * 2, 0.003: SLOW, 0.001: SLOW},
}


def rates_in_order(asked: Sequence[Run]) -> list[float]:
    """Return the rates that runs were asked for with, each once."""
    return list(dict.fromkeys(run.config.training.optimizer.rate for run in asked))


def test_both_neighbours_of_the_best_rate_are_tried_once() -> None:
    """0.003 times and by the root of 3 is 0.00520 and 0.00173; neither is better."""
    choice, asked = tune_until_chosen(STEPS["inside"], refine=True)

    assert rates_in_order(asked) == [0.01, 0.003, 0.001, 0.0052, 0.00173]
    assert (choice.rate, choice.edge) == (0.003, False)
    assert choice.step is not None
    assert round(choice.step, 2) == 1.73


def test_a_neighbour_that_is_better_is_chosen_and_not_refined_again() -> None:
    """At 0.0052 the curve crosses at 0.9, before that of 0.003 at 1.0."""
    faster = {0.0052: [[0.475, 0.0]] * 2}  # 0.225 of 0.475 down: 0.5 + 0.474 epochs
    choice, asked = tune_until_chosen(STEPS["inside"] | faster, refine=True)

    assert choice.rate == 0.0052
    assert len(rates_in_order(asked)) == 5
    assert not choice.edge


def test_a_best_rate_at_the_edge_is_followed_beyond_it_and_then_closer() -> None:
    """0.03 lies beyond 0.01 and is worse, so that the best is inside; then come its neighbours."""
    beyond = {0.03: SLOW, 0.0173: SLOW, 0.00577: SLOW}
    choice, asked = tune_until_chosen(STEPS["at the largest"] | beyond, refine=True)

    assert rates_in_order(asked) == [0.01, 0.003, 0.001, 0.03, 0.0173, 0.00577]
    assert (choice.rate, choice.edge) == (0.01, False)


def test_what_is_best_beyond_the_edge_and_beyond_that_stays_at_the_edge() -> None:
    """Each larger rate is faster: 0.03 than 0.01, and its neighbour 0.052 than 0.03."""
    beyond = {0.03: [[0.475, 0.0]] * 2, 0.052: [[0.45, 0.0]] * 2, 0.0173: SLOW}
    choice, asked = tune_until_chosen(STEPS["at the largest"] | beyond, refine=True)

    assert rates_in_order(asked) == [0.01, 0.003, 0.001, 0.03, 0.052, 0.0173]
    assert (choice.rate, choice.edge) == (0.052, True)


def test_the_smallest_rate_is_followed_to_smaller_ones() -> None:
    """A third of 0.001 is 0.000333."""
    outcomes = {0.01: SLOW, 0.003: SLOW, 0.001: [[0.5, 0.0]] * 2}
    smaller = {0.000333: SLOW, 0.00173: SLOW, 0.000577: SLOW}
    choice, asked = tune_until_chosen(outcomes | smaller, refine=True)

    assert rates_in_order(asked)[3:] == [0.000333, 0.00173, 0.000577]
    assert (choice.rate, choice.edge) == (0.001, False)


def test_where_no_rate_got_there_nothing_is_refined() -> None:
    """There is no best rate to look around."""
    choice, asked = tune_until_chosen(dict.fromkeys(RATES, SLOW), refine=True)

    assert rates_in_order(asked) == [0.01, 0.003, 0.001]
    assert choice.none_reached


def test_a_grid_that_is_finer_than_a_neighbour_is_left_alone_on_that_side() -> None:
    """0.0052 is in the grid, half a step above 0.003; below it nothing is as close."""
    grid = (0.001, 0.003, 0.0052)
    outcomes = [
        Trial(rate=rate, epochs=9, outcomes=(mean,) * 2, reached=True, runs=("a", "b"))
        for rate, mean in zip(grid, (3.0, 1.0, 2.0), strict=True)
    ]

    assert closer_rates(choose(outcomes)) == [0.00173]


def test_what_is_left_counts_down_to_nothing() -> None:
    """Two rates and two neighbours: four to try, then the last of them."""
    records: dict[str, Record] = {}
    left = []
    while True:
        found = tune(
            HORIZON, METRIC, RATES[:2], GIVE_UP, run_of, lambda run: records.get(run.id), True
        )
        if isinstance(found, Choice):
            break
        left.append((found.rates, found.tried))
        run = found.runs[0]
        best = run.config.training.optimizer.rate == 0.003
        records[run.id] = record_of(run, [0.5, 0.0] if best else [0.5, 0.4])

    # The best is at the edge, which adds a rate beyond it.
    assert left == [(4, 0), (4, 0.5), (4, 1), (4, 1.5), (5, 2), (5, 2.5), (5, 3), (5, 3.5), (5, 4),
                    (5, 4.5)]  # fmt: skip
