"""Workers with several devices: what they leave behind, and ranks that die."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import cast

import pytest
import torch

from ablations.store import CHECKPOINT, Store
from ablations.workers import ranks, trainer
from ablations.workers.in_process import ThisProcess
from ablations.workers.processes import RANK_LOST, LocalWorkers
from ablations.workers.protocol import (
    Failed,
    Finished,
    Probe,
    Progressed,
    Timed,
    TimeStep,
    WorkerError,
    WorkerSettings,
)
from ablations.workers.ranks import FirstRank, RankError
from alexnet.data.manifest import default_data_dir
from alexnet.parallel import ALONE, RankLostError
from alexnet.presets import tiny
from tests.builders.runs import outcome, run_of
from tests.builders.workers import until

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/task").exists(), reason="finds processes as Linux has them"
)
SHORT = 30  # seconds


@pytest.fixture
def place(tmp_path: Path) -> WorkerSettings:
    """Return where a worker with two devices works."""
    return WorkerSettings(tmp_path, default_data_dir(), "cpu", 1, "a test", devices=2)


@pytest.fixture
def workers(place: WorkerSettings) -> Iterator[LocalWorkers]:
    """Return one worker, that is starting."""
    workers = LocalWorkers(1, place)
    yield workers
    workers.close()


def other_ranks(workers: LocalWorkers) -> list[int]:
    """Return the processes that the worker has started."""
    worker = workers._workers[0].process.pid
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = status.read_text().rpartition(")")[2].split()[1]
            if int(parent) == worker and "spawn_main" in status.with_name("cmdline").read_text():
                found.append(int(status.parent.name))
        except (OSError, ValueError):  # it has ended meanwhile
            continue
    return found


def wait_for(condition: Callable[[], bool]) -> bool:
    """Return whether something becomes true soon."""
    end = time.monotonic() + SHORT
    while time.monotonic() < end and not condition():
        time.sleep(0.1)
    return condition()


def is_gone(process: int) -> bool:
    """Return whether a process has ended."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def test_a_run_goes_on_when_a_rank_dies(
    workers: LocalWorkers, place: WorkerSettings, tmp_path: Path
) -> None:
    """From its last checkpoint, and comes to the losses of one device; then all ranks end."""
    run = run_of(tiny()).but(
        precision="float64", config={"training": {"epochs": 60, "images": 321}}
    )
    alone, _ = outcome(run, tmp_path / "alone", None)
    checkpoint = Store(place.results).folder(run) / CHECKPOINT
    until(workers, Probe)
    workers.submit(TimeStep(run.config, run.dataset, "float64", 12))
    timed = until(workers, (Timed, Failed))
    assert isinstance(timed, Timed)
    workers.submit(run)
    while not checkpoint.exists():
        until(workers, Progressed)
    (other,) = other_ranks(workers)
    os.kill(other, signal.SIGKILL)

    done = until(workers, (Finished, Failed))

    assert done == Finished(run)
    record = Store(place.results).find(run)
    assert record is not None
    assert (record.interruptions, record.fingerprint.devices) == (1, 2)
    assert record.run.id == alone.run.id  # which device trains is no part of the question
    assert '"devices"' not in alone.model_dump_json()  # as in the records of before
    for epoch, same in zip(alone.curve, record.curve, strict=True):
        assert epoch.errors == same.errors
        assert epoch.losses == pytest.approx(same.losses, abs=1e-12, rel=0)
    (replaced,) = other_ranks(workers)
    assert replaced != other
    workers.close()
    assert wait_for(lambda: is_gone(replaced))


class Ending:
    """A process that was killed: its pipe may be closed, and it still counts as alive."""

    def is_alive(self) -> bool:
        """Return that it is."""
        return True


def first_rank() -> tuple[FirstRank, Connection]:
    """Return rank 0 of two, that started nothing, and the other's end of the pipe."""
    first, (ours, theirs) = object.__new__(FirstRank), Pipe()
    first.share, first._others = ALONE, [(cast(BaseProcess, Ending()), ours)]
    return first, theirs


def test_a_rank_that_cannot_begin_says_why() -> None:
    """Its images may be gone, or its GPU full; the run fails with that."""
    first, other = first_rank()
    other.send("OutOfMemoryError: 2 GiB were wanted")

    with (
        pytest.raises(RankError, match="rank 1: OutOfMemoryError: 2 GiB were wanted"),
        first.together(run_of(tiny()), [], []),
    ):
        pytest.fail("it began without the other")


def test_a_rank_that_cannot_go_on_says_why() -> None:
    """The others see only that it is gone, which is no reason."""
    first, other = first_rank()
    other.send("")
    together = first.together(run_of(tiny()), [], [])
    together.__enter__()
    other.send("OutOfMemoryError: 2 GiB were wanted")
    lost = RankLostError("connection closed by peer")

    with pytest.raises(RankError, match="rank 1: OutOfMemoryError"):
        together.__exit__(RankLostError, lost, None)


def test_a_rank_that_has_closed_its_pipe_has_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker then ends too, and is replaced, though the process still counts as alive."""

    class Ended(BaseException):
        """This process would have ended."""

    def end(code: int) -> None:
        raise Ended(code)

    monkeypatch.setattr(os, "_exit", end)
    first, other = first_rank()
    other.send("")
    together = first.together(run_of(tiny()), [], [])
    together.__enter__()
    other.close()

    with pytest.raises(Ended) as ended:
        together.__exit__(RankLostError, RankLostError("connection reset by peer"), None)

    assert ended.value.args == (RANK_LOST,)


def test_an_error_of_its_own_stays_what_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where all are alive and none says anything, the sum itself could not be made."""
    monkeypatch.setattr(ranks, "GRACE", 0.1)
    first, other = first_rank()
    other.send("")
    with (
        pytest.raises(RankLostError, match="timed out"),
        first.together(run_of(tiny()), [], []),
    ):
        raise RankLostError("timed out")


def test_more_devices_than_gpus_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """With how many there are."""
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    with pytest.raises(WorkerError, match="3 devices for each run, and a worker finds 2 GPUs here"):
        trainer._card(0, 3)


def test_each_rank_has_a_gpu_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the order in which its worker sees them."""
    chosen: list[int] = []
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "set_device", chosen.append)

    assert [str(trainer._card(rank, 2)) for rank in (0, 1)] == ["cuda:0", "cuda:1"]
    assert chosen == [0, 1]


def test_this_process_is_one_device(place: WorkerSettings) -> None:
    """It starts no others, which would run a notebook's or script's own lines."""
    with pytest.raises(WorkerError, match="this process is one device, not 2; use workers"):
        ThisProcess(place)
