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
from alexnet.data.prepare.order import Event, Fetching, Found, Note, Order, Progress
from alexnet.data.prepare.published import Inventory
from alexnet.data.prepare.worker_pool import WorkerPool
from alexnet.data.stored import MisplacedError, damaged, stored
from alexnet.locks import locked

FEW = 500  # images, for which further processes are not worth their start
THROWN = Note("new start", "unfinished work on another source, or another form, was thrown away")


def prepare(order: Order) -> Iterator[Event]:
    """Write the prepared form of a dataset to ``data_dir/name``; yield what happens.

    The last event is the manifest, but for a plan alone. A dataset that is there already is
    checked, not made again. It is written beside its folder and renamed when complete.

    Raises:
        DatasetError: If the source is missing, damaged or not what it should be; if too many images
            cannot be read; if the disk is too small; if anything else would be written over.
    """
    if order.name in IN_PACKAGE:
        embedded = yield from _already(order)
        if embedded is None:
            raise DatasetError(f"{order.name} is damaged in the package; install it again")
        yield embedded
        return
    refuse_homeless(order.data_dir)
    order.place.refuse_foreign()
    if not order.place.target.exists():
        sources.chosen(order)  # nothing is written if there is none
    if order.plan_only:
        yield from _planned(order)
        return
    try:
        order.data_dir.mkdir(parents=True, exist_ok=True)
        with locked(order.data_dir / f".{order.name}.lock", wait=False):
            try:
                present = yield from _already(order)
                if present is None:
                    yield from _prepare(order)
                else:
                    order.place.tidy(all_done=True)  # a kill may have come between
                    yield present
            finally:
                order.place.tidy()
    except Timeout:
        raise DatasetError(f"{order.name} is being prepared by another process") from None
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS, errno.EPERM):
            raise
        raise DatasetError(
            f"cannot write to {order.data_dir}: {error.strerror}; what is finished is kept, the "
            "same command goes on"
        ) from error


def _already(order: Order) -> Generator[Event, None, Manifest | None]:
    """Check the dataset that is there; return its manifest, or None if it has to be made."""
    try:
        manifest = stored(order.name, order.data_dir)
    except MisplacedError:
        raise  # what lies there is another dataset, and would be gone
    except DatasetError as error:
        yield Note("again", str(error))
        return None
    if manifest is None:
        return None
    _refuse_other_form(order, manifest)
    checks = damaged(manifest, folder_of(order.name, order.data_dir))
    for done, (name, bad) in enumerate(checks, start=1):
        if bad:
            yield Note("damaged", f"{name} is not as it was written; the dataset is made again")
            return None
        yield Progress("check", done, len(manifest.files))
    if order.source is not None:
        yield Note("source", "not looked at again; to make the dataset anew, remove it first")
    return manifest


def _refuse_other_form(order: Order, manifest: Manifest) -> None:
    resized = (order.resize or order.size) and order.fit != manifest.fit
    turned = order.description is None and not order.mirror and manifest.mirror
    if resized or turned:
        wanted = f"{order.fit}" if resized else "--no-mirror"
        raise DatasetError(
            f"{order.name} is prepared in {order.data_dir} at {manifest.fit}; for {wanted} "
            "choose another --data-dir or remove it first"
        )


def _planned(order: Order) -> Iterator[Event]:
    """Say what would be done; leave nothing behind."""
    source = sources.chosen(order)
    if isinstance(source, Download):
        yield _fetching(order, source)
        return
    with tempfile.TemporaryDirectory() as work:
        found = sources.inventory(order, source, Path(work), None)
        sources.refuse_wrong_counts(order, found)
        yield _found(order, found)


def _fetching(order: Order, chosen: Download) -> Fetching:
    assert order.description is not None
    return Fetching(chosen, downloads.warning(order.description, chosen))


def _prepare(order: Order) -> Iterator[Event]:
    place, source = order.place, sources.chosen(order)
    if isinstance(source, Download):
        source = yield from _fetched(order, source)
        known = sources.listed(order, source)
    else:
        known = sources.listed(order, source)
        if place.begin(sources.token(order, source, known)):
            yield THROWN
    yield from sources.copying(order, source, known.files if known else None)
    found = sources.inventory(order, source, place.work, known)
    sources.refuse_wrong_counts(order, found)
    announced = _found(order, found)
    yield announced
    if order.fit is not None:
        place.refuse_small_disk(announced.needed, order.name)
    with WorkerPool(announced.workers) as pool:
        yield from assembled(order, found, pool)


def _fetched(order: Order, chosen: Download) -> Generator[Event, None, Path]:
    """Download what is not there yet; return where it is."""
    about, place = order.description, order.place
    assert about is not None
    yield _fetching(order, chosen)
    arrays = sum(about.published.values()) * about.fit.bytes
    needed = 2 * int(chosen.megabytes * 1e6) + arrays  # Parquet and archives are copied once more
    place.refuse_small_disk(needed, f"{order.name}, with what is downloaded,")
    if place.begin(f"{chosen.kind} {chosen.where}\n{order.form}"):
        yield THROWN
    return downloads.fetch(about, chosen, place.download)


def _found(order: Order, found: Inventory) -> Found:
    images = len(found.images)
    size = (order.fit or Fit(size=256)).bytes
    here = sum(path.stat().st_size for path in order.place.arrays.glob("*_images-*.npy"))
    return Found(
        layout=found.layout,
        images=images,
        classes=tuple(sorted({image.name for image in found.images})),
        set_aside=dict(found.set_aside),
        fit=order.fit,
        needed=max(0, images * size - here),
        free=order.place.free(),
        workers=min(order.workers or cores(), -(-images // FEW)),
    )
