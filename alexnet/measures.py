"""What is measured on a trained network; imports no PyTorch, so that reports can read it."""

from pydantic import Field

from alexnet.config import Frozen

LARGEST_SCORES = 2**30
"""Bytes of scores, by one view and by ten; more than a GiB of them is measured and not kept."""


class Measure(Frozen):
    """How a network does on one set of images."""

    images: int
    loss: float | None  # mean cross-entropy, nats; None if it overflowed
    top1_error: float  # a fraction
    top5_error: float | None  # None with fewer than ten classes


class Neighbours(Frozen):
    """How often the nearest training images are of a test image's class, section 6.1."""

    nearest: int  # training images looked at for each test image
    queries: int  # test images, as many of each class
    among: int  # training images, as many of each class
    hidden: float  # share of the same class, by distance in the last hidden layer
    pixels: float  # the same by distance in centred pixels
    untrained: float | None = None  # in the last hidden layer with its initial weights


class Measures(Frozen):
    """A network after its last epoch; all of it in every run.

    Fields with a default are absent from records written before they were measured.
    """

    train: Measure  # "clean": a fixed stratified sample of training images, as large as test
    valid: Measure
    test: Measure | None  # None for tuning runs, which never see it
    valid_ten: Measure | None = None  # probabilities averaged over ten views, section 4.1
    test_ten: Measure | None = None
    # The median of alpha S / k, section 3.3, by the name of the layer:
    norm_activity: dict[str, float] = Field(default_factory=dict)
    colour_selectivity: tuple[float, ...] | None = None  # of conv1's kernels; None on grey images
    neighbours: Neighbours | None = None  # None on grey images and for tuning runs
