"""Every measure of a trained network, always all of them."""

import functools
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import NamedTuple, Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from alexnet.augment import View, centre, ten_views
from alexnet.config import Config, Precision
from alexnet.data.batches import Preprocessing, view_batches
from alexnet.data.images import Dataset, Images, in_memory
from alexnet.layers import LocalResponseNorm
from alexnet.measures import LARGEST_SCORES, Measure, Measures, Neighbours
from alexnet.model import AlexNet
from alexnet.norms import neighbours_energy
from alexnet.precision import arithmetic, weight_type, widened

NEAREST = 6
"""Training images shown beside each query in Figure 4."""
QUERIES, AMONG = 1_000, 10_000
"""The most images that neighbours are looked for, and among."""
ACTIVITY_IMAGES = 100
AT_ONCE = 50_000
"""Images whose scores are in memory together."""


@dataclass(frozen=True)
class Evaluator:
    """A trained network and how images are shown to it."""

    network: AlexNet
    preprocessing: Preprocessing
    precision: Precision

    @classmethod
    def of(cls, network: AlexNet, data: Dataset, config: Config, precision: Precision) -> Self:
        """Return the evaluator of a network that sees a dataset as its config says."""
        measured = data.measured_in(weight_type(precision))
        return cls(network, Preprocessing.of(measured, config), precision)

    @property
    def views(self) -> list[View]:
        """The ten views of an image, the centre first."""
        return ten_views(len(self.preprocessing.mean), self.preprocessing.view)

    def shown(self, images: Images, view: View | None = None) -> Iterator[Tensor]:
        """Yield a view of images, the centre if None, (n, 3, view, view)."""
        return view_batches(images, self.preprocessing, view or self.views[0])

    @torch.no_grad()
    def scores(self, images: Images, view: View | None = None) -> Tensor:
        """Return the class scores of images (n, classes); by the centre view if None."""
        with arithmetic(images.device.type, self.precision):
            return torch.cat([widened(self.network(b)) for b in self.shown(images, view)])

    def scores_of_ten(self, images: Images, centre: Tensor) -> Tensor:
        """Return the logarithm of the probabilities averaged over ten views, (n, classes).

        Args:
            images: Shown by nine more views than the centre.
            centre: The scores by the centre view.

        Source:
            Section 4.1; the 2012 code averages probabilities, not scores (LogregCostLayer).
        """
        scores = chain([centre], (self.scores(images, view) for view in self.views[1:]))
        return average(scores, [view.share for view in self.views])

    @torch.no_grad()
    def hidden(self, images: Images) -> Tensor:
        """Return the last hidden layer's activations by the centre view, (n, units)."""
        with arithmetic(images.device.type, self.precision):
            return torch.cat([widened(self.network.hidden(b)) for b in self.shown(images)])


@dataclass(frozen=True)
class Neighbourhood:
    """The training images that near ones are looked for among, as a network sees them.

    They and what the network makes of them are found when first asked for, and kept.
    """

    evaluator: Evaluator
    train: Images

    @classmethod
    def of(cls, network: AlexNet, data: Dataset, config: Config, precision: Precision) -> Self:
        """Return what a trained network's nearest training images are looked for among."""
        train = data.train.first(config.training.images)
        return cls(Evaluator.of(network, data, config, precision), train)

    @functools.cached_property
    def images(self) -> Images:
        """As many of each class, at most 10,000 in all."""
        return clean_sample(self.train, AMONG)

    @functools.cached_property
    def hidden(self) -> Tensor:
        """The last hidden layer's activations, (n, units); the network must not train."""
        return self.evaluator.hidden(self.images)

    def nearest(self, images: Images) -> Tensor:
        """Return the numbers of the six of these images nearest to each of others, (n, 6).

        Source:
            Section 6.1: by Euclidean distance in the last hidden layer.
        """
        return nearest(self.evaluator.hidden(images), self.hidden)


class Scores(NamedTuple):
    """What a network made of the test images, (n, classes) each."""

    one: Tensor  # scores by the centre view
    ten: Tensor  # log-probabilities, averaged over ten views


class ViewMeasures(NamedTuple):
    """Measures of one set of images, and its scores if there is room for them."""

    one: Measure
    ten: Measure
    scores: Scores | None


def evaluate(
    network: AlexNet,
    data: Dataset,
    config: Config,
    precision: Precision,
    see_test: bool,
    neighbourhood: Neighbourhood | None = None,
    untrained: Callable[[], AlexNet] | None = None,
) -> tuple[Measures, Scores | None]:
    """Measure a trained network; return the measures and its scores on ``test``.

    There are no scores where ``test`` may not be seen, or has too many images and classes to keep.

    Args:
        network: Left in evaluation mode.
        data: The images; ``train`` and ``test`` no further than the config says.
        config: Of the network and of how images are shown to it.
        precision: That it is measured in.
        see_test: Whether ``test`` may be seen.
        neighbourhood: Of this network on these images, if others will ask it too.
        untrained: Builds the same network with its initial weights, the control of what is learned.
    """
    network.eval()
    limit = config.training.images
    train, valid, test = (part.first(limit) for part in (data.train, data.valid, data.test))
    sample = clean_sample(train, len(test))
    neighbourhood = neighbourhood or Neighbourhood.of(network, data, config, precision)
    evaluator = neighbourhood.evaluator
    on_valid = measure_views(evaluator, valid)
    measures = Measures(
        train=measure(evaluator.scores(sample), sample.labels),
        valid=on_valid.one,
        valid_ten=on_valid.ten,
        test=None,
        norm_activity=norm_activity(evaluator, valid.first(ACTIVITY_IMAGES)),
        colour_selectivity=_selectivity(network) if data.has_colour else None,
    )
    if not see_test:
        return measures, None
    on_test = measure_views(evaluator, test)
    control = None
    if untrained is not None and data.has_colour:
        control = Neighbourhood.of(untrained().eval(), data, config, precision)
    seen = {
        "test": on_test.one,
        "test_ten": on_test.ten,
        "neighbours": neighbours(neighbourhood, test, control) if data.has_colour else None,
    }
    return measures.model_copy(update=seen), on_test.scores


def measure_views(evaluator: Evaluator, images: Images, at_once: int = AT_ONCE) -> ViewMeasures:
    """Measure images by one and by ten views, so many at a time."""
    bytes_a_score = 2 * weight_type(evaluator.precision).itemsize
    keep = len(images) * evaluator.network.classes * bytes_a_score <= LARGEST_SCORES
    parts: list[tuple[Measure, Measure]] = []
    kept: list[Scores] = []
    for start in range(0, len(images), at_once):
        some = images.between(start, start + at_once)
        one = evaluator.scores(some)
        ten = evaluator.scores_of_ten(some, one)
        parts.append((measure(one, some.labels), measure(ten, some.labels)))
        if keep:
            kept.append(Scores(one, ten))
    ones, tens = zip(*parts, strict=True)
    whole = Scores(*map(torch.cat, zip(*kept, strict=True))) if keep else None
    return ViewMeasures(pooled(ones), pooled(tens), whole)


def pooled(measures: Sequence[Measure]) -> Measure:
    """Return the measure of all images, from those of disjoint parts of them."""
    if len(measures) == 1:
        return measures[0]
    images = sum(one.images for one in measures)

    def mean(values: Iterable[float | None]) -> float | None:
        known = [value for value in values if value is not None]
        if len(known) < len(measures):
            return None
        weighted = (v * one.images for v, one in zip(known, measures, strict=True))
        return math.fsum(weighted) / images

    return Measure(
        images=images,
        loss=mean(one.loss for one in measures),
        top1_error=mean(one.top1_error for one in measures) or 0.0,
        top5_error=mean(one.top5_error for one in measures),
    )


def average(scores: Iterable[Tensor], shares: Sequence[float]) -> Tensor:
    """Return the logarithm of averaged probabilities: of several views, or several networks.

    Args:
        scores: Of the same images, each (n, classes); scores or log-probabilities.
        shares: The weight of each, positive; they sum to 1.

    Returns:
        Log-probabilities, which are scores again, (n, classes).

    Raises:
        ValueError: If there is not a share for each, or they do not sum to 1.

    Source:
        Section 4.1 for views, section 6 for networks; the 2012 code averages probabilities.
    """
    if not math.isclose(sum(shares), 1):
        raise ValueError(f"shares sum to {sum(shares):g}, not to 1")
    parts = (one.log_softmax(1) + math.log(s) for s, one in zip(shares, scores, strict=True))
    return functools.reduce(torch.logaddexp, parts)  # a confident probability of 0 has a logarithm


def clean_sample(images: Images, count: int) -> Images:
    """Return the first images of every class, ``count`` in all or nearly, in stored order."""
    per_class = max(1, count // len(images.labels.bincount()))
    return images.only(ranks(images.labels) < per_class)


def ranks(labels: Tensor) -> Tensor:
    """Return how many images of its class come before each, by their labels (n,).

    >>> ranks(torch.tensor([3, 0, 3, 3, 0]))
    tensor([0, 0, 1, 2, 1])
    """
    counts = labels.bincount()
    by_class = labels.argsort(stable=True)
    before = (counts.cumsum(0) - counts)[labels[by_class]]
    found = torch.empty_like(by_class)
    found[by_class] = torch.arange(len(labels), device=labels.device) - before
    return found


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
        loss=loss if math.isfinite(loss) else None,
        top1_error=float((rank > 1).double().mean()),
        top5_error=float((rank > 5).double().mean()) if scores.shape[1] >= 10 else None,
    )


@torch.no_grad()
def norm_activity(evaluator: Evaluator, images: Images) -> dict[str, float]:
    """Return, for each response normalisation, the median of alpha S / k over all activations.

    S is the sum of squares in the window. Far below 1, the layer multiplies by next to a
    constant and cannot do what section 3.3 says of it.
    """
    found = {}
    activations = next(evaluator.shown(images))
    for name, module in evaluator.network.features.named_children():
        if isinstance(module, LocalResponseNorm):
            s = module.settings
            energy = neighbours_energy(activations, s.size, s.groups)
            found[name] = float((s.alpha / s.k * energy).median())
        activations = module(activations)
    return found


def _selectivity(network: AlexNet) -> tuple[float, ...] | None:
    """Return that of the first layer's kernels; None if it has none, or others at each place."""
    first = next(network.features.children(), None)
    return colour_selectivity(first.weight.detach()) if isinstance(first, nn.Conv2d) else None


def colour_selectivity(kernels: Tensor) -> tuple[float, ...]:
    """Return for each kernel (maps, 3, h, w) the share of its energy that is not grey.

    0 for a kernel that treats the channels alike, 1 for one that only compares them. A kernel
    of zeros counts as 0.

    >>> colour_selectivity(torch.tensor([[1.0, 1, 1], [1, -1, 0]]).reshape(2, 3, 1, 1))
    (0.0, 1.0)
    """
    grey = kernels.shape[1] * kernels.mean(1).square().sum((1, 2))
    energy = kernels.square().sum((1, 2, 3))
    selectivity = 1 - grey / energy.clamp_min(torch.finfo(energy.dtype).tiny)
    return tuple(round(max(0.0, value), 6) for value in selectivity.where(energy > 0, 0).tolist())


def neighbours(
    neighbourhood: Neighbourhood, test: Images, control: Neighbourhood | None = None
) -> Neighbours:
    """Return how often near training images share a test image's class, section 6.1, Figure 4.

    Args:
        neighbourhood: Of the trained network.
        test: Whose neighbours are looked for.
        control: Of the same network, untrained.
    """
    queries, among = clean_sample(test, QUERIES), neighbourhood.images
    evaluator = neighbourhood.evaluator

    def rate(of: Tensor, near: Tensor) -> float:
        return same_class_rate(of, queries.labels, near, among.labels)

    side = min(evaluator.preprocessing.view, queries.pixels.shape[1])
    seen, near = (
        centre(in_memory(images.pixels), side).flatten(1).to(images.device)
        for images in (queries, among)
    )
    return Neighbours(
        nearest=NEAREST,
        queries=len(queries),
        among=len(among),
        hidden=rate(evaluator.hidden(queries), neighbourhood.hidden),
        pixels=rate(seen.to(weight_type(evaluator.precision)), near),
        untrained=rate(control.evaluator.hidden(queries), control.hidden) if control else None,
    )


def same_class_rate(queries: Tensor, classes: Tensor, near: Tensor, near_classes: Tensor) -> float:
    """Return the share of each query's six nearest vectors that are of its class.

    Args:
        queries: Shape (n, d), any type.
        classes: Shape (n,).
        near: The vectors looked among, (m, d) with m at least 6; compared by Euclidean distance.
        near_classes: Shape (m,).
    """
    numbers = nearest(queries, near)
    same = (near_classes[numbers] == classes[:, None]) & (numbers >= 0)
    return float(same.double().mean())


def nearest(queries: Tensor, near: Tensor) -> Tensor:
    """Return the numbers of each query's six nearest vectors, the nearest first, int64 (n, 6).

    Args:
        queries: Shape (n, d); distances are computed in their type, or in float32.
        near: The vectors looked among, (m, d), any type; compared by Euclidean distance.

    Returns:
        -1 where there are fewer than six at a distance that is a number.
    """
    queries = widened(queries)
    best = queries.new_full((len(queries), NEAREST), math.inf)
    found = torch.full_like(best, -1, dtype=torch.int64)
    numbers = torch.arange(len(near), device=queries.device)
    for vectors, some in zip(torch.split(near, 1_000), torch.split(numbers, 1_000), strict=True):
        distances = torch.cat([best, torch.cdist(queries, vectors.to(queries.dtype))], 1)
        candidates = torch.cat([found, some.expand(len(queries), -1)], 1)
        best, which = distances.topk(NEAREST, largest=False)
        found = candidates.gather(1, which)
    return found
