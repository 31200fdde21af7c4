"""The same work on many things, by processes that end with the one that started them."""

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from typing import Self, TypeVar

from alexnet.child_processes import environment, follow_parent
from alexnet.data.manifest import DatasetError

ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
"""A process per core is enough: with a thread per core in each, they wait for one another."""

Job = TypeVar("Job")
Done = TypeVar("Done")


class WorkerPool:
    """Processes for several kinds of work; with one worker, all is done in this process."""

    def __init__(self, workers: int) -> None:
        """Start none yet: they start when they have something to do."""
        self.workers = workers
        # Spawned, not forked: a fork of a process with threads, such as PyTorch's, may hang.
        spawn = multiprocessing.get_context("spawn")
        self._pool = ProcessPoolExecutor(workers, spawn, follow_parent)

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the processes, each after the job it is at."""
        self._pool.shutdown(cancel_futures=True)

    def spread(
        self, work: Callable[[Job], Done], jobs: Sequence[Job]
    ) -> Iterator[tuple[Job, Done]]:
        """Yield each job with what came of it, as they are done, in whatever request.

        Args:
            work: A function of a module, since processes have to find it.
            jobs: What to do; later ones are handed out as earlier ones are done.

        Raises:
            DatasetError: If a process is killed.
            Exception: What ``work`` raises, when it does; no further job is started.
        """
        if self.workers == 1:
            for job in jobs:
                yield job, work(job)
            return
        waiting = iter(jobs)
        running: dict[Future[Done], Job] = {}
        while True:
            for job in waiting:
                with environment(ONE_THREAD):  # processes start here, when they are needed
                    running[self._pool.submit(work, job)] = job
                if len(running) >= 2 * self.workers:  # enough that none has to wait for work
                    break
            if not running:
                return
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                try:
                    yield running.pop(future), future.result()
                except BrokenProcessPool as error:
                    raise DatasetError(
                        "a process was ended by the system, perhaps for lack of memory; "
                        "the same command goes on, with fewer --workers if it happens again"
                    ) from error
