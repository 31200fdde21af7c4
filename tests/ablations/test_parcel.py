"""Runs that travel: a worker in a folder of its own, and the driver's folder, compared by bytes."""

import json
import os
import pickle
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ablations.run import DatasetRef, Run
from ablations.store import CHECKPOINT, Store
from ablations.workers.node_worker import Greeting, Mark, NodeWorker
from ablations.workers.parcel import Files, Parcel, Sender, sources_of, unpack, what_is_here
from ablations.workers.protocol import Failed, Finished, Progressed, WorkerSettings
from ablations.workers.trainer import Workbench
from alexnet.config import Custom
from alexnet.data.manifest import default_data_dir
from alexnet.presets import tiny
from tests.builders.own_parts import looked_for_in, with_part
from tests.builders.runs import StoppedError, outcome, run_of

pytestmark = pytest.mark.skipif(os.name != "posix", reason="clusters are of Linux")

PART = "def rounded(x, times):\n    return times * x * x.sigmoid()\n"


def settings(results: Path) -> WorkerSettings:
    """Return where a worker of one thread works."""
    return WorkerSettings(results, default_data_dir(), "cpu", 1, "a test")


def travelled(parcel: Parcel) -> Parcel:
    """Return what arrives of a parcel: pickled, its files beside it, as Ray does."""
    beside: list[pickle.PickleBuffer] = []
    inside = pickle.dumps(parcel, protocol=5, buffer_callback=beside.append)
    assert len(beside) == len(parcel.files)
    arrived: Parcel = pickle.loads(inside, buffers=[bytes(one) for one in beside])
    return arrived


def contents(folder: Path) -> dict[str, Any]:
    """Return the files of a run but its lock, by name; of its record what must be the same."""
    paths = (path for path in folder.iterdir() if path.name != "lock")
    found: dict[str, Any] = {path.name: path.read_bytes() for path in paths}
    record = json.loads(found.pop("record.json"))
    for changing in ("seconds", "provenance", "sha256", "interruptions"):
        del record[changing]
    for epoch in record["curve"]:
        del epoch["seconds"]
    return found | {"record.json": record}


def stopped(run: Run, results: Path) -> None:
    """Begin a run, and stop it after an epoch."""

    def stop(epoch: object) -> None:
        raise StoppedError

    with pytest.raises(StoppedError):
        Workbench(settings(results)).execute(run, stop)


@pytest.fixture
def driver(tmp_path: Path) -> Store:
    """Return the driver's results folder."""
    return Store(tmp_path / "driver")


@pytest.fixture
def away(tmp_path: Path) -> Store:
    """Return a node's results folder."""
    return Store(tmp_path / "node")


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let nodes keep their files in a folder of the test; leave Python's path as it is."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    monkeypatch.setattr(sys, "path", [*sys.path])
    main = sys.modules["__main__"]
    if hasattr(main, "__file__"):  # one of several test processes has none
        monkeypatch.setattr(main, "__file__", main.__file__)
    return folder


def greeted(results: Path, mark: Mark | None, *datasets: DatasetRef) -> tuple[NodeWorker, Greeting]:
    """Return a worker that sends every checkpoint, and what it says."""
    worker = NodeWorker(settings(results), "10.0.0.7", mark, rest=0.0)
    return worker, worker.greet(datasets)


def test_a_run_arrives_as_it_was_left(driver: Store, away: Store, tmp_path: Path) -> None:
    """Byte by byte, with its record; and as if it had been trained here."""
    run = run_of(tiny())
    outcome(run, away.path, stop_after=None)
    _, here = outcome(run, tmp_path / "here", stop_after=None)
    (away.folder(run) / "holder").write_text("somebody")

    unpack(driver, run, travelled(Sender(away).packed(run, Finished(run))))

    assert Store(driver.path).find(run) == away.find(run)
    assert contents(driver.folder(run)) == contents(here)
    names = {"weights.safetensors", "scores.safetensors", "dataset.safetensors"}
    assert names < contents(driver.folder(run)).keys()


def test_what_a_node_sets_aside_is_set_aside_here(driver: Store, away: Store) -> None:
    """With the reason, once; what the run has come to since then is its checkpoint."""
    run = run_of(tiny())
    driver.folder(run).mkdir(parents=True)
    (driver.folder(run) / CHECKPOINT).write_bytes(b"damaged")
    sender = Sender(away)
    sender.lay_out(run, what_is_here(driver, run))
    stopped(run, away.path)
    (away.folder(run) / CHECKPOINT).write_bytes(b"newer")

    for _ in range(2):
        unpack(driver, run, travelled(sender.packed(run, Failed(run, "it broke"))))

    folder = driver.folder(run)
    assert (folder / "checkpoint-set-aside-1.safetensors").read_bytes() == b"damaged"
    assert (folder / CHECKPOINT).read_bytes() == b"newer"
    assert not (folder / "checkpoint-set-aside-2.safetensors").exists()
    reason = json.loads((folder / "failure-1.json").read_text())["reason"]
    assert "is cut short or damaged; it is kept as checkpoint-set-aside-1" in reason


def test_checkpoints_travel_seldom_and_only_when_they_are_new(away: Store) -> None:
    """But the last one of a run that fails always does."""
    run = run_of(tiny())
    progressed, path = Progressed(run, None), away.folder(run) / CHECKPOINT  # type: ignore[arg-type]
    sender = Sender(away, rest=3600)
    sender.lay_out(run, {CHECKPOINT: pickle.PickleBuffer(b"sent")})
    assert not sender.packed(run, progressed).files
    path.with_name("beside").write_bytes(b"new")
    path.with_name("beside").replace(path)

    assert not sender.packed(run, progressed).files
    assert bytes(sender.packed(run, Failed(run, "no")).files[CHECKPOINT]) == b"new"
    assert not sender.packed(run, Failed(run, "no")).files

    often = Sender(away, rest=0)
    often.lay_out(run, {})
    assert not path.exists()
    path.parent.mkdir(parents=True)
    path.write_bytes(b"first")
    assert bytes(often.packed(run, progressed).files[CHECKPOINT]) == b"first"
    assert not often.packed(run, progressed).files


def test_a_lost_run_goes_on_elsewhere_to_the_same_bits(
    driver: Store, tmp_path: Path, temporary: Path
) -> None:
    """With a part of one's own, whose file only the driver has; nothing is left on the nodes."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "rounded.py").write_text(PART)
    with looked_for_in(tmp_path / "mine"):
        own = Custom(target="rounded:rounded", kwargs={"times": 1.0})
        run = run_of(with_part("act", own)).but(config={"training": {"epochs": 20}})
        sources = sources_of(run.config)
        whole, here = outcome(run, tmp_path / "here", stop_after=None)
    assert sources == {"rounded.py": PART.encode()}

    first, greeting = greeted(tmp_path / "nowhere", None, run.dataset)
    assert greeting.probe is not None
    assert not greeting.shares
    for parcel in first.do(run, {}, sources):
        assert isinstance(parcel.event, Progressed), parcel.event
        unpack(driver, run, travelled(parcel))
        if (driver.folder(run) / CHECKPOINT).exists():
            break
    first.end()

    second, _ = greeted(tmp_path / "nowhere", None, run.dataset)
    for parcel in second.do(run, what_is_here(driver, run), sources):
        unpack(driver, run, travelled(parcel))
    second.end()

    assert parcel.event == Finished(run)
    record = Store(driver.path).find(run)
    assert record is not None
    assert (record.interruptions, whole.interruptions) == (1, 0)
    assert contents(driver.folder(run)) == contents(here)
    assert not (tmp_path / "nowhere").exists()
    assert not list(temporary.iterdir())


def test_a_node_that_sees_the_folder_works_in_it(driver: Store, temporary: Path) -> None:
    """Nothing travels; one that sees another file there, or none, does not."""
    run, path = run_of(tiny()), driver.path / ".mark"
    driver.path.mkdir()
    path.write_bytes(b"of this driver")
    assert not Mark(path, b"of another").is_seen()
    assert not Mark(driver.path / "none", b"of this driver").is_seen()
    worker, greeting = greeted(driver.path, Mark(path, b"of this driver"), run.dataset)
    assert greeting.shares

    parcels: Iterator[Parcel] = worker.do(run, {}, {})
    empty: Files = {}
    assert all(parcel == Parcel(parcel.event, empty) for parcel in parcels)
    worker.end()

    assert driver.find(run) is not None
    assert not list(temporary.iterdir())


def test_a_node_without_the_images_says_what_to_type(tmp_path: Path, temporary: Path) -> None:
    """No run is tried there."""
    missing = DatasetRef(name="cifar10", digest="0" * 64, split="0" * 64)
    other = run_of(tiny()).dataset.but(digest="0" * 64)
    place = settings(tmp_path)
    place = WorkerSettings(tmp_path, tmp_path / "data", place.device, 1, place.command)

    for asked, says in ((missing, "prepare it with:"), (other, "copy the folder from here")):
        greeting = NodeWorker(place, "10.0.0.7", None, 0.0).greet((asked,))
        assert greeting.probe is None
        assert str(greeting.refusal).startswith(f"node 10.0.0.7: {asked.name}")
        assert says in str(greeting.refusal)
