"""A study's figure in its results folder, drawn anew when what it shows has changed."""

import hashlib
from functools import cache
from importlib.metadata import version
from pathlib import Path

from ablations.machine import SOURCES
from alexnet.config.base import canonical
from alexnet.data.digests import file_digest
from reports.findings.sections import Section

SHOWN = "Shown"
"""The name under which a PNG says what it was drawn of."""


def keep_figure(section: Section, folder: Path) -> Path | None:
    """Return the figure of a study, drawn if there is none of the same plan, records and code.

    What draws it takes a second to load, as long as all else that a command does when no run is
    missing.

    Returns:
        The PNG, beside which lies the SVG; None if there is nothing to draw yet.
    """
    path, shown = folder / f"{section.name}.png", _what_is_shown(section)
    if shown is not None and _shown_by(path) == shown and _is_whole(path.with_suffix(".svg")):
        return path
    return draw_anew(section, folder)


def draw_anew(section: Section, folder: Path) -> Path | None:
    """Draw the figure of a study into a folder; return its PNG, or None if there is nothing yet.

    Beside it, of a network at several rates, lies ``<study>@<dataset>.rates.png``.
    """
    from reports.figures.pictures import save
    from reports.figures.readings import draw_rate_map
    from reports.figures.study import draw

    figure = draw(section)
    if figure is None:
        return None
    if (rates := draw_rate_map(section)) is not None:
        save(rates, folder, f"{section.name}.rates")
    shown = _what_is_shown(section)
    about = {} if shown is None else {SHOWN: shown}
    return save(figure, folder, section.name, about)[1]


def _what_is_shown(section: Section) -> str | None:
    """Return a digest of plan, records and code; None before the first comparison run."""
    records = [
        record
        for of_seeds in (section.records, section.later_records)
        for by_seed in of_seeds.values()
        for record in by_seed.values()
    ]
    if not records:
        return None
    told = [canonical(section.plan.model_dump(mode="json")), *_code()]
    for record in records:
        told += [record.run.id, canonical(record.model_dump(mode="json", exclude={"run"}))]
    return hashlib.sha256("\n".join(told).encode()).hexdigest()


@cache
def _code() -> tuple[str, ...]:
    """Return what draws: the versions of libraries, and the digests of our modules."""
    root = Path(__file__).parents[2]
    modules = sorted(path for package in SOURCES for path in (root / package).rglob("*.py"))
    return (*map(version, ("matplotlib", "seaborn")), *map(file_digest, modules))


def _shown_by(path: Path) -> str | None:
    """Return what a PNG says it was drawn of, or None."""
    from PIL import Image

    try:
        with Image.open(path) as image:
            image.load()
            return image.info.get(SHOWN)
    except (OSError, ValueError, SyntaxError):  # not there, or cut short
        return None


def _is_whole(svg: Path) -> bool:
    try:
        return svg.read_bytes().rstrip().endswith(b"</svg>")
    except OSError:
        return False
