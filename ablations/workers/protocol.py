"""What a study's process and its workers say to each other; imports no PyTorch."""

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

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
    threads: int
    command: str
    kept_weights: KeptWeights = UNASKED


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


class Progressed(NamedTuple):
    """A run has passed once more over its images."""

    run: Run
    epoch: Epoch


class Finished(NamedTuple):
    """A run has its record."""

    run: Run


class Elsewhere(NamedTuple):
    """Another process is at this run."""

    run: Run
    holder: str  # which, and since when


class Failed(NamedTuple):
    """A run, or the start of a worker, has failed; others go on."""

    run: Run | None
    reason: str


Event = Probe | Timed | Progressed | Finished | Elsewhere | Failed
Job = Run | TimeStep


class WorkerError(RuntimeError):
    """No worker can be started; the message has its last words."""


class RunError(RuntimeError):
    """Runs have failed, and were left behind; the message has the first one's reason."""
