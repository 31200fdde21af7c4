"""Locks, and leases where the file system has none."""

import errno
import subprocess
import sys
import time
from pathlib import Path

import pytest
from filelock import Timeout

from ablations.store import BusyError, Store
from alexnet import locks
from alexnet.config import Config
from alexnet.locks import has_locks, locked
from tests.builders.command_line import call
from tests.builders.records import run_of

fcntl = pytest.importorskip("fcntl")


@pytest.fixture
def no_locks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the file system have no locks, as Lustre and NFS may."""

    def flock(descriptor: int, operation: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", flock)
    monkeypatch.setattr(locks, "_with_locks", {})
    monkeypatch.setattr(locks, "_leases", {})


def test_where_there_are_locks_they_are_used(tmp_path: Path) -> None:
    """They leave nothing beside the file that is locked."""
    assert has_locks(tmp_path)
    with locked(tmp_path / "lock"):
        assert [path.name for path in tmp_path.iterdir()] == ["lock"]


@pytest.mark.usefixtures("no_locks")
def test_where_there_are_none_a_lease_keeps_others_out(tmp_path: Path, config: Config) -> None:
    """Another process on this machine and one on another, as long as they live."""
    script = (
        "import sys, time; from pathlib import Path; from filelock import SoftFileLease\n"
        "with SoftFileLease(sys.argv[1], lease_duration=60):\n"
        "    print('held', flush=True); time.sleep(60)"
    )
    assert not has_locks(tmp_path)
    store, run = Store(tmp_path), run_of(config)
    store.folder(run).mkdir(parents=True)
    path = store.folder(run) / "lock-lease"
    with subprocess.Popen(
        [sys.executable, "-c", script, str(path)], stdout=subprocess.PIPE
    ) as owner:
        assert owner.stdout is not None
        owner.stdout.readline()
        with pytest.raises(BusyError, match="another process"), store.lock(run):
            pass
        owner.kill()

    # It is seen on this machine that its owner is gone; and who has it now is not let in again.
    with store.lock(run), pytest.raises(BusyError), store.lock(run):
        pass


@pytest.mark.usefixtures("no_locks")
def test_a_lease_of_another_machine_is_taken_over_when_it_is_no_longer_refreshed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After so long without a sign of life, not before; by who has waited, and who asks often."""
    monkeypatch.setattr(locks, "LEASE", 2.0)
    path = tmp_path / "lock"
    left = (
        "filelock/2\npid=1\nhost=another.host\nmode=lease\n"
        "token=a9a4718e17da70e8cb27ee85982877af\nduration=2.0\nstart=1\n"
    )
    path.with_name("lock-lease").write_text(left)
    start = time.monotonic()
    while True:
        try:
            with locked(path, wait=False):
                break
        except Timeout:
            time.sleep(0.1)
    assert time.monotonic() - start > 1.5


@pytest.mark.usefixtures("no_locks")
def test_a_study_without_locks_says_so_and_ends(tmp_path: Path) -> None:
    """Plans and runs are written all the same."""
    code, output = call(
        "ablate", "--study", "relu_vs_tanh", "--smoke", "--results", tmp_path / "results"
    )

    assert code == 0
    assert "no locks the file system of" in output
    assert "4 runs" in output
    assert Store(tmp_path / "results").problems == []
