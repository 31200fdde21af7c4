"""How far runs of one arm come out apart, against NumPy and SciPy."""

from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from ablations.plan import Plan
from ablations.store import Store
from ablations.studies import STUDIES
from ablations.study import Arm, Base, FinalError, Study
from alexnet.presets import tiny
from reports.findings.sections import section_of
from reports.findings.spread import spread_table, spreads
from tests.builders.plans import HELPS, planned
from tests.builders.records import measures_of, record_of

ALL_FREE, ONE_FREE = [0.20, 0.24, 0.22, 0.26], [0.21, 0.22, 0.23, 0.22]


def shown(results: Path, seeds_from: int) -> tuple[Plan, Store]:
    """Return a study of spread, the second arm's seeds beginning there, and its runs."""
    only = Arm(changes={"pinned": ("init",)}, tuned_as="with", seeds_from=seeds_from)
    study = Study(
        name="spread",
        question="Where from?",
        arms={"with": {}, "without": only},
        contrasts=(HELPS.but(judged=False),),
        bases={
            "fashion_mini": Base(
                config=tiny(), metric=FinalError(), rates=(0.001, 0.003), judged=False
            )
        },
        seeds=4,
        shows="spread",
    )
    plan, store = planned(study), Store(results)
    for arm, errors in (("with", ALL_FREE), ("without", ONE_FREE)):
        for seed, error in enumerate(errors):
            store.add(record_of(plan.run(arm, seed), [0.5], measures=measures_of(0.1, 0.2, error)))
    return plan, store


def test_seeds_of_an_arms_own_are_other_runs(results: Path) -> None:
    """The third pair is of seeds 2 and 102; rates are chosen with the same as everywhere."""
    plan, _ = shown(results, 100)

    assert (plan.run("with", 2).seed, plan.run("without", 2).seed) == (2, 102)


def test_the_ratio_of_variances_has_the_f_interval(results: Path) -> None:
    """Of independent runs: by NumPy's variances and SciPy's F with three degrees on each side."""
    plan, store = shown(results, 100)
    ratio = np.var(ONE_FREE, ddof=1) / np.var(ALL_FREE, ddof=1)
    ends = [ratio / stats.f(3, 3).ppf(share) for share in (0.975, 0.025)]

    first, second = spreads(section_of(plan, store))

    assert first.ratio is None
    assert second.ratio is not None
    assert second.ratio == pytest.approx((ratio, *ends))
    assert spread_table(section_of(plan, store)).iloc[:, -1].tolist() == [
        "-", f"{ratio:.2f} [{ends[0]:.2f}, {ends[1]:.2f}]"
    ]  # fmt: skip


def test_paired_runs_have_no_such_interval(results: Path) -> None:
    """The F distribution is of independent variances; with the same seeds they are not."""
    plan, store = shown(results, 0)

    assert [one.ratio for one in spreads(section_of(plan, store))] == [None, None]


def test_every_arm_of_the_study_has_seeds_that_no_other_has() -> None:
    """Twenty each, and all below those that choose rates."""
    study = STUDIES["seed_variance"]
    seeds = [seed + arm.seeds_from for arm in study.arms.values() for seed in range(20)]

    assert len(set(seeds)) == len(seeds)
    assert max(seeds) < 1000
