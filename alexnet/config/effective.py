"""What of a config decides a training: two that are alike in it train the same network.

A choice can be written down and change nothing: a part that no layer is followed by, a drop of
the rate after the last epoch. `effective` leaves such choices out and says why, so that an arm
which differs from another in nothing else is noticed before it is trained.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from alexnet.config import Config
from alexnet.config.base import canonical
from alexnet.config.network import Conv, windows
from alexnet.config.parts import LRN, Dropout, LeakyRelu, MapNorm, Part, Pool
from alexnet.config.training import (
    Constant,
    Drops,
    MomentumSGD,
    Offsets,
    Plateau,
    Schedule,
    Steps,
    Training,
)


class Effective(NamedTuple):
    """What of a config decides a training, and what of it does nothing."""

    decides: str  # JSON, equal where the trained network is the same
    idle: tuple[str, ...]  # choices that change nothing, each with the reason


class Images(NamedTuple):
    """What a training's images add to what its config says; None: not known."""

    trained_on: int | None = None  # training images
    side: int | None = None  # pixels


UNKNOWN = Images()


@lru_cache(maxsize=4096)
def effective(config: Config, images: Images = UNKNOWN) -> Effective:
    """Return what of a config decides a training on such images, and what does nothing.

    The seed, the rate's size and how chance falls are no part of it: a layer or a part that is
    called otherwise draws other numbers, and is the same question.
    """
    idle: list[str] = []
    training = _training(config.training, [layer.name for layer in config.network.layers], images)
    content: dict[str, Any] = {
        "network": _network(config, idle),
        "training": training.decides,
        "inputs": _inputs(config, images, idle),
    }
    content["pinned"] = _pinned(config, content["inputs"])
    return Effective(canonical(content), (*idle, *training.idle))


def _network(config: Config, idle: list[str]) -> dict[str, Any]:
    """Return a network with the parts written where they follow, those that do nothing left out."""
    network = config.network
    used = network.parts_in_use()
    for name, part in network.parts.items():
        if part is not None and name not in used:
            known = ", ".join(sorted({part for layer in network.layers for part in layer.then}))
            idle.append(f"no layer is followed by the part {name!r}; layers name {known}")
    does_nothing = {name: why for name, part in used.items() if (why := _why_nothing(part))}
    idle += [f"the part {name!r} {why}" for name, why in does_nothing.items()]
    seen, layers = network.seen_by(), []
    for layer in network.layers:
        written = layer.model_dump(mode="json", exclude={"then"})
        if isinstance(layer, Conv):
            sizes = (layer.size, layer.stride, layer.padding)
            written["rounding"] = _rounding(layer.rounding, seen[layer.name].side, *sizes)
        following = zip(network.after(layer), network.flows_after(layer), strict=True)
        written["then"] = [
            _part(part, flow.sees.side)
            for (name, part), flow in following
            if name not in does_nothing
        ]
        layers.append(written)
    size = network.model_dump(mode="json", include={"view", "channels", "classes"})
    return size | {"layers": layers}


def _why_nothing(part: Part) -> str | None:
    """Say why a part returns what it is given, or None."""
    match part:
        case LRN(alpha=0.0, k=1.0) | MapNorm(alpha=0.0, k=1.0):
            return "has alpha 0 and k 1, which returns what it is given: it is none"
        case Dropout(rate=0.0):
            return "silences no unit (rate 0): it is none"
        case LeakyRelu(slope=1.0):
            return "has slope 1, which returns what it is given: it is none"
        case Pool(size=1):
            return "has windows of one pixel: it is none"
        case _:
            return None


def _part(part: Part, side: int) -> dict[str, Any]:
    """Return a part as it acts on maps of a side, pixels."""
    match part:
        case LRN(alpha=0.0):
            part = part.but(size=1, groups=1)
        case MapNorm(alpha=0.0):
            part = part.but(size=1)
        case Pool(rounding="ceil"):
            part = part.but(rounding=_rounding("ceil", side, part.size, part.stride, 0))
    return part.model_dump(mode="json")


def _rounding(rounding: str, side: int, size: int, stride: int, padding: int) -> str:
    """Return how windows are rounded, ``floor`` where both ways give the same number."""
    both = (windows(side, size, stride, padding, way) for way in ("floor", "ceil"))
    return "floor" if len(set(both)) == 1 else rounding


class _Trained(NamedTuple):
    decides: dict[str, Any]
    idle: list[str]


def _training(training: Training, layers: list[str], images: Images) -> _Trained:
    """Return a training without what comes too late, or multiplies by one."""
    idle: list[str] = []
    written = training.model_dump(mode="json", exclude={"validate_each_epoch"})
    if training.images is not None and training.images == images.trained_on:
        idle.append(f"{training.images:,} is the number of all images")
        written["images"] = None
    shown = training.images or images.trained_on
    updates = -(-shown // training.batch) * training.epochs if shown else None
    schedule, why = _schedule(training.schedule, training.epochs, updates)
    biases, why_biases = _schedule(
        training.bias_schedule or training.schedule, training.epochs, updates
    )
    idle += [f"the schedule {said}" for said in (why,) if said]
    idle += [f"the schedule of biases {said}" for said in (why_biases,) if said and said != why]
    if training.bias_schedule is not None and biases == schedule:
        idle.append("biases have the schedule of the weights")
    written |= {"schedule": schedule, "bias_schedule": biases}
    acting = [r for r in training.layer_rates if r.factor != 1 and r.after < training.epochs]
    for rate in training.layer_rates:
        if rate not in acting:
            late = f"after epoch {rate.after} of {training.epochs}"
            said = "is a factor of 1" if rate.factor == 1 else f"comes {late}"
            idle.append(f"the rate of layer {rate.layer!r} {said}")
    written["layer_rates"] = sorted(rate.model_dump_json() for rate in acting)
    moves = schedule["kind"] != "constant" or biases["kind"] != "constant"
    moves = moves or any(rate.after for rate in acting)
    written["optimizer"] = _optimizer(training, layers, moves, idle)
    return _Trained(written, idle)


def _optimizer(
    training: Training, layers: list[str], moves: bool, idle: list[str]
) -> dict[str, Any]:
    optimizer = training.optimizer
    written = optimizer.model_dump(mode="json", exclude={"rate"})
    if isinstance(optimizer, MomentumSGD):
        decays = [optimizer.decay_of(layer) for layer in layers]
        written["weight_decay"] = decays
        if not any(decays):
            written.pop("decays", None)
        if optimizer.convention == "pytorch" and not (moves and optimizer.momentum):
            idle.append("momentum is the same in both conventions while the rate does not move")
            del written["convention"]
    return written


def _schedule(
    schedule: Schedule, epochs: int, updates: int | None
) -> tuple[dict[str, Any], str | None]:
    """Return a schedule without drops that never come, and why they don't."""
    constant = Constant().model_dump(mode="json")
    ends = f"and the training ends after {epochs}"
    match schedule:
        case Drops(factor=1.0) | Steps(factor=1.0) | Plateau(factor=1.0):
            return constant, "multiplies by 1"
        case Drops(after=after):
            acting = tuple(sorted(epoch for epoch in after if epoch < epochs))
            late = ", ".join(str(epoch) for epoch in after if epoch >= epochs)
            why = f"drops after epoch {late}, {ends}" if late else None
            return schedule.but(after=acting).model_dump(mode="json") if acting else constant, why
        case Steps(updates=each) if updates is not None and each >= updates:
            return constant, f"drops after update {each:,}, and the last is {updates:,}"
        case Plateau(patience=patience, drops=drops):
            # The first epoch is always the best so far; what follows the last one is no training.
            most = max(0, (epochs - 2) // patience)
            if not most:
                return constant, f"drops after epoch {patience + 1} at the earliest, {ends}"
            return schedule.but(drops=min(drops, most)).model_dump(mode="json"), None
        case _:
            return schedule.model_dump(mode="json"), None


def _inputs(config: Config, images: Images, idle: list[str]) -> dict[str, Any]:
    """Return what is done to images, without choices among one thing."""
    inputs, training = config.inputs, config.training
    written = inputs.model_dump(mode="json")
    last = inputs.colour.last_epoch if inputs.colour else None
    if last is not None and last >= training.epochs:
        idle.append(f"colour noise ends after epoch {last}, and the training {training.epochs}")
        del written["colour"]["last_epoch"]
    side = inputs.resize or images.side
    if side is not None and isinstance(inputs.random_crops, bool | Offsets):
        places = side - config.network.view + 1
        drawn = inputs.random_crops
        of = places if drawn is True else drawn.places if isinstance(drawn, Offsets) else 1
        if of == places:
            written["random_crops"] = places > 1
        if places == 1 and drawn:
            idle.append(f"a view of {side} pixels has one place in images of {side}")
    if not written["random_crops"] and not inputs.flips:
        written.pop("chunk", None)
        if inputs.chunk > 1:
            idle.append("without crops and flips, images of a chunk share nothing")
    return written


def _pinned(config: Config, inputs: Mapping[str, Any]) -> list[str]:
    """Return the streams that follow seed 0 and are drawn from."""
    dropout = any(isinstance(p, Dropout) for p in config.network.parts_in_use().values())
    drawn = {"crop": inputs["random_crops"], "flip": inputs["flips"], "colour": inputs["colour"],
             "dropout": dropout}  # fmt: skip
    return sorted(stream for stream in set(config.pinned) if drawn.get(stream, True))


def why_alike(one: Config, other: Config, images: Images = UNKNOWN) -> str | None:
    """Say why two configs train the same network, rates apart; None if they do not.

    Args:
        one: The config whose choices are to be explained.
        other: What it is held against.
        images: What is known of the images.
    """
    mine, others = effective(one, images), effective(other, images)
    if mine.decides != others.decides:
        return None
    said = [why for why in (*mine.idle, *others.idle) if (why in mine.idle) != (why in others.idle)]
    return "; ".join(said) or _how_written(one, other)


def _how_written(one: Config, other: Config) -> str:
    """Say how two configs differ that train the same network with nothing idle in either."""
    if one == other:
        return "they differ in nothing"
    rate = one.training.optimizer.rate
    if other.but(training={"optimizer": {"rate": rate}}) == one:
        return "they differ in the rate alone, which is chosen for each arm from rates="
    return "they differ in how they are written alone"
