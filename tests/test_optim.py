"""The update rule against numbers worked by hand and against PyTorch's."""

import pytest
import torch
from torch import nn

from alexnet.config import MomentumSGD
from alexnet.optim import Momentum
from alexnet.schedules import Factors


def one_weight(value: float = 1.0, bias: float = 0.0) -> nn.Module:
    """Return a network of one layer, ``unit``, with one weight and one bias."""
    network = nn.Sequential()
    network.add_module("unit", nn.Linear(1, 1))
    nn.init.constant_(network.unit.weight, value)  # type: ignore[union-attr,arg-type]
    nn.init.constant_(network.unit.bias, bias)  # type: ignore[union-attr,arg-type]
    return network


def push(network: nn.Module, gradient: float) -> None:
    """Give every parameter this gradient."""
    for parameter in network.parameters():
        parameter.grad = torch.full_like(parameter, gradient)


def values(network: nn.Module) -> list[float]:
    """Return weight and bias."""
    return [parameter.item() for parameter in network.parameters()]


def test_two_steps_worked_by_hand() -> None:
    """Rate 0.1, bias rate double, momentum 0.5, decay 0.2, gradient 1 throughout.

    Weight: v = -0.1 (0.2 x 1 + 1) = -0.12, w = 0.88;
    v = 0.5 x -0.12 - 0.1 (0.2 x 0.88 + 1) = -0.1776, w = 0.7024.
    Bias, no decay: v = -0.2, b = -0.2; v = -0.1 - 0.2 = -0.3, b = -0.5.
    """
    network = one_weight()
    settings = MomentumSGD(rate=0.1, bias_rate=2.0, momentum=0.5, weight_decay={"unit": 0.2})
    optimizer = Momentum(network, settings)
    for expected in ([0.88, -0.2], [0.7024, -0.5]):
        push(network, 1.0)
        optimizer.step()

        assert values(network) == pytest.approx(expected)


def test_a_drop_keeps_the_old_velocity() -> None:
    """Momentum 1/2, rate 0.1 then 0.01: v = -0.1, then -0.05 - 0.01; w = 0.84.

    With the rate outside the velocity, as in torch.optim.SGD, it would be 1 - 0.1 - 0.015.
    """
    network = one_weight()
    optimizer = Momentum(network, MomentumSGD(rate=0.1, momentum=0.5))
    for share in (1.0, 0.1):
        push(network, 1.0)
        optimizer.step(Factors(share, share))

    assert values(network)[0] == pytest.approx(0.84)


def test_at_a_constant_rate_it_is_pytorchs() -> None:
    """Ten steps with decay on the weights, gradients of a real loss."""
    ours, theirs = one_weight(0.7, 0.1), one_weight(0.7, 0.1)
    optimizer = Momentum(ours, MomentumSGD(rate=0.05, weight_decay={"unit": 0.01}))
    weight, bias = theirs.parameters()
    reference = torch.optim.SGD(
        [{"params": [weight], "weight_decay": 0.01}, {"params": [bias]}], lr=0.05, momentum=0.9
    )
    x = torch.linspace(-1, 1, 8)[:, None]
    for _ in range(10):
        for network in (ours, theirs):
            (network(x) - 3 * x).square().mean().backward()
        optimizer.step()
        reference.step()
        reference.zero_grad()

    assert values(ours) == pytest.approx(values(theirs), rel=1e-6)


def test_decay_for_a_layer_that_is_not_there_is_refused() -> None:
    """A misspelt name would silently train without decay."""
    with pytest.raises(ValueError, match="'fc9'"):
        Momentum(one_weight(), MomentumSGD(rate=0.1, weight_decay={"fc9": 0.1}))


def test_a_step_without_gradients_is_refused() -> None:
    """Rather than moving on old velocities alone."""
    with pytest.raises(RuntimeError, match="backward"):
        Momentum(one_weight(), MomentumSGD(rate=0.1)).step()
