"""What an unfinished run has come to, so that it can go on as if it had never stopped."""

import contextlib
import hashlib
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from ablations.machine import Fingerprint
from alexnet.config.base import canonical
from alexnet.learning_curve import Epoch
from alexnet.sealed import SEAL, SealError, refuse_irregular

SHARE = 1 / 33
"""Of the time since the last checkpoint, the most that writing the next may take: 3 %."""
LATENCY, BANDWIDTH = 0.005, 200e6
"""Of a disk that is not known yet: seconds a file, bytes a second."""


class CheckpointError(ValueError):
    """A checkpoint that cannot be gone on from; the message says in a few words why."""


class Pace:
    """When the next checkpoint is due: once training has taken 33 times as long as writing did.

    So that checkpoints take at most 3 % of the time, whatever network, disk and accelerator, but
    for the first, whose cost is estimated. An interruption costs at most the time until the next
    would have been due, and an epoch.
    """

    def __init__(self, size: int, clock: Callable[[], float] = time.perf_counter) -> None:
        """Start the clock.

        Args:
            size: Of a checkpoint, bytes, from which the cost of the first is estimated.
            clock: Seconds.
        """
        self._clock, self._since = clock, clock()
        self._cost = LATENCY + size / BANDWIDTH

    @property
    def is_due(self) -> bool:
        """Whether one may be written now."""
        return self._cost <= SHARE * (self._clock() - self._since)

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """Measure what writing one costs."""
        start = self._clock()
        yield
        self._since = self._clock()
        self._cost = self._since - start


class Checkpoint(NamedTuple):
    """Weights, what the optimizer remembers, and the epochs so far; of chance there is nothing."""

    run: str  # the whole id
    tensors: Mapping[str, Tensor]  # on the CPU
    curve: Sequence[Epoch]
    interruptions: int
    fingerprint: Fingerprint

    def to_bytes(self) -> bytes:
        """Return it as a file of safetensors that carries the SHA-256 of all it says."""
        about = {
            "run": self.run,
            "fingerprint": self.fingerprint.model_dump_json(),
            "curve": json.dumps([epoch.model_dump() for epoch in self.curve]),
            "interruptions": str(self.interruptions),
        }
        tensors = dict(self.tensors)
        return save(tensors, metadata=about | {SEAL: _digest(tensors, about)})

    @classmethod
    def read(cls, path: Path, run: str, shapes: Mapping[str, torch.Size]) -> "Checkpoint":
        """Return the checkpoint of a run from its file.

        Args:
            path: Of the file.
            run: The whole id.
            shapes: Of the tensors that the run needs.

        Raises:
            CheckpointError: If it is damaged, or of another run, edition or version.
            FileNotFoundError: If there is none.
        """
        try:
            refuse_irregular(path)
            with safe_open(path, framework="pt", device="cpu") as file:
                about = dict(file.metadata() or {})
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        except SealError as error:
            raise CheckpointError(str(error)) from error
        except (SafetensorError, ValueError, RuntimeError, TypeError, KeyError) as error:
            raise CheckpointError("is cut short or damaged") from error
        if SEAL not in about:
            raise CheckpointError("is of another version of this program, or damaged")
        if about.pop(SEAL) != _digest(tensors, about):
            raise CheckpointError("is damaged: its digest is of other content")
        if about.get("run") != run:
            raise CheckpointError("belongs to another run or edition")
        if {name: tensor.shape for name, tensor in tensors.items()} != shapes:
            raise CheckpointError("is of another version of this program")
        try:
            return cls(
                run,
                tensors,
                [Epoch.model_validate(epoch) for epoch in json.loads(about["curve"])],
                int(about["interruptions"]),
                Fingerprint.model_validate_json(about["fingerprint"]),
            )
        except (KeyError, ValueError) as error:
            raise CheckpointError("is of another version of this program") from error


def _digest(tensors: Mapping[str, Tensor], about: Mapping[str, str]) -> str:
    """Return the digest of every tensor's name, type, shape and bytes, and of what is beside."""
    digest = hashlib.sha256(canonical(dict(about)).encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(f"\n{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
