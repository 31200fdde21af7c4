"""A config in words, a facet a line: which AlexNet is this?"""

import json
from collections.abc import Callable, Iterable, Sequence
from contextvars import ContextVar
from itertools import groupby
from typing import Self

from pydantic import JsonValue

from alexnet.config import (
    ACTIVATIONS,
    LRN,
    AreaCrops,
    BatchNorm,
    ChannelMeans,
    Config,
    Constant,
    Conv,
    Custom,
    Dense,
    Dropout,
    Drops,
    Elu,
    Exponential,
    Gelu,
    Init,
    LayerRate,
    LeakyRelu,
    MapNorm,
    MomentumSGD,
    Normal,
    Offsets,
    Part,
    Plateau,
    Pool,
    Relu,
    Schedule,
    Silu,
    Steps,
    Tanh,
)
from alexnet.text import counted

NONE = "-"
_EXACTLY = ContextVar("_EXACTLY", default=False)
"""Whether numbers are written with all their digits."""


class Facet(str):
    """What a config chooses of something, in words; numbers that only look alike are not equal."""

    exactly: str

    def __new__(cls, words: str, exactly: str) -> Self:
        """Return words that people read, and the same with every digit."""
        facet = super().__new__(cls, words)
        facet.exactly = exactly
        return facet

    def __eq__(self, other: object) -> bool:
        """Return whether every digit is the same; of plain text, whether it reads the same."""
        if isinstance(other, Facet):
            return self.exactly == other.exactly
        return str(self) == other

    def __ne__(self, other: object) -> bool:
        """Return the opposite, which text would decide by itself."""
        return not self == other

    __hash__ = str.__hash__


def number(value: float, digits: int = 6) -> str:
    """Return a number as people read it, or with all its digits."""
    return repr(float(value)) if _EXACTLY.get() else f"{value:.{digits}g}"


def facets(config: Config) -> dict[str, Facet]:
    """Return what a config chooses, in words, by the name of each facet."""
    token = _EXACTLY.set(True)
    try:
        exactly = _facets(config)
    finally:
        _EXACTLY.reset(token)
    return {name: Facet(words, exactly[name]) for name, words in _facets(config).items()}


def _facets(config: Config) -> dict[str, str]:
    network, inputs, training = config.network, config.inputs, config.training
    convolutions = network.convolutions
    first = convolutions[0] if convolutions else None
    hangs_over = first is not None and first.rounding == "ceil"
    return {
        "view": f"{network.view} px" + (" + zeros right, below" if hangs_over else ""),
        "classes": str(network.classes),
        "maps": _row(conv.maps for conv in convolutions),
        "kernels": _row(_kernel(conv) for conv in convolutions),
        "padding": _row(conv.padding for conv in convolutions),
        "hidden units": _row(d.units for d in network.classifier if d.units),
        "towers in": _row(_tower(layer) for layer in network.layers if layer.groups > 1),
        "unshared": _row(conv.name for conv in convolutions if conv.weights == "unshared"),
        "activation": _parts(config, *ACTIVATIONS, own="activation"),
        "LRN": _parts(config, LRN),
        "norm in maps": _parts(config, MapNorm),
        "batch norm": _parts(config, BatchNorm),
        "own norm": _parts(config, own="norm"),
        "pooling": _parts(config, Pool, own="pool"),
        "after conv1": _order(config, 0),
        "after conv2": _order(config, 1),
        "after the last": _order(config, -1),
        "after others": _after_others(config),
        "dropout": _dropout(config),
        "initial std": _by_layer(config, _deviation),
        "initial biases": _by_layer(config, _bias),
        "pixels": _pixels(config),
        "crops": _crops(config),
        "mirrored": "half of them" if inputs.flips else NONE,
        "colour noise": _colour(config),
        "image order": "new each epoch" if inputs.shuffle == "each epoch" else "one, of the files",
        "images": f"the first {training.images:,}" if training.images else "all",
        "batch": str(training.batch),
        "epochs": str(training.epochs),
        "update": _update(config),
        "rate": f"{number(training.optimizer.rate)}, {schedule(training.schedule)}",
        "rate of biases": _bias_rate(config),
        "single layers": "; ".join(map(_layer_rate, training.layer_rates)) or NONE,
        "weight decay": _decay(config),
    }


def schedule(one: Schedule) -> str:
    """Return how a rate moves."""
    match one:
        case Constant():
            return "constant"
        case Drops(after=after, factor=factor):
            return (
                f"x {number(factor)} after {_row(after)} {'epoch' if after == (1,) else 'epochs'}"
            )
        case Plateau(drops=drops, factor=factor, patience=patience, improvement=least):
            points = "1 point" if 100 * least == 1 else f"{number(100 * least)} points"
            without = f"{counted(patience, 'epoch')} without {points}"
            return f"x {number(factor)}, {counted(drops, 'time')}, after {without}"
        case Steps(updates=updates, factor=factor):
            return f"x {number(factor)} every {counted(updates, 'update')}"
        case Exponential(fall=fall, steps=steps):
            return f"down to 1/{number(fall)} in {counted(steps, 'equal step')}"


def initial(init: Init) -> str:
    """Return how a layer starts."""
    bias = init.bias if isinstance(init, Normal) else 0.0
    return _deviation(init) + (f", biases {number(bias)}" if bias else "")


def _row(values: Iterable[object]) -> str:
    return " ".join(map(str, values)) or NONE


def _kernel(conv: Conv) -> str:
    return f"{conv.size}" if conv.stride == 1 else f"{conv.size}/{conv.stride}"


def _parts(config: Config, *kinds: type[Part], own: str = "") -> str:
    """Return the parts of some kinds in words, and those of one's own that have a role."""
    found = (
        part_in_words(part)
        for part in config.network.parts_in_use().values()
        if (part.role == own if isinstance(part, Custom) else isinstance(part, kinds))
    )
    return ", ".join(found) or NONE


def part_in_words(part: Part) -> str:
    """Return a part with its numbers."""
    match part:
        case Relu():
            return "ReLU"
        case Tanh(outer=outer, inner=inner):
            return "tanh" if outer == inner == 1 else f"{number(outer)} tanh({number(inner)} x)"
        case LeakyRelu(slope=slope):
            return f"ReLU leaking {number(slope)}"
        case Elu(alpha=alpha):
            return f"ELU of alpha {number(alpha)}"
        case Gelu(formula=formula):
            return "GELU" if formula == "exact" else "GELU by tanh"
        case Silu():
            return "SiLU"
        case Pool(kind=kind, size=size, stride=stride, rounding=rounding):
            up = ", rounded up" if rounding == "ceil" else ""
            return f"{kind.removesuffix('_pool')} {size}/{stride}{up}"
        case LRN(groups=groups):
            several = "per tower" if groups == 2 else f"in {groups} groups"
            towers = several if groups > 1 else "across all maps"
            return f"{counted(part.size, 'map')} {towers}, {_powers(part)}"
        case MapNorm():
            return f"{part.size} x {part.size} px, {_powers(part)}"
        case BatchNorm(momentum=momentum):
            return f"of each batch, averages moving by {number(momentum)}"
        case Dropout(rate=rate, scale=scale):
            return f"{number(rate)}, scaled in {scale}"
        case Custom():
            return _own_in_words(part)


def _own_in_words(part: Custom) -> str:
    """Return a part of one's own with its arguments, and the first digits of its file's digest."""
    given = ", ".join(f"{name}={_argument(value)}" for name, value in sorted(part.kwargs.items()))
    pooled = f" {part.size}/{part.stride}" if part.window else ""
    padded = f", padding {part.padding}" if part.padding else ""
    up = ", rounded up" if part.rounding == "ceil" else ""
    learns = [
        f"{count:,} parameters{of}"
        for count, of in ((part.parameters, ""), (part.parameters_per_map, " a map"))
        if count
    ]
    called = f"{part.target}({given})" if given else part.target
    digest = part.source if _EXACTLY.get() else part.source[:6]
    return ", ".join([f"{called}{pooled}{padded}{up}", *learns, f"file {digest}"])


def _argument(value: JsonValue) -> str:
    if isinstance(value, float):
        return number(value)
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def _powers(part: LRN | MapNorm) -> str:
    return f"alpha {number(part.alpha, 3)}, k {number(part.k)}, beta {number(part.beta)}"


def _order(config: Config, place: int) -> str:
    convolutions = config.network.convolutions
    if not -len(convolutions) <= place < len(convolutions):
        return NONE
    return _then(config, convolutions[place])


def _then(config: Config, layer: Conv | Dense) -> str:
    """Return what follows a layer, but for dropout, which has a facet of its own."""
    parts = config.network.after(layer)
    return _row(name for name, part in parts if not isinstance(part, Dropout))


def _after_others(config: Config) -> str:
    """Return what follows the layers that no other facet of order shows."""
    shown = (*config.network.convolutions[:2], *config.network.convolutions[-1:])
    others = [layer for layer in config.network.layers if layer not in shown]
    runs = groupby(others, key=lambda layer: _then(config, layer))
    return "; ".join(f"{parts} after {_row(one.name for one in same)}" for parts, same in runs)


def _tower(layer: Conv | Dense) -> str:
    return layer.name if layer.groups == 2 else f"{layer.name} ({layer.groups})"


def _dropout(config: Config) -> str:
    after = _row(
        layer.name
        for layer in config.network.layers
        if any(isinstance(part, Dropout) for _, part in config.network.after(layer))
    )
    return NONE if after == NONE else f"{_parts(config, Dropout)}, after {after}"


def _by_layer(config: Config, read: Callable[[Init], str]) -> str:
    """Return one value for all layers, or values with the layers that have them."""
    layers = config.network.layers
    runs = [(value, list(same)) for value, same in groupby(layers, lambda one: read(one.init))]
    if len(runs) == 1:
        return runs[0][0]
    return ", ".join(f"{value} {_span(same)}" for value, same in runs)


def _span(layers: list[Conv | Dense]) -> str:
    first, last = layers[0].name, layers[-1].name
    return first if first == last else f"{first}-{last}"


def _deviation(init: Init) -> str:
    return f"{number(init.std)}" if isinstance(init, Normal) else "by fan-in"


def _bias(init: Init) -> str:
    return f"{number(init.bias)}" if isinstance(init, Normal) else "by fan-in"


def _pixels(config: Config) -> str:
    inputs = config.inputs
    size = f"resized to {inputs.resize}, " if inputs.resize else ""
    normalise = inputs.normalise
    if isinstance(normalise, ChannelMeans):
        by = ", ".join(
            f"{what} {_levels(levels)}"
            for what, levels in (("mean", normalise.means), ("deviation", normalise.deviations))
        )
        return f"{size}channels by {by}"
    divided = f", over {number(normalise.divisor)}" if normalise.divisor != 1 else ", not scaled"
    where = "" if normalise.square == "centre" else " of the crop's place"
    return f"{size}minus mean image{where}{divided}"


def _levels(levels: Sequence[float] | None) -> str:
    return "their own" if levels is None else _row(f"{number(level, 4)}" for level in levels)


def _crops(config: Config) -> str:
    inputs, shared = config.inputs, ""
    if inputs.chunk > 1:
        shared = f", one for {inputs.chunk} images"
    match inputs.random_crops:
        case False:
            return NONE
        case AreaCrops(smallest=smallest, stretch=stretch):
            area = f"{number(100 * smallest)} to 100 % of the area"
            return f"{area}, stretched up to {number(stretch, 3)}"
        case Offsets(places=places):
            return f"{places} x {places} places{shared}"
        case _:
            return f"anywhere{shared}"


def _colour(config: Config) -> str:
    colour = config.inputs.colour
    if colour is None:
        return NONE
    by = "eigenvalues" if colour.formula == "unit" else "their roots"
    end = f", until epoch {colour.last_epoch}" if colour.last_epoch else ""
    return f"{number(colour.std)} by {by}{end}"


def _update(config: Config) -> str:
    optimizer = config.training.optimizer
    if not isinstance(optimizer, MomentumSGD):
        return f"Adam, betas {_row(optimizer.betas)}, epsilon {number(optimizer.epsilon)}"
    inside = "inside" if optimizer.convention == "paper" else "outside"
    return f"momentum {number(optimizer.momentum)}, rate {inside} the velocity"


def _bias_rate(config: Config) -> str:
    training = config.training
    multiple = training.optimizer.bias_rate if isinstance(training.optimizer, MomentumSGD) else 1
    own = f", {schedule(training.bias_schedule)}" if training.bias_schedule else ""
    return ("as the weights'" if multiple == 1 else f"x {number(multiple)}") + own


def _layer_rate(one: LayerRate) -> str:
    what = one.layer if one.of == "all" else f"{one.layer}'s {one.of}"
    when = f" after {one.after}" if one.after else ""
    return f"{what} frozen{when}" if one.factor == 0 else f"{what} x {number(one.factor)}{when}"


def _decay(config: Config) -> str:
    optimizer = config.training.optimizer
    if not isinstance(optimizer, MomentumSGD) or not optimizer.weight_decay:
        return NONE
    decays = [f"{number(optimizer.decay_of(layer.name))}" for layer in config.network.layers]
    shown = decays[0] if len(set(decays)) == 1 else _row(decays)
    return shown + (" on weights" if optimizer.decays == "weights" else " on all")
