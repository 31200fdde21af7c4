"""What a trained network needs of its dataset to be shown a picture: kept beside its weights.

A few numbers instead of all images, so that a network predicts wherever its files are copied to.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from alexnet.config.base import Frozen
from alexnet.data.images import Dataset, Measured
from alexnet.data.manifest import DatasetError, Fit, Manifest

ABOUT = "about"
"""The one entry of the metadata: safetensors writes several in any order."""


class Description(Frozen):
    """What a dataset is, in words and sizes."""

    name: str
    digest: str
    split: str
    fit: Fit
    colour: bool
    classes: tuple[str, ...]  # as a person reads them, in the order of the scores

    @classmethod
    def of(cls, manifest: Manifest) -> Self:
        """Return what a manifest says of it."""
        return cls(
            name=manifest.name,
            digest=manifest.digest,
            split=manifest.split,
            fit=manifest.fit,
            colour=manifest.colour,
            classes=tuple(manifest.titles.get(name, name) for name in manifest.classes),
        )


@dataclass(frozen=True)
class Summary:
    """A dataset without its images."""

    description: Description
    measured: Measured

    @classmethod
    def of(cls, data: Dataset) -> Self:
        """Return the summary of a dataset, on the CPU."""
        tensors = (one.cpu() for one in (data.mean, data.deviations, data.axes))
        return cls(Description.of(data.manifest), Measured(*tensors))

    def to_bytes(self) -> bytes:
        """Return it as a file of safetensors."""
        tensors = {name: one.contiguous() for name, one in vars(self.measured).items()}
        return save(tensors, metadata={ABOUT: self.description.model_dump_json()})

    @classmethod
    def read(cls, path: Path) -> Self:
        """Return the summary in a file.

        Raises:
            DatasetError: If it is none.
        """
        try:
            with safe_open(path, framework="pt", device="cpu") as file:
                about = (file.metadata() or {})[ABOUT]
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            return cls(Description.model_validate_json(about), Measured(**tensors))
        except (SafetensorError, ValueError, TypeError, KeyError) as error:
            raise DatasetError(f"{path} is damaged, or of another version") from error
