"""Batch normalisation against worked answers and PyTorch's function."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from safetensors.torch import load, save
from torch import Tensor, nn
from torch.nn import functional

from alexnet.config import BatchNorm, Config, LeakyRelu
from alexnet.data.images import Dataset
from alexnet.evaluation import evaluate
from alexnet.layers import build_part
from alexnet.learning_curve import Epoch
from alexnet.model import AlexNet, build, skeleton
from alexnet.optim import optimizer_for
from alexnet.presets import alexnet_cifar, paper, tiny
from alexnet.training import fit

NORMED = {"network": {"parts": {"norm": BatchNorm()}}}
NONE = {"network": {"parts": {"norm": None}}}


def activations(seed: int = 0, maps: int = 3, images: int = 4, side: int = 5) -> Tensor:
    """Return maps around means and spreads of their own."""
    stream = torch.Generator().manual_seed(seed)
    own = torch.arange(1.0, maps + 1)[None, :, None, None]
    return torch.randn(images, maps, side, side, generator=stream) * own + 2 * own


def norms(network: AlexNet) -> dict[str, nn.BatchNorm2d]:
    """Return the batch normalisations of a network by name."""
    found = network.features.named_children()
    return {name: module for name, module in found if isinstance(module, nn.BatchNorm2d)}


def test_two_values_become_minus_one_and_one() -> None:
    """1 and 3: their mean is 2, their deviation 1; 10 and 30: 20 and 10."""
    images = torch.tensor([[[[1.0]], [[10.0]]], [[[3.0]], [[30.0]]]])
    module = build_part(BatchNorm(epsilon=1e-12), 2).train()

    out = module(images)

    assert torch.allclose(out[:, 0].flatten(), torch.tensor([-1.0, 1.0]), atol=1e-6)
    assert torch.allclose(out[:, 1].flatten(), torch.tensor([-1.0, 1.0]), atol=1e-6)


def test_epsilon_is_added_to_the_variance() -> None:
    """1 and 3 with 3 added to a variance of 1: divided by sqrt(4) = 2."""
    module = build_part(BatchNorm(epsilon=3.0), 1).train()

    out = module(torch.tensor([1.0, 3.0]).reshape(2, 1, 1, 1))

    assert out.flatten().tolist() == pytest.approx([-0.5, 0.5])


@settings(deadline=None, max_examples=25)
@given(
    seed=st.integers(0, 1000),
    momentum=st.floats(0.01, 1.0),
    epsilon=st.floats(1e-8, 1.0),
    batches=st.integers(1, 3),
)
def test_it_is_pytorchs_function_batch_after_batch(
    seed: int, momentum: float, epsilon: float, batches: int
) -> None:
    """Without scale and shift; its running statistics start at 0 and 1 and follow the batches."""
    module = build_part(BatchNorm(momentum=momentum, epsilon=epsilon), 3).train()
    mean, variance = torch.zeros(3), torch.ones(3)
    for batch in range(batches):
        images = activations(seed + batch)
        expected = functional.batch_norm(
            images, mean, variance, training=True, momentum=momentum, eps=epsilon
        )
        assert torch.allclose(module(images), expected, atol=1e-6)

    assert torch.allclose(module.running_mean, mean)
    assert torch.allclose(module.running_var, variance)
    images = activations(seed + 17)
    expected = functional.batch_norm(images, mean, variance, training=False, eps=epsilon)
    assert torch.allclose(module.eval()(images), expected, atol=1e-6)


def test_each_map_has_a_mean_of_nothing_and_a_deviation_of_one() -> None:
    """Over images and places together, by NumPy."""
    out = build_part(BatchNorm(), 3).train()(activations()).numpy()

    assert np.allclose(out.mean((0, 2, 3)), 0, atol=1e-6)
    assert np.allclose(out.std((0, 2, 3)), 1, atol=1e-4)


def test_the_running_statistics_after_one_batch_by_hand() -> None:
    """1 and 3: 0.9 x 0 + 0.1 x 2 = 0.2; the unbiased variance is 2: 0.9 x 1 + 0.1 x 2 = 1.1."""
    module = build_part(BatchNorm(), 1).train()
    module(torch.tensor([1.0, 3.0]).reshape(2, 1, 1, 1))

    assert module.running_mean.item() == pytest.approx(0.2)
    assert module.running_var.item() == pytest.approx(1.1)
    module.eval()
    five = module(torch.full((1, 1, 1, 1), 5.0)).item()
    assert five == pytest.approx((5 - 0.2) / (1.1 + 1e-5) ** 0.5)


def test_evaluation_does_not_look_at_its_batch() -> None:
    """An image's scores are its own, whatever it is shown with, and nothing is remembered."""
    network = build(tiny().but(**NORMED), 3)
    images = activations(images=8, side=12)
    network.train()(images)
    network.eval()
    before = {name: value.clone() for name, value in network.state_dict().items()}

    together = network(images)

    assert torch.allclose(together[:1], network(images[:1]), atol=1e-5)
    assert torch.allclose(together.flip(0), network(images.flip(0)), atol=1e-5)
    after = network.state_dict()
    assert all(torch.equal(after[name], value) for name, value in before.items())


@pytest.mark.parametrize("seed", [0, 1])
def test_a_new_network_has_averaged_nothing(seed: int) -> None:
    """0 and 1 in every map, and no batch was seen."""
    network = build(alexnet_cifar().but(**NORMED), seed)

    assert {name: len(norm.running_mean) for name, norm in norms(network).items()} == {
        "conv1_norm": 32,
        "conv2_norm": 64,
    }
    for norm in norms(network).values():
        assert norm.running_mean.tolist() == [0.0] * norm.num_features
        assert norm.running_var.tolist() == [1.0] * norm.num_features
        assert norm.num_batches_tracked.item() == 0


def test_a_network_that_has_seen_nothing_evaluates_as_if_it_had_no_norm() -> None:
    """Minus 0, divided by 1, but for epsilon."""
    images = activations(images=2, side=12)
    normed, plain = (build(tiny().but(**changes), 3).eval() for changes in (NORMED, NONE))

    assert torch.allclose(normed(images), plain(images), rtol=1e-4, atol=1e-6)


def test_it_has_nothing_to_learn() -> None:
    """As response normalisation has nothing; 60,965,224 parameters stay as many."""
    network = skeleton(paper().but(**NORMED).network)

    assert sum(parameter.numel() for parameter in network.parameters()) == 60_965_224
    assert list(norms(network)) == ["conv1_norm", "conv2_norm"]
    assert [norm.num_features for norm in norms(network).values()] == [96, 256]


def test_it_follows_convolutions_alone() -> None:
    """It is of maps; a fully connected layer has none."""
    with pytest.raises(ValidationError, match="batch_norm follows a convolution, not a fully con"):
        tiny().but(
            network={"parts": {"norm": BatchNorm()}, "classifier": {"fc3": {"then": ("norm",)}}}
        )


@pytest.mark.parametrize(
    "settings_", [{"momentum": 0.0}, {"momentum": 1.1}, {"momentum": -0.1}, {"epsilon": 0.0}]
)
def test_shares_that_are_none_are_refused(settings_: dict[str, float]) -> None:
    """The newest batch has some share, all at most; nothing is divided by zero."""
    with pytest.raises(ValidationError):
        BatchNorm(**settings_)


def test_it_is_read_back_as_it_was_written_and_changed_in_place() -> None:
    """Under its kind, beside the other parts; another kind replaces the whole part."""
    config = tiny().but(network={"parts": {"norm": BatchNorm(momentum=0.5)}})

    assert Config.model_validate_json(config.model_dump_json()) == config
    assert config.but(network={"parts": {"norm": {"epsilon": 0.1}}}).network.parts["norm"] == (
        BatchNorm(momentum=0.5, epsilon=0.1)
    )
    assert config.but(network={"parts": {"norm": LeakyRelu()}}).network.parts["norm"] == LeakyRelu()


def trained(
    config: Config, images: Dataset, network: AlexNet, done: list[Epoch], velocities: bytes | None
) -> tuple[list[Epoch], bytes]:
    """Go on training a network from so many epochs; return them all and the velocities."""
    optimizer = optimizer_for(network, config.training.optimizer)
    if velocities is not None:
        kept = load(velocities)
        for name, tensor in optimizer.state().items():
            tensor.copy_(kept[name])
    epochs = [*done, *fit(network, optimizer, images, config, 3, "float32", done)]
    return epochs, save({name: t.contiguous() for name, t in optimizer.state().items()})


def test_training_taken_up_again_ends_as_if_it_had_never_stopped(images: Dataset) -> None:
    """Its running statistics are kept with the weights, bit for bit."""
    config = tiny().but(**NORMED)
    whole, first = build(config, 3), build(config, 3)
    whole_epochs, _ = trained(config, images, whole, [], None)
    short = config.but(training={"epochs": 1})
    epochs, velocities = trained(short, images, first, [], None)
    second = build(config, 3)
    second.load_state_dict({name: tensor.clone() for name, tensor in first.state_dict().items()})
    taken_up, _ = trained(config, images, second, epochs, velocities)

    assert [epoch.losses for epoch in taken_up] == [epoch.losses for epoch in whole_epochs]
    left = second.state_dict()
    assert "features.conv1_norm.running_var" in left
    for name, tensor in whole.state_dict().items():
        assert torch.equal(left[name], tensor), name
    # 200 images in batches of 32 are 7 updates an epoch.
    assert left["features.conv1_norm.num_batches_tracked"].item() == 14


def test_measures_are_taken_by_running_statistics(images: Dataset) -> None:
    """Measuring leaves the network as training left it, and does the same twice."""
    config = tiny().but(**NORMED)
    network = build(config, 3)
    trained(config, images, network, [], None)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}

    first, _ = evaluate(network, images, config, "float32", True)
    second, _ = evaluate(network, images, config, "float32", True)

    assert first == second
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, before[name]), name


def test_a_bias_before_it_changes_nothing_while_training() -> None:
    """It is subtracted with the mean: the same activations at any bias of the map."""
    module = build_part(BatchNorm(), 3).train()
    biases = torch.tensor([5.0, -2.0, 0.5])[None, :, None, None]

    assert torch.allclose(module(activations() + biases), module(activations()), atol=1e-5)


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
def test_its_type_is_that_of_what_it_sees(precision: torch.dtype) -> None:
    """Statistics stay float32, in either precision."""
    module = build_part(BatchNorm(), 3).train()
    with torch.autocast("cpu", torch.bfloat16, enabled=precision == torch.bfloat16):
        out = module(activations().to(precision))

    assert out.dtype == precision
    assert module.running_mean.dtype == torch.float32
    assert torch.allclose(out.float(), build_part(BatchNorm(), 3).train()(activations()), atol=0.05)
