"""What is written in a figure, and where texts collide."""

from itertools import combinations

from matplotlib.figure import Figure
from matplotlib.text import Text


def texts(figure: Figure) -> list[str]:
    """Return all that can be read in a figure, in the order in which it was drawn."""
    found = (text.get_text() for text in figure.findobj(Text))
    return [text for text in found if text]


def collisions(figure: Figure) -> list[tuple[str, str]]:
    """Return texts that lie over one another, or over the figure's edge."""
    figure.draw_without_rendering()
    # An empty annotation is an arrow.
    shown = [text for text in figure.findobj(Text) if text.get_text() and text.get_visible()]
    boxes = [(text.get_text(), text.get_window_extent()) for text in shown]
    found = [(one, other) for (one, a), (other, b) in combinations(boxes, 2) if a.overlaps(b)]
    width, height = figure.bbox.size
    outside = [
        (one, "edge")
        for one, box in boxes
        if box.x0 < 0 or box.y0 < 0 or box.x1 > width or box.y1 > height
    ]
    return found + outside
