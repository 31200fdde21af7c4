"""Training steps to measure: PyTorch set up as workers have it, and as it comes."""

import os
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from ablations.workers.protocol import WorkerSettings
from ablations.workers.trainer import Workbench
from alexnet.config import Config, Precision
from alexnet.model import build
from alexnet.optim import optimizer_for
from alexnet.training import step

CORES = os.cpu_count() or 1


def batch(view: int, classes: int = 10, size: int = 128) -> tuple[Tensor, Tensor]:
    """Return made-up images, as training sees them, and their classes."""
    stream = torch.Generator().manual_seed(0)
    images = torch.randn(size, view, view, 3, generator=stream).permute(0, 3, 1, 2) * 60
    return images, torch.randint(0, classes, (size,), generator=stream)


def as_workers_do(threads: int) -> Precision:
    """Set PyTorch up as a worker does; return the precision that a run takes here."""
    return Workbench(WorkerSettings(Path(), Path(), "cpu", threads, "")).precision()


def as_it_comes(threads: int) -> None:
    """Set PyTorch up as who just imports it has it."""
    torch.use_deterministic_algorithms(False)
    torch.set_num_threads(threads)


def our_step(config: Config, precision: Precision) -> Callable[[], object]:
    """Return a training step of this project, at a rate at which noise does no harm."""
    config = config.but(training={"optimizer": {"rate": 1e-5}})
    network = build(config, 0)
    optimizer = optimizer_for(network, config.training.optimizer)
    images, labels = batch(config.network.view, config.network.classes)
    return lambda: float(step(network, optimizer, images, labels, precision)[0])
