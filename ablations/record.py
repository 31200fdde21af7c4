"""What a finished run leaves behind."""

import hashlib
import json
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field
from pydantic_core import from_json

from ablations.machine import Fingerprint, Provenance
from ablations.run import Run
from alexnet.config import Config, Frozen
from alexnet.measures import Measures
from alexnet.progress import Epoch
from alexnet.values import canonical


class RecordError(ValueError):
    """A record that cannot be trusted; the message names it and what to do."""


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
        sealed = content | {"sha256": _seal(content)}
        return json.dumps(sealed, indent=1, allow_nan=False) + "\n"

    @classmethod
    def read(cls, path: Path) -> Self:
        """Return the record in a file.

        Raises:
            RecordError: If the file was cut short or edited, or is of another schema.
        """
        advice = "it is kept and treated as absent; delete it to silence this"
        try:
            content = from_json(path.read_bytes())
            seal = content.pop("sha256")
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise RecordError(f"{path} is cut short or not a record; {advice}") from error
        if seal != _seal(content):
            raise RecordError(f"{path} was edited after it was written; {advice}")
        del content["id"]  # computed anew from the run, so that a folder's name is only a name
        try:
            content["run"]["config"] = _config(canonical(content["run"]["config"]))
            _share_counts(content["curve"])
            return cls.model_validate(content)
        except (ValueError, KeyError, TypeError) as error:
            raise RecordError(f"{path} is of another version of this program; {advice}") from error


@lru_cache(maxsize=1024)
def _config(text: str) -> Config:
    """Return a config, the same object for all runs that differ in their seeds alone."""
    return Config.model_validate_json(text)


def _share_counts(curve: list[dict[str, Any]]) -> None:
    """Let equal numbers of images be one number: a tenth of what many records take in memory."""
    known: dict[int, int] = {}
    for epoch in curve:
        epoch["images"] = [known.setdefault(count, count) for count in epoch["images"]]


def _seal(content: dict[str, Any]) -> str:
    return hashlib.sha256(canonical(content).encode()).hexdigest()
