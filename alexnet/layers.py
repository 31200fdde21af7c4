"""The parts of a network: thin modules that hold their settings and call pure functions."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from alexnet.config import (
    LRN,
    BatchNorm,
    Conv,
    Custom,
    Dense,
    Dropout,
    Elu,
    Gelu,
    LeakyRelu,
    MapNorm,
    Maps,
    Part,
    Pool,
    Relu,
    Silu,
    Tanh,
)
from alexnet.custom import build_custom
from alexnet.norms import local_response_norm, map_response_norm
from alexnet.unshared import unshared_convolution


def dropout(activations: Tensor, keep: Tensor, rate: float, scale: str) -> Tensor:
    """Silence the units where ``keep`` is False, as training does.

    Args:
        activations: Any shape.
        keep: Booleans of that shape.
        rate: Probability of dropping that ``keep`` was drawn with.
        scale: ``"test"``, the paper's: kept units stay as they are. ``"training"``, Caffe's and
            PyTorch's: they are divided by 1 - rate, and testing changes nothing.
    """
    kept = activations * keep
    return kept if scale == "test" else kept / (1 - rate)


class Convolution(nn.Conv2d):
    """A convolution whose last windows may hang over the right and lower edges, over zeros."""

    def __init__(self, conv: Conv, seen: Maps) -> None:
        """Make room for a convolution of maps of that size."""
        super().__init__(
            seen.maps, conv.maps, conv.size, conv.stride, conv.padding, groups=conv.groups
        )
        side = conv.side_of(seen.side)
        needed = (side - 1) * conv.stride + conv.size - 2 * conv.padding
        self.overhang = max(0, needed - seen.side)  # pixels

    def forward(self, images: Tensor) -> Tensor:
        """Map (n, c, h, w) to (n, maps, h', w')."""
        if self.overhang:
            images = functional.pad(images, (0, self.overhang, 0, self.overhang))
        return super().forward(images)


class UnsharedConvolution(nn.Module):
    """`unshared_convolution` with its weights."""

    def __init__(self, conv: Conv, seen: Maps) -> None:
        """Make room for the weights of every place of maps of that size."""
        super().__init__()
        self.conv = conv
        side = conv.side_of(seen.side)
        self.weight = nn.Parameter(torch.empty(side**2, conv.maps, seen.maps * conv.size**2))
        self.bias = nn.Parameter(torch.empty(conv.maps, side, side))

    def forward(self, images: Tensor) -> Tensor:
        """Map (n, c, h, w) to (n, maps, h', w')."""
        c = self.conv
        return unshared_convolution(images, self.weight, self.bias, c.size, c.stride, c.padding)


class GroupedLinear(nn.Module):
    """Fully connected within each of several equal groups of units: towers that do not meet."""

    def __init__(self, inputs: int, units: int, groups: int) -> None:
        """Make room for the weights of every group."""
        super().__init__()
        self.weight = nn.Parameter(torch.empty(groups, units // groups, inputs // groups))
        self.bias = nn.Parameter(torch.empty(units))

    def forward(self, activations: Tensor) -> Tensor:
        """Map (n, inputs) to (n, units)."""
        groups, _, inputs = self.weight.shape
        towers = activations.reshape(-1, groups, inputs).transpose(0, 1)
        out = torch.matmul(towers, self.weight.transpose(1, 2))  # (groups, n, units of one)
        return out.transpose(0, 1).flatten(1) + self.bias


class LocalResponseNorm(nn.Module):
    """`local_response_norm` with its settings."""

    def __init__(self, settings: LRN) -> None:
        """Keep the settings; there is nothing to learn."""
        super().__init__()
        self.settings = settings

    def forward(self, images: Tensor) -> Tensor:
        """Map (n, c, h, w) to (n, c, h, w)."""
        s = self.settings
        return local_response_norm(images, s.size, s.alpha, s.beta, s.k, s.groups)


class MapResponseNorm(nn.Module):
    """`map_response_norm` with its settings."""

    def __init__(self, settings: MapNorm) -> None:
        """Keep the settings; there is nothing to learn."""
        super().__init__()
        self.settings = settings

    def forward(self, images: Tensor) -> Tensor:
        """Map (n, c, h, w) to (n, c, h, w)."""
        s = self.settings
        return map_response_norm(images, s.size, s.alpha, s.beta, s.k)


class ScaledTanh(nn.Module):
    """``outer`` tanh(``inner`` x)."""

    def __init__(self, settings: Tanh) -> None:
        """Keep the settings; there is nothing to learn."""
        super().__init__()
        self.settings = settings

    def forward(self, activations: Tensor) -> Tensor:
        """Map any shape to the same shape."""
        return self.settings.outer * torch.tanh(self.settings.inner * activations)


class DropoutLayer(nn.Module):
    """`dropout` while training, its counterpart while testing."""

    def __init__(self, settings: Dropout) -> None:
        """Keep the settings; whoever trains gives the layer its stream, on whichever device."""
        super().__init__()
        self.settings = settings
        self.stream: torch.Generator | None = None

    def forward(self, activations: Tensor) -> Tensor:
        """Map any shape to the same shape."""
        rate, scale = self.settings.rate, self.settings.scale
        if self.training:
            drawn = self.draw(activations.shape, activations.device)
            return dropout(activations, (drawn >= rate).to(activations.device), rate, scale)
        return activations * (1 - rate) if scale == "test" else activations

    def draw(self, shape: tuple[int, ...], device: torch.device) -> Tensor:
        """Return a number between 0 and 1 for each activation: from its stream, where that is."""
        device = device if self.stream is None else self.stream.device
        return torch.rand(shape, generator=self.stream, device=device)


def build_layer(layer: Conv | Dense, seen: Maps, classes: int) -> nn.Module:
    """Return the module of one layer with weights, for what it sees."""
    match layer:
        case Conv(weights="unshared"):
            return UnsharedConvolution(layer, seen)
        case Conv():
            return Convolution(layer, seen)
        case Dense(groups=1):
            return nn.Linear(seen.units, layer.units or classes)
        case Dense():
            return GroupedLinear(seen.units, layer.units or classes, layer.groups)


def fan_in(module: nn.Module) -> int:
    """Return the number of inputs of one unit of a layer with weights."""
    weight = module.get_parameter("weight")
    by_group = isinstance(module, UnsharedConvolution | GroupedLinear)  # (groups, units, inputs)
    return weight.shape[-1] if by_group else weight[0].numel()


def build_part(part: Part, maps: int = 1) -> nn.Module:
    """Return the module of one part that follows so many maps; most parts need not know."""
    match part:
        case Relu():
            return nn.ReLU()
        case Tanh(outer=1.0, inner=1.0):
            return nn.Tanh()
        case Tanh():
            return ScaledTanh(part)
        case LeakyRelu(slope=slope):
            return nn.LeakyReLU(slope)
        case Elu(alpha=alpha):
            return nn.ELU(alpha)
        case Gelu(formula=formula):
            return nn.GELU("tanh" if formula == "tanh" else "none")
        case Silu():
            return nn.SiLU()
        case Pool(kind=kind, size=size, stride=stride, rounding=rounding):
            # Without padding, PyTorch's mean divides by the window's area inside the image.
            pool = nn.MaxPool2d if kind == "max_pool" else nn.AvgPool2d
            return pool(size, stride, ceil_mode=rounding == "ceil")
        case LRN():
            return LocalResponseNorm(part)
        case MapNorm():
            return MapResponseNorm(part)
        case BatchNorm(momentum=momentum, epsilon=epsilon):
            return nn.BatchNorm2d(maps, epsilon, momentum, affine=False)
        case Dropout():
            return DropoutLayer(part)
        case Custom():
            return build_custom(part, maps)
