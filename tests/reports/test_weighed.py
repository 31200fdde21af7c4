"""Many arms compared at once: against ordinary least squares, Student's paired test, and worlds."""

from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from ablations.contrast import Contrast
from ablations.factorial import design
from ablations.plan import Plan
from ablations.store import Store
from ablations.study import Arm, Base, FinalError, Study
from ablations.toggles import TOGGLES
from alexnet.presets import tiny
from reports.analysis.effect import Effect
from reports.analysis.power import decidable_errors, detectable_errors
from reports.analysis.statistics import linear_contrast
from reports.findings.records import comparison_of
from reports.wording.sentences import headline, verdict_line
from tests.builders.plans import planned
from tests.builders.records import measures_of, record_of


def test_two_arms_are_students_paired_test() -> None:
    """SciPy's, on the same numbers: estimate, p-value, interval and both sides of equivalence."""
    values = np.random.default_rng(1).normal(size=(7, 2))
    found = linear_contrast(values, [1.0, -1.0])
    theirs = stats.ttest_rel(values[:, 0], values[:, 1])
    low, high = theirs.confidence_interval()

    assert found.p() == pytest.approx(theirs.pvalue)
    assert found.interval() == pytest.approx((found.estimate, low, high))
    difference = values[:, 0] - values[:, 1]
    sides = (
        stats.ttest_1samp(difference, -2.0, alternative="greater").pvalue,
        stats.ttest_1samp(difference, 2.0, alternative="less").pvalue,
    )
    assert found.equivalence_p(2.0) == pytest.approx(max(sides))


@pytest.mark.parametrize(("seeds", "arms"), [(2, 3), (4, 16), (10, 4)])
def test_any_contrast_is_that_of_least_squares(seeds: int, arms: int) -> None:
    """A column for each arm and each seed but one: coefficients, and their covariance."""
    rng = np.random.default_rng(seeds)
    values, weights = rng.normal(size=(seeds, arms)), rng.normal(size=arms)
    weights -= weights.mean()
    found = linear_contrast(values, weights)

    of_arms = np.tile(np.eye(arms), (seeds, 1))
    of_seeds = np.repeat(np.eye(seeds)[:, 1:], arms, axis=0)
    columns = np.hstack([of_arms, of_seeds])
    fitted, squares, *_ = np.linalg.lstsq(columns, values.ravel(), rcond=None)
    freedom = values.size - columns.shape[1]
    covariance = squares[0] / freedom * np.linalg.inv(columns.T @ columns)
    w = np.concatenate([weights, np.zeros(seeds - 1)])

    assert found.freedom == freedom
    assert found.estimate == pytest.approx(w @ fitted)
    assert found.error == pytest.approx(np.sqrt(w @ covariance @ w))


def test_seeds_that_are_better_throughout_are_no_spread() -> None:
    """They are taken away, as pairing does."""
    values = np.random.default_rng(3).normal(size=(4, 8))
    weights = np.array([1, -1] * 4) / 4
    plain = linear_contrast(values, weights)
    moved = linear_contrast(values + np.array([[0.0], [10.0], [-5.0], [3.0]]), weights)

    assert moved.error == pytest.approx(plain.error)
    assert moved.estimate == pytest.approx(plain.estimate)


@pytest.mark.parametrize(
    ("values", "weights"),
    [
        ([[1.0, 2.0]], [1.0, -1.0]),
        ([[1.0], [2.0]], [0.0]),
        ([[1.0, np.nan], [1.0, 2.0]], [1.0, -1.0]),
        ([[1.0, 2.0], [1.0, 2.0]], [1.0, -0.5]),
        ([[1.0, 2.0], [1.0, 2.0]], [1.0, -1.0, 0.0]),
    ],
)
def test_what_is_no_contrast_is_refused(values, weights) -> None:
    """One seed, one arm, a missing run, weights that do not sum to nothing, too many of them."""
    with pytest.raises(ValueError, match=r"expected finite values|sum to zero"):
        linear_contrast(values, weights)


def test_the_power_of_students_test_is_what_simulated_worlds_show() -> None:
    """At the detectable effect and at the decidable margin: four worlds of five."""
    rng, worlds, freedom = np.random.default_rng(5), 20_000, 9
    spread = np.sqrt(rng.chisquare(freedom, worlds) / freedom)  # what is seen of an error of 1
    critical = stats.t.ppf(1 - 0.01 / 2, freedom)
    seen = rng.normal(size=worlds) + detectable_errors(freedom, 0.01)
    assert np.mean(seen / spread > critical) == pytest.approx(0.8, abs=0.01)

    margin, side = decidable_errors(freedom, 0.01), stats.t.ppf(1 - 0.01, freedom)
    seen = rng.normal(size=worlds)
    assert np.mean(np.abs(seen) < margin - side * spread) == pytest.approx(0.8, abs=0.01)


PARTS = {
    "relu": {"act": {"kind": "tanh"}},
    "lrn": {"norm": {"alpha": 0.0}},
    "dropout": {"dropout": None},
}


def of_three(seeds: int | None = None) -> Plan:
    """Return a plan of three ideas combined, with rates chosen."""
    factors = [
        TOGGLES[name].but(without={"network": {"parts": parts}}, precondition=None)
        for name, parts in PARTS.items()
    ]
    made = design(factors)
    study = Study(
        name="three", question="Do they add up?", arms=made.arms, contrasts=made.contrasts,
        bases={"fashion_mini": Base(config=tiny(), metric=FinalError(), rates=(0.001, 0.003))},
        seeds=seeds or made.seeds,
    )  # fmt: skip
    return planned(study)


def with_errors(plan: Plan, results: Path, effects: dict[str, float], spread: float) -> Store:
    """Return a store of runs whose errors have these effects of ideas, and so much noise."""
    rng, store = np.random.default_rng(11), Store(results)
    for seed in plan.definition.seeds:
        luck = rng.normal(0, 5 * spread)  # of the seed, in every arm
        for arm in plan.definition.arms:
            has = {label: arm == "all of them" or label in arm for label in effects}
            error = 0.3 + luck + rng.normal(0, spread)
            error += sum(effect * has[label] for label, effect in effects.items())
            measures = measures_of(0.1, error, error)
            store.add(record_of(plan.run(arm, seed), [0.5, 0.2], measures=measures))
    return store


EFFECTS = {"ReLU": -0.03, "LRN": 0.0, "dropout": 0.02}


def test_ideas_are_judged_by_all_runs_together(results: Path) -> None:
    """One lowers the error, one does nothing, one raises it; two together add up."""
    plan = of_three()
    comparison = comparison_of(plan, with_errors(plan, results, EFFECTS, spread=0.002))
    relu, lrn, dropout, *together = comparison.effects

    assert [e.verdict for e in (relu, lrn, dropout)] == ["same way", "no effect", "other way"]
    for effect, planted in zip((relu, lrn, dropout), EFFECTS.values(), strict=True):
        assert isinstance(effect, Effect)
        assert effect.low <= planted <= effect.high
        assert (effect.pairs, effect.freedom, len(effect.by_seed)) == (8, 49, 8)
        assert np.mean(effect.by_seed) == pytest.approx(effect.estimate)
        assert effect.mean - effect.mean_against == pytest.approx(effect.estimate)
        assert effect.p_adjusted == pytest.approx(min(1, 3 * effect.p))
    assert [e.verdict for e in together] == ["shown"] * 3
    assert all(e.low < 0 < e.high for e in together)
    assert verdict_line(relu, comparison).startswith("same way: ReLU in place of tanh goes as")
    assert "ReLU in place of tanh changed the top-1 test error by -" in headline(plan, comparison)
    assert "as the mean of 8 networks (95 % interval" in headline(plan, comparison)


def test_a_seed_counts_once_every_arm_has_it(results: Path) -> None:
    """Three of eight seeds: an estimate, and no word before all are there."""
    plan, part = of_three(), of_three(seeds=3)
    store = with_errors(part, results, EFFECTS, spread=0.002)
    extra = plan.run("all of them", 3)
    store.add(record_of(extra, [0.5, 0.2], measures=measures_of(0.1, 0.2, 0.2)))

    (effect, *_) = comparison_of(plan, store).effects

    assert (effect.pairs, effect.planned, effect.verdict) == (3, 8, "incomplete")
    assert effect.freedom == 14


def test_one_seed_has_no_spread(results: Path) -> None:
    """An estimate without an interval."""
    plan = of_three()
    store = with_errors(of_three(seeds=1), results, EFFECTS, spread=0.002)

    (effect, *_) = comparison_of(plan, store).effects

    assert (effect.pairs, effect.low, effect.p, effect.verdict) == (1, None, None, "incomplete")
    assert effect.estimate == pytest.approx(-0.03, abs=0.01)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"weights": {"with": 1.0, "without": -0.5}}, "weights sum to nothing, and these to 0.5"),
        ({"weights": {"with": -1.0, "without": 1.0}}, "arm= has a weight above 0, and against="),
        ({"label": ""}, "say what the weights compare"),
        ({"number": 0.2}, "takes? nothing off|by against="),
        ({"metric": FinalError(), "against_metric": FinalError(top=5)}, "take nothing off"),
    ],
)
def test_weights_that_compare_nothing_are_refused(change: dict[str, object], message: str) -> None:
    """When the study is made."""
    given = {"arm": "with", "against": "without", "weights": {"with": 1.0, "without": -1.0},
             "label": "with and without", "direction": "lower", "margin": 0.005}  # fmt: skip
    with pytest.raises(ValueError, match=message):
        Study(
            name="norm", question="?", seeds=6,
            arms={"with": {}, "without": Arm(changes={"network": {"parts": {"norm": None}}})},
            contrasts=(Contrast(**(given | change)),),
            bases={"fashion_mini": Base(config=tiny(), metric=FinalError(), rates=(0.1,))},
        )  # fmt: skip
