"""What a study's process and its workers say to each other; imports no PyTorch."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

from ablations.kept import UNASKED, KeptWeights
from ablations.machine import Fingerprint
from ablations.run import DatasetRef, Run
from alexnet.config import Config, Precision
from alexnet.learning_curve import Epoch


@dataclass(frozen=True)
class WorkerSettings:
    """Where a worker works."""

    results: Path
    data_dir: Path
    device: str  # auto, cpu, cuda, cuda:1, ...
    threads: int  # of each process
    command: str
    kept_weights: KeptWeights = UNASKED
    per_gpu: int = 1  # workers that share this one's GPU, itself included
    room: int | None = None  # bytes of the GPU's memory that are this one's; None if not known
    devices: int = 1  # that train each run together, each in a process with so many threads
    tower_devices: tuple[str, ...] = ()  # two, as cuda:0, of networks in towers; `device` is first


class Probe(NamedTuple):
    """What a worker says of itself when it is ready."""

    precision: Precision
    fingerprint: Fingerprint


class TimeStep(NamedTuple):
    """Ask a worker how long a training step takes."""

    config: Config
    dataset: DatasetRef
    precision: Precision
    steps: int


class Timed(NamedTuple):
    """The answer: how long a step takes, and how many weights and biases it moves."""

    seconds: float
    parameters: int
    tower_devices: int = 1  # 2: a tower of the network was on each


class Progressed(NamedTuple):
    """A run has passed once more over its images."""

    run: Run
    epoch: Epoch
    left: str = ""  # what its checkpoint was of, if it was begun anew instead of going on from it


class Finished(NamedTuple):
    """A run has its record."""

    run: Run
    overlap: str = ""  # who else was at it at the same time, though its lock was held


class Elsewhere(NamedTuple):
    """Another process is at this run."""

    run: Run
    holder: str  # which, and since when


class Failed(NamedTuple):
    """A run, or the start of a worker, has failed; others go on."""

    run: Run | None
    reason: str


class DeviceFailed(NamedTuple):
    """A worker's device computes nothing any more; the worker ends, its run is tried elsewhere."""

    run: Run | None  # that it was at; None if it was starting, or timing a step
    reason: str
    device: str = ""  # which
    left_out: bool = False  # whether nothing is tried on it any more


class Noticed(NamedTuple):
    """Something has changed among the workers that a person may want to know."""

    text: str


Event = Probe | Timed | Progressed | Finished | Elsewhere | Failed | DeviceFailed | Noticed
Job = Run | TimeStep


class Workers(Protocol):
    """Who trains, wherever they are: each does one job at a time and says what comes of it."""

    @property
    def count(self) -> int:
        """How many there are."""

    @property
    def idle(self) -> int:
        """How many are ready and have nothing to do."""

    @property
    def running(self) -> Sequence[Run]:
        """The runs that were submitted and are not finished."""

    def submit(self, job: Job) -> None:
        """Give a job to one that is idle."""

    def events(self, timeout: float) -> Iterator[Event]:
        """Yield what has happened, waiting up to ``timeout`` seconds for something.

        Raises:
            WorkerError: If nothing can be trained.
        """

    def close(self) -> None:
        """End them; runs go on from their last checkpoints when asked for again."""


class WorkerError(RuntimeError):
    """No worker can be started; the message has its last words."""


class DeviceError(WorkerError):
    """No worker can be started on this device; the message says why, and the way out."""


class RunError(RuntimeError):
    """Runs have failed, and were left behind; the message has the first one's reason."""


NO_MEMORY = (
    "the GPU has no memory left; let fewer runs share it (--per-gpu 1), end what else uses it, or "
    "name another with --gpus"
)


def says_no_memory(error: BaseException) -> bool:
    """Return whether an error of PyTorch says that a GPU's memory does not suffice."""
    by_allocator = type(error).__name__ == "OutOfMemoryError"
    said = ("CUDA error: out of memory", "STATUS_ALLOC_FAILED")
    return by_allocator or any(text in str(error) for text in said)
