"""Every measure of a trained network, always all of them."""

import torch
from torch import Tensor
from torch.nn import functional

from alexnet.config import Config, Precision
from alexnet.data.images import Dataset, Images, centre_batches
from alexnet.measures import Measure, Measures
from alexnet.model import AlexNet, arithmetic


def evaluate(
    network: AlexNet, data: Dataset, config: Config, precision: Precision, see_test: bool
) -> tuple[Measures, Tensor | None]:
    """Measure a trained network; return the measures and its scores on ``test`` (n, classes)."""
    limit = config.training.images
    count = len(data.test.first(limit))
    test, scores = None, None
    if see_test:
        scores = score(network, data.test.first(limit), data.mean, config, precision)
        test = measure(scores, data.test.first(limit).labels)
    parts = {"train": clean_sample(data.train, count), "valid": data.valid.first(limit)}
    seen = {
        name: measure(score(network, images, data.mean, config, precision), images.labels)
        for name, images in parts.items()
    }
    return Measures(train=seen["train"], valid=seen["valid"], test=test), scores


def clean_sample(images: Images, count: int) -> Images:
    """Return the first images of every class, ``count`` in all or nearly, in stored order."""
    classes = int(images.labels.max()) + 1
    per_class = max(1, count // classes)
    one_hot = functional.one_hot(images.labels, classes)
    rank = (one_hot.cumsum(0) * one_hot).sum(1)  # 1 for the first image of its class
    chosen = rank <= per_class
    return Images(images.pixels[chosen], images.labels[chosen])


@torch.no_grad()
def score(
    network: AlexNet, images: Images, mean: Tensor, config: Config, precision: Precision
) -> Tensor:
    """Return the class scores of images, float32 (n, classes), in evaluation mode."""
    network.eval()
    with arithmetic(images.pixels.device.type, precision):
        views = centre_batches(images, mean, config.network.view)
        return torch.cat([network(batch).float() for batch, _ in views])


def measure(scores: Tensor, labels: Tensor) -> Measure:
    """Return loss and errors of scores (n, classes) for labels (n,).

    A label's rank is the number of classes that score at least as high as it, itself included:
    ties count against the network, so a constant score is always wrong.
    """
    right = scores.gather(1, labels[:, None])
    rank = (scores >= right).sum(1) + scores.isnan().any(1) * scores.shape[1]
    loss = float(functional.cross_entropy(scores.double(), labels))
    return Measure(
        images=len(labels),
        loss=loss if torch.isfinite(torch.tensor(loss)) else None,
        top1_error=float((rank > 1).double().mean()),
        top5_error=float((rank > 5).double().mean()) if scores.shape[1] >= 10 else None,
    )
