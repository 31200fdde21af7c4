"""`prepare`: says what is found and written while images are prepared."""

import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, TaskID, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from alexnet.data.manifest import Manifest, folder_of, in_words
from alexnet.data.prepare.preparation import prepare
from alexnet.data.prepare.request import Fetching, Found, Note, PrepareRequest, Progress
from alexnet.data.stored import bytes_on_disk
from alexnet.text import counted
from reports.commands.console import LABEL, say
from reports.commands.datasets import reasons, source, summary
from reports.wording.formatting import clock

NAMED = 12  # classes
QUIET = 20  # seconds without a line, where there is no bar
STAGES = {"digests": "digests", "images": "decoding", "check": "checking"}


def run(request: PrepareRequest, console: Console) -> int:
    """Prepare a dataset and say what happens; return the exit code."""
    start = time.monotonic()
    bar = _Bar(console)
    manifest, checked = None, False
    if (
        isinstance(request.source, Path)
        and request.source.exists()
        and not request.place.target.exists()
    ):
        about = request.description
        say(
            console,
            request.name,
            about.title if about else "images of your own, not in the catalogue",
        )
        say(console, "from", str(request.source))
    with bar:
        for event in prepare(request):
            match event:
                case Fetching():
                    _announce_download(console, request, event)
                case Found():
                    _announce(console, request, event)
                case Note(label=label, text=text):
                    say(console, label, text)
                case Progress():
                    checked = event.stage == "check"
                    bar.show(event)
                case Manifest():
                    manifest = event
    if manifest is None:  # --dry-run
        return 0
    folder = folder_of(request.name, request.data_dir)
    if checked:
        say(console, request.name, f"already prepared in {folder}, every file as its digest says")
    else:
        size = in_words(bytes_on_disk(manifest, request.data_dir))
        say(console, "written to", f"{folder}, {size} in {clock(time.monotonic() - start)}")
    summary(console, manifest)
    return 0


def _announce_download(console: Console, request: PrepareRequest, event: Fetching) -> None:
    about = request.description
    say(console, request.name, about.title if about else "")
    say(console, "from", source(event.download))
    if event.warning:
        say(console, "slow", event.warning)


def _announce(console: Console, request: PrepareRequest, found: Found) -> None:
    say(
        console,
        "found",
        f"{counted(found.images, 'image')} of {counted(len(found.classes), 'class')}, "
        f"{found.layout}",
    )
    say(console, "classes", _some(found.classes))
    if found.set_aside:
        say(console, "ignored", reasons(found.set_aside))
    fit = (
        str(found.fit) if found.fit else "by their size: small squares as they are, else 256 x 256"
    )
    say(console, "become", fit)
    at_most = "" if found.fit else "at most "
    say(
        console,
        "disk",
        f"{at_most}{in_words(found.needed)} of {in_words(found.free)} free in {request.data_dir}",
    )
    workers = counted(found.workers, "process")
    say(console, "with", f"{workers}; Ctrl-C loses nothing, the same command goes on")


def _some(names: Sequence[str]) -> str:
    """Return names as a list, the first few of many."""
    more = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {more:,} more" if more > 0 else "")


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
