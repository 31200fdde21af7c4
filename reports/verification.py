"""Whether a recorded run comes to the same when it is trained again, and what is kept of that.

With the same code on the same processor, PyTorch and settings a run repeats to the bit. Elsewhere
it need not, and is held against the spread of the other seeds: where one more run of the same arm
would lie.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, NamedTuple

from pydantic import Field

from ablations.machine import Fingerprint, Provenance
from ablations.record import Record
from ablations.run import SHORT
from ablations.store import Store
from alexnet.config import Frozen
from alexnet.durable import write_atomically
from alexnet.locks import locked
from alexnet.progress import running_curve, time_to
from alexnet.sealed import SealError, read_sealed, sealed_text
from reports.statistics import prediction_limits

FILE = "verified.json"
"""In a results folder: what came of every run that was trained again."""
ALPHA = 0.01
"""The chance that a run which is alike lies outside of the limits, by any of its measures."""
FEWEST = 3
"""Other seeds that limits are drawn from."""
ROUNDING = 1e-6
"""Of a loss: what another order of summation may change. Errors are counted, and may not."""

Outcome = Literal["equal", "consistent", "different", "not judged"]


class Compared(Frozen):
    """One number of a run: as recorded, as trained again, and where it would lie by chance."""

    name: str
    recorded: float
    again: float
    lower: float | None  # limits of one more seed; None with too few
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
    seeds: int  # others that limits are drawn from
    compared: tuple[Compared, ...] = Field(default=())
    fingerprint: Fingerprint  # of the machine that trained it again
    provenance: Provenance

    @property
    def holds(self) -> bool:
        """Whether it came to the same, to the bit or within the limits."""
        return self.outcome in ("equal", "consistent")


def verify(recorded: Record, again: Record, store: Store) -> Verified:
    """Return what it comes to that a run was trained again.

    Args:
        recorded: As it was found.
        again: Of the same run.
        store: Where the other seeds of the same arm are looked for.
    """
    found = differences(recorded, again)
    others = other_seeds(recorded, store)
    compared = _compared(recorded, again, others) if found else ()
    settings = (
        *settings_apart(recorded.fingerprint, again.fingerprint),
        *_code_apart(recorded.provenance, again.provenance),
    )
    rounding = _apart(_all_told(recorded), _all_told(again))
    return Verified(
        run=recorded.run.id,
        recorded_at=recorded.provenance.at,
        outcome=(
            "different"
            if recorded.status != again.status
            else _outcome(found, settings, rounding, compared)
        ),
        differences=tuple(found),
        settings=settings,
        rounding=rounding if math.isfinite(rounding) else None,
        seeds=len(others),
        compared=compared,
        fingerprint=again.fingerprint,
        provenance=again.provenance,
    )


def _outcome(
    differs: Sequence[str], elsewhere: Sequence[str], rounding: float, compared: Sequence[Compared]
) -> Outcome:
    if not differs:
        return "equal"
    if not elsewhere:
        return "different"
    if rounding <= ROUNDING:
        return "consistent"
    judged = [one for one in compared if one.lower is not None]
    if not judged:
        return "not judged"
    return "consistent" if all(one.inside for one in judged) else "different"


def differences(recorded: Record, again: Record) -> list[str]:
    """Return what differs between two records of one run, the first of each kind.

    Clocks may. What the older record does not have, because it was not measured then, cannot.
    """
    found = []
    if recorded.status != again.status:
        found.append(f"it {again.status}, and had {recorded.status}")
    for old, new in zip(recorded.curve, again.curve, strict=False):
        if (field := _first_apart(_told(old), _told(new))) is not None:
            found.append(f"epoch {old.number}: {field}")
            break
    if len(recorded.curve) != len(again.curve):
        found.append(f"{len(again.curve)} epochs, for {len(recorded.curve)}")
    if (field := _first_apart(_told(recorded.measures), _told(again.measures))) is not None:
        found.append(f"measured afterwards: {field}")
    found += [
        f"{name} has other content"
        for name, digest in sorted(recorded.files.items())
        if again.files.get(name, digest) != digest
    ]
    return found


def _told(content: Frozen | None) -> dict[str, Any]:
    """Return what a record says of an epoch or of measures, without what it does not have."""
    if content is None:
        return {}
    told = content.model_dump(mode="json", exclude={"seconds"}, exclude_defaults=True)
    return {name: value for name, value in told.items() if value is not None}


def _all_told(record: Record) -> dict[str, Any]:
    epochs = [_told(epoch) for epoch in record.curve]
    return {"status": record.status, "curve": epochs, "measures": _told(record.measures)}


def _apart(old: Any, new: Any) -> float:
    """Return the largest relative difference of two contents' fractions; infinite beside those.

    >>> _apart({"errors": [3, 4], "loss": 0.5}, {"errors": [3, 4], "loss": 0.75})
    0.5
    >>> _apart({"errors": [3, 4]}, {"errors": [3, 5]})
    inf
    """
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        return max((_apart(value, new.get(name)) for name, value in old.items()), default=0.0)
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        return max((_apart(a, b) for a, b in zip(old, new, strict=True)), default=0.0)
    if old == new:
        return 0.0
    if isinstance(old, float) and isinstance(new, float) and old:
        return abs(new - old) / abs(old)
    return math.inf


def _first_apart(old: Any, new: Any) -> str | None:
    """Return the first value of ``old`` that ``new`` has otherwise, with both; None if none."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for name, value in old.items():
            if (inside := _first_apart(value, new.get(name))) is not None:
                return f"{name.replace('_', ' ')} {inside}"
        return None
    if old == new:
        return None
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        at, one, other = next(
            (i, a, b) for i, (a, b) in enumerate(zip(old, new, strict=True)) if a != b
        )
        return f"{other} for {one}, the {at + 1}. of {len(old)}"
    return f"{new} for {old}"


def settings_apart(recorded: Fingerprint, again: Fingerprint) -> list[str]:
    """Return what two machines differ in of that which decides bits, a few words each.

    >>> base = {"device": "cpu", "processor": "A", "capability": "AVX2", "threads": 1}
    >>> older = Fingerprint(**base, torch="2.13.0")
    >>> settings_apart(older, older.but(torch="2.14.0", processor="B"))
    ['processor B for A', 'torch 2.14.0 for 2.13.0']
    """
    old, new = recorded.model_dump(), again.model_dump()
    return [
        f"{name} {_listed(new[name])} for {_listed(old[name])}"
        for name in old
        if old[name] != new[name]
    ]


def _code_apart(recorded: Provenance, again: Provenance) -> list[str]:
    """Return whether other code trained a run; within an edition it may round otherwise."""
    old, new = (_code(made) for made in (recorded, again))
    if old != new:
        return [f"code of {new} for {old}"]
    known = recorded.commit is not None and recorded.clean
    return [] if known else ["code that may be other, which is no commit's"]


def _code(made: Provenance) -> str:
    if made.commit is None:
        return "an installed copy"
    return made.commit + ("" if made.clean else " with changes")


def _listed(value: Any) -> str:
    return " ".join(value) or "none" if isinstance(value, tuple) else str(value)


def other_seeds(record: Record, store: Store) -> list[Record]:
    """Return the finished records of the same question with other seeds, as they are measured."""
    mine = record.run
    return [
        other
        for other in store.records()
        if other.run.seed != mine.seed
        and other.status == "finished"
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


def _compared(recorded: Record, again: Record, others: Sequence[Record]) -> tuple[Compared, ...]:
    old, new = numbers(recorded), numbers(again)
    told = [numbers(other) for other in others]
    both = [name for name in old if name in new]
    rows = []
    for name in both:
        values = [one[name].value for one in told if name in one]
        limits = None
        if len(values) >= FEWEST:
            limits = prediction_limits(values, ALPHA / len(both))
        step = old[name].step
        rows.append(
            Compared(
                name=name,
                recorded=old[name].value,
                again=new[name].value,
                # Seeds that happen to agree do not make what is counted in images exact.
                lower=None if limits is None else limits[0] - step,
                upper=None if limits is None else limits[1] + step,
            )
        )
    return tuple(rows)


class Verifications(Frozen):
    """What is kept of all that was trained again, in one file of a results folder."""

    schema_version: Literal[1] = 1
    verified: tuple[Verified, ...] = ()


def read_verified(store: Store) -> tuple[list[Verified], list[str]]:
    """Return what came of the runs of a store that were trained again, and what is wrong in it.

    Of a record that is no longer the one that was verified, nothing is said.

    Returns:
        The latest of each run; and a sentence each: a file that cannot be trusted, and every
        machine on which a run came last to something else.
    """
    kept: list[Verified] = []
    problems = []
    for folder in store.folders:
        path = folder / FILE
        try:
            kept += _read(path).verified
        except (SealError, OSError) as error:
            problems.append(f"{path} {error}; it is kept and treated as absent")
    at = {record.run.id: record.provenance.at for record in store.records()}
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
        "consistent": "within rounding or the limits of other seeds",
        "different": "different",
        "not judged": "not judged, for want of other seeds",
    }
    told = ", ".join(f"{counts[kind]} {text}" for kind, text in how.items() if counts[kind])
    return f"{holding} of {len(found)} runs came to the same when trained again: {told}"


def where_and_when(found: Sequence[Verified]) -> str:
    """Return on which machines, and on which days, runs were trained again."""
    machines = sorted({f"{one.fingerprint.hardware}, PyTorch {_release(one)}" for one in found})
    days = sorted({one.provenance.at.date().isoformat() for one in found})
    span = days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"
    return f"on {' and '.join(machines)}, {span}"


def _release(one: Verified) -> str:
    return one.fingerprint.torch.split("+")[0]
