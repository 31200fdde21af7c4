"""The source of a dataset: which it is, what it holds, and whether that makes a dataset."""

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from alexnet.data.catalogue import CATALOGUE, Download
from alexnet.data.digests import digest_of
from alexnet.data.manifest import DatasetError, in_words
from alexnet.data.prepare import downloads, layouts, packs
from alexnet.data.prepare.files import File, Listing, copied, listing
from alexnet.data.prepare.published import Inventory, is_hidden
from alexnet.data.prepare.request import Event, Note, PrepareRequest
from alexnet.names import suggestion
from alexnet.text import counted, shown


def chosen(request: PrepareRequest) -> Path | Download:
    """Return the source to use: a person's own, or the fastest download.

    Raises:
        DatasetError: If there is none.
    """
    source, description = request.source, request.description
    if isinstance(source, Path):
        if not source.exists():
            raise DatasetError(f"there is no file or folder {source}")
        request.place.refuse_source(source)
        return source
    if description is None:
        if request.place.target.exists():
            raise DatasetError(f"to make {request.name} again, give its images by --source PATH")
        raise DatasetError(
            f"there is no dataset {request.name!r} in the catalogue, "
            f"{suggestion(request.name, CATALOGUE)}; for images of your own give --source PATH"
        )
    download = downloads.choose(description, source)
    if download is None:
        token = " (or --source hub, with your token)" if description.downloads else ""
        raise DatasetError(f"{request.name} needs --source PATH:  {description.layout}{token}")
    return download


def copying(request: PrepareRequest, source: Path, files: list[File] | None) -> Iterator[Event]:
    """Say, and refuse if there is no room, that a source has to be copied to be read."""
    done = any(request.place.work.glob("packed*.json")) or any(request.place.work.glob("*.tar"))
    size = copied(source, files)
    if size and not done:
        what = "what cannot be read here and there (compressed, or Parquet)"
        yield Note("copied first", f"{in_words(size)} or more: {what}")
        request.place.refuse_small_disk(size, f"a copy of {source}")


def listed(request: PrepareRequest, source: Path) -> Listing | None:
    """List a folder; None for a tar or zip, which may first have to be decompressed."""
    return listing(source, request.place.work, request.data_dir) if source.is_dir() else None


def inventory(
    request: PrepareRequest, source: Path, work: Path, known: Listing | None
) -> Inventory:
    """Return what a source holds, whose files may be known already."""
    files, empty = known or listing(source, work, request.data_dir)
    found = packs.unpacked(files, request.name, str(source), work)
    found = found or layouts.inventory(files, empty, str(source), request.class_folder)
    if not found.images:
        raise DatasetError(f"there are no images with a label in {source}")
    return found


def refuse_wrong_counts(request: PrepareRequest, found: Inventory) -> None:
    """Refuse a source that is not whole, or from which nothing can be learned.

    Raises:
        DatasetError: If it has not as many images and classes as were published; if a class has no
            images to train on; if there is one class alone.
    """
    counts = Counter(image.part for image in found.images)
    refuse_odd_classes(image[:2] for image in found.images)
    description = request.description
    if description is None:
        return
    classes = {image.name for image in found.images}
    if counts["train"] < description.at_least:
        raise DatasetError(
            f"{request.name} has {description.at_least:,} images or more to train on, and the "
            f"source {counts['train']:,}; it may be cut short. As a dataset of your own, under "
            "another name, it is taken as it is"
        )
    published = dict(description.published) or dict(counts)
    if dict(counts) != published or len(classes) != description.classes:
        of = counted(len(classes), "class")
        having = f"{counts['train']:,} + {counts['test']:,} images of {of}"
        wanted = f"{published['train']:,} + {published.get('test', 0):,} of {description.classes}"
        raise DatasetError(
            f"{request.name} has {wanted}, and the source {having}; it may be cut short. As a "
            "dataset of your own, under another name, it is taken as it is"
        )


def refuse_odd_classes(labels: Iterable[tuple[str, str]]) -> None:
    """Refuse images, given as (part, class), that no network could learn to tell apart."""
    seen = set(labels)
    classes = {name for part, name in seen if part == "train"}
    foreign = {name for part, name in seen if part == "test"} - classes
    if not classes:
        raise DatasetError("the source has no images to train on, only test images")
    if foreign:
        raise DatasetError(
            f"the class {min(foreign)!r} has test images and none to train on; "
            "every class needs both"
        )
    if len(classes) < 2:
        raise DatasetError(
            f"the source has one class, {min(classes)!r}; telling classes apart takes two or more"
        )


def token(request: PrepareRequest, source: Path, known: Listing | None) -> str:
    """Return what tells sources apart: where it is, its files, their sizes and ages."""
    if known is not None:
        lines = (f"{f.path} {f.size} {f.age}" for f in known.files if not is_hidden(f))
        files = digest_of("\n".join(lines).encode())
    else:
        status = source.stat()
        files = f"{status.st_size} {status.st_mtime_ns}"
    return f"{shown(str(source.resolve()))} {files}\n{request.form}"
