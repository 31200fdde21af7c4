"""What is read from one run: losses, towers, neighbours, and what diverged runs count as."""

import itertools
import math
from collections.abc import Sequence

import numpy as np
import pytest
from conftest import measures_of, record_of, run_of
from hypothesis import given
from hypothesis import strategies as st

from ablations.metrics import Outcome, observe, tower_difference, unmeasurable
from ablations.record import Record
from ablations.study import (
    EnsembleError,
    FinalError,
    Gap,
    Metric,
    SameClass,
    TimeTo,
    TimeToLoss,
    TowerDifference,
)
from alexnet.config import Config
from alexnet.measures import Measures, Neighbours
from alexnet.presets import tiny
from alexnet.progress import Epoch, running_curve, running_loss

SEEN = measures_of(train=0.02, valid=0.21, test=0.25)


def with_losses(
    losses: Sequence[Sequence[float]], images: Sequence[int] = (100,) * 10
) -> tuple[Epoch, ...]:
    """Return epochs with these losses by tenths, each tenth of so many images."""
    return tuple(
        Epoch(
            number=number,
            errors=(0,) * 10,
            images=tuple(images),
            loss=float(np.average(tenths, weights=images)),
            losses=tuple(tenths),
            seconds=1.0,
        )
        for number, tenths in enumerate(losses, start=1)
    )


def falling(*losses: float) -> tuple[Epoch, ...]:
    """Return epochs of one loss each."""
    return with_losses([[loss] * 10 for loss in losses])


def with_curve(curve: tuple[Epoch, ...], epochs: int = 5, diverged: bool = False) -> Record:
    """Return the record of a run with this curve and so many epochs at most."""
    run = run_of(tiny().but(training={"epochs": epochs}))
    record = record_of(run, [], status="diverged" if diverged else "finished", measures=SEEN)
    return record.model_copy(update={"curve": curve})


# ---- running loss


def test_the_running_loss_of_the_first_pass_is_its_mean() -> None:
    """2.0 over the first epoch, at its middle; 1.0 over the second; in between a line."""
    curve = running_loss(falling(2.0, 1.0))

    assert curve is not None
    assert curve.epochs == pytest.approx([0.5 + tenth / 10 for tenth in range(11)])
    assert curve.errors == pytest.approx([2.0 - tenth / 10 for tenth in range(11)])


def test_the_running_loss_is_weighted_by_images() -> None:
    """One tenth of 11 images at 3.0, nine of one image at 1.0: (33 + 9) / 20 = 2.1."""
    curve = running_loss(with_losses([[3.0] + [1.0] * 9], images=[11] + [1] * 9))

    assert curve is not None
    assert curve.errors == pytest.approx([2.1])
    assert curve.epochs == pytest.approx([0.5])


def test_a_window_never_holds_more_than_one_epochs_images() -> None:
    """At 0.6 the first tenth of each epoch has been swapped: (9 x 2.0 + 1 x 1.0) / 10 = 1.9.

    Losses in a different order within each epoch: 10 tenths 1 to 10, then 11 to 20. The second
    point is the mean of 2 to 11, 6.5.
    """
    curve = running_loss(with_losses([list(range(1, 11)), list(range(11, 21))]))

    assert curve is not None
    assert curve.errors == pytest.approx([5.5 + tenth for tenth in range(11)])


@given(
    st.lists(st.lists(st.floats(0.01, 10), min_size=10, max_size=10), min_size=1, max_size=4),
    st.lists(st.integers(1, 50), min_size=10, max_size=10),
)
def test_every_point_is_the_mean_of_some_losses_that_were_seen(
    losses: list[list[float]], images: list[int]
) -> None:
    """By NumPy, over each window of ten tenths; and as many points as windows."""
    curve = running_loss(with_losses(losses, images))
    flat = [loss for tenths in losses for loss in tenths]
    weights = images * len(losses)

    assert curve is not None
    expected = [
        np.average(flat[start : start + 10], weights=weights[start : start + 10])
        for start in range(len(flat) - 9)
    ]
    assert curve.errors == pytest.approx(expected)
    assert curve.epochs[[0, -1]] == pytest.approx([0.5, len(losses) - 0.5])


def test_a_loss_that_was_not_counted_by_tenths_has_no_curve() -> None:
    """Records of old; one epoch without is enough."""
    old = falling(2.0)[0].model_copy(update={"losses": (), "number": 2})

    assert running_loss((*falling(2.0), old)) is None
    nothing = running_loss(())
    assert nothing is not None
    assert len(nothing.epochs) == 0


def test_the_running_error_is_what_it_was() -> None:
    """Both curves are over the same windows; errors of 1 and 0 where losses are."""
    epochs = [
        epoch.model_copy(update={"errors": (error,) * 10})
        for epoch, error in zip(falling(1.0, 0.0), (100, 0), strict=True)
    ]
    errors, losses = running_curve(epochs), running_loss(epochs)

    assert losses is not None
    assert errors.errors == pytest.approx(losses.errors)
    assert errors.epochs == pytest.approx(losses.epochs)


# ---- time to a loss


@pytest.mark.parametrize(
    ("end", "epochs"),
    [
        (2.0, 0.5),  # there from the first window on
        (3.0, 0.5),
        (1.25, 1.25),  # 2 - (t - 0.5) = 1.25
        (1.05, 1.45),  # between two points
        (1.0, 1.5),
        (0.75, 2.0),  # from 1.0 at 1.5 to 0.5 at 2.5
        (0.5, 2.5),
    ],
)
def test_time_to_a_loss_on_a_worked_curve(end: float, epochs: float) -> None:
    """2.0, 1.0 and 0.5 nats in three epochs, straight lines between their middles."""
    record, reference = with_curve(falling(2.0, 1.0, 0.5)), with_curve(falling(4.0, end))

    found = observe(record, TimeToLoss(arm="other"), reference)

    assert found == Outcome(pytest.approx(epochs))


def test_a_loss_never_reached_is_bounded_by_the_horizon() -> None:
    """Five epochs were planned."""
    record, reference = with_curve(falling(2.0, 1.0, 0.5)), with_curve(falling(0.4))

    assert observe(record, TimeToLoss(arm="other"), reference) == Outcome(5.0, bound=True)


def test_where_it_ended_is_the_last_epoch_not_the_best() -> None:
    """The reference went down to 0.1 and up again to 1.5: half an epoch after the first window."""
    record, reference = with_curve(falling(2.0, 1.0)), with_curve(falling(3.0, 0.1, 1.5))

    found = observe(record, TimeToLoss(arm="other"), reference)

    assert found == Outcome(pytest.approx(1.0))


def test_time_to_a_loss_needs_both_runs() -> None:
    """Without the other, or without losses by tenths, nothing was measured."""
    metric, record = TimeToLoss(arm="other"), with_curve(falling(2.0, 1.0))
    old = with_curve(tuple(e.model_copy(update={"losses": ()}) for e in falling(2.0, 1.0)))

    assert observe(record, metric) is None
    assert observe(record, metric, None) is None
    assert observe(old, metric, record) is None
    assert observe(record, metric, old) is None


def test_the_loss_of_a_run_that_diverged_is_that_of_chance() -> None:
    """Ten classes: ln 10 = 2.303, which a fall from 3 to 1 passes on its way."""
    record, reference = with_curve(falling(3.0, 1.0)), with_curve(falling(0.5), diverged=True)

    found = observe(record, TimeToLoss(arm="other"), reference)

    assert found == Outcome(pytest.approx(0.5 + (3.0 - math.log(10)) / (3.0 - 1.0)))


def test_other_metrics_do_not_look_at_another_run() -> None:
    """A reference changes nothing for them."""
    record, other = with_curve(falling(2.0)), with_curve(falling(1.0))

    for metric in (FinalError(), Gap(), TimeTo(training_error=0.5)):
        assert observe(record, metric, other) == observe(record, metric)


@pytest.mark.parametrize(
    "loss",
    [
        0.1234564,
        0.1234566,  # rounded up
        0.123457,  # summed up, and subtracted
    ],
)
def test_a_run_reaches_the_loss_that_it_ended_with_itself(loss: float) -> None:
    """At its last window, as `dropout` counts both arms to where one of them ended.

    Training writes losses by tenths with six digits: 0.1234566 becomes 0.123457, which is above.
    """
    curve = tuple(
        epoch.model_copy(update={"losses": tuple(round(loss, 6) for loss in epoch.losses)})
        for epoch in falling(1.0, 0.5, loss)
    )
    record = with_curve(curve, epochs=3)

    found = observe(record, TimeToLoss(arm="itself"), record)

    assert found == Outcome(pytest.approx(2.5))


# ---- diverged runs


@pytest.mark.parametrize(
    ("metric", "outcome"),
    [
        (TimeToLoss(arm="other"), Outcome(5.0, bound=True)),
        (SameClass(), Outcome(0.1, bound=True)),
        (SameClass(by="pixels"), Outcome(0.1, bound=True)),
        (TowerDifference(), Outcome(0.0, bound=True)),
        (TowerDifference(kernels="shuffled"), Outcome(0.0, bound=True)),
        (FinalError(part="train"), Outcome(0.9, bound=True)),
        (FinalError(views="ten", top=5), Outcome(0.5, bound=True)),
    ],
)
def test_what_a_diverged_run_counts_as(metric: Metric, outcome: Outcome | None) -> None:
    """Its horizon, chance, or no difference: of ten classes, a tenth is right by chance."""
    record = with_curve(falling(2.0, 0.1), diverged=True)

    assert observe(record, metric, with_curve(falling(1.0))) == outcome


# ---- nearest images


def neighbours(hidden: float, pixels: float) -> Measures:
    """Return measures with these shares of nearest images of the same class."""
    near = Neighbours(nearest=6, queries=100, among=1000, hidden=hidden, pixels=pixels)
    return SEEN.but(neighbours=near.model_dump())


def test_same_class_is_read_by_layer_or_by_pixels(config: Config) -> None:
    """Each from its own place."""
    record = record_of(run_of(config), [0.5], measures=neighbours(hidden=0.7, pixels=0.3))

    assert observe(record, SameClass()) == Outcome(0.7)
    assert observe(record, SameClass(by="pixels")) == Outcome(0.3)


@pytest.mark.parametrize("metric", [SameClass(), TowerDifference()])
def test_what_grey_images_do_not_have_is_missing(config: Config, metric: Metric) -> None:
    """Neither neighbours nor colour selectivity."""
    assert observe(record_of(run_of(config), [0.5], measures=SEEN), metric) is None
    empty = SEEN.but(colour_selectivity=())
    assert observe(record_of(run_of(config), [0.5], measures=empty), TowerDifference()) is None


# ---- towers


def test_the_towers_are_the_first_and_the_second_half_of_the_kernels() -> None:
    """Means 0.2 and 0.7 of four kernels: 0.5 apart, whichever comes first."""
    first, second = [0.1, 0.3], [0.6, 0.8]

    assert tower_difference([*first, *second], shuffled=False) == pytest.approx(0.5)
    assert tower_difference([*second, *first], shuffled=False) == pytest.approx(0.5)
    assert tower_difference([0.1, 0.6, 0.3, 0.8], shuffled=False) == pytest.approx(0.2)


def every_deal(values: Sequence[float]) -> np.ndarray:
    """Return the difference of the towers' means in every way to deal kernels to two halves."""
    half = len(values) // 2
    deals = itertools.combinations(range(len(values)), half)
    total = sum(values)
    return np.array([abs(2 * sum(values[i] for i in deal) - total) / half for deal in deals])


@pytest.mark.parametrize(
    ("values", "mean", "variance"),
    [
        # Of six deals of two and two, two part the ones from the zeros.
        ((0.0, 0.0, 1.0, 1.0), 1 / 3, 1 / 3 - 1 / 9),
        # 0, 1 | 3, 6: 4; 0, 3 | 1, 6: 2; 0, 6 | 1, 3: 1; each twice.
        ((0.0, 1.0, 3.0, 6.0), 7 / 3, 21 / 3 - 49 / 9),
        # One kernel a tower: always as far apart as they are.
        ((0.2, 0.9), 0.7, 0.0),
    ],
)
def test_kernels_dealt_by_chance_average_over_every_deal(
    values: tuple[float, ...], mean: float, variance: float
) -> None:
    """Within three standard errors of a thousand deals."""
    exact = every_deal(values)
    assert (exact.mean(), exact.var()) == pytest.approx((mean, variance))

    found = tower_difference(values, shuffled=True)

    assert found == pytest.approx(mean, abs=3 * (variance / 1000) ** 0.5 + 1e-12)
    assert found == tower_difference(values, shuffled=True)


def test_dealing_does_not_hang_on_the_order_of_the_kernels() -> None:
    """Specialised towers, 0.4 apart, look like any others once dealt, within six errors."""
    values = np.linspace(0, 0.8, 12).tolist()
    mixed = values[::2] + values[1::2]
    exact = every_deal(values)

    for order in (values, mixed):
        found = tower_difference(order, shuffled=True)
        assert found == pytest.approx(exact.mean(), abs=3 * (exact.var() / 1000) ** 0.5)
    assert tower_difference(values, shuffled=False) > 2 * exact.mean()


def test_a_records_towers_are_compared_as_trained_or_dealt(config: Config) -> None:
    """From the selectivity of conv1's kernels."""
    seen = SEEN.but(colour_selectivity=(0.0, 0.0, 1.0, 1.0))
    record = record_of(run_of(config), [0.5], measures=seen)

    assert observe(record, TowerDifference()) == Outcome(1.0)
    dealt = observe(record, TowerDifference(kernels="shuffled"))
    assert dealt is not None
    assert dealt.value == pytest.approx(1 / 3, abs=3 * (2 / 9 / 1000) ** 0.5)


def test_an_ensemble_is_not_of_one_run(config: Config) -> None:
    """Who asks one record for it has made a mistake."""
    record = record_of(run_of(config), [0.5], measures=SEEN)

    with pytest.raises(TypeError, match="several runs"):
        observe(record, EnsembleError(networks=5, group=5))


def test_new_metrics_are_measured_of_any_config_but_one_that_ends_early(config: Config) -> None:
    """Runs that end at a training error end at another epoch each."""
    early = config.but(training={"until": {"training_error": 0.25}})
    metrics = (TimeToLoss(arm="a"), SameClass(), TowerDifference(),
               EnsembleError(networks=1, group=1))  # fmt: skip

    for metric in metrics:
        assert unmeasurable(metric, config) is None
        assert metric.kind in (unmeasurable(metric, early) or "")
