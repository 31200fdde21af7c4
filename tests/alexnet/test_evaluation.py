"""Every measure of a trained network, against worked answers, NumPy and torchvision."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchvision.transforms import TenCrop

from alexnet.augment import centre, ten_views
from alexnet.config import Config
from alexnet.data.images import Dataset, Images, in_memory
from alexnet.evaluation import (
    Evaluator,
    average,
    clean_sample,
    colour_selectivity,
    evaluate,
    measure,
    norm_activity,
    same_class_rate,
)
from alexnet.layers import local_response_norm
from alexnet.model import build
from tests.builders.training import train


def observer_of(config: Config, images: Dataset) -> Evaluator:
    """Return the eyes of an untrained network."""
    network = build(config, 0).eval()
    return Evaluator.of(network, images, config, "float32")


@pytest.mark.parametrize(("side", "size"), [(256, 224), (32, 28), (32, 32), (33, 28)])
def test_ten_views_are_torchvisions(side: int, size: int) -> None:
    """Its TenCrop gives the same ten squares; coinciding ones are one view of a larger share."""
    pixels = torch.arange(side * side * 3).reshape(side, side, 3)
    theirs = TenCrop(size)(pixels.permute(2, 0, 1))
    if (side - size) % 2:  # of two middles, torchvision's rounding takes either
        theirs = [view for number, view in enumerate(theirs) if number not in (4, 9)]
    ours = {}
    for view in ten_views(side, size):
        square = pixels[view.top : view.top + size, view.left : view.left + size]
        ours[tuple((square.flip(1) if view.mirrored else square).flatten().tolist())] = view.share

    assert {tuple(view.permute(1, 2, 0).flatten().tolist()) for view in theirs} <= set(ours)
    assert sum(ours.values()) == pytest.approx(1.0)
    assert len(ours) == (2 if side == size else 10)


def test_the_first_of_ten_views_is_the_centre() -> None:
    """Which is what one view means."""
    pixels = torch.arange(32 * 32 * 3).reshape(32, 32, 3)
    first = ten_views(32, 28)[0]

    assert not first.mirrored
    assert torch.equal(
        pixels[first.top : first.top + 28, first.left : first.left + 28], centre(pixels, 28)
    )


def test_ten_views_average_probabilities(config: Config, images: Dataset) -> None:
    """Section 4.1, written out for a few images with torchvision's crops."""
    evaluator = observer_of(config, images)
    few = images.test.first(7)
    mean = centre(images.mean.float(), config.network.view).permute(2, 0, 1)
    views = torch.stack(TenCrop(config.network.view)(few.pixels.permute(0, 3, 1, 2))).float()
    with torch.no_grad():
        plain = torch.stack([evaluator.network(view - mean).softmax(1) for view in views]).mean(0)

    ours = evaluator.scores_of_ten(few, evaluator.scores(few))

    torch.testing.assert_close(ours.exp(), plain)


def test_networks_are_averaged_by_their_probabilities() -> None:
    """Two networks of two classes: (0.9, 0.1) and (0.2, 0.8) come to (0.55, 0.45).

    Weighed 1 to 3 they come to (0.375, 0.625).
    """
    first, second = (torch.tensor([shares]).log() for shares in ([0.9, 0.1], [0.2, 0.8]))

    def probabilities(shares: list[float]) -> list[float]:
        return average([first + 3, second - 1], shares).exp()[0].tolist()  # scores have no zero

    assert probabilities([0.5, 0.5]) == pytest.approx([0.55, 0.45])
    assert probabilities([0.25, 0.75]) == pytest.approx([0.375, 0.625])


def test_an_average_keeps_what_a_softmax_would_round_to_nothing() -> None:
    """Two alike networks average to themselves, though e^-140 is no float32."""
    scores = torch.tensor([[200.0, 60.0, 50.0]])

    together = average([scores, scores], [0.5, 0.5])

    torch.testing.assert_close(together, scores.log_softmax(1))
    assert measure(together, torch.tensor([1])).loss == pytest.approx(140)


@pytest.mark.parametrize("shares", [[0.5, 0.6], [1.0]])
def test_shares_that_do_not_add_up_are_refused(shares: list[float]) -> None:
    """More than one, or one for two networks."""
    with pytest.raises(ValueError, match=r"shares sum to 1.1|longer"):
        average([torch.zeros(1, 2), torch.zeros(1, 2)], shares)


def test_a_network_that_sees_the_whole_image_has_two_views(config: Config, images: Dataset) -> None:
    """Itself and its reflection: an average over two is the average over ten."""
    evaluator = observer_of(config.but(network={"view": 16}), images)

    assert [view.share for view in evaluator.views] == [0.5, 0.5]


def test_colour_selectivity_worked_by_hand() -> None:
    """Grey 0; opposite channels 1; one channel alone: 1 - 3 (1/3)^2 / 1 = 2/3; nothing 0."""
    kernels = torch.tensor([[2.0, 2, 2], [1, -1, 0], [1, 0, 0], [0, 0, 0]]).reshape(4, 3, 1, 1)

    assert colour_selectivity(kernels) == pytest.approx((0, 1, 2 / 3, 0), abs=1e-6)


def test_nearest_neighbours_are_those_of_a_full_sort() -> None:
    """Six nearest among 2,500, more than are compared at a time, sorted by NumPy."""
    rng = np.random.default_rng(0)
    queries, near = rng.normal(size=(20, 5)), rng.normal(size=(2500, 5))
    classes, near_classes = rng.integers(0, 3, 20), rng.integers(0, 3, 2500)
    distances = ((queries[:, None] - near[None]) ** 2).sum(-1)
    six = np.argsort(distances, axis=1)[:, :6]
    plain = np.mean(near_classes[six] == classes[:, None])

    ours = same_class_rate(*map(torch.from_numpy, (queries, classes, near, near_classes)))

    assert ours == pytest.approx(plain)


def test_activity_is_what_the_norm_divides_by(config: Config, images: Dataset) -> None:
    """With beta 1, input / output = k (1 + alpha S / k)."""
    config = config.but(network={"parts": {"norm": {"alpha": 0.01, "beta": 1.0}}})
    evaluator = observer_of(config, images)
    few = images.valid.first(5)
    with torch.no_grad():
        features = evaluator.network.features
        x = features.conv1_act(features.conv1(next(evaluator.shown(few)))) + 1e-3  # no zeros
        s = config.network.parts["norm"]
        y = local_response_norm(x, s.size, s.alpha, s.beta, s.k, s.groups)

    found = norm_activity(evaluator, few)

    assert list(found) == ["conv1_norm"]
    assert found["conv1_norm"] == pytest.approx(float((x / y / s.k - 1).median()), rel=0.02)


def test_every_run_is_measured_whole(config: Config, images: Dataset) -> None:
    """One view and ten, three parts, conv1's kernels, neighbours, every norm: always all."""
    network = build(config, 0)
    measures, scores = evaluate(network, images, config, "float32", see_test=True)

    assert scores is not None
    assert scores.one.shape == (50, 10)
    seen = (measures.train, measures.valid, measures.valid_ten, measures.test, measures.test_ten)
    for one in seen:
        assert one is not None
        assert one.images == 50
        assert math.isfinite(one.loss)
        assert one.top5_error is not None
        assert one.top5_error <= one.top1_error
    assert list(measures.norm_activity) == ["conv1_norm"]
    assert len(measures.colour_selectivity or ()) == 4
    assert measures.neighbours is not None
    assert (measures.neighbours.queries, measures.neighbours.among) == (50, 200)
    assert measures.neighbours.pixels > 0.9  # noise of 20 around looks that differ by 70


def test_what_a_network_learns_brings_its_classes_together(config: Config, images: Dataset) -> None:
    """In an untrained network's last layer, grey noise and all, neighbours are worse than in it."""
    before, _ = evaluate(build(config, 0), images, config, "float32", see_test=True)
    learning = config.but(training={"epochs": 15}, inputs={"colour": None})
    network, _ = train(learning, images)
    after, _ = evaluate(
        network, images, learning, "float32", see_test=True, untrained=lambda: build(config, 0)
    )

    assert before.neighbours is not None
    assert after.neighbours is not None
    assert after.neighbours.hidden >= before.neighbours.hidden
    assert after.neighbours.untrained == before.neighbours.hidden  # its own control
    assert before.neighbours.untrained is None


def test_grey_images_have_no_colour_to_measure(config: Config, images: Dataset) -> None:
    """One principal component instead of three."""
    from dataclasses import replace

    grey = replace(images, deviations=torch.tensor([0.3, 0.001, 90.0]))

    measures, _ = evaluate(build(config, 0), grey, config, "float32", see_test=True)

    assert images.has_colour
    assert not grey.has_colour
    assert measures.colour_selectivity is None
    assert measures.neighbours is None


@pytest.mark.parametrize("first", ["none", "unshared"])
def test_a_network_without_kernels_has_no_selectivity(
    first: str, config: Config, images: Dataset
) -> None:
    """No convolution, or one whose kernels differ from place to place; all else is measured."""
    change = {"conv1": None, "conv2": None}
    if first == "unshared":
        change = {"conv1": {"weights": "unshared"}, "conv2": {"groups": 2}}
    config = config.but(network={"convolutions": change})

    measures, _ = evaluate(build(config, 0), images, config, "float32", see_test=True)

    assert measures.colour_selectivity is None
    assert measures.neighbours is not None


def test_a_tuning_run_does_not_see_the_test_images(config: Config, images: Dataset) -> None:
    """Neither by one view nor by ten, nor as neighbours."""
    measures, scores = evaluate(build(config, 0), images, config, "float32", see_test=False)

    assert scores is None
    assert (measures.test, measures.test_ten, measures.neighbours) == (None, None, None)
    assert measures.valid_ten is not None


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 6), min_size=1, max_size=60), st.integers(1, 80))
def test_the_clean_sample_is_the_first_of_every_class(labels: list[int], count: int) -> None:
    """By counting them one after another."""
    found = clean_sample(
        Images(torch.arange(len(labels))[:, None, None, None], torch.tensor(labels)), count
    )
    each = max(1, count // (max(labels) + 1))
    expected = [place for place, label in enumerate(labels) if labels[:place].count(label) < each]

    assert in_memory(found.pixels).flatten().tolist() == expected
