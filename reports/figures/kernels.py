"""Figure 3 redrawn: the kernels of the first layer, tower above tower."""

import math
from pathlib import Path

import numpy as np
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from alexnet.text import counted
from reports.figures.examples import read_examples
from reports.figures.pictures import styled

ACROSS = 16
"""Kernels in a row, the paper's."""
GAP, BAR = 0.28, 0.35
"""Between kernels, in sides of one; and of the gap, the height of the bar that is drawn in it."""
WIDTH = 9.0  # inches

Kernels = NDArray[np.float32]


def draw_kernels(path: Path) -> Figure | None:
    """Draw the kernels that a run left in its examples, each in its own range around grey.

    Below each is a bar as long as the kernel is colour selective, and above each tower its mean.
    None if the network's first layer has no kernels of its own for all places.
    """
    kept = read_examples(path)
    if kept.kernels is None:
        return None
    blocks = np.split(kept.kernels, kept.towers)
    rows = math.ceil(len(blocks[0]) / ACROSS)
    inches = WIDTH / ACROSS
    with styled("white"):
        figure = Figure(
            figsize=(WIDTH, len(blocks) * (rows * inches + 0.36) + 0.3),
            layout=ConstrainedLayoutEngine(h_pad=0.04, hspace=0.02),
        )
        panels = figure.subplots(len(blocks), 1, squeeze=False).ravel()
        colors = sns.color_palette("colorblind")
        for number, (axes, block) in enumerate(zip(panels, blocks, strict=True)):
            _draw_block(axes, block, colors[number % len(colors)])
            axes.set_title(_title(block, number, len(blocks), kept.kernels.shape[2:]))
        figure.supxlabel(
            "bar below a kernel: colour selectivity, 0 (grey) to its full width (colour alone)",
            fontsize=8, color="0.35",
        )  # fmt: skip
    return figure


def selectivity(kernels: Kernels) -> NDArray[np.float64]:
    """Return for each kernel (maps, 3, h, w) the share of its energy that is not grey.

    0 for a kernel that treats the channels alike, 1 for one that only compares them; a kernel of
    zeros counts as 0. As the runs are measured, `alexnet.evaluation.colour_selectivity`.

    >>> selectivity(np.array([[1.0, 1, 1], [1, -1, 0]]).reshape(2, 3, 1, 1))
    array([0., 1.])
    """
    wide = kernels.astype(np.float64)
    energy = np.square(wide).sum((1, 2, 3))
    grey = wide.shape[1] * np.square(wide.mean(1)).sum((1, 2))
    share = np.divide(grey, energy, out=np.ones_like(energy), where=energy > 0)
    found: NDArray[np.float64] = np.clip(1 - share, 0, 1)
    return found


def around_grey(kernels: Kernels) -> NDArray[np.float64]:
    """Return kernels (maps, 3, h, w) as pictures (maps, h, w, 3): 0.5 is 0, the largest 0 or 1."""
    largest = np.abs(kernels).max((1, 2, 3), keepdims=True)
    scaled = np.divide(kernels, largest, out=np.zeros_like(kernels), where=largest > 0)
    pictures: NDArray[np.float64] = 0.5 + 0.5 * scaled.astype(np.float64)
    return pictures.transpose(0, 2, 3, 1)


def _title(block: Kernels, number: int, towers: int, size: tuple[int, ...]) -> str:
    tower = f"tower {number + 1}: " if towers > 1 else ""
    height, width = size
    return (
        f"{tower}{counted(len(block), 'kernel')} of {height} x {width}, "
        f"mean colour selectivity {selectivity(block).mean():.2f}"
    )


def _draw_block(axes: Axes, block: Kernels, color: tuple[float, float, float]) -> None:
    """Draw kernels in rows, one picture of them all; the axes count the kernels' pixels."""
    count, _, height, width = block.shape
    gap = max(2, round(GAP * width))
    down, across = height + gap, width + gap
    picture = np.ones((math.ceil(count / ACROSS) * down, ACROSS * across, 3))
    shares = selectivity(block)
    for number, kernel in enumerate(around_grey(block)):
        row, column = divmod(number, ACROSS)
        top, left = row * down, column * across
        picture[top : top + height, left : left + width] = kernel
        bar = (left, top + height + 0.35 * gap)
        axes.add_patch(Rectangle(bar, width, BAR * gap, color="0.88", linewidth=0))
        axes.add_patch(Rectangle(bar, width * shares[number], BAR * gap, color=color, linewidth=0))
    axes.imshow(picture, extent=(0, picture.shape[1], picture.shape[0], 0), interpolation="none")
    axes.set(xlim=(0, picture.shape[1] - gap), ylim=(picture.shape[0], 0), xticks=[], yticks=[])
    axes.axis("off")
