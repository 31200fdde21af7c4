"""What is measured on a trained network; imports no PyTorch, so that reports can read it."""

from alexnet.config import Frozen


class Measure(Frozen):
    """How a network does on one set of images."""

    images: int
    loss: float | None  # mean cross-entropy, nats; None if it overflowed
    top1_error: float  # a fraction
    top5_error: float | None  # None with fewer than ten classes


class Measures(Frozen):
    """A network after its last epoch, seen through the centre view."""

    train: Measure  # "clean": a fixed stratified sample of training images, as large as test
    valid: Measure
    test: Measure | None  # None for tuning runs, which never see it
