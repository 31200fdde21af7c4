"""One run on several devices: the rows of every batch are shared out to ranks.

A rank is a process with a device of its own. Each draws the chance of the whole batch and keeps
its rows, normalises over the batch of all, and sums gradients and counts with the others; so all
have the same network after every update, and decide alike. But for the order of sums, a run is
the one that a single device trains.
"""

import socket
from collections.abc import Iterable, MutableMapping
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from alexnet.config import Config, Dense, Precision
from alexnet.custom import refuse_mixing
from alexnet.layers import DropoutLayer
from alexnet.model import AlexNet
from alexnet.precision import widened

BACKENDS = {"cpu": "gloo", "cuda": "nccl"}
LOOPBACK = "127.0.0.1"
PATIENCE = timedelta(minutes=10)
"""A rank that lets others wait for longer is taken for dead: none waits for as long as that."""


class RankLostError(RuntimeError):
    """Another rank is gone or does not answer, so that nothing can be summed."""


class Share:
    """Which rows of every batch are this rank's, and what it does together with the others."""

    def __init__(self, rank: int = 0, ranks: int = 1) -> None:
        """Take one of so many shares; of more than one, `join` comes before the first sum."""
        self.rank, self.ranks = rank, ranks
        self.batch = 0  # images of all ranks, of the batch that is being trained

    def __bool__(self) -> bool:
        """Whether there are other ranks."""
        return self.ranks > 1

    def rows(self, count: int) -> slice:
        """Return this rank's part of so many rows, as even as can be; it may be empty.

        >>> [Share(rank, 3).rows(32) for rank in range(3)]
        [slice(0, 10, None), slice(10, 21, None), slice(21, 32, None)]
        >>> [Share(rank, 3).rows(1) for rank in range(3)]
        [slice(0, 0, None), slice(0, 0, None), slice(0, 1, None)]
        """
        return slice(
            count * self.rank // self.ranks,
            count * (self.rank + 1) // self.ranks,
        )

    def join(self, device: torch.device, port: int) -> None:
        """Meet the other ranks of this machine.

        Args:
            device: Where this one computes, and its sums are.
            port: Of the `meeting_place` that rank 0 has opened.

        Raises:
            RankLostError: If they do not come.
        """
        try:
            store = meeting_place(port)
            dist.init_process_group(
                BACKENDS[device.type],
                store=store,
                rank=self.rank,
                world_size=self.ranks,
                timeout=PATIENCE,
                device_id=device if device.type == "cuda" else None,
            )
        except RuntimeError as error:
            raise RankLostError(str(error)) from error

    def sum(self, values: Tensor) -> Tensor:
        """Sum contiguous values over all ranks in place, to the same bits on each; return them.

        Raises:
            RankLostError: If a rank is gone.
        """
        if self:
            try:
                dist.all_reduce(values)
            except RuntimeError as error:
                raise RankLostError(str(error)) from error
        return values

    @torch.no_grad()
    def copy_first(self, tensors: Iterable[Tensor]) -> None:
        """Let tensors on all ranks become those of rank 0.

        Raises:
            RankLostError: If a rank is gone.
        """
        for tensor in tensors if self else ():
            sent = tensor.contiguous()
            try:
                dist.broadcast(sent, 0)
            except RuntimeError as error:
                raise RankLostError(str(error)) from error
            tensor.copy_(sent)

    @torch.no_grad()
    def sum_gradients(self, network: nn.Module) -> None:
        """Sum the gradients of all ranks, in one message."""
        found = (parameter.grad for parameter in network.parameters())
        gradients = [gradient for gradient in found if gradient is not None]
        flat = self.sum(torch.cat([gradient.flatten() for gradient in gradients]))
        parts = torch.split(flat, [gradient.numel() for gradient in gradients])
        for gradient, part in zip(gradients, parts, strict=True):
            gradient.copy_(part.view(gradient.shape))


ALONE = Share()


def meeting_place(port: int | None = None) -> Any:
    """Return a store on the loopback address where ranks meet: a new one, or that of a port."""
    return dist.TCPStore(  # type: ignore[attr-defined]
        LOOPBACK, port or 0, is_master=port is None, wait_for_workers=False, timeout=PATIENCE
    )


def stay_on_loopback(variables: MutableMapping[str, str]) -> None:
    """Let gloo connect the ranks of a machine over its loopback, whatever its name resolves to."""
    if any(name == "lo" for _, name in socket.if_nameindex()):
        variables.setdefault("GLOO_SOCKET_IFNAME", "lo")


class SharedDropout(DropoutLayer):
    """Dropout of a rank's rows: it draws for the whole batch, as one process does."""

    def __init__(self, layer: DropoutLayer, share: Share) -> None:
        """Take the place of a layer."""
        super().__init__(layer.settings)
        self.stream, self.share = layer.stream, share

    def draw(self, shape: tuple[int, ...], device: torch.device) -> Tensor:
        """Return a number between 0 and 1 for each activation, of that shape."""
        whole = self.share.batch
        return super().draw((whole, *shape[1:]), device)[self.share.rows(whole)]


class SharedBatchNorm(nn.BatchNorm2d):
    """Batch normalisation over the batch of all ranks (`torch.nn.SyncBatchNorm` knows no CPU)."""

    def __init__(self, norm: nn.BatchNorm2d, share: Share) -> None:
        """Take the place of a norm without learned factors, with what it has seen."""
        super().__init__(norm.num_features, norm.eps, norm.momentum, affine=False)
        for name, buffer in norm.named_buffers():
            setattr(self, name, buffer)
        self.share = share

    def forward(self, images: Tensor) -> Tensor:
        """Map (n, c, h, w) to (n, c, h, w); n is this rank's, and may be 0.

        Raises:
            ValueError: If all ranks together have one value of a channel, which has no variance.
        """
        if not self.training:
            return super().forward(images)
        wide, count = widened(images), self.share.batch * images.shape[2] * images.shape[3]
        if count < 2:
            raise ValueError("a batch of one value of each channel cannot be normalised")
        mean = _summed(wide.sum((0, 2, 3)), self.share) / count
        centred = wide - mean[:, None, None]
        # In two passes: the mean of squares less the square of the mean would cancel.
        variance = _summed(centred.square().sum((0, 2, 3)), self.share) / count
        self._remember(mean.detach(), variance.detach() * (count / (count - 1)))
        return (centred * (variance + self.eps).rsqrt()[:, None, None]).to(images.dtype)

    @torch.no_grad()
    def _remember(self, mean: Tensor, variance: Tensor) -> None:
        momentum = self.momentum or 0.0
        for running, seen in ((self.running_mean, mean), (self.running_var, variance)):
            if running is not None:
                running.lerp_(seen, momentum)
        if self.num_batches_tracked is not None:
            self.num_batches_tracked += 1


class _SumOfRanks(torch.autograd.Function):
    """A sum that every rank uses, so that the gradients of all come back to each."""

    @staticmethod
    def forward(ctx: torch.autograd.function.FunctionCtx, values: Tensor, share: Share) -> Tensor:
        ctx.share = share  # type: ignore[attr-defined]
        return share.sum(values.clone())

    @staticmethod
    def backward(
        ctx: torch.autograd.function.FunctionCtx, *gradients: Tensor
    ) -> tuple[Tensor, None]:
        share: Share = ctx.share  # type: ignore[attr-defined]
        return share.sum(gradients[0].clone()), None


def _summed(values: Tensor, share: Share) -> Tensor:
    summed: Tensor = _SumOfRanks.apply(values, share)
    return summed


def share_out(network: AlexNet, config: Config, precision: Precision, share: Share) -> None:
    """Put what knows of the other ranks in the place of layers that see rows together.

    Modules keep their names, by which chance and files know them. Alone, nothing is changed.

    Raises:
        CustomError: If a part of one's own sees several images together.
    """
    if not share:
        return
    for layer in config.network.layers:
        for flow in config.network.flows_after(layer):
            refuse_mixing(flow, isinstance(layer, Dense), precision)
    for stage in (network.features, network.classifier):
        for name, module in list(stage.named_children()):
            if type(module) is DropoutLayer:
                setattr(stage, name, SharedDropout(module, share))
            elif type(module) is nn.BatchNorm2d:
                setattr(stage, name, SharedBatchNorm(module, share))
