"""Runs whose two towers are on two devices, from the request to the record."""

from pathlib import Path

import pytest
import torch
from rich.console import Console
from safetensors.torch import load_file

from ablations.machine import Fingerprint
from ablations.plan import Timing
from ablations.workers.protocol import TimeStep, WorkerError, WorkerSettings
from ablations.workers.trainer import Workbench
from alexnet.data.manifest import default_data_dir
from alexnet.presets import tiny
from reports.commands.ablate.conclusion import say_time_of_towers
from reports.findings.record_differences import fingerprints_apart
from tests.builders.command_line import call
from tests.builders.plans import plan_of
from tests.builders.runs import outcome, run_of

TWO = ("cpu", "cpu")
FINGERPRINT = Fingerprint(device="cpu", processor="A", capability="AVX2", threads=1, torch="2.14.1")


@pytest.mark.usefixtures("always_checkpoint")
def test_a_record_of_two_devices_is_as_of_one(tmp_path: Path) -> None:
    """One id, the same files and names; numbers to the last digits, in float64."""
    run = run_of(tiny()).but(precision="float64")
    one, folder = outcome(run, tmp_path / "one", stop_after=None)
    two, other = outcome(run, tmp_path / "two", None, tower_devices=TWO)
    weights = [load_file(path / "weights.safetensors") for path in (folder, other)]

    assert (two.run.id, two.files.keys()) == (one.run.id, one.files.keys())
    assert [e.errors for e in two.curve] == [e.errors for e in one.curve]
    assert [e.loss for e in two.curve] == pytest.approx([e.loss for e in one.curve], abs=1e-12)
    tests = [record.measures.model_dump()["test"] for record in (one, two)]
    assert tests[1] == pytest.approx(tests[0], abs=1e-12)
    assert weights[1].keys() == weights[0].keys()
    for name, values in weights[0].items():
        torch.testing.assert_close(weights[1][name], values, rtol=0, atol=1e-12)
    assert fingerprints_apart(one.fingerprint, two.fingerprint) == ["tower_devices 2 for 1"]


@pytest.mark.usefixtures("always_checkpoint")
def test_a_stopped_run_on_two_devices_ends_with_the_same_bits(tmp_path: Path) -> None:
    """Its checkpoint is cut again; on one device it would end otherwise, and starts anew."""
    run = run_of(tiny())
    whole, _ = outcome(run, tmp_path / "whole", None, tower_devices=TWO)
    taken_up, _ = outcome(run, tmp_path / "stopped", 2, tower_devices=TWO)

    assert taken_up.interruptions == 1
    assert taken_up.files["weights.safetensors"] == whole.files["weights.safetensors"]


def test_a_network_without_towers_stays_on_one_device(tmp_path: Path) -> None:
    """And the time of a step says on how many it was."""
    one_tower = tiny().but(network={"convolutions": {"conv2": {"groups": 1}}})
    place = WorkerSettings(tmp_path, default_data_dir(), "cpu", 1, "a test", tower_devices=TWO)
    bench = Workbench(place)
    dataset = run_of(tiny()).dataset
    timed = [bench.time_step(TimeStep(c, dataset, "float32", 1)) for c in (tiny(), one_tower)]

    assert [one.tower_devices for one in timed] == [2, 1]
    assert bench.fingerprint(one_tower).tower_devices == 1


def test_the_times_of_two_devices_are_said_beside_c11_and_not_judged() -> None:
    """Of every arm, where it was trained; nothing where all were on one device."""
    times = {"half": (0.0123, 1), "towers": (0.010, 2)}
    timings = {
        arm: Timing(
            seconds_per_step=seconds, batch=128, fingerprint=FINGERPRINT.but(tower_devices=devices)
        )
        for arm, (seconds, devices) in times.items()
    }
    said = []
    for some in (timings, {"half": timings["half"]}):
        console = Console(width=120)
        with console.capture() as capture:
            say_time_of_towers(console, plan_of().model_copy(update={"timings": some}))
        said.append(capture.get())

    assert "half, one device: 12.3 ms an update of 128 images" in said[0]
    assert "towers, two devices: 10 ms an update of 128 images" in said[0]
    assert "shown and never judged" in said[0]
    assert said[1] == ""


def test_a_gpu_that_is_not_here_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Made up: one card, and two are asked for."""
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    devices = ("cuda:0", "cuda:1")
    place = WorkerSettings(tmp_path, default_data_dir(), "cpu", 1, "a test", tower_devices=devices)

    with pytest.raises(WorkerError, match="names cuda:1, and PyTorch finds 1 CUDA device here"):
        Workbench(place)


def test_an_older_fingerprint_is_of_one_device() -> None:
    """The field is not written where it says nothing new."""
    text = FINGERPRINT.model_dump_json()
    two = FINGERPRINT.but(tower_devices=2)

    assert "tower_devices" not in text
    assert Fingerprint.model_validate_json(text) == FINGERPRINT
    assert Fingerprint.model_validate_json(two.model_dump_json()) == two
    assert fingerprints_apart(two, FINGERPRINT) == ["tower_devices 1 for 2"]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--tower-devices", "cuda:0"], "'cuda:0' names no two devices; use cuda:0,cuda:1"),
        (["--tower-devices", "cpu,cuda:0"], "names no two devices"),
        (["--tower-devices", "cpu,cpu", "--device", "cpu"], "leave --device out"),
        (["--tower-devices", "cpu,cpu", "--workers", "2"], "leave --workers out"),
        (["--tower-devices", "cpu,cpu", "--devices", "2"], "share a run out in two ways; use one"),
        (["--tower-devices", "cpu,cpu", "--per-gpu", "2"], "leave --gpus and --per-gpu out"),
        (["--tower-devices", "cpu,cpu", "--study", "all"], "for one study, by its name"),
        (["--tower-devices", "cpu,cpu", "--study", "relu_vs_tanh"], "has a layer in groups"),
    ],
)
def test_what_cannot_be_on_two_devices_is_refused(options: list[str], sentence: str) -> None:
    """In a sentence, before anything starts."""
    study = [] if "--study" in options else ["--study", "two_gpus"]
    code, output = call("ablate", *study, *options)

    assert code == 2
    assert sentence in output


def test_a_study_whose_norms_cross_the_towers_is_refused(tmp_path: Path) -> None:
    """Caffe's network has towers, and windows over all maps."""
    (tmp_path / "caffes.py").write_text(STUDY)
    code, output = call("ablate", "--study", tmp_path / "caffes.py", "--tower-devices", "cpu,cpu")

    assert code == 2
    assert "'with' cannot be on two devices: conv1's norm has windows that cross" in output


STUDY = """
from ablations.study import Base, Contrast, FinalError, Study
from alexnet.presets import alexnet_cifar

config = alexnet_cifar().but(
    network={"parts": {"norm": {"groups": 1}}, "channels": 3, "classes": 10}
)
STUDY = Study(
    name="caffes",
    question="Does it help?",
    arms={"with": {}, "without": {"network": {"parts": {"norm": None}}}},
    contrasts=(
        Contrast(arm="without", against="with", direction="higher", margin=0.005,
                 margin_reason="too small"),
    ),
    bases={"fashion_mini": Base(config=config, metric=FinalError(), rates=(0.001,))},
)
"""
