"""What kills leave in a results folder, what is swept, and what a person may delete."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from ablations.leftovers import Kind, delete, entries, sweep
from ablations.run import Run
from ablations.store import Store
from alexnet.durable import temporary_name, temporary_prefix
from reports.cli import main
from reports.page.report import gather
from tests.builders.command_line import call
from tests.builders.plans import filled
from tests.builders.records import run_of

TUNING = 1000


def left_by_the_dead(folder: Path) -> Path:
    """Leave a temporary file of a process that has ended."""
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    name = temporary_name("record.json").replace(f".{os.getpid()}.", f".{dead.pid}.")
    (folder / name).write_text("half")
    os.utime(folder / name, (time.time() - 120,) * 2)
    return folder / name


@pytest.fixture
def used(results: Path) -> Path:
    """Return a results folder with one of everything."""
    plan, store = filled(results, 3, [0.9, 0.6, 0.2], [0.5, 0.2])
    run = plan.run("tanh", 0)
    folder = store.folder(run)
    record = store.find(run)
    assert record is not None
    tuning = run.but(seed=TUNING)
    store.add(record.model_copy(update={"run": tuning}))
    for name in ("weights", "scores", "checkpoint", "checkpoint-set-aside-1"):
        (folder / f"{name}.safetensors").write_bytes(b"x" * 100)
    (store.folder(tuning) / "weights.safetensors").write_bytes(b"x" * 1000)
    store.add_failure(run, "the disk was full")
    going_on = run.but(seed=17)
    store.folder(going_on).mkdir()
    (store.folder(going_on) / "checkpoint.safetensors").write_bytes(b"x" * 100)
    store.add_failure(going_on, "the disk was full")
    left_by_the_dead(folder)
    (results / "smoke" / "runs").mkdir(parents=True)
    (results / "notes.txt").write_text("mine")
    return results


def kinds(results: Path) -> list[Kind]:
    """Return the kind of everything in a folder."""
    return sorted(entry.kind for entry in entries(Store(results)))


def test_everything_is_called_by_what_it_is(used: Path) -> None:
    """Seven records of two arms, three seeds and one tuning run, and what lies beside."""
    assert kinds(used) == sorted(
        [
            *[Kind.RECORD] * 7, Kind.PLAN, Kind.LOCK, Kind.WEIGHTS, Kind.TUNING_WEIGHTS,
            Kind.SCORES, Kind.CHECKPOINT, Kind.STALE_CHECKPOINT, Kind.SET_ASIDE, Kind.FAILURE,
            Kind.STALE_FAILURE, Kind.ABANDONED, Kind.SMOKE, Kind.OTHER,
        ]
    )  # fmt: skip
    sizes = {entry.kind: entry.size for entry in entries(Store(used))}
    assert (sizes[Kind.TUNING_WEIGHTS], sizes[Kind.OTHER]) == (1000, 4)


@pytest.mark.skipif(os.name != "posix", reason="whether a process lives is asked there alone")
def test_a_command_that_writes_sweeps_what_kills_have_left(used: Path) -> None:
    """Files of the dead and checkpoints beside a record; nothing that anybody may read."""
    before = kinds(used)

    swept = sweep(Store(used))

    assert sorted(entry.kind for entry in swept) == [Kind.STALE_CHECKPOINT, Kind.ABANDONED]
    after = [kind for kind in kinds(used) if kind != Kind.LOCK]
    gone = {Kind.STALE_CHECKPOINT, Kind.ABANDONED, Kind.LOCK}
    assert after == [kind for kind in before if kind not in gone]
    assert sweep(Store(used)) == []


def test_a_checkpoint_beside_a_damaged_record_stays(used: Path) -> None:
    """The run will be trained again, from it."""
    store = Store(used)
    folder = next(path.parent for path in used.glob("runs/*/scores.safetensors"))
    (folder / "record.json").write_text("{")

    sweep(store)

    assert (folder / "checkpoint.safetensors").exists()


def test_nothing_of_a_run_that_is_being_trained_is_deleted(used: Path) -> None:
    """Not by another process, which has its lock."""
    folder = next(path.parent for path in used.glob("runs/*/scores.safetensors"))
    script = (
        "import sys, time; from pathlib import Path; from ablations.store import Store\n"
        "folder = Path(sys.argv[1])\n"
        "with Store(folder.parent.parent).lock_folder(folder):\n"
        "    print('held', flush=True); time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(folder)], stdout=subprocess.PIPE
    ) as owner:
        assert owner.stdout is not None
        owner.stdout.readline()
        assert sweep(Store(used)) == []
        code, output = call("results", "--results", used, "--prune", "--yes")
        assert code == 0
        assert "that a run needs by now, or that cannot go" in output
        assert (folder / "checkpoint.safetensors").exists()
        owner.kill()


def test_a_report_is_the_same_after_pruning(used: Path) -> None:
    """What goes is what nothing needs: weights of tuning runs, what kills and failures left."""
    before = gather(Store(used)).document

    code, output = call("results", "--results", used, "--prune", "--yes")

    assert code == 0
    assert "deleted" in output
    assert gather(Store(used)).document == before
    assert not {Kind.TUNING_WEIGHTS, Kind.STALE_CHECKPOINT} & set(kinds(used))
    assert {Kind.WEIGHTS, Kind.CHECKPOINT, Kind.FAILURE, Kind.OTHER} <= set(kinds(used))
    assert "unneeded nothing" in call("results", "--results", used)[1]


def test_a_folder_of_a_person_is_never_pruned(used: Path) -> None:
    """Though it is called as ours would be."""
    (used / "smoke" / "thesis.tex").write_text("...")

    call("results", "--results", used, "--prune", "--yes")

    assert (used / "smoke" / "thesis.tex").exists()


def test_what_a_run_needs_by_now_is_not_deleted(used: Path) -> None:
    """Between list and answer its record was set aside, and it is trained again."""
    store = Store(used)
    folder = next(path.parent for path in used.glob("runs/*/scores.safetensors"))
    listed = [entry for entry in entries(store) if entry.kind is Kind.STALE_CHECKPOINT]
    store.set_aside(folder / "record.json")
    (folder / "checkpoint.safetensors").write_bytes(b"of the run that goes on")

    assert delete(store, listed) == []
    assert (folder / "checkpoint.safetensors").exists()


@pytest.mark.skipif(os.name != "posix", reason="whether a process lives is asked there alone")
def test_what_a_killed_verify_leaves_is_swept(used: Path) -> None:
    """The folder beside the records in which it trained; not that of one that lives."""
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    mine = used / f"{temporary_prefix('verify')}abcdefg_"
    left = used / mine.name.replace(f".{os.getpid()}.", f".{dead.pid}.")
    elsewhere = used / f".verify.another.host.{dead.pid}.abcdefg_"
    for folder, age in ((mine, 3600), (left, 3600), (elsewhere, 10**6)):
        (folder / "runs" / "0123456789ab").mkdir(parents=True)
        set_age(folder, age)

    swept = {entry.path for entry in sweep(Store(used))}

    assert {left, elsewhere} <= swept
    assert mine.is_dir()
    assert not left.exists()
    assert not elsewhere.exists()


def set_age(folder: Path, age: float) -> None:
    """Let a folder and all in it be so many seconds old."""
    for path in (*folder.rglob("*"), folder):
        os.utime(path, (time.time() - age,) * 2)


@pytest.mark.skipif(os.name != "posix", reason="whether a process lives is asked there alone")
def test_what_a_verify_in_another_container_trains_in_stays(used: Path) -> None:
    """Its process is not seen here, and an epoch may take days; but it holds the lock."""
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    name = f"{temporary_prefix('verify')}abcdefg_".replace(f".{os.getpid()}.", f".{dead.pid}.")
    folder = used / name
    folder.mkdir()
    script = (
        "import sys, time; from pathlib import Path; from alexnet.locks import locked\n"
        "with locked(Path(sys.argv[1]) / 'lock'):\n"
        "    print('held', flush=True); time.sleep(60)"
    )
    command = [sys.executable, "-c", script, str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as owner:
        assert owner.stdout is not None
        owner.stdout.readline()
        set_age(folder, 10**6)
        assert folder not in {entry.path for entry in sweep(Store(used))}
        assert Kind.TEMPORARY in kinds(used)
        owner.kill()

    assert folder in {entry.path for entry in sweep(Store(used))}


def test_pruning_asks_first(used: Path) -> None:
    """And does nothing unless the answer is yes."""
    before = kinds(used)

    asked = CliRunner().invoke(main, ["results", "--results", str(used), "--prune"], input="n\n")
    listed = call("results", "--results", used)

    assert "delete them? [y/N]: n" in asked.output
    assert "nothing was deleted" in asked.output
    assert kinds(used) == before
    assert "delete them with --prune" in listed[1]
    assert "relu_vs_tanh@fashion_mini" in listed[1]
    assert "6 of 6 runs" in listed[1]
    assert call("results", "--results", used / "none")[0] == 2
    code, output = call("results", "--results", used.parent)
    assert (code, "has neither plans/ nor runs/" in output) == (2, True)


def test_a_command_says_what_it_swept(tmp_path: Path, config) -> None:
    """When it starts to write; here in the folder of a run that nobody asked for."""
    run: Run = run_of(config)
    folder = Store(tmp_path).folder(run)
    folder.mkdir(parents=True)
    old = folder / temporary_name("record.json")
    old.write_text("half")
    os.utime(old, (time.time() - 10**6,) * 2)

    code, output = call("ablate", "--study", "relu_vs_tanh", "--smoke", "--results", tmp_path)

    assert code == 0
    assert "swept 1 file that a kill had left" in output
    assert not old.exists()
