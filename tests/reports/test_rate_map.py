"""A network at several rates: what is drawn of it, and what is said."""

from pathlib import Path

import pytest
from matplotlib.figure import Figure

from ablations.plan import Plan
from ablations.store import Store
from ablations.studies import STUDIES
from ablations.study import Arm, Base, Contrast, Study, TimeTo
from ablations.tuning import Choice
from alexnet.config import Relu, Tanh
from alexnet.presets import tiny
from reports.figures.captions import caption, of_rates
from reports.figures.kept import draw_anew
from reports.figures.readings import draw_rate_curves, draw_rate_map
from reports.figures.study import draw
from reports.findings.rate_map import RateCurve, rate_curves, rate_readings, rate_table
from reports.findings.sections import section_of
from reports.page.report import write_report
from tests.builders.figure_texts import texts
from tests.builders.plans import planned
from tests.builders.records import epochs_of, record_of

RATES = (0.001, 0.003, 0.01)
HORIZON = 8
FAST = {0.001: (4.0, 4.0), 0.003: (2.0, 2.0), 0.01: (None, 3.0)}
SLOW = {0.001: (None, None), 0.003: (None, 7.0), 0.01: (6.0, 6.0)}
"""Epochs of two seeds to 25 %; None: never within eight."""


def errors_until(epochs: float | None) -> list[float]:
    """Return running errors by epoch that fall to 25 % after so many, half an epoch wide.

    They stay at 50 % and then fall to 0 within an epoch, and so pass 25 % in its middle.
    """
    if epochs is None:
        return [0.5] * HORIZON
    return [*[0.5] * int(epochs), 0.0]


def mapped(results: Path, seeds: int = 2) -> tuple[Plan, Store]:
    """Return a plan of two activations at three rates each, and the runs of so many seeds."""
    acts = {"relu": Relu(), "tanh": Tanh()}
    labels = {"relu": "ReLU", "tanh": "tanh"}
    arms = {f"best: {name}": Arm(changes=of(act)) for name, act in acts.items()}
    arms |= {
        f"{name} at {rate:g}": Arm(
            changes=of(act), rates=(rate,), label=f"{labels[name]} at {rate:g}"
        )
        for name, act in acts.items()
        for rate in RATES
    }
    contrast = Contrast(arm="best: relu", against="best: tanh", paper=6.0, judged=False)
    base = Base(
        config=tiny().but(training={"epochs": HORIZON}), metric=TimeTo(training_error=0.25),
        rates=RATES, judged=False,
    )  # fmt: skip
    study = Study(
        name="map", question="At which rate?", arms=arms, contrasts=(contrast,),
        bases={"fashion_mini": base}, seeds=2, shows="readings",
    )  # fmt: skip
    plan, store = planned(study), Store(results)
    given = {
        arm: Choice(rate=rates[0], trials=(), none_reached=False, edge=False)
        for arm, rates in plan.definition.rates_of.items()
    }
    plan = plan.model_copy(update={"choices": plan.choices | given})
    for name, times in (("relu", FAST), ("tanh", SLOW)):
        for rate in RATES:
            for seed in range(seeds):
                run = plan.run(f"{name} at {rate:g}", seed)
                store.add(record_of(run, []).but(curve=epochs_of(errors_until(times[rate][seed]))))
    return plan, store


def at_another_rate(plan: Plan, store: Store) -> tuple[Plan, Store]:
    """Return the plan with a rate for what is read that is none of the map's, so without runs."""
    other = Choice(rate=0.02, trials=(), none_reached=False, edge=False)
    read = {"best: relu": other, "best: tanh": other}
    return plan.model_copy(update={"choices": plan.choices | read}), store


def of(act: Relu | Tanh) -> dict[str, object]:
    """Return the change to an activation."""
    return {"network": {"parts": {"act": act.model_dump()}}}


def test_a_curve_has_a_point_a_rate_with_its_seeds(results: Path) -> None:
    """Arms that chose a rate are no part of it."""
    one, other = rate_curves(section_of(*mapped(results)))

    assert (one.name, other.name) == ("ReLU", "tanh")
    assert [point.rate for point in one.points] == list(RATES)
    assert [point.reached for point in one.points] == [True, True, False]
    assert [point.reached for point in other.points] == [False, False, True]
    assert one.best is one.points[1]
    assert one.points[1].mean == pytest.approx(2.0)
    assert other.points[1].mean == pytest.approx((HORIZON * 7.0) ** 0.5)


def test_the_three_readings_are_said(results: Path) -> None:
    """6 / 2 = 3 at the best of each; at 0.003 sqrt(8 x 7) / 2 = 3.74 at least; at 0.01 less."""
    assert rate_readings(rate_curves(section_of(*mapped(results)))) == [
        "each at its best rate (0.003 and 0.01): ReLU 3.00 times as fast as tanh",
        "both at ReLU's best rate, 0.003: ReLU at least 3.74 times as fast as tanh",
        f"both at tanh's best rate, 0.01: tanh at least {(HORIZON * 3.0) ** 0.5 / 6:.2f} times as "
        "fast as ReLU",
        "ReLU does not arrive with every seed at 0.01",
        "tanh does not arrive with every seed at 0.001, 0.003",
    ]


def test_the_table_marks_what_did_not_arrive(results: Path) -> None:
    """As more than the mean of what was seen."""
    table = rate_table(rate_curves(section_of(*mapped(results))))

    assert table["learning rate"].tolist() == ["0.001", "0.003", "0.01"]
    assert table["ReLU, epochs"].tolist() == ["4.00", "2.00", f"> {(HORIZON * 3.0) ** 0.5:.2f}"]
    assert table["tanh, epochs"].tolist()[0] == "> 8.00"


def test_a_picture_has_a_line_a_curve_and_a_triangle_where_one_did_not_arrive(results) -> None:
    """Two labelled lines, three triangles, two rings."""
    axes = Figure().subplots()

    draw_rate_curves(axes, rate_curves(section_of(*mapped(results))), "epochs")

    lines = axes.get_lines()
    labelled = [line.get_label() for line in lines if not str(line.get_label()).startswith("_")]
    hollow = [line for line in lines if line.get_markerfacecolor() == "none"]
    assert labelled == ["ReLU", "tanh"]
    assert sorted(str(line.get_marker()) for line in hollow) == ["^", "^", "^", "o", "o"]


def test_the_map_is_a_figure_of_its_own(results: Path) -> None:
    """Beside the ranked readings, in the results folder and on the page, below its own heading."""
    plan, store = at_another_rate(*mapped(results))
    for arm in ("best: relu", "best: tanh"):
        for seed in range(2):
            run = plan.run(arm, seed)
            store.add(record_of(run, []).but(curve=epochs_of(errors_until(3.0))))
    store.write_plan(plan)
    section = section_of(plan, store)
    ranked, rates = draw(section), draw_rate_map(section)
    assert ranked is not None
    assert rates is not None

    assert len(ranked.axes) == len(rates.axes) == 1
    assert "learning rate" in texts(rates)
    assert "learning rate" not in texts(ranked)
    assert {"ReLU: 2.00 at 0.003", "tanh: 6.00 at 0.01"} <= set(texts(rates))
    assert "rate" not in caption(section)
    assert of_rates(section).startswith("Epochs against the rate")

    draw_anew(section, results)
    assert (results / "map@fashion_mini.rates.png").is_file()
    write_report(store, results / "report")
    page = (results / "report" / "index.html").read_text()
    assert page.count("Epochs against the rate, seeds as small points") == 2  # in words, and below
    assert (results / "report" / "figures" / "map@fashion_mini.rates.svg").is_file()


def test_while_no_reading_has_a_pair_the_map_is_the_studys_figure(results: Path) -> None:
    """And its caption is of the map; without both there is none."""
    section = section_of(*at_another_rate(*mapped(results)))
    figure = draw(section)
    assert figure is not None

    assert "learning rate" in texts(figure)
    assert caption(section).startswith("Epochs against the rate")
    assert draw_rate_map(section_of(*mapped(results / "none", seeds=0))) is None


def test_nothing_is_said_of_one_curve_or_of_none_that_arrives(results: Path) -> None:
    """Nor of a plan without runs."""
    curves = rate_curves(section_of(*mapped(results)))
    late = RateCurve("late", tuple(point for point in curves[0].points if not point.reached))

    assert rate_readings(curves[:1]) == rate_readings([curves[0], late]) == []
    assert rate_curves(section_of(*mapped(results / "none", seeds=0))) == []


def test_the_study_maps_the_network_that_is_judged() -> None:
    """Ten rates of each activation, the grid of `relu_vs_tanh` among them; six readings."""
    study, judged = STUDIES["six_times"], STUDIES["relu_vs_tanh"]
    mapped_arms = {name: arm for name, arm in study.arms.items() if " at " in name}

    assert len(study.contrasts) == 6
    for act in ("relu", "tanh"):
        rates = {arm.rates[0] for name, arm in mapped_arms.items() if name.startswith(act)}
        assert len(rates) == 10
        assert rates > set(judged.bases["cifar10"].rates)
        config = study.config("cifar10", f"{act} at 0.01")
        same = judged.config("cifar10", act)
        assert config.network.parts["act"] == same.network.parts["act"]
        assert config.inputs == same.inputs
