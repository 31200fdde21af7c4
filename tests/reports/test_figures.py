"""The studies' figures, drawn from the shipped evidence: all that is written can be read."""

from functools import cache

import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from ablations.store import Store
from reports.evidence import EVIDENCE
from reports.figures.study import draw
from reports.findings.sections import Section, section_of, sections

STORE = Store(EVIDENCE)
SECTIONS = {section.name: section for section in sections(STORE)}


@cache
def drawn(name: str) -> Figure:
    """Return a study's figure, laid out."""
    section: Section = SECTIONS[name]
    figure = draw(section)
    assert figure is not None
    figure.draw_without_rendering()
    return figure


def written(figure: Figure) -> list[Text]:
    """Return titles, labels, names beside the axes, and legends."""
    found: list[Text] = []
    for axes in figure.axes:
        found += [axes.xaxis.label, axes.yaxis.label, axes.title, axes._left_title]
        low, high = sorted(axes.get_ylim())
        found += [t for t in axes.get_yticklabels() if low <= t.get_position()[1] <= high]
    legends = [*figure.legends, *(axes.get_legend() for axes in figure.axes)]
    found += [text for legend in legends if legend for text in legend.get_texts()]
    return [text for text in found if text.get_text()]


@pytest.mark.parametrize("name", SECTIONS)
def test_nothing_that_is_written_leaves_the_picture(name: str) -> None:
    """A pixel's grace; what sticks out is cut off in a file."""
    figure = drawn(name)
    inside = Bbox([[-1, -1], [figure.bbox.width + 1, figure.bbox.height + 1]])

    outside = [
        text.get_text()
        for text in written(figure)
        for box in [text.get_window_extent()]
        if not (inside.contains(box.x0, box.y0) and inside.contains(box.x1, box.y1))
    ]
    assert outside == []


@pytest.mark.parametrize("name", SECTIONS)
def test_no_word_lies_over_another(name: str) -> None:
    """Names of contrasts among themselves, and labels below the axes."""
    texts = written(drawn(name))
    boxes = [(text.get_text(), text.get_window_extent()) for text in texts]

    over = [
        (one, other)
        for at, (one, a) in enumerate(boxes)
        for other, b in boxes[at + 1 :]
        if a.overlaps(b)
    ]
    assert over == []


def test_names_of_contrasts_are_whole() -> None:
    """Two metrics in full take six lines each, for which the picture makes room."""
    plan = STORE.read_plan("ensembles", "cifar10_jpeg", smoke=False)
    assert plan is not None
    unlabelled = plan.model_copy(update={"about": plan.about.but(contrasts=())})
    figure = draw(section_of(unlabelled, STORE))
    assert figure is not None
    names = [text.get_text() for text in figure.axes[1].get_yticklabels()]

    assert [" ".join(name.split()) for name in names] == [
        "top-1 test error of 5 networks over ten views "
        "minus top-1 test error of one network over ten views",
        "top-1 test error of 2 networks over ten views "
        "minus top-1 test error of one network over ten views",
    ]
