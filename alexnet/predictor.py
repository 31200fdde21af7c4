"""A trained network and how it is shown a picture: as the images that it was evaluated on."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from alexnet.config import Config, Precision
from alexnet.data.batches import Preprocessing
from alexnet.data.images import Images
from alexnet.data.manifest import Fit
from alexnet.data.pictures import UndecodableError, as_seen, opened, square
from alexnet.data.summary import Description, Summary
from alexnet.evaluation import Evaluator
from alexnet.model import AlexNet
from alexnet.precision import weight_type
from alexnet.sealed import SealError, read_bytes

Picture = Image.Image | str | os.PathLike[str] | NDArray[np.uint8] | Tensor
"""A Pillow image, the file of one, or its pixels: uint8 (h, w, 3), red first, or (h, w) if grey."""
Pictures = Picture | Sequence[Picture]
"""One, or several; arrays of pixels may have a leading axis for several of a size."""


class Prediction(NamedTuple):
    """A class, and how likely a network finds it."""

    name: str
    probability: float


@dataclass(frozen=True)
class Predictor:
    """A network in evaluation mode, on the CPU, and what it needs to be shown a picture."""

    network: AlexNet
    preprocessing: Preprocessing
    precision: Precision  # of the layers' arithmetic
    dataset: Description  # that the network was trained on

    @classmethod
    def of(cls, network: AlexNet, config: Config, precision: Precision, summary: Summary) -> Self:
        """Return the predictor of a network that sees a dataset as its config says."""
        measured = summary.measured.to(weight_type(precision))
        preprocessing = Preprocessing.of(measured, config)
        return cls(network.eval(), preprocessing, precision, summary.description)

    @property
    def classes(self) -> tuple[str, ...]:
        """Their names, in the order of the scores."""
        return self.dataset.classes

    @property
    def fit(self) -> Fit:
        """How a picture comes to the size of the dataset's images: by its rule, if it has one.

        A dataset whose images came as they are, or in a frame, has none for larger pictures, so
        that they are treated as in section 2 of the paper.
        """
        rule = self.dataset.fit
        return rule if rule.kind == "stretch" else Fit(kind="centre", size=rule.size)

    def batch(self, pictures: Pictures) -> Tensor:
        """Return pictures as the network takes them, the centre view, (n, 3, view, view).

        ``network(batch)`` are their scores in float32; `scores` computes in the run's precision.

        Raises:
            ValueError: If one is no picture.
        """
        return torch.cat(list(self._evaluator.shown(self._images(pictures))))

    def scores(self, pictures: Pictures, ten_views: bool = False) -> Tensor:
        """Return the class scores of pictures, (n, classes), as evaluation computes them.

        Args:
            pictures: One or several.
            ten_views: Of the centre and the corners and their reflections, section 4.1: the
                logarithm of the averaged probabilities, which takes ten times as long.

        Raises:
            ValueError: If one is no picture.
        """
        images = self._images(pictures)
        one = self._evaluator.scores(images)
        return self._evaluator.scores_of_ten(images, one) if ten_views else one

    def predict(self, picture: Picture, top: int = 5) -> list[Prediction]:
        """Return the likeliest classes of one picture, the likeliest first, by the centre view.

        Raises:
            ValueError: If it is no picture.
        """
        likely = self.scores([picture])[0].softmax(0).topk(min(top, len(self.classes)))
        found = zip(likely.indices.tolist(), likely.values.tolist(), strict=True)
        return [Prediction(self.classes[number], probability) for number, probability in found]

    @property
    def _evaluator(self) -> Evaluator:
        return Evaluator(self.network, self.preprocessing, self.precision)

    def _images(self, pictures: Pictures) -> Images:
        """Return pictures at the size of the dataset's images, uint8 (n, size, size, 3)."""
        squares = [self._square(image) for image in _images(pictures)]
        if not squares:
            raise ValueError("there is no picture; give one or several")
        pixels = torch.from_numpy(np.stack(squares))
        return Images(pixels, torch.zeros(len(pixels), dtype=torch.int64))

    def _square(self, image: Image.Image) -> NDArray[np.uint8]:
        """Return a picture as the dataset would have it; in grey if all of its images are."""
        size = self.dataset.fit.size
        framed = self.dataset.fit.kind == "frame" and max(image.size) <= size
        fit = self.dataset.fit if framed else self.fit
        return square(image if self.dataset.colour else image.convert("L"), fit)


def _images(pictures: Pictures) -> Iterator[Image.Image]:
    """Yield pictures in mode L or RGB, upright and opaque."""
    if isinstance(pictures, np.ndarray | Tensor):
        pixels = _pixels(pictures)
        yield from map(Image.fromarray, pixels if pixels.ndim == 4 else [pixels])
    elif isinstance(pictures, Image.Image | str | os.PathLike):
        yield _image(pictures)
    else:
        for picture in pictures:
            yield from _images(picture)


def _image(picture: Image.Image | str | os.PathLike[str]) -> Image.Image:
    """Return a picture in mode L or RGB, upright and opaque."""
    if isinstance(picture, Image.Image):
        try:
            return as_seen(picture.copy())
        except UndecodableError as error:
            raise ValueError(f"this picture cannot be shown: {error}") from error
    path = Path(picture).expanduser()
    try:
        return opened(read_bytes(path))[0]
    except (UndecodableError, SealError) as error:
        raise ValueError(f"{path} cannot be shown: {error}") from error
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}") from error


def _pixels(array: NDArray[Any] | Tensor) -> NDArray[np.uint8]:
    """Return pixels (h, w), (h, w, 3) or (n, h, w, 3)."""
    pixels = array.detach().cpu().numpy() if isinstance(array, Tensor) else array
    rule = "give uint8 of shape (h, w, 3), (n, h, w, 3) or, if grey, (h, w)"
    if pixels.dtype != np.uint8:
        raise ValueError(f"pixels of type {pixels.dtype} have no agreed grey levels; {rule}")
    if (
        pixels.ndim not in (2, 3, 4)
        or (pixels.ndim > 2 and pixels.shape[-1] != 3)
        or not pixels.size
    ):
        raise ValueError(f"an array of shape {tuple(pixels.shape)} is no picture; {rule}")
    return pixels
