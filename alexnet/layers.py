"""The parts of a network: pure functions first, then thin modules that hold their settings."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from alexnet.config import LRN, Dropout, Part, Pool, Relu, Tanh


def local_response_norm(
    images: Tensor, size: int, alpha: float, beta: float, k: float, groups: int = 1
) -> Tensor:
    """Divide each activation by the energy of its neighbouring channels.

    ``b[c] = a[c] / (k + alpha * sum(a[j] ** 2)) ** beta``, with j over ``size`` channels around
    c; windows are cut short at the first and last channel of a group. For even ``size`` the
    window reaches one channel further down than up, as in cuda-convnet and PyTorch.

    Args:
        images: Activations, shape (n, c, h, w).
        size: Channels in the window (the paper's n).
        alpha: Weight of the *sum* of squares, as printed. PyTorch, Caffe and the released 2012
            code weigh the mean: their value is ``size`` times this one.
        beta: Exponent.
        k: Added before the power; positive, so the division is always defined.
        groups: Towers; windows do not cross them.

    Returns:
        Shape (n, c, h, w), in the type of ``images``; computed in float32.

    Raises:
        ValueError: If the channels do not divide into ``groups``.

    Example:
        >>> ones = torch.tensor([1.0, 2.0, 3.0]).reshape(1, 3, 1, 1)
        >>> local_response_norm(ones, size=3, alpha=1.0, beta=1.0, k=1.0).flatten()
        tensor([0.1667, 0.1333, 0.2143])

    Source:
        Krizhevsky, Sutskever and Hinton (2012), section 3.3: n=5, alpha=1e-4, beta=0.75, k=2.
    """
    energy = neighbours_energy(images, size, groups)
    return (images * (k + alpha * energy).pow(-beta)).to(images.dtype)


def neighbours_energy(images: Tensor, size: int, groups: int = 1) -> Tensor:
    """Return the sum of squares over the neighbouring channels of each activation.

    Args:
        images: Activations, shape (n, c, h, w).
        size: Channels in the window.
        groups: Windows do not cross them.

    Returns:
        The paper's sum in section 3.3, float32, shape (n, c, h, w).

    Raises:
        ValueError: If the channels do not divide into ``groups``.
    """
    n, channels, h, w = images.shape
    if channels % groups:
        raise ValueError(f"{channels} channels do not divide into {groups} groups")
    width = channels // groups
    squares = images.float().square().reshape(n, groups, width, h, w)
    below, above = size // 2, size - 1 - size // 2
    padded = functional.pad(squares, (0, 0, 0, 0, below, above))
    shifted = (padded[:, :, shift : shift + width] for shift in range(size))
    return sum(shifted, start=torch.zeros_like(squares)).flatten(1, 2)


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


class DropoutLayer(nn.Module):
    """`dropout` while training, its counterpart while testing."""

    def __init__(self, settings: Dropout) -> None:
        """Keep the settings; whoever trains gives the layer its stream of chance."""
        super().__init__()
        self.settings = settings
        self.stream: torch.Generator | None = None

    def forward(self, activations: Tensor) -> Tensor:
        """Map any shape to the same shape."""
        rate, scale = self.settings.rate, self.settings.scale
        if self.training:
            drawn = torch.rand(activations.shape, generator=self.stream, device=activations.device)
            return dropout(activations, drawn >= rate, rate, scale)
        return activations * (1 - rate) if scale == "test" else activations


def build_part(part: Part) -> nn.Module:
    """Return the module of one part."""
    match part:
        case Relu():
            return nn.ReLU()
        case Tanh():
            return nn.Tanh()
        case Pool(kind=kind, size=size, stride=stride, rounding=rounding):
            # Without padding, PyTorch's mean divides by the window's area inside the image.
            pool = nn.MaxPool2d if kind == "max_pool" else nn.AvgPool2d
            return pool(size, stride, ceil_mode=rounding == "ceil")
        case LRN():
            return LocalResponseNorm(part)
        case Dropout():
            return DropoutLayer(part)
