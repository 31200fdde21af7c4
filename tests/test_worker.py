"""A run that is stopped and taken up again by the worker, whatever its optimizer and schedule."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from ablations.messages import Place
from ablations.record import Record
from ablations.run import DatasetRef, Run
from ablations.worker import Workbench
from alexnet.config import Adam, Config, Plateau
from alexnet.data.catalogue import read_manifest
from alexnet.data.manifest import default_data_dir
from alexnet.presets import tiny
from alexnet.progress import Epoch


class StoppedError(Exception):
    """Whatever stops a worker between two epochs."""


def run_of(config: Config) -> Run:
    """Return a run of three epochs on the embedded images."""
    manifest = read_manifest("fashion_mini", default_data_dir())
    config = config.but(training={"epochs": 3, "images": 320})
    return Run(config=config, seed=0, dataset=DatasetRef.of(manifest), precision="float32")


def outcome(run: Run, results: Path, stop_after: int | None) -> tuple[Record, Path]:
    """Return a run's record, after it was stopped once or not at all, and its folder."""
    bench = Workbench(Place(results, default_data_dir(), "cpu", 1, "a test"))

    def tell(epoch: Epoch) -> None:
        if epoch.number == stop_after:
            raise StoppedError

    if stop_after is not None:
        with pytest.raises(StoppedError):
            bench.execute(run, tell)
        bench = Workbench(Place(results, default_data_dir(), "cpu", 1, "a test"))
    return bench.execute(run, lambda epoch: None), bench.store.folder(run)


@pytest.mark.parametrize(
    "change",
    [
        {"optimizer": {"rate": 0.002}},
        {"optimizer": Adam(rate=0.001)},
        {"schedule": Plateau(patience=1, improvement=1.0)},
    ],
    ids=["momentum", "adam", "plateau"],
)
def test_a_stopped_run_ends_with_the_same_bits(change: dict[str, object], tmp_path: Path) -> None:
    """Velocities, moments and what a plateau has seen are all in the checkpoint."""
    run = run_of(tiny().but(training=change))
    whole, folder = outcome(run, tmp_path / "whole", stop_after=None)
    taken_up, other = outcome(run, tmp_path / "stopped", stop_after=2)

    assert taken_up.interruptions == 1
    assert [e.loss for e in taken_up.curve] == [e.loss for e in whole.curve]
    weights = [load_file(path / "weights.safetensors") for path in (folder, other)]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
    seen = [epoch.valid_error for epoch in whole.curve]
    assert all(error is not None for error in seen) is isinstance(change.get("schedule"), Plateau)


def test_float32_is_no_shorter_type_on_a_gpu(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """TF32 is PyTorch's default for convolutions on cards that have it, and anybody's to set."""
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)
    products = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high")

    Workbench(Place(tmp_path, default_data_dir(), "cpu", 1, "a test"))
    seen = (torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32)
    torch.set_float32_matmul_precision(products)

    assert seen == (False, False)
