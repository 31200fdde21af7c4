"""Sources of images that are damaged or odd: folders, tars, zips, IDX, pickles and Parquet."""

import gzip
import io
import os
import pickle
import random
import resource
import shutil
import struct
import tarfile
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from cases import Hung, limited, place_of
from common import Counts, Place
from mutations import as_json, damaged
from PIL import Image

from alexnet.data.manifest import DatasetError, Manifest
from alexnet.data.prepare.preparation import prepare
from alexnet.data.prepare.request import PrepareRequest


def sources(place: Place, counts: Counts, cases: int, chance: random.Random) -> None:
    """Prepare sources that are damaged or odd."""
    resource.setrlimit(resource.RLIMIT_DATA, (6 * 2**30, resource.RLIM_INFINITY))
    kinds = ["folder", "tar", "targz", "zip", "idx", "pickle", "parquet"]
    folder = place.folder / "case"
    for number in range(cases):
        kind = kinds[number % len(kinds)]
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        source = odd_source(kind, folder, chance)
        order = PrepareRequest("fuzzed", source, folder / "data", workers=1,
                      allow_missing=chance.random() < 0.5)  # fmt: skip
        try:
            with limited():
                *_, last = prepare(order)
            wrong = "" if isinstance(last, Manifest) else "no manifest"
            counts.add(f"sources: {kind}", "prepared", wrong)
        except DatasetError:
            counts.add(f"sources: {kind}", "refused")
        except (Hung, Exception) as error:
            counts.add(f"sources: {kind}", "BAD", f"case {number}: {place_of(error)}")
        beside = {path.name for path in folder.iterdir()} - {source.name, "data"}
        if beside or RUN.exists():
            counts.wrong(
                f"sources: {kind}", f"case {number} left {sorted(beside)} or ran a command"
            )


RUN = Path(tempfile.gettempdir()) / f"fuzzing-ran-a-command-{os.getpid()}"


class Runs:
    """What runs a command where it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        """Say which."""
        return os.system, (f"touch {RUN}",)


def pictures(kind: str, each: int = 12) -> dict[str, bytes]:
    """Return small images of three classes by their paths."""
    chance, found = np.random.default_rng(3), {}
    for label in range(3):
        for number in range(each):
            out = io.BytesIO()
            pixels = chance.integers(0, 256, (10, 10, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(out, kind)
            found[f"class{label}/{number}.{kind.lower()}"] = out.getvalue()
    return found


PLAIN = pictures("PNG")
MIXED = PLAIN | {
    name: content
    for kind in ("JPEG", "GIF", "TIFF", "BMP", "WEBP")
    for name, content in pictures(kind, 2).items()
}
ODD_NAMES = (
    "../evil.png", "/tmp/evil.png", "a/../../evil.png", "C:\\evil.png", "..\\evil.png", "\x00.png",
    "a\nb/1.png", "\u202egnp/1.png", "<b>/1.png", "$(touch x)/1.png", "A" * 300 + "/1.png", ".",
    "con/1.png", " /1.png", "./1.png", "class0//1.png", "train/1.png", "val/x/1.png", "words.txt",
    "test/x/1.png", "val_annotations.txt", "LOC_val_solution.csv", "x/CLS-LOC/Data/1.png", "..",
    "ILSVRC2012_img_train.tar", "data_batch_1", "train-images-idx3-ubyte", "a.parquet", "a.zip",
    "train.parquet", "\udcff/1.png", "class0/.png", "class0/x.tar", "metadata.parquet", "x.heic",
)  # fmt: skip


def odd_source(kind: str, folder: Path, chance: random.Random) -> Path:
    """Write a source with something odd or damaged in it; return its path."""
    contents = dict(MIXED if chance.random() < 0.3 else PLAIN)
    for _ in range(chance.choice((0, 0, 1, 2))):
        contents[chance.choice(ODD_NAMES)] = chance.choice((b"", b"x", PLAIN["class0/0.png"]))
    source = folder / "source"
    match kind:
        case "folder":
            _odd_folder(source, contents, chance)
            return source
        case "idx":
            _odd_idx(source, chance)
            return source
        case "pickle":
            source.mkdir()
            for name in (*[f"data_batch_{n}" for n in range(1, 6)], "test_batch", "batches.meta"):
                evil = pickle.dumps(Runs())
                (source / name).write_bytes(evil if chance.random() < 0.8 else b"x")
            return source
        case "parquet":
            _odd_parquet(source, chance)
            return source
        case "zip":
            content = _zip(contents, chance)
        case "tar":
            content = _tar(contents, chance, "w")
        case _:
            content = _tar(contents, chance, chance.choice(("w:gz", "w:bz2", "w:xz")))
    if chance.random() < 0.7:
        for _ in range(chance.choice((1, 1, 3))):
            content = damaged(content, chance)
    path = folder / f"source.{kind}"
    path.write_bytes(content)
    return path


def _odd_folder(source: Path, contents: dict[str, bytes], chance: random.Random) -> None:
    for name, content in contents.items():
        if name.startswith(("/", "..")) or ".." in name or "\0" in name or name == ".":
            continue
        if chance.random() < 0.1:
            content = damaged(content, chance)
        try:
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes(content)
        except OSError:
            continue
    odd = chance.random()
    if odd < 0.05:
        os.mkfifo(source / "class0" / "pipe")
    elif odd < 0.1:
        (source / "class0" / "circle").symlink_to(source)
    elif odd < 0.15:
        (source / "class0" / "gone.png").symlink_to("nowhere")
    elif odd < 0.2:
        (source / "class0" / "zero.png").symlink_to("/dev/zero")


def _tar(contents: dict[str, bytes], chance: random.Random, mode: str) -> bytes:
    out = io.BytesIO()
    kinds = (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT)
    with tarfile.open(fileobj=out, mode=mode, format=chance.choice(kinds)) as file:  # type: ignore[call-overload]
        for name, content in contents.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            if chance.random() < 0.004:
                info.type = chance.choice((tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE))
                info.linkname = "/etc/passwd"
            try:
                file.addfile(info, io.BytesIO(content))
            except (ValueError, struct.error):
                continue
    return out.getvalue()


def _zip(contents: dict[str, bytes], chance: random.Random) -> bytes:
    out = io.BytesIO()
    method = chance.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))
    with zipfile.ZipFile(out, "w", method) as file:
        for name, content in contents.items():
            try:
                file.writestr(name, content)
            except (ValueError, IndexError):
                continue
    return out.getvalue()


def _odd_idx(source: Path, chance: random.Random) -> None:
    source.mkdir()
    numbers = np.random.default_rng(1)
    for prefix, count in (("train", 60), ("t10k", 30)):
        arrays = {
            "images-idx3": numbers.integers(0, 256, (count, 8, 8), dtype=np.uint8),
            "labels-idx1": (np.arange(count) % 3).astype(np.uint8),
        }
        for kind, array in arrays.items():
            head = b"\0\0\x08" + bytes([array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
            content, name = head + array.tobytes(), f"{prefix}-{kind}-ubyte"
            if chance.random() < 0.12:
                content = damaged(content, chance)
            if chance.random() < 0.1:
                sizes = [chance.choice((0, 1, 8, 2**31, 2**32 - 1)) for _ in range(3)]
                dimensions = bytes([chance.choice((0, 1, 2, 3, 4, 200, 255))])
                content = b"\0\0\x08" + dimensions + struct.pack(">3I", *sizes) + content[16:]
            if chance.random() < 0.3:
                content, name = gzip.compress(content), f"{name}.gz"
                if chance.random() < 0.2:
                    content = damaged(content, chance)
            if chance.random() > 0.02:
                (source / name).write_bytes(content)


def _odd_parquet(source: Path, chance: random.Random) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    source.mkdir()
    some = list(PLAIN.values())
    odd = chance.choice((None, None, "label", "image", "schema", "about", "names"))
    labels: list[Any] = [number % 3 for number in range(36)]
    column: Any = [{"bytes": some[n], "path": chance.choice((f"{n}.png", None, "../x"))}
                   for n in range(36)]  # fmt: skip
    if odd == "label":
        labels = [chance.choice((-1, 0, 1, 2, 2**62, None)) for _ in labels]
    if odd == "image":
        column = [chance.choice(({"bytes": None, "path": "x"}, {"bytes": b"", "path": ""}, None, c))
                  for c in column]  # fmt: skip
    if odd == "schema":
        column = chance.choice(([1] * 36, ["x"] * 36, [[1]] * 36, some[:36], [{"b": 1}] * 36))
    names: Any = ["a", "b", "<b>"]
    if odd == "names":
        names = chance.choice(([1, 2, 3], None, "abc", {"a": 1}, [None] * 3, [["a"]] * 3, [],
                               ["a"], ["", "b", "c"], ["../x", "b", "c"], 7))  # fmt: skip
    about: Any = {"info": {"features": {"label": {"names": names}}}}
    if odd == "about":
        about = chance.choice(([], None, 1, "x", {"info": None}, {"info": []}, {"info": 3},
                               {"info": {"features": None}}, {"info": {"features": []}},
                               {"info": {"features": {"label": []}}}))  # fmt: skip
    table = pa.table({chance.choice(("image", "image", "img", "x")): column, "label": labels})
    kept = as_json(about) if chance.random() < 0.9 else b"\xff{"
    table = table.replace_schema_metadata({b"huggingface": kept})
    for part in ("train", "test"):
        path = source / f"{part}-0.parquet"
        pq.write_table(table, path)
        if chance.random() < 0.25:
            path.write_bytes(damaged(path.read_bytes(), chance))
