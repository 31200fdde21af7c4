"""What a network costs: parameters, multiply-adds and activations of each layer.

Measured on the built network by `alexnet.counting`; what it found for the presets ships with
the package, so that listing and reporting need not load PyTorch.
"""

import math
from functools import cache
from pathlib import Path
from typing import NamedTuple

from pydantic import TypeAdapter

from alexnet.config.base import Frozen
from alexnet.config.network import Conv, Network

MEASURED = Path(__file__).parent / "costs.json"


class LayerCost(Frozen):
    """One layer with weights, for one image."""

    name: str
    output: tuple[int, ...]  # maps, height, width; or units
    parameters: int
    multiply_adds: int  # of weights with what they see; biases are not counted

    @property
    def activations(self) -> int:
        """The numbers that it gives, before any part that follows: the paper's neurons."""
        return math.prod(self.output)


class Cost(Frozen):
    """A network's layers, in order."""

    input: tuple[int, ...]  # channels, height, width
    layers: tuple[LayerCost, ...]

    @property
    def parameters(self) -> int:
        """All that is learned."""
        return sum(layer.parameters for layer in self.layers)

    @property
    def multiply_adds(self) -> int:
        """Of one image, forward."""
        return sum(layer.multiply_adds for layer in self.layers)

    @property
    def activations(self) -> int:
        """Of all layers, the last one's scores included."""
        return sum(layer.activations for layer in self.layers)


class Size(NamedTuple):
    """What a network costs, for one image."""

    parameters: int
    multiply_adds: int  # of weights with what they see; biases are not counted


def size_of(network: Network) -> Size:
    """Return what a network costs by arithmetic: any network, unbuilt.

    >>> from alexnet.presets import paper
    >>> size_of(paper().network)
    Size(parameters=60965224, multiply_adds=724406816)
    """
    parameters, multiply_adds, seen = 0, 0, network.seen_by()
    for layer in network.layers:
        sees = seen[layer.name]
        if isinstance(layer, Conv):
            side = layer.side_of(sees.side)
            kernels = layer.maps * (side**2 if layer.weights == "unshared" else 1)
            inputs, uses = layer.size**2 * sees.maps // layer.groups, layer.maps * side**2
        else:
            kernels = uses = layer.units or network.classes
            inputs = sees.units // layer.groups
        parameters += kernels * (inputs + 1)
        multiply_adds += uses * inputs
    return Size(parameters, multiply_adds)


COSTS = TypeAdapter(dict[str, Cost])


@cache
def costs() -> dict[str, Cost]:
    """Return what was measured of every preset, by its name."""
    return COSTS.validate_json(MEASURED.read_text(encoding="utf-8"))
