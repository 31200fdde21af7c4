"""Choices that change nothing: what is said to be alike trains the same network, bit by bit."""

import pytest
import torch

from alexnet.config import (
    LRN,
    Config,
    Dropout,
    Drops,
    LayerRate,
    LeakyRelu,
    Offsets,
    Plateau,
    Pool,
    Steps,
    Tanh,
)
from alexnet.config.effective import Images, effective, why_alike
from alexnet.data.images import Dataset
from alexnet.model import AlexNet
from alexnet.presets import preset, tiny
from tests.builders.training import train

BASE = tiny().but(training={"epochs": 3, "schedule": Drops(after=(1,))})
"""Two hundred images in batches of 32: 21 updates, in three epochs."""
HERE = Images(trained_on=200, side=16)
"""What `images` has."""


def parts(**changes: object) -> Config:
    """Return the base with other parts."""
    return BASE.but(network={"parts": changes})


def training(**changes: object) -> Config:
    """Return the base trained in another way."""
    return BASE.but(training=changes)


def inputs(config: Config = BASE, **changes: object) -> Config:
    """Return a config that sees images in another way."""
    return config.but(inputs=changes)


NO_DECAY = training(optimizer={"weight_decay": 0.0})
NO_CHANCE = inputs(random_crops=False, flips=False)
ALIKE = {
    "a part that follows no layer": (
        parts(pol=Pool(size=2)),
        BASE,
        "no layer is followed by the part 'pol'; layers name act, dropout, norm, pool",
    ),
    "LRN that divides by one": (
        parts(norm=LRN(alpha=0.0, k=1.0)),
        parts(norm=None),
        "the part 'norm' has alpha 0 and k 1, which returns what it is given: it is none",
    ),
    "windows of LRN without alpha": (
        parts(norm=LRN(alpha=0.0, size=3)),
        parts(norm=LRN(alpha=0.0, size=5)),
        "they differ in how they are written alone",
    ),
    "dropout of nothing": (
        parts(dropout=Dropout(rate=0.0)),
        parts(dropout=None),
        "the part 'dropout' silences no unit (rate 0): it is none",
    ),
    "a leak of all": (
        parts(act=LeakyRelu(slope=1.0)),
        parts(act=None),
        "the part 'act' has slope 1, which returns what it is given: it is none",
    ),
    "pooling of one pixel": (
        parts(pool=Pool(size=1, stride=1)),
        parts(pool=None),
        "the part 'pool' has windows of one pixel: it is none",
    ),
    "rounding of what divides": (
        parts(pool=Pool(size=2, stride=2, rounding="ceil")),
        parts(pool=Pool(size=2, stride=2, rounding="floor")),
        "they differ in how they are written alone",
    ),
    "rounding of a convolution that divides": (
        BASE.but(network={"convolutions": {"conv1": {"rounding": "ceil"}}}),
        BASE,
        "they differ in how they are written alone",
    ),
    "a drop after the end": (
        training(schedule=Drops(after=(1, 500))),
        BASE,
        "the schedule drops after epoch 500, and the training ends after 3",
    ),
    "a drop at the end": (
        training(schedule=Drops(after=(3,))),
        training(schedule={"kind": "constant"}),
        "the schedule drops after epoch 3, and the training ends after 3",
    ),
    "drops by a factor of one": (
        training(schedule=Drops(after=(1,), factor=1.0)),
        training(schedule={"kind": "constant"}),
        "the schedule multiplies by 1",
    ),
    "a plateau that is waited for too long": (
        training(schedule=Plateau(patience=2)),
        training(schedule={"kind": "constant"}),
        "the schedule drops after epoch 3 at the earliest, and the training ends after 3",
    ),
    "steps that are too long": (
        training(schedule=Steps(updates=21)),
        training(schedule={"kind": "constant"}),
        "the schedule drops after update 21, and the last is 21",
    ),
    "biases like the weights": (
        training(bias_schedule=Drops(after=(1,))),
        BASE,
        "biases have the schedule of the weights",
    ),
    "a layer's rate times one": (
        training(layer_rates=(LayerRate(layer="fc3", factor=1.0),)),
        BASE,
        "the rate of layer 'fc3' is a factor of 1",
    ),
    "a layer's rate too late": (
        training(layer_rates=(LayerRate(layer="fc3", factor=0.1, after=3),)),
        BASE,
        "the rate of layer 'fc3' comes after epoch 3 of 3",
    ),
    "decay of biases where there is none": (
        NO_DECAY.but(training={"optimizer": {"decays": "all"}}),
        NO_DECAY,
        "they differ in how they are written alone",
    ),
    "decay by layer, of none": (
        training(optimizer={"weight_decay": {"fc3": 0.0}}),
        NO_DECAY,
        "they differ in how they are written alone",
    ),
    "all images by their number": (
        training(images=200),
        BASE,
        "200 is the number of all images",
    ),
    "errors measured on the way": (
        training(validate_each_epoch=True),
        BASE,
        "they differ in how they are written alone",
    ),
    "noise to the end": (
        inputs(colour={"last_epoch": 3}),
        BASE,
        "colour noise ends after epoch 3, and the training 3",
    ),
    "every place by its number": (
        inputs(random_crops=Offsets(places=5)),
        BASE,
        "they differ in how they are written alone",
    ),
    "chunks that share nothing": (
        inputs(NO_CHANCE, chunk=32),
        NO_CHANCE,
        "without crops and flips, images of a chunk share nothing",
    ),
    "pinned and never drawn": (
        NO_CHANCE.but(pinned=("flip", "crop")),
        NO_CHANCE,
        "they differ in how they are written alone",
    ),
}


def weights(network: AlexNet) -> list[torch.Tensor]:
    """Return all weights in their order: names of parts are none of them."""
    return list(network.parameters())


@pytest.mark.parametrize("case", ALIKE.values(), ids=ALIKE.keys())
def test_what_is_called_alike_trains_the_same_bits(
    images: Dataset, case: tuple[Config, Config, str]
) -> None:
    """And the reason is said, whichever of the two is asked first."""
    one, other, why = case
    assert one != other
    assert why_alike(one, other, HERE) == why_alike(other, one, HERE) == why

    pairs = zip(weights(train(one, images)[0]), weights(train(other, images)[0]), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)


def test_the_conventions_of_momentum_are_one_while_the_rate_stays(images: Dataset) -> None:
    """In float64, to rounding; after a drop they are two."""
    constant = training(schedule={"kind": "constant"})
    theirs = {"optimizer": {"convention": "pytorch"}}
    why = "momentum is the same in both conventions while the rate does not move"
    for base, alike in ((constant, True), (BASE, False)):
        other = base.but(training=theirs)
        assert (why_alike(base, other) == why) is alike
        pairs = zip(
            weights(train(base, images, precision="float64")[0]),
            weights(train(other, images, precision="float64")[0]),
            strict=True,
        )
        same = all(torch.allclose(a, b, rtol=1e-9, atol=1e-12) for a, b in pairs)
        assert same is alike


DIFFERENT = {
    "no LRN is not LRN's constant": (parts(norm=None), parts(norm=LRN(alpha=0.0))),
    "alpha": (BASE, parts(norm={"alpha": 3e-5})),
    "an activation": (BASE, parts(act=Tanh())),
    "pooling": (BASE, parts(pool={"size": 2})),
    "rounding that adds a window": (BASE, parts(pool={"rounding": "floor"})),
    "a drop before the end": (BASE, training(schedule=Drops(after=(2,)))),
    "a plateau that may come": (
        training(schedule=Plateau(patience=1, improvement=0.9)),
        training(schedule={"kind": "constant"}),
    ),
    "steps that come": (
        training(schedule=Steps(updates=20)),
        training(schedule={"kind": "constant"}),
    ),
    "biases of another schedule": (BASE, training(bias_schedule=Drops(after=(2,)))),
    "a frozen layer": (BASE, training(layer_rates=(LayerRate(layer="fc3", factor=0.0, after=2),))),
    "decay": (BASE, NO_DECAY),
    "decay of biases": (BASE, training(optimizer={"decays": "all"})),
    "fewer images": (BASE, training(images=199)),
    "noise that ends before": (BASE, inputs(colour={"last_epoch": 2})),
    "no noise": (BASE, inputs(colour=None)),
    "fewer places": (BASE, inputs(random_crops=Offsets(places=4))),
    "the first place is not the centre": (
        inputs(random_crops=Offsets(places=1)),
        inputs(random_crops=False),
    ),
    "chunks": (BASE, inputs(chunk=32)),
    "flips": (BASE, inputs(flips=False)),
    "a pinned stream": (BASE, BASE.but(pinned=("flip",))),
    "a batch": (BASE, training(batch=64)),
}


@pytest.mark.parametrize("pair", DIFFERENT.values(), ids=DIFFERENT.keys())
def test_what_acts_is_never_called_alike(images: Dataset, pair: tuple[Config, Config]) -> None:
    """Each of these trains another network, as a seed that is not 0 shows."""
    one, other = pair
    assert why_alike(one, other, HERE) is None

    first, second = (weights(train(config, images, seed=3)[0]) for config in pair)
    assert any(
        a.shape != b.shape or not torch.equal(a, b) for a, b in zip(first, second, strict=True)
    )


def test_what_needs_the_images_is_not_said_without_them() -> None:
    """A view of 12 pixels has one place in images of 12, and 25 in those of 16."""
    still = inputs(random_crops=False)
    assert why_alike(BASE, still) is None
    assert why_alike(BASE, still, HERE) is None
    said = why_alike(BASE, still, Images(side=12))
    assert said == "a view of 12 pixels has one place in images of 12"


def test_a_rate_alone_is_no_difference_since_it_is_chosen() -> None:
    """Each arm gets the best of one grid."""
    faster = training(optimizer={"rate": 0.01})
    assert why_alike(BASE, faster) == (
        "they differ in the rate alone, which is chosen for each arm from rates="
    )
    assert why_alike(BASE, BASE) == "they differ in nothing"


@pytest.mark.parametrize("name", ["paper", "source_2012", "caffenet", "torchvision", "cifar_19pct"])
def test_presets_have_nothing_idle(name: str) -> None:
    """What they write down acts, on the images they were made for."""
    assert effective(preset(name)).idle == ()
