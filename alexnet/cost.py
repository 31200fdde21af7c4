"""What a network costs: parameters, multiply-adds and activations of each layer.

Computed from its config, so that listing and reporting need not load PyTorch; a test counts the
same on the built network.
"""

import math

from alexnet.config.base import Frozen
from alexnet.config.network import Conv, Network
from alexnet.config.parts import Custom


class LayerCost(Frozen):
    """One layer with weights, for one image."""

    name: str
    output: tuple[int, ...]  # maps, height, width; or units
    parameters: int  # with those of parts of one's own that follow it
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


def cost_of(network: Network) -> Cost:
    """Return what a network costs by arithmetic, unbuilt.

    >>> from alexnet.presets import paper
    >>> cost = cost_of(paper().network)
    >>> cost.parameters, cost.multiply_adds, cost.activations
    (60965224, 724406816, 659272)
    """
    layers, seen = [], network.seen_by()
    for layer in network.layers:
        sees = seen[layer.name]
        if isinstance(layer, Conv):
            side = layer.side_of(sees.side)
            output: tuple[int, ...] = (layer.maps, side, side)
            kernels = layer.maps * (side**2 if layer.weights == "unshared" else 1)
            inputs = layer.size**2 * sees.maps // layer.groups
        else:
            output = (layer.units or network.classes,)
            kernels = output[0]
            inputs = sees.units // layer.groups
        own = (part for _, part in network.after(layer) if isinstance(part, Custom))
        layers.append(
            LayerCost(
                name=layer.name,
                output=output,
                parameters=kernels * (inputs + 1) + sum(part.learned(output[0]) for part in own),
                multiply_adds=math.prod(output) * inputs,
            )
        )
    return Cost(input=(network.channels, network.view, network.view), layers=tuple(layers))
