"""`datasets`: what is in the catalogue and on this machine, and one of them in detail."""

from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from alexnet.data.catalogue import CATALOGUE, Description, Download, describe, suitable_base
from alexnet.data.manifest import HOMELESS, IN_PACKAGE, DatasetError, Manifest, folder_of, in_words
from alexnet.data.prepare.downloads import HUB
from alexnet.data.prepare.shards import FLAT
from alexnet.data.stored import MisplacedError, all_stored, bytes_on_disk, misplaced, stored
from alexnet.text import counted
from reports.commands.console import as_typed, say

LISTED = 3  # images that were left out, by name


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
            counted(about.classes, "class"),
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
        say(console, f"source {number}", source(download))
    if about.layout:
        say(console, "or --source", about.layout)
    say(console, "command", about.how)


def source(download: Download) -> str:
    """Return where a download comes from, how large it is and how long it takes."""
    place = {"hub": "Hugging Face's Parquet", "official": "its authors' archive"}[download.kind]
    slow = f"; {download.why_slow}" if download.why_slow else ""
    extra = f"; needs  {HUB}" if download.kind == "hub" else ""
    token = "  and a token of your own" if download.token else ""
    minutes = f", {counted(round(download.minutes), 'minute')}" if download.minutes else ""
    size = in_words(download.megabytes * 1e6)
    return f"{place}, {download.where}, {size}{minutes}{slow}{extra}{token}"


def reasons(counts: dict[str, int]) -> str:
    """Return what was set aside, by reason."""
    return ", ".join(f"{count:,} {reason}" for reason, count in counts.items())


def summary(console: Console, manifest: Manifest) -> None:
    """Say what a prepared dataset holds and what is not in it."""
    counts = ", ".join(f"{count:,} {part}" for part, count in manifest.counts.items())
    colour = "colour" if manifest.colour else "grey"
    say(console, "images", f"{counts}; {counted(len(manifest.classes), 'class')}, {colour}")
    if manifest.left_out:
        some = list(manifest.left_out.items())
        say(console, "left out", f"{len(some):,} that cannot be read, listed in manifest.json")
        for path, reason in some[:LISTED]:
            say(console, "", f"{path}: {reason}")
    if manifest.set_aside:
        say(console, "ignored", reasons(manifest.set_aside))
    if manifest.repeated:
        leaked = (
            f"; {manifest.leaked:,} of test are in train or valid too" if manifest.leaked else ""
        )
        copies = counted(
            manifest.repeated,
            "image is an exact copy of another",
            "images are exact copies of others",
        )
        say(console, "copies", f"{copies}{leaked}")
    strange = {
        "relabelled": (
            "two classes",
            "image is an exact copy of one of another class",
            "images are exact copies of images of another class",
        ),
        "flat": (
            "no contrast",
            f"image differs by less than {FLAT} grey levels within",
            f"images differ by less than {FLAT} grey levels within",
        ),
    }
    for kind, count in (("relabelled", manifest.relabelled), ("flat", manifest.flat)):
        if count:
            label, *what = strange[kind]
            say(console, label, f"{counted(count, *what)}, such as")
            for text in manifest.such_as.get(kind, ()):  # type: ignore[call-overload]
                say(console, "", text)
    say(console, "digest", manifest.digest[:12])
