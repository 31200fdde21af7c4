"""Where is trained, by how many: on GPUs that are made up."""

import io
import os
from dataclasses import dataclass
from pathlib import Path

import pytest
from rich.console import Console

from ablations.registration import RequestError
from alexnet.gpus import VISIBLE
from reports.commands import placement
from reports.commands.placement import Placement, placed, refuse_placement
from tests.builders.command_line import call
from tests.builders.gpus import A100, line, pretend_gpus

pytestmark = pytest.mark.skipif(os.name != "posix", reason="makes up programs for a shell")

FOUR = "\n".join(line(f"GPU-{number}") for number in range(4))
GIB = 2**30


@dataclass(frozen=True)
class Wish:
    """What a person asks for."""

    device: str = "auto"
    gpus: str | None = None
    per_gpu: int | None = None
    workers: int | None = None
    devices: int = 1
    tower_devices: tuple[str, ...] = ()


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """Return a machine of 16 cores and four GPUs, for a PyTorch with CUDA."""
    pretend_gpus(monkeypatch, tmp_path, FOUR)
    monkeypatch.setattr(placement, "cores", lambda: 16)
    monkeypatch.setattr(placement, "built_for_cuda", lambda: True)
    return monkeypatch


def where(wish: Wish, threads: int = 1) -> tuple[Placement, str]:
    """Return where is trained, and what is said of it."""
    refuse_placement(wish)
    out = io.StringIO()
    return placed(wish, Console(file=out, width=200), threads), out.getvalue()


def numbers(found: Placement) -> list[str]:
    """Return the GPUs of a placement, by the last digit."""
    return [gpu.name.rpartition("-")[2] for gpu in found.gpus]


@pytest.mark.usefixtures("machine")
@pytest.mark.parametrize(
    ("wish", "threads", "gpus", "workers", "per_gpu"),
    [
        (Wish(), 1, "0123", 16, 4),
        (Wish(), 16, "0123", 4, 1),  # ImageNet's networks: all cores a run, and a GPU each
        (Wish(device="cuda"), 16, "0123", 4, 1),
        (Wish(device="cuda:2"), 16, "2", 1, 1),
        (Wish(gpus="0,2"), 16, "02", 2, 1),
        (Wish(gpus="2,0,2"), 16, "20", 2, 1),
        (Wish(gpus="3"), 1, "3", 4, 4),
        (Wish(per_gpu=2), 16, "0123", 8, 2),
        (Wish(gpus="1", per_gpu=9), 1, "1", 9, 9),
        (Wish(workers=6), 1, "0123", 6, 2),
        (Wish(workers=2), 1, "01", 2, 1),
        (Wish(workers=3, per_gpu=2, gpus="0,1"), 1, "01", 3, 2),
    ],
)
def test_gpus_times_runs_that_share_one(
    wish: Wish, threads: int, gpus: str, workers: int, per_gpu: int
) -> None:
    """Worked out by hand, for four GPUs and sixteen cores."""
    found, said = where(wish, threads)

    assert numbers(found) == list(gpus)
    assert (found.workers, found.per_gpu, found.device) == (workers, per_gpu, "cuda")
    assert found.room == 39_000 * 2**20 // per_gpu
    each = "one run at a time" if per_gpu == 1 else f"{per_gpu} runs at a time"
    count = "1 GPU" if len(gpus) == 1 else f"{len(gpus)} GPUs"
    assert f"{count} ({A100}), {each} on each" in said


@pytest.mark.usefixtures("machine")
def test_a_cpu_trains_with_all_its_cores() -> None:
    """Also where there are GPUs; and without any, whatever files a driver has left."""
    assert where(Wish(device="cpu"))[0] == Placement(16, "cpu")
    assert where(Wish(device="cpu"), threads=8)[0] == Placement(2, "cpu")
    assert where(Wish(device="cpu", workers=0))[0] == Placement(0, "cpu")


@pytest.mark.parametrize(
    ("threads", "devices", "workers"), [(1, 1, 8), (2, 2, 4), (4, 2, 2), (3, 3, 2), (16, 4, 1)]
)
def test_workers_are_as_many_as_cores_have_room_for(
    threads: int, devices: int, workers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of eight cores: the devices of a run divide its threads, and each has one at least."""
    monkeypatch.setattr(placement, "cores", lambda: 8)

    assert where(Wish(device="cpu", devices=devices), threads)[0].workers == workers


def test_too_many_devices_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two workers of three on four cores."""
    monkeypatch.setattr(placement, "cores", lambda: 4)

    found, said = where(Wish(device="cpu", workers=2, devices=3))

    assert (found.workers, found.devices) == (2, 3)
    assert "2 workers with 3 devices each of 1 thread on 4 cores slow each other" in said


@pytest.mark.usefixtures("machine")
def test_each_worker_sees_the_gpus_that_train_its_runs_together() -> None:
    """Four GPUs make two groups of two, or one of three; a fifth is not there."""
    pairs, _ = where(Wish(devices=2))
    three, _ = where(Wish(devices=3, gpus="3,1,0"))

    assert [gpu.name for gpu in pairs.gpus] == ["GPU-0,GPU-1", "GPU-2,GPU-3"]
    assert (pairs.workers, pairs.per_gpu, pairs.devices) == (2, 1, 2)
    assert [gpu.name for gpu in three.gpus] == ["GPU-3,GPU-1,GPU-0"]
    assert three.room == 39_000 * 2**20
    with pytest.raises(RequestError, match="5 devices for each run, and 4 GPUs here"):
        where(Wish(devices=5))


@pytest.mark.usefixtures("machine")
def test_a_worker_with_two_towers_sees_every_gpu() -> None:
    """Its devices are named by their numbers, and it is alone."""
    found, _ = where(Wish(tower_devices=("cuda:1", "cuda:3")))

    assert found == Placement(1, "cuda:1")


def test_without_gpus_or_without_cuda_auto_is_the_cpu(machine: pytest.MonkeyPatch) -> None:
    """A PyTorch without CUDA is what pip installs on Windows."""
    machine.setattr(placement, "built_for_cuda", lambda: False)
    without_cuda = where(Wish())[0]
    machine.setattr(placement, "built_for_cuda", lambda: True)
    machine.setenv(VISIBLE, "-1")

    assert without_cuda == where(Wish())[0] == Placement(16, "cpu")


def test_few_cores_or_little_memory_let_fewer_share(
    machine: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Each needs a core for Python, and memory; every GPU has one run all the same."""
    machine.setattr(placement, "cores", lambda: 8)
    by_cores = where(Wish())[0]
    machine.setattr(placement, "cores", lambda: 2)
    few, warned = where(Wish())
    machine.setattr(placement, "cores", lambda: 64)
    pretend_gpus(machine, tmp_path, f"{line('GPU-0', free=7_000)}\n{line('GPU-1')}")
    by_memory = where(Wish())[0]

    assert (by_cores.workers, by_cores.per_gpu) == (8, 2)
    assert (few.workers, few.per_gpu) == (4, 1)
    assert "4 workers on 2 cores wait for each other" in warned
    assert (by_memory.workers, by_memory.per_gpu, by_memory.room) == (6, 3, 7_000 * 2**20 // 3)


def test_a_gpu_without_memory_is_left_out_or_said(
    machine: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Its number is that of nvidia-smi still."""
    pretend_gpus(machine, tmp_path, f"{line('GPU-0', free=900)}\n{line('GPU-1')}")

    found, said = where(Wish(), threads=4)
    with pytest.raises(RequestError) as refused:
        where(Wish(gpus="0"))

    assert numbers(found) == ["1"]
    assert f"left out        GPU 0 ({A100}) has no memory left, 0.9 of 39.6 GiB free" in said
    assert str(refused.value) == (
        f"GPU 0 ({A100}) has no memory left, 0.9 of 39.6 GiB free; end what uses it, name another "
        "with --gpus, or use --device cpu in place of --gpus"
    )


@pytest.mark.usefixtures("machine")
def test_memory_that_is_not_known_is_left_to_workers(
    machine: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A slice's is not; each worker then goes by the size of the whole."""
    pretend_gpus(machine, tmp_path, f"GPU-0, {A100}, [N/A], [N/A], [N/A]")

    assert where(Wish())[0].room is None
    assert where(Wish())[0].per_gpu == 4


@pytest.mark.usefixtures("machine")
@pytest.mark.parametrize(
    ("wish", "sentence"),
    [
        (Wish(device="cuda:7"), "there is no GPU 7 here; here are 0 (NVIDIA A100"),
        (Wish(gpus="0,4"), "there is no GPU 4 here"),
        (Wish(workers=5, per_gpu=1), "5 workers have no place on 4 GPUs with 1 on each"),
        (Wish(gpus="0,1", workers=0), "this process trains on one GPU"),
    ],
)
def test_what_is_not_there_is_refused(wish: Wish, sentence: str) -> None:
    """With what is there."""
    with pytest.raises(RequestError) as refused:
        where(wish)
    assert sentence in str(refused.value)


@pytest.mark.parametrize(
    ("wish", "sentence"),
    [
        (Wish(device="gpu"), "'gpu' is not a device; use auto, cpu, cuda or cuda:N"),
        (Wish(device="cuda:²"), "is not a device"),
        (Wish(gpus="0-2"), "'0-2' names no GPUs; use all, or numbers such as 0,2"),
        (Wish(gpus=""), "names no GPUs"),
        (Wish(per_gpu=0), "0 workers on a GPU cannot be"),
        (Wish(device="cpu", gpus="0"), "--device cpu trains on no GPU"),
        (Wish(device="cuda:1", gpus="all"), "both name GPUs; use one of the two"),
        (Wish(workers=0, per_gpu=2), "this process trains one run at a time"),
    ],
)
def test_what_no_machine_could_do_is_refused(wish: Wish, sentence: str) -> None:
    """Before anybody looks for GPUs."""
    with pytest.raises(RequestError) as refused:
        refuse_placement(wish)
    assert sentence in str(refused.value)


@pytest.mark.usefixtures("machine")
@pytest.mark.parametrize(("gpus", "device"), [(None, "auto"), ("all", "auto"), ("2", "cuda:2")])
def test_this_process_is_told_a_number(gpus: str | None, device: str) -> None:
    """It has PyTorch already, and sees every GPU."""
    assert where(Wish(gpus=gpus, workers=0))[0] == Placement(0, device)


@pytest.mark.parametrize("command", ["ablate --study relu_vs_tanh", "verify --results shipped"])
def test_a_gpu_that_is_not_there_is_one_sentence(
    machine: pytest.MonkeyPatch, tmp_path: Path, command: str
) -> None:
    """On a machine with one; exit code 2, and no PyTorch was loaded to find it out."""
    pretend_gpus(machine, tmp_path, line("GPU-0"))
    name, *options = command.split()
    folder = [] if name == "verify" else ["--results", str(tmp_path / "results")]

    code, said = call(name, *options, *folder, "--device", "cuda:7")

    assert code == 2
    assert f"there is no GPU 7 here; here is 0 ({A100}), or use --device cpu" in said
