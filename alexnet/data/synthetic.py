"""Colour images that are computed, not stored: for smoke runs and tests, on any machine alike.

Ten classes, each a coloured pattern of its own, shifted and noisy. Grey images would hide
mistakes with colour, and real ones would have to be downloaded first.
"""

from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from alexnet.data.digests import digest_of
from alexnet.data.manifest import PARTS, Fit, Manifest, Part

GENERATED = "generated"
SIDE, CLASSES = 32, 10
COUNTS: dict[Part, int] = {"train": 640, "valid": 80, "test": 80}
PATCH, SHIFT, NOISE = 8, 4, 60  # pixels, pixels, grey levels


class Arrays(NamedTuple):
    """The images of one part and their labels."""

    pixels: NDArray[np.uint8]  # (n, 32, 32, 3)
    labels: NDArray[np.int64]  # (n,)


@cache
def arrays() -> dict[Part, Arrays]:
    """Return the images, the same numbers with every release of NumPy."""
    chance = np.random.RandomState(0)  # its streams are frozen, unlike those of newer generators
    patches = chance.randint(0, 256, (CLASSES, SIDE // PATCH, SIDE // PATCH, 3))
    patterns = np.kron(patches, np.ones((1, PATCH, PATCH, 1), dtype=np.int64))
    found = {}
    for part in PARTS:
        labels = np.arange(COUNTS[part]) % CLASSES
        shifts = chance.randint(0, SHIFT + 1, (len(labels), 2)).tolist()
        noise = chance.randint(-NOISE, NOISE + 1, (len(labels), SIDE, SIDE, 3))
        images = [
            np.roll(patterns[label], shift, (0, 1))
            for label, shift in zip(labels, shifts, strict=True)
        ]
        pixels = np.clip(np.stack(images) + noise, 0, 255).astype(np.uint8)
        found[part] = Arrays(pixels, labels)
    return found


@cache
def manifest() -> Manifest:
    """Return what is known of them, as of any prepared dataset."""
    content = b"".join(one.pixels.tobytes() for one in arrays().values())
    return Manifest(
        name=GENERATED,
        title="generated colour images of ten patterns",
        classes=tuple(f"pattern {number}" for number in range(CLASSES)),
        fit=Fit(kind="own", size=SIDE),
        colour=True,
        mirror=True,
        counts=COUNTS,
        digest=digest_of(content),
        split=digest_of(arrays()["valid"].pixels.tobytes()),
        files={},
    )
