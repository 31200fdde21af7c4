"""The exact equivalence of raw and divided inputs, and what has none."""

from dataclasses import replace

import pytest
import torch

from alexnet.config import Adam, ChannelMeans, Config, Drops, FanIn, LayerRate
from alexnet.data.images import Dataset
from alexnet.model import AlexNet, build
from alexnet.optim import optimizer_for
from alexnet.presets import preset
from alexnet.scaling import with_divided_inputs
from alexnet.training import fit


def trained(config: Config, images: Dataset) -> tuple[AlexNet, list[float]]:
    """Return a network after its epochs, and their losses."""
    network = build(config, 0)
    optimizer = optimizer_for(network, config.training.optimizer)
    epochs = list(fit(network, optimizer, images, config, 0, "float32"))
    return network, [epoch.loss for epoch in epochs]


def eventful(config: Config) -> Config:
    """Return three epochs with decay, momentum, a drop and rates of single layers."""
    return config.but(
        training={
            "epochs": 3,
            "optimizer": {"weight_decay": 0.01},
            "schedule": Drops(after=(1,)),
            "layer_rates": (LayerRate(layer="conv1", of="weights", after=2, factor=0.5),),
        }
    )


def test_inputs_over_a_power_of_two_train_to_the_same_bits(config: Config, images: Dataset) -> None:
    """Of all weights but conv1's, which are 64 times as large, after 21 updates and a drop."""
    raw, losses = trained(eventful(config), images)
    divided, same = trained(with_divided_inputs(eventful(config), 64), images)

    assert losses == same
    for (name, one), other in zip(
        raw.state_dict().items(), divided.state_dict().values(), strict=True
    ):
        assert torch.equal(one * (64 if name == "features.conv1.weight" else 1), other), name


def test_pytorchs_convention_converts_too(config: Config, images: Dataset) -> None:
    """Decay on biases as well, as long as conv1 has none of it."""
    pytorch = {"convention": "pytorch", "decays": "all", "weight_decay": {"fc3": 0.01}}
    config = config.but(training={"optimizer": pytorch, "schedule": Drops(after=(1,))})

    assert trained(config, images)[1] == trained(with_divided_inputs(config, 64), images)[1]


def test_inputs_over_their_deviation_train_alike(config: Config, images: Dataset) -> None:
    """58 is no power of two: the same but for rounding."""
    losses = trained(eventful(config), images)[1]
    same = trained(with_divided_inputs(eventful(config), 58.0), images)[1]

    assert same == pytest.approx(losses, rel=1e-4)


def test_dividing_inputs_alone_is_another_network(config: Config, images: Dataset) -> None:
    """Which is what most ports of LRN have."""
    losses = trained(eventful(config), images)[1]
    other = trained(eventful(config).but(inputs={"normalise": {"divisor": 64.0}}), images)[1]

    assert other != pytest.approx(losses, rel=1e-2)


def test_division_adds_up(config: Config) -> None:
    """By 4 and by 16 is by 64."""
    twice = with_divided_inputs(with_divided_inputs(config, 4), 16)
    once = with_divided_inputs(config, 64)

    assert twice.inputs == once.inputs
    assert twice.network == once.network


@pytest.mark.parametrize("name", ["paper", "source_2012", "caffenet", "cifar_conv_local_11pct"])
def test_presets_of_2012_convert(name: str) -> None:
    """Deviation of conv1 times 58, its rate times 58 squared, its decay over that."""
    before, after = preset(name), with_divided_inputs(preset(name), 58)
    decay = after.training.optimizer.weight_decay

    assert after.network.convolutions[0].init.std == pytest.approx(
        58 * before.network.convolutions[0].init.std
    )
    assert after.network.convolutions[1:] == before.network.convolutions[1:]
    rate = LayerRate(layer="conv1", of="weights", factor=58**2)
    assert after.training.layer_rates[-1] == rate
    if name != "cifar_conv_local_11pct":  # whose convolutions have no decay
        assert decay["conv1"] == pytest.approx(0.0005 / 58**2)
        assert decay["conv2"] == 0.0005


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"inputs": {"normalise": ChannelMeans()}}, "divided by their own deviations already"),
        ({"training": {"optimizer": Adam(rate=0.001)}}, "Adam divides"),
        ({"network": {"convolutions": {"conv1": {"init": FanIn()}}}}, "starts from fan_in"),
        ({"training": {"optimizer": {"decays": "all", "weight_decay": {"conv1": 0.1}}}},
         "decay acts on biases too"),
    ],
)  # fmt: skip
def test_what_has_no_exact_equivalent_is_refused(change: dict[str, object], why: str) -> None:
    """In a sentence."""
    with pytest.raises(ValueError, match=why):
        with_divided_inputs(preset("tiny").but(**change), 58)


def test_noise_of_colour_scales_with_the_inputs(config: Config, images: Dataset) -> None:
    """Grey levels are added before they are divided; here with conv1 alone at work."""
    assert config.inputs.colour is not None
    louder = replace(images, deviations=images.deviations * 5)
    raw = trained(config, louder)[1]

    assert trained(with_divided_inputs(config, 64), louder)[1] == raw
