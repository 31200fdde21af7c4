"""One network on two devices, a tower on each, as in section 3.2.

`alexnet.config.towers` says where the towers meet. Weights, chance and checkpoints are those of the
network on one device, cut in halves: what is computed is the same but for the order of sums.
"""

from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from alexnet.config import Adam, Conv, MomentumSGD, Network
from alexnet.config.towers import TOWERS, Stage, stages
from alexnet.layers import DropoutLayer, UnsharedConvolution, build_layer, build_part, dropout
from alexnet.model import AlexNet, Layers
from alexnet.optim import Optimizer, optimizer_for
from alexnet.schedules import FULL, Factors


class HalfDropout(DropoutLayer):
    """Dropout of one tower: it draws the mask of both, as one device does, and keeps its half."""

    def __init__(self, whole: DropoutLayer, tower: int) -> None:
        """Take the settings of the whole network's."""
        super().__init__(whole.settings)
        self.tower = tower

    def forward(self, activations: Tensor) -> Tensor:
        """Map any shape (n, units, ...) to the same shape."""
        if not self.training:
            return super().forward(activations)
        n, own, *rest = activations.shape
        device = activations.device if self.stream is None else self.stream.device
        drawn = torch.rand((n, TOWERS * own, *rest), generator=self.stream, device=device)
        keep = drawn.chunk(TOWERS, 1)[self.tower] >= self.settings.rate
        return dropout(
            activations, keep.to(activations.device), self.settings.rate, self.settings.scale
        )


class Tower(nn.Module):
    """One half of every layer, under the names that they have in the whole network."""

    def __init__(self, network: Network, number: int, device: torch.device | str = "meta") -> None:
        """Make room for the weights of the first (0) or second (1) tower on a device.

        Raises:
            TowersError: If the network has no two towers.
        """
        super().__init__()
        self.number = number
        self.stages = stages(network)
        with torch.device("meta"):
            made = [OrderedDict(_modules(one, network.classes, number)) for one in self.stages]
        features, classifier = OrderedDict[str, nn.Module](), OrderedDict[str, nn.Module]()
        for stage, modules in zip(self.stages, made, strict=True):
            (features if isinstance(stage.layer, Conv) else classifier).update(modules)
        self.features, self.classifier = nn.Sequential(features), nn.Sequential(classifier)
        self._layers = [Layers(modules) for modules in made]  # the same, one for each stage
        self.to_empty(device=torch.device(device))
        self.to(memory_format=torch.channels_last)

    def run(self, stage: int, activations: Tensor) -> Tensor:
        """Map what a stage sees, of all maps or its own, to what this tower gives."""
        out: Tensor = self._layers[stage](activations)
        return out

    def piece(self, name: str, whole: Tensor) -> Tensor:
        """Return what this tower has of a tensor of the whole network, as a view of it.

        Args:
            name: Of a parameter or buffer.
            whole: It, or something of its shape, such as a velocity; a scalar is had whole.
        """
        *_, layer, role = name.split(".")
        last = self.stages[-1].layer.name
        if whole.dim() == 0 or (layer == last and role == "bias"):
            return whole
        module = self.get_submodule(name.rpartition(".")[0])
        by_place = isinstance(module, UnsharedConvolution)  # (places, maps, inputs)
        axis = 1 if role == "weight" and (layer == last or by_place) else 0
        own = whole.chunk(TOWERS, axis)[self.number]
        return own.view(getattr(module, role).shape)  # of a layer in two groups, one of them

    @classmethod
    @torch.no_grad()
    def cut_from(
        cls, network: Network, whole: AlexNet, number: int, device: torch.device | str
    ) -> "Tower":
        """Return a tower on a device with its half of the weights of a network.

        Raises:
            TowersError: If the network has no two towers.
        """
        tower, state = cls(network, number, device), whole.state_dict()
        tower.to(next(whole.parameters()).dtype)
        for name, own in tower.state_dict().items():
            own.copy_(tower.piece(name, state[name]))
        return tower

    @torch.no_grad()
    def copy_into(self, whole: Mapping[str, Tensor]) -> None:
        """Write this tower's half into the state of the whole network."""
        for name, own in self.state_dict().items():
            self.piece(name, whole[name]).copy_(own)


class TwoTowers(nn.Module):
    """Both towers in one process, each on its device; maps are copied where the towers meet.

    Kernels are launched where their tower is, so that two GPUs compute at the same time.
    """

    def __init__(
        self, network: Network, whole: AlexNet, devices: Sequence[torch.device | str]
    ) -> None:
        """Cut a network into towers.

        Args:
            network: What ``whole`` was built from.
            whole: With the weights to start from; it takes the towers' weights in `merged`.
            devices: Two, which may be the same. Scores are on the first.

        Raises:
            TowersError: If the network has no two towers.
        """
        super().__init__()
        self.devices = [torch.device(one) for one in devices]
        self.first, self.second = (
            Tower.cut_from(network, whole, number, device)
            for number, device in zip(range(TOWERS), self.devices, strict=True)
        )
        self._whole = (whole,)  # in a tuple: what learns are the towers

    @property
    def towers(self) -> tuple[Tower, Tower]:
        """Both."""
        return self.first, self.second

    def forward(self, images: Tensor) -> Tensor:
        """Map images (n, channels, view, view) to scores (n, classes) on the first device."""
        own = [images.to(device) for device in self.devices]
        for number, stage in enumerate(self.first.stages):
            own = _flat_if_needed(stage, own)
            if stage.sees == "both":
                own = [torch.cat([one.to(d) for one in own], 1) for d in self.devices]
            own = [tower.run(number, one) for tower, one in zip(self.towers, own, strict=True)]
        first, second = own
        return first + second.to(first.device)

    def merged(self) -> AlexNet:
        """Return the whole network on its own device, with the towers' weights of now."""
        (whole,) = self._whole
        for tower in self.towers:
            tower.copy_into(whole.state_dict())
        return whole


class TowerOptimizers:
    """An optimizer for each tower, which keeps the state of the whole network's up to date."""

    def __init__(self, towers: TwoTowers, whole: Optimizer, settings: MomentumSGD | Adam) -> None:
        """Go on from the state of the whole network's optimizer.

        Args:
            towers: What learns.
            whole: The optimizer of the network that ``towers`` were cut from.
            settings: Of both.
        """
        self.whole, self.towers = whole, towers.towers
        self.own = [optimizer_for(tower, settings) for tower in self.towers]
        self._names = [name for name, _ in towers.merged().named_parameters()]
        with torch.no_grad():
            for half, piece in self._halves():
                half.copy_(piece)

    def step(self, factors: Factors = FULL) -> None:
        """Apply the gradients once, rates multiplied by ``factors``, and forget them."""
        for one in self.own:
            one.step(factors)

    @torch.no_grad()
    def state(self) -> dict[str, Tensor]:
        """Return the state of now in the layout of the whole network's optimizer.

        To restore it, write it into the whole network's and make this anew.
        """
        for half, piece in self._halves():
            piece.copy_(half)
        return self.whole.state()

    def _halves(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield each tensor of a tower's state with its place in the whole state."""
        whole = self.whole.state()
        for tower, own in zip(self.towers, self.own, strict=True):
            names = [name for name, _ in tower.named_parameters()]
            for key, half in own.state().items():
                kind, _, number = key.rpartition(".")
                name = names[int(number)]
                yield half, tower.piece(name, whole[f"{kind}.{self._names.index(name)}"])


Trained = AlexNet | TwoTowers
"""What training makes updates of."""


def whole_of(network: Trained) -> AlexNet:
    """Return a network on one device: itself, or with the towers' weights of now."""
    return network.merged() if isinstance(network, TwoTowers) else network


def on_each_device(network: Trained) -> Sequence[nn.Module]:
    """Return what is on each device, with the names of modules that it has on one."""
    return network.towers if isinstance(network, TwoTowers) else [network]


class TowerOfRank(nn.Module):
    """One tower in this process and the other in another, of a `torch.distributed` group of two.

    Both see the same images and give the same scores, so each computes the same loss, and the
    gradients of its own half.
    """

    def __init__(self, network: Network, whole: AlexNet, device: torch.device | str) -> None:
        """Cut this rank's tower from a network with the weights to start from.

        Raises:
            TowersError: If the network has no two towers.
            ValueError: If the group is not of two processes.
        """
        super().__init__()
        if dist.get_world_size() != TOWERS:
            raise ValueError(f"two towers need two processes, not {dist.get_world_size()}")
        self.network, self.rank, self.device = network, dist.get_rank(), torch.device(device)
        self.tower = Tower.cut_from(network, whole, self.rank, device)

    def forward(self, images: Tensor) -> Tensor:
        """Map images (n, channels, view, view) to class scores (n, classes)."""
        own = images
        for number, stage in enumerate(self.tower.stages):
            (own,) = _flat_if_needed(stage, [own])
            if stage.sees == "both":
                own = _Meet.apply(own, self.rank)
            own = self.tower.run(number, own)
        scores: Tensor = _Sum.apply(own, self.rank)
        return scores

    @torch.no_grad()
    def merge_into(self, whole: AlexNet) -> None:
        """Write both towers' weights into a whole network; both processes call it."""
        state = whole.state_dict()
        for number in range(TOWERS):
            tower = self.tower if number == self.rank else Tower(self.network, number)
            for name, half in tower.state_dict().items():
                if number == self.rank:
                    sent = half.contiguous()
                else:
                    sent = torch.empty(half.shape, dtype=state[name].dtype, device=self.device)
                dist.broadcast(sent, src=number)
                tower.piece(name, state[name]).copy_(sent)


class _Meet(torch.autograd.Function):
    """From a tower's own maps to those of both; backward, each gets what both make of its own."""

    @staticmethod
    def forward(ctx: Any, own: Tensor, rank: int) -> Tensor:
        ctx.rank = rank
        both = [own, _swap(own, rank)]
        return torch.cat(both if rank == 0 else both[::-1], 1)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        halves = gradient.chunk(TOWERS, 1)
        return halves[ctx.rank] + _swap(halves[1 - ctx.rank], ctx.rank), None


class _Sum(torch.autograd.Function):
    """The sum of both towers' scores, added in the same order by both."""

    @staticmethod
    def forward(ctx: Any, own: Tensor, rank: int) -> Tensor:
        other = _swap(own, rank)
        return own + other if rank == 0 else other + own

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return gradient, None


def _swap(mine: Tensor, rank: int) -> Tensor:
    """Return the other rank's tensor of the same shape, and send it this one's."""
    mine = mine.contiguous()
    theirs = torch.empty_like(mine)
    both = [dist.P2POp(dist.isend, mine, 1 - rank), dist.P2POp(dist.irecv, theirs, 1 - rank)]
    for work in dist.batch_isend_irecv(both):
        work.wait()
    return theirs


def _flat_if_needed(stage: Stage, own: list[Tensor]) -> list[Tensor]:
    """Return maps as units before a fully connected layer; a tower's are neighbours in them."""
    return own if isinstance(stage.layer, Conv) else [one.flatten(1) for one in own]


def _modules(stage: Stage, classes: int, tower: int) -> Iterator[tuple[str, nn.Module]]:
    layer = build_layer(stage.layer, stage.seen, classes)
    if stage.is_last and tower > 0:
        layer.register_parameter("bias", None)  # it is added once
    yield stage.layer.name, layer
    for name, part in stage.parts:
        module = build_part(part, stage.given)
        yield name, HalfDropout(module, tower) if isinstance(module, DropoutLayer) else module
