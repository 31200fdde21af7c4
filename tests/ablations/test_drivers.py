"""Commands that share a folder know of each other, and have one kind of locks."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ablations import drivers
from ablations.drivers import FOLDER, DriverError, at_work, joined
from ablations.leftovers import Kind, entries
from ablations.store import BusyError, Store
from alexnet import locks
from alexnet.config import Config
from alexnet.locks import kind_of, locked
from tests.builders.records import run_of

ANOTHER = {
    "host": "node7", "process": 12, "since": "2026-01-02 03:04+00:00", "study": "dropout",
    "locks": "system",
}  # fmt: skip


def left(results: Path, **changes: object) -> Path:
    """Leave the file of a command on another machine."""
    path = results / FOLDER / f"node7.{len(changes)}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(ANOTHER | changes))
    return path


def refusal(results: Path, asked: locks.Kind | None) -> str:
    """Return why a command with these locks may not join."""
    with pytest.raises(DriverError) as caught, joined(results, "dropout", asked):
        pass
    return str(caught.value)


def test_who_joins_is_told_who_is_there_and_leaves_nothing(tmp_path: Path) -> None:
    """By host, process, time and study; alone again, the folder is as it was."""
    with joined(tmp_path, "relu_vs_tanh", None) as nobody:
        assert nobody == []
        (me,) = at_work(tmp_path)
        path = left(tmp_path)
        with joined(tmp_path, "dropout", None) as others:
            assert sorted(other.host for other in others) == sorted([me.host, "node7"])
            assert str(others[[o.host for o in others].index("node7")]) == (
                "process 12 on node7 since 2026-01-02 03:04+00:00 (dropout)"
            )
        assert (me.process, me.study, me.locks) == (os.getpid(), "relu_vs_tanh", "system")
        path.unlink()

    assert list(tmp_path.iterdir()) == []


def test_who_is_gone_is_not_at_work(tmp_path: Path) -> None:
    """A killed process of this machine at once; one of another after a while of silence."""
    script = (
        "import sys, time; from pathlib import Path; from ablations.drivers import joined\n"
        "with joined(Path(sys.argv[1]), 'dropout', None): print('in', flush=True); time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        other.stdout.readline()
        assert [one.process for one in at_work(tmp_path)] == [other.pid]
        other.kill()
    silent = left(tmp_path)

    assert [one.host for one in at_work(tmp_path)] == ["node7"]
    old = silent.stat().st_mtime - drivers.SILENT - 1
    os.utime(silent, (old, old))
    assert at_work(tmp_path) == []
    with joined(tmp_path, "dropout", None) as others:
        assert others == []
    assert not silent.exists()


def test_it_gives_signs_of_life(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However long it works."""
    monkeypatch.setattr(drivers, "BEAT", 0.01)
    with joined(tmp_path, "dropout", None):
        (path,) = (tmp_path / FOLDER).iterdir()
        os.utime(path, (0, 0))
        for _ in range(1000):
            if path.stat().st_mtime > 0:
                break
            drivers.time.sleep(0.01)
        assert at_work(tmp_path)


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"locks": "none"}', "x" * 5000])
def test_a_damaged_file_names_nobody(tmp_path: Path, content: str) -> None:
    """It was cut short, or is none of ours."""
    left(tmp_path).write_text(content)

    with joined(tmp_path, "dropout", None) as others:
        assert others == []


def test_a_command_with_other_locks_than_those_at_work_is_refused(tmp_path: Path) -> None:
    """In one sentence, whoever asked for them; nothing is written."""
    left(tmp_path)
    assert "(dropout) is at work in" in (said := refusal(tmp_path, "lease"))
    assert "with --locks system, and this command would have --locks lease" in said
    left(tmp_path, locks="lease")
    (tmp_path / FOLDER / "node7.0.json").unlink()
    assert "with --locks lease, and this command" in refusal(tmp_path, None)

    assert [path.name for path in tmp_path.iterdir()] == [FOLDER]
    assert len(list((tmp_path / FOLDER).iterdir())) == 1


def test_what_was_asked_for_is_written_and_stands(tmp_path: Path, config: Config) -> None:
    """All who come later have it, the lock of a run and of a plan too."""
    with joined(tmp_path, "dropout", "lease"):
        assert (tmp_path / locks.CHOICE).read_text() == "lease\n"
    with joined(tmp_path, "dropout", None), joined(tmp_path, "dropout", "lease") as others:
        assert [one.locks for one in others] == ["lease"]
    said = refusal(tmp_path, "system")
    assert f"--locks lease, as {tmp_path / locks.CHOICE} says, and not with --locks system" in said

    store, run = Store(tmp_path), run_of(config)
    assert kind_of(store.folder(run)) == "lease"
    with store.lock(run):
        assert {path.name for path in store.folder(run).iterdir()} == {"holder", "lock-lease"}
        with pytest.raises(BusyError):
            store.lock(run).__enter__()
    (tmp_path / "plans").mkdir()
    with locked(tmp_path / "plans" / ".x.lock"):
        assert [path.name for path in (tmp_path / "plans").iterdir()] == [".x.lock-lease"]
    assert {entry.kind for entry in entries(store)} == {Kind.LOCK}


def test_a_machine_without_locks_cannot_join_those_that_have_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would share nothing with them, and is told what all have to do."""
    monkeypatch.setattr(locks, "has_locks", lambda folder: False)
    (tmp_path / locks.CHOICE).write_text("system\n")
    assert "no locks on this machine; give all commands there --lo" in refusal(tmp_path, None)
    (tmp_path / locks.CHOICE).unlink()
    left(tmp_path)
    assert "give all the same" in refusal(tmp_path, None)


@pytest.mark.parametrize("content", ["flock", "", "lease system"])
def test_a_choice_that_is_none_is_refused(tmp_path: Path, content: str) -> None:
    """It may have been meant; nobody guesses."""
    (tmp_path / locks.CHOICE).write_text(content)

    assert "names no kind of locks; write lease or system into it" in refusal(tmp_path, None)


def test_a_lock_that_does_not_reach_another_machine_is_noticed(
    tmp_path: Path, config: Config
) -> None:
    """Who writes over the name of the holder had the lock too, and is named; not the next time."""
    store, run = Store(tmp_path), run_of(config)
    with store.lock(run):
        (store.folder(run) / "holder").write_text("process 12 on node7 since 03:04\n")
    assert store.overlap == "process 12 on node7 since 03:04"
    assert (store.folder(run) / "holder").exists()
    with store.lock(run):
        pass
    assert store.overlap == ""
    assert not (store.folder(run) / "holder").exists()
