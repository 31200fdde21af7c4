"""What a record says of each metric."""

import math

import pytest

from ablations.metrics import Outcome, observe
from ablations.study import EarlyLoss, FinalError, Gap, TimeTo
from ablations.tuning import held_out
from alexnet.learning_curve import early_loss, running_curve, time_to
from tests.builders.curves import SEEN
from tests.builders.records import epochs_of, record_of, run_of
from tests.builders.training import train


@pytest.mark.parametrize(
    ("metric", "value"),
    [
        (FinalError(), 0.25),
        (FinalError(part="train"), 0.02),
        (FinalError(part="valid"), 0.21),
        (FinalError(views="ten"), 0.24),
        (FinalError(top=5), 0.05),
        (FinalError(part="valid", views="ten", top=5), 0.04),
        (Gap(), 0.23),
    ],
)
def test_errors_are_read_from_what_was_measured(config, metric, value: float) -> None:
    """By part, views and top; the gap is test minus clean training error."""
    record = record_of(run_of(config), [0.5, 0.3], measures=SEEN)

    assert observe(record, metric) == Outcome(pytest.approx(value))


def test_early_loss_is_the_mean_over_the_first_updates(config) -> None:
    """Ten epochs: a twentieth of them are five tenths of the first, losses 1.0, 0.9 ... 0.1."""
    run = run_of(config.but(training={"epochs": 10}))
    record = record_of(run, [0.5] * 10)

    assert observe(record, EarlyLoss(share=0.05)) == Outcome(pytest.approx(0.8))
    assert observe(record, EarlyLoss(share=0.1)) == Outcome(pytest.approx(0.55))
    assert observe(record, EarlyLoss(share=0.2)) == Outcome(pytest.approx(0.55))


def test_what_was_not_measured_is_missing_not_zero(config) -> None:
    """Records of old have no ten views and no loss by tenths."""
    old = record_of(run_of(config), [0.5], measures=SEEN.but(test_ten=None))
    epochs = tuple(epoch.model_copy(update={"losses": ()}) for epoch in old.curve)

    assert observe(old, FinalError(views="ten")) is None
    assert observe(old.model_copy(update={"curve": epochs}), EarlyLoss(share=0.5)) is None


@pytest.mark.parametrize(
    ("metric", "value"),
    [
        (TimeTo(training_error=0.4), 2.0),  # its horizon
        (FinalError(), 0.9),
        (FinalError(top=5), 0.5),
        (Gap(), 0.0),
        (EarlyLoss(), math.log(10)),
    ],
)
def test_a_diverged_run_scores_chance_and_is_flagged(config, metric, value: float) -> None:
    """Ten classes; even if its curve once looked good."""
    record = record_of(run_of(config), [0.3], status="diverged")

    assert observe(record, metric) == Outcome(pytest.approx(value), bound=True)


@pytest.mark.parametrize(
    ("metric", "by"),
    [
        (FinalError(), FinalError(part="valid")),
        (FinalError(views="ten", top=5), FinalError(part="valid", views="ten", top=5)),
        (FinalError(part="train"), FinalError(part="train")),
        (Gap(), FinalError(part="valid")),
        (EarlyLoss(), EarlyLoss()),
        (TimeTo(training_error=0.2), TimeTo(training_error=0.2)),
    ],
)
def test_rates_are_chosen_by_the_studys_own_metric_unless_it_needs_test(metric, by) -> None:
    """Then by the images held out."""
    assert held_out(metric) == by


def test_losses_by_tenths_average_to_the_epochs_loss(config, images) -> None:
    """Weighted by images: training with 200 images in batches of 32, the last one short."""
    _, epochs = train(config, images)

    assert early_loss(epochs, 10) == pytest.approx(epochs[0].loss, abs=1e-5)
    assert early_loss(epochs, 20) == pytest.approx((epochs[0].loss + epochs[1].loss) / 2, abs=1e-5)
    assert early_loss(epochs, 21) is None


def test_a_curve_without_epochs_reaches_nothing() -> None:
    """A run that diverged at once."""
    assert time_to(0.5, running_curve(epochs_of([]))) is None
