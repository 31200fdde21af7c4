"""Metrics of losses, towers, neighbours and ensembles, and what a comparison makes of them."""

import itertools
import math
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from conftest import PROVENANCE, epochs_of, measures_of, record_of, run_of
from hypothesis import given
from hypothesis import strategies as st
from test_comparison import HELPS, with_measures
from test_plan import MANIFEST, chosen

from ablations.contrast import THE_PAPER
from ablations.metrics import Outcome, observe, tower_difference, unmeasurable
from ablations.plan import Plan
from ablations.record import Record
from ablations.registration import about, define
from ablations.store import Store
from ablations.study import (
    Base,
    Contrast,
    EnsembleError,
    FinalError,
    Gap,
    Metric,
    SameClass,
    Study,
    TimeTo,
    TimeToLoss,
    TowerDifference,
)
from alexnet.config import Config
from alexnet.measures import Measures, Neighbours
from alexnet.presets import tiny
from alexnet.progress import Epoch, running_curve, running_loss, time_to
from reports.comparison import compare
from reports.effect import Effect
from reports.tables import arms_table, contrasts_table
from reports.words import headline

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


# ---- what a comparison makes of them


ARMS = {
    "with": {},
    "without": {"network": {"parts": {"norm": None}}},
    "dry": {"network": {"parts": {"dropout": None}}},
    "both": {"network": {"parts": {"norm": None, "dropout": None}}},
}
BY_VIEWS = Contrast(
    arm="with", against="with", direction="lower", margin=0.005, margin_reason="too small",
    metric=FinalError(views="ten"), against_metric=FinalError(),
)  # fmt: skip
INTERACTION = Contrast(
    arm="both", against="dry", minus=("without", "with"), direction="equal", margin=0.005,
    margin_reason="too small",
)  # fmt: skip


def plan_of(*contrasts: Contrast, seeds: int = 6, **base: object) -> Plan:
    """Return a plan with rates chosen of four networks, with and without two ideas."""
    fields = {"config": tiny(), "metric": FinalError(), "rates": (0.001, 0.003)} | base
    study = Study(
        name="ideas",
        question="Do they help?",
        arms=ARMS,
        contrasts=contrasts,
        bases={"fashion_mini": Base.model_validate(fields)},
        seeds=seeds,
    )
    definition = define(study, "fashion_mini", MANIFEST, seeds, "float32", smoke=False)
    words = about(study, "fashion_mini")
    return chosen(Plan(definition=definition, about=words, registered=PROVENANCE))


def by_test(*errors: float) -> list[Measures]:
    """Return measures with these test errors by one view."""
    return [measures_of(0.1, 0.2, error) for error in errors]


def filled(plan: Plan, results: Path, arms: dict[str, list[Measures]]) -> Store:
    """Return a store with a record of every arm; the same measures where none are given."""
    seeds = len(plan.definition.seeds)
    return with_measures(
        plan, results, {arm: arms.get(arm, by_test(*[0.3] * seeds)) for arm in plan.definition.arms}
    )


def test_two_metrics_of_one_arm_are_compared_on_the_same_runs(results: Path) -> None:
    """Ten views less one, by seed: -1, -2, -3, -2, -1 and -3 points, -2 on average.

    Differences deviate by sqrt((1 + 0 + 1 + 0 + 1 + 1) / 5) = sqrt(0.8) points; the interval is
    2.571 sqrt(0.8 / 6) to each side. All six go down: p = 2 / 2^6.
    """
    plan = plan_of(BY_VIEWS)
    gains = [0.01, 0.02, 0.03, 0.02, 0.01, 0.03]
    seen = [
        measures.but(test_ten={"images": 100, "loss": 1.0, "top5_error": 0.1,
                               "top1_error": 0.25 + seed / 100 - gain})
        for seed, (measures, gain) in enumerate(
            zip(by_test(*(0.25 + seed / 100 for seed in range(6))), gains, strict=True)
        )
    ]  # fmt: skip
    store = filled(plan, results, {"with": seen})

    effect = compare(plan, store).effects[0]
    half = 2.5705818 * (0.8 / 6) ** 0.5 / 100

    assert effect.by_seed == pytest.approx([-gain for gain in gains])
    assert effect.estimate == pytest.approx(-0.02)
    assert (effect.low, effect.high) == pytest.approx((-0.02 - half, -0.02 + half))
    assert effect.p == pytest.approx(2 / 2**6)
    assert (effect.mean, effect.mean_against) == pytest.approx((0.255, 0.275))
    assert effect.verdict == "same way"
    assert effect.pairs == effect.planned == 6


def test_a_run_without_one_of_two_metrics_is_no_pair(results: Path) -> None:
    """On whichever side it lacks."""
    plan = plan_of(BY_VIEWS)
    seen = by_test(*[0.3] * 6)
    seen[2] = seen[2].but(test_ten=None)

    effect = compare(plan, filled(plan, results, {"with": seen})).effects[0]

    assert (effect.pairs, effect.verdict) == (5, "incomplete")


def test_a_difference_of_differences_by_hand(results: Path) -> None:
    """(both - dry) - (without - with), seed by seed.

    (30 - 20) - (25 - 22) = 7; (31 - 22) - (26 - 20) = 3; (33 - 21) - (24 - 23) = 11; and again
    the same three: 7 on average.
    """
    plan = plan_of(INTERACTION)
    arms = {
        "both": by_test(*[0.30, 0.31, 0.33] * 2),
        "dry": by_test(*[0.20, 0.22, 0.21] * 2),
        "without": by_test(*[0.25, 0.26, 0.24] * 2),
        "with": by_test(*[0.22, 0.20, 0.23] * 2),
    }

    effect = compare(plan, filled(plan, results, arms)).effects[0]

    assert effect.by_seed == pytest.approx([0.07, 0.03, 0.11] * 2)
    assert effect.estimate == pytest.approx(0.07)
    assert effect.p == pytest.approx(2 / 2**6)
    assert effect.verdict == "other way"  # it was to be nothing
    assert "both against dry, minus without against with" in effect.contrast.between


def test_a_difference_of_differences_needs_all_four_runs_of_a_seed(results: Path) -> None:
    """Seed 4 has three arms: five pairs."""
    plan, store = plan_of(INTERACTION), Store(results)
    for arm, seeds in {"both": 6, "dry": 6, "without": 6, "with": 4}.items():
        for seed in range(seeds):
            run = plan.run(arm, seed)
            store.add(record_of(run, [0.5, 0.2], measures=measures_of(0.1, 0.2, 0.3)))
    store.add(record_of(plan.run("with", 5), [0.5], measures=measures_of(0.1, 0.2, 0.3)))

    effect = compare(plan, store).effects[0]

    assert (effect.pairs, effect.planned) == (5, 6)
    assert effect.verdict == "incomplete"


def test_an_arm_against_a_printed_number_by_hand(results: Path) -> None:
    """36.5, 37.5 and 38.5 %, twice, less the paper's 37.0: -0.5, 0.5 and 1.5 points, twice.

    0.5 on average. Of the 64 patterns of signs of 1, 1, 1, 1, 3 and 3 half points, 22 have a sum as
    far from nothing as the observed 6: both threes up, and ones that sum to 0 or more (6 + 4 + 1
    patterns of 16), or both down and the ones likewise.
    """
    printed = HELPS.but(against=THE_PAPER, number=0.37, direction="equal")
    plan = plan_of(printed)
    store = filled(plan, results, {"with": by_test(*[0.365, 0.375, 0.385] * 2)})

    effect = compare(plan, store).effects[0]

    assert effect.by_seed == pytest.approx([-0.005, 0.005, 0.015] * 2)
    assert effect.estimate == pytest.approx(0.005)
    assert (effect.mean, effect.mean_against) == pytest.approx((0.375, 0.37))
    assert effect.p == pytest.approx(22 / 64)
    assert (effect.pairs, effect.planned, effect.verdict) == (6, 6, "open")
    assert headline(plan, compare(plan, store))
    assert len(arms_table(plan, compare(plan, store))) == 4


def test_a_gap_against_a_printed_number_is_of_one_arm(results: Path) -> None:
    """Test 30 % less training 10 %, less the paper's 15: 5 points, in every seed."""
    plan = plan_of(HELPS.but(against=THE_PAPER, number=0.15, metric=Gap(), direction="equal"))

    effect = compare(plan, filled(plan, results, {})).effects[0]

    assert effect.estimate == pytest.approx(0.05)
    assert effect.unmet is None


DIFFERING = {
    "with": by_test(*(0.20 + seed / 100 for seed in range(7))),
    "without": by_test(*(0.24 + seed / 60 for seed in range(7))),
    "dry": by_test(*(0.26 - seed / 300 for seed in range(7))),
    "both": by_test(*(0.21 + (seed % 3) / 100 for seed in range(7))),
}


def effects_of(
    results: Path, *contrasts: Contrast, seeds: int = 7, **base: object
) -> tuple[Effect, ...]:
    """Return the effects of contrasts on the same records of seven seeds."""
    plan = plan_of(*contrasts, seeds=seeds, **base)
    return compare(plan, filled(plan, results, DIFFERING)).effects


def test_what_is_not_judged_is_shown_and_costs_the_others_nothing(results: Path) -> None:
    """The same corrected p-values with one contrast beside it as without; 1 x 2 / 2^7."""
    beside = HELPS.but(arm="both", against="dry", judged=False)

    (alone,) = effects_of(results, HELPS)
    judged, shown = effects_of(results, HELPS, beside)
    first, second = effects_of(results, beside, HELPS)

    assert judged == alone
    assert second == alone
    assert (shown.verdict, first.verdict) == ("shown", "shown")
    assert judged.p_adjusted == pytest.approx(2 / 2**7)
    assert shown.p_adjusted is None
    assert shown.equivalence_p_adjusted is None
    assert shown.p is not None  # its numbers are all there
    assert shown.estimate is not None
    assert shown.low is not None


def test_the_same_contrast_judged_is_in_the_family(results: Path) -> None:
    """Then Holm doubles the smaller p-value."""
    judged, other = effects_of(results, HELPS, HELPS.but(arm="both", against="dry"))

    assert min(judged.p_adjusted or 0, other.p_adjusted or 0) == pytest.approx(4 / 2**7)
    assert "shown" not in (judged.verdict, other.verdict)


def test_a_demonstration_is_shown_and_never_judged(results: Path) -> None:
    """Every contrast of it, though it would be significant; with three seeds or seven."""
    contrasts = (HELPS, HELPS.but(arm="both", against="dry"))
    for seeds in (3, 7):
        plan = plan_of(*contrasts, seeds=seeds, judged=False)
        arms = {arm: seen[:seeds] for arm, seen in DIFFERING.items()}
        comparison = compare(plan, filled(plan, results / str(seeds), arms))

        assert not comparison.judged
        assert [effect.verdict for effect in comparison.effects] == ["shown", "shown"]
        assert {effect.p_adjusted for effect in comparison.effects} == {None}
        assert comparison.effects[0].p == pytest.approx(2 / 2**seeds)


def test_what_is_shown_is_incomplete_until_all_of_it_is_there(results: Path) -> None:
    """Nothing yet, some of it, all of it."""
    plan = plan_of(HELPS, judged=False)
    store = Store(results)
    seen = measures_of(0.1, 0.2, 0.3)

    assert compare(plan, store).effects[0].verdict == "not run"
    for seed, word in ((0, "incomplete"), (4, "incomplete"), (5, "shown")):
        for before in range(seed + 1):
            for arm in ("with", "without"):
                store.add(record_of(plan.run(arm, before), [0.5], measures=seen))
        assert compare(plan, store).effects[0].verdict == word


def test_a_smoke_run_of_a_demonstration_is_not_shown_as_a_result(results: Path) -> None:
    """It is incomplete, as every smoke run is."""
    plan = plan_of(HELPS, judged=False)
    smoke = plan.model_copy(update={"definition": plan.definition.but(smoke=True)})

    assert compare(smoke, filled(smoke, results, {})).effects[0].verdict == "incomplete"


def test_a_time_to_a_loss_is_compared_seed_by_seed(results: Path) -> None:
    """Each to where the other arm ended with the same seed: half as long is twice as fast.

    With seed 0 "without" ends at 1.0, which it reaches at 1.5, and "with" passes 1.0 from 2.0 at
    0.5 on the way to 0.0 at 1.5, at 1.0: 1.5 times. With the others it ends at 1.5: it was there
    at 1.0, and "with" at 0.75: 4 / 3 times.
    """
    contrast = Contrast(
        arm="with", against="without", metric=TimeToLoss(arm="without"), direction="higher",
        margin=1.25, margin_reason="small", judged=False,
    )  # fmt: skip
    plan = plan_of(contrast, HELPS)
    store = filled(plan, results, {})
    for seed in range(6):
        curves = {"with": falling(2.0, 0.0), "without": falling(2.0, 1.0 if seed == 0 else 1.5)}
        for arm, curve in curves.items():
            record = record_of(plan.run(arm, seed), [], measures=SEEN)
            store.add(record.model_copy(update={"curve": curve}))

    effect = compare(plan, store).effects[0]

    assert effect.by_seed == pytest.approx([1.5] + [2.0] * 5)
    assert effect.estimate == pytest.approx((1.5 * 2.0**5) ** (1 / 6))
    assert (effect.bound, effect.verdict) == ("none", "shown")


@pytest.mark.parametrize(
    "contrast",
    [BY_VIEWS, INTERACTION, HELPS.but(judged=False), HELPS.but(metric=Gap())],
    ids=["two metrics", "minus", "not judged", "gap"],
)
def test_every_kind_of_contrast_can_be_read_in_words_and_tables(
    contrast: Contrast, results: Path
) -> None:
    """A headline and both tables, without and with records."""
    plan = plan_of(contrast, seeds=7)
    stores: list[Callable[[], Store]] = [
        lambda: Store(results / "empty"),
        lambda: filled(plan, results, DIFFERING),
    ]
    for make in stores:
        comparison = compare(plan, make())

        assert headline(plan, comparison)
        assert len(arms_table(plan, comparison)) == 4
        assert len(contrasts_table(comparison)) == 1


def test_curves_of_the_conftest_are_what_they_say() -> None:
    """Their losses average 0.55, as their epochs' loss: so that tests above can trust them."""
    curve = running_loss(epochs_of([0.5, 0.4]))

    assert curve is not None
    assert curve.errors[0] == pytest.approx(0.55)
    assert time_to(0.55, curve) == pytest.approx(0.5)
    assert math.isclose(curve.errors[-1], 0.55)
