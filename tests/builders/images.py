"""Manifests of images that are nowhere, of any size and number of classes."""

from alexnet.data.manifest import Fit, Manifest
from tests.builders.records import REF


def images_of(
    size: int = 32,
    colour: bool = True,
    mirror: bool = True,
    classes: int = 10,
    train: int = 50_000,
    title: str = "",
) -> Manifest:
    """Return what is known of a person's own images."""
    return Manifest(
        name="mine",
        title=title,
        classes=tuple(f"class {number}" for number in range(classes)),
        fit=Fit(kind="own", size=size),
        colour=colour,
        mirror=mirror,
        counts={"train": train, "valid": 100, "test": 100},
        digest=REF.digest,
        split=REF.split,
        files={},
    )
