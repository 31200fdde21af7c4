"""Which devices train, and by how many workers; found without PyTorch."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from rich.console import Console

from ablations.registration import RequestError
from ablations.workers.protocol import WorkerSettings
from alexnet.cores import cores
from alexnet.gpus import Gpu, built_for_cuda, together, visible_gpus
from alexnet.text import counted
from reports.commands.console import say

DEVICE = re.compile(r"auto|cpu|cuda(:\d{1,4})?")
GPUS = re.compile(r"all|\d{1,4}(,\d{1,4})*")
PER_GPU = 4
"""Runs that share a GPU, of networks for small images: each waits for Python most of the time, and
meanwhile the others compute. One run of a large network keeps a GPU busy alone. Not measured yet:
`python -m tests.gpu` does."""
NEEDED = 2 * 2**30
"""Bytes of a GPU's memory that a run of a small network may need: what CUDA itself takes of it for
each process, images of up to 1 GiB, network and activations."""
LEAST = 2**30
"""Bytes of a GPU's memory without which not even one run starts there."""


class Asked(Protocol):
    """What a person says of where to train."""

    @property
    def device(self) -> str:
        """One of auto, cpu, cuda, cuda:N."""

    @property
    def gpus(self) -> str | None:
        """None, all, or numbers with commas between."""

    @property
    def per_gpu(self) -> int | None:
        """Workers on each GPU; None: as many as suit it."""

    @property
    def workers(self) -> int | None:
        """Of all of them; 0: this process; None: as many as suit the machine."""

    @property
    def devices(self) -> int:
        """That train each run together."""

    @property
    def tower_devices(self) -> tuple[str, ...]:
        """Two, for networks in two towers; none if each network is on one."""


@dataclass(frozen=True)
class Placement:
    """Where is trained: by how many workers, on which GPUs."""

    workers: int  # 0: this process
    device: str  # as each worker is told; with GPUs it sees one alone, as cuda
    gpus: tuple[Gpu, ...] = ()  # of each worker one, or several that train together
    per_gpu: int = 1
    devices: int = 1  # that train each run together

    @property
    def room(self) -> int | None:
        """Bytes of its GPU's memory that a worker may take, equal for all; None if not known."""
        known = [gpu.free for gpu in self.gpus if gpu.free is not None]
        return min(known) // self.per_gpu if known and len(known) == len(self.gpus) else None

    def told(self, place: WorkerSettings) -> WorkerSettings:
        """Return what workers are told, with where each trains."""
        return replace(
            place,
            device=self.device,
            per_gpu=self.per_gpu,
            room=self.room,
            devices=self.devices,
        )


def refuse_placement(asked: Asked) -> None:
    """Refuse what could be placed on no machine.

    Raises:
        RequestError: With what may be asked for.
    """
    if not DEVICE.fullmatch(asked.device):
        raise RequestError(f"{asked.device!r} is not a device; use auto, cpu, cuda or cuda:N")
    if asked.gpus is not None and not GPUS.fullmatch(asked.gpus):
        raise RequestError(f"{asked.gpus!r} names no GPUs; use all, or numbers such as 0,2")
    if asked.per_gpu is not None and asked.per_gpu < 1:
        raise RequestError(f"{counted(asked.per_gpu, 'worker')} on a GPU cannot be; use 1 or more")
    if asked.device == "cpu" and (asked.gpus, asked.per_gpu) != (None, None):
        raise RequestError("--device cpu trains on no GPU; leave out --gpus and --per-gpu")
    if asked.device.startswith("cuda:") and asked.gpus is not None:
        raise RequestError(
            f"--device {asked.device} and --gpus {asked.gpus} both name GPUs; use one of the two"
        )
    if asked.workers == 0 and asked.per_gpu is not None:
        raise RequestError("this process trains one run at a time; leave out --per-gpu")


def placed(asked: Asked, console: Console, threads: int) -> Placement:
    """Return where is trained, by workers of so many threads each; say which GPUs that are.

    Raises:
        RequestError: If a GPU is asked for that is not here or has no memory left, or more workers
            than there is place for.
    """
    if asked.tower_devices:  # which sees all GPUs, and needs two
        return Placement(1 if asked.workers is None else asked.workers, asked.tower_devices[0])
    gpus = _gpus(asked, console)
    if asked.workers == 0:
        return Placement(0, _of_this_process(asked, gpus))
    if not gpus:
        return Placement(_on_cores(asked, console, threads), "cpu", devices=asked.devices)
    if len(gpus) < asked.devices:
        raise RequestError(
            f"{counted(asked.devices, 'device')} for each run, and {counted(len(gpus), 'GPU')} "
            f"here; use --devices {len(gpus)}, or {_on_cpu(asked)}"
        )
    gpus = together(gpus, asked.devices)
    per_gpu = asked.per_gpu or _per_gpu(asked, gpus, threads)
    count = asked.workers or len(gpus) * per_gpu
    if count > len(gpus) * per_gpu:
        raise RequestError(
            f"{counted(count, 'worker')} have no place on {counted(len(gpus), 'GPU')} with "
            f"{per_gpu} on each; use one of --workers and --per-gpu"
        )
    if count * asked.devices > cores():
        say(
            console,
            "warning",
            f"{counted(count, 'worker')} on {counted(cores(), 'core')} wait for each other: each "
            "needs one for Python",
        )
    say(console, "GPUs", _in_words(gpus[:count], per_gpu))
    return Placement(count, "cuda", gpus[:count], per_gpu, asked.devices)


def _on_cpu(asked: Asked) -> str:
    """Return what to type to train without a GPU."""
    named = [
        option
        for option, value in (("--gpus", asked.gpus), ("--per-gpu", asked.per_gpu))
        if value is not None
    ]
    instead = f" in place of {' and '.join(named)}" if named else ""
    return f"use --device cpu{instead}"


def _gpus(asked: Asked, console: Console) -> tuple[Gpu, ...]:
    """Return the GPUs that are trained on; none: the CPU."""
    if asked.device == "cpu":
        return ()
    by_name = asked.device != "auto" or (asked.gpus, asked.per_gpu) != (None, None)
    if not built_for_cuda():
        if by_name:
            raise RequestError(
                f"the PyTorch that is installed was built without CUDA; {_on_cpu(asked)}"
            )
        return ()
    here = visible_gpus()
    if not here:
        if by_name:
            raise RequestError(
                "no GPU is found here: nvidia-smi and CUDA_VISIBLE_DEVICES leave none; "
                + _on_cpu(asked)
            )
        return ()
    chosen = [here[number] for number in _numbers(asked, here)]
    full = [gpu for gpu in chosen if gpu.free is not None and gpu.free < LEAST]
    for gpu in full:
        why = f"GPU {_shown(here, gpu)} has no memory left, {_of_memory(gpu)}"
        if len(full) == len(chosen):
            raise RequestError(
                f"{why}; end what uses it, name another with --gpus, or {_on_cpu(asked)}"
            )
        say(console, "left out", why)
    return tuple(gpu for gpu in chosen if gpu not in full)


def _numbers(asked: Asked, here: Sequence[Gpu]) -> list[int]:
    """Return the numbers of the GPUs that are asked for.

    Raises:
        RequestError: If one is not here.
    """
    named = asked.device[5:] or asked.gpus or "all"
    if named == "all":
        return list(range(len(here)))
    numbers = list(dict.fromkeys(map(int, named.split(","))))
    for number in numbers:
        if number >= len(here):
            these = ", ".join(_shown(here, gpu) for gpu in here)
            verb = "is" if len(here) == 1 else "are"
            raise RequestError(
                f"there is no GPU {number} here; here {verb} {these}, or {_on_cpu(asked)}"
            )
    return numbers


def _shown(here: Sequence[Gpu], gpu: Gpu) -> str:
    """Return a GPU as a person names it, and its model."""
    number = here.index(gpu)
    return f"{number} ({gpu.model})" if gpu.model else str(number)


def _of_memory(gpu: Gpu) -> str:
    free, total = ((size or 0) / 2**30 for size in (gpu.free, gpu.total))
    return f"{free:.1f} of {total:.1f} GiB free"


def _of_this_process(asked: Asked, gpus: Sequence[Gpu]) -> str:
    """Return the device of a process that has PyTorch, and numbers GPUs as that does.

    Raises:
        RequestError: If several are named.
    """
    if not gpus:
        return "cpu"
    if asked.gpus in (None, "all"):
        return asked.device
    if "," in asked.gpus:
        raise RequestError("this process trains on one GPU; name one, or ask for workers")
    return f"cuda:{asked.gpus}"


def _per_gpu(asked: Asked, gpus: Sequence[Gpu], threads: int) -> int:
    """Return how many workers share a GPU where nobody has said it.

    Bases of small images have one thread a run; their networks are those that share.
    """
    if asked.workers is not None:
        return -(-asked.workers // len(gpus))
    if threads > 1 or asked.devices > 1:
        return 1
    rooms = [gpu.free // NEEDED for gpu in gpus if gpu.free is not None]
    return max(1, min(PER_GPU, cores() // len(gpus), *rooms))


def _in_words(gpus: Sequence[Gpu], per_gpu: int) -> str:
    models = list(dict.fromkeys(gpu.model for gpu in gpus if gpu.model))
    names = f" ({', '.join(models)})" if models else ""
    each = "one run at a time" if per_gpu == 1 else f"{per_gpu} runs at a time"
    return f"{counted(len(gpus), 'GPU')}{names}, {each} on each"


def _on_cores(asked: Asked, console: Console, threads: int) -> int:
    """Return how many workers are to train on the CPU, each run with so many threads."""
    devices = asked.devices
    each = max(1, threads // devices)  # threads of each process of a worker
    most = max(1, cores() // (each * devices))
    count = asked.workers or most
    if (asked.workers or devices > 1) and count * each * devices > cores():
        ranks = f" with {counted(devices, 'device')} each" if devices > 1 else ""
        say(
            console,
            "warning",
            f"{counted(count, 'worker')}{ranks} of {counted(each, 'thread')} on "
            f"{counted(cores(), 'core')} slow each other",
        )
    return count
