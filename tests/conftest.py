"""Small things that many tests share: a tiny config, images that exist nowhere else, records."""

import hashlib
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import torch

from ablations.checkpoint import Pace
from ablations.machine import Fingerprint, Provenance
from ablations.record import Record, Seconds
from ablations.run import DatasetRef, Run
from alexnet.config import Config
from alexnet.data.images import Dataset, Images
from alexnet.data.manifest import Fit, Manifest
from alexnet.data.statistics import statistics
from alexnet.learning_curve import Epoch
from alexnet.measures import Measure, Measures
from alexnet.presets import tiny

if several := os.environ.get("PYTEST_XDIST_WORKER_COUNT"):
    # Processes that each take every core are slower than one that does.
    torch.set_num_threads(max(1, (os.cpu_count() or 1) // int(several)))

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


@pytest.fixture(autouse=True)
def nowhere_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no test tell the CI that runs it of failures that were made up."""
    for name in ("GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def always_checkpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let runs of this process write one after every epoch, however short."""
    monkeypatch.setattr(Pace, "is_due", True)


@pytest.fixture(scope="session")
def images() -> Dataset:
    """Return 200 colour images of 16 pixels in ten classes that a network can tell apart."""
    rng = np.random.default_rng(7)
    labels = np.arange(300) % 10
    looks = rng.integers(0, 256, (10, 16, 16, 3))
    noisy = looks[labels] + rng.normal(0, 20, (300, 16, 16, 3))
    pixels = np.clip(noisy, 0, 255).astype(np.uint8)
    parts = [
        Images(torch.from_numpy(pixels[chosen]), torch.from_numpy(labels[chosen]))
        for chosen in (slice(0, 200), slice(200, 250), slice(250, 300))
    ]
    found = statistics(pixels[:200])
    manifest = Manifest(
        name="made_up",
        classes=tuple("abcdefghij"),
        fit=Fit(kind="own", size=16),
        colour=True,
        mirror=True,
        counts={"train": 200, "valid": 50, "test": 50},
        digest=REF.digest,
        split=REF.split,
        files={},
    )
    tensors = map(torch.from_numpy, found)
    return Dataset(manifest, *parts, *tensors)


@pytest.fixture
def config() -> Config:
    """Return the tiny preset: every part, every augmentation."""
    return tiny()


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
    """Return the record that a run with these running errors would have left."""
    return Record(
        run=run,
        status=status,
        curve=epochs_of(errors),
        measures=measures if status == "finished" else None,
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


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """Return an empty results folder."""
    return tmp_path / "results"
