"""What is known of a prepared dataset, and where it lies; imports neither PyTorch nor images."""

import json
import os
import re
from pathlib import Path
from typing import Literal

import platformdirs
from pydantic import Field, PositiveInt

from alexnet.config.base import Frozen
from alexnet.paths import expanded
from alexnet.sealed import sealed

EMBEDDED = Path(__file__).parent
IN_PACKAGE = ("fashion_mini",)
"""The datasets that ship with the package."""
SCHEMA: Literal[3] = 3
"""Of manifests; those before carried no digest."""

OWN_NAME = re.compile(r"[A-Za-z0-9][\w.-]{0,63}")
"""What a dataset can be called: its files are."""

Part = Literal["train", "valid", "test"]
Quality = Literal["colour", "mirror"]
"""What images can have: colours, and mirror images that are natural."""
PARTS: tuple[Part, ...] = ("train", "valid", "test")


class DatasetError(ValueError):
    """A dataset that is unknown, missing or damaged; the message says the way out."""


def in_words(count: float) -> str:
    """Return a number of bytes as a person says it.

    >>> in_words(1_234_000), in_words(2_350_000_000)
    ('1 MB', '2.4 GB')
    """
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{max(1, round(count / 1e6))} MB"


def qualities(colour: bool, mirror: bool) -> frozenset[Quality]:
    """Return what images have, by name."""
    found: dict[Quality, bool] = {"colour": colour, "mirror": mirror}
    return frozenset(name for name, there in found.items() if there)


class Fit(Frozen):
    """How images come to one size.

    ``own`` asks for images that have it; ``centre`` is section 2 of the paper: the shorter side to
    ``size`` pixels, then the central square; ``stretch`` is Caffe's forced square, which does not
    keep the shape; ``frame`` adds a black frame.
    """

    kind: Literal["own", "centre", "stretch", "frame"] = "own"
    size: PositiveInt  # pixels, side of a stored image

    @property
    def image_bytes(self) -> int:
        """How much an image takes."""
        return 3 * self.size**2

    def __str__(self) -> str:
        """Return it in a few words."""
        what = {
            "own": "as they are",
            "centre": "shorter side resized, central square",
            "stretch": "forced to a square",
            "frame": "in a black frame",
        }
        return f"{self.size} x {self.size} pixels, {what[self.kind]}"


class Manifest(Frozen):
    """What a prepared dataset holds; ``manifest.json`` beside its arrays."""

    schema_version: Literal[3] = SCHEMA
    name: str
    title: str = ""
    licence: str = ""
    classes: tuple[str, ...]
    # of classes that are named by a code, such as n01440764:
    titles: dict[str, str] = Field(default_factory=dict)
    fit: Fit
    colour: bool
    mirror: bool  # whether a mirrored image is a natural one
    counts: dict[Part, int]  # images
    digest: str  # SHA-256 over the digests of all images with labels and parts, and any resizing
    split: str  # SHA-256 over the digests of the images held out as valid
    files: dict[str, str]  # SHA-256 of each file
    source: str = ""  # what kind it was read from
    # path and reason of images that could not be read:
    left_out: dict[str, str] = Field(default_factory=dict)
    # how many files are no images with a label, by reason:
    set_aside: dict[str, int] = Field(default_factory=dict)
    repeated: int = 0  # images that are exact copies of others
    leaked: int = 0  # of these, images of test that are in train or valid too
    relabelled: int = 0  # images of which an exact copy has another class
    flat: int = 0  # images with next to no contrast
    # the first of these, by kind:
    such_as: dict[Literal["relabelled", "flat"], tuple[str, ...]] = Field(default_factory=dict)
    note: str = ""

    @property
    def size(self) -> int:
        """Side of a stored image, pixels."""
        return self.fit.size

    @property
    def has(self) -> frozenset[Quality]:
        """What its images have of what some studies need."""
        return qualities(self.colour, self.mirror)

    @property
    def images(self) -> int:
        """How many there are in all."""
        return sum(self.counts.values())

    @property
    def total_bytes(self) -> int:
        """How much all images take."""
        return self.images * self.fit.image_bytes

    def to_json(self) -> str:
        """Return the manifest as JSON with its own SHA-256."""
        content = sealed(self.model_dump(mode="json"))
        return json.dumps(content, indent=2, allow_nan=False, ensure_ascii=False) + "\n"

    def shards(self, part: Part) -> list[str]:
        """Return the files that hold a part's images, in order."""
        return sorted(name for name in self.files if name.startswith(f"{part}_images"))


HOMELESS = Path(os.devnull) / "no home folder"
"""In place of a data folder for who has no home folder, as in many containers."""


def default_data_dir() -> Path:
    """Return ``ALEXNET_DATA`` if set, else this user's folder for data of programs.

    It is ``HOMELESS`` for who has no home folder: what ships needs none.
    """
    if chosen := os.environ.get("ALEXNET_DATA"):
        return expanded(chosen)
    try:
        return platformdirs.user_data_path("alexnet-ablations")
    except RuntimeError:  # neither HOME nor an entry in the list of users
        return HOMELESS


def refuse_homeless(data_dir: Path) -> None:
    """Refuse to look for datasets, or to put one, where there is no folder for them.

    Raises:
        DatasetError: With the way out.
    """
    if data_dir == HOMELESS:
        raise DatasetError(
            "this user has no home folder, where prepared datasets would lie: name another folder "
            "with --data-dir PATH, or in the variable ALEXNET_DATA"
        )


def folder_of(name: str, data_dir: Path) -> Path:
    """Return where a dataset's arrays and manifest lie, or would lie."""
    return (EMBEDDED if name in IN_PACKAGE else data_dir) / name
