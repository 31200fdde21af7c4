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
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from alexnet.data.digests import digest_of
from alexnet.data.files import File, listing, packed
from alexnet.data.layouts import NOT_AN_IMAGE, Inventory, Published
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
    images: Iterator[tuple[str, str, str, bytes, tuple[int, ...] | None]], spool: Path
) -> list[Published]:
    """Copy images (part, class, path, bytes, shape) into one file, unless that is already done."""
    index = spool.with_suffix(".json")
    if index.exists():
        rows = json.loads(index.read_text())
        return [Published(p, c, _file(fields)) for p, c, fields in rows]
    labels: list[tuple[str, str]] = []

    def contents() -> Iterator[tuple[str, bytes, tuple[int, ...] | None]]:
        for part, name, path, content, shape in images:
            labels.append((part, name))
            yield path, content, shape

    found = packed(contents(), spool)
    rows = [(*label, file) for label, file in zip(labels, found, strict=True)]
    beside = index.with_suffix(".part")
    beside.write_text(json.dumps(rows))
    beside.rename(index)
    return [
        Published("train" if part == "train" else "test", name, file) for part, name, file in rows
    ]


def _file(fields: list[Any]) -> File:
    """Return a file as JSON has it."""
    *rest, shape = fields
    return File._make([*rest, tuple(shape) if shape else None])


def _parquet(files: list[File], name: str, source: str, work: Path) -> Inventory:
    """Rows of ``image`` or ``img`` with ``label``, whose classes Hugging Face's schema names."""
    try:
        import pyarrow.parquet as pq
    except ImportError:
        raise DatasetError(
            f"{source} is Parquet, which needs one package more:  pip install pyarrow"
        ) from None
    images, titles, ignored = [], dict[str, str](), Counter[str]()
    for number, file in enumerate(files):
        part = re.match(r"(train|test|val|valid|validation)\b", file.parts[-1].lower())
        part = part or re.match(r"(train|test|val|valid|validation)$", "".join(file.parts[-2:-1]))
        if not file.path.endswith(".parquet"):
            ignored[NOT_AN_IMAGE] += 1
            continue
        if part is None:
            raise DatasetError(
                f"{file.path} in {source} does not say its part; Parquet files are named "
                "train-*.parquet, validation-*.parquet or test-*.parquet"
            )
        is_file = file.member is None and Path(file.container).stat().st_size == file.size
        table = pq.ParquetFile(file.container if is_file else io.BytesIO(file.read()))
        rows = _rows(table, file, name, titles, source)
        where = "train" if part[1] == "train" else "test"
        spool = work / f"packed-{number:05}.bin"
        images += _gathered(((where, *row, None) for row in rows), spool)
    return Inventory("Parquet", images, ignored, titles)


def _rows(
    table: Any, file: File, name: str, titles: dict[str, str], source: str
) -> Iterator[tuple[str, str, bytes]]:
    """Yield class, path and bytes of the rows of one Parquet file."""
    schema = table.schema_arrow
    column = next((c for c in ("image", "img") if c in schema.names), None)
    if column is None or "label" not in schema.names:
        raise DatasetError(
            f"{file.path} in {source} has the columns {', '.join(schema.names)}; "
            "it should have image or img, and label"
        )
    described = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))
    feature = described.get("info", {}).get("features", {}).get("label", {})
    classes = feature.get("names", [])
    done = 0
    for group in range(table.num_row_groups):
        rows = table.read_row_group(group, columns=[column, "label"])
        for image, label in zip(rows[column].to_pylist(), rows["label"].to_pylist(), strict=True):
            content, path = (
                (image, "")
                if isinstance(image, bytes)
                else (
                    image["bytes"],
                    image.get("path") or "",
                )
            )
            done += 1
            if content is None or label is None or label < 0:
                raise DatasetError(f"row {done} of {file.path} in {source} has no image or label")
            title = classes[label] if label < len(classes) else str(label)
            # ImageNet's rows name classes in words; the code that all its sources share is in the
            # name of the image, such as n01440764_10026_n01440764.JPEG.
            code = re.search(r"(n\d{8})\.\w+$", path) if name == "imagenet" else None
            if code:
                titles[code[1]] = title.split(",")[0].strip()
                title = code[1]
            yield title, f"{file.path}/{done} {path}".rstrip(), content


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
        except (OSError, EOFError) as error:
            raise DatasetError(f"{file.path} in {source} is damaged: {error}") from error
        if name == "fashion_mnist" and digest_of(content) != FASHION_CONTENTS.get(stem):
            _refuse(file.path, digest_of(content), FASHION_CONTENTS.get(stem, "none"), source)
        contents[stem] = content
    classes = FASHION_CLASSES if name == "fashion_mnist" else None

    def images() -> Iterator[tuple[str, str, str, bytes, tuple[int, ...]]]:
        for prefix, part in (("train", "train"), ("t10k", "test")):
            try:
                pixels = idx_array(contents[f"{prefix}-images-idx3-ubyte"])
                labels = idx_array(contents[f"{prefix}-labels-idx1-ubyte"])
            except KeyError as missing:
                raise DatasetError(f"{missing.args[0]} (or its .gz) is not in {source}") from None
            except ValueError as error:
                raise DatasetError(f"the {prefix} files in {source} are damaged: {error}") from None
            if len(pixels) != len(labels):
                raise DatasetError(
                    f"{source} has {len(pixels)} {prefix} images and {len(labels)} labels"
                )
            for number, (image, label) in enumerate(zip(pixels, labels.tolist(), strict=True)):
                title = classes[label] if classes else str(label)
                yield part, title, f"{prefix}/{number}", image.tobytes(), image.shape

    return Inventory("IDX", _gathered(images(), work / "packed.bin"), ignored, {})


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

    def images() -> Iterator[tuple[str, str, str, bytes, tuple[int, ...]]]:
        for name, _ in published[:-1]:
            batch = pickle.loads(contents[name], encoding="latin1")
            pixels = batch["data"].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
            part = "test" if name == "test_batch" else "train"
            for image, label, path in zip(pixels, batch["labels"], batch["filenames"], strict=True):
                yield part, classes[label], f"{name}/{path}", image.tobytes(), image.shape

    ignored = Counter({NOT_AN_IMAGE: len(files) - len(published)})
    return Inventory(
        "CIFAR-10's pickled batches", _gathered(images(), work / "packed.bin"), +ignored, {}
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
