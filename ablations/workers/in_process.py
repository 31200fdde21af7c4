"""Training in the process that calls, for notebooks and small scripts: nothing is spawned."""

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import Any

from ablations.run import Run
from ablations.workers.processes import CUDA, answer, sentence
from ablations.workers.protocol import (
    DeviceFailed,
    Event,
    Failed,
    Job,
    Probe,
    WorkerError,
    WorkerSettings,
)
from alexnet.child_processes import environment


class ThisProcess:
    """The calling process as the only worker: a job is done while its event is waited for.

    So a run says nothing before it is finished. Its steps take up to a fifth longer than those of a
    worker, which starts with an allocator that keeps its memory.
    """

    count = 1

    def __init__(self, place: WorkerSettings) -> None:
        """Load PyTorch, and set it as a worker does until `close`.

        Raises:
            WorkerError: If nothing can be trained here.
        """
        if place.devices > 1:
            raise WorkerError(f"this process is one device, not {place.devices}; use workers")
        self._job: Job | None = None
        self._is_ready = False
        with contextlib.ExitStack() as settings:
            try:
                settings.enter_context(_as_in_a_new_process(place))
                from ablations.workers.trainer import Workbench

                self._bench = Workbench(place)
                self._probe = Probe(self._bench.precision(), self._bench.fingerprint())
            except Exception as error:
                raise WorkerError(sentence(error)) from error
            self._settings = settings.pop_all()

    @property
    def idle(self) -> int:
        """One if it has nothing to do, and has said that it is ready."""
        return int(self._is_ready and self._job is None)

    @property
    def running(self) -> list[Run]:
        """The run that was submitted, if there is one."""
        return [self._job] if isinstance(self._job, Run) else []

    def submit(self, job: Job) -> None:
        """Take a job, to be done by `events`."""
        self._job = job

    def events(self, timeout: float) -> Iterator[Event]:
        """Do what was submitted and yield what came of it; without a job, wait ``timeout`` seconds.

        Raises:
            WorkerError: If a step cannot be timed, and so nothing be trained.
        """
        if not self._is_ready:
            self._is_ready = True
            yield self._probe
        elif self._job is None:
            time.sleep(timeout)
        else:
            job, self._job = self._job, None
            event = answer(self._bench, job, lambda _: None)
            if isinstance(event, Failed) and event.run is None:
                raise WorkerError(event.reason)
            if isinstance(event, DeviceFailed):
                reason = event.reason.splitlines()[0]
                raise WorkerError(f"this process can use its GPU no more; start it again: {reason}")
            yield event

    def close(self) -> None:
        """Give PyTorch back the settings that it had before."""
        self._settings.close()


@contextlib.contextmanager
def _as_in_a_new_process(place: WorkerSettings) -> Iterator[None]:
    """Let PyTorch be as it is when it has just been imported; afterwards, as it was.

    A run is kept under the name of what was asked, so whatever a notebook has set before, such as
    another type of numbers, must not change it. Nor does training change what is drawn afterwards.
    """
    import torch

    threads, kind = torch.get_num_threads(), torch.get_default_dtype()
    give_back_tf32 = _tf32()
    products = torch.get_float32_matmul_precision()
    deterministic = torch.are_deterministic_algorithms_enabled()
    warns = torch.is_deterministic_algorithms_warn_only_enabled()
    memory = torch.utils.deterministic
    fills, tries = memory.fill_uninitialized_memory, torch.backends.cudnn.benchmark  # type: ignore[attr-defined]
    with contextlib.ExitStack() as stack:
        stack.enter_context(environment({} if place.device == "cpu" else CUDA))
        stack.enter_context(torch.random.fork_rng(devices=()))  # layers are first built at random
        stack.enter_context(torch.enable_grad())
        try:
            torch.set_default_dtype(torch.float32)
            yield
        finally:
            torch.set_num_threads(threads)
            torch.set_default_dtype(kind)
            torch.set_float32_matmul_precision(products)
            torch.use_deterministic_algorithms(deterministic, warn_only=warns)
            memory.fill_uninitialized_memory = fills  # type: ignore[attr-defined]
            torch.backends.cudnn.benchmark = tries
            give_back_tf32()


def _tf32() -> Callable[[], None]:
    """Return what sets convolutions back to the precision that they have now.

    PyTorch since 2.9 has settings for each kind of operation. Where they differ it refuses to read
    the older one for all of them; where they do not, only the older one leaves it readable.
    """
    import torch

    cudnn: Any = torch.backends.cudnn
    try:
        shortens = cudnn.allow_tf32
    except RuntimeError:
        before = cudnn.conv.fp32_precision, cudnn.rnn.fp32_precision

        def give_back() -> None:
            cudnn.conv.fp32_precision, cudnn.rnn.fp32_precision = before

        return give_back
    return lambda: setattr(cudnn, "allow_tf32", shortens)
