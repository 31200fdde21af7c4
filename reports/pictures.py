"""How figures look, and how they become files."""

import io
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from ablations.store import write_atomically

STYLE: dict[Any, Any] = {
    "svg.hashsalt": "alexnet-ablations",  # equal records, equal bytes
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    # Short, since an SVG repeats it with every text; the last is whatever a reader has.
    "font.sans-serif": ["DejaVu Sans", "Verdana", "Arial", "sans-serif"],
    "font.size": 10,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "text.parse_math": False,  # a name with dollar signs is a name
    "path.simplify_threshold": 0.5,  # of a pixel: a curve of hundreds of points keeps its shape
}
LINES = ("solid", "dashed", "dashdot", "dotted")
DPI = 200  # of PNG files, for print
COMPRESS = 3  # of 9: a tenth larger files than by 6, in half of the time
LONG = re.compile(r"(\d\.\d\d)\d+")
"""A coordinate with more than a hundredth of a point, which no eye sees."""


def short(text: str, longest: int) -> str:
    """Return a name, cut where it is too long.

    >>> short("tench", 12), short("American Staffordshire terrier", 12)
    ('tench', 'American St…')
    """
    return text if len(text) <= longest else text[: longest - 1].rstrip(" ,") + "…"


def as_png(figure: Figure) -> bytes:
    """Return a figure as a screen shows it."""
    content = io.BytesIO()
    figure.savefig(content, format="png")
    return content.getvalue()


def save(
    figure: Figure, folder: Path, name: str, about: Mapping[str, str] | None = None
) -> list[Path]:
    """Write a figure as SVG and PNG, the same bytes for the same figure; return the paths.

    The PNG carries what is said ``about`` it.

    The figure is laid out once for both and drawn once for each, which takes half the time of
    saving it twice.
    """
    svg, png = io.StringIO(), io.BytesIO()
    with mpl.rc_context(STYLE):
        figure.set_canvas(FigureCanvasAgg(figure))
        figure.draw_without_rendering()
        figure.set_layout_engine("none")
        FigureCanvasSVG(figure).print_svg(  # type: ignore[no-untyped-call]
            svg, metadata={"Date": None}
        )
        figure.set_dpi(DPI)
        FigureCanvasAgg(figure).print_png(  # type: ignore[no-untyped-call]
            png, metadata=dict(about or {}), pil_kwargs={"compress_level": COMPRESS}
        )
    paths = [folder / f"{name}.svg", folder / f"{name}.png"]
    write_atomically(paths[0], _shorter(svg.getvalue()).encode())
    write_atomically(paths[1], png.getvalue())
    return paths


def _shorter(svg: str) -> str:
    """Return an SVG whose paths and places are given to a hundredth of a point."""
    places = r'(?<= d=")[^"]+|(?<= points=")[^"]+|(?<= x=")[^"]+|(?<= y=")[^"]+'
    return re.sub(places, lambda found: LONG.sub(r"\1", found[0]), svg)
