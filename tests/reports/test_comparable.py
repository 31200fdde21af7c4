"""Runs that cannot be compared: the same networks on both sides, or none that learned."""

from pathlib import Path

import pytest

from ablations.metrics import EarlyLoss, FinalError, Metric
from ablations.plan import Plan
from ablations.record import Record
from ablations.store import Store
from ablations.study import Arm, Base, Contrast, Study
from alexnet.presets import tiny
from reports.evidence import EVIDENCE
from reports.findings.records import comparison_of
from reports.findings.sections import sections
from reports.wording.sentences import verdict_line
from tests.builders.plans import HELPS, of_errors, planned
from tests.builders.records import measures_of, record_of

SAME = "both arms trained the same networks: in every pair the weights are equal"
NOTHING = "neither arm learned anything: no run came further from chance than 5 points"


def record(plan: Plan, arm: str, seed: int, errors: list[float], train: float = 0.1) -> Record:
    """Return the record of a run with these running errors."""
    measures = measures_of(train, 0.2, 0.2)
    return record_of(plan.run(arm, seed), errors, measures=measures)


def with_weights(record: Record, digest: str | None) -> Record:
    """Return a record with weights of that digest, or none kept."""
    files = {} if digest is None else {"weights.safetensors": digest}
    return record.model_copy(update={"files": files})


@pytest.mark.parametrize("kept", [True, False])
@pytest.mark.parametrize(("equal", "verdict"), [(6, "open"), (5, "no effect"), (0, "no effect")])
def test_equal_weights_are_no_evidence_of_no_effect(
    results: Path, kept: bool, equal: int, verdict: str
) -> None:
    """Six pairs with a difference of nothing; of weights not kept, by all that was measured."""
    plan, store = of_errors(HELPS), Store(results)
    for seed in range(6):
        for arm in ("with", "without"):
            same = seed < equal or arm == "with"
            # Where weights are not kept, a last running error tells the networks apart.
            one = record(plan, arm, seed, [0.5, 0.2 if kept or same else 0.3])
            digest = f"{seed}" if same else f"{seed} {arm}"
            store.add(with_weights(one, digest if kept else None))

    comparison = comparison_of(plan, store)
    (effect,) = comparison.effects

    assert effect.estimate == 0
    assert effect.is_equivalent
    assert effect.verdict == verdict
    assert (effect.unmet == SAME) is (verdict == "open")
    assert (SAME in verdict_line(effect, comparison)) is (verdict == "open")


def test_one_arm_by_two_metrics_is_the_same_network_on_purpose(results: Path) -> None:
    """Ten views against one: the weights are equal, and are meant to be."""
    views = Contrast(arm="with", against="with", metric=FinalError(views="ten"), direction="lower",
                     against_metric=FinalError(), margin=0.005, margin_reason="small")  # fmt: skip
    plan, store = of_errors(views), Store(results)
    for seed in range(6):
        for arm in ("with", "without"):
            store.add(record(plan, arm, seed, [0.5, 0.2]))

    assert comparison_of(plan, store).effects[0].verdict == "same way"


@pytest.mark.parametrize(
    ("errors", "train", "learned"),
    [
        ([0.9, 0.86], 0.88, False),
        ([0.9, 0.85], 0.88, True),
        ([0.9, 0.90], 0.85, True),
        ([0.84, 0.90], 0.90, True),
    ],
    ids=["never", "while training", "afterwards", "and lost it"],
)
def test_arms_that_learned_nothing_show_nothing(
    results: Path, errors: list[float], train: float, learned: bool
) -> None:
    """Ten classes: chance is 90 %, and 85 % is five points from it. One run is enough."""
    plan, store = of_errors(HELPS), Store(results)
    for seed in range(6):
        for arm in ("with", "without"):
            is_it = (arm, seed) == ("with", 3)
            store.add(record(plan, arm, seed, *((errors, train) if is_it else ([0.9], 0.9))))

    (effect,) = comparison_of(plan, store).effects

    assert effect.verdict == ("no effect" if learned else "open")
    assert (effect.unmet == NOTHING) is not learned


@pytest.mark.parametrize("metric", [EarlyLoss(share=0.1), FinalError()])
def test_a_claim_about_the_first_updates_needs_no_more_than_these(
    results: Path, metric: Metric
) -> None:
    """A tenth of all updates may be too few to leave chance; what comes after them, not."""
    study = Study(
        name="start", question="Faster?",
        arms={"with": {}, "without": Arm(changes={"network": {"parts": {"norm": None}}})},
        contrasts=(HELPS.but(margin=0.02),),
        bases={"fashion_mini": Base(config=tiny(), metric=metric, rates=(0.001, 0.003))},
        seeds=6,
    )  # fmt: skip
    plan, store = planned(study), Store(results)
    for seed in range(6):
        for arm in ("with", "without"):
            store.add(record(plan, arm, seed, [0.9], train=0.9))

    (effect,) = comparison_of(plan, store).effects
    assert (effect.unmet is None) is isinstance(metric, EarlyLoss)


def test_what_ships_can_be_compared() -> None:
    """No shipped comparison is of equal networks, or of networks that learned nothing."""
    effects = [e for s in sections(Store(EVIDENCE)) for e in s.comparison.effects if e.pairs]
    assert len(effects) > 20
    assert [e.contrast.between for e in effects if e.unmet in (SAME, NOTHING)] == []
