"""What is read from one run: losses, towers, neighbours, and what diverged runs count as."""

import itertools
from collections.abc import Sequence

import numpy as np
import pytest

from ablations.metrics import Outcome, observe, tower_difference, tower_rank, unmeasurable
from ablations.record import Record
from ablations.study import (
    EnsembleError,
    FinalError,
    Gap,
    Metric,
    SameClass,
    TimeTo,
    TimeToValid,
    TowerDifference,
    TowerRank,
)
from alexnet.config import Config
from alexnet.learning_curve import Epoch
from alexnet.measures import Measures, Neighbours
from alexnet.presets import tiny
from tests.builders.curves import SEEN, falling
from tests.builders.records import record_of, run_of


def with_curve(curve: tuple[Epoch, ...], epochs: int = 5, diverged: bool = False) -> Record:
    """Return the record of a run with this curve and so many epochs at most."""
    run = run_of(tiny().but(training={"epochs": epochs}))
    record = record_of(run, [], status="diverged" if diverged else "finished", measures=SEEN)
    return record.model_copy(update={"curve": curve})


# ---- time to a held-out error


BOTH = TimeToValid(arms=("one", "other"))


def validated(*errors: float, diverged: bool = False) -> Record:
    """Return the record of a run with these held-out errors after its epochs, of five planned."""
    epochs = zip(falling(*[2.0] * len(errors)), errors, strict=True)
    curve = [epoch.model_copy(update={"valid_error": error}) for epoch, error in epochs]
    return with_curve(tuple(curve), diverged=diverged)


@pytest.mark.parametrize(
    ("end", "epochs"),
    [
        (0.8, 1.0),  # there after the first epoch
        (0.9, 1.0),
        (0.6, 1.5),  # half way from 0.8 to 0.4
        (0.4, 2.0),
        (0.3, 2.5),
        (0.2, 3.0),
    ],
)
def test_time_to_a_held_out_error_on_a_worked_curve(end: float, epochs: float) -> None:
    """80, 40 and 20 % after three epochs, straight lines between them; the other ends higher."""
    record, other = validated(0.8, 0.4, 0.2), validated(0.9, end)

    assert observe(record, BOTH, [record, other]) == Outcome(pytest.approx(epochs))


def test_both_runs_get_to_what_both_end_with() -> None:
    """One ends at 20 %, the other at 30: both are timed to 30."""
    one, other = validated(0.4, 0.2), validated(0.9, 0.5, 0.3)

    assert observe(one, BOTH, [one, other]) == Outcome(pytest.approx(1.5))
    assert observe(other, BOTH, [one, other]) == Outcome(pytest.approx(3.0))


def test_where_they_ended_is_the_last_epoch_not_the_best() -> None:
    """The other went down to 10 % and up again to 60: half way from 80 to 40 %."""
    record, other = validated(0.8, 0.4), validated(0.9, 0.1, 0.6)

    assert observe(record, BOTH, [record, other]) == Outcome(pytest.approx(1.5))


def test_time_to_a_held_out_error_needs_both_runs_and_every_epoch() -> None:
    """Without the other, or where the error was not measured, nothing is known."""
    record, old = validated(0.8, 0.4), with_curve(falling(2.0, 1.0))

    assert observe(record, BOTH) is None
    assert observe(record, BOTH, []) is None
    assert observe(old, BOTH, [record]) is None
    assert observe(record, BOTH, [record, old]) is None


def test_the_held_out_error_of_a_run_that_diverged_is_that_of_chance() -> None:
    """90 % of ten classes, which a run is below after its first epoch."""
    record, other = validated(0.8, 0.4), validated(0.9, diverged=True)

    assert observe(record, BOTH, [record, other]) == Outcome(1.0)
    assert observe(other, BOTH, [record, other]) == Outcome(5.0, bound=True)


def test_other_metrics_do_not_look_at_another_run() -> None:
    """A reference changes nothing for them."""
    record, other = with_curve(falling(2.0)), with_curve(falling(1.0))

    for metric in (FinalError(), Gap(), TimeTo(training_error=0.5)):
        assert observe(record, metric, [other]) == observe(record, metric)


# ---- diverged runs


@pytest.mark.parametrize(
    ("metric", "outcome"),
    [
        (BOTH, Outcome(5.0, bound=True)),
        (SameClass(), Outcome(0.1, bound=True)),
        (SameClass(by="pixels"), Outcome(0.1, bound=True)),
        (TowerDifference(), Outcome(0.0, bound=True)),
        (TowerDifference(kernels="shuffled"), Outcome(0.0, bound=True)),
        (SameClass(by="untrained"), Outcome(0.1, bound=True)),
        (TowerRank(), Outcome(0.5, bound=True)),
        (FinalError(part="train"), Outcome(0.9, bound=True)),
        (FinalError(views="ten", top=5), Outcome(0.5, bound=True)),
    ],
)
def test_what_a_diverged_run_counts_as(metric: Metric, outcome: Outcome | None) -> None:
    """Its horizon, chance, or no difference: of ten classes, a tenth is right by chance."""
    record = with_curve(falling(2.0, 0.1), diverged=True)

    assert observe(record, metric, [with_curve(falling(1.0))]) == outcome


# ---- nearest images


def neighbours(hidden: float, pixels: float, untrained: float | None = None) -> Measures:
    """Return measures with these shares of nearest images of the same class."""
    near = Neighbours(
        nearest=6, queries=100, among=1000, hidden=hidden, pixels=pixels, untrained=untrained
    )
    return SEEN.but(neighbours=near.model_dump())


def test_same_class_is_read_by_layer_or_by_pixels(config: Config) -> None:
    """Each from its own place."""
    record = record_of(run_of(config), [0.5], measures=neighbours(hidden=0.7, pixels=0.3))

    assert observe(record, SameClass()) == Outcome(0.7)
    assert observe(record, SameClass(by="pixels")) == Outcome(0.3)
    assert observe(record, SameClass(by="untrained")) is None  # records of old
    new = record_of(run_of(config), [0.5], measures=neighbours(0.7, 0.3, untrained=0.4))
    assert observe(new, SameClass(by="untrained")) == Outcome(0.4)


@pytest.mark.parametrize("metric", [SameClass(), TowerDifference(), TowerRank()])
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


@pytest.mark.parametrize(
    "values",
    [
        (0.0, 0.0, 1.0, 1.0),  # of six deals two are as far apart, and four not at all
        (0.0, 1.0, 0.0, 1.0),
        (0.0, 1.0, 3.0, 6.0),
        (0.5, 0.5, 0.5, 0.5),  # every deal alike
    ],
)
def test_the_rank_of_towers_is_their_place_among_all_deals(values: tuple[float, ...]) -> None:
    """Ties by half, within three standard errors of a thousand deals."""
    half = len(values) // 2
    apart = abs(sum(values[:half]) - sum(values[half:])) / half
    every = every_deal(values)
    exact = np.mean(every < apart - 1e-9) + np.mean(np.isclose(every, apart)) / 2

    assert tower_rank(values) == pytest.approx(exact, abs=3 * 0.5 / 1000**0.5)


def test_towers_that_specialise_rank_highest_and_dealt_ones_a_half_on_average() -> None:
    """48 kernels a tower, one grey and one coloured; then the same dealt by chance, 200 times."""
    specialised = [0.1] * 48 + [0.9] * 48
    chance = np.random.default_rng(0)
    ranks = [tower_rank(chance.permutation(np.linspace(0, 1, 24))) for _ in range(200)]

    assert tower_rank(specialised) > 0.999
    # A rank is uniform, of deviation 0.29.
    assert np.mean(ranks) == pytest.approx(0.5, abs=3 * 0.29 / 200**0.5)


def test_an_ensemble_is_not_of_one_run(config: Config) -> None:
    """Who asks one record for it has made a mistake."""
    record = record_of(run_of(config), [0.5], measures=SEEN)

    with pytest.raises(TypeError, match="several runs"):
        observe(record, EnsembleError(networks=5, group=5))


def test_new_metrics_are_measured_of_any_config_but_one_that_ends_early(config: Config) -> None:
    """Runs that end at a training error end at another epoch each."""
    early = config.but(training={"until": {"training_error": 0.25}})
    metrics = (BOTH, SameClass(), TowerDifference(), TowerRank(),
               EnsembleError(networks=1, group=1))  # fmt: skip

    assert "validate_each_epoch=True" in (unmeasurable(BOTH, config) or "")
    config = config.but(training={"validate_each_epoch": True})
    early = early.but(training={"validate_each_epoch": True})
    for metric in metrics:
        assert unmeasurable(metric, config) is None
        assert metric.kind in (unmeasurable(metric, early) or "")
