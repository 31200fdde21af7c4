"""The unit of work and of storage: one config, one seed, one dataset."""

import hashlib
from functools import cached_property
from typing import Self

from pydantic import Field

from alexnet.config import EDITION, Config, Frozen, Precision
from alexnet.config.base import canonical
from alexnet.data.manifest import OWN_NAME, Manifest

TUNING_SEEDS = (1000, 1001)
"""Seeds of the runs that choose a rate; they never see the test images."""

SHORT = 12
"""Digits of an id that people see."""


class DatasetRef(Frozen):
    """A dataset by its content."""

    name: str = Field(pattern=f"^{OWN_NAME.pattern}$")  # files are called by it
    digest: str
    split: str

    @classmethod
    def of(cls, manifest: Manifest) -> Self:
        """Return the reference to a prepared dataset."""
        return cls(name=manifest.name, digest=manifest.digest, split=manifest.split)


class Run(Frozen):
    """One question that training answers; knows nothing of studies, machines or places."""

    config: Config
    seed: int
    dataset: DatasetRef
    precision: Precision
    edition: int = EDITION

    @cached_property
    def id(self) -> str:
        """SHA-256, in hex, of all that decides the numbers; shown by its first twelve digits."""
        others = self.model_dump(mode="json", exclude={"config"})
        del others["dataset"]["name"]  # images are named by their content
        # "config" comes first in the order of the alphabet, and is written once for all its runs.
        identity = f'{{"config":{self.config.canonical},{canonical(others)[1:]}'
        return hashlib.sha256(identity.encode()).hexdigest()

    @property
    def short(self) -> str:
        """The twelve digits that people see and folders are called by."""
        return self.id[:SHORT]

    @property
    def sees_test(self) -> bool:
        """Whether this run may be measured on the test images."""
        return self.seed not in TUNING_SEEDS
