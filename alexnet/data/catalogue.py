"""The datasets by name, and where they lie on this machine; imports neither PyTorch nor images."""

import json
import os
from pathlib import Path
from typing import Literal

import platformdirs
from pydantic import PositiveInt

from alexnet.config import Frozen
from alexnet.data.digests import file_digest
from alexnet.names import suggestion

EMBEDDED = Path(__file__).parent


class Description(Frozen):
    """What is known of a dataset before it is on this machine."""

    name: str
    title: str
    size: PositiveInt  # pixels, side of a stored image
    images: PositiveInt  # to train on, after a tenth is held out
    colour: bool
    mirror: bool  # whether a mirrored image is a natural one
    kind: Literal["embedded", "archive", "folders"]
    how: str = ""  # the command that prepares it
    cost: str = ""  # what that downloads
    licence: str


CATALOGUE = {
    description.name: description
    for description in (
        Description(
            name="fashion_mini",
            title="10,000 grey pictures of clothing (Fashion-MNIST), in the package",
            size=32,
            images=10_000,
            colour=False,
            mirror=True,
            kind="embedded",
            licence="MIT, Zalando SE",
        ),
        Description(
            name="cifar10",
            title="CIFAR-10: 60,000 colour photographs of ten kinds of thing",
            size=32,
            images=45_000,
            colour=True,
            mirror=True,
            kind="archive",
            how="invoke prepare --dataset cifar10",
            cost="170 MB once",
            licence="none stated; Krizhevsky (2009)",
        ),
        Description(
            name="cifar10_jpeg",
            title="CIFAR-10 re-encoded as JPEG, a folder per class under train and test",
            size=32,
            images=45_000,
            colour=True,
            mirror=True,
            kind="folders",
            how="invoke prepare --dataset cifar10_jpeg --source PATH-OF-TAR-OR-FOLDER",
            licence="none stated; Krizhevsky (2009)",
        ),
    )
}


class DatasetError(ValueError):
    """A dataset that is unknown, missing or damaged; the message says the way out."""


class Manifest(Frozen):
    """What a prepared dataset holds; ``manifest.json`` beside its arrays."""

    schema_version: Literal[1] = 1
    name: str
    classes: tuple[str, ...]
    counts: dict[Literal["train", "valid", "test"], int]  # images
    digest: str  # SHA-256 over the digests of all images with their labels and parts
    split: str  # SHA-256 over the digests of the images held out as valid
    files: dict[str, str]  # SHA-256 of each file
    note: str = ""


def describe(name: str) -> Description:
    """Return the description of a dataset.

    Raises:
        DatasetError: If there is none of that name; suggests the nearest.
    """
    if name not in CATALOGUE:
        raise DatasetError(f"there is no dataset {name!r}; {suggestion(name, CATALOGUE)}")
    return CATALOGUE[name]


def default_data_dir() -> Path:
    """Return ``ALEXNET_DATA`` if set, else this user's folder for data of programs."""
    chosen = os.environ.get("ALEXNET_DATA")
    return Path(chosen) if chosen else platformdirs.user_data_path("alexnet-ablations")


def folder_of(name: str, data_dir: Path) -> Path:
    """Return where a dataset's arrays and manifest lie, or would lie."""
    return (EMBEDDED if describe(name).kind == "embedded" else data_dir) / name


def read_manifest(name: str, data_dir: Path) -> Manifest:
    """Return the manifest of a dataset on this machine.

    Raises:
        DatasetError: If it is not prepared here, with the command that prepares it.
    """
    path = folder_of(name, data_dir) / "manifest.json"
    if not path.exists():
        raise DatasetError(
            f"{name} is not prepared in {data_dir}; prepare it with:  "
            + "   ".join(filter(None, (describe(name).how, describe(name).cost)))
        )
    try:
        return Manifest.model_validate(json.loads(path.read_text()))
    except ValueError as error:
        raise DatasetError(f"{path} cannot be read; prepare {name} again") from error


def whole(name: str, data_dir: Path) -> Manifest | None:
    """Return the manifest of a dataset if it and every file it names are there and unchanged."""
    try:
        manifest = read_manifest(name, data_dir)
    except DatasetError:
        return None
    folder = folder_of(name, data_dir)
    damaged = (
        not (folder / file).exists() or file_digest(folder / file) != digest
        for file, digest in manifest.files.items()
    )
    return None if any(damaged) else manifest
