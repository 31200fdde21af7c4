"""Photographs to measure with: real ones if they are here, made-up ones otherwise.

``ALEXNET_BENCH_LARGE`` and ``ALEXNET_BENCH_SMALL`` name tars or folders with a folder per class
under train and test; without them, noise of the same sizes and about the same detail is used.
"""

import io
import os
import tarfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image


def made_up(number: int, side: int) -> bytes:
    """Return a JPEG with large shapes and small detail, about as long as a photograph's."""
    stream = np.random.default_rng(number)
    shapes = stream.integers(0, 256, (9, 9, 3), dtype=np.uint8)
    image = Image.fromarray(shapes).resize((side, side), Image.Resampling.BICUBIC)
    noise = stream.normal(0, 6, (side, side, 3))
    pixels = np.clip(np.asarray(image) + noise, 0, 255).astype(np.uint8)
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, "JPEG", quality=75)
    return content.getvalue()


def files(side: int, count: int) -> Iterator[tuple[str, bytes]]:
    """Yield paths and contents of images of ten classes, a fifth of them under test."""
    for number in range(count):
        part = "test" if number // 10 % 5 == 0 else "train"
        yield f"{part}/class{number % 10}/{number}.jpg", made_up(number, side)


def folder(large: bool, target: Path) -> Path:
    """Return a folder per class under train and test, unpacked or made up in ``target``."""
    source = os.environ.get("ALEXNET_BENCH_LARGE" if large else "ALEXNET_BENCH_SMALL")
    if source and Path(source).is_dir():
        return Path(source)
    if source:
        with tarfile.open(source) as tar:
            tar.extractall(target, filter="data")
        return next(path.parent for path in target.rglob("train"))
    for path, content in files(224 if large else 32, 2_000 if large else 10_000):
        (target / path).parent.mkdir(parents=True, exist_ok=True)
        (target / path).write_bytes(content)
    return target
