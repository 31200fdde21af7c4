"""Networks of two towers, and a few updates of them: on one device, on two, on two ranks."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
import torch.distributed as dist
import torch.multiprocessing
from torch import Tensor, nn

from ablations.arms import no_communication
from alexnet.config import Adam, BatchNorm, Config, Conv, MapNorm, Normal, Precision
from alexnet.model import AlexNet, build
from alexnet.optim import Optimizer, optimizer_for
from alexnet.presets import alexnet_cifar, tiny
from alexnet.towers import TowerOfRank, TowerOptimizers, Trained, TwoTowers, on_each_device
from alexnet.training import give_dropout_its_chance, step, training_loss

UPDATES, BATCH, SEED = 5, 6, 3


def _batch_norm_and_adam() -> Config:
    adam = Adam(rate=0.001)
    return tiny().but(network={"parts": {"norm": BatchNorm()}}, training={"optimizer": adam})


def _unshared() -> Config:
    """Return one whose towers meet in a convolution without shared weights, after four groups."""
    small = tiny()
    own = Conv(
        name="local3", maps=6, size=3, weights="unshared", init=Normal(std=0.1), then=("act",)
    )
    convolutions = (*small.network.convolutions, own)
    parts = {"map_norm": MapNorm(), "norm": {"groups": 4}}
    then = ("act", "map_norm", "pool")
    network = small.but(network={"parts": parts, "convolutions": convolutions}).network
    network = network.but(convolutions={"conv2": {"groups": 4, "then": then}})
    return small.but(network=network)


CONFIGS = {
    "tiny": tiny(),
    "batch norm, Adam": _batch_norm_and_adam(),
    "unshared, four groups": _unshared(),
    "alexnet_cifar": alexnet_cifar(),
    "towers that never meet": alexnet_cifar().but(**no_communication(alexnet_cifar())),
}

ON_RANKS = ("batch norm, Adam", "unshared, four groups")


class Learned(NamedTuple):
    """What came of a few updates, in the layout of one device."""

    losses: list[float]
    scores: Tensor  # of the first update, (n, classes)
    gradients: dict[str, Tensor]  # of the first update
    weights: dict[str, Tensor]  # after all updates, buffers too
    moments: dict[str, Tensor]  # the optimizer's state after all updates

    def distance(self, other: "Learned") -> float:
        """Return the largest difference of two numbers in the same place."""
        several = [
            ({"losses": torch.tensor(one.losses, dtype=torch.float64), "scores": one.scores},
             one.gradients, one.weights, one.moments)
            for one in (self, other)
        ]  # fmt: skip
        apart = [0.0]
        for mine, theirs in zip(*several, strict=True):
            assert mine.keys() == theirs.keys()
            apart += [float((mine[n] - theirs[n]).abs().max()) for n in mine]
        return max(apart)


def batches(config: Config, dtype: torch.dtype) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield random images around 0 and labels, as many batches as there are updates."""
    stream, view = torch.Generator().manual_seed(5), config.network.view
    for _ in range(UPDATES):
        images = torch.rand(BATCH, view, view, 3, generator=stream, dtype=dtype) * 255 - 128
        labels = torch.randint(config.network.classes, (BATCH,), generator=stream)
        yield images.permute(0, 3, 1, 2), labels


def on_one_device(config: Config) -> Learned:
    """Make the updates on the CPU."""
    whole = build(config, SEED, "float64")
    return _learn(config, whole, optimizer_for(whole, config.training.optimizer), whole)


def on_two_devices(config: Config, devices: Sequence[str] = ("cpu", "cpu")) -> Learned:
    """Make the updates with a tower on each of two devices."""
    whole = build(config, SEED, "float64")
    settings = config.training.optimizer
    towers = TwoTowers(config.network, whole, devices)
    optimizer = TowerOptimizers(towers, optimizer_for(whole, settings), settings)
    return _learn(config, towers, optimizer, whole)


def _learn(config: Config, network: Trained, optimizer: Optimizer, whole: AlexNet) -> Learned:
    network.train()
    _start_dropout(config, on_each_device(network))
    images, labels = next(batches(config, torch.float64))
    scores = network(images)
    training_loss(scores, labels).backward()
    gradients = {name: torch.zeros_like(one) for name, one in whole.named_parameters()}
    for part in on_each_device(network):
        for name, own in part.named_parameters():
            place = part.piece(name, gradients[name]) if part is not whole else gradients[name]
            place.copy_(own.grad)
            own.grad = None
    _forget_running_averages(network)
    _start_dropout(config, on_each_device(network))
    losses = [
        float(step(network, optimizer, images, labels, "float64")[0]) / BATCH
        for images, labels in batches(config, torch.float64)
    ]
    if isinstance(network, TwoTowers):
        network.merged()
    return Learned(losses, scores.detach(), gradients, _kept(whole), optimizer.state())


def _forget_running_averages(network: nn.Module) -> None:
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.reset_running_stats()


def _start_dropout(config: Config, parts: Sequence[nn.Module]) -> None:
    precision: Precision = "float64"
    for part in parts:
        give_dropout_its_chance(part, config, SEED, 1, precision)


def _kept(network: nn.Module) -> dict[str, Tensor]:
    return {name: one.clone() for name, one in network.state_dict().items()}


def on_two_ranks(folder: Path) -> dict[str, list[Learned]]:
    """Make the updates of some configs in two processes; return what each says it came to."""
    torch.multiprocessing.spawn(_rank, (str(folder),), nprocs=2)
    found = [torch.load(folder / f"{rank}.pt") for rank in range(2)]
    return {name: [Learned(*one[name]) for one in found] for name in ON_RANKS}


def _rank(rank: int, folder: str) -> None:
    os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/met", rank=rank, world_size=2)
    found = {name: tuple(_learn_as_a_rank(CONFIGS[name])) for name in ON_RANKS}
    torch.save(found, f"{folder}/{rank}.pt")
    dist.destroy_process_group()


def _learn_as_a_rank(config: Config) -> Learned:
    """Make the updates with one tower here; gradients and weights are merged from both."""
    whole = build(config, SEED, "float64")
    network = TowerOfRank(config.network, whole, "cpu").train()
    optimizer = optimizer_for(network.tower, config.training.optimizer)
    _start_dropout(config, [network.tower])
    losses, first = [], None
    for images, labels in batches(config, torch.float64):
        scores = network(images)
        loss = training_loss(scores, labels)
        loss.backward()
        if first is None:
            first = scores.detach(), _merged_gradients(network, build(config, SEED, "float64"))
        optimizer.step()
        losses.append(float(loss.detach()))
    network.merge_into(whole)
    assert first is not None
    return Learned(losses, *first, _kept(whole), {})


def _merged_gradients(network: TowerOfRank, room: AlexNet) -> dict[str, Tensor]:
    """Return gradients as `merge_into` puts weights together: in their place for a moment."""
    weights = {name: one.detach().clone() for name, one in network.tower.named_parameters()}
    with torch.no_grad():
        for _, one in network.tower.named_parameters():
            one.copy_(one.grad)
        network.merge_into(room)
        for name, one in network.tower.named_parameters():
            one.copy_(weights[name])
    return {name: one.detach().clone() for name, one in room.named_parameters()}


def with_fake_weights(module: nn.Module, device: str) -> None:
    """Put fake tensors on a device in the place of weights, in `FakeTensorMode`.

    `nn.Module.to` cannot: it writes into tensors that are not fake.
    """
    for one in module.modules():
        for name, weights in one._parameters.items():
            if weights is not None:
                fake = torch.empty_strided(weights.shape, weights.stride(), device=device)
                one._parameters[name] = nn.Parameter(fake)
