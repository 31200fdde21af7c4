"""The presets against counts worked out from the files of 2012, and against torchvision."""

import numpy as np
import pytest
import torch
import torchvision
from torch import nn

from alexnet.config import LRN, ChannelMeans, Config, FanIn, LayerRate, MapNorm, MomentumSGD, Normal
from alexnet.cost import cost_of
from alexnet.model import build, layer_of, skeleton
from alexnet.presets import PRESETS, PresetError, preset
from tests.builders.counting import count

PARAMETERS = {
    "paper": 60_965_224,
    "source_2012": 60_965_224,
    "one_gpu_2012": 59_798_312,
    "no_overlap_2012": 60_965_224,
    "no_norm_2012": 60_965_224,
    "no_communication_2012": 60_714_408,
    "six_conv_2012": 61_555_304,
    "one_tower_2014": 61_100_840,
    "caffe_alexnet": 60_965_224,
    "caffenet": 60_965_224,
    "torchvision": 61_100_840,
    "tutorial_2021": 58_015_114,
    "cifar_80sec": 145_578,
    "cifar_19pct": 89_578,
    "cifar_18pct": 89_578,
    "cifar_conv_local_13pct": 1_116_490,
    "cifar_conv_local_11pct_first": 1_116_490,
    "cifar_conv_local_11pct": 2_112_970,
}
"""Worked out from the layer definition files of each, and published for torchvision's."""


@pytest.mark.parametrize("name", PARAMETERS)
def test_parameters_to_the_unit(name: str) -> None:
    """Counted on the built network."""
    network = skeleton(preset(name).network)

    assert sum(weights.numel() for weights in network.parameters()) == PARAMETERS[name]


def test_without_towers_the_paper_has_more_parameters() -> None:
    """62,378,344 if conv2, conv4 and conv5 saw both towers."""
    one = {name: {"groups": 1} for name in ("conv2", "conv4", "conv5")}

    found = count(preset("paper").network.but(convolutions=one))

    assert found.parameters == 62_378_344


def test_local_networks_on_whole_images_have_more_parameters() -> None:
    """1,901,386 and 3,672,906 at 32 pixels: unshared weights grow with the image."""
    wide = [
        count(preset(name).network.but(view=32)).parameters
        for name in ("cifar_conv_local_13pct", "cifar_conv_local_11pct")
    ]

    assert wide == [1_901_386, 3_672_906]


def test_every_layer_of_the_paper() -> None:
    """Sections 3.5 and 5, Figure 2: output, parameters, multiply-adds of each, by hand."""
    expected = [
        ("conv1", (96, 55, 55), 34_944, 11 * 11 * 3 * 96 * 55 * 55),
        ("conv2", (256, 27, 27), 307_456, 5 * 5 * 48 * 256 * 27 * 27),
        ("conv3", (384, 13, 13), 885_120, 3 * 3 * 256 * 384 * 13 * 13),
        ("conv4", (384, 13, 13), 663_936, 3 * 3 * 192 * 384 * 13 * 13),
        ("conv5", (256, 13, 13), 442_624, 3 * 3 * 192 * 256 * 13 * 13),
        ("fc6", (4096,), 37_752_832, 9216 * 4096),
        ("fc7", (4096,), 16_781_312, 4096 * 4096),
        ("fc8", (1000,), 4_097_000, 4096 * 1000),
    ]

    found = count(preset("paper").network)

    assert [(c.name, c.output, c.parameters, c.multiply_adds) for c in found.layers] == expected
    assert found.multiply_adds == 724_406_816
    assert found.activations == 659_272


def test_torchvisions_multiply_adds_are_those_it_publishes() -> None:
    """0.714 billion in the metadata of its weights."""
    weights = torchvision.models.AlexNet_Weights.IMAGENET1K_V1

    assert (
        round(cost_of(preset("torchvision").network).multiply_adds / 1e9, 3) == weights.meta["_ops"]
    )
    assert cost_of(preset("torchvision").network).parameters == weights.meta["num_params"]


@pytest.mark.parametrize("name", PRESETS)
def test_costs_are_those_of_the_built_networks(name: str) -> None:
    """Layer by layer, to the unit: arithmetic, and PyTorch's own counter."""
    assert cost_of(preset(name).network) == count(preset(name).network)


def sides(name: str) -> list[int]:
    """Return the sides of all maps on their way, in pixels."""
    network = preset(name).network
    images = torch.empty(1, 3, network.view, network.view, device="meta")
    found = []
    for module in skeleton(network).features:
        images = module(images)
        if isinstance(module, nn.Conv2d | nn.MaxPool2d | nn.AvgPool2d) or hasattr(module, "conv"):
            found.append(images.shape[-1])
    return found


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("paper", [55, 27, 27, 13, 13, 13, 13, 6]),
        ("no_overlap_2012", [55, 28, 26, 13, 13, 13, 11, 6]),
        ("six_conv_2012", [55, 27, 27, 13, 13, 13, 13, 6, 6]),
        ("caffe_alexnet", [55, 27, 27, 13, 13, 13, 13, 6]),
        ("torchvision", [55, 27, 27, 13, 13, 13, 13, 6]),
        ("tutorial_2021", [55, 27, 27, 13, 13, 13, 13, 6]),
        ("cifar_80sec", [32, 16, 16, 8, 8, 4]),
        ("cifar_conv_local_11pct", [24, 12, 12, 6, 6, 6]),
    ],
)
def test_the_sides_of_maps(name: str, expected: list[int]) -> None:
    """As the 2012 code's rounding up makes them, measured on the modules."""
    assert sides(name) == expected


@pytest.mark.parametrize(
    ("name", "layer", "order"),
    [
        ("paper", "conv1", "act norm pool"),
        ("source_2012", "conv1", "norm pool act"),
        ("source_2012", "conv2", "act norm map_norm pool"),
        ("source_2012", "conv5", "pool act"),
        ("no_norm_2012", "conv2", "act pool"),
        ("one_tower_2014", "conv2", "act norm pool"),
        ("caffe_alexnet", "conv1", "act norm pool"),
        ("caffenet", "conv1", "act pool norm"),
        ("torchvision", "conv5", "act pool dropout"),
        ("torchvision", "fc7", "act"),
        ("tutorial_2021", "fc7", "act dropout"),
        ("cifar_80sec", "conv1", "pool act"),
        ("cifar_18pct", "conv1", "pool act map_norm"),
        ("cifar_18pct", "conv2", "act avg_pool map_norm"),
        ("cifar_conv_local_11pct_first", "conv1", "act norm pool"),
        ("cifar_conv_local_11pct_first", "conv2", "act norm pool"),
        ("cifar_conv_local_11pct", "conv1", "act pool norm"),
        ("cifar_conv_local_11pct", "conv2", "act norm pool"),
        ("cifar_conv_local_11pct", "local4", "act"),
    ],
)
def test_the_order_after_a_layer(name: str, layer: str, order: str) -> None:
    """Read off the built network, whose modules are named after layer and part."""
    modules = dict(skeleton(preset(name).network).named_modules())
    names = [path.split(".")[-1] for path in modules]

    found = [one.removeprefix(f"{layer}_") for one in names if one.startswith(f"{layer}_")]

    assert " ".join(found) == order


def test_torchvisions_weights_give_torchvisions_scores() -> None:
    """Its own network with its own state, mapped in order; eight images, evaluation mode."""
    torch.manual_seed(0)
    theirs = torchvision.models.alexnet(weights=None).eval()
    ours = build(preset("torchvision"), 0).eval()
    values = dict(zip(ours.state_dict(), theirs.state_dict().values(), strict=True))
    ours.load_state_dict(values)
    images = torch.randn(8, 3, 224, 224)

    with torch.no_grad():
        torch.testing.assert_close(ours(images), theirs(images), rtol=1e-4, atol=1e-5)


def test_torchvisions_dropout_falls_where_torchvisions_does() -> None:
    """Before fc6 and fc7: in training both lose half of pool5 and half of fc6's units."""
    theirs = torchvision.models.alexnet(weights=None).classifier
    order = [type(module).__name__ for module in theirs]
    ours = skeleton(preset("torchvision").network)
    path = [*ours.features.named_children(), *ours.classifier.named_children()]
    names = [name.split("_")[-1] for name, _ in path][-7:]

    assert order == ["Dropout", "Linear", "ReLU", "Dropout", "Linear", "ReLU", "Linear"]
    assert names == ["dropout", "fc6", "act", "dropout", "fc7", "act", "fc8"]


NUMBERS = {
    # deviations of all layers, rate, bias rate, decays, batch, epochs
    "paper": ("0.01 " * 8, 0.01, 1, 0.0005, 128, 90),
    "source_2012": ("0.01 0.01 0.03 0.03 0.03 0.01 0.01 0.01", 0.01, 2, 0.0005, 128, 92),
    "six_conv_2012": ("0.01 0.01 0.03 0.03 0.03 0.03 0.01 0.01 0.01", 0.01, 2, 0.0005, 128, 92),
    "one_tower_2014": ("0.01 0.01 0.03 0.03 0.03 0.01 0.01 0.01", 0.01, 2, 0.0005, 128, 90),
    "caffe_alexnet": ("0.01 0.01 0.01 0.01 0.01 0.005 0.005 0.01", 0.01, 2, 0.0005, 256, 90),
    "caffenet": ("0.01 0.01 0.01 0.01 0.01 0.005 0.005 0.01", 0.01, 2, 0.0005, 256, 90),
    "torchvision": ("", 0.01, 1, 0.0001, 256, 90),
    "cifar_80sec": ("0.0001 0.01 0.01 0.1 0.1", 0.001, 2,
                    {"conv1": 0.004, "conv2": 0.004, "conv3": 0.004, "fc4": 0.03, "fc5": 0.03},
                    128, 10),
    "cifar_19pct": ("0.0001 0.01 0.01 0.01", 0.001, 2,
                    {"conv1": 0.004, "conv2": 0.004, "conv3": 0.004, "fc4": 3.0}, 128, 140),
    "cifar_18pct": ("0.0001 0.01 0.01 0.01", 0.001, 2,
                    {"conv1": 0.004, "conv2": 0.004, "conv3": 0.004, "fc4": 1.0}, 128, 140),
    "cifar_conv_local_13pct": ("0.0001 0.01 0.04 0.04 0.01", 0.001, 2,
                               {"local3": 0.004, "local4": 0.004, "fc5": 0.004}, 128, 140),
    "cifar_conv_local_11pct_first": ("0.0001 0.01 0.04 0.04 0.01", 0.001, 2,
                                     {"local3": 0.004, "local4": 0.004, "fc5": 0.004}, 128, 300),
    "cifar_conv_local_11pct": ("0.0001 0.01 0.04 0.04 0.01", 0.001, 2,
                               {"local3": 0.004, "local4": 0.004, "fc5": 0.01}, 128, 520),
}  # fmt: skip
"""Read off the files that each preset names, not off the presets."""


@pytest.mark.parametrize("name", NUMBERS)
def test_the_numbers_of_each_file(name: str) -> None:
    """Deviations, rates, decays; momentum is 0.9 in all of them."""
    deviations, rate, bias_rate, decay, batch, epochs = NUMBERS[name]
    config = preset(name)
    inits = [layer.init for layer in config.network.layers]
    optimizer = config.training.optimizer
    assert isinstance(optimizer, MomentumSGD)

    found = [init.std for init in inits if isinstance(init, Normal)]
    assert found == [float(number) for number in deviations.split()]
    assert (optimizer.rate, optimizer.bias_rate, optimizer.momentum) == (rate, bias_rate, 0.9)
    assert optimizer.weight_decay == decay
    assert (config.training.batch, config.training.epochs) == (batch, epochs)


@pytest.mark.parametrize(
    ("name", "part", "size", "times_window", "k"),
    [
        ("source_2012", "norm", 5, 1e-4, 2),
        ("source_2012", "map_norm", 5, 1e-3, 1),
        ("one_gpu_2012", "map_norm", 5, 1e-3, 1),
        ("one_tower_2014", "norm", 5, 1e-4, 2),
        ("caffe_alexnet", "norm", 5, 1e-4, 1),
        ("caffenet", "norm", 5, 1e-4, 1),
        ("cifar_18pct", "map_norm", 3, 5e-5, 1),
        ("cifar_conv_local_11pct_first", "norm", 5, 1e-3, 1),
        ("cifar_conv_local_11pct", "norm", 9, 1e-3, 1),
    ],
)
def test_the_norms_of_each_file(
    name: str, part: str, size: int, times_window: float, k: float
) -> None:
    """Files give alpha times the window: n channels, or n x n pixels. The power is 0.75."""
    norm = preset(name).network.parts[part]
    assert isinstance(norm, LRN | MapNorm)
    window = norm.size if part == "norm" else norm.size**2

    assert (norm.size, norm.k, norm.beta) == (size, k, 0.75)
    assert norm.alpha * window == pytest.approx(times_window)


def test_the_papers_alpha_is_not_divided() -> None:
    """1e-4 weighs the sum of squares, as printed."""
    assert preset("paper").network.parts["norm"] == LRN(size=5, alpha=1e-4, k=2, groups=2)


def test_torchvisions_pixels_are_those_of_its_weights() -> None:
    """Means and deviations in the transforms that come with its weights, in grey levels."""
    theirs = torchvision.models.AlexNet_Weights.IMAGENET1K_V1.transforms()
    ours = preset("torchvision").inputs.normalise
    assert isinstance(ours, ChannelMeans)

    assert ours.means == pytest.approx([255 * mean for mean in theirs.mean])
    assert ours.deviations == pytest.approx([255 * deviation for deviation in theirs.std])


def biases(config: Config) -> str:
    """Return the biases that a network starts with, in order."""
    values = (layer.init.bias for layer in config.network.layers if isinstance(layer.init, Normal))
    return " ".join(f"{value:g}" for value in values)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("paper", "0 1 0 1 1 1 1 0"),
        ("source_2012", "0 1 0 1 1 1 1 0"),
        ("one_tower_2014", "0 1 0 1 1 1 1 -7"),
        ("caffe_alexnet", "0 0.1 0 0.1 0.1 0.1 0.1 0"),
        ("caffenet", "0 1 0 1 1 1 1 0"),
        ("six_conv_2012", "0 1 0 1 1 1 1 1 0"),
        ("torchvision", ""),
    ],
)
def test_the_biases_that_layers_start_with(name: str, expected: str) -> None:
    """Section 5: one in conv2, conv4, conv5 and the hidden layers; Caffe's AlexNet a tenth."""
    assert biases(preset(name)) == expected


def test_conv3_to_conv5_start_wider_in_the_code_than_in_the_paper() -> None:
    """0.03 for the printed 0.01."""
    for name, expected in (("paper", 0.01), ("source_2012", 0.03)):
        config = preset(name)
        found = {
            layer.init.std for layer in config.network.convolutions[2:] if layer.init != FanIn()
        }
        assert found == {expected}


def test_the_code_slows_and_freezes_conv1_near_the_end() -> None:
    """Epochs 67 and 72 of 92; the paper does not say so."""
    rates = preset("source_2012").training.layer_rates

    assert rates == (
        LayerRate(layer="conv1", of="weights", after=67, factor=0.1),
        LayerRate(layer="conv1", after=72, factor=0),
    )
    assert preset("paper").training.layer_rates == ()


def test_decays_of_the_cifar_networks() -> None:
    """FC layers of up to 3, convolutions of the local networks none."""

    def decay(name: str) -> dict[str, float]:
        optimizer = preset(name).training.optimizer
        assert isinstance(optimizer, MomentumSGD)
        assert isinstance(optimizer.weight_decay, dict)
        return optimizer.weight_decay

    assert decay("cifar_80sec")["fc4"] == decay("cifar_80sec")["fc5"] == 0.03
    assert decay("cifar_19pct")["fc4"] == 3
    assert decay("cifar_18pct")["fc4"] == 1
    assert decay("cifar_conv_local_13pct") == {"local3": 0.004, "local4": 0.004, "fc5": 0.004}
    assert decay("cifar_conv_local_11pct") == {"local3": 0.004, "local4": 0.004, "fc5": 0.01}


def test_towers_see_only_their_own_maps_and_meet_where_they_should() -> None:
    """What of the input's towers reaches each unit of conv3, in the 2012 code and in #150."""
    for name, meets in (("source_2012", True), ("no_communication_2012", False)):
        network = build(preset(name), 0).eval()
        conv3 = layer_of(network, "conv3")
        maps = preset(name).network.seen_by()["conv3"].maps
        seen = torch.zeros(1, maps, 13, 13)
        seen[:, : maps // 2] = 1  # the first tower's
        with torch.no_grad():
            reached = (conv3(seen) != conv3(torch.zeros_like(seen))).flatten(2).any(2)[0]

        assert reached[:192].all()
        assert bool(reached[192:].any()) is meets


def test_an_unknown_preset_is_refused_with_the_nearest() -> None:
    """In a sentence."""
    with pytest.raises(PresetError, match="no preset 'cafenet'; did you mean caffenet"):
        preset("cafenet")


def test_norm_windows_of_2012_do_not_cross_the_towers() -> None:
    """A change in map 47 reaches maps 45 to 47; in Caffe also 48 and 49."""
    for name, reach in (("paper", [45, 46, 47]), ("caffe_alexnet", [45, 46, 47, 48, 49])):
        norm = dict(skeleton(preset(name).network).features.named_children())["conv1_norm"]
        images = torch.full((1, 96, 1, 1), 50.0)
        changed = images.clone()
        changed[0, 47] = 100.0

        moved = (norm(images) != norm(changed)).flatten().numpy()

        assert np.flatnonzero(moved).tolist() == reach
