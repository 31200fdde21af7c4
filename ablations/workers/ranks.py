"""The ranks of one worker: processes with a device each, that train every run of it together.

Rank 0 is the worker. It alone takes runs up, evaluates and writes; the others train their rows of
what it says, and end with it. A rank that dies ends them all, so that none waits for it: who looks
after workers replaces this one, and the run goes on from its checkpoint.
"""

import contextlib
import multiprocessing
import os
import threading
import time
from collections.abc import Iterator, Sequence
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Protocol

from torch import Tensor, device

from ablations.workers.processes import RANK_LOST, sentence
from ablations.workers.protocol import Job, WorkerError, WorkerSettings
from alexnet.child_processes import follow_parent
from alexnet.learning_curve import Epoch
from alexnet.parallel import ALONE, RankLostError, Share, meeting_place, stay_on_loopback

GRACE = 10.0
"""Seconds in which a worker may say what it makes of the end of another rank."""


class RankError(RuntimeError):
    """Another rank cannot go on; the message has its reason."""


class Ranks(Protocol):
    """What a rank does with the others."""

    @property
    def share(self) -> Share:
        """Its own share of every batch."""

    def together(
        self, job: Job, curve: Sequence[Epoch], state: Sequence[Tensor]
    ) -> contextlib.AbstractContextManager[None]:
        """Return a context that all ranks enter at once, with the same tensors in ``state``."""


class OnlyRank:
    """A worker with one device."""

    share = ALONE

    def together(
        self, job: Job, curve: Sequence[Epoch], state: Sequence[Tensor]
    ) -> contextlib.AbstractContextManager[None]:
        """Return a context that does nothing."""
        return contextlib.nullcontext()


class FirstRank:
    """Rank 0, which starts the others and says what is to be done."""

    def __init__(self, place: WorkerSettings, mine: device, name: str) -> None:
        """Start the other ranks, and meet them.

        Args:
            place: Of the worker.
            mine: The device of this rank.
            name: What it is called; a rank with a device of another kind would draw other chance.

        Raises:
            WorkerError: If one of them cannot train.
        """
        self.share = Share(0, place.devices)
        stay_on_loopback(os.environ)
        self._store = meeting_place()
        context = multiprocessing.get_context("spawn")
        self._others: list[tuple[BaseProcess, Connection]] = []
        for rank in range(1, place.devices):
            ours, theirs = context.Pipe()
            process = context.Process(
                target=serve, args=(theirs, place, rank, self._store.port), daemon=True
            )
            process.start()
            theirs.close()
            self._others.append((process, ours))
        for rank, answer in self._answers():
            if answer != f"on {name}":
                told = answer.removeprefix("on ")
                reason = f"is on {told}, rank 0 on {name}" if told != answer else answer
                raise WorkerError(f"rank {rank} of {place.devices}: {reason}")
        self.share.join(mine, self._store.port)
        threading.Thread(target=self._end_with_any, daemon=True).start()

    @contextlib.contextmanager
    def together(self, job: Job, curve: Sequence[Epoch], state: Sequence[Tensor]) -> Iterator[None]:
        """Let the other ranks do a job with this one.

        Raises:
            RankError: If one of them cannot, with its reason.
        """
        try:
            for _, pipe in self._others:
                pipe.send((job, list(curve)))
            for rank, answer in self._answers():
                if answer:
                    raise RankError(f"rank {rank}: {answer}")
            self.share.copy_first(state)
            yield
        except (RankLostError, BrokenPipeError, ConnectionResetError) as lost:
            self._end_for(lost)

    def _answers(self) -> Iterator[tuple[int, str]]:
        """Yield what every other rank says; one that says nothing is lost, and so is this one."""
        for rank, (_, pipe) in enumerate(self._others, start=1):
            try:
                yield rank, pipe.recv()
            except (EOFError, OSError):
                os._exit(RANK_LOST)

    def _end_for(self, lost: Exception) -> None:
        """Raise what another rank gives as its reason; without one, end as it has.

        That it has ended is seen by its pipe: a process that is killed closes pipes and sockets
        first, and counts as alive for a moment longer.
        """
        end = time.monotonic() + GRACE / 2
        has_ended = False
        for rank, (_, pipe) in enumerate(self._others, start=1):
            try:
                while pipe.poll(max(0.0, end - time.monotonic())):
                    if reason := pipe.recv():
                        raise RankError(f"rank {rank}: {reason}") from lost
            except (EOFError, OSError):
                has_ended = True
        if has_ended:
            os._exit(RANK_LOST)
        raise lost

    def _end_with_any(self) -> None:
        """End when another rank has: a sum on a GPU would wait for it for minutes."""
        wait([process.sentinel for process, _ in self._others])
        time.sleep(GRACE)
        os._exit(RANK_LOST)


class OtherRank:
    """A rank that does what rank 0 says."""

    def __init__(self, share: Share, pipe: Connection) -> None:
        """Take its share, and the pipe to rank 0."""
        self.share, self._pipe = share, pipe

    @contextlib.contextmanager
    def together(self, job: Job, curve: Sequence[Epoch], state: Sequence[Tensor]) -> Iterator[None]:
        """Say that it is ready, and take over what rank 0 has."""
        self._pipe.send("")
        self.share.copy_first(state)
        yield


def serve(pipe: Connection, place: WorkerSettings, rank: int, port: int) -> None:
    """Run in the child: do what rank 0 says until it is gone.

    Args:
        pipe: To rank 0.
        place: Of the worker.
        rank: From 1.
        port: Where the ranks meet.
    """
    follow_parent()
    try:
        from ablations.workers.trainer import Workbench

        ranks = OtherRank(Share(rank, place.devices), pipe)
        bench = Workbench(place, ranks)
        pipe.send(f"on {bench.fingerprint().device}")
        ranks.share.join(bench.device, port)
        while True:
            bench.follow(*pipe.recv())
    except (RankLostError, EOFError, BrokenPipeError, ConnectionResetError):
        os._exit(RANK_LOST)
    except Exception as error:
        with contextlib.suppress(OSError):
            pipe.send(sentence(error))
        os._exit(1)
