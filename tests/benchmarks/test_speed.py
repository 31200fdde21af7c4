"""What speed depends on, side by side in one process; `invoke bench` prints the ratios.

pytest-benchmark gives, in brackets, how many times the fastest of its group each takes.
"""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import plain
import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture
from steps import CORES, as_it_comes, as_workers_do, batch, our_step
from torch import Tensor, nn

from ablations.studies import find_study
from alexnet.norms import local_response_norm, map_response_norm
from alexnet.presets import preset
from alexnet.unshared import unshared_convolution
from reports.findings.records import comparison_of
from tests.builders.plans import filled
from tests.proofs import simulation

HERE = Path(__file__).parent
ROUNDS = 40


HOW = pytest.mark.parametrize("how", ["ours, auto", "ours, float32", "plain PyTorch"])


@pytest.mark.parametrize("arm", ["relu", "tanh"])
@HOW
def test_four_layer_training_step(benchmark: BenchmarkFixture, arm: str, how: str) -> None:
    """One thread, batch of 128; `auto` is bfloat16 where the processor computes in it."""
    benchmark.group = f"training step, {arm}"
    precision = as_workers_do(threads=1)
    if how == "plain PyTorch":
        as_it_comes(threads=1)
        network = plain.four_layers({"relu": nn.ReLU, "tanh": nn.Tanh}[arm])
        run: Callable[[], object] = plain.step(network, plain.sgd(network), *batch(32))
    else:
        config = find_study("relu_vs_tanh").config("cifar10", arm)
        run = our_step(config, precision if how == "ours, auto" else "float32")

    benchmark.pedantic(run, rounds=ROUNDS, warmup_rounds=3)


@pytest.mark.parametrize("name", ["paper", "tutorial_2021"])
@HOW
def test_large_training_step(benchmark: BenchmarkFixture, name: str, how: str) -> None:
    """All cores, batch of 128, every layer of the network; the tutorial's has Adam."""
    benchmark.group = f"training step, {name}"
    precision = as_workers_do(CORES)
    if how == "plain PyTorch":
        as_it_comes(CORES)
        network = {"paper": plain.paper, "tutorial_2021": plain.tutorial}[name]()
        adam = name == "tutorial_2021"
        optimizer = torch.optim.Adam(network.parameters()) if adam else plain.sgd(network)
        config = preset(name).network
        run: Callable[[], object] = plain.step(
            network, optimizer, *batch(config.view, config.classes)
        )
    else:
        run = our_step(preset(name), precision if how == "ours, auto" else "float32")

    benchmark.pedantic(run, rounds=4, warmup_rounds=1)


@pytest.mark.parametrize("name", ["paper", "source_2012"])
def test_step_of_the_2012_code_beside_the_papers(benchmark: BenchmarkFixture, name: str) -> None:
    """All cores: the code has a norm within maps after conv2 besides."""
    benchmark.group = "training step, the paper's text and its code"
    precision = as_workers_do(CORES)

    benchmark.pedantic(our_step(preset(name), precision), rounds=4, warmup_rounds=1)


PEAK = """
import re, sys
from pathlib import Path
sys.path[:0] = sys.argv[2:]
import plain
from steps import CORES, as_workers_do, batch, our_step
from alexnet.presets import preset
how = sys.argv[1]
if how == "plain PyTorch":
    network = plain.paper()
    run = plain.step(network, plain.sgd(network), *batch(224, 1000))
else:
    precision = as_workers_do(CORES)
    run = our_step(preset("paper"), precision if how == "ours, auto" else "float32")
run(), run()
print(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1])
"""


@pytest.mark.skipif(sys.platform != "linux", reason="read from /proc, which Linux has")
def test_peak_memory_of_the_papers_training_step(benchmark: BenchmarkFixture) -> None:
    """In processes of their own: ours needs no more than plain PyTorch's, in either precision."""
    benchmark.group = "peak memory (printed above), paper"

    def measure() -> dict[str, int]:
        def peak(how: str) -> int:
            call = [sys.executable, "-c", PEAK, how, str(HERE), str(HERE.parent)]
            done = subprocess.run(call, check=True, capture_output=True, text=True)
            return int(done.stdout.split()[-1]) // 1024

        return {how: peak(how) for how in ("plain PyTorch", "ours, auto", "ours, float32")}

    peaks = benchmark.pedantic(measure, rounds=1)

    print(f"\npeak memory of a training step of the paper's network, MiB: {peaks}")
    assert peaks["ours, auto"] <= peaks["plain PyTorch"]
    assert peaks["ours, float32"] <= peaks["plain PyTorch"]


@pytest.fixture
def busy(request: pytest.FixtureRequest) -> Iterator[int]:
    """Let so many other processes want the cores."""
    count: int = request.param * CORES
    others = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    yield request.param
    for other in others:
        other.kill()
        other.wait()


@pytest.mark.parametrize("busy", [0, 2, 5], indirect=True)
@pytest.mark.parametrize("how", ["ours, bfloat16", "ours, float32", "PyTorch, float32"])
def test_response_norm(benchmark: BenchmarkFixture, how: str, busy: int) -> None:
    """Forward and backward on (32, 96, 55, 55), conv1's; PyTorch raises in bfloat16.

    Alone, and beside two and five busy processes a core, where a fair share takes 3 and 6 times.
    """
    as_it_comes(CORES)
    beside = f", beside {busy * CORES} busy processes" if busy else ""
    benchmark.group = f"response norm, forward and backward{beside}"
    stream = torch.Generator().manual_seed(0)
    images, above = (torch.randn(32, 96, 55, 55, generator=stream) * 50 for _ in range(2))
    if how == "PyTorch, float32":
        norm: Callable[[Tensor], Tensor] = nn.LocalResponseNorm(5, 1e-4, 0.75, 2.0)
    else:
        dtype = torch.bfloat16 if how == "ours, bfloat16" else torch.float32
        images, above = (
            one.to(dtype).contiguous(memory_format=torch.channels_last) for one in (images, above)
        )

        def norm(seen: Tensor) -> Tensor:
            return local_response_norm(seen, 5, 2e-5, 0.75, 2.0, groups=2)

    def both() -> None:
        norm(images.detach().requires_grad_()).backward(above)

    benchmark.pedantic(both, rounds=12, warmup_rounds=3)


@pytest.mark.parametrize("how", ["ours", "PyTorch's pooling"])
def test_norm_within_maps(benchmark: BenchmarkFixture, how: str) -> None:
    """All cores, bfloat16, forward and backward on (128, 256, 27, 27), conv2's of the 2012 code."""
    as_it_comes(CORES)
    benchmark.group = "norm within maps, forward and backward"
    stream = torch.Generator().manual_seed(0)
    images, above = (
        (50 * torch.randn(128, 256, 27, 27, generator=stream))
        .bfloat16()
        .contiguous(memory_format=torch.channels_last)
        for _ in range(2)
    )

    def both() -> None:
        seen = images.detach().requires_grad_()
        if how == "ours":
            out = map_response_norm(seen, 5, 4e-5, 0.75, 1.0)
        else:
            out = plain.map_norm(seen)
        out.backward(above)

    benchmark.pedantic(both, rounds=8, warmup_rounds=2)


@pytest.mark.parametrize("how", ["ours", "PyTorch's unfold"])
def test_unshared_convolution(benchmark: BenchmarkFixture, how: str) -> None:
    """One thread, forward and backward on (128, 64, 6, 6): local3 of cuda-convnet's networks."""
    as_it_comes(threads=1)
    benchmark.group = "unshared convolution, forward and backward"
    stream = torch.Generator().manual_seed(0)
    images, weight, bias = (
        torch.randn(shape, generator=stream).requires_grad_()
        for shape in ((128, 64, 6, 6), (36, 32, 64 * 9), (32, 6, 6))
    )

    def both() -> None:
        seen = images.contiguous(memory_format=torch.channels_last)
        if how == "ours":
            out = unshared_convolution(seen, weight, bias, size=3, stride=1, padding=1)
        else:
            out = plain.unshared(seen, weight, bias)
        out.sum().backward()

    benchmark.pedantic(both, rounds=ROUNDS, warmup_rounds=3)


@pytest.mark.parametrize("what", ["import torch", "a report of a study that is done"])
def test_nothing_to_do(benchmark: BenchmarkFixture, what: str, tmp_path: Path) -> None:
    """What the parent process costs when no run is missing, beside loading PyTorch alone."""
    benchmark.group = "nothing to do"
    code = "import torch"
    if what != code:
        filled(tmp_path, 3, tanh=[0.6, 0.3, 0.1], relu=[0.4, 0.0])
        code = (
            "from pathlib import Path; from ablations.store import Store; "
            "from reports.page.report import write_report; import sys; "
            f"write_report(Store(Path({str(tmp_path)!r})), Path({str(tmp_path)!r}) / 'report')"
        )

    benchmark.pedantic(
        lambda: subprocess.run([sys.executable, "-c", code], check=True), rounds=3, warmup_rounds=1
    )


@pytest.mark.parametrize("what", ["--help", "studies", "nothing to do", "import torch"])
def test_start_of_a_command(benchmark: BenchmarkFixture, what: str, tmp_path: Path) -> None:
    """From the shell to the last line, of commands that train nothing."""
    benchmark.group = "commands that train nothing"
    command = [sys.executable, "-c", "import sys; from reports.cli import main; main()"]
    options = {"--help": ["--help"], "studies": ["studies", "--results", str(tmp_path)]}
    if what == "nothing to do":
        options[what] = [
            "ablate", "--study", "relu_vs_tanh", "--smoke", "--results", str(tmp_path)
        ]  # fmt: skip
        subprocess.run([*command, *options[what]], check=True, capture_output=True)
    whole = [*command[:2], "import torch"] if what not in options else [*command, *options[what]]

    benchmark.pedantic(
        lambda: subprocess.run(whole, check=True, capture_output=True), rounds=5, warmup_rounds=1
    )


def test_everything_a_study_of_25_contrasts_has_to_say(benchmark: BenchmarkFixture) -> None:
    """The largest family that ten seeds can decide, 260 records of a dozen epochs."""
    plan = simulation.tuned(simulation.plan_of(simulation.study_of(arms=26)))
    runs = simulation.comparison_runs(plan)
    store = simulation.records_of(plan, simulation.Trainer(4.0, spread=0.1), runs)

    comparison = benchmark.pedantic(comparison_of, args=(plan, store), rounds=5)

    assert len(comparison.effects) == 25
    assert comparison.done == 260
