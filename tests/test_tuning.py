"""The choice of a rate as a function of records alone."""

from collections.abc import Mapping

from conftest import record_of, run_of

from ablations.record import Record
from ablations.run import TUNING_SEEDS, Run
from ablations.study import FinalError, TimeTo
from ablations.tuning import Choice, Pending, Trial, choose, tune
from alexnet.config import Config, GiveUp
from alexnet.presets import tiny

RATES = (0.001, 0.003, 0.01)
METRIC = TimeTo(training_error=0.25)
GIVE_UP = GiveUp(epoch=1, within=0.05)
HORIZON = tiny().but(training={"epochs": 9})


def tune_until_chosen(outcomes: Mapping[float, list[list[float]]]) -> tuple[Choice, list[Run]]:
    """Answer every run that tuning asks for with the running errors of its rate and seed.

    As training would, a run ends when it gives up, crosses the threshold or has had its epochs.
    """
    records: dict[str, Record] = {}
    asked: list[Run] = []
    while True:
        found = tune(HORIZON, METRIC, RATES, GIVE_UP, run_of, lambda run: records.get(run.id))
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
