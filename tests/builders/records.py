"""Records of runs that nobody trained."""

import hashlib
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from ablations.machine import Fingerprint, Provenance
from ablations.record import Record, Seconds
from ablations.run import DatasetRef, Run
from alexnet.config import Config
from alexnet.learning_curve import Epoch
from alexnet.measures import Measure, Measures

REF = DatasetRef(name="made_up", digest="d" * 64, split="e" * 64)


FINGERPRINT = Fingerprint(
    device="cpu", processor="abacus", capability="beads", threads=1, torch="2.9.9"
)


PROVENANCE = Provenance(
    at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    versions={"torch": "2.9.9"},
    commit="abc",
    clean=True,
    command="invoke ablate",
)


def epochs_of(errors: list[float], images: int = 1000) -> tuple[Epoch, ...]:
    """Return epochs with these running errors, each spread evenly over its tenths."""
    each = images // 10
    return tuple(
        Epoch(
            number=number,
            errors=(round(error * each),) * 10,
            images=(each,) * 10,
            loss=0.55,
            losses=tuple(round(1 - tenth / 10, 1) for tenth in range(10)),
            seconds=1.0,
        )
        for number, error in enumerate(errors, start=1)
    )


def measures_of(train: float, valid: float, test: float) -> Measures:
    """Return measures with these top-1 errors; ten views err a point less, top-5 a fifth."""

    def measure(error: float) -> Measure:
        return Measure(images=100, loss=1.0, top1_error=error, top5_error=error / 5)

    return Measures(
        train=measure(train),
        valid=measure(valid),
        valid_ten=measure(valid - 0.01),
        test=measure(test),
        test_ten=measure(test - 0.01),
    )


def record_of(
    run: Run,
    errors: list[float],
    status: Literal["finished", "diverged"] = "finished",
    measures: Measures | None = None,
) -> Record:
    """Return the record that a run with these running errors would have left.

    No two runs have the same weights, of which only the digest is made up.
    """
    return Record(
        run=run,
        status=status,
        curve=epochs_of(errors),
        measures=measures if status == "finished" else None,
        files={"weights.safetensors": run.id} if status == "finished" else {},
        seconds=Seconds(training=1.0, evaluation=0.1),
        fingerprint=FINGERPRINT,
        provenance=PROVENANCE,
    )


def leaving(record: Record, *paths: Path) -> Record:
    """Return a record of a run that left these files beside it."""
    digests = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}
    return record.model_copy(update={"files": digests})


def run_of(config: Config, seed: int = 0) -> Run:
    """Return a run of a config on images that exist nowhere."""
    return Run(config=config, seed=seed, dataset=REF, precision="float32")
