"""What tests of preparing images share."""

from pathlib import Path

import pytest

from alexnet.data.prepare import preparation, shards
from tests.builders.sources import picture


@pytest.fixture
def pets(tmp_path: Path) -> Path:
    """Return train and test with a folder per class: 100 + 20 pictures of cats and of dogs."""
    for number in range(240):
        part = "train" if number < 200 else "test"
        path = tmp_path / "pets" / part / ("cat", "dog")[number % 2] / f"{number}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(picture(number))
    return tmp_path / "pets"


@pytest.fixture
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let few images make several shards and be worth several processes."""
    monkeypatch.setattr(shards, "MOST", 50)
    monkeypatch.setattr(preparation, "FEW", 60)
