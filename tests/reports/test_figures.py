"""The studies' figures, drawn from the shipped evidence: all that is written can be read."""

import json
from functools import cache
from itertools import combinations, pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from ablations.store import Store
from ablations.study import Base, Contrast, EarlyLoss, FinalError, Study
from alexnet.presets import tiny
from reports.evidence import EVIDENCE
from reports.figures.many_arms import apart
from reports.figures.study import draw
from reports.findings.sections import Section, baseline_of_many, section_of, sections
from tests.builders.plans import planned
from tests.builders.records import measures_of, record_of

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
    """Return titles, labels, names beside and below the axes, and legends."""
    found: list[Text] = []
    for axes in figure.axes:
        found += [axes.xaxis.label, axes.yaxis.label, axes.title, axes._left_title]
        low, high = sorted(axes.get_ylim())
        found += [t for t in axes.get_yticklabels() if low <= t.get_position()[1] <= high]
        low, high = sorted(axes.get_xlim())
        found += [t for t in axes.get_xticklabels() if low <= t.get_position()[0] <= high]
    legends = [*figure.legends, *(axes.get_legend() for axes in figure.axes)]
    found += [text for legend in legends if legend for text in legend.get_texts()]
    return [text for text in found if text.get_text()]


def overlapping(figure: Figure) -> list[tuple[str, str]]:
    """Return what is written over one another."""
    figure.draw_without_rendering()
    boxes = [(text.get_text(), text.get_window_extent()) for text in written(figure)]
    return [(one, other) for (one, a), (other, b) in combinations(boxes, 2) if a.overlaps(b)]


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
    assert overlapping(drawn(name)) == []


def test_names_of_contrasts_are_whole() -> None:
    """Two metrics in full take lines of their own, for which the picture makes room."""
    plan = STORE.read_plan("ensembles", "cifar10_jpeg", smoke=False)
    assert plan is not None
    unlabelled = plan.model_copy(update={"about": plan.about.but(contrasts=())})
    figure = draw(section_of(unlabelled, STORE))
    assert figure is not None
    names = [" ".join(axes.get_title(loc="left").split()) for axes in figure.axes]

    assert [name.partition(" -")[0] for name in names] == [
        "top-1 test error of 5 networks over ten views, "
        "minus top-1 test error of one network over ten views",
        "top-1 test error of 2 networks over ten views, "
        "minus top-1 test error of one network over ten views",
    ]
    assert overlapping(figure) == []


# ---- One arm by two metrics


TWO_METRICS = ("ten_views", "ensembles", "nearest_neighbours", "first_layer_filters")


@pytest.mark.parametrize("study", TWO_METRICS)
def test_two_metrics_of_one_arm_are_no_training_curve(study: str) -> None:
    """No axis of epochs, and a panel for each contrast."""
    name = f"{study}@cifar10_jpeg"
    figure = drawn(name)
    below = {axes.xaxis.label.get_text() for axes in figure.axes}

    assert below == {""}
    assert len(figure.axes) == len(SECTIONS[name].comparison.effects)


def test_a_slope_joins_what_one_run_came_to_by_either_metric() -> None:
    """Of ten views, by each record itself; the mean and its interval as the comparison has them."""
    section = SECTIONS["ten_views@cifar10_jpeg"]
    (axes,) = drawn("ten_views@cifar10_jpeg").axes
    lines = {line.get_gid(): list(map(float, line.get_ydata())) for line in axes.lines
             if str(line.get_gid()).startswith("curve-")}  # fmt: skip
    (records,) = section.records.values()
    (effect,) = section.comparison.effects

    assert len(lines) == 10
    for seed, record in records.items():
        one, ten = record.measures.test, record.measures.test_ten
        assert lines[f"curve-0-{seed}"] == pytest.approx(
            [100 * one.top1_error, 100 * ten.top1_error]
        )
    before, after = (sum(values) / 10 for values in zip(*lines.values(), strict=True))
    assert after - before == pytest.approx(100 * effect.estimate)
    (bar,) = axes.containers
    ends = bar.lines[2][0].get_segments()[0][:, 1]
    assert ends - before == pytest.approx([100 * effect.low, 100 * effect.high])
    assert set(lines) == set(json.loads(section.curves))


# ---- Many arms against one baseline


def test_of_many_arms_the_baseline_is_black_and_each_is_named_at_its_end() -> None:
    """All others grey, names as they end from the lowest up, and none over another."""
    section = SECTIONS["one_removed@cifar10"]
    figure = drawn("one_removed@cifar10")
    curves = figure.axes[0]
    lines = [line for line in curves.lines if len(line.get_xdata()) > 50]
    names = [text for text in curves.texts if text.get_text()]
    called = [section.plan.label(arm) for arm in section.plan.definition.arms]

    assert [line.get_color() for line in lines].count("black") == 1
    assert {line.get_color() for line in lines} == {"black", "0.62"}
    assert [text.get_text() for text in names if text.get_color() == "black"] == [
        "the whole network"
    ]
    assert sorted(text.get_text() for text in names) == sorted(called)
    ends = {line.get_ydata()[-1] for line in lines}
    assert [text.xy[1] for text in names] == pytest.approx(sorted(ends))
    assert curves.get_legend() is None
    assert figure.legends == []
    boxes = [Text.get_window_extent(text) for text in names]  # without its line to the curve
    assert not any(a.overlaps(b) for a, b in combinations(boxes, 2))


def test_rows_of_many_arms_are_sorted_by_their_size() -> None:
    """From what raises the error most; the baseline is said once, below."""
    section = SECTIONS["one_removed@cifar10"]
    rows = drawn("one_removed@cifar10").axes[1]
    names = [" ".join(text.get_text().split()) for text in rows.get_yticklabels()]
    sizes = sorted(effect.estimate for effect in section.comparison.effects)[::-1]
    by_size = {effect.estimate: effect.contrast for effect in section.comparison.effects}

    assert len(names) == 10
    assert names[1:] == [by_size[size].label_of(by_size[size].arm) for size in sizes[1:]]
    assert rows.xaxis.label.get_text().endswith("against the whole network")


def test_another_unit_stays_with_the_table_however_large(results: Path) -> None:
    """A loss that rises most of all is no row among differences of points."""
    arms = {"whole": {}} | {f"{n} epochs": {"training": {"epochs": n}} for n in range(3, 8)}
    less = {"against": "whole", "direction": "lower", "margin": 0.005, "margin_reason": "small"}
    contrasts = [Contrast(arm=arm, **less) for arm in list(arms)[1:]]
    early = Contrast(arm="7 epochs", **less | {"metric": EarlyLoss(share=0.5)})
    base = Base(config=tiny(), metric=FinalError(), rates=(0.001,), judged=False)
    plan = planned(Study(name="lengths", question="How long?", arms=arms, seeds=2,
                         contrasts=(*contrasts, early), bases={"fashion_mini": base}))  # fmt: skip
    store = Store(results)
    for number, arm in enumerate(arms):
        for seed in range(2):
            measures = measures_of(0.1, 0.2, 0.3 - number / 100)
            store.add(record_of(plan.run(arm, seed), [0.5, 0.4], measures=measures))
    section = section_of(plan, store)
    assert baseline_of_many(section) == "whole"
    figure = draw(section)
    assert figure is not None

    names = [text.get_text() for text in figure.axes[1].get_yticklabels()]
    assert names == [f"{number} epochs" for number in range(3, 8)]  # the more, the lower here
    assert "points" in figure.axes[1].xaxis.label.get_text()


def test_a_row_that_would_squeeze_all_others_is_an_arrow_with_its_size() -> None:
    """Of tanh, whose 15 points are ten times the next; all others lie on the axis."""
    section = SECTIONS["one_removed@cifar10"]
    rows = drawn("one_removed@cifar10").axes[1]
    low, high = rows.get_xlim()
    arrows = [line for line in rows.lines if line.get_marker() in ("<", ">")]

    assert [(line.get_marker(), line.get_xdata()[0]) for line in arrows] == [(">", high)]
    assert "+15.3" in [text.get_text() for text in rows.texts]
    for effect in section.comparison.effects:
        if abs(effect.estimate) < 0.1:
            assert all(low <= 100 * value <= high for value in effect.by_seed)


@pytest.mark.parametrize(
    ("places", "gap", "moved"),
    [
        ([], 1.0, []),
        ([1.0, 3.0], 1.0, [1.0, 3.0]),
        ([1.0, 1.0], 1.0, [0.5, 1.5]),
        ([0.0, 0.0, 0.0], 2.0, [-2.0, 0.0, 2.0]),
        ([0.0, 5.0, 5.5, 6.0], 1.0, [0.0, 4.5, 5.5, 6.5]),
        ([0.0, 1.5, 1.6], 1.5, [-0.4667, 1.0333, 2.5333]),  # pooled one after the other
    ],
)
def test_names_move_as_little_as_can_be(
    places: list[float], gap: float, moved: list[float]
) -> None:
    """By hand: pools keep their mean."""
    assert apart(places, gap) == pytest.approx(moved, abs=1e-3)


@given(st.lists(st.floats(-100, 100), max_size=12).map(sorted), st.floats(0.1, 10))
def test_names_keep_their_distance_and_their_middle(places: list[float], gap: float) -> None:
    """None nearer than the gap, and none moved where all are far enough apart."""
    moved = apart(places, gap)

    assert all(b - a >= gap - 1e-9 for a, b in pairwise(moved))
    assert sum(moved) == pytest.approx(sum(places), abs=1e-6)
    if all(b - a >= gap for a, b in pairwise(places)):
        assert moved == pytest.approx(places, abs=1e-9)
