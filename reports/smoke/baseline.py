"""What the smoke came to when it was last right, and how far from that a loss may lie.

The smoke trains in float64, where twenty updates leave what processors, numbers of threads and
releases of PyTorch do to the last digits far below `TOLERANCE`, and a change of the mathematics far
above it. So one tolerance serves every arm on every machine.
"""

import json
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray

from ablations.machine import Fingerprint
from ablations.record import Record
from ablations.registration import RequestError
from alexnet.config import EDITION, Frozen, Precision, added_field
from alexnet.durable import write_atomically
from alexnet.sealed import SealError, read_sealed, seal_of
from reports.smoke.trainings import Smoked

TOLERANCE = 1e-8
"""How far a loss of a training in float64 may lie from what is expected, nats.

Between AVX2, AVX-512 and PyTorch's plainest kernels, one thread and two, PyTorch 2.6, 2.13 and 2.14
the largest difference that was seen is 3e-15; of an older smoke, on another processor, 2e-10.
"""
NARROW_UPDATES = 2
"""Updates of a training in another precision that are compared: the first shows the forward pass,
the second the backward pass and the update. From there on rounding grows to as much as learning."""
NARROW_TOLERANCES: dict[Precision, float] = {"float32": 1e-4, "bfloat16": 0.01}
"""How far these may lie off, nats: they show another formula, and not another digit. Seen were
differences of 1e-6, the last digit kept, and of 6e-4 between emulated and native bfloat16; after
twenty updates of 0.1 in either."""
DIGITS = 12
"""Decimals of a loss in the file: far more than a tolerance asks for."""
OVERFLOW = 1e9
"""How far a loss that is no number lies from one that is."""
EVALUATED = ("clean training", "valid", "test", "test by ten views")

Losses = tuple[float | None, ...]
"""What is compared, nats; None where it overflowed. Of float64 every update and one evaluation."""


class BaselineError(RequestError):
    """A baseline that cannot be used; the message names it and the way out."""


class MadeWith(Frozen):
    """Where the losses come from."""

    reason: str  # why it was made anew
    torch: str
    device: str  # cpu, or the name of the accelerator
    processor: str
    capability: str
    threads: int
    edition: int
    variables: tuple[str, ...] = added_field(())
    devices: int = added_field(1)


class Expected(Frozen):
    """One training, and what it came to."""

    run: str  # twelve digits; others mean another question
    arms: tuple[str, ...]  # study/arm
    losses: Losses


def losses_of(record: Record) -> dict[str, float | None]:
    """Return the losses of a smoke's record that are compared, by what each is of."""
    updates = [loss for epoch in record.curve for loss in epoch.losses]  # each a tenth of an epoch
    found: dict[str, float | None] = {f"step {n}": loss for n, loss in enumerate(updates, start=1)}
    if record.run.precision in NARROW_TOLERANCES:
        return dict(islice(found.items(), NARROW_UPDATES))
    if (m := record.measures) is not None:
        seen = zip(EVALUATED, (m.train, m.valid, m.test, m.test_ten), strict=True)
        found |= {name: None if one is None else one.loss for name, one in seen}
    return found


def tolerance_of(precision: Precision) -> float:
    """Return how far a loss of a training in some precision may lie off, nats."""
    return NARROW_TOLERANCES.get(precision, TOLERANCE)


class Baseline(Frozen):
    """A committed file of what every training of the smoke comes to."""

    schema_version: Literal[3] = 3
    made_with: MadeWith
    trainings: tuple[Expected, ...]

    @classmethod
    def of(cls, reason: str, fingerprint: Fingerprint, smoked: Sequence[Smoked]) -> Self:
        """Return the baseline of a smoke.

        Raises:
            BaselineError: If a training failed or was left out; what ought to come of it is not
                known then. It names the first.
        """
        trainings = []
        for one in smoked:
            if one.record is None or one.failure:
                why = one.failure or "it was left out"
                raise BaselineError(f"{one.training.arms[0]} has no losses to keep: {why}")
            losses = losses_of(one.record).values()
            kept = tuple(None if loss is None else round(loss, DIGITS) for loss in losses)
            trainings.append(
                Expected(run=one.training.run.short, arms=one.training.arms, losses=kept)
            )
        made_with = MadeWith(reason=reason, edition=EDITION, **fingerprint.model_dump())
        return cls(made_with=made_with, trainings=tuple(trainings))

    @classmethod
    def read(cls, path: Path) -> Self:
        """Return the baseline in a file.

        Raises:
            BaselineError: If there is none, or it is not one.
        """
        advice = "make it anew with --update-baseline"
        try:
            return cls.model_validate_json(json.dumps(read_sealed(path)))
        except FileNotFoundError as error:
            raise BaselineError(
                f"there is no baseline {path}; make it with --update-baseline --reason TEXT"
            ) from error
        except OSError as error:
            raise BaselineError(f"{path} cannot be read ({error.strerror})") from error
        except SealError as error:
            raise BaselineError(f"{path} {error}; {advice}") from error
        except ValueError as error:
            raise BaselineError(f"{path} is not a baseline of this version; {advice}") from error

    def write(self, path: Path) -> None:
        """Write it, a line for each list of losses, so that a change is easy to read."""
        head = json.dumps(self.made_with.model_dump(mode="json"), indent=1)
        rows = [
            ",\n  ".join(f"{json.dumps(k)}: {json.dumps(v)}" for k, v in one.model_dump().items())
            for one in self.trainings
        ]
        body = ",\n".join(f" {{{row}}}" for row in rows)
        seal = seal_of(self.model_dump(mode="json"))
        text = (
            f'{{"schema_version": {self.schema_version},\n"sha256": "{seal}",\n'
            f'"made_with": {head},\n"trainings": [\n{body}\n]}}\n'
        )
        write_atomically(path, text.encode())

    @property
    def by_arm(self) -> dict[str, Expected]:
        """What is expected of every arm."""
        return {arm: one for one in self.trainings for arm in one.arms}


def is_comparable(precision: Precision, device: str, baseline: MadeWith) -> bool:
    """Whether the losses of a training can be held against a baseline at all.

    A GPU draws dropout masks of its own, except in float64.

    Args:
        precision: Of the training.
        device: Where it was trained: cpu, or the name of the accelerator.
        baseline: Where what is expected comes from.
    """
    return precision == "float64" or device == baseline.device


def differences(losses: Losses, expected: Losses) -> NDArray[np.float64]:
    """Return by how much losses differ; one that is no number on one side alone, by a lot."""
    return np.array([_distance(one, other) for one, other in zip(losses, expected, strict=True)])


def _distance(one: float | None, other: float | None) -> float:
    if one is None or other is None:
        return 0.0 if one is other else OVERFLOW
    return abs(one - other)


def furthest(losses: Losses, expected: Losses, tolerance: float) -> int | None:
    """Return the place of the loss furthest beyond a tolerance, or None if none is beyond.

    Raises:
        ValueError: If there are not as many of both.
    """
    distances = differences(losses, expected)
    place = int(distances.argmax())
    return place if distances[place] > tolerance else None
