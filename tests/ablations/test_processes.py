"""Workers that die at any moment: they are replaced, and what they were at is done."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ablations.run import Run
from ablations.store import CHECKPOINT, BusyError, Store
from ablations.workers import processes
from ablations.workers.processes import MOST_DEATHS, LocalWorkers
from ablations.workers.protocol import (
    Elsewhere,
    Failed,
    Finished,
    Probe,
    Progressed,
    Timed,
    TimeStep,
    WorkerError,
    WorkerSettings,
)
from alexnet.data.manifest import default_data_dir
from alexnet.presets import tiny
from tests.builders.runs import run_of
from tests.builders.workers import LONG, until

pytestmark = pytest.mark.skipif(os.name != "posix", reason="kills as POSIX has them")


@pytest.fixture
def place(tmp_path: Path) -> WorkerSettings:
    """Return where a worker of one thread works."""
    return WorkerSettings(tmp_path, default_data_dir(), "cpu", 1, "a test")


@pytest.fixture
def workers(place: WorkerSettings) -> Iterator[LocalWorkers]:
    """Return one worker, that is starting."""
    workers = LocalWorkers(1, place)
    yield workers
    workers.close()


def kill(workers: LocalWorkers) -> None:
    """Kill the worker, as the system does where memory is short."""
    process = workers._workers[0].process
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    process.join()


def test_one_that_dies_while_it_starts_idles_or_times_is_replaced(workers: LocalWorkers) -> None:
    """And the job that it was given, before anybody knew, is done by another."""
    run = run_of(tiny())
    kill(workers)
    assert isinstance(until(workers, Probe), Probe)

    kill(workers)
    workers.submit(TimeStep(run.config, run.dataset, "float32", 2))
    timed = until(workers, Timed)
    assert isinstance(timed, Timed)
    assert timed.seconds > 0

    workers.submit(TimeStep(run.config, run.dataset, "float32", 10**6))
    time.sleep(1)
    kill(workers)
    until(workers, Probe)
    kill(workers)
    until(workers, Probe)
    kill(workers)
    with pytest.raises(WorkerError, match=r"3 workers were killed .* while they timed a step"):
        until(workers, Timed)


def test_a_run_whose_worker_dies_goes_on_with_another(
    workers: LocalWorkers, place: WorkerSettings
) -> None:
    """From its last checkpoint, in the same call."""
    run = run_of(tiny()).but(config={"training": {"epochs": 60}})
    checkpoint = Store(place.results).folder(run) / CHECKPOINT
    until(workers, Probe)
    workers.submit(run)
    while not checkpoint.exists():
        until(workers, Progressed)
    kill(workers)

    done = until(workers, (Finished, Failed))

    assert done == Finished(run)
    record = Store(place.results).find(run)
    assert record is not None
    assert record.interruptions == 1


def test_a_run_that_kills_its_workers_fails(workers: LocalWorkers) -> None:
    """After three of them: one too large for the machine would kill all there are."""
    run = run_of(tiny().but(training={"batch": 8}))
    until(workers, Probe)
    workers.submit(run)
    for _ in range(MOST_DEATHS - 1):
        kill(workers)
        until(workers, Probe)
    kill(workers)

    failed = until(workers, (Finished, Failed))

    assert isinstance(failed, Failed)
    assert failed.run == run
    assert "3 workers that trained it were killed (perhaps for memory)" in failed.reason
    until(workers, Probe)
    assert (workers.idle, workers.running) == (1, [])


def end_at_once(pipe: object, place: WorkerSettings) -> None:
    """Be a worker that never starts."""
    os._exit(7)


def test_where_none_can_start_the_study_ends(
    place: WorkerSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a sentence, and not by starting workers for ever."""
    monkeypatch.setattr(processes, "_serve", end_at_once)
    workers = LocalWorkers(1, place)

    with pytest.raises(WorkerError, match=r"3 workers in a row ended \(exit code 7\) before"):
        until(workers, Probe)
    workers.close()


def test_others_go_on_where_one_cannot_be_replaced(
    place: WorkerSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There may be memory for one of two: it takes over what the other was at."""
    workers = LocalWorkers(2, place)
    until(workers, Probe)
    until(workers, Probe)
    runs = [run_of(tiny()).but(seed=seed) for seed in (0, 1)]
    monkeypatch.setattr(processes, "_serve", end_at_once)
    for run in runs:
        workers.submit(run)
    kill(workers)

    first = until(workers, (Finished, Failed))
    end = time.monotonic() + LONG
    while workers.count == 2 and time.monotonic() < end:
        list(workers.events(timeout=1.0))

    assert first == Finished(runs[1])
    assert (workers.count, workers.idle, workers.running) == (1, 1, [])
    workers.submit(runs[0])
    assert until(workers, (Finished, Failed)) == Finished(runs[0])
    workers.close()


ORPHAN = """
import sys
from pathlib import Path
from tests.builders.workers import until
from tests.builders.runs import run_of
from ablations.workers.processes import LocalWorkers
from ablations.workers.protocol import WorkerSettings, Probe, Progressed
from alexnet.data.manifest import default_data_dir
from alexnet.presets import tiny

if __name__ == "__main__":
    settings = WorkerSettings(Path(sys.argv[1]), default_data_dir(), "cpu", 1, "a test")
    workers = LocalWorkers(1, settings)
    until(workers, Probe)
    run = run_of(tiny()).but(config={"training": {"epochs": 500, "images": None}})
    workers.submit(run)
    until(workers, Progressed)
    print(workers._workers[0].process.pid, flush=True)
    input()
"""


def is_free(results: Path, run: Run) -> bool:
    """Return whether nobody holds a run."""
    try:
        with Store(results).lock(run):
            return True
    except BusyError:
        return False


def wait_for(condition: Callable[[], bool]) -> bool:
    """Return whether something becomes true in ten seconds."""
    end = time.monotonic() + 10
    while time.monotonic() < end and not condition():
        time.sleep(0.1)
    return condition()


def test_a_worker_ends_with_its_parent_and_says_who_holds_a_run(
    workers: LocalWorkers, place: WorkerSettings
) -> None:
    """In the middle of an epoch, without a word; until then, others are told whom they wait for."""
    run = run_of(tiny()).but(config={"training": {"epochs": 500, "images": None}})
    script = place.results / "orphan.py"
    script.write_text(ORPHAN)
    here = os.pathsep.join([str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")])
    with subprocess.Popen(
        [sys.executable, str(script), str(place.results)],
        env=os.environ | {"PYTHONPATH": here},
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as parent:  # fmt: skip
        assert parent.stdout is not None
        assert parent.stderr is not None
        orphan = int(parent.stdout.readline())
        until(workers, Probe)
        workers.submit(run)
        elsewhere = until(workers, Elsewhere)
        parent.kill()
        parent.wait()
        freed = wait_for(lambda: is_free(place.results, run))
        said = parent.stderr.read()

    assert isinstance(elsewhere, Elsewhere)
    assert elsewhere.holder.startswith(f"process {orphan} on ")
    assert freed
    assert "Traceback" not in said
