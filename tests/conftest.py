"""Small things that many tests share: a tiny config, images that exist nowhere else, records."""

import os
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from ablations.checkpoint import Pace
from alexnet.config import Config, source
from alexnet.data.images import Dataset, Images
from alexnet.data.manifest import Fit, Manifest
from alexnet.data.statistics import statistics
from alexnet.presets import tiny
from tests.builders.records import REF

if several := os.environ.get("PYTEST_XDIST_WORKER_COUNT"):
    # Processes that each take every core are slower than one that does; so are those they start.
    threads = max(1, (os.cpu_count() or 1) // int(several))
    torch.set_num_threads(threads)
    os.environ["OMP_NUM_THREADS"] = str(threads)


@pytest.fixture(autouse=True)
def nowhere_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no test tell the CI that runs it of failures that were made up."""
    for name in ("GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(autouse=True)
def import_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no test import what lay beside another's study: their folders stay on the path."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(source, "_FIRST", [])


@pytest.fixture
def always_checkpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let runs of this process write one after every epoch, however short."""
    monkeypatch.setattr(Pace, "is_due", True)


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """Return an empty results folder."""
    return tmp_path / "results"


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
