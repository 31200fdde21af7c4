"""How figures look, and how they become files."""

import contextlib
import io
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import matplotlib as mpl
import seaborn as sns
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from alexnet.durable import write_atomically

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


PROCESS = ("backend", "interactive", "timezone", "toolbar", "webagg", "savefig.directory", "keymap")
"""How settings begin that are of a person's process, and not of how a figure looks."""


@contextlib.contextmanager
def styled(look: Literal["ticks", "white"] | None = None, **more: Any) -> Iterator[None]:
    """Draw in our style alone, whatever settings a person has for figures of their own.

    Args:
        look: Of seaborn's; None for matplotlib's own.
        more: Settings beside `STYLE`, with underscores for dots.
    """
    defaults = {n: v for n, v in mpl.rcParamsDefault.items() if not n.startswith(PROCESS)}
    ours = STYLE | {name.replace("_", ".", 1): value for name, value in more.items()}
    with contextlib.ExitStack() as stack:
        stack.enter_context(mpl.rc_context(defaults))
        if look is not None:
            stack.enter_context(sns.axes_style(look))
        stack.enter_context(mpl.rc_context(ours))
        yield


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
    with styled():
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
