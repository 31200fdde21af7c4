"""Sources that pack many images into few files: IDX, CIFAR-10's pickles, ImageNet's tars, Parquet.

Their images are copied once, as they are, into one file beside the prepared form, from where they
can be read in any request.
"""

import gzip
import hashlib
import io
import pickle
import re
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from alexnet.data.digests import digest_of
from alexnet.data.manifest import DatasetError
from alexnet.data.prepare import parquet
from alexnet.data.prepare.files import DAMAGE, LARGEST, File, listing
from alexnet.data.prepare.published import NOT_AN_IMAGE, Inventory, Published, is_hidden
from alexnet.data.prepare.spool import Found, Row, gathered
from alexnet.text import counted

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
IDX = re.compile(r"[-.]idx([13])-ubyte(?:\.gz)?$")
"""How the names of such files end; some who publish them anew write a dot for the dash."""
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
    files = [file for file in files if not is_hidden(file)]
    names = {file.parts[-1] for file in files}
    work.mkdir(parents=True, exist_ok=True)
    if OFFICIAL["train"] in names:
        return _official_imagenet(files, work)
    if any(name.endswith(".parquet") for name in names) and not parquet.is_beside(files):
        return parquet.read(files, name, source, work)
    if any(IDX.search(name) for name in names):
        return _idx(files, name, source, work)
    if {"data_batch_1", "test_batch"} & names:
        return _cifar10(files, source, work)
    return None


def _idx(files: list[File], name: str, source: str, work: Path) -> Inventory:
    """Images in train- and t10k-images-idx3-ubyte, plain or .gz, labels in idx1."""
    contents: dict[str, bytes] = {}
    chosen = only([f for f in files if IDX.search(f.path)], source)
    for file in chosen:
        stem = IDX.sub(r"-idx\1-ubyte", file.parts[-1])
        content = file.read()
        try:
            content = _inflated(content) if file.path.endswith(".gz") else content
        except (OSError, *DAMAGE) as error:
            raise DatasetError(f"{file.path} in {source} is damaged: {error}") from error
        if name == "fashion_mnist" and digest_of(content) != FASHION_CONTENTS.get(stem):
            _refuse(file.path, digest_of(content), FASHION_CONTENTS.get(stem, "none"), source)
        contents[stem] = content
    classes = FASHION_CLASSES if name == "fashion_mnist" else None

    def images(_: Found) -> Iterator[Row]:
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
                    f"{source} has {counted(len(pixels), f'{prefix} image')} and "
                    f"{counted(len(labels), 'label')}"
                )
            for number, (image, label) in enumerate(zip(pixels, labels.tolist(), strict=True)):
                title = classes[label] if classes else str(label)
                yield Row(part, title, f"{prefix}/{number}", image.tobytes(), image.shape)

    ignored = Counter({NOT_AN_IMAGE: len(files) - len(chosen)})
    return Inventory("IDX", gathered(images, work / "packed.bin").images, +ignored, {})


def only(files: list[File], source: str) -> list[File]:
    """Return files without those that have their like: a .gz beside what was in it.

    Raises:
        DatasetError: If two folders have files of one name, of which one would be ignored.
    """
    chosen: dict[str, File] = {}
    for file in sorted(files, key=lambda file: file.path.endswith(".gz")):
        name = file.parts[-1].removesuffix(".gz")
        other = chosen.setdefault(name, file)
        if other.parts[:-1] != file.parts[:-1]:
            raise DatasetError(
                f"{source} has {other.path} and {file.path}; give the folder of one of them"
            )
    return list(chosen.values())


def _inflated(content: bytes) -> bytes:
    """Return what a .gz holds, unless that is more than any such file has."""
    with gzip.open(io.BytesIO(content)) as file:
        inflated = file.read(LARGEST + 1)
    if len(inflated) > LARGEST:
        raise OSError(f"more than {LARGEST >> 20} MiB")
    return inflated


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
        raise ValueError(f"{counted(len(values), 'value')} where {shape.prod():,} were announced")
    return values.reshape(shape)


def _cifar10(files: list[File], source: str, work: Path) -> Inventory:
    """CIFAR-10's pickled batches, read only once their digests are the published ones."""
    from torchvision.datasets import CIFAR10

    published = [*CIFAR10.train_list, *CIFAR10.test_list]
    published += [[CIFAR10.meta["filename"], CIFAR10.meta["md5"]]]
    names = {name for name, _ in published}
    by_name = {f.parts[-1]: f for f in only([f for f in files if f.parts[-1] in names], source)}
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

    def images(_: Found) -> Iterator[Row]:
        for name, _ in published[:-1]:
            batch = pickle.loads(contents[name], encoding="latin1")
            pixels = batch["data"].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
            part = "test" if name == "test_batch" else "train"
            for image, label, path in zip(pixels, batch["labels"], batch["filenames"], strict=True):
                yield Row(part, classes[label], f"{name}/{path}", image.tobytes(), image.shape)

    ignored = Counter({NOT_AN_IMAGE: len(files) - len(published)})
    copied = gathered(images, work / "packed.bin")
    return Inventory("CIFAR-10's pickled batches", copied.images, +ignored, {})


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
        seen, labelled = counted(len(ordered), "image"), counted(len(validation), "label")
        raise DatasetError(f"{paths['val']} has {seen} for {labelled}")
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
    if mark.exists() and mark.read_text(encoding="utf-8") == token:
        return
    with path.open("rb") as file:
        found = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    if found != md5:
        _refuse(path.name, found, md5, str(path.parent))
    mark.write_text(token, encoding="utf-8")


def _refuse(path: str, found: str, published: str, source: str) -> None:
    raise DatasetError(
        f"{path} in {source} is not the published file: its digest is {found}, "
        f"the published one {published}"
    )
