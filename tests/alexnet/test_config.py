"""Configs refuse nonsense, survive being written and read, and change in one way only."""

import json

import pytest
import torch
from pydantic import ValidationError

from ablations.studies import STUDIES
from alexnet.config import (
    LRN,
    AreaCrops,
    ChannelMeans,
    Config,
    Dropout,
    Exponential,
    LayerRate,
    MeanImage,
    PcaColour,
    Pool,
    Relu,
    Tanh,
)
from alexnet.model import skeleton
from alexnet.presets import PRESETS, cifar_80sec, preset, tiny

ARMS = [
    pytest.param(study.config(dataset, arm), id=f"{study.name}/{dataset}/{arm}")
    for study in STUDIES.values()
    for dataset in study.bases
    for arm in study.arms
]


@pytest.mark.parametrize("config", [preset() for preset in PRESETS.values()], ids=PRESETS)
def test_a_preset_is_read_back_as_it_was_written(config: Config) -> None:
    """JSON keeps every choice, and its kind."""
    assert Config.model_validate_json(config.model_dump_json()) == config


@pytest.mark.parametrize("config", ARMS)
def test_an_arm_is_read_back_as_it_was_written(config: Config) -> None:
    """The same for everything that a study can train."""
    assert Config.model_validate(json.loads(config.model_dump_json())) == config


def test_a_change_touches_only_what_it_names() -> None:
    """Tanh replaces ReLU; pooling, rates and all else stay."""
    changed = cifar_80sec().but(network={"parts": {"act": Tanh()}})

    assert changed.network.parts["act"] == Tanh()
    assert changed.but(network={"parts": {"act": Relu()}}) == cifar_80sec()


def test_a_change_inside_a_part_keeps_the_rest_of_it() -> None:
    """Only k moves."""
    assert LRN(size=3, alpha=2e-5).but(k=1.0) == LRN(size=3, alpha=2e-5, k=1.0)


@pytest.mark.parametrize(
    "change",
    [
        {"networks": {}},
        {"network": {"parts": {"act": {"kind": "swish"}}}},
        {"training": {"epochs": 0}},
        {"training": {"optimizer": {"rate": float("nan")}}},
        {"training": {"optimizer": {"momentum": 1.0}}},
        {"network": {"parts": {"pool": Pool(size=3).model_dump() | {"stride": 4}}}},
    ],
)
def test_a_change_that_makes_no_sense_is_refused(change: dict[str, object]) -> None:
    """A misspelt field, an unknown kind, a value outside its range."""
    with pytest.raises(ValidationError):
        tiny().but(**change)


def test_a_layer_that_names_an_unknown_part_is_refused() -> None:
    """The message names the part."""
    network = tiny().network.model_dump()
    del network["parts"]["dropout"]
    with pytest.raises(ValidationError, match="'dropout'"):
        type(tiny().network).model_validate(network)


def test_two_layers_of_one_name_are_refused() -> None:
    """Names decide initial weights, so two of them would draw the same."""
    network = tiny().network.model_dump()
    network["classifier"][0]["name"] = "conv1"
    with pytest.raises(ValidationError, match="'conv1' is used twice"):
        type(tiny().network).model_validate(network)


def test_only_the_last_layer_takes_its_width_from_the_classes() -> None:
    """A hidden layer without a width is a mistake."""
    network = tiny().network.model_dump()
    network["classifier"][0]["units"] = None
    with pytest.raises(ValidationError, match="leaves its units"):
        type(tiny().network).model_validate(network)


def test_a_dropout_of_everything_is_refused() -> None:
    """Nothing would be left to scale."""
    with pytest.raises(ValidationError):
        Dropout(rate=1.0)


def test_layers_are_changed_and_removed_by_name() -> None:
    """The others stay as they were, in their order."""
    before = tiny().network
    changed = before.but(convolutions={"conv1": {"maps": 6}, "conv2": None})

    assert changed.convolutions == (before.convolutions[0].but(maps=6),)
    assert changed.classifier == before.classifier


def test_a_mapping_of_another_kind_replaces_a_value() -> None:
    """Fields of the old kind are not carried over."""
    changed = tiny().but(inputs={"normalise": {"kind": "channel_means"}})

    assert changed.inputs.normalise == ChannelMeans()
    assert tiny().but(inputs={"colour": {"kind": "pca_colour", "std": 0.2}}).inputs.colour == (
        PcaColour(formula="source", std=0.2)
    )


def test_a_layer_that_is_not_there_cannot_be_changed() -> None:
    """A misspelt name would silently change nothing."""
    with pytest.raises(ValueError, match="there is no layer 'conv9'"):
        tiny().but(network={"convolutions": {"conv9": {"maps": 6}}})


def test_a_field_at_its_default_can_be_changed_inside() -> None:
    """Though it is not written out: what is read back has the default."""
    changed = tiny().but(inputs={"normalise": {"divisor": 58.0}})

    assert changed.inputs.normalise == MeanImage(divisor=58.0)
    assert "normalise" not in tiny().model_dump(mode="json")["inputs"]
    assert Config.model_validate_json(changed.model_dump_json()) == changed


@pytest.mark.parametrize(
    ("preset_name", "change", "why"),
    [
        ("torchvision", {"view": 62},  # it says itself that 63 is the least
         "conv5's pool: a window of 3 x 3 does not fit the 2 x 2 pixels it sees"),
        ("paper", {"view": 10, "convolutions": {"conv1": {"rounding": "floor"}}},
         "conv1: a window of 11 x 11 does not fit the 10 x 10 pixels it sees"),
        ("paper", {"convolutions": {"conv2": {"groups": 3}}},
         "conv2: 3 groups do not divide 256 of its own"),
        ("paper", {"convolutions": {"conv1": {"maps": 97}}},
         "conv1's norm: 2 groups do not divide 97 maps"),
        ("paper", {"convolutions": {"conv1": {"maps": 95, "then": ("act", "pool")}}},
         "conv2: 2 groups do not divide 95 maps it sees"),
        ("paper", {"convolutions": {"conv3": {"then": ("act", "norm", "act")}}},
         "'conv3_act' would stand for two things"),
        ("paper", {"parts": {"norm": {"size": 4}}}, "a window of 4 has no middle"),
        ("source_2012", {"parts": {"map_norm": {"size": 4}}}, "a window of 4 has no middle"),
        ("paper", {"classifier": {"fc6": {"then": ("act", "pool")}}},
         "fc6's pool: max_pool follows a convolution"),
        ("cifar_conv_local_13pct", {"convolutions": {"local3": {"groups": 2}}},
         "local3: unshared weights have neither groups"),
    ],
)  # fmt: skip
def test_a_network_that_cannot_be_built_is_refused(
    preset_name: str, change: dict[str, object], why: str
) -> None:
    """Before anything is built, with the layer, the value and the rule."""
    with pytest.raises(ValidationError, match=why):
        preset(preset_name).network.but(**change)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"training": {"optimizer": {"weight_decay": {"fc9": 0.1}}}},
         "weight_decay names 'fc9', which is not a layer"),
        ({"training": {"layer_rates": (LayerRate(layer="conv3", factor=0),)}},
         "layer_rates names 'conv3', which is not a layer"),
        ({"inputs": {"resize": 8}}, "images resized to 8 pixels have no view of 12"),
        ({"inputs": {"random_crops": AreaCrops(), "chunk": 32}}, "leave chunk at 1"),
        ({"inputs": {"random_crops": AreaCrops(), "normalise": MeanImage(square="aligned")}},
         "no aligned square"),
        ({"inputs": {"random_crops": AreaCrops(),
                     "normalise": MeanImage(square="aligned", divisor=2.0)}}, "no aligned square"),
        ({"inputs": {"normalise": ChannelMeans(deviations=(1.0, 2.0, 3.0))}}, None),
        ({"training": {"schedule": Exponential(fall=250, steps=4)}}, None),
        ({"training": {"schedule": {"kind": "exponential", "fall": 1.0, "steps": 4}}}, "fall"),
    ],
)  # fmt: skip
def test_training_that_makes_no_sense_is_refused(
    change: dict[str, object], why: str | None
) -> None:
    """And what makes sense is not."""
    if why is None:
        assert tiny().but(**change) != tiny()
    else:
        with pytest.raises(ValidationError, match=why):
            tiny().but(**change)


def test_a_channel_is_not_divided_by_nothing() -> None:
    """Nor by less."""
    with pytest.raises(ValidationError, match="divided by 0"):
        ChannelMeans(deviations=(1.0, 0.0, 3.0))


def test_the_smallest_view_of_torchvisions_network_is_its_own() -> None:
    """63 pixels, in the metadata of its weights."""
    assert preset("torchvision").network.but(view=63).view == 63


@pytest.mark.parametrize("config", [make() for make in PRESETS.values()], ids=PRESETS)
def test_the_sizes_a_config_tells_are_those_of_its_modules(config: Config) -> None:
    """What every layer sees, by arithmetic there and by shapes here."""
    network = config.network
    activations = torch.empty(2, network.channels, network.view, network.view, device="meta")
    told = network.seen_by()
    built = skeleton(network)
    for name, module in [*built.features.named_children(), *built.classifier.named_children()]:
        if name == network.classifier[0].name:
            activations = activations.flatten(1)
        if name in told:
            assert activations[0].numel() == told[name].units, name
        activations = module(activations)

    assert activations.shape == (2, network.classes)
