"""One arm by two metrics: which studies are drawn so, and what each side is called."""

from pathlib import Path

import pytest

from ablations.contrast import Contrast
from ablations.metrics import (
    EarlyLoss,
    EnsembleError,
    FinalError,
    Metric,
    SameClass,
    TowerDifference,
    TowerRank,
)
from ablations.plan import Plan
from ablations.store import Store
from reports.figures.captions import caption
from reports.figures.slopes import IN_A_ROW, draw_slopes
from reports.figures.study import draw
from reports.findings.sections import Section, section_of
from reports.findings.slopes import is_of_slopes, slopes
from reports.wording.formatting import told_apart
from tests.builders.figure_texts import texts
from tests.builders.plans import HELPS, in_setting, of_errors, with_measures
from tests.builders.records import measures_of

VIEWS = Contrast(
    arm="with", against="with", claim="C02", paper=-0.015, says="Ten views lower the error",
    metric=FinalError(views="ten"), against_metric=FinalError(),
)  # fmt: skip


def section_with(results: Path, *contrasts: Contrast, setting: str = "stand-in") -> Section:
    """Return a study of two arms, six seeds or more, with test errors of 20, 21, 22... %."""
    seeds = 6 if len(contrasts) == 1 else 9
    plan: Plan = in_setting(of_errors(*contrasts, seeds=seeds), setting)
    errors = [measures_of(0.1, 0.2, 0.20 + seed / 100) for seed in range(seeds)]
    store: Store = with_measures(plan, results, {"with": errors, "without": errors})
    return section_of(plan, store)


@pytest.mark.parametrize(
    ("one", "other", "names"),
    [
        (FinalError(views="ten"), FinalError(),
         ("top-1 test error", "ten views", "one view")),
        (FinalError(views="ten", top=5), FinalError(top=5),
         ("top-5 test error", "ten views", "one view")),
        (FinalError(), FinalError(part="train"),
         ("error", "top-1 test error", "top-1 clean training error")),
        (EnsembleError(networks=5, group=5), EnsembleError(networks=1, group=5),
         ("top-1 test error over ten views", "5 networks", "1 network")),
        (SameClass(by="hidden"), SameClass(by="untrained"),
         ("nearest images of the same class", "by the last hidden layer",
          "by the last hidden layer before training")),
        (TowerRank(), TowerRank(kernels="by chance"),
         ("deals by chance in which the towers differ less in colour", "as trained", "by chance")),
        (TowerDifference(), TowerDifference(kernels="shuffled"),
         ("difference of the towers' colour selectivity", "as trained", "shuffled")),
        (EarlyLoss(share=0.1), EarlyLoss(share=0.2),
         ("mean loss", "mean loss over the first 10 % of training",
          "mean loss over the first 20 % of training")),
    ],
)  # fmt: skip
def test_two_metrics_are_told_apart(
    one: Metric, other: Metric, names: tuple[str, str, str]
) -> None:
    """By what they do not share."""
    assert told_apart(one, other) == names


def test_values_are_those_of_each_seed(results: Path) -> None:
    """Ten views err a point less in the records; in the order of the seeds."""
    (slope,) = slopes(section_with(results, VIEWS))

    assert slope.before == pytest.approx([0.20, 0.21, 0.22, 0.23, 0.24, 0.25])
    assert slope.after == pytest.approx([0.19, 0.20, 0.21, 0.22, 0.23, 0.24])
    assert (slope.mean_before, slope.mean_after) == pytest.approx((0.225, 0.215))
    assert slope.mean_after - slope.mean_before == pytest.approx(slope.effect.estimate)


def test_a_study_that_also_compares_arms_keeps_its_curves(results: Path) -> None:
    """Slopes are for studies of nothing but one arm by two metrics, once there are values."""
    assert is_of_slopes(section_with(results, VIEWS))
    assert not is_of_slopes(section_with(results, HELPS))
    assert not is_of_slopes(section_with(results, VIEWS, HELPS))
    empty = section_of(of_errors(VIEWS), Store(results / "none"))
    assert not is_of_slopes(empty)
    assert draw(empty) is None


@pytest.mark.parametrize("setting", ["closest reading", "stand-in"])
def test_the_papers_number_is_a_diamond_on_its_own_data(setting: str, results: Path) -> None:
    """1.5 points below the mean by one view, 22.5 %; on other images it has no place."""
    section = section_with(results, VIEWS, setting=setting)
    figure = draw(section)
    assert figure is not None
    (axes,) = figure.axes
    diamonds = [line.get_ydata()[0] for line in axes.lines if line.get_marker() == "D"]
    own = setting != "stand-in"

    assert diamonds == ([pytest.approx(21.0)] if own else [])
    assert ("diamond" in caption(section)) is own
    assert caption(section).startswith("The same runs by two metrics: seeds as grey lines")
    assert "Ten views lower the error" in axes.get_title(loc="left")
    assert {"one view", "ten views", "difference"} <= set(texts(figure))


def test_several_contrasts_are_several_panels(results: Path) -> None:
    """As many in a row as have room, and no empty axes after the last."""
    one, ten = FinalError(), FinalError(views="ten")
    five, ten_of_five = FinalError(top=5), FinalError(views="ten", top=5)
    several = [
        VIEWS.but(claim=None, paper=None, direction="lower", margin=0.005, metric=metric,
                  against_metric=other)
        for metric, other in ((ten, one), (ten_of_five, five), (five, one), (ten_of_five, ten))
    ]  # fmt: skip
    figure = draw_slopes(section_with(results, *several))
    assert figure is not None

    assert len(figure.axes) == len(several) == IN_A_ROW + 1
