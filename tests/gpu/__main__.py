"""Proves on a real GPU what the tests can only show without one, and says how fast it is.

    python -m tests.gpu                  # everything, about half an hour
    python -m tests.gpu --only bits      # one part, or several with commas between
    python -m tests.gpu --device cpu --only float32,steps     # the script itself, without a GPU

Parts: float32, presets, bits, norm, steps, broken, smoke, speed, study. What is out of bounds is
said and the rest goes on; exit code 1 then. Nothing has been run on a GPU yet: please send what it
prints, with which card.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import torch

from ablations.runner import work_off
from ablations.store import Store
from ablations.workers.processes import LocalWorkers
from ablations.workers.protocol import Probe, WorkerSettings
from alexnet.config import Precision
from alexnet.data.manifest import default_data_dir
from alexnet.gpus import Gpu, visible_gpus
from alexnet.norms import local_response_norm
from alexnet.presets import PRESETS, alexnet_cifar
from tests.builders.runs import run_of
from tests.gpu import checks

PRECISIONS: tuple[Precision, ...] = ("float32", "bfloat16", "float64")
SHARING = (1, 2, 4, 8)
RUNS_EACH = 4
"""Runs that every worker trains where the speed of sharing a GPU is measured."""
REPEATS = 30
Lines = Iterator[str]


def float32(device: torch.device) -> Lines:
    """Float32 is float32."""
    yield f"a convolution is off by {checks.float32_is_float32(device):.1g}; TF32 would be by 3e-4"


def presets(device: torch.device) -> Lines:
    """One step of every preset, in three precisions, against the CPU in float64."""
    for name in PRESETS:
        off = [f"{precision} {checks.one_step(name, precision, device):.1g}"
               for precision in PRECISIONS]  # fmt: skip
        yield f"{name}: the loss is off by {', '.join(off)} of it"


def bits(device: torch.device) -> Lines:
    """The same bits twice, and after an interruption."""
    for precision in PRECISIONS:
        yield f"{checks.same_bits(precision, device)} networks in {precision}: equal to the bit"


def norm(device: torch.device) -> Lines:
    """The norm across maps against PyTorch's, eager and compiled."""
    for backend in (None, "inductor"):
        share = checks.lrn_is_pytorchs(device, backend)
        yield f"{backend or 'eager'}: off by {share:.1g} of what is allowed"


def steps(device: torch.device) -> Lines:
    """Updates against a plain network and torch.optim, eager and compiled."""
    for backend in (None, "inductor"):
        far = checks.steps_are_pytorchs(device, backend)
        yield f"{backend or 'eager'}: {checks.UPDATES} updates in float64 are {far:.1g} apart"


def broken(device: torch.device) -> Lines:
    """A worker whose context is lost is replaced."""
    done = checks.a_broken_device_costs_no_run(device, _gpu(device))
    yield f"{done} runs trained, none lost"


def smoke(device: torch.device) -> Lines:
    """Every arm of every study in float64, against the losses that ship, made on a CPU."""
    yield from _command("--study", "all", "--smoke", "--baseline", "shipped", device=device)


def study(device: torch.device) -> Lines:
    """C09, ten seeds, as fast as the GPU allows."""
    yield from _command("--study", "relu_vs_tanh", device=device)


def speed(device: torch.device) -> Lines:
    """What decides the default of --per-gpu, and whether compiling the norm would pay."""
    for count in SHARING:
        yield f"{count} runs at a time: {_runs_an_hour(device, count):,.0f} runs an hour"
    values = torch.randn(128, 96, 55, 55, device=device).to(memory_format=torch.channels_last)

    def ours(images: torch.Tensor) -> torch.Tensor:
        return local_response_norm(images, 5, 1e-4, 0.75, 2.0, groups=2)

    def plain(images: torch.Tensor) -> torch.Tensor:
        energy = torch.nn.functional.pad(images.float().square().permute(0, 2, 3, 1), (2, 2))
        window = sum(energy[..., start : start + 96] for start in range(5))
        return (images * (2 + 1e-4 * window.permute(0, 3, 1, 2)) ** -0.75).to(images.dtype)

    torch._dynamo.reset()
    for name, call in (("ours", ours), ("one formula, compiled", torch.compile(plain))):
        yield f"LRN of conv1, batch 128, forward and backward, {name}: {_time(call, values):.2f} ms"


def _time(call: Callable[[torch.Tensor], torch.Tensor], values: torch.Tensor) -> float:
    """Return the median time of forward and backward, milliseconds."""
    images, times = values.clone().requires_grad_(), []
    for _ in range(REPEATS + 3):
        start = time.perf_counter()
        call(images).sum().backward()  # type: ignore[no-untyped-call]
        if values.is_cuda:
            torch.cuda.synchronize()
        times.append(time.perf_counter() - start)
    return 1000 * sorted(times[3:])[REPEATS // 2]


def _runs_an_hour(device: torch.device, count: int) -> float:
    """Return how many runs of one epoch of 10,000 images an hour has, with so many at a time."""
    config = alexnet_cifar()
    short = run_of(config).but(config={"training": {"epochs": 1, "images": None}})
    wanted = [short.but(seed=seed) for seed in range(RUNS_EACH * count)]
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder))
        place = WorkerSettings(
            store.path, default_data_dir(), device.type, 1, "tests.gpu", per_gpu=count
        )
        workers = LocalWorkers(count, place, (_gpu(device),))
        try:
            ready = 0
            while ready < count:
                ready += sum(isinstance(event, Probe) for event in workers.events(60))
            start = time.perf_counter()
            for _ in work_off(wanted, store, workers):
                pass
            return 3600 * len(wanted) / (time.perf_counter() - start)
        finally:
            workers.close()


def _gpu(device: torch.device) -> Gpu:
    return visible_gpus()[0] if device.type == "cuda" else Gpu("0")


def _command(*options: str, device: torch.device) -> Lines:
    """Yield what `ablate` prints, and how long it took.

    Raises:
        AssertionError: If its exit code is not 0.
    """
    with tempfile.TemporaryDirectory() as folder:
        place = ("--device", device.type, "--results", folder)
        command = [sys.executable, "-c", "from reports.cli import main; main()", "ablate"]
        start = time.perf_counter()
        done = subprocess.run([*command, *options, *place], capture_output=True, text=True)
        yield from (done.stdout + done.stderr).splitlines()[-12:]
        yield f"{time.perf_counter() - start:.0f} s"
        assert done.returncode == 0, f"exit code {done.returncode}"


PARTS = (float32, presets, bits, norm, steps, broken, smoke, speed, study)


def main() -> int:
    """Run what is asked for; return the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--only", default=",".join(part.__name__ for part in PARTS))
    given = parser.parse_args()
    known = {part.__name__: part for part in PARTS}
    names = given.only.split(",")
    if unknown := [name for name in names if name not in known]:
        parser.error(f"there is no part {unknown[0]!r}; there are {', '.join(known)}")
    if given.device == "cuda" and not (torch.cuda.is_available() and visible_gpus()):
        parser.error("there is no GPU here; --device cpu tries this script itself")
    device = torch.device(given.device)
    if device.type == "cuda":
        print(torch.cuda.get_device_name(), f"torch {torch.__version__}", *visible_gpus(), sep="\n")
    failed = [name for name in names if not _part(known[name], device)]
    print(f"out of bounds: {', '.join(failed)}" if failed else "all as it should be")
    return int(bool(failed))


def _part(part: Callable[[torch.device], Lines], device: torch.device) -> bool:
    """Print what a part comes to; return whether it is as it should be."""
    print(f"\n{part.__name__}: {part.__doc__}", flush=True)
    try:
        for line in part(device):
            print(f"  {line}", flush=True)
    except (AssertionError, RuntimeError) as error:
        print(f"  OUT OF BOUNDS: {error}", flush=True)
        return False
    return True


if __name__ == "__main__":
    sys.exit(main())
