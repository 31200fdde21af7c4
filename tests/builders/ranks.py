"""Networks trained by several processes at once, each with its rows of every batch."""

import multiprocessing
import pickle
import warnings
from collections.abc import Sequence
from contextlib import ExitStack
from functools import cache
from multiprocessing.connection import Connection
from os import environ
from typing import NamedTuple
from unittest.mock import patch

import torch
import torch.distributed as dist
from torch import Tensor

from alexnet import parallel
from alexnet.config import Config, Precision
from alexnet.custom import trusting
from alexnet.data.images import Dataset, load
from alexnet.data.manifest import default_data_dir
from alexnet.data.synthetic import GENERATED
from alexnet.learning_curve import Epoch
from alexnet.model import build
from alexnet.optim import optimizer_for
from alexnet.parallel import ALONE, Share, meeting_place, stay_on_loopback
from alexnet.training import fit

LEFT_OUT = {
    "dropout": ("SharedDropout", lambda layer, share: layer),
    "batch norm": ("SharedBatchNorm", lambda norm, share: norm),
}
"""What can be left out on purpose, to see that somebody notices."""


class Case(NamedTuple):
    """A network to train."""

    config: Config
    precision: Precision = "float64"
    left_out: str = ""


class Trained(NamedTuple):
    """What came of it on one rank."""

    curve: list[Epoch]
    state: dict[str, Tensor]  # of network and optimizer


def trained(case: Case, share: Share = ALONE) -> Trained:
    """Train a network on generated images, alone or as one of several ranks."""
    config, data = case.config, _data()
    with trusting(), ExitStack() as stack:
        if case.left_out:
            stack.enter_context(patch.object(parallel, *LEFT_OUT[case.left_out]))
        network = build(config, 3, case.precision)
        optimizer = optimizer_for(network, config.training.optimizer)
        epochs = fit(network, optimizer, data, config, 3, case.precision, (), share)
        return Trained(list(epochs), network.state_dict() | optimizer.state())


@cache
def _data() -> Dataset:
    return load(GENERATED, default_data_dir())


def trained_by_ranks(
    counts: Sequence[int], cases: Sequence[Case]
) -> dict[int, list[list[Trained]]]:
    """Return, for each number of ranks, what every case came to on every rank.

    Processes are as many as the largest number; loading PyTorch takes longer than training.
    """
    context = multiprocessing.get_context("spawn")
    meetings = [meeting_place() for _ in counts]
    ports = dict(zip(counts, [one.port for one in meetings], strict=True))
    pipes = []
    for rank in range(max(counts)):
        ours, theirs = context.Pipe(duplex=False)
        process = context.Process(target=_serve, args=(theirs, rank, ports, cases), daemon=True)
        process.start()
        theirs.close()
        pipes.append((process, ours))
    said = [pickle.loads(pipe.recv_bytes()) for _, pipe in pipes]
    for process, _ in pipes:
        process.join()
    return {
        count: [list(ranks) for ranks in zip(*(one[count] for one in said[:count]), strict=True)]
        for count in counts
    }


def _serve(pipe: Connection, rank: int, ports: dict[int, int], cases: Sequence[Case]) -> None:
    warnings.simplefilter("error")
    torch.set_num_threads(1)
    stay_on_loopback(environ)
    found = {}
    for count, port in ports.items():
        if rank < count:
            share = Share(rank, count)
            share.join(torch.device("cpu"), port)
            found[count] = [trained(case, share) for case in cases]
            dist.destroy_process_group()
    pipe.send_bytes(pickle.dumps(found))  # `send` would share memory that ends with this process


def apart(one: Trained, other: Trained) -> float:
    """Return by how much two networks, their optimizers or their losses differ at most."""
    pairs = [(one.state[name].double(), other.state[name].double()) for name in one.state]
    tensors = max(float((a - b).abs().max()) for a, b in pairs)
    losses = zip(one.curve, other.curve, strict=True)
    return max(tensors, *(abs(a - b) for p, q in losses for a, b in
                          zip(p.losses, q.losses, strict=True)))  # fmt: skip
