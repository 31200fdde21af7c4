"""What a finished run leaves behind."""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field

from ablations.machine import Fingerprint, Provenance
from ablations.run import Run
from alexnet.config import Config, Frozen
from alexnet.config.base import canonical
from alexnet.learning_curve import Epoch
from alexnet.measures import Measures
from alexnet.sealed import SealError, read_sealed, sealed_text

FEWEST_DIGITS = 4
"""Of an id that names a run."""


class RecordError(ValueError):
    """A record that cannot be trusted; the message names it and what to do."""


class NamingError(ValueError):
    """Digits that do not name one run; the message says so."""


class Seconds(Frozen):
    """Time by phase, on the clock."""

    training: float
    evaluation: float


class Record(Frozen):
    """The answer to one run: a question asked by its config, its seed and its images."""

    schema_version: Literal[1] = 1
    run: Run
    status: Literal["finished", "diverged"]
    curve: tuple[Epoch, ...]
    measures: Measures | None  # None when training diverged
    files: dict[str, str] = Field(default_factory=dict)  # SHA-256 of each, written before this
    seconds: Seconds
    interruptions: int = 0  # times it was taken up again from its checkpoint
    fingerprint: Fingerprint
    provenance: Provenance

    def to_json(self) -> str:
        """Return the record as JSON that carries its own SHA-256."""
        content = self.model_dump(mode="json") | {"id": self.run.id}
        return sealed_text(content)

    @classmethod
    def read(cls, path: Path) -> Self:
        """Return the record in a file.

        Raises:
            RecordError: If the file was cut short or edited, or is of another schema.
        """
        advice = "it is kept and treated as absent; delete it to silence this"
        try:
            content = read_sealed(path)
        except SealError as error:
            raise RecordError(f"{path} {error}; {advice}") from error
        try:
            del content["id"]  # computed anew from the run, so that a folder's name is only a name
            content["run"]["config"] = _config(canonical(content["run"]["config"]))
            _share_counts(content["curve"])
            return cls.model_validate(content)
        except (ValueError, KeyError, TypeError) as error:
            raise RecordError(f"{path} is of another version of this program; {advice}") from error


def named(digits: str, records: Sequence[Record], what: str = "run") -> Record:
    """Return the record of the run whose id begins with some digits.

    Args:
        digits: As a person wrote them.
        records: That it may be of.
        what: What these are of, in words.

    Raises:
        NamingError: If none does, or several do, or there are too few digits.
    """
    found = [record for record in records if record.run.id.startswith(digits.lower())]
    if len(digits) < FEWEST_DIGITS or len(found) > 1:
        raise NamingError(f"{digits!r} does not name one run; give more digits of its id")
    if not found:
        raise NamingError(f"no {what} has an id that begins with {digits!r}")
    return found[0]


@lru_cache(maxsize=1024)
def _config(text: str) -> Config:
    """Return a config, the same object for all runs that differ in their seeds alone."""
    return Config.model_validate_json(text)


def _share_counts(curve: list[dict[str, Any]]) -> None:
    """Let equal numbers of images be one number: a tenth of what many records take in memory."""
    known: dict[int, int] = {}
    for epoch in curve:
        epoch["images"] = [known.setdefault(count, count) for count in epoch["images"]]
