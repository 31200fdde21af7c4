"""Sources that `prepare` reads, and what it made of them."""

import io
from pathlib import Path

import numpy as np
from PIL import Image

from alexnet.data.manifest import Manifest
from alexnet.data.prepare.preparation import prepare
from alexnet.data.prepare.request import PrepareRequest


def picture(number: int, size: tuple[int, int] = (32, 32)) -> bytes:
    """Return a small JPEG that is like no other."""
    pixels = np.random.default_rng(number).integers(0, 256, (*size[::-1], 3), dtype=np.uint8)
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, "JPEG", quality=95)
    return content.getvalue()


def made(order: PrepareRequest) -> Manifest:
    """Return the manifest that preparation ends with."""
    *_, last = prepare(order)
    assert isinstance(last, Manifest)
    return last


def contents(folder: Path) -> dict[str, bytes]:
    """Return all bytes of a prepared dataset."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}
