"""The checks for GPUs: on one, where there is one; on the CPU always, and that they can fail."""

import pytest
import torch
from torch import Tensor, nn

from alexnet.config import Precision
from alexnet.gpus import visible_gpus
from alexnet.model import AlexNet
from alexnet.presets import PRESETS, tiny
from tests.gpu import checks

GPU = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU here")
ON_GPU = pytest.param("cuda", marks=GPU)
PRECISIONS: tuple[Precision, ...] = ("float32", "bfloat16", "float64")


@pytest.fixture(params=["cpu", ON_GPU])
def device(request: pytest.FixtureRequest) -> torch.device:
    """Return the CPU, and a GPU where there is one."""
    return torch.device(request.param)


ON_CPU = {("tiny", precision) for precision in PRECISIONS} | {("cifar_conv_local_11pct", "float32")}
"""Of them, those that a CPU does in a second."""


@pytest.mark.parametrize(
    ("name", "precision"),
    [
        pytest.param(name, precision, marks=() if (name, precision) in ON_CPU else GPU)
        for name in PRESETS
        for precision in PRECISIONS
    ],
)
def test_a_step_is_that_of_the_cpu(name: str, precision: Precision, device: torch.device) -> None:
    """Every preset on a GPU; on the CPU two that have every kind of layer between them."""
    checks.one_step(name, precision, device)


def test_float32_is_not_shortened(device: torch.device) -> None:
    """And would be noticed if it were: here, numbers as TF32 has them, of 10 bits."""
    checks.float32_is_float32(device)

    def tf32(values: Tensor) -> Tensor:
        bits = values.float().view(torch.int32)
        return ((bits + 0x1000) & ~0x1FFF).view(torch.float32)

    with pytest.raises(AssertionError, match="float32 is off by"):
        checks.rounding(device, tf32)


@pytest.mark.parametrize("precision", ["float32", pytest.param("bfloat16", marks=GPU)])
def test_the_same_run_has_the_same_bits(precision: Precision, device: torch.device) -> None:
    """Trained twice, and taken up again; on the CPU the smallest network alone."""
    assert checks.same_bits(precision, device, (tiny(),) if device.type == "cpu" else ())


@pytest.mark.parametrize("backend", [None, "eager", pytest.param("inductor", marks=GPU)])
def test_the_norm_is_pytorchs(backend: str | None, device: torch.device) -> None:
    """Compiled by what changes nothing here, by what makes kernels on a GPU."""
    checks.lrn_is_pytorchs(device, backend)


@pytest.mark.parametrize("backend", [None, pytest.param("inductor", marks=GPU)])
def test_steps_are_pytorchs(backend: str | None, device: torch.device) -> None:
    """In float64, to 1e-10."""
    checks.steps_are_pytorchs(device, backend)


def test_other_steps_would_be_noticed(device: torch.device) -> None:
    """One bias that is off by a millionth."""

    def moved(network: AlexNet) -> None:
        with torch.no_grad():
            next(m for m in network.modules() if isinstance(m, nn.Linear)).bias += 1e-6

    with pytest.raises(AssertionError, match="after 5 updates the weights are"):
        checks.steps_are_pytorchs(device, None, moved)


@GPU
def test_a_broken_device_costs_no_run() -> None:
    """Its context is lost indeed; `.ci/run` has this on the CPU, where it is said to be."""
    assert checks.a_broken_device_costs_no_run(torch.device("cuda"), visible_gpus()[0]) == 3
