"""Training: what repeats bit by bit, what ends a run, and that it learns."""

import json
from pathlib import Path

import pytest
import torch

from alexnet.config import (
    EDITION,
    Config,
    Drops,
    GiveUp,
    LayerRate,
    Plateau,
    Schedule,
    Steps,
    Until,
)
from alexnet.data.images import Dataset
from alexnet.evaluation import clean_sample, evaluate, measure
from alexnet.learning_curve import Epoch, over, running_curve, time_to
from alexnet.model import AlexNet, build
from alexnet.optim import optimizer_for
from alexnet.training import DivergedError, fit
from tests.builders.training import train


def counted(epochs: list[Epoch]) -> list[tuple[object, ...]]:
    """Return epochs without their seconds."""
    return [(e.number, e.errors, e.images, e.loss) for e in epochs]


def same(one: AlexNet, other: AlexNet) -> bool:
    """Return whether two networks have the same bits."""
    pairs = zip(one.state_dict().values(), other.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_the_same_seed_gives_the_same_bits(config: Config, images: Dataset, precision: str) -> None:
    """Weights and counts, with every part and augmentation at work."""
    torch.manual_seed(1)
    one, first = train(config, images, 4, precision)
    torch.manual_seed(2)  # nothing of ours draws from the global stream
    other, second = train(config, images, 4, precision)

    assert same(one, other)
    assert counted(first) == counted(second)


def test_another_seed_gives_another_network(config: Config, images: Dataset) -> None:
    """Or ten seeds would be one."""
    assert not same(train(config, images, 0)[0], train(config, images, 1)[0])


def test_a_run_taken_up_again_is_the_same_run(config: Config, images: Dataset) -> None:
    """After each epoch: weights, velocities and the epochs done are all there is to save."""
    config = config.but(training={"epochs": 3})
    whole, epochs = train(config, images)

    network = build(config, 0)
    optimizer = optimizer_for(network, config.training.optimizer)
    done: list[Epoch] = []
    for _ in range(3):
        fresh = build(config, 0)
        fresh_optimizer = optimizer_for(fresh, config.training.optimizer)
        fresh.load_state_dict(network.state_dict())
        for ours, theirs in zip(
            fresh_optimizer.state().values(), optimizer.state().values(), strict=True
        ):
            ours.copy_(theirs)
        network, optimizer = fresh, fresh_optimizer
        done.append(next(fit(network, optimizer, images, config, 0, "float32", done)))

    assert same(whole, network)
    assert counted(epochs) == counted(done)


@pytest.mark.parametrize(
    "schedule",
    [
        Plateau(patience=1, improvement=1.0),  # no epoch is better than the first by all errors
        Steps(updates=14),  # of 7 an epoch
    ],
)
def test_schedules_that_come_to_the_same_drops_train_alike(
    schedule: Schedule, config: Config, images: Dataset
) -> None:
    """After epochs 2, 3 and 4, and after every second epoch, bit by bit."""
    after = (2, 3, 4) if isinstance(schedule, Plateau) else (2, 4)
    longer = config.but(training={"epochs": 5})

    one, _ = train(longer.but(training={"schedule": schedule}), images)
    other, _ = train(longer.but(training={"schedule": Drops(after=after)}), images)

    assert same(one, other)


def test_the_error_on_valid_is_that_of_the_centre_view(config: Config, images: Dataset) -> None:
    """After each epoch, as evaluation measures it after the last; else it is not measured."""
    plateau = config.but(training={"schedule": Plateau()})
    network, epochs = train(plateau, images)
    measures, _ = evaluate(network, images, plateau, "float32", see_test=False)

    assert epochs[-1].valid_error == measures.valid.top1_error
    assert [epoch.valid_error for epoch in train(config, images)[1]] == [None, None]
    asked = config.but(training={"validate_each_epoch": True})
    network, epochs = train(asked, images)
    measures, _ = evaluate(network, images, asked, "float32", see_test=False)
    assert epochs[-1].valid_error == measures.valid.top1_error
    assert same(network, train(config, images)[0])  # looking changes nothing


def test_a_frozen_layer_keeps_its_weights(config: Config, images: Dataset) -> None:
    """Conv1 after the first of three epochs; the others go on."""
    rates = (LayerRate(layer="conv1", after=1, factor=0),)
    one, three = (
        train(config.but(training={"epochs": n, "layer_rates": rates}), images)[0] for n in (1, 3)
    )

    assert torch.equal(one.features.conv1.weight, three.features.conv1.weight)
    assert torch.equal(one.features.conv1.bias, three.features.conv1.bias)
    assert not torch.equal(one.features.conv2.weight, three.features.conv2.weight)


def test_it_learns(config: Config, images: Dataset) -> None:
    """Ten looks in noise are told apart in 20 epochs, training and held-out images alike."""
    learning = config.but(
        training={"epochs": 20, "optimizer": {"rate": 0.003}},
        network={"parts": {"dropout": None}},
        inputs={"random_crops": False, "flips": False},  # the looks are noise, not shapes
    )
    network, epochs = train(learning, images)
    measures, scores = evaluate(network, images, learning, "float32", see_test=True)

    assert epochs[0].error > 0.5
    assert measures.train.top1_error < 0.1
    assert measures.test is not None
    assert measures.test.top1_error < 0.2
    assert scores is not None
    assert scores.one.shape == (50, 10)


def test_the_mathematics_of_training_has_not_moved(config: Config, images: Dataset) -> None:
    """If this fails, either it is a mistake or EDITION goes up; rounding alone stays within 1e-3.

    Losses of two epochs of the tiny preset, with every part and augmentation at work.
    """
    golden = json.loads((Path(__file__).parents[1] / "golden" / "tiny.json").read_text())
    _, epochs = train(config, images, seed=0)

    assert golden["edition"] == EDITION
    assert [epoch.loss for epoch in epochs] == pytest.approx(golden["losses"], rel=1e-3)


def test_counts_add_up(config: Config, images: Dataset) -> None:
    """Seven batches in ten tenths: some are empty, all images are counted once."""
    _, epochs = train(config, images)

    assert sum(epochs[0].images) == 200
    assert all(0 <= e <= n for e, n in zip(epochs[0].errors, epochs[0].images, strict=True))


def test_a_run_ends_after_the_epoch_that_crosses(config: Config, images: Dataset) -> None:
    """Not before, and not one later."""
    config = config.but(
        training={"epochs": 30, "optimizer": {"rate": 0.003}, "until": Until(training_error=0.5)},
        network={"parts": {"dropout": None}},
    )
    _, epochs = train(config, images)

    assert len(epochs) < 30
    assert time_to(0.5, running_curve(epochs)) is not None
    assert time_to(0.5, running_curve(epochs[:-1])) is None


def test_a_run_that_learns_nothing_gives_up(config: Config, images: Dataset) -> None:
    """At a rate of 1e-9 the first epoch stays at chance, 90 %."""
    config = config.but(
        training={
            "epochs": 9,
            "optimizer": {"rate": 1e-9},
            "give_up": GiveUp(updates=1, within=0.1),
        }
    )

    assert len(train(config, images)[1]) == 1


def test_a_run_that_learned_something_does_not_give_up(config: Config) -> None:
    """70 % after the first epoch is twenty points from chance."""
    config = config.but(training={"epochs": 9, "give_up": GiveUp(epoch=1, within=0.05)})
    learned = Epoch(number=1, errors=(7,) * 10, images=(10,) * 10, loss=2.0, seconds=1.0)
    stuck = Epoch(number=1, errors=(9,) * 10, images=(10,) * 10, loss=2.3, seconds=1.0)

    assert not over([learned], config)
    assert over([stuck], config)


def test_giving_up_counts_updates_and_looks_when_a_pass_is_over(config: Config) -> None:
    """100 images in batches of 32 are four updates: eight are done after the second pass."""
    rule = GiveUp(updates=6, within=0.05)
    config = config.but(training={"epochs": 9, "batch": 32, "give_up": rule})
    stuck = [
        Epoch(number=number, errors=(9,) * 10, images=(10,) * 10, loss=2.3, seconds=1.0)
        for number in (1, 2)
    ]

    assert not over(stuck[:1], config)
    assert over(stuck, config)


def test_a_run_that_learned_before_the_rule_looks_goes_on(config: Config) -> None:
    """What the rule looks at is the pass in which the updates are done, not a later one."""
    config = config.but(training={"epochs": 9, "batch": 10, "give_up": GiveUp(updates=10)})
    epochs = [
        Epoch(number=number, errors=(wrong,) * 10, images=(10,) * 10, loss=2.0, seconds=1.0)
        for number, wrong in ((1, 5), (2, 9))
    ]

    assert not over(epochs, config)


@pytest.mark.parametrize("said", [{}, {"epoch": 1, "updates": 352}])
def test_giving_up_is_counted_in_one_way(said: dict[str, int]) -> None:
    """In updates, or in epochs as in the records of old."""
    with pytest.raises(ValueError, match="after how many updates"):
        GiveUp(**said)


def test_a_loss_that_is_not_finite_is_a_divergence(config: Config, images: Dataset) -> None:
    """At a rate of a million."""
    with pytest.raises(DivergedError, match="not finite"):
        train(config.but(training={"optimizer": {"rate": 1e6}}), images)


def test_fewer_images_are_the_first_ones(config: Config, images: Dataset) -> None:
    """A smoke run sees so many and no more."""
    _, epochs = train(config.but(training={"images": 64}), images)

    assert sum(epochs[0].images) == 64


def test_measures_worked_by_hand() -> None:
    """Four images of ten classes: right, second, sixth, and tied for first, which is wrong."""
    scores = torch.zeros(4, 10)
    scores[0, 3] = 1
    scores[1, :2] = torch.tensor([2.0, 1.0])
    scores[2] = torch.arange(10.0)
    labels = torch.tensor([3, 1, 4, 7])

    found = measure(scores, labels)

    assert found.top1_error == 0.75
    assert found.top5_error == 0.5  # ranks 1, 2, 6 and 10: ten classes tie
    expected = torch.nn.functional.cross_entropy(scores, labels).item()
    assert found.loss == pytest.approx(expected)


def test_scores_that_are_not_numbers_are_wrong() -> None:
    """Never right by accident; and JSON has no NaN."""
    found = measure(torch.full((2, 10), float("nan")), torch.tensor([0, 1]))

    assert (found.top1_error, found.top5_error, found.loss) == (1.0, 1.0, None)


def test_the_clean_sample_is_stratified_and_fixed(images: Dataset) -> None:
    """The first five images of each class, in stored order."""
    sample = clean_sample(images.train, 50)

    assert sample.labels.bincount().tolist() == [5] * 10
    assert torch.equal(sample.pixels, images.train.pixels[:50])
