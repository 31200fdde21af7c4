"""Training as a generator: it trains and says what happened; whoever iterates acts on it."""

import math
import time
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from alexnet.config import Config, Precision
from alexnet.data.batches import training_batches
from alexnet.data.images import Dataset
from alexnet.evaluation import Evaluator, measure
from alexnet.layers import DropoutLayer
from alexnet.learning_curve import PARTS, Epoch, over
from alexnet.model import AlexNet
from alexnet.optim import Optimizer
from alexnet.precision import arithmetic, image_type, widened
from alexnet.random_streams import stream_seed
from alexnet.schedules import FULL, Factors, factors

LOSS_DIGITS = 6
"""Of a loss as it is recorded; of a network trained in float64, all of them."""


class DivergedError(ArithmeticError):
    """The training loss is no longer a finite number."""


def fit(
    network: AlexNet,
    optimizer: Optimizer,
    data: Dataset,
    config: Config,
    seed: int,
    precision: Precision,
    done: Sequence[Epoch] = (),
) -> Iterator[Epoch]:
    """Train ``network`` in place and yield what happened after each pass over the images.

    Nothing of chance needs saving: given weights, velocities and the epochs already ``done``,
    training goes on as if it had never stopped.

    Args:
        network: On the device where it trains; so are ``data``.
        optimizer: Made for this network.
        data: Trains on ``data.train``.
        config: Says how long, how, and when to end early.
        seed: Of the run; every use of chance is derived from it.
        precision: Of the layers' arithmetic; weights, loss and update are float32, or float64 if
            this is. The network's own weights have to be of that type.
        done: The epochs trained before, when a run is taken up again.

    Raises:
        DivergedError: If the loss is not finite, at most a tenth of an epoch later.
    """
    epochs, validates = list(done), config.training.validates
    while not over(epochs, config):
        number = len(epochs) + 1
        start = time.perf_counter()
        network.train()
        give_dropout_its_chance(network, config, seed, number, precision)
        batches = training_batches(data, config, seed, number, image_type(precision))
        total = -(-len(data.train.first(config.training.images)) // config.training.batch)
        counts = _train(network, optimizer, batches, total, config, epochs, precision)
        error = _valid_error(network, data, config, precision) if validates else None
        seconds = time.perf_counter() - start
        epochs.append(Epoch(number=number, **counts, valid_error=error, seconds=seconds))
        yield epochs[-1]


def give_dropout_its_chance(
    network: AlexNet, config: Config, seed: int, epoch: int, precision: Precision
) -> None:
    """Start the stream of every dropout layer for one epoch, on the device that draws.

    In float64 that is always the CPU: other devices would draw other numbers.
    """
    for name, layer in network.named_modules():
        if isinstance(layer, DropoutLayer):
            device = next(network.parameters()).device
            if device.type == "meta":  # nothing is drawn there
                continue
            layer.stream = torch.Generator("cpu" if precision == "float64" else device)
            layer.stream.manual_seed(
                stream_seed(seed, config.pinned, "dropout", name, "epoch", epoch)
            )


def training_loss(scores: Tensor, labels: Tensor) -> Tensor:
    """Return the mean cross-entropy in nats, in float32 if the scores are narrower."""
    return functional.cross_entropy(widened(scores), labels)


def step(
    network: AlexNet,
    optimizer: Optimizer,
    images: Tensor,
    labels: Tensor,
    precision: Precision,
    factors: Factors = FULL,
) -> tuple[Tensor, Tensor]:
    """Learn from one batch; return its summed loss and its number of errors, on the device."""
    with arithmetic(images.device.type, precision):
        scores = network(images)
    loss = training_loss(scores, labels)
    loss.backward()  # type: ignore[no-untyped-call]
    optimizer.step(factors)
    return loss.detach() * len(labels), (scores.detach().argmax(1) != labels).sum()


def _train(
    network: AlexNet,
    optimizer: Optimizer,
    batches: Iterator[tuple[Tensor, Tensor]],
    total: int,
    config: Config,
    done: Sequence[Epoch],
    precision: Precision,
) -> dict[str, Any]:
    errors, images = [0] * PARTS, [0] * PARTS
    sums = [0.0] * PARTS
    for part in range(PARTS):
        losses, wrong = [], []
        for update in range(total * part // PARTS, total * (part + 1) // PARTS):
            views, labels = next(batches)
            rates = factors(config.training, done, len(done) * total + update, total)
            loss, missed = step(network, optimizer, views, labels, precision, rates)
            losses.append(loss)
            wrong.append(missed)
            images[part] += len(labels)
        if losses:  # the device is read once per tenth, so that it is not kept waiting
            errors[part] = int(torch.stack(wrong).sum())
            sums[part] = float(torch.stack(losses).double().sum())
            if not math.isfinite(sums[part]):
                raise DivergedError(f"the loss is not finite in epoch {len(done) + 1}")
    return {
        "errors": tuple(errors),
        "images": tuple(images),
        "loss": sum(sums) / sum(images),
        "losses": tuple(
            recorded(total / max(1, count), precision)
            for total, count in zip(sums, images, strict=True)
        ),
    }


def recorded(loss: float, precision: Precision) -> float:
    """Return a loss as a record keeps it: every digit in float64, which is for comparing them."""
    return loss if precision == "float64" else round(loss, LOSS_DIGITS)


def _valid_error(network: AlexNet, data: Dataset, config: Config, precision: Precision) -> float:
    """Return the top-1 error on held-out images by the centre view, which plateaus are found in."""
    network.eval()
    valid = data.valid.first(config.training.images)
    evaluator = Evaluator.of(network, data, config, precision)
    return measure(evaluator.scores(valid), valid.labels).top1_error
