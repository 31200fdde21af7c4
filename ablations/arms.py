"""Changes that several studies make to whatever network they start from."""

from collections.abc import Callable

from ablations.study import Changes
from alexnet.config import Config, Conv, Dense, Pool, Tanh

TANH: Changes = {"network": {"parts": {"act": Tanh()}}}
NO_NORM: Changes = {"network": {"parts": {"norm": None}}}
CONSTANT_NORM: Changes = {"network": {"parts": {"norm": {"alpha": 0.0}}}}
"""LRN without its normalisation: what is left of it is the factor k^-beta, 0.59 as printed.

The control of every claim that LRN helps: who removes LRN removes that factor too.
"""
NO_DROPOUT: Changes = {"network": {"parts": {"dropout": None}}}
NO_CROPS_OR_FLIPS: Changes = {"inputs": {"random_crops": False, "flips": False}}
NO_COLOUR_NOISE: Changes = {"inputs": {"colour": None}}
NO_AUGMENTATION: Changes = {"inputs": NO_CROPS_OR_FLIPS["inputs"] | NO_COLOUR_NOISE["inputs"]}
NO_DECAY: Changes = {"training": {"optimizer": {"weight_decay": 0.0}}}
POOL_2_2: Changes = {"network": {"parts": {"pool": Pool(size=2, stride=2, rounding="floor")}}}
"""Pooling that does not overlap and leaves maps of the same size: 55, 27, 13, 6 in the paper."""
OF_THE_WHOLE = "last_pool"
"""What pooling is called that covers its whole map, where other pooling changes."""


def biases_of_zero(config: Config) -> Changes:
    """Return the changes by which every bias starts at 0 (section 5)."""
    return _each_layer(config, lambda layer: {"init": {"bias": 0.0}})


def tanh_and_biases_of_zero(config: Config) -> Changes:
    """Return the changes by which tanh takes ReLU's place, and biases start at 0.

    Biases of 1 are there to give ReLUs positive inputs (section 5); with them tanh did not leave
    chance at any rate from 0.0003 to 0.03.
    """
    zero = biases_of_zero(config)["network"]
    return {"network": {**zero, **TANH["network"]}}


def equal_maps(config: Config) -> Changes:
    """Return 2/2, rounded down, which leaves maps of the same size as 3/2.

    A window that covers its whole map overlaps no other and stays: on images of 32 pixels the
    last one sees a map of 3, of which 2/2 would leave out five places of nine.
    """
    network, last = config.network, config.network.convolutions[-1]
    pool, seen = network.parts["pool"], network.seen_by()[last.name].side
    if not isinstance(pool, Pool) or last.side_of(seen) > pool.size:
        return POOL_2_2
    then = tuple(OF_THE_WHOLE if part == "pool" else part for part in last.then)
    parts = {**POOL_2_2["network"]["parts"], OF_THE_WHOLE: pool}
    return {"network": {"parts": parts, "convolutions": {last.name: {"then": then}}}}


def one_wide_tower(config: Config) -> Changes:
    """Return the changes by which every kernel sees all maps: no towers, and more weights."""
    changes = _each_layer(config, lambda layer: {"groups": 1})
    return {"network": {**changes["network"], **_one_window(config)}}


def half_on_one_gpu(config: Config) -> Changes:
    """Return section 3.2's network for one GPU: half the kernels, but in the last convolution.

    The fully connected layers keep theirs too, which favours it (footnote 2).
    """
    *first, last = config.network.convolutions
    halves = {conv.name: {"maps": conv.maps // 2, "groups": 1} for conv in first}
    convolutions = halves | {last.name: {"groups": 1}}
    return {"network": {"convolutions": convolutions, **_one_window(config)}}


def no_communication(config: Config) -> Changes:
    """Return two towers that meet in the last layer only (the 2012 code's #150).

    They are widened as there: 5/4 of the maps in conv2, twice the units of the first fully
    connected layer, which make up for the kernels that now see half as much.
    """
    first, *_, last = (layer.name for layer in config.network.layers)
    apart = _each_layer(config, lambda layer: {} if layer.name in (first, last) else {"groups": 2})
    second, hidden = config.network.convolutions[1], config.network.classifier[0]
    network = apart["network"]
    network["convolutions"][second.name]["maps"] = second.maps * 5 // 4
    network["classifier"][hidden.name]["units"] = 2 * (hidden.units or 0)
    return apart


def without_convolution(name: str) -> Callable[[Config], Changes]:
    """Return the changes that remove a convolution and its activation; norm and pool stay.

    They then follow the convolution before it, after what follows that already.
    """

    def changes(config: Config) -> Changes:
        network = config.network
        names = [conv.name for conv in network.convolutions]
        place = names.index(name)
        if place == 0:
            raise ValueError(
                f"{name} has no layer before it that its norm and pooling could follow"
            )
        before, removed = network.convolutions[place - 1], network.convolutions[place]
        kept = [part for part in removed.then if part != "act"]
        # A part can follow a layer once; a second one needs a name of its own.
        second = {part: f"{part}_of_{name}" for part in kept if part in before.then}
        parts = {new: network.parts[part] for part, new in second.items()}
        then = (*before.then, *(second.get(part, part) for part in kept))
        convolutions = {before.name: {"then": then}, name: None}
        return {"network": {"parts": parts, "convolutions": convolutions}}

    return changes


def _one_window(config: Config) -> Changes:
    return {"parts": {"norm": {"groups": 1}}} if config.network.parts.get("norm") else {}


def _each_layer(config: Config, change: Callable[[Conv | Dense], Changes]) -> Changes:
    return {
        "network": {
            "convolutions": {conv.name: change(conv) for conv in config.network.convolutions},
            "classifier": {layer.name: change(layer) for layer in config.network.classifier},
        }
    }
