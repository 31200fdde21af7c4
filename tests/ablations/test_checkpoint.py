"""Checkpoints: the bytes that were written, or another start; never other numbers."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from ablations.checkpoint import Checkpoint, CheckpointError, Pace
from ablations.workers.protocol import WorkerSettings
from ablations.workers.trainer import Workbench
from alexnet.data.manifest import default_data_dir
from alexnet.presets import tiny
from tests.builders.records import FINGERPRINT, epochs_of
from tests.builders.runs import StoppedError, outcome, run_of

TENSORS = {
    "features.conv1.weight": torch.arange(24.0).reshape(2, 3, 2, 2),
    "velocity.0": torch.tensor([1.5, -2.0], dtype=torch.float64),
    "step": torch.tensor(3.0),
    "count": torch.tensor([4, 5]),
}
SHAPES = {name: tensor.shape for name, tensor in TENSORS.items()}
ONE = Checkpoint("a" * 64, TENSORS, epochs_of([0.5, 0.25]), 2, FINGERPRINT)
WRITTEN = ONE.to_bytes()


def read(content: bytes, folder: Path, run: str = ONE.run) -> Checkpoint:
    """Return the checkpoint in some bytes."""
    path = folder / "checkpoint.safetensors"
    path.write_bytes(content)
    return Checkpoint.read(path, run, SHAPES)


def is_whole(found: Checkpoint) -> bool:
    """Return whether a checkpoint says all that was written."""
    return found._replace(tensors={}) == ONE._replace(tensors={}, curve=list(ONE.curve)) and all(
        torch.equal(found.tensors[name], tensor) for name, tensor in TENSORS.items()
    )


def test_it_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    """Every type of number that weights and optimizers have."""
    assert is_whole(read(WRITTEN, tmp_path))


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder for one file after another."""
    return tmp_path_factory.mktemp("flipped")


@settings(max_examples=300)
@given(st.integers(0, 8 * len(WRITTEN) - 1))
def test_a_flipped_bit_is_noticed_or_changes_nothing(folder: Path, place: int) -> None:
    """In the header, in what is said beside, and in the numbers."""
    content = bytearray(WRITTEN)
    content[place // 8] ^= 1 << place % 8
    try:
        found = read(bytes(content), folder)
    except CheckpointError:
        return

    assert is_whole(found)


@pytest.mark.parametrize("length", [0, 7, 100, len(WRITTEN) - 1])
def test_a_cut_one_is_refused(tmp_path: Path, length: int) -> None:
    """At any place."""
    with pytest.raises(CheckpointError, match="is cut short or damaged"):
        read(WRITTEN[:length], tmp_path)


def test_one_of_another_run_is_refused(tmp_path: Path) -> None:
    """Whole, in the wrong folder."""
    with pytest.raises(CheckpointError, match="belongs to another run or edition"):
        read(WRITTEN, tmp_path, run="b" * 64)


def test_one_of_before_is_refused(tmp_path: Path) -> None:
    """Without a digest."""
    path = tmp_path / "checkpoint.safetensors"
    save_file(TENSORS, path, metadata={"run": ONE.run})

    with pytest.raises(CheckpointError, match="is of another version"):
        Checkpoint.read(path, ONE.run, SHAPES)


def test_other_tensors_than_the_run_needs_are_refused(tmp_path: Path) -> None:
    """By a version that remembers something else."""
    path = tmp_path / "checkpoint.safetensors"
    path.write_bytes(WRITTEN)

    with pytest.raises(CheckpointError, match="another version"):
        Checkpoint.read(path, ONE.run, SHAPES | {"velocity.0": torch.Size([3])})


def flip(path: Path) -> None:
    """Flip one bit in the middle of the numbers."""
    content = bytearray(path.read_bytes())
    content[-1000] ^= 16
    path.write_bytes(content)


def cut(path: Path) -> None:
    """Leave half of it."""
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def folder_instead(path: Path) -> None:
    """Put a folder in its place."""
    path.unlink()
    path.mkdir()


def pipe_instead(path: Path) -> None:
    """Put a pipe in its place, which nobody writes to."""
    path.unlink()
    os.mkfifo(path)


DAMAGES = [flip, cut, folder_instead, *([pipe_instead] if hasattr(os, "mkfifo") else [])]


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.usefixtures("always_checkpoint")
def test_a_run_with_a_damaged_checkpoint_is_trained_anew(
    tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    """To the same weights as without; the checkpoint is set aside, with the reason."""
    run = run_of(tiny())
    whole, folder = outcome(run, tmp_path / "whole", stop_after=None)
    place = WorkerSettings(tmp_path / "stopped", default_data_dir(), "cpu", 1, "a test")

    def stop(epoch: object) -> None:
        raise StoppedError

    with pytest.raises(StoppedError):
        Workbench(place).execute(run, stop)
    bench = Workbench(place)
    here = bench.store.folder(run)
    damage(here / "checkpoint.safetensors")

    record = bench.execute(run, lambda epoch: None)

    assert record.interruptions == 0
    assert [epoch.losses for epoch in record.curve] == [epoch.losses for epoch in whole.curve]
    weights = [load_file(path / "weights.safetensors") for path in (folder, here)]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
    left = {path.name for path in here.glob("checkpoint*") if path.is_file()}
    assert left == set()  # the run is finished: nothing needs it any more
    reason = json.loads((here / "failure-1.json").read_text())["reason"]
    assert "it is kept as checkpoint-set-aside-1.safetensors, the run starts anew" in reason


@pytest.mark.parametrize("epoch", [0.001, 0.02, 1.0, 60.0])
@pytest.mark.parametrize("cost", [0.002, 0.3, 1.2])
def test_checkpoints_take_three_percent_at_most(epoch: float, cost: float) -> None:
    """Of 2,000 epochs of any length, for checkpoints of any cost; and as many as that allows."""
    now = 0.0
    pace = Pace(int((cost - 0.005) * 200e6) if cost > 0.005 else 0, clock=lambda: now)
    spent, training, since, longest = 0.0, 0.0, 0.0, 0.0
    for _ in range(2000):
        now, training, since = now + epoch, training + epoch, since + epoch
        longest = max(longest, since)
        if pace.is_due:
            with pace.writing():
                now, spent, since = now + cost, spent + cost, 0.0

    assert spent <= 0.0304 * training
    assert longest <= max(epoch, 33 * max(cost, 0.005)) + epoch  # so much an interruption costs


def test_a_disk_that_turns_slow_gets_fewer_checkpoints() -> None:
    """The last one's cost decides when the next is due."""
    now = 0.0
    pace = Pace(0, clock=lambda: now)
    now = 1.0
    assert pace.is_due
    with pace.writing():
        now = 3.0

    now = 3.0 + 65.9
    assert not pace.is_due
    now = 3.0 + 66.1
    assert pace.is_due
