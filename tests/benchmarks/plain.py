"""The same networks as a PyTorch user would write them: float32, NCHW, torch.nn and torch.optim."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional


def four_layers(activation: type[nn.Module]) -> nn.Module:
    """Return cuda-convnet's 80-second network."""
    return nn.Sequential(
        nn.Conv2d(3, 32, 5, padding=2), nn.MaxPool2d(3, 2, ceil_mode=True), activation(),
        nn.Conv2d(32, 32, 5, padding=2), activation(), nn.AvgPool2d(3, 2, ceil_mode=True),
        nn.Conv2d(32, 64, 5, padding=2), activation(), nn.AvgPool2d(3, 2, ceil_mode=True),
        nn.Flatten(), nn.Linear(1024, 64), activation(), nn.Linear(64, 10),
    )  # fmt: skip


def paper() -> nn.Module:
    """Return the paper's network: two towers by groups, PyTorch's own response norm."""
    return nn.Sequential(
        nn.ZeroPad2d((0, 3, 0, 3)), nn.Conv2d(3, 96, 11, 4), nn.ReLU(),
        nn.LocalResponseNorm(5, 1e-4, 0.75, 2.0), nn.MaxPool2d(3, 2),
        nn.Conv2d(96, 256, 5, padding=2, groups=2), nn.ReLU(),
        nn.LocalResponseNorm(5, 1e-4, 0.75, 2.0), nn.MaxPool2d(3, 2),
        nn.Conv2d(256, 384, 3, padding=1), nn.ReLU(),
        nn.Conv2d(384, 384, 3, padding=1, groups=2), nn.ReLU(),
        nn.Conv2d(384, 256, 3, padding=1, groups=2), nn.ReLU(), nn.MaxPool2d(3, 2),
        nn.Flatten(), nn.Linear(9216, 4096), nn.ReLU(), nn.Dropout(),
        nn.Linear(4096, 4096), nn.ReLU(), nn.Dropout(), nn.Linear(4096, 1000),
    )  # fmt: skip


def tutorial() -> nn.Module:
    """Return the tutorial script's network: one pair of groups, no norms, ten classes."""
    return nn.Sequential(
        nn.Conv2d(3, 96, 11, 4), nn.ReLU(), nn.MaxPool2d(3, 2),
        nn.Conv2d(96, 256, 5, padding=2, groups=2), nn.ReLU(), nn.MaxPool2d(3, 2),
        nn.Conv2d(256, 384, 3, padding=1), nn.ReLU(),
        nn.Conv2d(384, 384, 3, padding=1), nn.ReLU(),
        nn.Conv2d(384, 256, 3, padding=1), nn.ReLU(), nn.MaxPool2d(3, 2),
        nn.Flatten(), nn.Linear(9216, 4096), nn.ReLU(), nn.Dropout(),
        nn.Linear(4096, 4096), nn.ReLU(), nn.Dropout(), nn.Linear(4096, 10),
    )  # fmt: skip


def map_norm(images: Tensor) -> Tensor:
    """Return cuda-convnet's norm within maps of size 5, by pooling the squares."""
    values = images.float()
    energy = functional.avg_pool2d(values.square(), 5, stride=1, padding=2, divisor_override=1)
    return (values * (1 + 4e-5 * energy).pow(-0.75)).to(images.dtype)


def unshared(images: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Return a convolution of 3 by 3 with weights of its own at every place, by unfold."""
    patches = functional.unfold(images, 3, padding=1).permute(2, 0, 1)
    out = torch.matmul(patches, weight.transpose(1, 2)).permute(1, 2, 0)
    return out.reshape(len(images), *bias.shape) + bias


def step(
    network: nn.Module, optimizer: torch.optim.Optimizer, images: Tensor, labels: Tensor
) -> Callable[[], float]:
    """Return a training step that reads its loss, as most loops do."""
    images = images.contiguous()

    def one() -> float:
        optimizer.zero_grad()
        loss = functional.cross_entropy(network(images), labels)
        loss.backward()
        optimizer.step()
        return loss.item()

    return one


def sgd(network: nn.Module) -> torch.optim.Optimizer:
    """Return the paper's optimizer as PyTorch has it."""
    return torch.optim.SGD(network.parameters(), lr=1e-5, momentum=0.9, weight_decay=0.0005)
