"""What speed depends on, side by side in one process; `invoke bench` prints the ratios.

pytest-benchmark gives, in brackets, how many times the fastest of its group each takes.
"""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import simulation
import torch
from pytest_benchmark.fixture import BenchmarkFixture
from test_comparison import filled
from torch import Tensor, nn
from torch.nn import functional

from ablations.messages import Place
from ablations.studies import find_study
from ablations.worker import Workbench
from alexnet.config import Config, Precision
from alexnet.model import build
from alexnet.optim import optimizer_for
from alexnet.training import step
from reports.comparison import compare

ROUNDS = 40


def batch() -> tuple[Tensor, Tensor]:
    """Return 128 made-up images of 32 pixels, as training sees them, and their classes."""
    stream = torch.Generator().manual_seed(0)
    images = torch.randn(128, 32, 32, 3, generator=stream).permute(0, 3, 1, 2) * 60
    return images, torch.randint(0, 10, (128,), generator=stream)


def our_step(config: Config, precision: Precision) -> Callable[[], object]:
    """Return a training step of this project."""
    network = build(config, 0)
    optimizer = optimizer_for(network, config.training.optimizer)
    images, labels = batch()
    return lambda: step(network, optimizer, images, labels, precision)


def plain_step(activation: type[nn.Module]) -> Callable[[], object]:
    """Return the same step as a PyTorch user would write it: float32, NCHW, torch.optim.SGD."""
    network = nn.Sequential(
        nn.Conv2d(3, 32, 5, padding=2), nn.MaxPool2d(3, 2, ceil_mode=True), activation(),
        nn.Conv2d(32, 32, 5, padding=2), activation(), nn.AvgPool2d(3, 2, ceil_mode=True),
        nn.Conv2d(32, 64, 5, padding=2), activation(), nn.AvgPool2d(3, 2, ceil_mode=True),
        nn.Flatten(), nn.Linear(1024, 64), activation(), nn.Linear(64, 10),
    )  # fmt: skip
    optimizer = torch.optim.SGD(network.parameters(), lr=1e-5, momentum=0.9)
    images, labels = batch()
    images = images.contiguous()

    def one() -> None:
        optimizer.zero_grad()
        functional.cross_entropy(network(images), labels).backward()
        optimizer.step()

    return one


@pytest.mark.parametrize("arm", ["relu", "tanh"])
@pytest.mark.parametrize("how", ["ours, auto", "ours, float32", "plain PyTorch"])
def test_four_layer_training_step(benchmark: BenchmarkFixture, arm: str, how: str) -> None:
    """One thread, batch of 128; `auto` is bfloat16 where the processor computes in it."""
    torch.set_num_threads(1)
    benchmark.group = f"training step, {arm}"
    config = find_study("relu_vs_tanh").config("cifar10", arm)
    config = config.but(training={"optimizer": {"rate": 1e-5}})
    precision: Precision = "float32"
    if how == "ours, auto":
        precision = Workbench(Place(Path(), Path(), "cpu", 1, "")).precision()
    steps = {"plain PyTorch": plain_step({"relu": nn.ReLU, "tanh": nn.Tanh}[arm])}
    run = steps.get(how) or our_step(config, precision)

    benchmark.pedantic(run, rounds=ROUNDS, warmup_rounds=3)


@pytest.mark.parametrize("what", ["import torch", "a report of a study that is done"])
def test_nothing_to_do(benchmark: BenchmarkFixture, what: str, tmp_path: Path) -> None:
    """What the parent process costs when no run is missing, beside loading PyTorch alone."""
    benchmark.group = "nothing to do"
    code = "import torch"
    if what != code:
        filled(tmp_path, 3, tanh=[0.6, 0.3, 0.1], relu=[0.4, 0.0])
        code = (
            "from pathlib import Path; from ablations.store import Store; "
            "from reports.page import write_report; import sys; "
            f"write_report(Store(Path({str(tmp_path)!r})), Path({str(tmp_path)!r}) / 'report')"
        )

    benchmark.pedantic(
        lambda: subprocess.run([sys.executable, "-c", code], check=True), rounds=3, warmup_rounds=1
    )


def test_everything_a_study_of_25_contrasts_has_to_say(benchmark: BenchmarkFixture) -> None:
    """The largest family that ten seeds can decide, 260 records of a dozen epochs: compare()."""
    plan = simulation.tuned(simulation.plan_of(simulation.study_of(arms=26)))
    runs = simulation.comparison_runs(plan)
    store = simulation.records_of(plan, simulation.Trainer(4.0, spread=0.1), runs)

    comparison = benchmark.pedantic(compare, args=(plan, store), rounds=5)

    assert len(comparison.effects) == 25
    assert comparison.done == 260
