"""Local worker processes that live for a whole study; the parent never imports PyTorch."""

import contextlib
import multiprocessing
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import TYPE_CHECKING

from ablations.run import Run
from ablations.workers.protocol import (
    Elsewhere,
    Event,
    Failed,
    Finished,
    Job,
    Probe,
    Progressed,
    TimeStep,
    WorkerError,
    WorkerSettings,
)
from alexnet.child_processes import environment, follow_parent
from alexnet.config.source import SourceError
from alexnet.data.manifest import DatasetError

if TYPE_CHECKING:
    from ablations.workers.trainer import Workbench

KEEP_MEMORY = {  # glibc would hand large blocks back to the system after each layer: 20 % of a step
    "MALLOC_MMAP_THRESHOLD_": str(2**30),
    "MALLOC_TRIM_THRESHOLD_": str(2**30),
    "MALLOC_TOP_PAD_": str(2**26),
}
CUDA = {"CUBLAS_WORKSPACE_CONFIG": ":4096:8"}  # for results that repeat there


UNGUARDED = 97
"""Exit code of a worker that would start workers before it is one itself."""
MOST_DEATHS = 3
"""Of workers that never became ready, one after another, or of workers at the same job."""


@dataclass
class _Worker:
    process: BaseProcess
    pipe: Connection
    job: Job | None = None  # given to it, or to be given when it is ready
    ready: bool = False


class LocalWorkers:
    """Spawned processes on this machine, each doing one job at a time."""

    def __init__(self, count: int, place: WorkerSettings) -> None:
        """Start them; each says `Probe` when it is ready.

        In a worker that is itself only starting, because it runs the script that started it, it
        ends that worker.
        """
        if getattr(multiprocessing.current_process(), "_inheriting", False):
            raise SystemExit(UNGUARDED)
        self._place = place
        self._deaths = 0  # of workers that never became ready, since one last did
        self._deaths_of: dict[str, int] = {}  # by job
        self._workers = [self._start() for _ in range(count)]

    def _start(self) -> _Worker:
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(target=_serve, args=(theirs, self._place), daemon=True)
        threads = str(self._place.threads)
        variables = {"OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads} | KEEP_MEMORY
        if self._place.device != "cpu":
            variables |= CUDA
        with environment(variables):  # must be there before PyTorch is imported
            process.start()
        theirs.close()
        return _Worker(process, ours)

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
        return [worker.job for worker in self._workers if isinstance(worker.job, Run)]

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

        A worker that dies is replaced, and what it was at is tried again, twice.

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
            if isinstance(event, Failed) and event.run is None:
                raise WorkerError(event.reason)
            if not worker.ready:
                worker.ready, self._deaths = True, 0
                if worker.job is not None:
                    self._send(worker)
            elif not isinstance(event, Progressed) and worker.job is not None:
                self._deaths_of.pop(_name(worker.job), None)
                worker.job = None
            yield event

    def _died(self, worker: _Worker) -> Iterator[Event]:
        worker.process.join(5)
        code, job = worker.process.exitcode, worker.job
        if code == UNGUARDED:
            raise WorkerError(
                "workers run the script that starts them from its top, so that its calls have to "
                'be below the line  if __name__ == "__main__":  or be given workers=0'
            )
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
        replacement = self._start()
        replacement.job = job
        worker.pipe.close()
        self._workers[self._workers.index(worker)] = replacement

    def close(self) -> None:
        """End all workers now; runs go on from their last checkpoints when asked for again."""
        for worker in self._workers:
            worker.process.terminate()
        deadline = time.monotonic() + 5
        for worker in self._workers:
            worker.process.join(max(0.0, deadline - time.monotonic()))
            if worker.process.is_alive():
                worker.process.kill()
            worker.pipe.close()


def _how(code: int | None) -> str:
    """Return how a worker came to its end, in words."""
    return "were killed (perhaps for memory)" if code == -9 else f"ended (exit code {code})"


def _name(job: Job) -> str:
    return job.id if isinstance(job, Run) else "timing"


def _serve(pipe: Connection, place: WorkerSettings) -> None:
    """Run in the child: load PyTorch once, then do jobs until the parent is gone."""
    follow_parent()  # which decides what Ctrl-C means, and whose end is this one's
    try:
        from ablations.workers.trainer import Workbench

        bench = Workbench(place)
        pipe.send(Probe(bench.precision(), bench.fingerprint()))
    except Exception as error:
        pipe.send(Failed(None, sentence(error)))
        return
    with contextlib.suppress(EOFError, BrokenPipeError, ConnectionResetError):
        while True:
            pipe.send(answer(bench, pipe.recv(), pipe.send))


def sentence(error: Exception) -> str:
    """Return our own sentences as they are, others with what kind of error they are."""
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
            return Failed(None, sentence(error))
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
        return Failed(job, reason)
