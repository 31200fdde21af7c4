"""Two towers on two devices (section 3.2): what each has of a network, and what it sends the other.

All of it follows from the config: a layer in groups sees its own tower's maps, any other layer sees
those of both, and there the towers meet.
"""

from typing import Literal, NamedTuple

from alexnet.config.network import Conv, Dense, Maps, Network, module_name
from alexnet.config.parts import (
    LRN,
    BatchNorm,
    Custom,
    Dropout,
    Elu,
    Gelu,
    LeakyRelu,
    MapNorm,
    Part,
    Pool,
    Relu,
    Silu,
    Tanh,
)

TOWERS = 2


class TowersError(ValueError):
    """A network that two devices cannot share as two towers; the message says where and why."""


class Stage(NamedTuple):
    """A layer with weights and the parts that follow it, as one tower has them."""

    layer: Conv | Dense  # half of the whole network's; of the last, all outputs of half the inputs
    parts: tuple[tuple[str, Part], ...]  # by the names of their modules in the whole network
    sees: Literal["images", "own", "both"]  # images, or the maps of its own or of both towers
    seen: Maps  # the size of that
    given: int  # maps or units that it gives
    sent: int  # activations that each tower sends the other before it, an image
    is_last: bool  # the towers add up what they give


def has_towers(network: Network) -> bool:
    """Return whether any layer is in groups."""
    return any(layer.groups > 1 for layer in network.layers)


def stages(network: Network) -> tuple[Stage, ...]:
    """Return the stages of one tower of a network, in order; the other's are the same.

    Raises:
        TowersError: If there are no two towers, or something other than a layer sees both.
    """
    if not has_towers(network):
        raise TowersError("no layer is in groups, so there are no two towers for two devices")
    return tuple(_stage(network, layer) for layer in network.layers)


def bytes_sent(network: Network, number: int = 4) -> dict[str, int]:
    """Return what each tower sends the other for an image, by the layer before which it does.

    Training sends as much again: the gradients of what was sent. Before the last layer it is the
    scores of one tower, and only one sends them where one device has the loss.

    Args:
        network: Has two towers.
        number: Bytes of an activation, 4 in float32.

    Raises:
        TowersError: If it has none; see `stages`.
    """
    return {one.layer.name: number * one.sent for one in stages(network) if one.sent}


def _stage(network: Network, layer: Conv | Dense) -> Stage:
    first, last = network.layers[0], network.layers[-1]
    seen = network.seen_by()[layer.name]
    is_last = layer is last
    if layer.groups > 1 and layer.groups % TOWERS:
        raise TowersError(f"{layer.name}: {layer.groups} groups are not two towers")
    if layer is first and layer.groups > 1:
        raise TowersError(f"{layer.name}: in the first layer both towers see all of the image")
    if is_last and (layer.groups > 1 or network.after(layer)):
        raise TowersError(
            f"{layer.name}: the last layer adds up both towers, so it is in no groups and nothing "
            "follows it"
        )
    own = layer.groups > 1 or (is_last and layer is not first)
    given = _given(network, layer)
    return Stage(
        layer=_half(layer),
        parts=tuple((module_name(layer, n), _own(layer, n, p)) for n, p in network.after(layer)),
        sees="images" if layer is first else "own" if own else "both",
        seen=Maps(seen.maps // TOWERS, seen.side) if own else seen,
        given=given if is_last else given // TOWERS,
        sent=0 if layer is first else given if is_last else 0 if own else seen.units // TOWERS,
        is_last=is_last,
    )


def _given(network: Network, layer: Conv | Dense) -> int:
    """Return how many maps or units a layer gives, in both towers."""
    given = layer.maps if isinstance(layer, Conv) else layer.units
    if given is None:
        return network.classes
    if given % TOWERS:
        raise TowersError(f"{layer.name}: {given} maps or units have no half for each tower")
    return given


def _half(layer: Conv | Dense) -> Conv | Dense:
    groups = max(1, layer.groups // TOWERS)
    if isinstance(layer, Conv):
        return layer.but(maps=layer.maps // TOWERS, groups=groups)
    return layer.but(units=layer.units and layer.units // TOWERS, groups=groups)


def _own(layer: Conv | Dense, name: str, part: Part) -> Part:
    """Return a part as one tower has it.

    Raises:
        TowersError: If it needs maps of both, or if nobody knows whether it does.
    """
    match part:
        case LRN(groups=groups) if groups % TOWERS:
            raise TowersError(
                f"{layer.name}'s {name} has windows that cross the towers; two devices need "
                f"groups={TOWERS} there"
            )
        case LRN(groups=groups):
            return part.but(groups=groups // TOWERS)
        case Custom():
            raise TowersError(
                f"{layer.name}'s {name} is {part.target}, of which nobody knows whether it looks "
                "across the towers"
            )
        case Relu() | Tanh() | LeakyRelu() | Elu() | Gelu() | Silu():
            return part
        case Pool() | MapNorm() | BatchNorm() | Dropout():  # each map or unit for itself
            return part
