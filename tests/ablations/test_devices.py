"""Workers on GPUs that are made up: which each sees, and what is lost when one fails."""

import os
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from ablations.run import Run
from ablations.runner import Found, work_off
from ablations.store import Store
from ablations.workers import processes
from ablations.workers.devices import Devices
from ablations.workers.in_process import ThisProcess
from ablations.workers.processes import MOST_DEATHS, LocalWorkers, answer
from ablations.workers.protocol import (
    DeviceError,
    DeviceFailed,
    Event,
    Failed,
    Finished,
    Probe,
    TimeStep,
    WorkerError,
    WorkerSettings,
    says_no_memory,
)
from ablations.workers.trainer import Workbench
from alexnet.data.manifest import default_data_dir
from alexnet.gpus import VISIBLE, Gpu
from alexnet.presets import tiny
from tests.builders import faulty_gpus
from tests.builders.records import REF
from tests.builders.workers import until

FIRST, SECOND = Gpu("GPU-1", "Made Up 1"), Gpu("GPU-2", "Made Up 2")


@pytest.fixture
def place(tmp_path: Path) -> WorkerSettings:
    """Return where a worker of one thread works."""
    return WorkerSettings(tmp_path, default_data_dir(), "cpu", 1, "a test")


@pytest.fixture
def faulty(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Let workers have GPUs that fail; `faulty_gpus.FAULTY` says which."""
    monkeypatch.setattr(processes, "_serve", faulty_gpus.serve)
    return monkeypatch


def runs(count: int) -> list[Run]:
    """Return runs that nobody trains, by their seeds."""
    return [
        Run(config=tiny(), seed=seed, dataset=REF, precision="float32") for seed in range(count)
    ]


def outcome(
    workers: LocalWorkers, place: WorkerSettings, wanted: list[Run], seen: list[Event] | None = None
) -> list[Event]:
    """Return all that happens until nothing is left to do; also into ``seen``, as it happens."""
    events: list[Event] = [] if seen is None else seen
    try:
        for event in work_off(wanted, Store(place.results), workers):
            if not isinstance(event, Found):
                events.append(event)
    finally:
        workers.close()
    return events


def finished(events: list[Event]) -> list[int]:
    """Return the seeds of the runs that were finished, in order."""
    return sorted(event.run.seed for event in events if isinstance(event, Finished))


def failures(events: list[Event]) -> list[DeviceFailed]:
    """Return what failed of devices."""
    return [event for event in events if isinstance(event, DeviceFailed)]


def test_each_worker_sees_one_gpu_before_it_has_pytorch(
    place: WorkerSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In turn, also where a person has said which are to be seen; that variable stays theirs."""
    monkeypatch.setenv(VISIBLE, "GPU-1,GPU-2,GPU-3")
    monkeypatch.setattr(processes, "_serve", faulty_gpus.say_what_is_seen)
    workers = LocalWorkers(3, place, (FIRST, SECOND))

    seen = [worker.pipe.recv() for worker in workers._workers]
    workers.close()

    assert seen == [f"GPU-{number} False" for number in (1, 2, 1)]
    assert os.environ[VISIBLE] == "GPU-1,GPU-2,GPU-3"


@pytest.mark.parametrize("how", ["", " crash"])
def test_a_gpu_that_fails_for_good_costs_no_run(
    how: str, place: WorkerSettings, faulty: pytest.MonkeyPatch
) -> None:
    """Forty runs on two: each is done once, and the bad one is left out when it fails again.

    With an error, or by ending the process, as a driver may.
    """
    faulty.setenv(faulty_gpus.FAULTY, SECOND.name + how)

    events = outcome(LocalWorkers(2, place, (FIRST, SECOND)), place, runs(40))

    assert finished(events) == [*range(40)]
    assert not [event for event in events if isinstance(event, Failed)]
    failed = failures(events)
    assert [event.left_out for event in failed] == [False, True]
    assert {event.device for event in failed} == {"GPU-2 (Made Up 2)"}
    for event in failed:
        assert event.run is not None
        assert sorted(faulty_gpus.seen_by(place.results, event.run)) == ["GPU-1", "GPU-2"]


def test_what_failed_on_a_gpu_goes_to_another(
    place: WorkerSettings, faulty: pytest.MonkeyPatch
) -> None:
    """Also where a worker on the same one is idle, and first in the list."""
    workers, run = LocalWorkers(2, place, (FIRST, SECOND)), runs(1)[0]
    for _ in range(2):
        until(workers, Probe)

    workers._waiting.append((run, FIRST))
    running = workers.running
    workers._hand_out()

    assert until(workers, Finished) == Finished(run)
    workers.close()
    assert running == [run]
    assert faulty_gpus.seen_by(place.results, run) == ["GPU-2"]


def test_a_gpu_that_fails_once_goes_on(place: WorkerSettings, faulty: pytest.MonkeyPatch) -> None:
    """Its worker is replaced: another process has another context. It is the only GPU."""
    faulty.setenv(faulty_gpus.FAULTY, f"{FIRST.name} once")

    events = outcome(LocalWorkers(1, place, (FIRST,)), place, runs(6))

    assert finished(events) == [*range(6)]
    assert [event.left_out for event in failures(events)] == [False]


def test_a_run_that_breaks_every_device_fails_alone(
    place: WorkerSettings, faulty: pytest.MonkeyPatch
) -> None:
    """A label that is out of range does it: no GPU is left out, and all other runs are done."""
    faulty.setenv(faulty_gpus.FAULTY, "run 2")
    wanted = runs(6)

    events = outcome(LocalWorkers(2, place, (FIRST, SECOND)), place, wanted)

    failed = [event for event in events if isinstance(event, Failed)]
    assert [event.run for event in failed] == [wanted[2]]
    assert failed[0].reason.startswith(f"{MOST_DEATHS} devices failed that trained it: Accelerator")
    assert finished(events) == [0, 1, 3, 4, 5]
    assert [event.left_out for event in failures(events)] == [False] * MOST_DEATHS
    assert {*faulty_gpus.seen_by(place.results, wanted[2])} == {"GPU-1", "GPU-2"}


def test_where_the_last_gpu_fails_the_study_ends(
    place: WorkerSettings, faulty: pytest.MonkeyPatch
) -> None:
    """In a sentence; what was done before is there, and one run at most has failed."""
    faulty.setenv(faulty_gpus.FAULTY, FIRST.name)
    events: list[Event] = []

    with pytest.raises(WorkerError, match=r"no GPU is left .* GPU-1 \(Made Up 1\): .*launch fail"):
        outcome(LocalWorkers(1, place, (FIRST,)), place, runs(8), events)

    assert finished(events) == [*range(faulty_gpus.GOOD)]
    assert sum(isinstance(event, Failed) for event in events) <= 1


def test_a_gpu_where_no_worker_can_start_is_left_out(
    place: WorkerSettings, faulty: pytest.MonkeyPatch
) -> None:
    """Others train; where there are no others, the sentence says what to do."""
    faulty.setenv(faulty_gpus.FAULTY, f"{SECOND.name} full")
    workers = LocalWorkers(2, place, (FIRST, SECOND))
    while workers.count == 2:
        told = [event for event in workers.events(timeout=1.0) if isinstance(event, DeviceFailed)]

    events = outcome(workers, place, runs(4))
    alone = LocalWorkers(1, place, (SECOND,))
    with pytest.raises(WorkerError, match=r"GPU-2 .*no memory left; let fewer runs share it"):
        outcome(alone, place, runs(8)[4:])  # others, which are not trained yet

    assert [(event.device, event.left_out) for event in told] == [("GPU-2 (Made Up 2)", True)]
    assert finished(events) == [*range(4)]


@pytest.fixture
def bench(place: WorkerSettings, monkeypatch: pytest.MonkeyPatch) -> Workbench:
    """Return a workbench whose trainings raise what a GPU raises."""
    threads = torch.get_num_threads()
    made = Workbench(place)
    torch.set_num_threads(threads)

    def raising(*_: object) -> None:
        raise RuntimeError(REASON_OF_GPU)

    monkeypatch.setattr(made, "_train", raising)
    monkeypatch.setattr(made, "data", raising)
    return made


REASON_OF_GPU = "CUDA error: an illegal memory access was encountered\nCUDA kernel errors might be"


@pytest.mark.parametrize(("computes", "kind"), [(True, Failed), (False, DeviceFailed)])
def test_whether_the_device_failed_it_is_asked(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch, computes: bool, kind: type
) -> None:
    """After an error that leaves it as it was, only the run has failed; its reason is kept."""
    monkeypatch.setattr(bench, "computes", lambda: computes)
    run = runs(1)[0]

    event = answer(bench, run, lambda _: None)
    timed = answer(bench, TimeStep(tiny(), REF, "float32", 1), lambda _: None)

    assert isinstance(event, kind)
    assert isinstance(timed, kind)
    assert (event.run, timed.run) == (run, None)  # type: ignore[attr-defined]
    assert "illegal memory access" in event.reason  # type: ignore[attr-defined]
    assert "illegal memory access" in next(bench.store.folder(run).glob("failure-*")).read_text()


@pytest.mark.parametrize("lost", [True, False])
def test_a_gpu_is_asked_whether_it_computes(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch, lost: bool
) -> None:
    """Once a context is lost, every call says so, as this one does that waits for the GPU."""

    def synchronize(device: torch.device) -> None:
        if lost:
            raise RuntimeError(REASON_OF_GPU)

    monkeypatch.setattr(torch.cuda, "synchronize", synchronize)
    assert bench.computes()  # a CPU does

    bench.device = torch.device("cuda")

    assert bench.computes() is not lost


def test_this_process_trains_no_more_on_a_device_that_failed(
    place: WorkerSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It cannot be replaced; it would fail at everything that follows."""
    workers = ThisProcess(place)
    monkeypatch.setattr(Workbench, "computes", lambda bench: False)
    monkeypatch.setattr(Workbench, "_train", None)
    list(workers.events(0))
    workers.submit(runs(1)[0])

    with pytest.raises(WorkerError, match="can use its GPU no more; start it again: TypeError"):
        list(workers.events(0))
    workers.close()


@pytest.mark.parametrize(("room", "per_gpu", "expected"), [(None, 1, 40), (None, 4, 10), (7, 4, 7)])
def test_workers_on_a_gpu_share_its_memory_before_they_load(
    place: WorkerSettings,
    monkeypatch: pytest.MonkeyPatch,
    room: int | None,
    per_gpu: int,
    expected: int,
) -> None:
    """By what the parent says, else by the size of the whole: not by what is left for the last."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (3, 40))
    threads = torch.get_num_threads()

    bench = Workbench(replace(place, device="cuda", room=room, per_gpu=per_gpu))
    torch.set_num_threads(threads)

    assert bench._room == expected


def test_a_gpu_without_memory_for_a_process_is_refused_in_a_sentence(
    place: WorkerSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PyTorch's own words, of several lines, say nothing of the way out."""

    def full(device: torch.device) -> None:
        raise RuntimeError("CUDA error: out of memory\nCUDA kernel errors might be asynchronous")

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "mem_get_info", full)

    with pytest.raises(DeviceError, match=r"no memory left; let fewer runs share it \(--per-gpu 1"):
        Workbench(replace(place, device="cuda"))


def test_what_fails_at_once_is_one_failure() -> None:
    """Four workers share a GPU that has a fault in its memory: it gets a second chance."""
    devices = Devices([FIRST, SECOND], workers=8)

    at_once = [devices.failed(FIRST, f"run {number}", since=0.0) for number in range(4)]
    later = devices.failed(FIRST, "run 5", since=float("inf"))

    assert (at_once, later) == ([False] * 4, True)
    assert devices.choose([SECOND] * 3) == SECOND
    assert devices.choose([SECOND] * 4) is None  # each has as many as before


def test_a_finished_run_clears_its_gpu() -> None:
    """Of failures, those count that follow each other."""
    devices = Devices([FIRST], workers=1)
    infinity = float("inf")

    assert not devices.failed(FIRST, "run 1", infinity)
    devices.works(FIRST)
    assert not devices.failed(FIRST, "run 2", infinity)
    assert not devices.failed(FIRST, "run 2", infinity)  # the same: it may be the run's fault
    assert devices.failed(FIRST, "run 3", infinity)
    assert devices.choose([]) is None


def test_workers_are_shared_out_evenly() -> None:
    """Seven on three GPUs; one that is replaced gets the same again."""
    three = [Gpu(str(number)) for number in range(3)]
    devices, used = Devices(three, workers=7), list[Gpu | None]()
    for _ in range(7):
        used.append(devices.choose(used))

    assert [gpu.name for gpu in used if gpu] == ["0", "1", "2", "0", "1", "2", "0"]
    assert devices.choose([*used[:4], *used[5:]], at_first=three[1]) == three[1]


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (RuntimeError("CUDA error: out of memory\nCUDA kernel errors might be"), True),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate`"), True),
        (type("OutOfMemoryError", (RuntimeError,), {})("CUDA out of memory. Tried to"), True),
        (RuntimeError("CUDA error: unspecified launch failure"), False),
        (MemoryError(), False),
    ],
)
def test_a_full_gpu_is_told_from_one_that_failed(error: Exception, expected: bool) -> None:
    """By what PyTorch says of the one."""
    assert says_no_memory(error) is expected
