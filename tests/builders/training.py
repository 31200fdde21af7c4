"""Networks trained on made-up images."""

from alexnet.config import Config, Precision
from alexnet.data.images import Dataset
from alexnet.learning_curve import Epoch
from alexnet.model import AlexNet, build
from alexnet.optim import optimizer_for
from alexnet.training import fit


def train(
    config: Config, images: Dataset, seed: int = 0, precision: Precision = "float32"
) -> tuple[AlexNet, list[Epoch]]:
    """Return a trained network and its epochs."""
    network = build(config, seed, precision)
    optimizer = optimizer_for(network, config.training.optimizer)
    return network, list(fit(network, optimizer, images, config, seed, precision))
