"""What `invoke datasets` and `invoke prepare` print."""

import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, TaskID, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar
from rich.table import Table
from rich.text import Text

from alexnet.data.catalogue import CATALOGUE, Description, Download, describe, suitable_base
from alexnet.data.manifest import HOMELESS, IN_PACKAGE, DatasetError, Manifest, folder_of, in_words
from alexnet.data.prepare.downloads import HUB
from alexnet.data.prepare.order import Fetching, Found, Note, Order, Progress
from alexnet.data.prepare.preparation import prepare
from alexnet.data.prepare.shards import FLAT
from alexnet.data.stored import MisplacedError, all_stored, bytes_on_disk, misplaced, stored
from reports.commands.console import LABEL, as_typed, say
from reports.wording.words import clock

NAMED = 12  # classes
LISTED = 3  # images that were left out, by name
QUIET = 20  # seconds without a line, where there is no bar
STAGES = {"digests": "digests", "images": "decoding", "check": "checking"}


def catalogue(console: Console, data_dir: Path) -> None:
    """Print a line for every dataset of the catalogue and of this machine."""
    here = {manifest.name: manifest for manifest in all_stored(data_dir)}
    table = Table(box=None, padding=(0, 2, 0, 0), show_edge=False, header_style="bold")
    table.add_column("dataset", no_wrap=True)
    table.add_column("what")
    for name in ("images", "pixels"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("here", justify="right", no_wrap=True)
    for about in CATALOGUE.values():
        found = here.pop(about.name, None)
        images = found.images if found else sum(about.published.values())
        shown = f"{images:,}" if images else ""
        state = _state(about.name, data_dir) if found is None else _here(found, data_dir)
        size = found.size if found else about.size
        table.add_row(about.name, about.title, shown, str(size), state)
    for own in here.values():
        table.add_row(own.name, own.title, f"{own.images:,}", str(own.size), _here(own, data_dir))
    lines = (
        *misplaced(data_dir),
        "prepared ones lie where --data-dir says"
        if data_dir == HOMELESS
        else f"prepared ones lie in {data_dir}",
        "one of them, and how it gets here:  invoke datasets --name cifar10",
        "images of your own, a folder per class:  invoke prepare --dataset NAME --source PATH",
    )
    console.print(table)
    console.print()
    for line in lines:
        console.print(Text(as_typed(line)), soft_wrap=True)


def _here(manifest: Manifest, data_dir: Path) -> str:
    if manifest.name in IN_PACKAGE:
        return "in the package"
    return in_words(bytes_on_disk(manifest, data_dir))


def _state(name: str, data_dir: Path) -> str:
    try:
        stored(name, data_dir)
    except MisplacedError:
        return "another one's folder"
    except DatasetError:
        return "to prepare again"
    return "unfinished" if (data_dir / f"{name}.partial").exists() else "-"


def describe_one(console: Console, name: str, data_dir: Path) -> None:
    """Print what is known of a dataset: what it is, how it gets here, what is here.

    Raises:
        DatasetError: If there is none of that name.
    """
    found = stored(name, data_dir)
    if found is None or name in CATALOGUE:
        about = describe(name)
        say(console, name, about.title)
        _how_it_gets_here(console, about)
        traits = (
            "colour" if about.colour else "grey",
            "mirror images are natural" if about.mirror else "mirror images are not natural",
            f"{about.classes:,} classes",
            f"stored at {about.fit}",
        )
        say(console, "images", "; ".join(traits))
        say(console, "suits", f"the preset {about.base}")
        say(console, "licence", about.licence)
    else:
        say(console, name, found.title)
        say(console, "suits", f"the preset {suitable_base(found.size)}")
    if found is None:
        say(console, "here", f"not prepared in {data_dir}")
    else:
        say(console, "here", f"{folder_of(name, data_dir)}, {_here(found, data_dir)}")
        summary(console, found)


def _how_it_gets_here(console: Console, about: Description) -> None:
    if about.embedded:
        say(console, "comes", "with the package")
        return
    for number, download in enumerate(about.downloads, start=1):
        say(console, f"source {number}", _source(download))
    if about.layout:
        say(console, "or --source", about.layout)
    say(console, "command", about.how)


def _source(download: Download) -> str:
    place = {"hub": "Hugging Face's Parquet", "official": "its authors' archive"}[download.kind]
    slow = f"; {download.why_slow}" if download.why_slow else ""
    extra = f"; needs  {HUB}" if download.kind == "hub" else ""
    token = "  and a token of your own" if download.token else ""
    minutes = f", {download.minutes:.0f} minutes" if download.minutes else ""
    size = in_words(download.megabytes * 1e6)
    return f"{place}, {download.where}, {size}{minutes}{slow}{extra}{token}"


def run(order: Order, console: Console) -> int:
    """Prepare a dataset and say what happens; return the exit code."""
    start = time.monotonic()
    bar = _Bar(console)
    manifest, checked = None, False
    if isinstance(order.source, Path) and order.source.exists() and not order.place.target.exists():
        about = order.description
        say(
            console,
            order.name,
            about.title if about else "images of your own, not in the catalogue",
        )
        say(console, "from", str(order.source))
    with bar:
        for event in prepare(order):
            match event:
                case Fetching():
                    _announce_download(console, order, event)
                case Found():
                    _announce(console, order, event)
                case Note(label=label, text=text):
                    say(console, label, text)
                case Progress():
                    checked = event.stage == "check"
                    bar.show(event)
                case Manifest():
                    manifest = event
    if manifest is None:  # --dry-run
        return 0
    folder = folder_of(order.name, order.data_dir)
    if checked:
        say(console, order.name, f"already prepared in {folder}, every file as its digest says")
    else:
        size = in_words(bytes_on_disk(manifest, order.data_dir))
        say(console, "written to", f"{folder}, {size} in {clock(time.monotonic() - start)}")
    summary(console, manifest)
    return 0


def _announce_download(console: Console, order: Order, event: Fetching) -> None:
    about = order.description
    say(console, order.name, about.title if about else "")
    say(console, "from", _source(event.download))
    if event.warning:
        say(console, "slow", event.warning)


def _announce(console: Console, order: Order, found: Found) -> None:
    say(
        console,
        "found",
        f"{found.images:,} images of {len(found.classes):,} classes, {found.layout}",
    )
    say(console, "classes", _some(found.classes))
    if found.set_aside:
        say(console, "set aside", _reasons(found.set_aside))
    fit = (
        str(found.fit) if found.fit else "by their size: small squares as they are, else 256 x 256"
    )
    say(console, "become", fit)
    at_most = "" if found.fit else "at most "
    say(
        console,
        "disk",
        f"{at_most}{in_words(found.needed)} of {in_words(found.free)} free in {order.data_dir}",
    )
    workers = "1 process" if found.workers == 1 else f"{found.workers} processes"
    say(console, "with", f"{workers}; Ctrl-C loses nothing, the same command goes on")


def _some(names: Sequence[str]) -> str:
    """Return names as a list, the first few of many."""
    more = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {more:,} more" if more > 0 else "")


def _reasons(counts: dict[str, int]) -> str:
    return ", ".join(f"{count:,} {reason}" for reason, count in counts.items())


def summary(console: Console, manifest: Manifest) -> None:
    """Say what a prepared dataset holds and what is not in it."""
    counts = ", ".join(f"{count:,} {part}" for part, count in manifest.counts.items())
    colour = "colour" if manifest.colour else "grey"
    say(console, "images", f"{counts}; {len(manifest.classes):,} classes, {colour}")
    if manifest.left_out:
        some = list(manifest.left_out.items())
        say(console, "left out", f"{len(some):,} that cannot be read, listed in manifest.json")
        for path, reason in some[:LISTED]:
            say(console, "", f"{path}: {reason}")
    if manifest.set_aside:
        say(console, "set aside", _reasons(manifest.set_aside))
    if manifest.repeated:
        leaked = (
            f"; {manifest.leaked:,} of test are in train or valid too" if manifest.leaked else ""
        )
        say(console, "copies", f"{manifest.repeated:,} images are exact copies of others{leaked}")
    strange = {
        "relabelled": ("two classes", "images are exact copies of images of another class"),
        "flat": ("no contrast", f"images differ by less than {FLAT} grey levels within"),
    }
    for kind, count in (("relabelled", manifest.relabelled), ("flat", manifest.flat)):
        if count:
            label, what = strange[kind]
            say(console, label, f"{count:,} {what}, such as")
            for text in manifest.such_as.get(kind, ()):  # type: ignore[call-overload]
                say(console, "", text)
    say(console, "digest", manifest.digest[:12])


class _Bar:
    """A bar with the time left in a terminal; elsewhere a line now and then."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bar = Bar(
            TextColumn(f"{{task.description:<{LABEL}}}"),
            BarColumn(40),
            TextColumn("{task.completed:,.0f} of {task.total:,.0f}"),
            TimeRemainingColumn(),
            console=console,
            transient=True,
        )
        self._task: TaskID | None = None
        self._stage, self._start, self._spoke = "", 0.0, 0.0
        self._first = 0

    def __enter__(self) -> None:
        if self._console.is_terminal:
            self._bar.start()

    def __exit__(self, *_: object) -> None:
        if self._console.is_terminal:
            self._bar.stop()

    def show(self, event: Progress) -> None:
        """Show how far a stage is."""
        now = time.monotonic()
        if event.stage != self._stage:
            self._stage, self._start, self._spoke = event.stage, now, now
            self._first = event.done
            if self._task is not None:
                self._bar.remove_task(self._task)
            self._task = self._bar.add_task(STAGES[event.stage], total=event.total)
            if event.done and event.stage != "check":
                text = f"{event.done:,} of {event.total:,} done by an earlier start"
                say(self._console, STAGES[event.stage], text)
        assert self._task is not None
        self._bar.update(self._task, completed=event.done)
        elapsed, made = now - self._start, event.done - self._first
        if self._console.is_terminal or event.stage == "check":
            return
        if event.done == event.total and made:
            text = f"{event.total:,} in {clock(elapsed)}"
            say(self._console, STAGES[event.stage], text)
        elif made and now - self._spoke > QUIET:
            self._spoke = now
            left = clock((event.total - event.done) * elapsed / made)
            text = f"{event.done:,} of {event.total:,}, {left} left"
            say(self._console, STAGES[event.stage], text)
