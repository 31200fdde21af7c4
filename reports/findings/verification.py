"""Whether a recorded run comes to the same when it is trained again, and what is kept of that.

With the same code on the same processor, PyTorch and settings a run repeats to the bit. Elsewhere
it need not: what differs in the last digit is another run by the end of training, as another seed
is. So that the two may differ by what two seeds of the arm do, and by no more.
"""

import math
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, NamedTuple

from pydantic import Field

from ablations.machine import Fingerprint, Provenance
from ablations.record import Record
from ablations.results import Results
from ablations.run import SHORT
from ablations.store import Store
from alexnet.config import Frozen
from alexnet.durable import write_atomically
from alexnet.learning_curve import running_curve, time_to
from alexnet.locks import locked
from alexnet.sealed import SealError, read_sealed, sealed_text
from alexnet.text import counted
from reports.analysis.statistics import difference_limit
from reports.findings.record_differences import differences, rounding_between, settings_apart

FILE = "verified.json"
"""In a results folder: what came of every run that was trained again."""
ALPHA = 0.01
"""The chance that runs which are alike lie outside of the limits, by any number of any of them."""
FEWEST = 5
"""Other seeds that limits are drawn from: with 3, two runs may differ by 24 deviations."""
ROUNDING = 1e-6
"""Of a loss: what another order of summation may change. Errors are counted, and may not."""

Outcome = Literal["equal", "consistent", "different", "not judged"]


class Compared(Frozen):
    """One number of a run: as recorded, as trained again, and where it would lie by chance."""

    name: str
    recorded: float
    again: float
    lower: float | None  # the recorded one, and what two seeds may differ by; None with too few
    upper: float | None

    @property
    def inside(self) -> bool:
        """Whether it lies within the limits, which are there."""
        if self.lower is None or self.upper is None:
            return False
        return self.lower <= self.again <= self.upper


class Verified(Frozen):
    """A run that was trained again, and what came of it."""

    run: str  # the whole id
    recorded_at: datetime  # of the record that it was held against
    outcome: Outcome
    differences: tuple[str, ...]  # what differs, the first of each kind; none if equal
    settings: tuple[str, ...]  # what machine and code differ in
    rounding: float | None = None  # the largest relative difference; None if more than a loss
    seeds: int  # others that ended alike, which limits are drawn from
    compared: tuple[Compared, ...] = Field(default=())
    fingerprint: Fingerprint  # of the machine that trained it again
    provenance: Provenance

    @property
    def holds(self) -> bool:
        """Whether it came to the same, to the bit or within the limits."""
        return self.outcome in ("equal", "consistent")


def verify(recorded: Record, again: Record, results: Results, sampled: int = 1) -> Verified:
    """Return what it comes to that a run was trained again.

    Args:
        recorded: As it was found.
        again: Of the same run.
        results: Where the other seeds of the same arm are looked for.
        sampled: How many runs are trained again together, among which limits are shared out.
    """
    found = differences(recorded, again)
    settings = settings_apart(recorded, again)
    rounding = rounding_between(recorded, again)
    others = other_seeds(recorded, results)
    alike = [other for other in others if _end(other) == _end(recorded)]
    compared: tuple[Compared, ...] = ()
    if found and _end(again) == _end(recorded) != "diverged":
        compared = _compared(recorded, again, alike, ALPHA / sampled)
    if not found:
        outcome: Outcome = "equal"
    elif not settings:
        outcome = "different"
    elif rounding <= ROUNDING:
        outcome = "consistent"
    elif _end(again) != _end(recorded):  # no limits say how rare that is
        certain = len(others) >= FEWEST and len({_end(other) for other in others}) == 1
        outcome = "different" if certain else "not judged"
    elif _end(again) == "diverged":
        outcome = "consistent"  # which is all that such a record says
    else:
        outcome = _of_numbers(compared)
    return Verified(
        run=recorded.run.id,
        recorded_at=recorded.provenance.at,
        outcome=outcome,
        differences=tuple(found),
        settings=tuple(settings),
        rounding=rounding if math.isfinite(rounding) else None,
        seeds=len(alike),
        compared=compared,
        fingerprint=again.fingerprint,
        provenance=again.provenance,
    )


def _end(record: Record) -> str:
    """Return how a run ended, of which no limits can be drawn."""
    until = record.run.config.training.until
    if until is None or record.status == "diverged":
        return record.status
    reached = time_to(until.training_error, running_curve(record.curve)) is not None
    return "reached" if reached else "not reached"


def _of_numbers(compared: Sequence[Compared]) -> Outcome:
    judged = [row for row in compared if row.lower is not None]
    if not judged:
        return "not judged"
    return "consistent" if all(row.inside for row in judged) else "different"


def other_seeds(record: Record, results: Results) -> list[Record]:
    """Return the records of the same question with other seeds, as they are measured."""
    mine = record.run
    return [
        other
        for other in results.records()
        if other.run.seed != mine.seed
        and other.run.sees_test == mine.sees_test
        and _question(other) == _question(record)
    ]


def _question(record: Record) -> tuple[Any, ...]:
    """Return all that decides the numbers of a run but its seed."""
    run = record.run
    return run.dataset.digest, run.dataset.split, run.precision, run.edition, run.config


class Number(NamedTuple):
    """A number of a run, and the smallest step in which it can be another."""

    value: float
    step: float


def numbers(record: Record) -> dict[str, Number]:
    """Return what limits are drawn of: loss and errors, or how long it took to a threshold.

    A run that ends at a threshold has the same error there whatever came before.
    """
    found: dict[str, Number] = {}
    until, last = record.run.config.training.until, record.curve[-1] if record.curve else None
    if until is not None:
        epochs = time_to(until.training_error, running_curve(record.curve))
        if epochs is not None:
            found["epochs to the threshold"] = Number(epochs, 1e-9)
    elif last is not None:
        found["training loss"] = Number(last.loss, 1e-6)
        found["training error"] = Number(last.error, 1 / sum(last.images))
    if record.measures is not None:
        measures = record.measures
        part = measures.valid if measures.test is None else measures.test
        name = "validation error" if measures.test is None else "test error"
        found[name] = Number(part.top1_error, 1 / part.images)
    return found


def _compared(
    recorded: Record, again: Record, others: Sequence[Record], alpha: float
) -> tuple[Compared, ...]:
    old, new = numbers(recorded), numbers(again)
    known = [numbers(other) for other in others]
    both = [name for name in old if name in new]
    rows = []
    for name in both:
        values = [each[name].value for each in known if name in each]
        value, limit = old[name].value, None
        if len(values) >= FEWEST:
            # Seeds that happen to agree do not make what is counted in images exact.
            limit = difference_limit(values, alpha / len(both)) + old[name].step
        rows.append(
            Compared(
                name=name,
                recorded=value,
                again=new[name].value,
                lower=None if limit is None else value - limit,
                upper=None if limit is None else value + limit,
            )
        )
    return tuple(rows)


class Verifications(Frozen):
    """What is kept of all that was trained again, in one file of a results folder."""

    schema_version: Literal[1] = 1
    verified: tuple[Verified, ...] = ()


def read_verified(results: Results) -> tuple[list[Verified], list[str]]:
    """Return what came of the runs of a store that were trained again, and what is wrong in it.

    Of a record that is no longer the one that was verified, nothing is said.

    Returns:
        The latest of each run; and a sentence each: a file that cannot be trusted, and every
        machine on which a run came last to something else.
    """
    kept: list[Verified] = []
    problems = []
    for folder in results.folders:
        path = folder / FILE
        try:
            kept += _read(path).verified
        except (SealError, OSError) as error:
            problems.append(f"{path} {error}; it is kept and treated as absent")
    at = {record.run.id: record.provenance.at for record in results.records()}
    kept = [one for one in kept if at.get(one.run) == one.recorded_at]
    kept.sort(key=lambda one: one.provenance.at)
    by_machine = {(one.run, one.fingerprint): one for one in kept}  # the latest of each
    problems += [
        f"run {one.run[:SHORT]} came to something else when it was trained again, "
        f"{where_and_when([one])}: {one.differences[0]}"
        for one in by_machine.values()
        if one.outcome == "different"
    ]
    return list({one.run: one for one in kept}.values()), problems


def keep(results: Path, found: Verified) -> None:
    """Add what came of a run to those kept in a results folder, in place of the same machine's.

    Raises:
        OSError: If it cannot be written.
    """
    path = results / FILE
    with locked(path.with_name(f".{FILE}.lock")):
        try:
            before = _read(path).verified
        except SealError:
            Store(results).set_aside(path)
            before = ()
        key = found.run, found.fingerprint
        others = (one for one in before if (one.run, one.fingerprint) != key)
        content = Verifications(verified=(*others, found)).model_dump(mode="json")
        write_atomically(path, sealed_text(content).encode())


def _read(path: Path) -> Verifications:
    try:
        return Verifications.model_validate(read_sealed(path))
    except FileNotFoundError:
        return Verifications()
    except SealError:
        raise
    except ValueError as error:
        raise SealError("is of another version of this program") from error


def summary(found: Sequence[Verified]) -> str:
    """Return how many runs came to the same, and how exactly."""
    counts = Counter(one.outcome for one in found)
    holding = sum(one.holds for one in found)
    how: dict[Outcome, str] = {
        "equal": "to the bit",
        "consistent": "within rounding or what seeds differ by",
        "different": "different",
        "not judged": "not judged, for want of other seeds",
    }
    told = ", ".join(f"{counts[kind]} {text}" for kind, text in how.items() if counts[kind])
    return f"{holding} of {counted(len(found), 'run')} came to the same when trained again: {told}"


def where_and_when(found: Sequence[Verified]) -> str:
    """Return on which machines, and on which days, runs were trained again."""
    machines = sorted({f"{one.fingerprint.hardware}, PyTorch {_release(one)}" for one in found})
    days = sorted({one.provenance.at.date().isoformat() for one in found})
    span = days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"
    return f"on {' and '.join(machines)}, {span}"


def _release(one: Verified) -> str:
    return one.fingerprint.torch.split("+")[0]
