"""What two records of one run differ in, and what the machines and code that made them do."""

import math
from collections.abc import Mapping
from typing import Any

from ablations.machine import Fingerprint, Provenance
from ablations.record import Record
from alexnet.config import Frozen
from alexnet.text import counted


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
        found.append(f"{counted(len(again.curve), 'epoch')}, for {len(recorded.curve)}")
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


def rounding_between(recorded: Record, again: Record) -> float:
    """Return the largest relative difference of two records' losses; infinite if more differs."""
    return _relative(_all_told(recorded), _all_told(again))


def _all_told(record: Record) -> dict[str, Any]:
    epochs = [_told(epoch) for epoch in record.curve]
    return {"status": record.status, "curve": epochs, "measures": _told(record.measures)}


def _relative(old: Any, new: Any) -> float:
    """Return the largest relative difference of two contents' fractions; infinite beside those.

    >>> _relative({"errors": [3, 4], "loss": 0.5}, {"errors": [3, 4], "loss": 0.75})
    0.5
    >>> _relative({"errors": [3, 4]}, {"errors": [3, 5]})
    inf
    """
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        return max((_relative(value, new.get(name)) for name, value in old.items()), default=0.0)
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        return max((_relative(a, b) for a, b in zip(old, new, strict=True)), default=0.0)
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


def settings_apart(recorded: Record, again: Record) -> list[str]:
    """Return what machine and code differ in that made two records, a few words each."""
    return [
        *fingerprints_apart(recorded.fingerprint, again.fingerprint),
        *_code_apart(recorded.provenance, again.provenance),
    ]


def fingerprints_apart(recorded: Fingerprint, again: Fingerprint) -> list[str]:
    """Return what two machines differ in of that which decides bits, a few words each.

    >>> base = {"device": "cpu", "processor": "A", "capability": "AVX2", "threads": 1}
    >>> older = Fingerprint(**base, torch="2.13.0")
    >>> fingerprints_apart(older, older.but(torch="2.14.0", processor="B"))
    ['processor B for A', 'torch 2.14.0 for 2.13.0']
    """
    # Not by `model_dump`, which leaves out what has its default.
    pairs = (
        (name, getattr(recorded, name), getattr(again, name)) for name in Fingerprint.model_fields
    )
    return [f"{name} {_listed(new)} for {_listed(old)}" for name, old, new in pairs if old != new]


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
