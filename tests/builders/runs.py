"""Runs that are trained, whole or stopped half way."""

from pathlib import Path

import pytest

from ablations.record import Record
from ablations.run import DatasetRef, Run
from ablations.workers.protocol import WorkerSettings
from ablations.workers.trainer import Workbench
from alexnet.config import Config
from alexnet.data.manifest import default_data_dir
from alexnet.data.stored import read_manifest
from alexnet.learning_curve import Epoch


class StoppedError(Exception):
    """Whatever stops a worker between two epochs."""


def run_of(config: Config) -> Run:
    """Return a run of three epochs on the embedded images."""
    manifest = read_manifest("fashion_mini", default_data_dir())
    config = config.but(training={"epochs": 3, "images": 320})
    return Run(config=config, seed=0, dataset=DatasetRef.of(manifest), precision="float32")


def outcome(
    run: Run,
    results: Path,
    stop_after: int | None,
    device: str = "cpu",
    tower_devices: tuple[str, ...] = (),
) -> tuple[Record, Path]:
    """Return a run's record, after it was stopped once or not at all, and its folder."""
    settings = WorkerSettings(
        results, default_data_dir(), device, 1, "a test", tower_devices=tower_devices
    )
    bench = Workbench(settings)

    def tell(epoch: Epoch) -> None:
        if epoch.number == stop_after:
            raise StoppedError

    if stop_after is not None:
        with pytest.raises(StoppedError):
            bench.execute(run, tell)
        bench = Workbench(settings)
    return bench.execute(run, lambda epoch: None), bench.store.folder(run)
