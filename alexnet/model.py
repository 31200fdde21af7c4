"""The network, built in order from its config."""

import itertools
from collections import OrderedDict
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

from alexnet.config import (
    Config,
    Conv,
    Custom,
    Dense,
    FanIn,
    Init,
    Network,
    Normal,
    Precision,
)
from alexnet.config.network import module_name
from alexnet.custom import build_custom, refuse_unfit
from alexnet.layers import build_layer, build_part, fan_in
from alexnet.precision import weight_type
from alexnet.random_streams import stream_seed


class Layers(nn.Sequential):
    """Modules in the order of the config, computed in the cheapest order of the same result."""

    def forward(self, images: Tensor) -> Tensor:
        """Map what the first module takes to what the last one gives."""
        for _, module in as_computed(self):
            images = module(images)
        return images


def as_computed(layers: nn.Sequential) -> list[tuple[str, nn.Module]]:
    """Return modules by name in the order in which they are computed.

    ReLU waits for a max pooling that follows it: the largest of several ReLUs is the ReLU of the
    largest, bit by bit, and so is the gradient, since where the largest is negative both pass
    none. After pooling there are a quarter as many numbers.
    """
    modules = list(layers.named_children())
    for place, ((_, one), (_, after)) in enumerate(itertools.pairwise(modules.copy())):
        if isinstance(one, nn.ReLU) and isinstance(after, nn.MaxPool2d):
            modules[place], modules[place + 1] = modules[place + 1], modules[place]
    return modules


class AlexNet(nn.Module):
    """Convolutional stages, then fully connected layers, then one score per class.

    Modules carry the names of their layers and parts: ``features.conv1``, ``features.conv1_norm``,
    ``classifier.fc6``. A part that is ``None`` is absent.
    """

    def __init__(self, network: Network) -> None:
        """Build with weights of no meaning; `build` gives those of the config."""
        super().__init__()
        self.features = Layers(OrderedDict(_modules(network, network.convolutions)))
        self.classifier = nn.Sequential(OrderedDict(_modules(network, network.classifier)))
        self._last = network.classifier[-1].name
        self.classes = network.classes

    def forward(self, images: Tensor) -> Tensor:
        """Map images (n, channels, view, view) to class scores (n, classes)."""
        scores: Tensor = self.classifier(self.features(images).flatten(1))
        return scores

    def hidden(self, images: Tensor) -> Tensor:
        """Map images (n, channels, view, view) to what the last layer sees (n, units)."""
        activations: Tensor = self.features(images).flatten(1)
        for name, module in self.classifier.named_children():
            if name == self._last:
                break
            activations = module(activations)
        return activations


def build(config: Config, seed: int, precision: Precision = "float32") -> AlexNet:
    """Return the network of a config with the initial weights of a seed, on the CPU.

    Each layer draws from a stream of its own name, so leaving one out changes no other. Weights
    of ``float64`` are drawn in it: other numbers than the same seed draws in float32.

    Raises:
        CustomError: If a part of one's own may not be run, or is not fit to be one; of a config
            that others made, see `alexnet.custom.trusting`.
    """
    network = skeleton(config.network).to(weight_type(precision)).to_empty(device="cpu")
    for layer in config.network.layers:
        stream = torch.Generator()
        stream.manual_seed(stream_seed(seed, config.pinned, "init", layer.name))
        _initialise(layer_of(network, layer.name), layer.init, stream)
        is_flat = isinstance(layer, Dense)
        stage = network.classifier if is_flat else network.features
        for flow in config.network.flows_after(layer):
            if isinstance(flow.part, Custom):
                refuse_unfit(flow, is_flat, precision)
                draws = stream_seed(seed, config.pinned, "init", flow.module)
                own = build_custom(flow.part, flow.sees.maps, draws, precision)
                setattr(stage, flow.module, own)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.reset_running_stats()
    return network.to(memory_format=torch.channels_last)


def skeleton(network: Network) -> AlexNet:
    """Return a network without weights, on the ``meta`` device, where nothing is computed."""
    with torch.device("meta"):
        return AlexNet(network).to("meta")  # parts of one's own are made on the CPU


def layer_of(network: AlexNet, name: str) -> nn.Module:
    """Return the layer with weights of that name.

    Raises:
        KeyError: If there is none.
    """
    for part in (network.features, network.classifier):
        module = getattr(part, name, None)
        if isinstance(module, nn.Module) and hasattr(module, "weight"):
            return module
    raise KeyError(name)


@torch.no_grad()
def _initialise(module: nn.Module, init: Init, stream: torch.Generator) -> None:
    weight, bias = module.get_parameter("weight"), module.get_parameter("bias")
    match init:
        case Normal():
            weight.normal_(0, init.std, generator=stream)
            bias.fill_(init.bias)
        case FanIn():
            bound = fan_in(module) ** -0.5
            weight.uniform_(-bound, bound, generator=stream)
            bias.uniform_(-bound, bound, generator=stream)


def _modules(network: Network, layers: Sequence[Conv | Dense]) -> Iterator[tuple[str, nn.Module]]:
    seen = network.seen_by()
    for layer in layers:
        yield layer.name, build_layer(layer, seen[layer.name], network.classes)
        for name, part in network.after(layer):
            maps = layer.maps if isinstance(layer, Conv) else layer.units or network.classes
            yield module_name(layer, name), build_part(part, maps)
