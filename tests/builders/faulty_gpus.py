"""Workers on GPUs that are not there, and that fail."""

import os
import sys
import time
from multiprocessing.connection import Connection
from pathlib import Path

from ablations.run import Run
from ablations.store import Store
from ablations.workers.protocol import NO_MEMORY, DeviceFailed, Finished, Probe, WorkerSettings
from alexnet.gpus import VISIBLE
from tests.builders.records import FINGERPRINT, record_of
from tests.builders.workers import LONG

FAULTY = "FAULTY"
"""The variable that says what is at fault: a GPU's name, or a run's seed after ``run ``."""
REASON = "AcceleratorError: CUDA error: unspecified launch failure\nCUDA kernel errors might be"
GOOD = 2
"""Runs that a faulty GPU finishes before it fails."""


def serve(pipe: Connection, place: WorkerSettings) -> None:
    """Be a worker without PyTorch that does nothing, on a GPU that may be at fault.

    Each run is a file. Whoever is not at fault has half of its work left when the other has failed
    twice, so that what follows is the same on a machine of any speed.
    """
    gpu, fault = os.environ[VISIBLE], os.environ.get(FAULTY, "")
    if fault == f"{gpu} full":
        pipe.send(DeviceFailed(None, NO_MEMORY))
        os._exit(98)
    pipe.send(Probe("float32", FINGERPRINT))
    while True:
        run = pipe.recv()
        done = len(list(place.results.glob(f"{gpu} did *")))
        bad = fault == f"run {run.seed}" or (
            fault.startswith(gpu) and (done == GOOD or (done > GOOD and not fault.endswith("once")))
        )
        (place.results / f"{gpu} did {run.seed} as {os.getpid()}").touch()
        if bad:
            if fault.endswith("crash"):
                os._exit(134)
            pipe.send(DeviceFailed(run, REASON))
            os._exit(98)
        end = time.monotonic() + LONG
        while done >= 10 and _failed(place, fault) < 2 and time.monotonic() < end:
            time.sleep(0.01)
        Store(place.results).add(record_of(run, [0.5]))
        pipe.send(Finished(run))


def say_what_is_seen(pipe: Connection, place: WorkerSettings) -> None:
    """Be a worker that only says which GPU it sees, and whether PyTorch is there already."""
    pipe.send(f"{os.environ.get(VISIBLE)} {'torch' in sys.modules}")


def _failed(place: WorkerSettings, fault: str) -> int:
    """Return how often a GPU has failed for good, by what it did; many if none is to."""
    at_fault = fault.split(" ")[0]
    if not at_fault.startswith("GPU") or fault.endswith("once"):
        return LONG
    return len(list(place.results.glob(f"{at_fault} did *"))) - GOOD


def seen_by(results: Path, run: Run) -> list[str]:
    """Return the GPUs that a run was tried on."""
    return [path.name.split(" ")[0] for path in results.glob(f"* did {run.seed} as *")]
