"""What the studies of the paper's ideas start from: one network per kind of images.

On ImageNet the network of the paper's text, as it is. On images of 32 pixels `alexnet_cifar`,
the same eight layers, which is a stand-in for every claim that was made on ImageNet.
"""

import math
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Literal

from ablations.metrics import FinalError, Metric
from ablations.study import Base, Study
from alexnet.config import Config, GiveUp, Network, Normal
from alexnet.data.manifest import Manifest
from alexnet.data.synthetic import GENERATED
from alexnet.presets import alexnet_cifar, paper

TEN_VIEWS = FinalError(views="ten")
"""How the paper measures: section 4.1."""
SMALL_GIVE_UP = GiveUp(updates=316, within=0.02)
"""A rate at which the network still guesses after so many updates, 4 epochs here, is hopeless."""
LARGE_GIVE_UP = GiveUp(updates=38_400, within=0.02)
"""Likewise: 4 epochs of ImageNet."""
SMALL, LARGE = "cifar10", "imagenet"
"""The bases that images of a person's own are given, by their size."""
STORED = {SMALL: 32, LARGE: 256}
"""Pixels, side of the images that these bases crop their views from."""
SMALL_RATES = (0.001, 0.003, 0.01, 0.03)
LARGE_RATES = (0.003, 0.01, 0.03)
FIRST_UNSEEN = 10
"""On CIFAR-10: what seeds 0 to 9 come to was seen on its copy stored as JPEG."""
SECOND_UNSEEN = 20
"""Likewise: seeds 10 to 19 of the whole network, which most studies share, in `one_removed`."""
THIRD_UNSEEN = 30
"""Likewise: seeds 20 to 29 of the whole network in `ten_views`; its runs are older than any plan
that is registered after it."""
LARGEST_SMALL = 64
"""Pixels; larger images are seen by the paper's own network."""
PRACTICE_IMAGES = ("fashion_mini", "fashion_mnist")
"""On which the method is rehearsed in minutes: rates are neither refined nor followed further."""
PRACTICE_SEEDS = 3
PRACTICE: dict[str, Any] = {"epochs": 16, "schedule": {"kind": "drops", "after": (11, 14)}}
"""Shorter: `one_removed` is then meant to take less than an hour on two cores."""

IN_2012 = "ILSVRC-2012's images in place of ILSVRC-2010's, on which the claim was made"
ON_IMAGENET = (
    "paddings, the plateau's patience and where images are cropped are filled in as the preset "
    "`paper` says",
    "a tenth of a class, at most 50,000 images in all, is held out of the training images",
    "the rate of each arm is chosen, of three and then closer to the best; the paper used 0.01 "
    "throughout",
)
IN_PLACE = "small photographs of ten classes in place of ImageNet"
SMALLER = "the paper's eight layers at a smaller width and size (preset `alexnet_cifar`)"
ON_SMALL = (IN_PLACE, f"{SMALLER}, trained on 10,000 of the images")
FEW_SEEDS = f"{PRACTICE_SEEDS} seeds: a demonstration, without a verdict"
ON_GREY = (
    "grey pictures of clothing in place of ImageNet",
    *ON_SMALL[1:],
    FEW_SEEDS,
)


def bases(
    metric: Metric = TEN_VIEWS,
    change: Callable[[Config], dict[str, Any]] | None = None,
    small: dict[str, Any] | None = None,
    small_left_open: Iterable[str] = (),
    seeds: int | None = None,
    judged: bool = True,
    claims: bool = True,
    made_on: Literal["imagenet", "imagenet_2010"] = "imagenet",
    first_seed: int = THIRD_UNSEEN,
) -> dict[str, Base]:
    """Return a study's bases on every dataset that it can be run on.

    Args:
        metric: The primary one.
        change: How every base differs from the network it starts from.
        small: How its base on small images differs from `alexnet_cifar`.
        small_left_open: What that changes against the paper.
        seeds: Planned, if not the study's own number.
        judged: False for what is shown without a verdict.
        claims: False for a question of our own, of which the paper says nothing.
        made_on: The release of ImageNet that the claim is about.
        first_seed: On CIFAR-10, where results of earlier seeds have been seen.
    """
    own = "own question"
    start, large = (
        preset.but(**(change(preset) if change else {})) for preset in (alexnet_cifar(), paper())
    )
    start = start.but(**(small or {}))
    cifar = Base(
        config=start,
        metric=metric,
        rates=SMALL_RATES,
        give_up=SMALL_GIVE_UP,
        setting="stand-in" if claims else own,
        left_open=(*ON_SMALL, *small_left_open),
        seeds=seeds,
        judged=judged,
    )
    grey = cifar.but(
        config=start.but(inputs={"colour": None}, training=PRACTICE),
        left_open=(*ON_GREY, *small_left_open),
        refine=False,
        seeds=PRACTICE_SEEDS,
        judged=False,
    )
    elsewhere = made_on != "imagenet"
    imagenet = Base(
        config=large,
        metric=metric,
        rates=LARGE_RATES,
        give_up=LARGE_GIVE_UP,
        setting=own if not claims else "stand-in" if elsewhere else "closest reading",
        left_open=(*([IN_2012] if elsewhere else []), *ON_IMAGENET),
        threads="all",
        seeds=seeds,
        judged=judged,
    )
    jpeg = cifar.but(left_open=(*cifar.left_open, "images stored as JPEG"))
    found = {
        "fashion_mini": grey,
        "fashion_mnist": grey,
        "cifar10": cifar.but(first_seed=first_seed),
        "cifar10_jpeg": jpeg,
        "imagenet": imagenet,
    }
    if elsewhere:
        own_images = imagenet.left_open[1:]
        found[made_on] = imagenet.but(setting="closest reading", left_open=own_images)
    return found


def suited(study: Study, manifest: Manifest) -> Study:
    """Return a study with a base for a dataset that it does not name, chosen by its size.

    A study that names a base for small images and one for ImageNet takes any images; their
    number of classes, colours and mirror images are the dataset's. Others are returned as they are.
    The generated images, which are for smoke runs, do for every study that sees so small ones.
    """
    if manifest.name in study.bases:
        return study
    if manifest.name == GENERATED:
        preferred = sorted(study.bases.items(), key=lambda one: one[0] != SMALL)
        fitting = [base for _, base in preferred if base.config.misfit(manifest.size) is None]
        found = {}
        if fitting:
            found[GENERATED] = _elsewhere(fitting[0], "generated images, on which no claim is made")
        return study.model_copy(update={"bases": study.bases | found})
    if not {SMALL, LARGE} <= study.bases.keys():
        return study
    kind = SMALL if manifest.size <= LARGEST_SMALL else LARGE
    base = study.bases[kind]
    config = _fitted(base.config, kind, manifest)
    fitted = base.but(config=config, give_up=_give_up(base.give_up, config, manifest))
    said = [line for line in base.left_open if line not in (*ON_SMALL, IN_2012)]
    lines = (*_in_place(fitted.config, kind, manifest), *said)
    return study.model_copy(
        update={"bases": study.bases | {manifest.name: _elsewhere(fitted, *lines)}}
    )


def _give_up(rule: GiveUp | None, config: Config, manifest: Manifest) -> GiveUp | None:
    """Return a rule that can still end runs of few images: after a tenth of their updates at most.

    But not before those in which the small network has left chance.
    """
    if rule is None or rule.updates is None or SMALL_GIVE_UP.updates is None:
        return rule
    images = min(config.training.images or manifest.counts["train"], manifest.counts["train"])
    every = config.training.epochs * math.ceil(images / config.training.batch)
    updates = min(rule.updates, max(SMALL_GIVE_UP.updates, every // 10))
    return rule.but(updates=updates)


def _in_place(config: Config, kind: str, manifest: Manifest) -> Iterator[str]:
    """Say in place of what a person's images stand, and how the network was fitted to them."""
    yield f"{manifest.title or manifest.name} in place of ImageNet"
    trained, there = config.training.images, manifest.counts["train"]
    if kind == SMALL:
        some = f"{trained:,} of the images" if trained != there else f"all {there:,} images"
        yield f"{SMALLER}, trained on {some}"
    if config.inputs.resize:
        yield f"images of {manifest.size} pixels are scaled to {config.inputs.resize}"
    if kind == SMALL and config.network.view != alexnet_cifar().network.view:
        sees = config.network.seen_by()[config.network.classifier[0].name].units
        yield (
            f"seen at {config.network.view} of {manifest.size} pixels, so that the first fully "
            f"connected layer has {sees} inputs and weights that start the smaller for it"
        )


def _elsewhere(base: Base, *left_open: str) -> Base:
    """Return a base for images that no claim was made on; a question of our own stays one."""
    own = base.setting == "own question"
    setting = base.setting if own else "stand-in"
    return base.but(setting=setting, left_open=left_open, first_seed=0)


def _fitted(config: Config, kind: str, manifest: Manifest) -> Config:
    """Return a base's config for a person's images.

    Those between 32 and 64 pixels are seen as they are, at the paper's 7/8 of their side.
    """
    inputs: dict[str, Any] = {}
    network: dict[str, Any] = {"classes": len(manifest.classes)}
    if kind == SMALL and manifest.size > STORED[kind]:
        network |= _seen_at(config.network, manifest.size * 7 // 8)
    elif manifest.size != STORED[kind]:
        inputs["resize"] = STORED[kind]
    if not manifest.colour:
        inputs["colour"] = None
    if not manifest.mirror:
        inputs["flips"] = False
    images = config.training.images and min(config.training.images, manifest.counts["train"])
    return config.but(network=network, inputs=inputs, training={"images": images})


def _seen_at(network: Network, view: int) -> dict[str, Any]:
    """Return the changes by which a network sees more pixels.

    Its first fully connected layer then has more inputs: its weights start smaller by the root of
    how many times more, as the deviations of `alexnet_cifar` follow from those of 2012.
    """
    first = network.classifier[0]
    changes: dict[str, Any] = {"view": view}
    if isinstance(first.init, Normal):
        before, after = (
            one.seen_by()[first.name].units for one in (network, network.but(view=view))
        )
        std = first.init.std * math.sqrt(before / after)
        changes["classifier"] = {first.name: {"init": {"std": round(std, 4)}}}
    return changes
