"""Precisions: that float64 is float64 throughout, and the same on every processor."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from alexnet.augment import colour_shifts
from alexnet.config import (
    Adam,
    AreaCrops,
    BatchNorm,
    ChannelMeans,
    Config,
    Dropout,
    MapNorm,
    MeanImage,
    Normal,
    Plateau,
    Tanh,
)
from alexnet.data.batches import Draws, Preprocessing
from alexnet.data.images import Dataset
from alexnet.evaluation import evaluate
from alexnet.layers import DropoutLayer
from alexnet.learning_curve import Epoch
from alexnet.model import build
from alexnet.optim import optimizer_for
from alexnet.presets import tiny
from alexnet.random_streams import derive
from alexnet.training import fit, give_dropout_its_chance

UNIFORM = ("aten::rand", "aten::uniform_")
"""Draws that are the same bits everywhere, and are only compared or scaled afterwards."""
CHANGES: dict[str, dict[str, Any]] = {
    "as it is": {},
    "divided, aligned": {"inputs": {"normalise": MeanImage(divisor=64.0, square="aligned")}},
    "channels, areas": {"inputs": {"normalise": ChannelMeans(), "random_crops": AreaCrops()}},
    "resized": {"inputs": {"resize": 20}},
    "Adam": {"training": {"optimizer": Adam(rate=0.001)}},
    "plateau": {"training": {"schedule": Plateau(patience=1)}},
    "batch normalisation": {"network": {"parts": {"norm": BatchNorm()}}},
    "norm within maps": {"network": {"parts": {"norm": MapNorm(alpha=1e-4)}}},
    "tanh, Caffe's dropout": {
        "network": {
            "parts": {"act": Tanh(outer=1.7, inner=0.7), "dropout": Dropout(scale="training")}
        }
    },
    "PyTorch's weights": {"network": {"convolutions": {"conv1": {"init": {"kind": "fan_in"}}}}},
    "unshared": {"network": {"convolutions": {"conv2": {"weights": "unshared", "groups": 1}}}},
}


def trained(config: Config, images: Dataset) -> Iterator[Epoch]:
    """Yield the epochs of a training in float64, and measure the network."""
    network = build(config, 3, "float64")
    optimizer = optimizer_for(network, config.training.optimizer)
    yield from fit(network, optimizer, images, config, 3, "float64")
    measures, scores = evaluate(network, images, config, "float64", see_test=True)
    assert scores is not None
    assert scores.ten.dtype == torch.float64
    assert measures.neighbours is not None


class Narrow(TorchDispatchMode):
    """Notes every operation that makes fractions of fewer digits than float64 has."""

    def __init__(self) -> None:
        """Start with none."""
        super().__init__()
        self.seen: set[str] = set()
        self.operations = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Do the operation, and look at what it makes."""
        result = func(*args, **(kwargs or {}))
        self.operations += 1
        for one in tree_leaves(result):
            if not isinstance(one, torch.Tensor) or one.device.type == "meta":
                continue
            if one.is_floating_point():
                counts = one.dim() == 0 and one == one.round()  # such as Adam's step
                if one.dtype != torch.float64 and not counts:
                    self.seen.add(f"{func._schema.name} makes {one.dtype}")
        return result


@pytest.mark.parametrize("changes", CHANGES.values(), ids=CHANGES)
def test_nothing_is_rounded_to_fewer_digits(changes: dict[str, Any], images: Dataset) -> None:
    """Through two epochs and all measures, every operation of PyTorch is looked at."""
    config = tiny().but(**changes)

    with Narrow() as narrow:
        epochs = list(trained(config, images))

    assert len(epochs) == 2
    assert narrow.operations > 1000
    assert {one for one in narrow.seen if not one.startswith(UNIFORM)} == set()


def test_the_check_sees_rounding(images: Dataset) -> None:
    """Or it would pass whatever happens: a training in float32 makes float32."""
    config = tiny()
    network = build(config, 3)

    with Narrow() as narrow:
        next(fit(network, optimizer_for(network, config.training.optimizer), images, config, 3,
                 "float32"))  # fmt: skip

    assert "aten::convolution makes torch.float32" in narrow.seen


def test_normals_are_drawn_in_float64(images: Dataset) -> None:
    """Weights and colours from their streams, by PyTorch's own draw of that type."""
    config = tiny()
    (conv1, *_), data = config.network.convolutions, images.measured_in(torch.float64)
    assert isinstance(conv1.init, Normal)
    stream = torch.Generator().manual_seed(derive(5, "init", "conv1"))
    expected = torch.empty(4, 3, 3, 3, dtype=torch.float64).normal_(
        0, conv1.init.std, generator=stream
    )
    colours = torch.Generator().manual_seed(derive(5, "colour", "epoch", 2))
    noise = torch.randn(200, 3, generator=colours, dtype=torch.float64)
    assert config.inputs.colour is not None

    weight = build(config, 5, "float64").features.conv1.weight
    drawn = Draws.of(data, Preprocessing.of(data, config), config, 5, 2)

    assert torch.equal(weight, expected)
    assert drawn.shifts is not None
    assert torch.equal(
        drawn.shifts, colour_shifts(noise, data.deviations, data.axes, config.inputs.colour)
    )


@pytest.mark.parametrize(("precision", "device"), [("float32", "cuda"), ("float64", "cpu")])
def test_dropout_is_drawn_on_the_cpu_in_float64_wherever_the_network_is(
    precision: Any, device: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A network that says it is on a GPU: in float32 the GPU draws, in float64 the CPU."""
    asked: list[str] = []

    class Stream:
        def __init__(self, where: object) -> None:
            asked.append(str(where))

        def manual_seed(self, seed: int) -> None:
            """Draw nothing."""

    network = build(tiny(), 0, precision)
    on_a_gpu = SimpleNamespace(device=torch.device("cuda"))
    monkeypatch.setattr(network, "parameters", lambda: iter([on_a_gpu]))
    monkeypatch.setattr(torch, "Generator", Stream)

    give_dropout_its_chance(network, tiny(), 0, 1, precision)

    assert asked == [device]  # of the one layer that has dropout


def test_masks_go_to_where_activations_are() -> None:
    """A stream on the CPU, activations on the ``meta`` device: the result is there."""
    layer = DropoutLayer(Dropout())
    layer.stream = torch.Generator()

    out = layer(torch.empty(7, 16, dtype=torch.float64, device="meta"))

    assert (out.device.type, out.dtype, out.shape) == ("meta", torch.float64, (7, 16))


def test_losses_are_recorded_to_the_last_digit(images: Dataset) -> None:
    """In float32 six decimals are kept; here the tenths add up to the mean exactly as counted."""
    epochs = list(trained(tiny(), images))

    for epoch in epochs:
        total = sum(loss * n for loss, n in zip(epoch.losses, epoch.images, strict=True))
        assert total / 200 == pytest.approx(epoch.loss, rel=1e-14)
        assert any(round(loss, 6) != loss for loss in epoch.losses)


SCRIPT = """
import json, sys, torch
from pathlib import Path
from alexnet.data.images import load
from alexnet.evaluation import evaluate
from alexnet.model import build
from alexnet.optim import optimizer_for
from alexnet.presets import tiny
from alexnet.training import fit

precision, threads = sys.argv[1], int(sys.argv[2])
torch.set_num_threads(threads)
config = tiny().but(network={"view": 28}, training={"batch": 64, "images": 320})
data = load("generated", Path())
network = build(config, 0, precision)
optimizer = optimizer_for(network, config.training.optimizer)
losses = [
    loss for epoch in fit(network, optimizer, data, config, 0, precision) for loss in epoch.losses
]
measures, _ = evaluate(network, data, config, precision, True)
print(json.dumps([torch.backends.cpu.get_cpu_capability(), *losses, measures.test_ten.loss]))
"""


def losses_under(capability: str, threads: int) -> tuple[str, list[float]]:
    """Return what a process of its own says it can do, and the losses that it comes to."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, "float64", str(threads)],
        env=os.environ | {"ATEN_CPU_CAPABILITY": capability},
        capture_output=True,
        text=True,
        check=True,
    )
    found, *losses = json.loads(done.stdout)
    return found, losses


def test_instructions_and_threads_move_only_the_last_digits() -> None:
    """PyTorch's plainest kernels on one thread against the processor's own on two."""
    plain, expected = losses_under("default", 1)
    _, losses = losses_under("", 2)

    assert plain in ("DEFAULT", "NO AVX")
    assert len(losses) == 21
    assert losses == pytest.approx(expected, abs=1e-11)
