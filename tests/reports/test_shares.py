"""The front picture: shares of the paper's effect worked out, and what is drawn of them."""

import io
import math
from collections.abc import Callable
from functools import cache

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from PIL import Image

from ablations.contrast import Contrast
from ablations.metrics import FinalError, Metric, TimeTo
from ablations.store import Store
from ablations.study import Setting
from reports.analysis.effect import Effect
from reports.evidence import EVIDENCE
from reports.figures.captions import of_shares
from reports.figures.front import draw_share
from reports.figures.shares import FURTHEST, PAGE, PHONE, PREVIEW, Layout, draw_shares
from reports.findings.forest import forest
from reports.findings.headline import Answer, answer
from reports.findings.ledger import ledger
from reports.findings.sections import Section, sections
from reports.findings.shares import FrontRows, ShareRow, alternative, few, front_rows, share
from tests.builders.figure_texts import collisions, texts
from tests.builders.plans import HELPS
from tests.proofs import simulation

FOUND = sections(Store(EVIDENCE))
TIME, ERROR = TimeTo(training_error=0.25), FinalError()
LAYOUTS = pytest.mark.parametrize(
    "layout", [PAGE, PREVIEW, PHONE], ids=["page", "preview", "phone"]
)
FASTER = Contrast(arm="relu", against="tanh", claim="C09", paper=6.0)
LOWER = Contrast(arm="lrn", against="none", claim="C14", paper=-0.02)
LACKS = Contrast(arm="none", against="lrn", claim="C13", paper=0.014)


def effect(contrast: Contrast, metric: Metric, estimate: float, **more: object) -> Effect:
    """Return an effect of ten pairs."""
    return Effect(contrast=contrast, metric=metric, pairs=10, planned=10, estimate=estimate, **more)  # type: ignore[arg-type]


Judged = Callable[..., Section]


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Judged:
    """Return what makes a section of effects that are said to be found, whatever the runs say."""

    @cache
    def simulated(setting: Setting) -> Section:
        plan = simulation.tuned(simulation.plan_of(simulation.study_of(setting=setting)))
        store = Store(tmp_path_factory.mktemp("simulated"))
        trainer = simulation.Trainer(4.0, spread=0.05)
        for run in simulation.comparison_runs(plan):
            store.add(trainer.train(run))
        store.write_plan(plan)
        return sections(store)[0]

    def make(*found: Effect, setting: Setting = "closest reading") -> Section:
        section = simulated(setting)
        comparison = section.comparison.model_copy(update={"effects": found})
        return section.model_copy(update={"comparison": comparison})

    return make


def test_what_studies_decide_differently_is_shown_with_both_verdicts() -> None:
    """Dropout lowers the error without augmentation, and raises it with."""
    rows = front_rows(FOUND, most=100).directions
    dropout = {row.label: row.verdict for row in rows if row.says == "Dropout lowers the error"}

    assert dropout == {
        "Dropout lowers the error (one_removed)": "other way",
        "Dropout lowers the error (dropout)": "same way",
    }
    says = [(row.says or row.label, row.verdict) for row in rows]
    assert len(says) == len(set(says))
    undecided = {name for name, verdict in says if verdict == "open"}
    assert not undecided & {name for name, verdict in says if verdict != "open"}


def test_two_studies_of_the_same_images_have_no_row_of_the_same_name() -> None:
    """Whatever each of them decides."""
    names = [(row.dataset, row.label) for row in forest(FOUND)]

    assert ("cifar10", "Dropout lowers the error (dropout)") in names
    assert ("cifar10", "Dropout reduces overfitting") in names
    assert len(names) == len(set(names))


def test_a_comparison_that_two_studies_share_has_one_row() -> None:
    """Of the study that asks it: C13 has the same runs in one_removed, the other way round."""
    rows = [row for row in forest(FOUND) if row.claim == "C13" and row.dataset == "cifar10"]
    arms = {"one_removed@cifar10": "LRN's constant alone"}
    arms["response_norm@cifar10"] = "the constant alone"
    of_both = [{run.id for run in s.runs[arms[s.name]]} for s in FOUND if s.name in arms]

    assert of_both[0] == of_both[1] != set()
    assert [(row.study, row.label) for row in rows] == [
        ("response_norm", "LRN as printed against LRN's constant alone"),
        ("response_norm", "LRN as released against LRN's constant alone"),
    ]


# ---- Shares


@pytest.mark.parametrize(
    ("contrast", "metric", "value", "worked_out"),
    [
        (FASTER, TIME, 3.5, math.log(3.5) / math.log(6)),  # 0.699
        (FASTER, TIME, 6.0, 1.0),
        (FASTER, TIME, 36.0, 2.0),
        (FASTER, TIME, 1 / 6, -1.0),
        (FASTER, TIME, 1.0, 0.0),
        (FASTER.but(paper=0.5), TIME, 0.25, 2.0),  # slower is what is predicted
        (LOWER, ERROR, -0.0024, 0.12),
        (LOWER, ERROR, 0.01, -0.5),
        (LACKS, ERROR, 0.007, 0.5),
        (LACKS, ERROR, -0.007, -0.5),
        (LOWER.but(paper=None, direction="lower", margin=0.01), ERROR, -0.01, None),
        (LOWER.but(paper=0.0, direction="equal", margin=0.01), ERROR, -0.01, None),
        (FASTER.but(paper=1.0, direction="equal"), TIME, 2.0, None),
    ],
)
def test_shares_are_worked_out(
    contrast: Contrast, metric: Metric, value: float, worked_out: float | None
) -> None:
    """Differences over differences, logs over logs; of no number and of equality, none."""
    found = share(value, effect(contrast, metric, value))

    assert found == (None if worked_out is None else pytest.approx(worked_out))


@pytest.mark.parametrize(
    ("contrast", "metric", "numbers", "shown"),
    [
        (FASTER, TIME, {"estimate": 3.54}, "3.5\u00d7 of 6\u00d7"),
        (LOWER, ERROR, {"estimate": -0.00244}, "0.24 of 2 points"),
        (LOWER, ERROR, {"estimate": 0.003}, "\u22120.3 of 2 points"),
        (LACKS, ERROR, {"estimate": 0.007}, "0.7 of 1.4 points"),
        (LACKS.but(paper=0.01), ERROR, {"estimate": -0.0126}, "\u22121.3 of 1 point"),
        (FASTER, TIME, {"estimate": 9.0, "low": 7.2, "high": 11.0, "bound": "lower"},
         "at least 7.2\u00d7 of 6\u00d7"),
        (FASTER, TIME, {"estimate": 2.0, "low": 1.5, "high": 2.5, "bound": "upper"},
         "at most 2.5\u00d7 of 6\u00d7"),
        (FASTER, TIME, {"estimate": 2.0, "bound": "both"}, "unknown, of 6\u00d7"),
        (FASTER, TIME, {"estimate": 2.0, "verdict": "incomplete"}, "? of 6\u00d7"),
    ],
)  # fmt: skip
def test_amounts_are_ours_of_the_papers(
    contrast: Contrast, metric: Metric, numbers: dict[str, object], shown: str, judged: Judged
) -> None:
    """To two figures; what goes against the claim is negative, as its bar goes to the left."""
    found = Effect(contrast=contrast, metric=metric, pairs=10, planned=10,
                   **{"verdict": "open", **numbers})  # type: ignore[arg-type]  # fmt: skip
    (row,) = front_rows([judged(found)]).shares

    assert row.amount == shown
    unknown = numbers.get("bound") == "both" or found.verdict == "incomplete"
    assert (row.at is None) == unknown
    if row.at is not None:
        assert (row.at < 0) == shown.startswith("\u2212")


def test_a_bound_is_drawn_from_the_end_that_holds(judged: Judged) -> None:
    """At least 36 of 6 times is a share of two and more; at most 6, of one and less."""
    more = effect(FASTER, TIME, 40.0, low=36.0, high=50.0, bound="lower", verdict="stronger")
    less = effect(FASTER, TIME, 5.0, low=4.0, high=6.0, bound="upper", verdict="open")
    rows = front_rows([judged(more, less)]).shares

    assert [(row.at, row.low, row.bound) for row in rows] == [
        (pytest.approx(2.0), None, "right"), (pytest.approx(1.0), None, "left"),
    ]  # fmt: skip


def test_judged_sizes_come_first_then_words_then_what_is_under_way(judged: Judged) -> None:
    """Within each, the largest share on top; what is only shown has no row."""
    found = [
        effect(LOWER.but(says="open and large"), ERROR, -0.04, verdict="open"),
        effect(LOWER.but(says="under way"), ERROR, -0.05, verdict="incomplete"),
        effect(LOWER.but(says="small"), ERROR, -0.002, verdict="weaker"),
        effect(LOWER.but(says="reversed"), ERROR, 0.01, verdict="reversed"),
        effect(LOWER.but(says="large"), ERROR, -0.03, verdict="stronger"),
        effect(LOWER.but(says="shown", judged=False), ERROR, -0.06, verdict="shown"),
    ]
    rows = front_rows([judged(*found)]).shares

    assert [row.label for row in rows] == [
        "large", "small", "reversed", "open and large", "under way",
    ]  # fmt: skip
    assert [row.is_judged for row in rows] == [True, True, True, False, False]
    assert rows[-1].note == "20 of 20 runs"


def test_what_has_no_share_shows_its_direction(judged: Judged) -> None:
    """Claims without a number and predictions of equality, on the paper's own data too."""
    substantial = LOWER.but(paper=None, direction="lower", margin=0.005, says="substantial")
    equal = LOWER.but(paper=0.0, direction="equal", margin=0.005, says="equal")
    section = judged(
        effect(substantial, ERROR, -0.01, verdict="holds"),
        effect(equal, ERROR, 0.001, verdict="holds"),
    )
    rows = front_rows([section])

    assert rows.shares == ()
    assert [(row.label, row.at) for row in rows.directions] == [
        ("substantial", pytest.approx(2.0)), ("equal", pytest.approx(-0.2)),
    ]  # fmt: skip
    figure = draw_shares(rows)
    assert figure is not None
    assert "Direction only: claims without a number" in texts(figure)


def test_each_sentence_is_shown_once_where_it_was_seen_nearest(judged: Judged) -> None:
    """Other images are left out where the paper's have answered; a decided one before an open."""
    says = FASTER.but(says="ReLU is faster")
    own = judged(effect(says, TIME, 4.0, verdict="weaker"))
    other = judged(
        effect(says, TIME, 2.0, verdict="same way"),
        effect(LOWER.but(says="LRN helps"), ERROR, -0.001, verdict="open"),
        effect(LOWER.but(says="LRN helps", arm="b"), ERROR, -0.02, verdict="same way"),
        setting="stand-in",
    )
    both = front_rows([own, other])

    assert [row.label for row in both.shares] == ["ReLU is faster"]
    assert [row.label for row in both.directions] == ["LRN helps: b"]
    assert both.left_out == 2
    assert [row.says for row in front_rows([other]).directions] == ["ReLU is faster", "LRN helps"]


def test_runs_under_way_on_the_papers_data_do_not_hide_what_was_seen_elsewhere(
    judged: Judged,
) -> None:
    """No share is drawn of them, and the stand-in keeps its row."""
    says = FASTER.but(says="ReLU is faster")
    own = judged(effect(says, TIME, 4.0, low=3.0, high=5.0, verdict="incomplete"))
    other = judged(effect(says, TIME, 2.0, verdict="same way"), setting="stand-in")
    rows = front_rows([own, other])

    (row,) = rows.shares
    assert (row.at, row.low, row.ratios) == (None, None, None)
    assert len(rows.directions) == 1
    figure = draw_shares(rows)
    assert figure is not None
    assert len(bars(figure)) == 1  # the grey one


def test_a_small_picture_keeps_shares_then_what_goes_against_a_sentence() -> None:
    """Of the evidence: two shares, dropout, which goes the other way, and the largest."""
    rows = front_rows(FOUND)
    small = few(rows, 4)

    assert [row.label for row in small.shares] == [row.label for row in rows.shares]
    assert [row.label for row in small.directions] == [
        "Training brings images of a class together", "Dropout lowers the error (one_removed)",
    ]  # fmt: skip
    assert few(rows, 1).directions == ()
    total = len(rows.shares) + len(rows.directions) + rows.left_out
    assert small.left_out == total - 4


def test_questions_of_ones_own_are_not_held_against_a_paper(judged: Judged) -> None:
    """No claim and no images of the paper: nothing is said of either."""
    section = judged(effect(HELPS.but(says="It helps"), ERROR, -0.01, verdict="same way"),
                     setting="stand-in")  # fmt: skip
    about = section.plan.about.model_copy(update={"paper_dataset": None})
    own = section.model_copy(update={"plan": section.plan.model_copy(update={"about": about})})
    figure = draw_shares(front_rows([own]))
    assert figure is not None

    assert texts(figure)[0] == "Each effect in its own margin, made_up"
    assert not any("paper" in text for text in texts(figure))
    both = draw_shares(front_rows([own, judged(effect(LOWER, ERROR, -0.01, verdict="same way"),
                                               setting="stand-in")]))  # fmt: skip
    assert both is not None
    assert " ".join(texts(both)[:2]).startswith(
        "Direction only: on other images than the paper's, made_up; questions beside the paper"
    )


# ---- The picture


def row_of(at: float | None, **more: object) -> ShareRow:
    """Return a row at a share."""
    given: dict[str, object] = {
        "says": "", "label": "LRN lowers the error", "claim": "C13", "section": "3.3",
        "images": "CIFAR-10", "at": at, "low": None, "high": None, "bound": None,
        "amount": "1 of 2 points", "verdict": "weaker", "is_judged": True, "note": "",
        "ratios": None,
    }  # fmt: skip
    return ShareRow.model_validate(given | more)


def drawn(*rows: ShareRow, layout: Layout = PAGE) -> Figure:
    """Return the picture of rows."""
    figure = draw_shares(FrontRows(rows, (), 0), layout)
    assert figure is not None
    return figure


def bars(figure: Figure) -> list[Rectangle]:
    """Return the bars, grey ones too."""
    return [patch for patch in figure.axes[0].patches if isinstance(patch, Rectangle)]


def arrows(axes: Axes) -> list[tuple[str, float]]:
    """Return the arrows: to which side, and where."""
    marks = [line for line in axes.lines if line.get_marker() in ("<", ">")]
    return [(str(line.get_marker()), float(np.ravel(line.get_xdata())[0])) for line in marks]


def spans(axes: Axes) -> list[list[float]]:
    """Return the ends of intervals."""
    return [list(map(float, line.get_xdata())) for line in axes.lines
            if line.get_gid() == "interval"]  # fmt: skip


def test_a_bar_goes_from_no_effect_to_ours_and_grey_to_the_paper() -> None:
    """To the right as claimed, to the left against it."""
    grey, ours, other_grey, against = bars(drawn(row_of(0.7), row_of(-0.4)))

    assert (grey.get_x(), grey.get_width()) == (other_grey.get_x(), other_grey.get_width())
    assert (grey.get_x(), grey.get_width()) == (0, 1)
    assert (ours.get_x(), ours.get_width()) == (0, pytest.approx(0.7))
    assert (against.get_x(), against.get_width()) == (pytest.approx(-0.4), pytest.approx(0.4))


def test_an_interval_is_drawn_to_its_ends() -> None:
    """From 0.5 to 1.4, on an axis that has room for it."""
    axes = drawn(row_of(0.9, low=0.5, high=1.4)).axes[0]

    assert spans(axes) == [[0.5, 1.4]]
    assert arrows(axes) == []
    assert axes.get_xlim()[1] > 1.4


def test_what_leaves_the_axis_ends_there_with_an_arrow() -> None:
    """Nine times the effect of the paper, on an axis that ends before twice."""
    axes = drawn(row_of(9.0, low=-7.0, high=25.0)).axes[0]
    least, most = axes.get_xlim()

    assert (least, most) == pytest.approx(FURTHEST)
    assert spans(axes) == [[least, most]]
    assert sorted(set(arrows(axes))) == [("<", least), (">", most)]


def test_an_interval_wholly_beyond_the_axis_is_an_arrow_alone() -> None:
    """Nothing is drawn as if it were where the axis ends."""
    axes = drawn(row_of(9.0, low=8.0, high=10.0)).axes[0]

    assert spans(axes) == []
    assert set(arrows(axes)) == {(">", axes.get_xlim()[1])}


@pytest.mark.parametrize(
    ("at", "bound", "has_bar"),
    [(1.2, "right", True), (0.6, "left", False), (-0.6, "left", True), (-0.6, "right", False)],
)
def test_a_bound_has_a_bar_only_where_all_of_it_is_known(
    at: float, bound: str, has_bar: bool
) -> None:
    """At least so much is a bar that goes on; of at most so much, no part is known to be there."""
    figure = drawn(row_of(at, bound=bound))

    assert len(bars(figure)) == 1 + has_bar
    assert arrows(figure.axes[0]) == [({"left": "<", "right": ">"}[bound], pytest.approx(at))]


def test_colour_says_what_is_judged() -> None:
    """Full: a size; light: a direction; white: neither."""
    figure = drawn(
        row_of(0.5), row_of(0.5, is_judged=False, verdict="same way"),
        row_of(0.5, is_judged=False, verdict="open"),
    )  # fmt: skip
    full, light, white = (bar.get_facecolor() for bar in bars(figure)[1::2])

    assert sum(full[:3]) < sum(light[:3]) < sum(white[:3]) == 3


def test_the_log_scale_is_said_where_there_are_ratios() -> None:
    """In the numbers of the first: log 3.5 / log 6 is 70 %."""
    ratio = row_of(math.log(3.5) / math.log(6), ratios=(3.5, 6.0))
    said = "ratios on the log scale: 3.5\u00d7 is 70 % of the way to 6\u00d7"

    assert said in texts(drawn(row_of(0.5), ratio))
    assert not any("log" in text for text in texts(drawn(row_of(0.5))))


LONG = "A sentence about local response normalisation that needs several lines of any picture"


@LAYOUTS
def test_no_word_lies_over_another(layout: Layout) -> None:
    """In any layout, with long names and amounts, bounds, and the axis at its widest."""
    figure = drawn(
        row_of(0.5, label=LONG, note="size not judged"),
        row_of(-3.0, low=-4.0, high=-2.0, amount="\u22126 of 2 points", verdict="reversed"),
        row_of(2.0, bound="right", amount="at least 36\u00d7 of 6\u00d7", verdict="stronger"),
        row_of(None, bound="both", amount="unknown, of 6\u00d7", verdict="open"),
        row_of(None, amount="? of 6\u00d7", verdict="incomplete", note="8 of 20 runs"),
        row_of(0.7, verdict="exploratory", ratios=(3.5, 6.0)),
        layout=layout,
    )  # fmt: skip

    assert collisions(figure) == []


@LAYOUTS
def test_the_evidence_can_be_read(layout: Layout) -> None:
    """All that ships, with nothing over anything else and nothing outside."""
    rows = front_rows(FOUND)
    figure = draw_shares(rows, layout)
    assert figure is not None
    said = texts(figure)

    assert collisions(figure) == []
    assert "3.5\u00d7 of 6\u00d7" in said
    assert "0.24 of 2 points" in said
    assert len(figure.axes) == 2
    whole = " ".join(said)
    assert all(word in whole for word in ("ReLU trains faster than tanh", "four-layer"))


def test_the_shipped_shares_are_those_of_the_records() -> None:
    """Log 3.5425 / log 6 = 0.7059 and 0.244 / 2 = 0.122: on a copy, so that no size is judged."""
    shares = front_rows(FOUND).shares

    assert [row.label for row in shares] == [
        "ReLU trains faster than tanh", "LRN lowers a four-layer network's error",
    ]  # fmt: skip
    assert [row.at for row in shares] == pytest.approx([0.7059, 0.122], abs=1e-4)
    assert [(row.is_judged, row.note) for row in shares] == [(False, "size not judged")] * 2


def test_the_picture_is_said_in_words() -> None:
    """Every row of it, in the order in which it is drawn."""
    rows = front_rows(FOUND)
    said = alternative(rows).split("; ")

    assert len(said) == len(rows.shares) + len(rows.directions)
    assert said[0] == (
        "ReLU trains faster than tanh (CIFAR-10 (JPEG copy)): 3.5\u00d7 of 6\u00d7, same way, "
        "size not judged"
    )
    assert of_shares(rows).endswith(f"{rows.left_out} more are in the forest plot.")
    assert "diamond" not in of_shares(rows._replace(shares=()))


def test_nothing_is_drawn_of_nothing() -> None:
    """A folder without anything that has a word."""
    nothing = FrontRows((), (), 0)
    front = Answer(headline="Nothing", counts="", lead=None, minds=())

    assert draw_shares(nothing) is None
    assert draw_share(front, nothing) is None
    assert of_shares(nothing) == ""


# ---- The picture that is sent around


def test_the_preview_has_its_size_whatever_the_headline() -> None:
    """1200 x 630 pixels, and nothing written at its edges."""
    rows = front_rows(FOUND)
    front = answer(FOUND, ledger([(section.plan, section.comparison) for section in FOUND]))
    for headline in (front.headline, "Short.", "W" * 30 + " " + "long words " * 60):
        content = draw_share(front.model_copy(update={"headline": headline}), rows)
        assert content is not None
        with Image.open(io.BytesIO(content)) as image:
            pixels = np.asarray(image.convert("L"))

        assert pixels.shape == (630, 1200)
        edges = [pixels[:8], pixels[-8:], pixels[:, :8], pixels[:, -8:]]
        assert all((edge == 255).all() for edge in edges)
        assert (pixels < 128).sum() > 5000


def test_where_nothing_has_a_share_the_preview_is_figure_1(judged: Judged) -> None:
    """One practice study, say: its curves fill the picture below the headline."""
    section = judged(effect(FASTER, TIME, 2.0, verdict="same way"), setting="stand-in")
    front = Answer(headline="Short.", counts="", lead=None, minds=())
    rows = front_rows([section])
    dark = []
    for lead in (section, None):
        content = draw_share(front, rows, lead)
        assert content is not None
        with Image.open(io.BytesIO(content)) as image:
            dark.append((np.asarray(image.convert("L")) < 200).any(axis=1))

    assert rows.shares == ()
    assert dark[0][300:500].all()  # an axis and curves in every row
    assert not dark[1][300:500].any()
