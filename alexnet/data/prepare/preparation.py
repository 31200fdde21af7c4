"""From published files to the prepared form: arrays in a fixed order, statistics, a manifest.

First every file is digested, which fixes the order of images and what is held out; then each shard
is decoded on its own. Both are done by as many processes as wanted, and taken up again after a
kill; the result is the same bytes.
"""

import errno
import tempfile
from collections.abc import Generator, Iterator
from pathlib import Path

from filelock import Timeout

from alexnet.cores import cores
from alexnet.data.catalogue import Download
from alexnet.data.manifest import (
    IN_PACKAGE,
    DatasetError,
    Fit,
    Manifest,
    folder_of,
    refuse_homeless,
)
from alexnet.data.prepare import downloads, sources
from alexnet.data.prepare.assembly import assembled
from alexnet.data.prepare.published import Inventory
from alexnet.data.prepare.request import Event, Fetching, Found, Note, PrepareRequest, Progress
from alexnet.data.prepare.worker_pool import WorkerPool
from alexnet.data.stored import MisplacedError, damaged, stored
from alexnet.locks import locked

FEW = 500  # images, for which further processes are not worth their start
THROWN = Note("new start", "unfinished work on another source, or another form, was thrown away")


def prepare(request: PrepareRequest) -> Iterator[Event]:
    """Write the prepared form of a dataset to ``data_dir/name``; yield what happens.

    The last event is the manifest, but for a plan alone. A dataset that is there already is
    checked, not made again. It is written beside its folder and renamed when complete.

    Raises:
        DatasetError: If the source is missing, damaged or not what it should be; if too many images
            cannot be read; if the disk is too small; if anything else would be written over.
    """
    if request.name in IN_PACKAGE:
        embedded = yield from _already(request)
        if embedded is None:
            raise DatasetError(f"{request.name} is damaged in the package; install it again")
        yield embedded
        return
    refuse_homeless(request.data_dir)
    request.place.refuse_foreign()
    if not request.place.target.exists():
        sources.chosen(request)  # nothing is written if there is none
    if request.plan_only:
        yield from _planned(request)
        return
    try:
        request.data_dir.mkdir(parents=True, exist_ok=True)
        with locked(request.data_dir / f".{request.name}.lock", wait=False):
            try:
                present = yield from _already(request)
                if present is None:
                    yield from _prepare(request)
                else:
                    request.place.tidy(all_done=True)  # a kill may have come between
                    yield present
            finally:
                request.place.tidy()
    except Timeout:
        raise DatasetError(f"{request.name} is being prepared by another process") from None
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS, errno.EPERM):
            raise
        raise DatasetError(
            f"cannot write to {request.data_dir}: {error.strerror}; what is finished is kept, the "
            "same command goes on"
        ) from error


def _already(request: PrepareRequest) -> Generator[Event, None, Manifest | None]:
    """Check the dataset that is there; return its manifest, or None if it has to be made."""
    try:
        manifest = stored(request.name, request.data_dir)
    except MisplacedError:
        raise  # what lies there is another dataset, and would be gone
    except DatasetError as error:
        yield Note("again", str(error))
        return None
    if manifest is None:
        return None
    _refuse_other_form(request, manifest)
    checks = damaged(manifest, folder_of(request.name, request.data_dir))
    for done, (name, bad) in enumerate(checks, start=1):
        if bad:
            yield Note("damaged", f"{name} is not as it was written; the dataset is made again")
            return None
        yield Progress("check", done, len(manifest.files))
    if request.source is not None:
        yield Note("source", "not looked at again; to make the dataset anew, remove it first")
    return manifest


def _refuse_other_form(request: PrepareRequest, manifest: Manifest) -> None:
    resized = (request.resize or request.size) and request.fit != manifest.fit
    turned = request.description is None and not request.mirror and manifest.mirror
    if resized or turned:
        wanted = f"{request.fit}" if resized else "--no-mirror"
        raise DatasetError(
            f"{request.name} is prepared in {request.data_dir} at {manifest.fit}; for {wanted} "
            "choose another --data-dir or remove it first"
        )


def _planned(request: PrepareRequest) -> Iterator[Event]:
    """Say what would be done; leave nothing behind."""
    source = sources.chosen(request)
    if isinstance(source, Download):
        yield _fetching(request, source)
        return
    with tempfile.TemporaryDirectory() as work:
        found = sources.inventory(request, source, Path(work), None)
        sources.refuse_wrong_counts(request, found)
        yield _found(request, found)


def _fetching(request: PrepareRequest, chosen: Download) -> Fetching:
    assert request.description is not None
    return Fetching(chosen, downloads.warning(request.description, chosen))


def _prepare(request: PrepareRequest) -> Iterator[Event]:
    place, source = request.place, sources.chosen(request)
    if isinstance(source, Download):
        source = yield from _fetched(request, source)
        known = sources.listed(request, source)
    else:
        known = sources.listed(request, source)
        if place.begin(sources.token(request, source, known)):
            yield THROWN
    yield from sources.copying(request, source, known.files if known else None)
    found = sources.inventory(request, source, place.work, known)
    sources.refuse_wrong_counts(request, found)
    announced = _found(request, found)
    yield announced
    if request.fit is not None:
        place.refuse_small_disk(announced.needed, request.name)
    with WorkerPool(announced.workers) as pool:
        yield from assembled(request, found, pool)


def _fetched(request: PrepareRequest, chosen: Download) -> Generator[Event, None, Path]:
    """Download what is not there yet; return where it is."""
    about, place = request.description, request.place
    assert about is not None
    yield _fetching(request, chosen)
    arrays = sum(about.published.values()) * about.fit.image_bytes
    needed = 2 * int(chosen.megabytes * 1e6) + arrays  # Parquet and archives are copied once more
    place.refuse_small_disk(needed, f"{request.name}, with what is downloaded,")
    if place.begin(f"{chosen.kind} {chosen.where}\n{request.form}"):
        yield THROWN
    return downloads.fetch(about, chosen, place.download)


def _found(request: PrepareRequest, found: Inventory) -> Found:
    images = len(found.images)
    size = (request.fit or Fit(size=256)).image_bytes
    here = sum(path.stat().st_size for path in request.place.arrays.glob("*_images-*.npy"))
    return Found(
        layout=found.layout,
        images=images,
        classes=tuple(sorted({image.name for image in found.images})),
        set_aside=dict(found.set_aside),
        fit=request.fit,
        needed=max(0, images * size - here),
        free=request.place.free(),
        workers=min(request.workers or cores(), -(-images // FEW)),
    )
