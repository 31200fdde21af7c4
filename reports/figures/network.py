"""Figure 2 redrawn: a preset's layers as they are built, and what the paper prints of them."""

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Polygon

from alexnet.config import LRN, BatchNorm, Conv, Custom, Dropout, MapNorm, Network, Part, Pool
from alexnet.cost import Cost, cost_of
from alexnet.presets import preset
from alexnet.text import counted
from reports.figures.pictures import styled
from reports.findings import counts
from reports.wording.config_summary import part_in_words

# All lengths are inches, so that text, which has a size of its own, keeps its distance.
PITCH, LEFT, NARROWEST = 1.04, 1.06, 7.6
"""From a column to the next, what the names of the rows take, and what the title takes."""
HEAD, APART = 0.66, 1.42
"""What title and names of layers take, and from a tower to the next."""
TALLEST, WIDEST, THIN = 0.95, 0.5, 0.09
"""Of the largest image, of the most maps, and of units that are no maps."""
OBLIQUE = 0.13
"""How far a box's back lies to the right of and above its front, in heights of the box."""
LINE, SMALL_LINE = 0.23, 0.15
"""From a row of text to the next, and to the next part that follows a layer."""
DARK, QUIET = "0.15", "0.45"
MISPRINT = "\N{NOT EQUAL TO}"

Color = tuple[float, float, float]
GREY: Color = (0.55, 0.55, 0.55)


class Column(NamedTuple):
    """One layer, or the image, with what is drawn and said of it."""

    name: str
    towers: int  # that it is in
    sees: str
    kernel: str
    maps: str
    output: str
    neurons: int
    parameters: int | None
    then: tuple[str, ...]  # what follows it
    side: int  # pixels; 0 of units that are no maps
    width: int  # maps or units of a tower


def draw_network(name: str) -> Figure:
    """Draw the layers of a preset, tower above tower, with the sizes measured when it is built.

    After the paper's Figure 2. Where the preset is the paper's own, the printed numbers stand
    beside the measured ones, and what is printed wrong is marked. A box is as high as the image's
    side and as wide as a tower's maps, both by their roots.

    Raises:
        PresetError: If there is none of that name.
    """
    network = preset(name).network
    cost = cost_of(network)
    shown = columns(network, cost)
    notes = misprints() if name == counts.PRESET else []
    table = _table(shown, printed() if notes else {})
    rows = max(one.towers for one in shown)
    parts = max(len(one.then) for one in shown)
    height = _below(rows) + LINE * len(table) + SMALL_LINE * parts + 0.3 * bool(notes)
    width = max(NARROWEST, LEFT + PITCH * len(shown))
    with styled():
        figure = Figure(figsize=(width, height))
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set(xlim=(0, width), ylim=(height, 0))
        axes.axis("off")
        axes.text(0.1, 0.18, _title(name, cost), va="center")
        _draw_boxes(axes, shown, rows)
        _draw_table(axes, shown, table, _below(rows))
        if notes:
            text = f"{MISPRINT} misprints: " + "; ".join(notes)
            axes.text(0.1, height - 0.17, text, fontsize=8, color=_accent(), va="center")
    return figure


def columns(network: Network, cost: Cost) -> list[Column]:
    """Return the image and then the layers of a network, with what was measured of it."""
    channels, side, _ = cost.input
    image = Column(
        name="image", towers=1, sees="", kernel="", maps=f"{channels}",
        output=f"{side} x {side} x {channels}", neurons=math.prod(cost.input), parameters=None,
        then=(), side=side, width=channels,
    )  # fmt: skip
    return [image, *_layers(network, cost)]


def _layers(network: Network, cost: Cost) -> Iterator[Column]:
    layers, seen = network.layers, network.seen_by()
    groups = [*(layer.groups for layer in layers), 1]
    before = 1
    for number, (layer, its) in enumerate(zip(layers, cost.layers, strict=True)):
        towers = max(groups[number : number + 2])  # its own, or of what sees its maps
        count, *sides = its.output
        inputs = seen[layer.name]
        split = f"{towers} x {count // towers:,}" if towers > 1 else f"{count:,}"
        kernel = f"{inputs.units // layer.groups:,} in"
        if isinstance(layer, Conv):
            kernel = f"{layer.size} x {layer.size} x {inputs.maps // layer.groups}"
            kernel += f" /{layer.stride}" * (layer.stride > 1)
        yield Column(
            name=layer.name,
            towers=towers,
            sees="own tower" if layer.groups > 1 else "both towers" if before > 1 else "all",
            kernel=kernel,
            maps=split,
            output=" x ".join(map(str, (*sides, count))) if sides else f"{count:,}",
            neurons=its.activations,
            parameters=its.parameters,
            then=tuple(_in_short(part) for _, part in network.after(layer)),
            side=sides[0] if sides else 0,
            width=count // towers,
        )
        before = towers


def _in_short(part: Part) -> str:
    match part:
        case Pool(kind=kind, size=size, stride=stride):
            return f"{kind.removesuffix('_pool')} pool {size}/{stride}"
        case LRN(size=size):
            return f"norm, {counted(size, 'map')}"
        case MapNorm(size=size):
            return f"norm, {size} x {size} px"
        case BatchNorm():
            return "batch norm"
        case Dropout(rate=rate):
            return f"dropout {rate:g}"
        case Custom(target=target):
            return target.partition(":")[2]
    return part_in_words(part)


def printed() -> dict[str, counts.Count]:
    """Return the neurons that the paper prints of each layer and of the image, by name."""
    found = (count for _, count in counts.all_counts() if count.printed.of)
    return {
        count.of.replace("input", "image"): count
        for count in found
        if count.printed.unit == "neurons"
    }


def misprints() -> list[str]:
    """Return every number of the network's size that the paper has wrong, with the one measured."""
    return [
        f"{counts.shown(count)}{_unit(count)}, not {counts.printed(count)} ({claim.id})"
        for claim, count in counts.all_counts()
        if not count.as_printed
    ]


def _unit(count: counts.Count) -> str:
    return " of the parameters" if count.printed.unit == "%" else f" {count.printed.unit}"


def _title(name: str, cost: Cost) -> str:
    return (
        f"{name}: {cost.parameters:,} parameters, {cost.activations:,} neurons, "
        f"{cost.multiply_adds:,} multiply-adds an image"
    )


def _table(
    shown: Sequence[Column], in_paper: dict[str, counts.Count]
) -> list[tuple[str, list[str]]]:
    """Return the rows of text below the boxes: what they are of, and a cell a column."""
    rows = [
        ("sees", [one.sees for one in shown]),
        ("kernel /stride", [one.kernel for one in shown]),
        ("maps, units", [one.maps for one in shown]),
        ("output", [one.output for one in shown]),
        ("neurons", [f"{one.neurons:,}" for one in shown]),
    ]
    if in_paper:
        cells = []
        for one in shown:
            count = in_paper.get(one.name)
            wrong = count is not None and not count.as_printed
            text = counts.printed(count) if count else ""
            cells.append(f"{MISPRINT} {text}" if wrong else text)
        rows.append(("  in the paper", cells))
    weights = ["" if one.parameters is None else f"{one.parameters:,}" for one in shown]
    return [*rows, ("parameters", weights)]


def _draw_table(
    axes: Axes, shown: Sequence[Column], table: Sequence[tuple[str, list[str]]], top: float
) -> None:
    for row, (of, cells) in enumerate(table):
        y = top + LINE * row
        quiet = of.startswith(" ")
        axes.text(0.1, y, of, fontsize=8, color=QUIET, va="center")
        for number, cell in enumerate(cells):
            wrong = cell.startswith(MISPRINT)
            color = _accent() if wrong else QUIET if quiet else DARK
            weight = "bold" if wrong else "normal"
            axes.text(
                _middle(number), y, cell, fontsize=8, color=color, weight=weight,
                ha="center", va="center",
            )  # fmt: skip
    y = top + LINE * len(table)
    axes.text(0.1, y, "then", fontsize=8, color=QUIET, va="center")
    for number, one in enumerate(shown):
        for line, part in enumerate(one.then):
            axes.text(
                _middle(number), y + SMALL_LINE * line, part, fontsize=7, color=QUIET,
                ha="center", va="center",
            )  # fmt: skip


def _draw_boxes(axes: Axes, shown: Sequence[Column], rows: int) -> None:
    widest = max(one.width for one in shown if one.side)
    most = max(one.width for one in shown if not one.side)
    largest = max(one.side for one in shown)
    sizes = []
    for number, one in enumerate(shown):
        axes.text(_middle(number), 0.52, one.name, fontsize=9, weight="bold", ha="center")
        if one.side:
            size = (WIDEST * (one.width / widest) ** 0.5, TALLEST * (one.side / largest) ** 0.5)
        else:
            size = (THIN, TALLEST * (one.width / most) ** 0.5)
        sizes.append(size)
        for tower, y in enumerate(_heights(one.towers, rows)):
            color = sns.color_palette("colorblind")[tower] if one.towers > 1 else GREY
            _draw_box(axes, (_middle(number), y), size, color, deep=bool(one.side))
            axes.text(
                _middle(number), y + size[1] / 2 + 0.09, f"{one.width:,}", fontsize=7.5, color=DARK,
                ha="center", va="center",
            )  # fmt: skip
    for number, (first, second) in enumerate(pairwise(shown)):
        start = _middle(number) + sizes[number][0] / 2
        start += OBLIQUE * sizes[number][1] * bool(first.side) + 0.04
        end = _middle(number + 1) - sizes[number + 1][0] / 2 - 0.04
        _draw_arrows(axes, (start, end), first, second, rows)


def _draw_arrows(
    axes: Axes, ends: tuple[float, float], first: Column, second: Column, rows: int
) -> None:
    """Draw which towers of a layer are seen by which of the next; those that cross are darker."""
    for start, y in enumerate(_heights(first.towers, rows)):
        for end, other in enumerate(_heights(second.towers, rows)):
            own = second.sees == "own tower"
            if own and start != end:
                continue
            color = sns.color_palette("colorblind")[start] if own else "0.3"
            axes.annotate(
                "", (ends[1], other), (ends[0], y),
                arrowprops={"arrowstyle": "-|>", "color": color, "linewidth": 0.9,
                            "mutation_scale": 7, "shrinkA": 0, "shrinkB": 0},
            )  # fmt: skip


def _draw_box(
    axes: Axes, middle: tuple[float, float], size: tuple[float, float], color: Color, deep: bool
) -> None:
    """Draw a box: maps in front, the image's depth going back."""
    (x, y), (width, height) = middle, size
    left, right, high, low = x - width / 2, x + width / 2, y - height / 2, y + height / 2
    back = OBLIQUE * height if deep else 0.0
    front = [(left, low), (right, low), (right, high), (left, high)]
    top = [(left, high), (right, high), (right + back, high - back), (left + back, high - back)]
    side = [(right, low), (right, high), (right + back, high - back), (right + back, low - back)]
    for face, share in ((front, 0.45), (top, 0.25), (side, 0.7)):
        fill = tuple(1 - share * (1 - channel) for channel in color)
        axes.add_patch(
            Polygon(face, facecolor=fill, edgecolor=color, linewidth=0.6, joinstyle="round")
        )


def _middle(column: int) -> float:
    return LEFT + PITCH * (column + 0.5)


def _heights(towers: int, rows: int) -> list[float]:
    """Return where each tower of a layer lies, in a picture of so many rows."""
    first = HEAD + TALLEST * (0.5 + OBLIQUE)
    return [first + APART * ((rows - towers) / 2 + tower) for tower in range(towers)]


def _below(rows: int) -> float:
    """Return where the text below a picture of so many rows begins."""
    return HEAD + TALLEST * (1 + OBLIQUE) + APART * (rows - 1) + 0.36


def _accent() -> Color:
    accent: Color = sns.color_palette("colorblind")[3]
    return accent
