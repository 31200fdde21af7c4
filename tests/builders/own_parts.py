"""Files of parts of one's own, and values that name them."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from alexnet.config import Config, Custom, source
from alexnet.presets import tiny

PARTS = '''
import random

import numpy
import torch
from torch import nn
from torch.nn.functional import avg_pool2d


class Squareplus(nn.Module):
    def __init__(self, b):
        super().__init__()
        self.b = b

    def forward(self, x):
        return (x + torch.sqrt(x * x + self.b)) / 2


class PRelu(nn.Module):
    """A slope a map, drawn."""

    def __init__(self, maps):
        super().__init__()
        self.weight = nn.Parameter(0.25 + 0.1 * torch.randn(maps))

    def forward(self, x):
        slope = self.weight.reshape(-1, *[1] * (x.dim() - 2))
        return torch.where(x > 0, x, slope * x)


class Moving(nn.Module):
    """Over a moving root of the mean square of each map, which is kept in a buffer."""

    def __init__(self, maps, momentum=0.5):
        super().__init__()
        self.momentum = momentum
        self.register_buffer("square", torch.ones(maps, 1, 1))

    def forward(self, x):
        if self.training:
            now = x.detach().square().mean((0, 2, 3), keepdim=True)[0]
            self.square = self.square.lerp(now.to(self.square.dtype), self.momentum)
        return x / (self.square + 1e-5).sqrt().to(x.dtype)


class Blur(nn.Module):
    def forward(self, x):
        return avg_pool2d(x, 3, 2, 1)


def double(x, times=2.0):
    return times * x


def inplace(x):
    return x.add_(1)


class Counting(nn.Module):
    def __init__(self):
        super().__init__()
        self.calls = 0

    def forward(self, x):
        self.calls += 1
        return x * self.calls


class Forgetful(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("calls", torch.zeros(()), persistent=False)

    def forward(self, x):
        self.calls += 1
        return x * self.calls


count = 0


def shared(x):
    global count
    count += 1
    return x * count


class Own(nn.Module):
    def __init__(self):
        super().__init__()
        self.generator = torch.Generator()

    def forward(self, x):
        return x * torch.rand((), generator=self.generator)


class Noisy(nn.Module):
    def forward(self, x):
        return x + 0 * torch.randn_like(x) if self.training else x


masks = []


def masked(x):
    if not masks:
        masks.append(torch.rand(()))
    return x * masks[0]


def longer(x, factors):
    factors.append(1.5)
    return x * factors[0] * len(factors)


def of_default(x):
    return x.float() * torch.full(x.shape[1:], 2.0)


def numpys(x):
    return x * numpy.random.rand()


def pythons(x):
    return x + 0 * random.random()


class Odd(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("factor", torch.tensor(random.random()))

    def forward(self, x):
        return x * self.factor


class Plain(nn.Module):
    def __init__(self):
        super().__init__()
        self.factor = torch.tensor(2.0)

    def forward(self, x):
        return x * self.factor


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.one = nn.Parameter(torch.ones(()))
        self.other = self.one

    def forward(self, x):
        return x * self.one * self.other


class Unused(nn.Module):
    def __init__(self):
        super().__init__()
        self.factor = nn.Parameter(torch.ones(()))

    def forward(self, x):
        return 2 * x


def half(x):
    return x[:, :, ::2]


def single(x):
    return x.float()


def cut(x):
    return x.detach()


def constant(x):
    return torch.ones_like(x).requires_grad_()


def several(x):
    return x, x


def wrong(x):
    raise KeyError("no")


Lazy = nn.LazyBatchNorm2d
one = nn.ReLU()


class NoPart:
    pass
'''


@contextmanager
def looked_for_in(folder: Path) -> Iterator[None]:
    """Let files be found in a folder as those beside a study are; afterwards, as before."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "path", [*sys.path])
        patch.setattr(source, "_FIRST", [])
        patch.setattr(source, "_FOUND_HERE", set())
        source.look_first_in(folder)
        yield


def part(name: str, **changes: Any) -> Custom:
    """Return a part that `PARTS` defines."""
    return Custom(target=f"parts_of_mine:{name}", **changes)


def with_part(place: str, value: Custom) -> Config:
    """Return the tiny preset with one part replaced."""
    return tiny().but(network={"parts": {place: value}})
