"""Training as a generator: it trains and says what happened; whoever iterates acts on it."""

import math
import time
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from alexnet.config import Config, Precision
from alexnet.data.batches import training_batches
from alexnet.data.images import Dataset
from alexnet.evaluation import Evaluator, measure
from alexnet.layers import DropoutLayer
from alexnet.learning_curve import PARTS, Epoch, over
from alexnet.model import AlexNet
from alexnet.optim import Optimizer
from alexnet.parallel import ALONE, Share, share_out
from alexnet.precision import arithmetic, image_type, widened
from alexnet.random_streams import stream_seed
from alexnet.schedules import FULL, Factors, factors
from alexnet.towers import Trained, on_each_device, whole_of

LOSS_DIGITS = 6
"""Of a loss as it is recorded; of a network trained in float64, all of them."""


class DivergedError(ArithmeticError):
    """The training loss is no longer a finite number."""


def fit(
    network: Trained,
    optimizer: Optimizer,
    data: Dataset,
    config: Config,
    seed: int,
    precision: Precision,
    done: Sequence[Epoch] = (),
    share: Share = ALONE,
) -> Iterator[Epoch]:
    """Train ``network`` in place and yield what happened after each pass over the images.

    Nothing of chance needs saving: given weights, velocities and the epochs already ``done``,
    training goes on as if it had never stopped.

    Args:
        network: On the device where it trains; so are ``data``. Of two towers, on the first's.
        optimizer: Made for this network.
        data: Trains on ``data.train``.
        config: Says how long, how, and when to end early.
        seed: Of the run; every use of chance is derived from it.
        precision: Of the layers' arithmetic; weights, loss and update are float32, or float64 if
            this is. The network's own weights have to be of that type.
        done: The epochs trained before, when a run is taken up again.
        share: Of every batch that this process trains. The others do the same meanwhile, and what
            is yielded is of all of them.

    Raises:
        CustomError: If a part of the network cannot be shared out.
        DivergedError: If the loss is not finite, at most a tenth of an epoch later.
    """
    epochs, validates = list(done), config.training.validates
    if share:
        share_out(whole_of(network), config, precision, share)
    while not over(epochs, config):
        number = len(epochs) + 1
        start = time.perf_counter()
        network.train()
        for part in on_each_device(network):
            give_dropout_its_chance(part, config, seed, number, precision)
        rows = share.rows if share else None
        batches = training_batches(data, config, seed, number, image_type(precision), rows)
        sizes = batch_sizes(data, config)
        counts = _train(network, optimizer, batches, sizes, config, epochs, precision, share)
        error = None
        if validates:
            error = _valid_error(whole_of(network), data, config, precision, share)
        seconds = time.perf_counter() - start
        epochs.append(Epoch(number=number, **counts, valid_error=error, seconds=seconds))
        yield epochs[-1]


def give_dropout_its_chance(
    network: nn.Module, config: Config, seed: int, epoch: int, precision: Precision
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


def batch_sizes(data: Dataset, config: Config) -> list[int]:
    """Return how many images each batch of an epoch has; the last one may be short."""
    images, batch = len(data.train.first(config.training.images)), config.training.batch
    return [min(batch, images - start) for start in range(0, images, batch)]


def training_loss(scores: Tensor, labels: Tensor) -> Tensor:
    """Return the mean cross-entropy in nats, in float32 if the scores are narrower."""
    return functional.cross_entropy(widened(scores), labels)


def step(
    network: Trained,
    optimizer: Optimizer,
    images: Tensor,
    labels: Tensor,
    precision: Precision,
    factors: Factors = FULL,
    share: Share = ALONE,
) -> tuple[Tensor, Tensor]:
    """Learn from one batch; return its summed loss and its number of errors, on the device.

    Of several ranks, each has some rows of a batch of ``share.batch``, and returns what they add.
    """
    with arithmetic(images.device.type, precision):
        scores = network(images)
    if share:
        # Not the mean of its own rows: shares differ, and may be empty.
        summed = functional.cross_entropy(widened(scores), labels, reduction="sum")
        (summed / share.batch).backward()  # type: ignore[no-untyped-call]
        share.sum_gradients(network)
    else:
        loss = training_loss(scores, labels)
        loss.backward()  # type: ignore[no-untyped-call]
        summed = loss * len(labels)
    optimizer.step(factors)
    return summed.detach(), (scores.detach().argmax(1) != labels).sum()


def _train(
    network: Trained,
    optimizer: Optimizer,
    batches: Iterator[tuple[Tensor, Tensor]],
    sizes: Sequence[int],
    config: Config,
    done: Sequence[Epoch],
    precision: Precision,
    share: Share,
) -> dict[str, Any]:
    errors, images = [0] * PARTS, [0] * PARTS
    sums, total = [0.0] * PARTS, len(sizes)
    for part in range(PARTS):
        losses, wrong = [], []
        for update in range(total * part // PARTS, total * (part + 1) // PARTS):
            views, labels = next(batches)
            rates = factors(config.training, done, len(done) * total + update, total)
            share.batch = sizes[update]
            loss, missed = step(network, optimizer, views, labels, precision, rates, share)
            losses.append(loss)
            wrong.append(missed)
            images[part] += sizes[update]
        if losses:  # the device is read once per tenth, so that it is not kept waiting
            errors[part] = int(share.sum(torch.stack(wrong).sum()))
            sums[part] = float(share.sum(torch.stack(losses).double().sum()))
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


def _valid_error(
    network: AlexNet, data: Dataset, config: Config, precision: Precision, share: Share
) -> float:
    """Return the top-1 error on held-out images by the centre view, which plateaus are found in."""
    network.eval()
    valid = data.valid.first(config.training.images)
    evaluator = Evaluator.of(network, data, config, precision)
    if not share:
        return measure(evaluator.scores(valid), valid.labels).top1_error
    rows = share.rows(len(valid))
    mine, wrong = valid.between(rows.start, rows.stop), 0.0
    if len(mine):
        wrong = measure(evaluator.scores(mine), mine.labels).top1_error * len(mine)
    counted = torch.tensor(round(wrong), device=valid.device)
    return int(share.sum(counted)) / len(valid)
