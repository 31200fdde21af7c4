"""Figure 4 redrawn: what a network says of some test images, and what it finds most like others."""

import json
import math
from pathlib import Path
from typing import NamedTuple

import numpy as np
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from numpy.typing import NDArray
from safetensors import safe_open

from alexnet.data.catalogue import called
from alexnet.text import counted
from reports.figures.pictures import short, styled

PER_ROW, TOP = 4, 5
"""Test images in a row, and the most classes that are shown below each."""
LONGEST = 22
"""Letters of a class's name that are shown."""


class Examples(NamedTuple):
    """What a run left to be looked at; `alexnet.examples.Examples`, read back."""

    dataset: str
    classes: tuple[str, ...]  # names, in the order of the labels
    towers: int  # in which the kernels are
    kernels: NDArray[np.float32] | None  # (maps, 3, h, w)
    images: NDArray[np.uint8]  # (n, side, side, 3)
    labels: NDArray[np.int64]  # (n,)
    top_classes: NDArray[np.int64]  # (n, 5), the likeliest first; fewer of fewer classes
    top_probabilities: NDArray[np.float32]  # (n, 5)
    queries: NDArray[np.uint8]  # (m, side, side, 3)
    query_labels: NDArray[np.int64]  # (m,)
    neighbours: NDArray[np.uint8]  # (m, 6, side, side, 3), the nearest first
    neighbour_labels: NDArray[np.int64]  # (m, 6)


def read_examples(path: Path) -> Examples:
    """Return what a run left in a file."""
    with safe_open(path, framework="numpy") as file:
        about = json.loads(file.metadata()["about"])
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    return Examples(
        dataset=about["dataset"],
        classes=tuple(about["classes"]),
        towers=about["towers"],
        **({"kernels": None} | tensors),
    )


def draw_predictions(path: Path) -> Figure:
    """Draw test images, each with its class and the classes that the network finds likeliest.

    After the left half of the paper's Figure 4. The bar of the right class has another colour, a
    hatch and its name in bold. The probabilities are those of one view, which is the one drawn.
    """
    kept = read_examples(path)
    across = min(PER_ROW, len(kept.images))
    down = math.ceil(len(kept.images) / PER_ROW)
    with styled("white", hatch_linewidth=0.6):
        layout = ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.05)
        figure = Figure(figsize=(9, 0.3 + 3.8 * down), layout=layout)
        panels = figure.subplots(2 * down, across, height_ratios=(1.4, 1) * down, squeeze=False)
        for number in range(across * down):
            row, column = divmod(number, across)
            above, below = panels[2 * row, column], panels[2 * row + 1, column]
            if number < len(kept.images):
                _draw_image(above, kept.images[number])
                above.set_xlabel(short(kept.classes[kept.labels[number]], LONGEST), fontsize=9)
                _draw_bars(below, kept, number)
            else:
                above.set_visible(False)
                below.set_visible(False)
        right = int((kept.top_classes[:, 0] == kept.labels).sum())
        among = int((kept.top_classes == kept.labels[:, None]).any(1).sum())
        have = counted(right, "has", "have")
        figure.suptitle(
            f"{called(kept.dataset)}: of {counted(len(kept.images), 'test image')}, {have} "
            f"their class first and {among} among the likeliest {kept.top_classes.shape[1]}",
            fontsize=10, x=0.01, ha="left",
        )  # fmt: skip
    return figure


def draw_neighbours(path: Path) -> Figure | None:
    """Draw test images and, to the right of each, the training images nearest to it.

    After the right half of the paper's Figure 4: nearest in the last hidden layer. Those of the
    test image's class have a frame and a dot before their name. None if there are none.
    """
    kept = read_examples(path)
    rows, near = kept.neighbour_labels.shape
    if not rows:
        return None
    with styled("white"):
        layout = ConstrainedLayoutEngine(w_pad=0.03, h_pad=0.03, hspace=0.02, wspace=0.02)
        figure = Figure(figsize=(9, 0.45 + 1.45 * rows), layout=layout)
        panels = figure.subplots(rows, near + 2, width_ratios=(1, 0.12, *[1] * near), squeeze=False)
        for row in range(rows):
            _draw_query(panels[row], kept, row)
        panels[0, 0].set_title("test image", fontsize=9, color="0.35")
        panels[0, 2].set_title("nearest training images", fontsize=9, color="0.35")
        same = int((kept.neighbour_labels == kept.query_labels[:, None]).sum())
        figure.suptitle(
            f"{called(kept.dataset)}: {same} of the {rows * near} nearest training images are of "
            "the test image's class (framed, with a dot)",
            fontsize=10, x=0.01, ha="left",
        )  # fmt: skip
    return figure


def _draw_image(axes: Axes, image: NDArray[np.uint8]) -> None:
    # As it is, so that the file has no more pixels than the image.
    axes.imshow(image, interpolation="none")
    axes.set(xticks=[], yticks=[])
    for side in axes.spines.values():
        side.set_visible(False)


def _draw_bars(axes: Axes, kept: Examples, number: int) -> None:
    """Draw a name, a probability and a bar for each of the likeliest classes."""
    likely, right = sns.color_palette("colorblind")[0], sns.color_palette("colorblind")[1]
    classes, shares = kept.top_classes[number], kept.top_probabilities[number]
    for row, (one, share) in enumerate(zip(classes, shares, strict=True)):
        is_right = one == kept.labels[number]
        weight = "bold" if is_right else "normal"
        axes.barh(
            row + 0.34, share, 0.24, color=right if is_right else likely, linewidth=0,
            hatch="/////" if is_right else None, edgecolor="white",
        )  # fmt: skip
        axes.text(
            0, row, short(kept.classes[one], LONGEST), fontsize=7.5, weight=weight, va="center"
        )
        axes.text(
            1, row, f"{100 * share:.0f} %", fontsize=7.5, weight=weight, va="center", ha="right"
        )
    axes.set(xlim=(0, 1), ylim=(TOP - 0.2, -0.5))
    axes.axis("off")


def _draw_query(panels: NDArray[np.object_], kept: Examples, row: int) -> None:
    """Draw a test image, nothing, and its neighbours."""
    query, gap, *near = panels
    of, label = kept.classes, kept.query_labels[row]
    _draw_image(query, kept.queries[row])
    query.set_xlabel(short(of[label], 16), fontsize=7.5, weight="bold")
    gap.axis("off")
    color = sns.color_palette("colorblind")[0]
    for axes, image, one in zip(
        near, kept.neighbours[row], kept.neighbour_labels[row], strict=True
    ):
        _draw_image(axes, image)
        same = one == label
        dot = "\N{BLACK CIRCLE} " if same else ""
        axes.set_xlabel(dot + short(of[one], 16), fontsize=7.5, color=color if same else "0.35")
        if same:
            for side in axes.spines.values():
                side.set(visible=True, color=color, linewidth=2)
