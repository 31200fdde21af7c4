"""IDX, pickle and Parquet files of images."""

import gzip
import json
import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from alexnet.data.prepare.files import listing
from alexnet.data.prepare.packs import unpacked
from alexnet.data.prepare.published import Inventory


def unpack(source: Path, name: str = "mine") -> Inventory:
    """Return what a source holds, worked on beside it."""
    work = source.parent / "work"
    found = unpacked(listing(source, work).files, name, "the source", work)
    assert found is not None
    return found


def parquet(
    path: Path,
    images: Sequence[object],
    labels: Sequence[object],
    names: Sequence[str] = (),
    column: str = "image",
) -> None:
    """Write Parquet as the datasets library does, two rows to a group."""
    table = pa.table({column: pa.array(images), "label": pa.array(labels)})
    if names:
        feature = {"names": list(names), "_type": "ClassLabel"}
        features = {column: {"_type": "Image"}, "label": feature}
        text = json.dumps({"info": {"features": features}})
        table = table.replace_schema_metadata({"huggingface": text})
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path, row_group_size=2)


def image(content: bytes, path: str | None = None) -> dict[str, object]:
    """Return an image as the datasets library has it."""
    return {"bytes": content, "path": path}


def idx(array: np.ndarray) -> bytes:
    """Return an IDX file of bytes, as LeCun describes it."""
    sizes = struct.pack(f">{array.ndim}I", *array.shape)
    return bytes([0, 0, 8, array.ndim]) + sizes + array.tobytes()


PIXELS = np.random.default_rng(0).integers(0, 256, (5, 4, 3), dtype=np.uint8)


LABELS = np.array([7, 0, 1, 0, 7], np.uint8)


IDX = {
    "train-images-idx3-ubyte": idx(PIXELS[:3]),
    "train-labels-idx1-ubyte": idx(LABELS[:3]),
    "t10k-images-idx3-ubyte": idx(PIXELS[3:]),
    "t10k-labels-idx1-ubyte": idx(LABELS[3:]),
}


def idx_source(tmp_path: Path, changes: dict[str, bytes | None], packed: bool = False) -> Path:
    """Write the four files, some of them changed or left out, and return their folder."""
    folder = tmp_path / "source"
    folder.mkdir()
    for name, content in (IDX | changes).items():
        if content is not None:
            path = folder / (f"{name}.gz" if packed else name)
            path.write_bytes(gzip.compress(content) if packed else content)
    return folder
