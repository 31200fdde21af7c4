"""The update rules against numbers worked by hand and against PyTorch's."""

import pytest
import torch
from torch import nn

from alexnet.config import Adam, MomentumSGD
from alexnet.optim import Momentum, optimizer_for
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


TENTH = Factors(0.1, 0.1)


@pytest.mark.parametrize("decays", ["weights", "all"])
def test_pytorchs_convention_is_pytorchs_across_a_drop(decays: str) -> None:
    """Six steps, the last three at a tenth of the rate; decay on biases too, as it has it."""
    ours, theirs = one_weight(0.7, 0.3), one_weight(0.7, 0.3)
    settings = MomentumSGD(
        rate=0.05,
        weight_decay=0.02,
        decays=decays,
        convention="pytorch",  # type: ignore[arg-type]
    )
    optimizer = Momentum(ours, settings)
    weight, bias = theirs.parameters()
    bias_decay = 0.02 if decays == "all" else 0.0
    reference = torch.optim.SGD(
        [{"params": [weight]}, {"params": [bias], "weight_decay": bias_decay}],
        lr=0.05, momentum=0.9, weight_decay=0.02,
    )  # fmt: skip
    for number in range(6):
        if number == 3:
            for group in reference.param_groups:
                group["lr"] = 0.005
        push(ours, 1.0 + number)
        push(theirs, 1.0 + number)
        optimizer.step(TENTH if number >= 3 else Factors())
        reference.step()

    assert values(ours) == pytest.approx(values(theirs), abs=5e-7)


def test_the_two_conventions_part_after_a_drop_and_only_then() -> None:
    """Rate 0.1, momentum 1/2, gradient 1, then a tenth of the rate.

    Paper: v = -0.1, -0.15, then 0.5 x -0.15 - 0.01 = -0.085; w = 1 - 0.1 - 0.15 - 0.085 = 0.665.
    PyTorch: v = 1, 1.5, then 1.75; w = 1 - 0.1 - 0.15 - 0.0175 = 0.7325.
    """
    found = {}
    for convention in ("paper", "pytorch"):
        network = one_weight()
        optimizer = Momentum(
            network,
            MomentumSGD(rate=0.1, momentum=0.5, convention=convention),  # type: ignore[arg-type]
        )
        path = []
        for factors in (Factors(), Factors(), TENTH):
            push(network, 1.0)
            optimizer.step(factors)
            path.append(values(network)[0])
        found[convention] = path

    assert found["paper"] == pytest.approx([0.9, 0.75, 0.665])
    assert found["pytorch"] == pytest.approx([0.9, 0.75, 0.7325])


def test_weights_and_biases_have_rates_of_their_own() -> None:
    """Rate 0.1 and 0.2, no momentum; then weights at a tenth, biases as they were."""
    network = one_weight()
    optimizer = Momentum(network, MomentumSGD(rate=0.1, bias_rate=2.0, momentum=0.0))
    for factors in (Factors(), Factors(weights=0.1)):
        push(network, 1.0)
        optimizer.step(factors)

    assert values(network) == pytest.approx([1 - 0.1 - 0.01, -0.2 - 0.2])


def test_a_frozen_layer_does_not_move_at_all() -> None:
    """No momentum of before and no decay either, as where the 2012 code has a rate of 0.

    Others go on: the second layer's weight takes v = -0.1, then -0.05 - 0.1.
    """
    network = nn.Sequential()
    for name in ("conv1", "fc8"):
        network.add_module(name, one_weight().unit)  # type: ignore[arg-type]
    optimizer = Momentum(network, MomentumSGD(rate=0.1, momentum=0.5, weight_decay={"conv1": 1.0}))
    frozen = Factors(layers=(("conv1", "weights", 0.0), ("conv1", "biases", 0.0)))
    push(network, 1.0)
    optimizer.step()
    before = values(network)
    push(network, 1.0)
    optimizer.step(frozen)

    assert values(network)[:2] == before[:2]
    assert before == pytest.approx([0.8, -0.1, 0.9, -0.1])
    assert values(network)[2:] == pytest.approx([0.75, -0.25])


@pytest.mark.parametrize("settings", [MomentumSGD(rate=0.1), Adam(rate=0.1)])
def test_all_layers_can_be_frozen(settings) -> None:
    """Then a step does nothing."""
    network = one_weight()
    push(network, 1.0)
    optimizer_for(network, settings).step(Factors(0.0, 0.0))

    assert values(network) == [1.0, 0.0]


def test_rates_of_single_layers_multiply() -> None:
    """A tenth of a half, on weights alone."""
    network = one_weight()
    optimizer = Momentum(network, MomentumSGD(rate=1.0, momentum=0.0))
    push(network, 1.0)
    optimizer.step(Factors(layers=(("unit", "weights", 0.1), ("unit", "weights", 0.5))))

    assert values(network) == pytest.approx([0.95, -1.0])


def test_one_decay_is_for_every_layer() -> None:
    """The same as naming each."""
    one, each = one_weight(), one_weight()
    for network, decay in ((one, 0.2), (each, {"unit": 0.2})):
        optimizer = Momentum(network, MomentumSGD(rate=0.1, weight_decay=decay))
        push(network, 1.0)
        optimizer.step()

    assert values(one) == values(each) == pytest.approx([0.88, -0.1])


def test_adam_is_pytorchs() -> None:
    """Five steps, the rate halved after three; and its state goes into another just as well."""
    ours, theirs, taken_up = one_weight(0.7), one_weight(0.7), one_weight(0.7)
    optimizer = optimizer_for(ours, Adam(rate=0.01))
    reference = torch.optim.Adam(theirs.parameters(), lr=0.01)
    for number in range(5):
        if number == 3:
            reference.param_groups[0]["lr"] = 0.005
            taken_up.load_state_dict(ours.state_dict())
            again = optimizer_for(taken_up, Adam(rate=0.01))
            for name, tensor in again.state().items():
                tensor.copy_(optimizer.state()[name])
        factors = Factors(0.5, 0.5) if number >= 3 else Factors()
        for network in (ours, theirs, *([taken_up] if number >= 3 else [])):
            push(network, 0.3 - 0.2 * number)
        optimizer.step(factors)
        reference.step()
        if number >= 3:
            again.step(factors)

    assert values(ours) == pytest.approx(values(theirs), rel=1e-6)
    assert values(taken_up) == values(ours)


def test_a_layer_frozen_under_adam_does_not_move() -> None:
    """Its moments stay too."""
    network = one_weight()
    optimizer = optimizer_for(network, Adam(rate=0.01))
    push(network, 1.0)
    optimizer.step()
    before, state = values(network), [t.clone() for t in optimizer.state().values()]
    push(network, 1.0)
    optimizer.step(Factors(layers=(("unit", "weights", 0.0), ("unit", "biases", 0.0))))

    assert values(network) == before
    assert all(torch.equal(a, b) for a, b in zip(state, optimizer.state().values(), strict=True))
