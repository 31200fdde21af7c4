"""What `invoke presets` says of the networks, against what is known of them."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from alexnet.config import (
    Adam,
    ChannelMeans,
    Custom,
    Elu,
    Gelu,
    LayerRate,
    LeakyRelu,
    Offsets,
    Silu,
    Steps,
    Tanh,
)
from alexnet.presets import PRESETS, preset
from reports.commands.presets import layer_by_layer, side_by_side
from reports.wording.config_summary import NONE, facets, part_in_words
from tests.builders.command_line import call
from tests.builders.own_parts import looked_for_in


def printed(renderable: object, width: int = 250) -> str:
    """Return what a console of some width shows."""
    console = Console(width=width, highlight=False)
    with console.capture() as capture:
        console.print(renderable)
    return capture.get()


def columns(width: int = 400) -> dict[str, dict[str, str]]:
    """Return the tables as they are read: facet, preset, cell."""
    found: dict[str, dict[str, str]] = {}
    names: list[str] = []
    for line in printed(side_by_side(Console(width=width)), width).splitlines():
        cells = [line[start : start + 18].strip() for start in range(15, len(line), 18)]
        if line.startswith(" " * 15) and cells and cells[0] in PRESETS:
            names = cells
        elif line[:15].strip() and line[15:].strip() and names:
            for name, cell in zip(names, cells, strict=False):
                found.setdefault(line[:15].strip(), {})[name] = cell
    return found


def test_every_preset_is_shown() -> None:
    """At any width, all of them, and where to read more."""
    for width in (60, 80, 120, 300):
        text = printed(side_by_side(Console(width=width)), width)
        squeezed = re.sub(r"\s+", "", text)
        for name in PRESETS:
            assert name in squeezed or name[:17] in squeezed, (width, name)
        assert max(map(len, text.splitlines())) <= width


def test_a_row_is_there_because_something_differs() -> None:
    """What all of a table have in common is left out; a dot is as in the first column."""
    for facet, cells in columns().items():
        assert set(cells.values()) != {"·"}, facet
    cells = columns()
    assert cells["view"]["caffe_alexnet"] == "227 px"
    assert cells["after conv1"]["one_tower_2014"] == "norm pool act"
    assert cells["after conv1"]["caffe_alexnet"] == "·"
    assert cells["batch"]["caffenet"] == "256"


@pytest.mark.parametrize(
    ("name", "facet", "words"),
    [
        ("paper", "view", "224 px + zeros right, below"),
        ("paper", "LRN", "5 maps per tower, alpha 0.0001, k 2, beta 0.75"),
        ("source_2012", "LRN", "5 maps per tower, alpha 2e-05, k 2, beta 0.75"),
        ("source_2012", "norm in maps", "5 x 5 px, alpha 4e-05, k 1, beta 0.75"),
        ("caffenet", "LRN", "5 maps across all maps, alpha 2e-05, k 1, beta 0.75"),
        ("no_norm_2012", "LRN", NONE),
        ("paper", "towers in", "conv2 conv4 conv5"),
        ("no_communication_2012", "towers in", "conv2 conv3 conv4 conv5 fc6 fc7"),
        ("cifar_conv_local_13pct", "unshared", "local3 local4"),
        ("no_overlap_2012", "pooling", "max 2/2, rounded up"),
        ("paper", "dropout", "0.5, scaled in test, after fc6 fc7"),
        ("torchvision", "dropout", "0.5, scaled in training, after conv5 fc6"),
        ("source_2012", "initial std", "0.01 conv1-conv2, 0.03 conv3-conv5, 0.01 fc6-fc8"),
        ("torchvision", "initial biases", "by fan-in"),
        (
            "tutorial_2021",
            "pixels",
            "resized to 227, channels by mean their own, deviation their own",
        ),
        ("caffenet", "pixels", "minus mean image of the crop's place, not scaled"),
        ("paper", "crops", "32 x 32 places"),
        ("source_2012", "crops", "anywhere, one for 32 images"),
        ("torchvision", "crops", "8 to 100 % of the area, stretched up to 1.33"),
        ("paper", "colour noise", "0.1 by eigenvalues"),
        ("source_2012", "colour noise", "0.1 by their roots, until epoch 67"),
        ("caffenet", "rate", "0.01, x 0.1 every 100,000 updates"),
        ("paper", "rate", "0.01, x 0.1, 3 times, after 10 epochs without 0.1 points"),
        ("one_tower_2014", "rate", "0.01, down to 1/250 in 4 equal steps"),
        ("source_2012", "rate of biases", "x 2, x 0.1 after 23 epochs"),
        ("source_2012", "single layers", "conv1's weights x 0.1 after 67; conv1 frozen after 72"),
        ("torchvision", "update", "momentum 0.9, rate outside the velocity"),
        ("torchvision", "weight decay", "0.0001 on all"),
        ("alexnet_cifar", "weight decay", "0.0005 on weights"),
        ("torchvision", "pixels", "channels by mean 123.7 116.3 103.5, deviation 58.4 57.12 57.38"),
        ("tutorial_2021", "classes", "10"),
        ("paper", "after others", "act after conv3 conv4 fc6 fc7; - after fc8"),
        ("tutorial_2021", "update", "Adam, betas 0.9 0.999, epsilon 1e-08"),
    ],
)
def test_facets_in_words(name: str, facet: str, words: str) -> None:
    """What sets each apart."""
    assert facets(preset(name))[facet] == words


def test_activations_in_words() -> None:
    """With their numbers where they have any."""
    shown = [part_in_words(part) for part in (Tanh(), Tanh(outer=1.5, inner=0.5), LeakyRelu())]
    later = [part_in_words(part) for part in (Elu(alpha=0.5), Gelu(), Gelu(formula="tanh"), Silu())]

    assert shown == ["tanh", "1.5 tanh(0.5 x)", "ReLU leaking 0.01"]
    assert later == ["ELU of alpha 0.5", "GELU", "GELU by tanh", "SiLU"]


def test_parts_of_ones_own_in_words(tmp_path: Path) -> None:
    """By the facet of their role: what is called, with what, and of which file, to the digit."""
    (tmp_path / "mine.py").write_text("def double(x):\n    return 2 * x\n")
    with looked_for_in(tmp_path):
        parts = {
            "act": Custom(target="mine:double", kwargs={"times": 1.00000001, "how": "up"}),
            "norm": Custom(target="mine:double", role="norm", parameters_per_map=2),
            "pool": Custom(target="mine:double", role="pool", size=3, stride=2, padding=1,
                           rounding="ceil", parameters=1_000),
        }  # fmt: skip
    digest = parts["act"].source
    found = facets(preset("source_2012").but(network={"parts": parts, "view": 230}))
    edited = parts["act"].but(source="0" * 64)
    other = facets(preset("source_2012").but(network={"parts": {**parts, "act": edited}}))

    assert found["activation"] == f'mine:double(how="up", times=1), file {digest[:6]}'
    assert found["activation"].exactly == f'mine:double(how="up", times=1.00000001), file {digest}'
    assert found["own norm"] == f"mine:double, 2 parameters a map, file {digest[:6]}"
    assert found["pooling"] == (
        f"mine:double 3/2, padding 1, rounded up, 1,000 parameters, file {digest[:6]}"
    )
    assert (found["LRN"], facets(preset("paper"))["own norm"]) == (NONE, NONE)
    assert other["activation"] != found["activation"]
    assert other["own norm"] == found["own norm"]


WHOLE = preset("source_2012")
CHANGES = [
    ("network", {"view": 232}),
    ("network", {"classes": 999}),
    ("network", {"parts": {"act": Tanh()}}),
    ("network", {"parts": {"norm": {"k": 1.0}}}),
    ("network", {"parts": {"norm": {"groups": 4}}}),
    ("network", {"parts": {"map_norm": {"beta": 0.5}}}),
    ("network", {"parts": {"pool": {"rounding": "floor"}}}),
    ("network", {"parts": {"dropout": {"rate": 0.4}}}),
    ("network", {"convolutions": {"conv3": {"maps": 192}}}),
    ("network", {"convolutions": {"conv3": {"size": 5}}}),
    ("network", {"convolutions": {"conv1": {"stride": 5}}}),
    ("network", {"convolutions": {"conv3": {"padding": 2}}}),
    ("network", {"convolutions": {"conv3": {"groups": 2}}}),
    ("network", {"convolutions": {"conv2": {"groups": 4}}}),
    ("network", {"convolutions": {"conv3": {"then": ()}}}),
    ("network", {"convolutions": {"conv3": {"weights": "unshared"}}}),
    ("network", {"convolutions": {"conv1": {"init": {"std": 0.02}}}}),
    ("network", {"convolutions": {"conv1": {"init": {"bias": 0.5}}}}),
    ("network", {"convolutions": {"conv4": None}}),
    ("network", {"classifier": {"fc6": {"then": ("dropout",)}}}),
    ("network", {"classifier": {"fc6": {"units": 100}}}),
    ("network", {"classifier": {"fc7": {"groups": 2}}}),
    ("inputs", {"resize": 300}),
    ("inputs", {"random_crops": Offsets(places=9)}),
    ("inputs", {"flips": False}),
    ("inputs", {"chunk": 2}),
    ("inputs", {"shuffle": "each epoch"}),
    ("inputs", {"normalise": {"divisor": 58.0}}),
    ("inputs", {"normalise": {"square": "aligned"}}),
    ("inputs", {"normalise": ChannelMeans()}),
    ("inputs", {"colour": None}),
    ("inputs", {"colour": {"formula": "unit"}}),
    ("inputs", {"colour": {"std": 0.2}}),
    ("inputs", {"colour": {"last_epoch": 9}}),
    ("training", {"epochs": 5}),
    ("training", {"batch": 5}),
    ("training", {"optimizer": {"rate": 0.2}}),
    ("training", {"optimizer": {"bias_rate": 1.0}}),
    ("training", {"optimizer": {"momentum": 0.8}}),
    ("training", {"optimizer": {"weight_decay": {"conv1": 0.1}}}),
    ("training", {"optimizer": {"decays": "all"}}),
    ("training", {"optimizer": {"convention": "pytorch"}}),
    ("training", {"optimizer": Adam(rate=0.1)}),
    ("training", {"schedule": Steps(updates=5)}),
    ("training", {"bias_schedule": None}),
    ("training", {"layer_rates": (LayerRate(layer="conv1", of="biases", factor=0.5),)}),
]


@pytest.mark.parametrize(("part", "change"), CHANGES)
def test_what_could_set_a_preset_apart_is_not_silent(part: str, change: dict[str, object]) -> None:
    """Every choice of network, inputs and training, but for when a run ends early."""
    assert facets(WHOLE.but(**{part: change})) != facets(WHOLE)


def test_the_papers_network_layer_by_layer() -> None:
    """Sizes, sums, and what the paper prints beside what is counted."""
    text = printed(layer_by_layer("paper"), 100)

    assert re.search(r"conv1 +11x11x3/4 +96x55x55 +34,944 +105,415,200 +0.01 +act norm pool", text)
    assert re.search(r"in all +659,272 units +60,965,224 +724,406,816", text)
    assert re.search(r"C17 +253,440 +conv1 290,400 +misprint", text)
    assert re.search(r"C05 +at most 1 % +conv3 1.45 % +misprint", text)


def test_what_each_tower_sends_is_printed() -> None:
    """Of the paper's, half of 256 maps of 13 x 13, of 256 of 6 x 6, of 4096 units; 4 bytes each."""
    text = printed(layer_by_layer("paper"), 80)

    assert re.search(r"before conv3 +86,528 bytes", text)  # 128 * 169 * 4
    assert re.search(r"before fc6 +18,432 bytes", text)  # 128 * 36 * 4
    assert re.search(r"before fc7 +8,192 bytes", text)  # 2048 * 4
    assert re.search(r"before fc8 +4,000 bytes +the scores of one tower", text)
    assert text.count("before ") == 4
    assert "conv1's norm has windows that cross the towers" in printed(layer_by_layer("caffenet"))
    assert "two devices" not in printed(layer_by_layer("torchvision"))


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_can_be_shown_alone(name: str) -> None:
    """On 80 columns no number is cut."""
    text = printed(layer_by_layer(name), 80)

    assert text.startswith(name)
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= 80


def test_the_command_shows_and_refuses() -> None:
    """Exit code 2 and the nearest name for a misspelt one."""
    assert call("presets")[0] == 0
    code, output = call("presets", "--name", "cafenet")

    assert code == 2
    assert "there is no preset 'cafenet'; did you mean caffenet?" in output


def test_showing_networks_does_not_load_pytorch() -> None:
    """Costs were measured before."""
    code = (
        "import sys; from reports.commands.presets import *; from rich.console import Console; "
        "side_by_side(Console()); layer_by_layer('paper'); sys.exit('torch' in sys.modules)"
    )

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_numbers_that_only_look_alike_are_not_equal() -> None:
    """Six digits are read, and all are compared; with text, what is read."""
    one = preset("paper")
    rates = (0.01, 0.01 + 1e-9)
    seen = [facets(one.but(training={"optimizer": {"rate": rate}})) for rate in rates]

    assert str(seen[0]["rate"]) == str(seen[1]["rate"])
    assert seen[0]["rate"] != seen[1]["rate"]
    assert len({seen[0]["rate"], seen[1]["rate"], facets(one)["rate"]}) == 2
    assert seen[1]["rate"] == str(seen[0]["rate"])
    assert seen[0] | {"rate": ""} == seen[1] | {"rate": ""}
