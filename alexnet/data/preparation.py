"""From published files to the prepared form: arrays in a fixed order, statistics, a manifest."""

import io
import shutil
import tarfile
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from alexnet.data.catalogue import DatasetError, Manifest, describe
from alexnet.data.digests import Label, dataset_digest, digest_of, file_digest, held_out

Pixels = NDArray[np.uint8]

TEST_NAMES = ("test", "val", "valid")
IMAGE_ENDINGS = (".jpg", ".jpeg", ".png")


class Example(NamedTuple):
    """One published image with its label."""

    label: Label
    pixels: Pixels  # (h, w, 3)


class Statistics(NamedTuple):
    """What is taken from the training images: the mean image and RGB's principal components."""

    mean: NDArray[np.float64]  # (h, w, 3), grey levels
    deviations: NDArray[np.float64]  # (3,), standard deviations along the axes, largest first
    axes: NDArray[np.float64]  # (3, 3), one component a column, its largest entry positive


def statistics(images: Pixels) -> Statistics:
    """Return the statistics of images (n, h, w, 3).

    Sums are of integers and therefore exact, so the mean image is the same on every machine.
    """
    mean = images.sum(axis=0, dtype=np.int64) / len(images)
    pixels = images.reshape(-1, 3)
    products = np.zeros((3, 3), dtype=np.int64)
    for start in range(0, len(pixels), 1 << 22):
        block = pixels[start : start + (1 << 22)].astype(np.int64)
        products += block.T @ block
    levels = mean.reshape(-1, 3).mean(axis=0)
    values, axes = np.linalg.eigh(products / len(pixels) - np.outer(levels, levels))
    order = np.argsort(values)[::-1]
    axes = axes[:, order]
    axes *= np.sign(axes[np.abs(axes).argmax(axis=0), range(3)])
    return Statistics(mean, np.sqrt(np.maximum(values[order], 0)), axes)


def from_folders(source: Path) -> Iterator[Example]:
    """Yield the images of a tar or folder that holds a folder per class under train and test.

    An image is named by the bytes of its file, since decoders may differ in a grey level.

    Raises:
        DatasetError: If the source is missing or an image lies elsewhere.
    """
    if not source.exists():
        raise DatasetError(f"there is no file or folder {source}")
    for path, content in _files(source):
        part = {"train": "train"} | dict.fromkeys(TEST_NAMES, "test")
        if len(path.parts) < 3 or path.parts[-3] not in part:
            raise DatasetError(
                f"{path} in {source} is not in train/<class>/ or test/<class>/; "
                "put every image in a folder of its class under one of the two"
            )
        with Image.open(io.BytesIO(content)) as image:
            pixels = np.asarray(image.convert("RGB"))
        yield Example(Label(part[path.parts[-3]], path.parts[-2], digest_of(content)), pixels)


def _files(source: Path) -> Iterator[tuple[PurePosixPath, bytes]]:
    if source.is_dir():
        for path in source.rglob("*"):
            if path.suffix.lower() in IMAGE_ENDINGS:
                yield PurePosixPath(path.relative_to(source).as_posix()), path.read_bytes()
        return
    try:
        with tarfile.open(source) as tar:
            for member in tar:
                if member.isfile() and member.name.lower().endswith(IMAGE_ENDINGS):
                    file = tar.extractfile(member)
                    if file is not None:
                        yield PurePosixPath(member.name), file.read()
    except tarfile.TarError as error:
        reason = str(error).splitlines()[0]
        raise DatasetError(f"{source} is not a tar that can be read: {reason}") from error


def from_cifar10(source: Path | None, work: Path) -> Iterator[Example]:
    """Yield CIFAR-10 as published; without a source it is downloaded to ``work`` first.

    Raises:
        DatasetError: If the files are missing or their digests are not the published ones.
    """
    from torchvision.datasets import CIFAR10

    for train in (True, False):
        try:
            published = CIFAR10(str(source or work), train=train, download=source is None)
        except (RuntimeError, OSError) as error:
            raise DatasetError(
                f"CIFAR-10 cannot be had from {source or 'its server'}: {error}"
            ) from error
        for pixels, label in zip(published.data, published.targets, strict=True):
            part, name = "train" if train else "test", published.classes[label]
            yield Example(Label(part, name, digest_of(pixels.tobytes())), pixels)


def prepare(name: str, source: Path | None, data_dir: Path) -> Manifest:
    """Write the prepared form of a dataset to ``data_dir/name`` and return its manifest.

    Written beside the final folder and renamed when complete, so what is there is whole.

    Raises:
        DatasetError: If the source is missing, empty or not laid out as the catalogue says.
    """
    description = describe(name)
    if description.kind == "embedded":
        raise DatasetError(f"{name} is in the package and needs no preparation")
    if description.kind == "folders" and source is None:
        raise DatasetError(f"{name} needs --source:  {description.how}")
    target, beside = data_dir / name, data_dir / f"{name}.partial"
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir(parents=True)
    if description.kind == "folders" and source is not None:
        examples = from_folders(source)
    else:
        examples = from_cifar10(source, beside / "download")
    manifest = write(name, examples, beside)
    shutil.rmtree(beside / "download", ignore_errors=True)
    shutil.rmtree(target, ignore_errors=True)
    beside.rename(target)
    return manifest


def write(name: str, examples: Iterable[Example], folder: Path) -> Manifest:
    """Write arrays, statistics and manifest of ``examples`` and return the manifest.

    Images are kept in the order of their digests, which is an arbitrary and fixed one.
    """
    ordered = sorted(examples, key=lambda example: example.label)
    ordered.sort(key=lambda example: example.label.digest)
    if not ordered:
        raise DatasetError(f"no images for {name} in the source")
    if len(shapes := {example.pixels.shape for example in ordered}) > 1:
        raise DatasetError(f"images of {name} differ in size: {sorted(shapes)[:3]}")
    labels = [example.label for example in ordered]
    classes = tuple(sorted({label.name for label in labels}))
    valid = held_out(labels, name)
    parts: dict[str, list[Example]] = {"train": [], "valid": [], "test": []}
    for example in ordered:
        held = example.label.part == "train" and example.label.digest in valid
        parts["valid" if held else example.label.part].append(example)
    for part, chosen in parts.items():
        if not chosen:
            raise DatasetError(f"{name} has no images for {part}; the source may be cut short")
        np.save(folder / f"{part}_images.npy", np.stack([example.pixels for example in chosen]))
        numbers = [classes.index(example.label.name) for example in chosen]
        np.save(folder / f"{part}_labels.npy", np.array(numbers, dtype=np.int64))
    found = statistics(np.load(folder / "train_images.npy", mmap_mode="r"))
    np.savez(folder / "statistics.npz", **found._asdict())
    manifest = Manifest(
        name=name,
        classes=classes,
        counts={part: len(chosen) for part, chosen in parts.items()},
        digest=dataset_digest(labels),
        split=digest_of("\n".join(sorted(valid)).encode()),
        files={path.name: file_digest(path) for path in sorted(folder.glob("*.np[yz]"))},
    )
    (folder / "manifest.json").write_text(manifest.model_dump_json(indent=2) + "\n")
    return manifest
