"""What the smoke came to when it was last right, and by how much machines may differ from it.

Losses of twenty updates and of one evaluation, and a tolerance for each: five times the largest
difference that was seen between numbers of threads, sets of instructions and releases of PyTorch.
Public CI changes its processor from job to job, so that equal losses would fail at random; but
most differ by less than a millionth, and few mistakes are as small.
"""

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray

from ablations.machine import Fingerprint
from ablations.record import Record
from ablations.store import write_atomically
from alexnet.config import EDITION, Frozen
from reports.request import RequestError
from reports.smoke_runs import Smoked

TIMES = 5
"""How many times as far as machines were seen to differ a loss may lie."""
LEAST = 1e-6
"""Losses are kept to a millionth, and a machine that was not seen may round the other way."""
OVERFLOW = 1e9
"""How far a loss that is no number lies from one that is."""
COUNT = re.compile(r", (\d+) of \d+ trainings$")
EVALUATED = ("clean training", "valid", "test", "test by ten views")

Losses = tuple[float | None, ...]
"""Of every update, then of one evaluation, nats; None where it overflowed."""


class BaselineError(RequestError):
    """A baseline that cannot be used; the message names it and the way out."""


class MadeWith(Frozen):
    """Where the losses come from, and what their tolerances were measured over."""

    reason: str  # why it was made anew
    torch: str
    processor: str
    capability: str
    threads: int
    edition: int
    measured_over: tuple[str, ...]  # in words; with of how many trainings, if not of all

    @property
    def text(self) -> str:
        """Where and why, in words."""
        where = in_words(self.torch, self.capability, self.threads)
        return f"{where}, edition {self.edition}: {self.reason}"


class Expected(Frozen):
    """One training: what it came to, and how far from that it may lie."""

    run: str  # twelve digits; others mean another question
    arms: tuple[str, ...]  # study/arm
    losses: Losses
    tolerances: tuple[float, ...]


def losses_of(record: Record) -> Losses:
    """Return the losses of a smoke's record, in the order of `names_of`."""
    measures = record.measures
    seen = (
        ()
        if measures is None
        else (measures.train, measures.valid, measures.test, measures.test_ten)
    )
    updates = [loss for epoch in record.curve for loss in epoch.losses]
    ends = (None if one is None or one.loss is None else round(one.loss, 6) for one in seen)
    return (*updates, *ends)


def names_of(count: int) -> list[str]:
    """Return what so many losses are of: an update is a tenth of an epoch.

    >>> names_of(6)
    ['step 1', 'step 2', 'clean training', 'valid', 'test', 'test by ten views']
    """
    steps = [f"step {number + 1}" for number in range(count - len(EVALUATED))]
    return [*steps, *EVALUATED]


def said_of(fingerprint: Fingerprint) -> str:
    """Return under which conditions something was trained, in words."""
    return in_words(fingerprint.torch, fingerprint.capability, fingerprint.threads)


def in_words(torch: str, capability: str, threads: int) -> str:
    """Return a release, a set of instructions and a number of threads.

    >>> in_words("2.14.1", "AVX2", 1)
    'torch 2.14.1, AVX2, 1 thread'
    """
    return f"torch {torch}, {capability}, {threads} {'thread' if threads == 1 else 'threads'}"


class Baseline(Frozen):
    """A committed file of what every training of the smoke comes to."""

    schema_version: Literal[1] = 1
    made_with: MadeWith
    trainings: tuple[Expected, ...]

    @classmethod
    def read(cls, path: Path) -> Self:
        """Return the baseline in a file.

        Raises:
            BaselineError: If there is none, or it is not one.
        """
        try:
            return cls.model_validate_json(path.read_bytes())
        except FileNotFoundError as error:
            raise BaselineError(
                f"there is no baseline {path}; make it with --update-baseline --reason TEXT"
            ) from error
        except OSError as error:
            raise BaselineError(f"{path} cannot be read ({error.strerror})") from error
        except ValueError as error:
            raise BaselineError(
                f"{path} is not a baseline of this version; make it anew with --update-baseline"
            ) from error

    def write(self, path: Path) -> None:
        """Write it, a line for each list of losses, so that a change is easy to read."""
        head = json.dumps(self.made_with.model_dump(mode="json"), indent=1)
        rows = [
            ",\n  ".join(f"{json.dumps(k)}: {json.dumps(v)}" for k, v in one.model_dump().items())
            for one in self.trainings
        ]
        body = ",\n".join(f" {{{row}}}" for row in rows)
        text = f'{{"schema_version": 1,\n"made_with": {head},\n"trainings": [\n{body}\n]}}\n'
        write_atomically(path, text.encode())

    @property
    def by_arm(self) -> dict[str, Expected]:
        """What is expected of every arm."""
        return {arm: one for one in self.trainings for arm in one.arms}

    def widened(self, others: Iterable[Mapping[str, Losses]], where: Sequence[str]) -> Self:
        """Return it with tolerances for what was seen elsewhere; what is expected stays.

        Args:
            others: Losses of the same code under other conditions, by the run's twelve digits.
            where: These conditions in words.
        """
        seen = list(others)
        trainings = [
            one.but(
                tolerances=wider(
                    one.tolerances,
                    tolerances(one.losses, [o[one.run] for o in seen if one.run in o]),
                )
            )
            for one in self.trainings
        ]
        over = tuple(dict.fromkeys((*self.made_with.measured_over, *where)))
        return self.but(made_with={"measured_over": over}, trainings=trainings)

    def kept(self, before: Self) -> Self:
        """Return it with the tolerances of an older one for what has not changed since.

        An older baseline may have seen releases that are not here; of how many trainings they
        still say something is kept with them.
        """
        known = {one.run: one for one in before.trainings}
        same = {
            one.run
            for one in self.trainings
            if one.run in known and furthest(one.losses, known[one.run]) is None
        }
        trainings = [
            one.but(tolerances=wider(one.tolerances, known[one.run].tolerances))
            if one.run in same
            else one
            for one in self.trainings
        ]
        here = self.made_with.measured_over
        older = [
            _counted(where, len(same), len(trainings))
            for where in before.made_with.measured_over
            if same and COUNT.sub("", where) not in here
        ]
        return self.but(made_with={"measured_over": (*here, *older)}, trainings=trainings)


def _counted(where: str, still: int, most: int) -> str:
    """Return older conditions with of how many trainings they still say something, at most."""
    before = COUNT.search(where)
    count = min(still, int(before[1])) if before else still
    return COUNT.sub("", where) + ("" if count == most else f", {count} of {most} trainings")


def make(reason: str, found: Sequence[tuple[Fingerprint, Sequence[Smoked]]]) -> Baseline:
    """Return the baseline of the smoke under several conditions, the first those of every check.

    Raises:
        BaselineError: If a training failed under some of them.
    """
    (fingerprint, first), *others = found
    for _, smoked in found:
        refuse_failures(smoked)
    trainings = tuple(
        Expected(
            run=one.training.run.short,
            arms=one.training.arms,
            losses=(seen := losses_of(one.record)),
            tolerances=tolerances(seen, []),
        )
        for one in first
        if one.record is not None
    )
    made_with = MadeWith(
        reason=reason,
        torch=fingerprint.torch,
        processor=fingerprint.processor,
        capability=fingerprint.capability,
        threads=fingerprint.threads,
        edition=EDITION,
        measured_over=(said_of(fingerprint),),
    )
    whole = Baseline(made_with=made_with, trainings=trainings)
    return whole.widened([by_run(s) for _, s in others], [said_of(f) for f, _ in others])


def refuse_failures(smoked: Iterable[Smoked]) -> None:
    """Refuse what failed: a baseline of it would call it right.

    Raises:
        BaselineError: Naming the first.
    """
    for one in smoked:
        if one.record is None or one.failure:
            why = one.failure or "it was left out"
            raise BaselineError(f"{one.training.arms[0]} has no losses to keep: {why}")


def by_run(smoked: Iterable[Smoked]) -> dict[str, Losses]:
    """Return the losses that there are, by the run's twelve digits."""
    return {
        one.training.run.short: losses_of(one.record) for one in smoked if one.record is not None
    }


def tolerances(expected: Losses, others: Sequence[Losses]) -> tuple[float, ...]:
    """Return how far losses may lie from what is expected, having seen others.

    Differences grow from update to update, so that what was seen of one holds for all after it.
    """
    apart = np.array([_apart(other, expected) for other in others]).reshape(-1, len(expected))
    spread = np.maximum.accumulate(np.maximum(apart.max(axis=0, initial=0.0), LEAST))
    return tuple(_rounded_up(TIMES * float(one)) for one in spread)


def _rounded_up(value: float) -> float:
    """Return the next number of two digits, which is shorter to read."""
    unit = 10.0 ** (math.floor(math.log10(value)) - 1)
    return float(f"{math.ceil(round(value / unit, 6)) * unit:.2g}")


def _apart(losses: Losses, expected: Losses) -> NDArray[np.float64]:
    """Return by how much losses differ; one that is no number on one side alone, by a lot."""
    pairs = zip(losses, expected, strict=True)
    return np.array([_distance(one, other) for one, other in pairs])


def _distance(one: float | None, other: float | None) -> float:
    if one is None or other is None:
        return 0.0 if one is other else OVERFLOW
    return abs(one - other)


def wider(one: Sequence[float], other: Sequence[float]) -> tuple[float, ...]:
    """Return the larger of two tolerances for every loss."""
    return tuple(max(pair) for pair in zip(one, other, strict=True))


def furthest(losses: Losses, expected: Expected) -> int | None:
    """Return the place of the loss furthest beyond its tolerance, or None if none is beyond."""
    if len(losses) != len(expected.losses):
        return min(len(losses), len(expected.losses)) - 1
    times = _apart(losses, expected.losses) / np.array(expected.tolerances)
    place = int(times.argmax())
    return place if times[place] > 1 else None
