"""Configs refuse nonsense, survive being written and read, and change in one way only."""

import json

import pytest
from pydantic import ValidationError

from ablations.studies import STUDIES
from alexnet.config import LRN, Config, Dropout, Pool, Relu, Tanh
from alexnet.presets import PRESETS, cifar_80sec, tiny

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
