"""A run that is stopped and taken up again by the worker, whatever its optimizer and schedule."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from ablations.run import DatasetRef, Run
from ablations.workers.protocol import TimeStep, WorkerSettings
from ablations.workers.trainer import Workbench
from alexnet.config import Adam, Plateau
from alexnet.data.manifest import DatasetError, Manifest, default_data_dir
from alexnet.data.prepare.preparation import prepare
from alexnet.data.prepare.request import PrepareRequest
from alexnet.learning_curve import Epoch
from alexnet.presets import tiny
from tests.builders.runs import outcome, run_of


@pytest.mark.parametrize(
    "change",
    [
        {"optimizer": {"rate": 0.002}},
        {"optimizer": Adam(rate=0.001)},
        {"schedule": Plateau(patience=1, improvement=1.0)},
    ],
    ids=["momentum", "adam", "plateau"],
)
@pytest.mark.usefixtures("always_checkpoint")
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


@pytest.mark.usefixtures("always_checkpoint")
def test_a_run_of_another_processor_starts_over_and_says_of_which(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Gone on from there, no machine could repeat it: it has the bits of one that never stopped."""
    run = run_of(tiny().but(training={"epochs": 3, "images": 320}))
    monkeypatch.setattr("ablations.workers.trainer.processor", lambda: "abacus")
    stop(bench := bench_at(tmp_path / "stopped"), run)
    assert bench.left == ""
    monkeypatch.undo()

    bench, told = bench_at(tmp_path / "stopped"), []
    record = bench.execute(run, lambda epoch: told.append((epoch.number, bench.left)))

    whole = bench_at(tmp_path / "whole").execute(run, lambda epoch: None)
    assert told == [(1, "abacus"), (2, "abacus"), (3, "abacus")]
    assert record.interruptions == 1
    assert record.files == whole.files


def bench_at(folder: Path) -> Workbench:
    """Return a worker whose results lie in a folder."""
    return Workbench(WorkerSettings(folder, default_data_dir(), "cpu", 1, "a test"))


def stop(bench: Workbench, run: Run) -> None:
    """Train the first epoch of a run, and no more."""

    class StoppedError(Exception):
        pass

    def stopped(epoch: Epoch) -> None:
        raise StoppedError

    with pytest.raises(StoppedError):
        bench.execute(run, stopped)


def test_float32_is_no_shorter_type_on_a_gpu(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """TF32 is PyTorch's default for convolutions on cards that have it, and anybody's to set."""
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)
    products = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high")

    Workbench(WorkerSettings(tmp_path, default_data_dir(), "cpu", 1, "a test"))
    seen = (torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32)
    torch.set_float32_matmul_precision(products)

    assert seen == (False, False)


def named(name: str, seed: int, data_dir: Path) -> DatasetRef:
    """Prepare 240 noise images of two classes by that name; return what they are."""
    chance = np.random.default_rng(seed)
    source = data_dir.parent / f"source {name} {seed}"
    for number in range(240):
        path = source / ("cat", "dog")[number % 2] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(chance.integers(0, 256, (32, 32, 3), dtype=np.uint8)).save(path)
    *_, manifest = prepare(PrepareRequest(name, source, data_dir, workers=1))
    assert isinstance(manifest, Manifest)
    return DatasetRef.of(manifest)


def test_a_run_is_trained_on_its_own_images_or_not_at_all(tmp_path: Path) -> None:
    """Others under their name are refused, with both digests; after they are back, it trains."""
    data = tmp_path / "data"
    asked = named("pets", 0, data)
    (data / "pets").rename(tmp_path / "pets of before")
    other = named("pets", 1, data)
    assert other.digest != asked.digest
    run = run_of(tiny()).but(dataset=asked.model_dump())
    bench = Workbench(WorkerSettings(tmp_path / "results", data, "cpu", 1, "a test"))

    for job in (
        lambda: bench.execute(run, lambda epoch: None),
        lambda: bench.time_step(TimeStep(run.config, asked, "float32", 1)),
    ):
        with pytest.raises(DatasetError, match=f"digest {other.digest[:12]}.*{asked.digest[:12]}"):
            job()
    assert bench.store.records() == []

    (data / "pets").rename(tmp_path / "others")
    (tmp_path / "pets of before").rename(data / "pets")
    assert bench.execute(run, lambda epoch: None).run.dataset == asked


def test_another_split_of_the_same_images_is_refused(tmp_path: Path) -> None:
    """What is held out decides what is learned."""
    run = run_of(tiny())
    cut_otherwise = run.but(dataset={"split": "f" * 64})
    bench = Workbench(WorkerSettings(tmp_path, default_data_dir(), "cpu", 1, "a test"))

    with pytest.raises(DatasetError, match="split"):
        bench.execute(cut_otherwise, lambda epoch: None)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ONEDNN_MAX_CPU_ISA", "AVX2"),
        ("DNNL_DEFAULT_FPMATH_MODE", "BF16"),
        ("MKL_CBWR", "COMPATIBLE"),
        ("NVIDIA_TF32_OVERRIDE", "1"),
        ("CUBLAS_WORKSPACE_CONFIG", ":16:8"),
    ],
)
def test_what_changes_bits_is_in_the_fingerprint(
    name: str, value: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that no run is gone on with under other settings, and a record says which it had."""
    place = WorkerSettings(tmp_path, default_data_dir(), "cpu", 1, "a test")
    plain = Workbench(place).fingerprint()
    monkeypatch.setenv(name, value)

    told = Workbench(place).fingerprint()

    assert told == plain.but(variables=(f"{name}={value}",))
    assert '"variables"' not in plain.model_dump_json()  # as in the records of before


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OMP_NUM_THREADS", "4"),
        ("MKL_NUM_THREADS", "4"),
        ("ONEDNN_VERBOSE", "1"),
        ("CUDNN_HOME", "/home/jane/cudnn"),
        ("CUDNN_VERSION", "9.1"),
        ("CUDNN_LOGDEST_DBG", "/home/jane/log"),
        ("CUBLASLT_LOG_LEVEL", "2"),
        ("CUBLAS_WORKSPACE_CONFIG", ":4096:8"),
    ],
)
def test_what_changes_no_bit_is_not(
    name: str, value: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor do paths of a person get into records; our own workers have the last."""
    place = WorkerSettings(tmp_path, default_data_dir(), "cpu", 1, "a test")
    plain = Workbench(place).fingerprint()
    monkeypatch.setenv(name, value)

    assert Workbench(place).fingerprint() == plain


def test_steps_of_a_small_set_are_timed_over_epochs(tmp_path: Path) -> None:
    """168 training images are two batches of 128, and ten steps were asked for."""
    asked = named("pets", 0, tmp_path / "data")
    bench = Workbench(WorkerSettings(tmp_path, tmp_path / "data", "cpu", 1, "a test"))

    timed = bench.time_step(TimeStep(tiny(), asked, "float32", 10))

    assert timed.seconds > 0
