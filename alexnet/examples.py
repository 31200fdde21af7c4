"""What is kept of a trained network to be looked at: Figures 3 and 4 of the paper.

Its first kernels, what it says of a few test images, and the training images that it finds most
like some others. Which test images is a matter of their dataset alone, so that every run on it
shows the same ones.
"""

import json
from typing import NamedTuple

import torch
from torch import Tensor, nn

from alexnet.augment import centre, resized
from alexnet.config import Config
from alexnet.data.images import Dataset, Images, in_memory
from alexnet.data.manifest import Manifest
from alexnet.evaluation import Evaluator, Neighbourhood, ranks
from alexnet.random_streams import derive

SMALLEST = 64
"""Side of a stored image, pixels, from which on a person recognises what is in it."""
PREDICTED, TOP = 8, 5
"""Test images whose classes are shown, and how many of the likeliest classes: Figure 4, left."""
QUERIES = 5
"""Test images whose neighbours are shown: Figure 4, right."""
LARGE, SMALL = 112, 64
"""Pixels, the largest side of a kept image: of those that stand alone, and of the others."""


class Examples(NamedTuple):
    """What a network made of a few images.

    Images are uint8 (..., side, side, 3): the centre view, made smaller if it is large.
    """

    images: Tensor  # of the test images whose classes are shown, (8, ...)
    labels: Tensor  # int64 (8,)
    top_classes: Tensor  # int64 (8, 5), the likeliest first; fewer if there are fewer classes
    top_probabilities: Tensor  # float32 (8, 5)
    queries: Tensor  # of the test images whose neighbours are shown, (5, ...)
    query_labels: Tensor  # int64 (5,)
    neighbours: Tensor  # of the training images nearest to each, the nearest first, (5, 6, ...)
    neighbour_labels: Tensor  # int64 (5, 6)
    kernels: Tensor | None  # float32 (maps, 3, h, w); None if others at each place, or none

    def tensors(self) -> dict[str, Tensor]:
        """Return what there is, by name, on the CPU."""
        return {name: one.cpu() for name, one in self._asdict().items() if one is not None}


def shows_anything(data: Dataset) -> bool:
    """Whether a person would see something in a dataset's images: colour, and enough pixels."""
    return data.has_colour and len(data.mean) >= SMALLEST


def examples(neighbourhood: Neighbourhood, data: Dataset) -> Examples:
    """Return what a trained network makes of a few test images.

    Args:
        neighbourhood: Of the network, where near training images are looked for.
        data: What it was trained on. Eight test images and five others are shown, all of them
            whatever the config says of how many to use; fewer if there are not as many.

    Source:
        Section 6.1, Figures 3 and 4. The paper does not say how it came to the probabilities of
        Figure 4; here they are those of one view, the centre, which is the one that is shown.
    """
    evaluator = neighbourhood.evaluator
    evaluator.network.eval()
    seed = derive(0, "examples", data.manifest.name)
    chosen = spread(data.test.labels, PREDICTED + QUERIES, seed)
    shown = data.test.only(chosen[:PREDICTED])
    top = evaluator.scores(shown).softmax(1).topk(min(TOP, evaluator.network.classes))
    queries = data.test.only(chosen[PREDICTED:])
    numbers = neighbourhood.nearest(queries)
    # A network that overflows is at no distance from anything.
    measured = (numbers >= 0).all(1)
    queries, numbers = queries.only(measured), numbers[measured]
    near = neighbourhood.images.only(numbers.flatten())
    pictures = picture(evaluator, near, SMALL)
    return Examples(
        images=picture(evaluator, shown, LARGE),
        labels=shown.labels,
        top_classes=top.indices,
        top_probabilities=top.values.float(),
        queries=picture(evaluator, queries, SMALL),
        query_labels=queries.labels,
        neighbours=pictures.reshape(*numbers.shape, *pictures.shape[1:]),
        neighbour_labels=near.labels.reshape(numbers.shape),
        kernels=first_kernels(evaluator),
    )


def spread(labels: Tensor, count: int, seed: int) -> Tensor:
    """Return the numbers of images chosen by chance, one of every class before a second of any.

    Args:
        labels: Of all images, int64 (n,).
        count: How many to choose; all of them if there are fewer.
        seed: Equal seeds choose equal images, on any device.

    Returns:
        Numbers, int64 (count,), in the order in which they were chosen; on the labels' device.
    """
    chance = torch.Generator().manual_seed(seed)
    found = labels.cpu()
    order = torch.randperm(len(found), generator=chance)
    shuffled = found[order]
    places = torch.randperm(int(found.max()) + 1, generator=chance)  # of the classes, in a round
    rounds = ranks(shuffled)
    turn = rounds * len(places) + places[shuffled]
    return order[turn.argsort()[:count]].to(labels.device)


def picture(evaluator: Evaluator, images: Images, largest: int) -> Tensor:
    """Return images as a network sees them by the centre view, to be looked at.

    Args:
        evaluator: Says how they are laid out and cropped.
        images: Any number.
        largest: Pixels; larger views are made smaller, antialiased.

    Returns:
        uint8 (n, side, side, 3) with side the view's, or ``largest``.
    """
    lens = evaluator.preprocessing
    view = centre(lens.laid_out(in_memory(images.pixels)), lens.view).round().to(torch.uint8)
    return view if lens.view <= largest else resized(view, largest)


def first_kernels(evaluator: Evaluator) -> Tensor | None:
    """Return the first layer's kernels (maps, 3, h, w), or None where `Examples` has none."""
    first = next(evaluator.network.features.children(), None)
    return first.weight.detach().float() if isinstance(first, nn.Conv2d) else None


def about(manifest: Manifest, config: Config) -> dict[str, str]:
    """Return what a reader of the tensors needs to know: metadata of their file.

    Everything is in one entry, ``about``, since safetensors writes several in any order:
    ``dataset``, the names of its ``classes`` in the order of the labels, and in how many
    ``towers`` the kernels are.
    """
    above = config.network.layers[1:2]  # what sees the first layer's maps
    content = {
        "dataset": manifest.name,
        "classes": [manifest.titles.get(name, name) for name in manifest.classes],
        "towers": above[0].groups if above else 1,
    }
    return {"about": json.dumps(content, sort_keys=True)}
