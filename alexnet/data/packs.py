"""Sources that pack many images into few files: Parquet, IDX, CIFAR-10's pickles, ImageNet's tars.

Their images are copied once, as they are, into one file beside the prepared form, from where they
can be read in any order.
"""

import gzip
import hashlib
import io
import json
import pickle
import re
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from alexnet.data.digests import digest_of
from alexnet.data.files import DAMAGE, File, listing, packed
from alexnet.data.layouts import NOT_AN_IMAGE, Inventory, Published, is_hidden
from alexnet.data.manifest import DatasetError

FASHION_CLASSES = (
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat",
    "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
)  # fmt: skip
FASHION_CONTENTS = {  # SHA-256 after decompression, since packagers compress anew
    "train-images-idx3-ubyte": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    "train-labels-idx1-ubyte": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    "t10k-images-idx3-ubyte": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    "t10k-labels-idx1-ubyte": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
}
OFFICIAL = {
    "train": "ILSVRC2012_img_train.tar",
    "val": "ILSVRC2012_img_val.tar",
    "devkit": "ILSVRC2012_devkit_t12.tar.gz",
}


PART = re.compile(r"(train|test|validation|valid|val)(?![a-z])")


class Row(NamedTuple):
    """One image of a pack."""

    part: str
    name: str  # of its class
    path: str
    content: bytes
    shape: tuple[int, ...] | None  # of raw pixels; None: encoded


def unpacked(files: list[File], name: str, source: str, work: Path) -> Inventory | None:
    """Return the images of a source that packs them, or None if it is not of that kind.

    Args:
        files: All files of the source.
        name: Of the dataset that it should be.
        source: What to call it in messages.
        work: Folder to copy images to.

    Raises:
        DatasetError: If a file is not the published one, or a package is missing.
    """
    files = [file for file in files if not is_hidden(file)]
    names = {file.parts[-1] for file in files}
    work.mkdir(parents=True, exist_ok=True)
    if OFFICIAL["train"] in names:
        return _official_imagenet(files, work)
    if any(name.endswith(".parquet") for name in names):
        return _parquet(files, name, source, work)
    if any("-idx3-ubyte" in name for name in names):
        return _idx(files, name, source, work)
    if {"data_batch_1", "test_batch"} & names:
        return _cifar10(files, source, work)
    return None


def _gathered(
    images: Callable[[], Iterator[Row]], spool: Path, titles: dict[str, str] | None = None
) -> list[Published]:
    """Copy images into one file, unless that is done; then ``images`` is not called.

    The titles of classes that come to be known on the way are kept as well.
    """
    index, titles = spool.with_suffix(".json"), {} if titles is None else titles
    if not index.exists():
        labels: list[tuple[str, str]] = []

        def contents() -> Iterator[tuple[str, bytes, tuple[int, ...] | None]]:
            for row in images():
                labels.append((row.part, row.name))
                yield row.path, row.content, row.shape

        found = packed(contents(), spool)
        rows = [(*label, file) for label, file in zip(labels, found, strict=True)]
        beside = index.with_suffix(".part")
        beside.write_text(json.dumps({"titles": titles, "rows": rows}), encoding="utf-8")
        beside.rename(index)
    known = json.loads(index.read_text(encoding="utf-8"))
    titles |= known["titles"]
    return [Published(part, name, _file(fields)) for part, name, fields in known["rows"]]


def _file(fields: list[Any]) -> File:
    """Return a file as JSON has it."""
    *rest, shape = fields
    return File._make([*rest, tuple(shape) if shape else None])


def _parquet(files: list[File], name: str, source: str, work: Path) -> Inventory:
    """Rows of ``image`` or ``img`` with ``label``, whose classes Hugging Face's schema names."""
    images, titles, ignored = [], dict[str, str](), Counter[str]()
    for number, file in enumerate(files):
        if not file.path.endswith(".parquet"):
            ignored[NOT_AN_IMAGE] += 1
            continue
        part = PART.match(file.parts[-1].lower()) or PART.match("".join(file.parts[-2:-1]).lower())
        if part is None:
            raise DatasetError(
                f"{file.path} in {source} does not say its part; Parquet files are named "
                "train-*.parquet, validation-*.parquet or test-*.parquet"
            )
        rows = partial(_rows, file, part[1], name, titles, source)
        images += _gathered(rows, work / f"packed-{number:05}.bin", titles)
    return Inventory("Parquet", images, ignored, titles)


def _rows(file: File, part: str, name: str, titles: dict[str, str], source: str) -> Iterator[Row]:
    """Yield the rows of one Parquet file."""
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        raise DatasetError(
            f"{source} is Parquet, which needs one package more:  pip install pyarrow"
        ) from None
    is_file = file.member is None and Path(file.container).stat().st_size == file.size
    try:
        table = pq.ParquetFile(file.container if is_file else io.BytesIO(file.read()))
        column, classes = _columns(table.schema_arrow, file, source)
        groups = (
            table.read_row_group(group, columns=[column, "label"]).to_pylist()
            for group in range(table.num_row_groups)
        )
        for number, row in enumerate(chain.from_iterable(groups), start=1):
            yield _row(row[column], row["label"], number, classes, part, name, titles, file, source)
    except (pa.ArrowException, OSError) as error:
        if getattr(error, "errno", None):
            raise
        reason = str(error).splitlines()[0]
        raise DatasetError(f"{file.path} in {source} cannot be read: {reason}") from error


def _columns(schema: Any, file: File, source: str) -> tuple[str, list[str]]:
    """Return the name of the column of images, and the names of the classes if they are known."""
    column = next((c for c in ("image", "img") if c in schema.names), None)
    if column is None or "label" not in schema.names:
        raise DatasetError(
            f"{file.path} in {source} has the columns {', '.join(schema.names)}; "
            "it should have image or img, and label"
        )
    try:
        described = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))
    except ValueError:
        return column, []
    feature = described.get("info", {}).get("features", {}).get("label", {})
    return column, feature.get("names", [])


def _row(
    image: object,
    label: object,
    number: int,
    classes: list[str],
    part: str,
    name: str,
    titles: dict[str, str],
    file: File,
    source: str,
) -> Row:
    """Return one row; adds the title of its class where the class has a code."""
    packed_image = image if isinstance(image, dict) else {"bytes": image}
    content, path = packed_image.get("bytes"), str(packed_image.get("path") or "")
    title = _class(label, classes)
    if not isinstance(content, bytes) or title is None:
        raise DatasetError(
            f"row {number} of {file.path} in {source} has no image, or no class: {label!r}"
        )
    # ImageNet's rows name classes in words; the code that all its sources share is in the name of
    # the image, such as n01440764_10026_n01440764.JPEG.
    code = re.search(r"(n\d{8})\.\w+$", path) if name == "imagenet" else None
    if code:
        titles[code[1]] = title.split(",")[0].strip()
        title = code[1]
    place = f"{file.path}/{number} {path}".rstrip()
    return Row("train" if part == "train" else "test", title, place, content, None)


def _class(label: object, classes: list[str]) -> str | None:
    """Return the name of a class that is given as a number or a name; None if it is neither."""
    if isinstance(label, str):
        return label or None
    if not isinstance(label, int) or label < 0 or (classes and label >= len(classes)):
        return None
    return classes[label] if classes else str(label)


def _idx(files: list[File], name: str, source: str, work: Path) -> Inventory:
    """Images in train- and t10k-images-idx3-ubyte, plain or .gz, labels in idx1."""
    contents: dict[str, bytes] = {}
    ignored = Counter[str]()
    for file in files:
        stem = file.parts[-1].removesuffix(".gz")
        if not re.search(r"-idx[13]-ubyte$", stem):
            ignored[NOT_AN_IMAGE] += 1
            continue
        content = file.read()
        try:
            content = gzip.decompress(content) if file.path.endswith(".gz") else content
        except (OSError, *DAMAGE) as error:
            raise DatasetError(f"{file.path} in {source} is damaged: {error}") from error
        if name == "fashion_mnist" and digest_of(content) != FASHION_CONTENTS.get(stem):
            _refuse(file.path, digest_of(content), FASHION_CONTENTS.get(stem, "none"), source)
        contents[stem] = content
    classes = FASHION_CLASSES if name == "fashion_mnist" else None

    def images() -> Iterator[Row]:
        for prefix, part in (("train", "train"), ("t10k", "test")):
            try:
                pixels = idx_array(contents[f"{prefix}-images-idx3-ubyte"])
                labels = idx_array(contents[f"{prefix}-labels-idx1-ubyte"])
            except KeyError as missing:
                raise DatasetError(f"{missing.args[0]} (or its .gz) is not in {source}") from None
            except ValueError as error:
                raise DatasetError(f"the {prefix} files in {source} are damaged: {error}") from None
            if pixels.ndim != 3 or labels.ndim != 1:
                raise DatasetError(f"the {prefix} files in {source} are not images and labels")
            if len(pixels) != len(labels):
                raise DatasetError(
                    f"{source} has {len(pixels)} {prefix} images and {len(labels)} labels"
                )
            for number, (image, label) in enumerate(zip(pixels, labels.tolist(), strict=True)):
                title = classes[label] if classes else str(label)
                yield Row(part, title, f"{prefix}/{number}", image.tobytes(), image.shape)

    return Inventory("IDX", _gathered(images, work / "packed.bin"), ignored, {})


def idx_array(content: bytes) -> np.ndarray:
    """Return the array of unsigned bytes that an IDX file holds.

    Raises:
        ValueError: If it is something else, or cut short.

    Source:
        LeCun's description of the MNIST files: two zero bytes, type, dimensions, sizes, values.
    """
    if len(content) < 4 or content[:3] != b"\0\0\x08":
        raise ValueError("not an IDX file of bytes")
    dimensions = content[3]
    shape = np.frombuffer(content, ">u4", dimensions, 4).astype(int)
    values = np.frombuffer(content, np.uint8, offset=4 + 4 * dimensions)
    if len(values) != shape.prod():
        raise ValueError(f"{len(values):,} values where {shape.prod():,} were announced")
    return values.reshape(shape)


def _cifar10(files: list[File], source: str, work: Path) -> Inventory:
    """CIFAR-10's pickled batches, read only once their digests are the published ones."""
    from torchvision.datasets import CIFAR10

    published = [*CIFAR10.train_list, *CIFAR10.test_list]
    published += [[CIFAR10.meta["filename"], CIFAR10.meta["md5"]]]
    by_name = {file.parts[-1]: file for file in files}
    contents = {}
    for name, digest in published:
        if name not in by_name:
            raise DatasetError(f"{name} of CIFAR-10 is not in {source}; it may be cut short")
        content = by_name[name].read()
        found = hashlib.md5(content, usedforsecurity=False).hexdigest()
        if found != digest:
            _refuse(by_name[name].path, found, digest, source)
        contents[name] = content
    classes = pickle.loads(contents[CIFAR10.meta["filename"]])[CIFAR10.meta["key"]]

    def images() -> Iterator[Row]:
        for name, _ in published[:-1]:
            batch = pickle.loads(contents[name], encoding="latin1")
            pixels = batch["data"].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
            part = "test" if name == "test_batch" else "train"
            for image, label, path in zip(pixels, batch["labels"], batch["filenames"], strict=True):
                yield Row(part, classes[label], f"{name}/{path}", image.tobytes(), image.shape)

    ignored = Counter({NOT_AN_IMAGE: len(files) - len(published)})
    return Inventory(
        "CIFAR-10's pickled batches", _gathered(images, work / "packed.bin"), +ignored, {}
    )


def _official_imagenet(files: list[File], work: Path) -> Inventory:
    """ILSVRC-2012's two tars of images, read in place; labels from the development kit."""
    from torchvision.datasets import imagenet

    by_name = {file.parts[-1]: file for file in files}
    paths = {}
    for what, name in OFFICIAL.items():
        if name not in by_name:
            raise DatasetError(f"{name} is missing; put it beside {OFFICIAL['train']}")
        paths[what] = Path(by_name[name].container)
        _verify_once(paths[what], imagenet.ARCHIVE_META[what][1], work)
    if not (work / imagenet.META_FILE).exists():
        kit = work / OFFICIAL["devkit"]
        shutil.copyfile(paths["devkit"], kit)
        imagenet.parse_devkit_archive(str(work))
    titles, validation = imagenet.load_meta_file(str(work))
    images = [
        Published("train", file.parts[-2], file._replace(path=f"train/{file.path}"))
        for file in listing(paths["train"], work).files
    ]
    ordered = sorted(listing(paths["val"], work).files, key=lambda file: file.parts[-1])
    if len(ordered) != len(validation):
        raise DatasetError(f"{paths['val']} has {len(ordered)} images for {len(validation)} labels")
    images += [
        Published("test", code, file._replace(path=f"val/{file.path}"))
        for code, file in zip(validation, ordered, strict=True)
    ]
    ignored = Counter({NOT_AN_IMAGE: len(files) - len(OFFICIAL)})
    return Inventory(
        "ImageNet's official archives",
        images,
        +ignored,
        {code: names[0] for code, names in titles.items()},
    )


def _verify_once(path: Path, md5: str, work: Path) -> None:
    """Compare a large archive with its published digest; the answer is kept for the next start."""
    status = path.stat()
    mark = work / f"{path.name}.verified"
    token = f"{status.st_size} {status.st_mtime_ns}"
    if mark.exists() and mark.read_text() == token:
        return
    with path.open("rb") as file:
        found = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    if found != md5:
        _refuse(path.name, found, md5, str(path.parent))
    mark.write_text(token)


def _refuse(path: str, found: str, published: str, source: str) -> None:
    raise DatasetError(
        f"{path} in {source} is not the published file: its digest is {found}, "
        f"the published one {published}"
    )
