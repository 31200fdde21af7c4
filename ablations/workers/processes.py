"""Local worker processes that live for a whole study; the parent never imports PyTorch."""

import atexit
import contextlib
import multiprocessing
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import TYPE_CHECKING

from ablations.run import Run
from ablations.workers.devices import Devices
from ablations.workers.protocol import (
    NO_MEMORY,
    DeviceError,
    DeviceFailed,
    Elsewhere,
    Event,
    Failed,
    Finished,
    Job,
    Probe,
    Progressed,
    Timed,
    TimeStep,
    WorkerError,
    WorkerSettings,
    says_no_memory,
)
from alexnet.child_processes import environment, follow_parent
from alexnet.config.source import SourceError
from alexnet.data.manifest import DatasetError
from alexnet.gpus import VISIBLE, Gpu

if TYPE_CHECKING:
    from ablations.workers.trainer import Workbench

KEEP_MEMORY = {  # glibc would hand large blocks back to the system after each layer: 20 % of a step
    "MALLOC_MMAP_THRESHOLD_": str(2**30),
    "MALLOC_TRIM_THRESHOLD_": str(2**30),
    "MALLOC_TOP_PAD_": str(2**26),
}
CUDA = {"CUBLAS_WORKSPACE_CONFIG": ":4096:8"}  # for results that repeat there


RANK_LOST = 96
"""Exit code of a worker when another of its ranks has died."""
UNGUARDED = 97
"""Exit code of a worker that would start workers before it is one itself."""
DEVICE_FAILED = 98
"""Exit code of a worker whose device computes nothing any more."""
KILLED = (-9, -15)
"""Exit codes that say nothing of the device: the system, or a person, had other reasons."""
MOST_DEATHS = 3
"""Of workers that never became ready, one after another, or of workers at the same job."""


@dataclass
class _Worker:
    process: BaseProcess
    pipe: Connection
    gpu: Gpu | None  # that it sees alone; None: it trains on the CPU
    started: float
    job: Job | None = None  # given to it, or to be given when it is ready
    ready: bool = False


class LocalWorkers:
    """Spawned processes on this machine, each doing one job at a time, on a GPU if there are any.

    A worker that dies is replaced. One whose GPU has failed is replaced on the same GPU, or on
    another once that fails again, and its run is tried elsewhere.
    """

    def __init__(self, count: int, place: WorkerSettings, gpus: Sequence[Gpu] = ()) -> None:
        """Start them; each says `Probe` when it is ready.

        In a worker that is itself only starting, because it runs the script that started it, it
        ends that worker.

        Args:
            count: How many.
            place: Where each works; with ``gpus``, its device is the one GPU that it sees.
            gpus: Shared out to them in turn; none: all train on ``place.device``.
        """
        if getattr(multiprocessing.current_process(), "_inheriting", False):
            raise SystemExit(UNGUARDED)
        self._place = place
        self._deaths = 0  # of workers that never became ready, since one last did
        self._deaths_of: dict[str, int] = {}  # by job
        self._devices = Devices(gpus, count)
        self._waiting: list[tuple[Job, Gpu]] = []  # to be tried elsewhere than there
        self._workers: list[_Worker] = []
        for _ in range(count):
            self._workers.append(self._start(self._devices.choose(self._in_use)))
        if place.devices > 1:
            atexit.register(self.close)  # before Python waits for what is not daemonic

    @property
    def _in_use(self) -> list[Gpu | None]:
        return [worker.gpu for worker in self._workers]

    def _start(self, gpu: Gpu | None) -> _Worker:
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        # One with other ranks starts these, which Python grants to no daemonic process.
        process = context.Process(
            target=_serve, args=(theirs, self._place), daemon=self._place.devices == 1
        )
        threads = str(self._place.threads)
        variables = {"OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads} | KEEP_MEMORY
        if self._place.device != "cpu":
            variables |= CUDA
        sees = {} if gpu is None else {VISIBLE: gpu.name}
        with environment(variables, always=sees):  # must be there before PyTorch is imported
            process.start()
        theirs.close()
        return _Worker(process, ours, gpu, time.monotonic())

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self._workers)

    @property
    def idle(self) -> int:
        """How many workers are ready and have nothing to do."""
        return sum(worker.ready and worker.job is None for worker in self._workers)

    @property
    def running(self) -> list[Run]:
        """The runs being trained."""
        jobs = (*(worker.job for worker in self._workers), *(job for job, _ in self._waiting))
        return [job for job in jobs if isinstance(job, Run)]

    def submit(self, job: Job) -> None:
        """Give a job to an idle worker."""
        worker = next(w for w in self._workers if w.ready and w.job is None)
        worker.job = job
        self._send(worker)

    def _send(self, worker: _Worker) -> None:
        # Who has died meanwhile cannot be told; `events` sees its end, and replaces it.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            worker.pipe.send(worker.job)

    def events(self, timeout: float) -> Iterator[Event]:
        """Yield what has happened, waiting up to ``timeout`` seconds for something.

        A worker that dies or whose device fails is replaced, and what it was at is tried again,
        twice.

        Raises:
            WorkerError: If no worker can be started, or none lives through the timing of a step.
        """
        pipes = {worker.pipe: worker for worker in self._workers}
        for pipe in wait(list(pipes), timeout):
            worker = pipes[pipe]  # type: ignore[index]
            try:
                event: Event = worker.pipe.recv()
            except (EOFError, OSError):
                yield from self._died(worker)
                continue
            if isinstance(event, DeviceFailed):
                yield from self._device_failed(worker, event)
                continue
            if isinstance(event, Failed) and event.run is None:
                raise WorkerError(event.reason)
            if not worker.ready:
                worker.ready, self._deaths = True, 0
                if worker.job is not None:
                    self._send(worker)
            elif not isinstance(event, Progressed) and worker.job is not None:
                self._deaths_of.pop(_name(worker.job), None)
                worker.job = None
                if isinstance(event, Finished | Timed):
                    self._devices.works(worker.gpu)
            self._hand_out()
            yield event

    def _died(self, worker: _Worker) -> Iterator[Event]:
        worker.process.join(5)
        code, job = worker.process.exitcode, worker.job
        if code == UNGUARDED:
            raise WorkerError(
                "workers run the script that starts them from its top, so that its calls have to "
                'be below the line  if __name__ == "__main__":  or be given workers=0'
            )
        if worker.ready and worker.gpu is not None and code not in KILLED:
            run = job if isinstance(job, Run) else None  # a driver that fails may end its process
            yield from self._device_failed(worker, DeviceFailed(run, f"its process {_how(code)}"))
            return
        if not worker.ready:
            self._deaths += 1
            if self._deaths >= MOST_DEATHS:
                if isinstance(job, TimeStep) or not any(one.ready for one in self._workers):
                    raise WorkerError(
                        f"{MOST_DEATHS} workers in a row {_how(code)} before they could train; "
                        "the same command goes on, with fewer --workers if it happens again"
                    )
                # Others train: there may be memory for these alone, and its run becomes theirs.
                self._workers.remove(worker)
                worker.pipe.close()
                self._hand_out()
                return
        if worker.ready and job is not None:
            name = _name(job)
            self._deaths_of[name] = self._deaths_of.get(name, 0) + 1
            if self._deaths_of[name] >= MOST_DEATHS:
                if isinstance(job, TimeStep):
                    raise WorkerError(
                        f"{MOST_DEATHS} workers {_how(code)} while they timed a step; "
                        "the same command goes on"
                    )
                again = "it goes on from its last checkpoint next time"
                yield Failed(job, f"{MOST_DEATHS} workers that trained it {_how(code)}; {again}")
                job = None
        replacement = self._start(worker.gpu)
        replacement.job = job
        worker.pipe.close()
        self._workers[self._workers.index(worker)] = replacement

    def _device_failed(self, worker: _Worker, event: DeviceFailed) -> Iterator[Event]:
        """Replace a worker whose device does nothing any more; see to what it was at."""
        gpu, job = worker.gpu, worker.job
        if gpu is None:
            raise WorkerError(event.reason)
        reason = event.reason.splitlines()[0]
        _end([worker])
        self._workers.remove(worker)
        if worker.ready:
            left_out = self._devices.failed(gpu, _name(job), worker.started)
        else:  # others that are on it may have taken its memory, and go on
            left_out = gpu not in self._in_use and self._devices.leave_out(gpu)
        yield event._replace(device=gpu.label, left_out=left_out)
        if job is not None:
            name = _name(job)
            self._deaths_of[name] = self._deaths_of.get(name, 0) + worker.ready
            if self._deaths_of[name] < MOST_DEATHS:
                self._waiting.append((job, gpu))
            elif isinstance(job, Run):
                yield Failed(job, f"{MOST_DEATHS} devices failed that trained it: {reason}")
            else:
                raise WorkerError(reason)
        another = self._devices.choose(self._in_use, at_first=gpu)
        if worker.ready and another is not None:
            self._workers.append(self._start(another))
        if not self._workers:
            raise WorkerError(f"no GPU is left to train on; the last was {gpu.label}: {reason}")
        self._hand_out()

    def _hand_out(self) -> None:
        """Give what waits for another GPU to who is idle there; where all have one, to anybody."""
        for one in list(self._waiting):
            job, failed_on = one
            others = [worker for worker in self._workers if worker.gpu != failed_on]
            idle = (w for w in others or self._workers if w.ready and w.job is None)
            if (worker := next(idle, None)) is not None:
                self._waiting.remove(one)
                worker.job = job
                self._send(worker)

    def close(self) -> None:
        """End all workers now; runs go on from their last checkpoints when asked for again."""
        atexit.unregister(self.close)
        _end(self._workers)


def _end(workers: Sequence[_Worker]) -> None:
    for worker in workers:
        worker.process.terminate()
    deadline = time.monotonic() + 5
    for worker in workers:
        worker.process.join(max(0.0, deadline - time.monotonic()))
        if worker.process.is_alive():
            worker.process.kill()
        worker.pipe.close()


def _how(code: int | None) -> str:
    """Return how a worker came to its end, in words."""
    if code == RANK_LOST:
        return "lost a rank (killed, perhaps for memory)"
    return "were killed (perhaps for memory)" if code == -9 else f"ended (exit code {code})"


def _name(job: Job | None) -> str:
    return job.id if isinstance(job, Run) else "timing"


def _serve(pipe: Connection, place: WorkerSettings) -> None:
    """Run in the child: load PyTorch once, then do jobs until the parent is gone."""
    follow_parent()  # which decides what Ctrl-C means, and whose end is this one's
    try:
        from ablations.workers.trainer import Workbench

        bench = Workbench(place)
        pipe.send(Probe(bench.precision(), bench.fingerprint()))
    except DeviceError as error:
        pipe.send(DeviceFailed(None, str(error)))
        os._exit(DEVICE_FAILED)
    except Exception as error:
        pipe.send(Failed(None, sentence(error)))
        return
    with contextlib.suppress(EOFError, BrokenPipeError, ConnectionResetError):
        while True:
            event = answer(bench, pipe.recv(), pipe.send)
            pipe.send(event)
            if isinstance(event, DeviceFailed):
                os._exit(DEVICE_FAILED)  # at an ordinary end PyTorch would wait for its device
            if place.devices > 1 and isinstance(event, Failed):
                return  # the other ranks may still be at what this one has given up


def sentence(error: Exception) -> str:
    """Return our own sentences as they are, others with what kind of error they are."""
    if says_no_memory(error):
        return NO_MEMORY
    ours = isinstance(error, DatasetError | WorkerError | SourceError)
    return str(error) if ours else f"{type(error).__name__}: {error}"


def answer(bench: "Workbench", job: Job, tell: Callable[[Progressed], None]) -> Event:
    """Do a job; return what came of it. A run that fails leaves its reason in the store.

    Args:
        bench: Where it is done.
        job: A run, or a step to time.
        tell: Called after each pass of a run over its images.
    """
    from ablations.store import BusyError
    from ablations.workers.trainer import explain

    if isinstance(job, TimeStep):
        try:
            return bench.time_step(job)
        except Exception as error:
            lost = not bench.computes()
            return (DeviceFailed if lost else Failed)(None, sentence(error))
    try:
        bench.execute(job, lambda epoch: tell(Progressed(job, epoch, bench.left)))
        return Finished(job, bench.store.overlap)
    except BusyError as error:
        return Elsewhere(job, str(error))
    except (BrokenPipeError, ConnectionResetError):
        raise
    except Exception as error:
        reason = explain(error)
        with contextlib.suppress(OSError):
            bench.store.add_failure(job, reason)
        return Failed(job, reason) if bench.computes() else DeviceFailed(job, reason)
