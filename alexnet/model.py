"""The network, built in order from its config."""

from collections import OrderedDict
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor, nn

from alexnet.chance import stream_seed
from alexnet.config import Config, Conv, Dense, Network, Precision
from alexnet.layers import build_part


class AlexNet(nn.Module):
    """Convolutional stages, then fully connected layers, then one score per class.

    Modules carry the names of their layers and parts: ``features.conv1``, ``features.conv1_norm``,
    ``classifier.fc6``. A part that is ``None`` is absent.
    """

    def __init__(self, network: Network) -> None:
        """Build with PyTorch's initial weights; `build` gives those of the config.

        Raises:
            ValueError: If the view is too small for the layers.
        """
        super().__init__()
        self.features = nn.Sequential(OrderedDict(_features(network)))
        width = _width(self.features, network)
        self.classifier = nn.Sequential(OrderedDict(_classifier(network, width)))
        self._last = network.classifier[-1].name

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


def arithmetic(device: str, precision: Precision) -> AbstractContextManager[object]:
    """Return the context in which layers compute in ``precision`` on a type of device."""
    return torch.autocast(device, torch.bfloat16) if precision == "bfloat16" else nullcontext()


def build(config: Config, seed: int) -> AlexNet:
    """Return the network of a config with the initial weights of a seed, on the CPU.

    Each layer draws from a stream of its own name, so leaving one out changes no other.
    """
    network = AlexNet(config.network)
    for layer in config.network.layers:
        module = _module(network, layer.name)
        stream = torch.Generator()
        stream.manual_seed(stream_seed(seed, config.pinned, "init", layer.name))
        with torch.no_grad():
            module.weight.normal_(0, layer.init.std, generator=stream)
            nn.init.constant_(module.get_parameter("bias"), layer.init.bias)
    return network.to(memory_format=torch.channels_last)


def _module(network: AlexNet, name: str) -> nn.Conv2d | nn.Linear:
    for part in (network.features, network.classifier):
        module = getattr(part, name, None)
        if isinstance(module, nn.Conv2d | nn.Linear):
            return module
    raise KeyError(name)


def _features(network: Network) -> Iterator[tuple[str, nn.Module]]:
    channels = network.channels
    for conv in network.convolutions:
        yield (
            conv.name,
            nn.Conv2d(
                channels, conv.maps, conv.size, conv.stride, conv.padding, groups=conv.groups
            ),
        )
        yield from _parts(conv, network)
        channels = conv.maps


def _classifier(network: Network, width: int) -> Iterator[tuple[str, nn.Module]]:
    for dense in network.classifier:
        units = dense.units or network.classes
        yield dense.name, nn.Linear(width, units)
        yield from _parts(dense, network)
        width = units


def _parts(layer: Conv | Dense, network: Network) -> Iterator[tuple[str, nn.Module]]:
    for name in layer.then:
        part = network.parts[name]
        if part is not None:
            yield f"{layer.name}_{name}", build_part(part)


def _width(features: nn.Sequential, network: Network) -> int:
    """Measure, rather than compute a second time, how many numbers leave the last stage."""
    view = torch.zeros(1, network.channels, network.view, network.view)
    try:
        with torch.no_grad():
            return int(features(view).flatten(1).shape[1])
    except RuntimeError as error:
        raise ValueError(
            f"a view of {network.view} pixels does not fit the layers: {error}"
        ) from error
