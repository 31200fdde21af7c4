"""What a network costs, counted on the network itself.

Nothing is computed: layers run on PyTorch's ``meta`` device, and its own counter listens.
"""

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from alexnet.config import Network
from alexnet.cost import Cost, LayerCost
from alexnet.model import layer_of, skeleton


def count(network: Network) -> Cost:
    """Return what a network costs for one image."""
    built = skeleton(network).eval()
    activations: Tensor = torch.empty(
        1, network.channels, network.view, network.view, device="meta"
    )
    seen = tuple(activations.shape[1:])
    weighty = {layer_of(built, layer.name): layer.name for layer in network.layers}
    found = []
    with torch.no_grad():
        for part in (built.features, built.classifier):
            for module in part:
                with FlopCounterMode(display=False) as counter:
                    activations = module(activations)
                if module in weighty:
                    cost = LayerCost(
                        name=weighty[module],
                        output=tuple(activations.shape[1:]),
                        parameters=sum(weights.numel() for weights in module.parameters()),
                        multiply_adds=counter.get_total_flops() // 2,
                    )
                    found.append(cost)
            activations = activations.flatten(1)
    return Cost(input=seen, layers=tuple(found))
