"""The paper's update rule, and the one that later scripts put in its place."""

from collections.abc import Iterator
from typing import NamedTuple, Protocol

import torch
from torch import Tensor, nn

from alexnet.config import Adam, MomentumSGD
from alexnet.custom import CustomPart
from alexnet.schedules import FULL, Factors


class Optimizer(Protocol):
    """Learns from gradients; ``state`` and the weights are all that there is to save."""

    def step(self, factors: Factors = ...) -> None:
        """Apply the gradients once, rates multiplied by ``factors``, and forget them."""

    def state(self) -> dict[str, Tensor]:
        """Return its tensors by name; who writes into them restores it."""


def optimizer_for(network: nn.Module, settings: MomentumSGD | Adam) -> Optimizer:
    """Return the optimizer of a network on the device where it is."""
    return (
        Momentum(network, settings)
        if isinstance(settings, MomentumSGD)
        else AdamSteps(network, settings)
    )


class Learner(NamedTuple):
    """A parameter and where it is."""

    values: Tensor
    layer: str
    of: str  # "weights" or "biases"

    def multiplied(self, factors: Factors) -> float:
        """Return what its rate is multiplied by."""
        found = factors.weights if self.of == "weights" else factors.biases
        for layer, of, factor in factors.layers:
            found *= factor if (layer, of) == (self.layer, self.of) else 1.0
        return found

    def take_gradient(self) -> Tensor:
        """Return its gradient, which is then gone.

        Raises:
            RuntimeError: If there is none.
        """
        gradient = self.values.grad
        if gradient is None:
            raise RuntimeError("a parameter has no gradient; call backward() first")
        self.values.grad = None
        return gradient


def learners(network: nn.Module) -> Iterator[Learner]:
    """Yield the parameters of a network; those of parts of one's own learn as biases do."""
    own = {name for name, one in network.named_modules() if isinstance(one, CustomPart)}
    for name, values in network.named_parameters():
        *_, layer, role = name.split(".")
        part = next((one for one in own if name.startswith(f"{one}.")), None)
        if part is not None:
            layer, role = part.rpartition(".")[2], "bias"
        yield Learner(values, layer, "weights" if role == "weight" else "biases")


class Momentum:
    """v = momentum v - rate (decay w + gradient); w = w + v, section 5.

    The rate is inside the velocity, as in the paper and the released code, or outside as in
    `torch.optim.SGD`, if the settings say so; the two differ after the rate has changed.
    A parameter whose rate is 0 is left as it is, velocity and all.
    """

    def __init__(self, network: nn.Module, settings: MomentumSGD) -> None:
        """Start with all velocities at zero.

        Raises:
            ValueError: If a layer with weight decay is not in the network.
        """
        self.settings = settings
        self.learners = list(learners(network))
        self.rates = [
            settings.rate * (settings.bias_rate if learner.of == "biases" else 1.0)
            for learner in self.learners
        ]
        self.decays = [self._decay(learner) for learner in self.learners]
        if isinstance(settings.weight_decay, dict):
            seen = {learner.layer for learner in self.learners}
            if missing := settings.weight_decay.keys() - seen:
                raise ValueError(f"weight decay for {min(missing)!r}, which is not a layer")
        self.velocities = [torch.zeros_like(learner.values) for learner in self.learners]

    def _decay(self, learner: Learner) -> float:
        without = learner.of == "biases" and self.settings.decays == "weights"
        return 0.0 if without else self.settings.decay_of(learner.layer)

    def state(self) -> dict[str, Tensor]:
        """Return the velocities by name; who writes into them restores it."""
        return {f"velocity.{number}": one for number, one in enumerate(self.velocities)}

    @torch.no_grad()
    def step(self, factors: Factors = FULL) -> None:
        """Apply the gradients once, rates multiplied by ``factors``, and forget them."""
        gradients = [learner.take_gradient() for learner in self.learners]
        rates = [
            rate * learner.multiplied(factors)
            for learner, rate in zip(self.learners, self.rates, strict=True)
        ]
        moving = [number for number, rate in enumerate(rates) if rate]
        if not moving:
            return
        for number in moving:
            if self.decays[number]:
                gradients[number].add_(self.learners[number].values, alpha=self.decays[number])
        changes = [gradients[number] for number in moving]
        values = [self.learners[number].values for number in moving]
        velocities = [self.velocities[number] for number in moving]
        downhill = [-rates[number] for number in moving]
        torch._foreach_mul_(velocities, self.settings.momentum)
        if self.settings.convention == "paper":
            torch._foreach_mul_(changes, downhill)
            torch._foreach_add_(velocities, changes)
            torch._foreach_add_(values, velocities)
        else:
            torch._foreach_add_(velocities, changes)
            torch._foreach_add_(values, torch._foreach_mul(velocities, downhill))


class AdamSteps:
    """`torch.optim.Adam` behind the same two methods, its state made before the first step."""

    def __init__(self, network: nn.Module, settings: Adam) -> None:
        """Start with all moments at zero."""
        self.settings = settings
        self.learners = list(learners(network))
        device = self.learners[0].values.device
        fused = device.type in ("cpu", "cuda")  # a third of the time; not there on ``meta``
        self.adam = torch.optim.Adam(
            [{"params": [learner.values]} for learner in self.learners],
            lr=settings.rate,
            betas=settings.betas,
            eps=settings.epsilon,
            fused=fused,
        )
        for learner in self.learners:
            self.adam.state[learner.values] = {
                "step": torch.zeros((), device=device if fused else "cpu"),
                "exp_avg": torch.zeros_like(learner.values),
                "exp_avg_sq": torch.zeros_like(learner.values),
            }

    def state(self) -> dict[str, Tensor]:
        """Return steps and moments by name; who writes into them restores it."""
        return {
            f"{name}.{number}": tensor
            for number, learner in enumerate(self.learners)
            for name, tensor in self.adam.state[learner.values].items()
        }

    def step(self, factors: Factors = FULL) -> None:
        """Apply the gradients once, rates multiplied by ``factors``, and forget them."""
        for learner, group in zip(self.learners, self.adam.param_groups, strict=True):
            group["lr"] = self.settings.rate * learner.multiplied(factors)
            if group["lr"] == 0:
                learner.values.grad = None
        self.adam.step()
        self.adam.zero_grad()
