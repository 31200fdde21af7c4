"""Captions say what is drawn, and not what would be drawn once all is there."""

from typing import Any

import pytest

from ablations.store import Store
from alexnet.presets import tiny
from reports.figures.captions import caption, figure_1_caption
from reports.findings.sections import Section, sections
from tests.builders.plans import HELPS, chosen, filled, of_errors, plan_of, with_measures
from tests.builders.records import measures_of, record_of


def told(store: Store) -> str:
    """Return the caption of the only study in a folder."""
    (section,) = sections(store)
    return caption(section)


def test_three_seeds_of_two_arms_are_lines_and_pairs(results) -> None:
    """Thin lines, an interval, the threshold; ReLU against tanh is the paper's Figure 1."""
    _, store = filled(results, 3, tanh=[0.6, 0.3, 0.1], relu=[0.4, 0.0])

    assert told(store) == (
        "After the paper's Figure 1. Left: error counted while training over a window of one "
        "epoch; thin lines are seeds, thick their mean as far as all seeds go, the dotted line "
        "the threshold. Right: geometric mean of the paired ratio of epochs to each training "
        "error, with its 95\u00a0% interval. Fashion-MNIST (10,000 images), 3 planned seeds, "
        "bfloat16."
    )


@pytest.mark.parametrize(
    ("training", "said"),
    [
        ({"schedule": {"kind": "drops", "after": (3, 5, 9)}}, "drops after 3, 5 and 9 epochs; the"),
        ({"schedule": {"kind": "drops", "after": (4, 12)}}, "drops after 4 epochs; the velocity"),
        ({"schedule": {"kind": "drops", "after": (1,)}}, "drops after 1 epoch; the velocity"),
        ({"schedule": {"kind": "drops", "after": (10,)}}, None),
        ({"schedule": {"kind": "constant"}}, None),
        ({"schedule": {"kind": "drops", "after": (4,)}, "optimizer": {"momentum": 0.0}}, None),
        (
            {"schedule": {"kind": "drops", "after": (4,)}, "optimizer": {"convention": "pytorch"}},
            None,
        ),
    ],
)
def test_a_jump_is_explained_where_the_velocity_has_the_rate_inside(
    training: dict[str, Any], said: str | None, results
) -> None:
    """Of drops within the run alone, and not where the rate is outside or nothing goes on."""
    plan = of_errors(HELPS)
    config = tiny().but(training={"epochs": 10, **training})
    arms = dict.fromkeys(plan.definition.arms, config)
    plan = plan.model_copy(update={"definition": plan.definition.model_copy(update={"arms": arms})})
    store = with_measures(plan, results, {"with": [measures_of(0.1, 0.2, 0.3)] * 2})
    store.write_plan(plan)

    if said is None:
        assert "velocity" not in told(store)
    else:
        assert said in told(store)


def test_a_single_pair_has_no_interval(results) -> None:
    """One seed."""
    _, store = filled(results, 1, tanh=[0.6, 0.3, 0.1], relu=[0.4, 0.0])

    assert "each training error. Fashion-MNIST (10,000 images)" in told(store)


def test_without_a_pair_nothing_is_said_of_pairs(results) -> None:
    """ReLU alone so far."""
    plan, store = chosen(plan_of(seeds=3)), Store(results)
    store.write_plan(plan)
    store.add(record_of(plan.run("relu", 0), [0.4, 0.0]))

    assert "Right: what is compared, of which no pair of runs is there yet." in told(store)
    assert "interval" not in told(store)


@pytest.mark.parametrize(("seeds", "thin"), [(20, True), (21, False)])
def test_more_than_forty_curves_are_means_alone(seeds: int, thin: bool, results) -> None:
    """Two arms of 20 seeds are forty; of 21, too many."""
    plan = of_errors(HELPS, seeds=seeds)
    same = [measures_of(0.1, 0.2, 0.3)] * seeds
    store = with_measures(plan, results, {"with": same, "without": same})
    store.write_plan(plan)
    text = told(store)

    assert ("thin lines are seeds" in text) is thin
    assert ("lines are means over seeds" in text) is not thin
    assert "diamond" not in text  # the contrast has no number of the paper
    assert "what counts as nothing in grey" in text


def test_until_a_run_is_compared_the_rates_are_shown(results) -> None:
    """Whether no comparison run is there, or all diverged before their first epoch's end."""
    plan, store = chosen(plan_of(seeds=3)), Store(results)
    store.write_plan(plan)
    before = told(store)
    store.add(record_of(plan.run("relu", 0), [], status="diverged"))

    assert before.startswith("The runs that choose the rates, a line each")
    assert told(store) == before


def test_figure_1_has_its_seconds_only_where_steps_were_timed(results) -> None:
    """Twice as fast in epochs; a step of 1.5 times the time would make that 1.33."""
    _, store = filled(results, 3, tanh=[0.6, 0.3, 0.1], relu=[0.4, 0.0])
    (section,) = sections(store)
    (effect,) = section.comparison.effects
    comparison = section.comparison.model_copy(
        update={"effects": (effect.model_copy(update={"seconds_ratio": 4 / 3}),)}
    )
    timed: Section = section.model_copy(update={"comparison": comparison})

    assert "In seconds" not in figure_1_caption(section)
    assert " In seconds: 1.33 times (steps timed alone). Thin lines are" in figure_1_caption(timed)
