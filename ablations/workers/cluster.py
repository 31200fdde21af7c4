"""Workers on the nodes of a Ray cluster: an actor each, for as long as its node lives.

Ray places actors and gives each its cores and its GPU; what is lost with a node is missing again,
and the runner submits it anew. Where a node does not see this results folder, checkpoints and
finished runs travel here, and this process alone writes them.
"""

import contextlib
import os
import secrets
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import ray
from ray.exceptions import RayActorError, RayError

from ablations.machine import CHANGE_BITS
from ablations.run import DatasetRef, Run
from ablations.store import BusyError, Store
from ablations.workers.connection import (
    answers,
    connect,
    disconnect,
    examined,
    nodes,
    on,
    refuse_others,
    verdict,
)
from ablations.workers.node_worker import Greeting, Mark, NodeWorker
from ablations.workers.nodes import Need, Node, need_of
from ablations.workers.parcel import REST, Parcel, sources_of, unpack, what_is_here
from ablations.workers.processes import CUDA, KEEP_MEMORY
from ablations.workers.protocol import (
    Elsewhere,
    Event,
    Failed,
    Finished,
    Job,
    Noticed,
    Probe,
    Progressed,
    TimeStep,
    WorkerError,
    WorkerSettings,
)
from alexnet.config.source import SourceError
from alexnet.durable import temporary_name, write_atomically
from alexnet.text import counted

KILLED = "it ended without a word (perhaps for memory)"
MOST_LOSSES = 3
"""A run that is lost so often with its worker is perhaps what ends them."""
LOOKS = 2.0
"""Seconds between two looks at which nodes there are."""
GREETS = 60.0
"""Seconds that the first workers wait for the others, to agree on a precision."""
SILENT = 20.0
"""Seconds that the head may be silent; after sixty, Ray would end this process without a word."""
EMPTY = 60.0
"""Seconds that a cluster may be without a node that can train."""
ENDS = 5.0
"""Seconds in which idle workers clear up."""
PASSED_ON = (*sorted(CHANGE_BITS), "ATEN_CPU_CAPABILITY")
"""Variables of this process that hold on every node: they decide the bits."""


@dataclass(eq=False)
class _Host:
    """A node, and whether it can be used."""

    node: Node
    answer: Any = None  # what it says is installed there, awaited
    refusal: str | None = None
    broken: int = 0  # workers of it that could not train, since one last did

    @property
    def is_usable(self) -> bool:
        return self.answer is None and self.refusal is None


@dataclass(eq=False)
class _Slot:
    """A worker on a node: an actor, and what is awaited from it."""

    host: _Host
    actor: Any
    greeting: Any  # None once it has said that it is ready
    shares: bool = False
    job: Job | None = None
    events: Any = None  # a stream of parcels
    held: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)  # the lock of its run


class ClusterWorkers:
    """Actors on whatever nodes a Ray cluster has, each doing one job at a time."""

    def __init__(
        self,
        address: str | None,
        place: WorkerSettings,
        datasets: Sequence[DatasetRef],
        *,
        most: int | None = None,
        whole: bool = False,
        per_gpu: int = 1,
        may_share: bool = True,
        rest: float = REST,
    ) -> None:
        """Connect, and start a worker wherever there is room; each is ready in seconds.

        Args:
            address: Of the cluster's head, ``HOST:PORT``; None: of the cluster on this machine.
            place: Where each works; its results folder is used by nodes that see it.
            datasets: That a node needs.
            most: How many workers at most; None: as many as there is room for.
            whole: Let a run have as many threads as its share of a node has cores.
            per_gpu: How many workers share a GPU, where there are GPUs and ``place`` wants them.
            may_share: Whether to look for nodes that see the results folder; a file is written.
            rest: Seconds between two checkpoints of a run that travel.

        Raises:
            WorkerError: If no cluster answers, no node has room, or one has another version of
                this project, of PyTorch or of Python.
        """
        self.address = connect(address)
        self._slots: list[_Slot] = []
        self._mark: Mark | None = None
        try:
            self._hosts = {node.id: _Host(node) for node in nodes()}
            there = [host.node for host in self._hosts.values()]
            gpus = 1 / per_gpu if _wants_gpus(place.device, there) else 0.0
            self._need, threads = need_of(there, None if whole else place.threads, gpus)
            self._place = replace(place, threads=threads)
            self._datasets, self._most, self._rest = tuple(datasets), most, rest
            able = [node for node in there if self._need.room(node)]
            if not able:
                raise WorkerError(f"the Ray cluster at {self.address} has {_missing(self._need)}")
            refuse_others(able)
            self._mark = self._marked() if may_share else None
        except BaseException:
            self.close()
            raise
        self._store = Store(place.results)
        self._losses: dict[str, int] = {}  # by run
        self._answers: list[Event] = []  # to what was submitted and needs no worker
        self._waiting: list[TimeStep] = []  # lost with a node
        self._notices: list[Noticed] = []
        self._greeted: list[Probe] | None = []  # before the first is told; None: it has been
        self._since = self._looked = self._alive = self._answered = time.monotonic()
        self._fill()

    def _marked(self) -> Mark:
        path = self._place.results / temporary_name("cluster")
        mark = Mark(path, secrets.token_bytes(16))
        write_atomically(mark.path, mark.content)
        return mark

    @property
    def count(self) -> int:
        """How many there are, ready or about to be."""
        return len(self._slots)

    @property
    def idle(self) -> int:
        """How many are ready and have nothing to do."""
        return sum(slot.greeting is None and slot.job is None for slot in self._slots)

    @property
    def running(self) -> list[Run]:
        """The runs being trained."""
        return [slot.job for slot in self._slots if isinstance(slot.job, Run)]

    @property
    def threads(self) -> int:
        """How many a run has."""
        return self._place.threads

    @property
    def hosts(self) -> int:
        """How many nodes they are on."""
        return len({slot.host.node.id for slot in self._slots})

    def submit(self, job: Job) -> None:
        """Give a job to an idle worker, with the files that it needs there.

        The lock of a run is held here where its node cannot hold it.
        """
        slot = next(s for s in self._slots if s.greeting is None and s.job is None)
        try:
            sources, files = sources_of(job.config), {}
            if isinstance(job, Run) and not slot.shares:
                slot.held.enter_context(self._store.lock(job))
                if (self._store.folder(job) / "record.json").exists() and self._store.find(job):
                    slot.held.close()
                    self._answers.append(Finished(job))
                    return
                files = dict(what_is_here(self._store, job))
        except BusyError as error:
            assert isinstance(job, Run)
            self._answers.append(Elsewhere(job, str(error)))
            return
        except (SourceError, OSError) as error:
            slot.held.close()
            self._answers.append(Failed(job if isinstance(job, Run) else None, str(error)))
            return
        slot.job = job
        slot.events = slot.actor.do.options(num_returns="streaming").remote(job, files, sources)

    def events(self, timeout: float) -> Iterator[Event]:
        """Yield what has happened, waiting up to ``timeout`` seconds for something.

        A run whose node is lost is no longer among the running ones and has no event: it is missing
        again. After three times it has failed.

        Raises:
            WorkerError: If no node is left that can train, or a step cannot be timed.
        """
        told, self._answers = self._answers, []
        yield from map(_raised, told)
        self._look()
        while self._waiting and self.idle:
            self.submit(self._waiting.pop())
        if self._notices and self.running:  # before, nobody listens
            notices, self._notices = self._notices, []
            yield from notices
        awaited = self._awaited()
        if not awaited:
            time.sleep(min(timeout, LOOKS))
            return
        wait = 0.0 if told else min(timeout, LOOKS)
        ready, _ = ray.wait(list(awaited), num_returns=1, timeout=wait)
        if ready and len(awaited) > 1:  # and whatever else has happened meanwhile
            ready, _ = ray.wait(list(awaited), num_returns=len(awaited), timeout=0)
        for one in ready:
            slot = awaited[one]
            try:
                if slot.greeting is not None:
                    self._greet(slot, ray.get(slot.greeting))
                else:
                    yield from self._happened(slot)
            except RayError as error:
                yield from self._lost(slot, error)
        yield from self._first_probe()

    def _awaited(self) -> dict[Any, _Slot]:
        return {
            slot.events if slot.greeting is None else slot.greeting: slot
            for slot in self._slots
            if slot.greeting is not None or slot.events is not None
        }

    def _look(self) -> None:
        """See which nodes there are, now and then; use new ones, once they are known to be able.

        Raises:
            WorkerError: If there has been none for a while.
        """
        now = time.monotonic()
        if now - self._looked < LOOKS:
            return
        self._looked = now
        if not self._is_answered():
            return
        there = {node.id: node for node in nodes()}
        for lost in [host for id_, host in self._hosts.items() if id_ not in there]:
            del self._hosts[lost.node.id]
            self._notice(f"node {lost.node.name} is lost; what it was at is begun again elsewhere")
        for new in [node for id_, node in there.items() if id_ not in self._hosts]:
            self._hosts[new.id] = _Host(new, examined(new) if self._need.room(new) else None)
        awaited = {host.answer: host for host in self._hosts.values() if host.answer is not None}
        if awaited:
            for answer in ray.wait(list(awaited), num_returns=len(awaited), timeout=0)[0]:
                host = awaited[answer]
                host.answer, refusal = None, verdict(host.node, answer)
                if refusal:
                    self._refuse(host, refusal)
                else:
                    self._notice(f"node {host.node.name} has joined")
        self._fill()
        if self._slots or awaited:
            self._alive = now
        elif refusals := [host.refusal for host in self._hosts.values() if host.refusal]:
            raise WorkerError(refusals[0])
        elif now - self._alive > EMPTY:
            raise WorkerError(
                f"all nodes that could train have left the Ray cluster at {self.address}; what is "
                "finished is kept, and the same command goes on once there are some"
            )

    def _is_answered(self) -> bool:
        """Return whether the head is there: without it, Ray waits for what will never come.

        Raises:
            WorkerError: If it has not been for a while.
        """
        if answers(self.address):
            self._answered = time.monotonic()
            return True
        if time.monotonic() - self._answered > SILENT:
            raise WorkerError(
                f"the head of the Ray cluster at {self.address} does not answer any more; what is "
                "finished is kept, and the same command goes on once there is one"
            )
        return False

    def _fill(self) -> None:
        """Start a worker wherever there is room for one more, a node after the other."""
        while self._most is None or len(self._slots) < self._most:
            on_each = dict.fromkeys(self._hosts, 0)
            for slot in self._slots:
                on_each[slot.host.node.id] = on_each.get(slot.host.node.id, 0) + 1
            free = [
                host
                for id_, host in self._hosts.items()
                if host.is_usable and on_each[id_] < self._need.room(host.node)
            ]
            if not free:
                return
            host = min(free, key=lambda host: on_each[host.node.id])
            self._slots.append(self._started(host))

    def _started(self, host: _Host) -> _Slot:
        threads = str(self._place.threads)
        variables = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        variables |= {"OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads} | KEEP_MEMORY
        actor = ray.remote(NodeWorker).options(
            num_cpus=self._need.cpus,
            num_gpus=self._need.gpus,
            max_restarts=0,  # a new one is started wherever there is room
            runtime_env={"env_vars": variables | (CUDA if self._need.gpus else {})},
            **on(host.node),
        )
        started = actor.remote(self._place, host.node.name, self._mark, self._rest)
        return _Slot(host, started, started.greet.remote(self._datasets))

    def _greet(self, slot: _Slot, greeting: Greeting) -> None:
        if greeting.probe is None:
            self._end(slot)
            self._refuse(slot.host, str(greeting.refusal))
            return
        slot.greeting, slot.shares = None, greeting.shares
        if self._greeted is not None:
            self._greeted.append(greeting.probe)

    def _first_probe(self) -> Iterator[Probe]:
        """Yield what the machines have in common, once all have said what they are."""
        if not self._greeted:
            return
        waits = any(slot.greeting is not None for slot in self._slots)
        if waits and time.monotonic() - self._since < GREETS:
            return
        modest = [probe for probe in self._greeted if probe.precision == "float32"]
        probe, self._greeted = (modest or self._greeted)[0], None
        yield probe

    def _happened(self, slot: _Slot) -> Iterator[Event]:
        try:
            parcel: Parcel = ray.get(next(slot.events))
        except StopIteration:
            return
        event = parcel.event
        if isinstance(slot.job, Run) and not slot.shares:
            try:
                unpack(self._store, slot.job, parcel)
            except OSError as error:
                if not isinstance(event, Progressed):  # the next checkpoint may find room
                    event = Failed(slot.job, f"it cannot be kept here: {error.strerror}")
        if not isinstance(parcel.event, Progressed):
            if isinstance(slot.job, Run):
                self._losses.pop(slot.job.id, None)
            if isinstance(event, Finished):
                slot.host.broken = 0
            slot.held.close()
            slot.job = slot.events = None
        yield event

    def _lost(self, slot: _Slot, error: RayError) -> Iterator[Event]:
        """Give a worker up; its run is missing again, or has failed after three times.

        Raises:
            WorkerError: If a step cannot be timed.
        """
        job, host = slot.job, slot.host
        says_why = not isinstance(error, RayActorError)  # the worker itself has raised it
        reason = str(getattr(error, "cause", error)).splitlines()[0] if says_why else KILLED
        self._end(slot)
        self._looked = 0.0  # see whether its node is still there
        if says_why or slot.greeting is not None:
            self._count_broken(host, reason)
        if isinstance(job, TimeStep):
            if says_why or self._is_lost_too_often("timing"):
                raise WorkerError(f"a step cannot be timed: {reason}; the same command goes on")
            self._waiting.append(job)
        # What the worker says of its node is no fault of the run, which another may train.
        elif isinstance(job, Run) and not says_why and self._is_lost_too_often(job.id):
            yield Failed(
                job,
                f"it was lost with its worker {MOST_LOSSES} times; it goes on from its last "
                "checkpoint next time",
            )

    def _count_broken(self, host: _Host, reason: str) -> None:
        """Leave a node, if it is still there, once several workers could not train on it."""
        if self._is_answered() and host.node.id in {node.id for node in nodes()}:
            host.broken += 1
            if host.broken >= MOST_LOSSES:
                workers = counted(host.broken, "worker")
                self._refuse(
                    host, f"node {host.node.name}: {workers} in a row could not train: {reason}"
                )

    def _is_lost_too_often(self, name: str) -> bool:
        self._losses[name] = self._losses.get(name, 0) + 1
        return self._losses[name] >= MOST_LOSSES

    def _end(self, slot: _Slot) -> None:
        self._slots.remove(slot)
        slot.held.close()
        if answers(self.address):  # else it has ended, or ends by itself
            ray.kill(slot.actor)

    def _refuse(self, host: _Host, refusal: str) -> None:
        if host.refusal is None:
            host.refusal = refusal
            self._notice(f"{refusal}; the others go on without it")

    def _notice(self, text: str) -> None:
        self._notices.append(Noticed(text))

    def close(self) -> None:
        """End all workers and leave the cluster."""
        if self._mark is not None:
            self._mark.path.unlink(missing_ok=True)
        if not answers(self.address):  # else Ray would wait for it
            for slot in self._slots:
                slot.held.close()
            return
        idle = [slot for slot in self._slots if slot.greeting is None and slot.job is None]
        with contextlib.suppress(RayError):
            if ends := [slot.actor.end.remote() for slot in idle]:
                ray.wait(ends, num_returns=len(ends), timeout=ENDS)
        for slot in list(self._slots):
            self._end(slot)
        disconnect()


def _wants_gpus(device: str, there: Sequence[Node]) -> bool:
    """Return whether workers take GPUs: if they are asked for, or there are any."""
    return device == "cuda" or (device == "auto" and any(node.gpus for node in there))


def _missing(need: Need) -> str:
    gpus = " and a GPU" if need.gpus else ""
    return f"no node with {counted(need.cpus, 'core')}{gpus} for a worker; let one join it"


def _raised(event: Event) -> Event:
    """Return an event; raise it if it says that nothing can be trained."""
    if isinstance(event, Failed) and event.run is None:
        raise WorkerError(event.reason)
    return event
