"""The difference between two arms while they train, against worked curves and SciPy."""

from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from ablations.plan import Plan
from ablations.store import Store
from ablations.study import Gap
from reports.figures.differences import differences, draw_differences
from reports.findings.records import find_records
from reports.findings.sections import section_of
from tests.builders.plans import HELPS, of_errors
from tests.builders.records import epochs_of, record_of

CURVES = {
    "with": [[0.6, 0.3, 0.2], [0.5, 0.3, 0.1], [0.7, 0.4, 0.3]],
    "without": [[0.8, 0.4, 0.2], [0.6, 0.3, 0.2], [0.8, 0.6, 0.2]],
}


def trained(results: Path, seeds: int = 3) -> tuple[Plan, Store]:
    """Return a plan and the runs of so many seeds."""
    plan, store = of_errors(HELPS), Store(results)
    for arm, curves in CURVES.items():
        for seed, errors in enumerate(curves[:seeds]):
            store.add(record_of(plan.run(arm, seed), []).but(curve=epochs_of(errors)))
    return plan, store


def test_a_difference_is_paired_by_seed_at_every_point(results: Path) -> None:
    """Passes as a whole, at 0.5, 1.5 and 2.5: NumPy's means and SciPy's intervals of the pairs."""
    plan, store = trained(results)
    (one,) = differences(plan, find_records(plan, store, plan.definition.seeds))
    pairs = np.array(CURVES["with"]) - np.array(CURVES["without"])
    whole = [0, 10, 20]

    assert one.epochs[whole] == pytest.approx([0.5, 1.5, 2.5])
    assert one.mean[whole] == pytest.approx(pairs.mean(0))
    for place, column in zip(whole, pairs.T, strict=True):
        low, high = stats.t.interval(0.95, 2, column.mean(), stats.sem(column))
        assert one.half is not None
        assert 2 * one.half[place] == pytest.approx(high - low)
    assert (one.between, one.seeds) == ("with against without", 3)


def test_a_single_pair_has_no_interval_and_none_has_no_picture(results: Path) -> None:
    """What cannot be said is not drawn."""
    plan, store = trained(results, seeds=1)
    (one,) = differences(plan, find_records(plan, store, plan.definition.seeds))

    assert one.half is None
    assert draw_differences(section_of(plan, store)) is not None
    assert draw_differences(section_of(*trained(results / "none", seeds=0))) is None


def test_two_arms_are_drawn_once_whatever_they_are_compared_by(results: Path) -> None:
    """An error and a gap of the same two arms are one line."""
    plan, store = trained(results)
    more = (HELPS, HELPS.but(metric=Gap()), HELPS.but(margin=0.01))
    several = plan.model_copy(update={"definition": plan.definition.but(contrasts=more)})

    assert len(differences(several, find_records(several, store, range(6)))) == 1


def test_many_pairs_of_arms_are_left_to_the_table(results: Path) -> None:
    """Four lines with bands over each other say nothing."""
    plan, store = trained(results)
    names = ("a", "b", "c", "d")
    arms = plan.definition.arms | dict.fromkeys(names, plan.definition.arms["with"])
    more = tuple(HELPS.but(arm=name) for name in names)
    definition = plan.definition.model_copy(update={"arms": arms, "contrasts": more})
    choices = plan.choices | dict.fromkeys(names, plan.choices["with"])
    many = plan.model_copy(update={"definition": definition, "choices": choices})

    assert len(differences(many, find_records(many, store, range(6)))) == 4
    assert draw_differences(section_of(many, store)) is None
