"""Runs in the order in which they are given out; where one of several drivers starts in it."""

import heapq
import itertools
import re
from collections.abc import Mapping
from typing import NamedTuple, Self

from ablations.run import Run
from alexnet.text import shown

SLURM = ("ID", "MIN", "COUNT", "STEP")
"""Of an array's task, in ``SLURM_ARRAY_TASK_...``."""
Place = tuple[int, ...]


class ShardError(ValueError):
    """What names no shard; the message says what does."""


class DriverShard(NamedTuple):
    """Which of several drivers of one folder this is.

    It says where a driver starts in each stage of the order, never which runs there are.
    """

    number: int = 1  # from 1 on
    of: int = 1

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the shard that a person writes as ``2/4``.

        >>> DriverShard.parse("2/4")
        DriverShard(number=2, of=4)

        Raises:
            ShardError: If it is none.
        """
        written = re.fullmatch(r"\s*(\d{1,9})\s*/\s*(\d{1,9})\s*", text)
        number, of = map(int, written.groups()) if written else (0, 0)
        if not 1 <= number <= of:
            many = of if 1 <= of < number else 4
            raise ShardError(
                f"{text!r} is not a shard; write which of how many, from 1/{many} to {many}/{many}"
            )
        return cls(number, of)

    @classmethod
    def of_slurm(cls, variables: Mapping[str, str]) -> Self:
        """Return the task of a SLURM array that this is; the only one outside of arrays.

        Args:
            variables: Of the environment. Tasks are numbered from any number on, in steps.

        Raises:
            ShardError: If they say what no array does.
        """
        if "SLURM_ARRAY_TASK_ID" not in variables:
            return cls()
        told = {name: variables.get(f"SLURM_ARRAY_TASK_{name}", "1") for name in SLURM}
        try:
            task, first, of, step = (int(told[name]) for name in SLURM)
            return cls((task - first) // step % of + 1, of)
        except (ValueError, ZeroDivisionError) as error:
            said = ", ".join(f"SLURM_ARRAY_TASK_{name}={shown(one)}" for name, one in told.items())
            raise ShardError(
                f"{said} is of no array; say with --shard 2/4 which this is"
            ) from error

    @property
    def is_alone(self) -> bool:
        """Whether there is no other."""
        return self.of == 1


ALONE = DriverShard()


class Queue:
    """Runs to be given out, stage after stage, the most urgent of a stage first.

    Each is given out once, until it is put back. Several drivers of one folder start at places of a
    stage that are as far from each other as can be, and go round: where locks do not reach from one
    to the other, they meet at its end alone.
    """

    def __init__(self, shard: DriverShard | None = None) -> None:
        """Hold nothing.

        Args:
            shard: Where this driver starts; None for one that is alone.
        """
        self._shard = shard or ALONE
        self._stages: dict[Place, list[tuple[bool, Place, int, Run]]] = {}  # heaps
        self._starts: dict[Place, Place] = {}  # by stage, once its first run was given out
        self._places: dict[str, tuple[Place, Place]] = {}  # the most urgent, by id; until struck
        self._waiting: set[str] = set()  # ids of those that can be given out
        self._struck: set[str] = set()
        self._numbers = itertools.count()

    def add(self, stage: Place, place: Place, run: Run) -> None:
        """Add a run that is missing; one that is known may become more urgent.

        Args:
            stage: All runs of a smaller one are given out before.
            place: Within its stage; the smallest comes first, but see `DriverShard`.
            run: Nothing happens if it was given out, or has its record.
        """
        if run.id in self._struck:
            return
        is_new = run.id not in self._places
        if is_new or (run.id in self._waiting and (stage, place) < self._places[run.id]):
            self._places[run.id] = stage, place
            self._waiting.add(run.id)
            self._push(stage, place, run)

    def _push(self, stage: Place, place: Place, run: Run) -> None:
        heap = self._stages.setdefault(stage, [])
        start = self._starts.get(stage)
        heapq.heappush(heap, (start is not None and place < start, place, next(self._numbers), run))

    def take(self) -> Run | None:
        """Return the run that is due, which is now given out; None if none is waiting."""
        while self._stages:
            stage = min(self._stages)
            self._start(stage)
            heap = self._stages[stage]
            while heap:
                run = heapq.heappop(heap)[-1]
                if run.id in self._waiting:
                    self._waiting.remove(run.id)
                    return run
            del self._stages[stage]
        return None

    def _start(self, stage: Place) -> None:
        """Choose where this driver starts in a stage, as it is when its first run is given out."""
        if self._shard.number == 1 or stage in self._starts:
            return
        due = sorted(place for _, place, _, run in self._stages[stage] if run.id in self._waiting)
        if not due:
            return
        start = due[len(due) * (self._shard.number - 1) // self._shard.of]
        turned = [(place < start, place, n, run) for _, place, n, run in self._stages[stage]]
        heapq.heapify(turned)
        self._starts[stage], self._stages[stage] = start, turned

    def put_back(self, run: Run) -> None:
        """Let a run that was given out be given out again."""
        if run.id in self._places and run.id not in self._waiting:
            self._waiting.add(run.id)
            self._push(*self._places[run.id], run)

    def strike(self, run: Run) -> None:
        """Note that a run has its record: it is never given out again."""
        self._places.pop(run.id, None)
        self._waiting.discard(run.id)
        self._struck.add(run.id)

    @property
    def is_empty(self) -> bool:
        """Whether nothing can be given out now."""
        return not self._waiting

    def lacks(self, run: Run) -> bool:
        """Return whether a run was added, and has no record yet."""
        return run.id in self._places
