"""Sources that `prepare` reads, and what it made of them."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from alexnet.data.manifest import Manifest
from alexnet.data.prepare import preparation, shards
from alexnet.data.prepare.preparation import prepare
from alexnet.data.prepare.request import PrepareRequest


def picture(number: int, size: tuple[int, int] = (32, 32)) -> bytes:
    """Return a small JPEG that is like no other."""
    pixels = np.random.default_rng(number).integers(0, 256, (*size[::-1], 3), dtype=np.uint8)
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, "JPEG", quality=95)
    return content.getvalue()


@pytest.fixture
def pets(tmp_path: Path) -> Path:
    """Return train and test with a folder per class: 100 + 20 pictures of cats and of dogs."""
    for number in range(240):
        part = "train" if number < 200 else "test"
        path = tmp_path / "pets" / part / ("cat", "dog")[number % 2] / f"{number}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(picture(number))
    return tmp_path / "pets"


@pytest.fixture(autouse=True)
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let few images make several shards and be worth several processes."""
    monkeypatch.setattr(shards, "MOST", 50)
    monkeypatch.setattr(preparation, "FEW", 60)


def made(order: PrepareRequest) -> Manifest:
    """Return the manifest that preparation ends with."""
    *_, last = prepare(order)
    assert isinstance(last, Manifest)
    return last


def contents(folder: Path) -> dict[str, bytes]:
    """Return all bytes of a prepared dataset."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}
