"""Folders of images, a class each."""

import io
from pathlib import Path

import numpy as np
from PIL import Image

from alexnet.data.manifest import Manifest
from alexnet.data.prepare.preparation import prepare
from alexnet.data.prepare.request import PrepareRequest


def png(number: int) -> bytes:
    """Return an image of noise."""
    pixels = np.random.default_rng(number).integers(0, 256, (12, 12, 3), dtype=np.uint8)
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


def images(each: int = 20) -> dict[str, bytes]:
    """Return images of two classes by their paths."""
    names = [f"{label}/{number}.png" for label in ("cat", "dog") for number in range(each)]
    return {name: png(number) for number, name in enumerate(names)}


def written(folder: Path, contents: dict[str, bytes]) -> Path:
    """Write files, and return their folder."""
    for name, content in contents.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def prepared(source: Path, data: Path) -> Manifest:
    """Prepare a source as pets; return the manifest."""
    *_, manifest = prepare(PrepareRequest("pets", source, data, workers=1))
    assert isinstance(manifest, Manifest)
    return manifest
