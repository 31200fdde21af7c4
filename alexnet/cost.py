"""What a network costs: parameters, multiply-adds and activations of each layer.

Measured on the built network by `alexnet.counting`; what it found for the presets ships with
the package, so that listing and reporting need not load PyTorch.
"""

import math
from functools import cache
from pathlib import Path

from pydantic import TypeAdapter

from alexnet.architecture import Conv, Network, windows
from alexnet.values import Frozen

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


def multiply_adds(network: Network) -> int:
    """Return the multiply-adds of one image, forward, by arithmetic: for any network, unbuilt.

    >>> from alexnet.presets import paper
    >>> multiply_adds(paper().network)
    724406816
    """
    found, seen = 0, network.seen_by()
    for layer in network.layers:
        sees = seen[layer.name]
        if isinstance(layer, Conv):
            side = windows(sees.side, layer.size, layer.stride, layer.padding, layer.rounding)
            found += layer.maps * side**2 * layer.size**2 * sees.maps // layer.groups
        else:
            found += (layer.units or network.classes) * sees.units // layer.groups
    return found


COSTS = TypeAdapter(dict[str, Cost])


@cache
def costs() -> dict[str, Cost]:
    """Return what was measured of every preset, by its name."""
    return COSTS.validate_json(MEASURED.read_text())
