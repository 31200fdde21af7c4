"""Figures 3 and 4 redrawn, from files made by hand."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib.container import BarContainer
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray
from safetensors.numpy import save_file

from ablations.store import Store
from alexnet import evaluation
from reports.figures.examples import draw_neighbours, draw_predictions, short
from reports.figures.kernels import around_grey, draw_kernels, selectivity
from reports.figures.pictures import save
from reports.page.report import write_report
from tests.builders.figure_texts import collisions, texts
from tests.builders.kernels import CLASSES, KERNELS, written
from tests.builders.plans import chosen, plan_of
from tests.builders.records import leaving, record_of

Draw = Callable[[Path], Figure | None]


# ---- Figure 3


def test_a_kernels_selectivity_is_what_runs_are_measured_by() -> None:
    """By hand, and by PyTorch on kernels of chance."""
    kernels = np.random.default_rng(0).normal(size=(50, 3, 11, 11)).astype(np.float32)

    assert selectivity(KERNELS.transpose(0, 2, 1)[:, :, None]) == pytest.approx([0, 0, 1, 2 / 3])
    assert selectivity(kernels) == pytest.approx(
        evaluation.colour_selectivity(torch.from_numpy(kernels)), abs=1e-6
    )


def test_towers_lie_one_above_the_other(tmp_path: Path) -> None:
    """The first half above the second, as the paper has them, each with its mean: 0 and 5/6."""
    figure = draw_kernels(written(tmp_path))

    assert figure is not None
    above, below = figure.axes
    assert above.get_title(loc="left") == (
        "tower 1: 2 kernels of 1 x 3, mean colour selectivity 0.00"
    )
    assert below.get_title(loc="left") == (
        "tower 2: 2 kernels of 1 x 3, mean colour selectivity 0.83"
    )
    assert above.get_position().y0 > below.get_position().y1


def test_the_bar_below_a_kernel_is_its_selectivity(tmp_path: Path) -> None:
    """Of the width of the pale one behind it: none, none; all and two thirds."""
    figure = draw_kernels(written(tmp_path))

    assert figure is not None
    shares = []
    for axes in figure.axes:
        bars = [patch for patch in axes.patches if isinstance(patch, Rectangle)]
        shares += [
            bar.get_width() / behind.get_width()
            for behind, bar in zip(bars[::2], bars[1::2], strict=True)
        ]
    assert shares == pytest.approx([0, 0, 1, 2 / 3])


def test_each_kernel_is_scaled_around_grey(tmp_path: Path) -> None:
    """2 is the largest of the first: white; -1 is a quarter of the way from black; 0 is grey."""
    pictures = around_grey(KERNELS.transpose(0, 2, 1)[:, :, None])
    figure = draw_kernels(written(tmp_path))

    assert pictures.shape == (4, 1, 3, 3)
    assert pictures[0, 0].tolist() == [[1, 1, 1], [0.5, 0.5, 0.5], [0.25, 0.25, 0.25]]
    assert (pictures[1] == 0.5).all()
    assert pictures[2, 0].tolist() == [[0.75, 0.25, 0.5], [0.5, 0.5, 0.5], [0, 0.5, 1]]
    assert figure is not None
    drawn = np.asarray(figure.axes[1].images[0].get_array())
    assert drawn[0, :3].tolist() == pictures[2, 0].tolist()


def test_a_network_of_one_tower_is_one_block(tmp_path: Path) -> None:
    """(0 + 0 + 1 + 2/3) / 4 = 0.42."""
    figure = draw_kernels(written(tmp_path, towers=1))

    assert figure is not None
    assert [axes.get_title(loc="left") for axes in figure.axes] == [
        "4 kernels of 1 x 3, mean colour selectivity 0.42"
    ]


def test_without_kernels_there_is_no_figure(tmp_path: Path) -> None:
    """As where each place has its own."""
    from safetensors.numpy import load_file

    tensors = load_file(written(tmp_path))
    del tensors["kernels"]
    about = json.dumps({"dataset": "photographs", "classes": CLASSES, "towers": 1})
    path = tmp_path / "without.safetensors"
    save_file(tensors, path, metadata={"about": about})

    assert draw_kernels(path) is None
    assert draw_neighbours(path) is not None


# ---- Figure 4, left


def test_what_a_network_says_of_an_image(tmp_path: Path) -> None:
    """Its class beneath; five names, five shares of a hundred, five bars as long."""
    figure = draw_predictions(written(tmp_path))
    images, bars = figure.axes[:2], figure.axes[2:]

    assert [axes.get_xlabel() for axes in images] == ["church", "American Staffordshir…"]
    assert [text.get_text() for text in bars[0].texts] == [
        "church", "50 %", "tench", "25 %", "gas pump", "12 %", "golf ball", "6 %",
        "chain saw", "3 %",
    ]  # fmt: skip
    lengths = [bar.get_width() for bar in bars[0].patches if isinstance(bar, Rectangle)]
    assert lengths == [0.5, 0.25, 0.125, 0.0625, 0.03125]
    assert texts(figure)[-1] == (
        "photographs: of 2 test images, 1 has their class first and 1 among the likeliest 5"
    )


def test_the_right_class_differs_by_more_than_colour(tmp_path: Path) -> None:
    """Its bar is hatched and its name is bold; where it is not among the five, none is."""
    seen, missed = draw_predictions(written(tmp_path)).axes[2:]

    assert [bar.get_hatch() is not None for bar in seen.patches] == [True] + [False] * 4
    assert len({bar.get_facecolor() for bar in seen.patches}) == 2
    weights = {text.get_text(): text.get_weight() for text in seen.texts}
    assert [name for name, weight in weights.items() if weight == "bold"] == ["church", "50 %"]
    assert not any(bar.get_hatch() for bar in missed.patches)
    assert not any(text.get_weight() == "bold" for text in missed.texts)


def test_fewer_classes_have_fewer_bars(tmp_path: Path) -> None:
    """Three of three."""
    path = written(
        tmp_path,
        top_classes=np.array([[1, 0, 2], [2, 1, 0]]),
        top_probabilities=np.full((2, 3), 1 / 3, np.float32),
        labels=np.array([1, 0]),
    )
    figure = draw_predictions(path)

    assert [len(axes.containers) for axes in figure.axes[2:]] == [3, 3]
    assert all(isinstance(one, BarContainer) for axes in figure.axes for one in axes.containers)
    assert "1 has their class first and 2 among the likeliest 3" in texts(figure)[-1]


# ---- Figure 4, right


def test_neighbours_of_the_same_class_are_marked(tmp_path: Path) -> None:
    """By a dot before the name and a frame: three of the first six and one of the second."""
    figure = draw_neighbours(written(tmp_path))

    assert figure is not None
    rows = [figure.axes[:8], figure.axes[8:]]
    labels = [[axes.get_xlabel() for axes in row if axes.images] for row in rows]
    assert labels == [
        ["tench", "● tench", "church", "● tench", "gas pump", "golf ball", "● tench"],
        ["American Staffo…", *["chain saw"] * 5, "● American Staffo…"],
    ]
    framed = [[axes.spines["top"].get_visible() for axes in row[2:]] for row in rows]
    assert framed == [[True, False, True, False, False, True], [False] * 5 + [True]]
    assert (
        "photographs: 4 of the 12 nearest training images are of the test image's class "
        "(framed, with a dot)"
    ) in texts(figure)


def test_without_queries_there_is_no_figure(tmp_path: Path) -> None:
    """As of a network whose activations overflow."""
    path = written(
        tmp_path,
        queries=np.zeros((0, 20, 20, 3), np.uint8),
        query_labels=np.zeros(0, np.int64),
        neighbours=np.zeros((0, 6, 20, 20, 3), np.uint8),
        neighbour_labels=np.zeros((0, 6), np.int64),
    )

    assert draw_neighbours(path) is None


def test_long_names_are_cut() -> None:
    """Where they end in a space, that too."""
    assert short("tench", 5) == "tench"
    assert short("gas pump", 5) == "gas…"
    assert short("black-and-tan coonhound", 12) == "black-and-t…"


# ---- all three


def full(folder: Path) -> Path:
    """Write as much as a run of the paper's network leaves, of noise, which no format shrinks."""
    rng = np.random.default_rng(5)

    def pixels(side: int, *shape: int) -> NDArray[np.uint8]:
        return rng.integers(0, 256, (*shape, side, side, 3), dtype=np.uint8)

    return written(
        folder,
        kernels=rng.normal(size=(96, 3, 11, 11)).astype(np.float32),
        images=pixels(112, 8),
        labels=np.full(8, 4),
        top_classes=np.tile([4, 0, 2, 3, 5], (8, 1)),
        top_probabilities=np.tile(np.array([1, 0, 0, 0, 0], np.float32), (8, 1)),
        queries=pixels(64, 5),
        query_labels=np.full(5, 4),
        neighbours=pixels(64, 5, 6),
        neighbour_labels=np.full((5, 6), 4),
    )


@pytest.mark.parametrize("draw", [draw_kernels, draw_predictions, draw_neighbours])
def test_figures_can_be_read_and_sent(draw: Draw, tmp_path: Path) -> None:
    """Long names everywhere keep their distance; a page may carry it; equal files, equal bytes."""
    path = full(tmp_path)
    figures = [figure for figure in (draw(path), draw(path), draw(path)) if figure]

    assert collisions(figures.pop()) == []
    first, second = (save(one, tmp_path / str(n), "f") for n, one in enumerate(figures))
    assert [one.read_bytes() for one in first] == [one.read_bytes() for one in second]
    assert first[0].stat().st_size < 800_000  # photographs take two thirds of noise
    assert path.stat().st_size < 2_000_000


# ---- of which run


def test_a_cut_file_is_named_and_another_seeds_is_shown(results: Path) -> None:
    """Two seeds kept examples and the first one's were cut: the second's are drawn."""
    plan, store = chosen(plan_of(seeds=3)), Store(results)
    runs = [plan.run("relu", seed) for seed in (0, 1)]
    for run in runs:
        store.folder(run).mkdir(parents=True)
        path = written(store.folder(run))
        store.add(leaving(record_of(run, [0.4, 0.0]), path))
    store.write_plan(plan)
    cut = store.folder(runs[0]) / "examples.safetensors"
    cut.write_bytes(cut.read_bytes()[:-100])

    page, *_ = write_report(Store(results), results / "report")

    assert f"seed 1, run <code>{runs[1].short}</code>" in page.read_text()
    assert f"{cut} is not as its run left it" in page.read_text()
    assert (results / "report" / "figures" / "figure3@fashion_mini.svg").exists()


def test_without_a_whole_file_there_is_no_figure(results: Path) -> None:
    """And the page is written all the same."""
    plan, store = chosen(plan_of(seeds=3)), Store(results)
    run = plan.run("relu", 0)
    store.folder(run).mkdir(parents=True)
    path = written(store.folder(run))
    store.add(leaving(record_of(run, [0.4, 0.0]), path))
    store.write_plan(plan)
    path.write_bytes(b"")

    page, *_ = write_report(Store(results), results / "report")

    assert "no run here has kept examples" in page.read_text()
    assert f"{path} is not as its run left it" in page.read_text()
