"""The paper's update rule and how its rate moves."""

import torch
from torch import Tensor, nn

from alexnet.config import Constant, Drops, MomentumSGD, Training


def rate_factor(training: Training, epoch: int) -> float:
    """Return what the rates are multiplied by in an epoch (1, 2, ...)."""
    match training.schedule:
        case Constant():
            return 1.0
        case Drops(after=after, factor=factor):
            return float(factor ** sum(epoch > drop for drop in after))


class Momentum:
    """v = momentum v - rate (decay w + gradient); w = w + v, section 5.

    The rate is inside the velocity, as in the paper and the released code; in
    `torch.optim.SGD` it is outside, which differs for some steps after the rate drops.
    """

    def __init__(self, network: nn.Module, settings: MomentumSGD) -> None:
        """Start with all velocities at zero.

        Raises:
            ValueError: If a layer with weight decay is not in the network.
        """
        self.settings = settings
        self.parameters: list[Tensor] = []
        self.rates: list[float] = []
        self.decays: list[float] = []
        seen = set()
        for name, parameter in network.named_parameters():
            *_, layer, role = name.split(".")
            weight = role == "weight"
            seen.add(layer)
            self.parameters.append(parameter)
            self.rates.append(settings.rate * (1 if weight else settings.bias_rate))
            self.decays.append(settings.weight_decay.get(layer, 0.0) if weight else 0.0)
        if missing := settings.weight_decay.keys() - seen:
            raise ValueError(f"weight decay for {min(missing)!r}, which is not a layer")
        self.velocities = [torch.zeros_like(parameter) for parameter in self.parameters]

    @torch.no_grad()
    def step(self, factor: float = 1.0) -> None:
        """Apply the gradients once, all rates multiplied by ``factor``, and forget them."""
        gradients: list[Tensor] = []
        for parameter in self.parameters:
            if parameter.grad is None:
                raise RuntimeError("a parameter has no gradient; call backward() first")
            gradients.append(parameter.grad)
            parameter.grad = None
        for gradient, parameter, decay in zip(gradients, self.parameters, self.decays, strict=True):
            if decay:
                gradient.add_(parameter, alpha=decay)
        torch._foreach_mul_(self.velocities, self.settings.momentum)
        torch._foreach_mul_(gradients, [-rate * factor for rate in self.rates])
        torch._foreach_add_(self.velocities, gradients)
        torch._foreach_add_(self.parameters, self.velocities)
