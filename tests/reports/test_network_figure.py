"""Figure 2 redrawn, against the tables that people made of the paper and its code."""

import subprocess
import sys
from pathlib import Path

import pytest
from matplotlib.patches import Polygon
from matplotlib.text import Annotation

from alexnet.cost import cost_of
from alexnet.presets import PRESETS, PresetError, preset
from reports.figures.network import columns, draw_network, misprints
from reports.figures.pictures import save
from tests.builders.figure_texts import collisions, texts


def test_the_papers_layers_are_those_of_its_table() -> None:
    """Sizes and parameters as worked out by hand from sections 3.3 to 3.5.

    conv1's are 55 x 55 x 96 = 290,400 neurons and (11 x 11 x 3 + 1) x 96 = 34,944 parameters.
    """
    found = columns(preset("paper").network, cost_of(preset("paper").network))

    assert [(one.name, one.kernel, one.maps, one.output) for one in found] == [
        ("image", "", "3", "224 x 224 x 3"),
        ("conv1", "11 x 11 x 3 /4", "2 x 48", "55 x 55 x 96"),
        ("conv2", "5 x 5 x 48", "2 x 128", "27 x 27 x 256"),
        ("conv3", "3 x 3 x 256", "2 x 192", "13 x 13 x 384"),
        ("conv4", "3 x 3 x 192", "2 x 192", "13 x 13 x 384"),
        ("conv5", "3 x 3 x 192", "2 x 128", "13 x 13 x 256"),
        ("fc6", "9,216 in", "4,096", "4,096"),
        ("fc7", "4,096 in", "4,096", "4,096"),
        ("fc8", "4,096 in", "1,000", "1,000"),
    ]
    assert [(one.neurons, one.parameters) for one in found] == [
        (150_528, None), (290_400, 34_944), (186_624, 307_456), (64_896, 885_120),
        (64_896, 663_936), (43_264, 442_624), (4_096, 37_752_832), (4_096, 16_781_312),
        (1_000, 4_097_000),
    ]  # fmt: skip


def test_towers_meet_where_the_paper_says() -> None:
    """In the third layer and from the sixth on; the second, fourth and fifth see their own."""
    found = {
        one.name: one for one in columns(preset("paper").network, cost_of(preset("paper").network))
    }

    assert {name: one.sees for name, one in found.items()} == {
        "image": "", "conv1": "all", "conv2": "own tower", "conv3": "both towers",
        "conv4": "own tower", "conv5": "own tower", "fc6": "both towers", "fc7": "all",
        "fc8": "all",
    }  # fmt: skip
    assert [name for name, one in found.items() if one.towers == 2] == [
        "conv1", "conv2", "conv3", "conv4", "conv5",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "boxes", "arrows"),
    [
        # image, five layers of two towers, three of one; 2, 2, 4, 2, 2, 2, 1 and 1 connections
        ("paper", 1 + 10 + 3, 16),
        # until fc8 nothing crosses: 2 from the image, 6 times 2 onwards, 2 into fc8
        ("no_communication_2012", 1 + 14 + 1, 16),
        ("one_gpu_2012", 9, 8),
    ],
)
def test_connections_are_drawn_as_they_are(name: str, boxes: int, arrows: int) -> None:
    """A box for each tower of a layer, of three faces, and an arrow for each that sees another."""
    figure = draw_network(name)

    assert len(figure.axes[0].findobj(Polygon)) == 3 * boxes
    assert len(figure.findobj(Annotation)) == arrows


def test_misprints_stand_beside_what_was_measured() -> None:
    """Of Figure 2's numbers one is wrong; of section 1, the share of each layer is for conv3.

    885,120 / 60,965,224 = 1.452 %, though "no more than 1 %".
    """
    found = texts(draw_network("paper"))

    assert "290,400" in found
    assert "≠ 253,440" in found
    assert found.count("186,624") == 2  # measured, and the same printed
    assert [text for text in found if "≠" in text and text != "≠ 253,440"] == [
        "≠ misprints: conv3 1.45 % of the parameters, not at most 1 % (C05); "
        "conv1 290,400 neurons, not 253,440 (C17)"
    ]
    assert len(misprints()) == 2


def test_what_the_paper_prints_is_of_its_own_network() -> None:
    """Beside another's numbers it would be no misprint."""
    found = texts(draw_network("caffenet"))

    assert "290,400" in found
    assert not [text for text in found if "253,440" in text or "≠" in text or "paper" in text]


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_can_be_read(name: str) -> None:
    """Nothing is written over anything else, or over the edge; sums are in the title."""
    figure = draw_network(name)
    cost = cost_of(preset(name).network)

    assert collisions(figure) == []
    assert (
        f"{name}: {cost.parameters:,} parameters, {cost.activations:,} neurons, "
        f"{cost.multiply_adds:,} multiply-adds an image"
    ) in texts(figure)


def test_a_preset_that_is_none_is_refused() -> None:
    """With the nearest name."""
    with pytest.raises(PresetError, match="caffenet"):
        draw_network("cafenet")


def test_equal_figures_are_equal_bytes(tmp_path: Path) -> None:
    """So that a report which says the same is the same."""
    first, second = (
        [path.read_bytes() for path in save(draw_network("paper"), tmp_path / folder, "network")]
        for folder in ("one", "two")
    )

    assert first == second


@pytest.mark.parametrize("module", ["network", "kernels", "examples"])
def test_no_figure_loads_pytorch(module: str) -> None:
    """The sizes were measured when the package was made, and the examples when a run ended."""
    code = f"import sys, reports.figures.{module} as m; sys.exit('torch' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
