"""Plans that nobody registered, and records of them that no training made."""

import json
from pathlib import Path
from typing import Any

from ablations.plan import Plan
from ablations.planning import about, define
from ablations.store import Store
from ablations.studies import find_study
from ablations.study import Base, Contrast, FinalError, Study
from ablations.tuning import Choice, Trial
from alexnet.data.manifest import Fit, Manifest
from alexnet.measures import Measures
from alexnet.presets import tiny
from alexnet.sealed import seal_of
from tests.builders.records import PROVENANCE, REF, record_of

STUDY = find_study("relu_vs_tanh")
MANIFEST = Manifest(
    name="fashion_mini",
    classes=tuple("abcdefghij"),
    fit=Fit(kind="frame", size=32),
    colour=False,
    mirror=True,
    counts={"train": 10_000, "valid": 1, "test": 1},
    digest=REF.digest,
    split=REF.split,
    files={},
)
HELPS = Contrast(
    arm="with", against="without", direction="lower", margin=0.005, margin_reason="too small"
)


def plan_of(smoke: bool = False, seeds: int = 10) -> Plan:
    """Return a plan of ReLU against tanh that nobody has run."""
    definition = define(STUDY, "fashion_mini", MANIFEST, seeds, "bfloat16", smoke)
    return Plan(definition=definition, about=about(STUDY, "fashion_mini"), registered=PROVENANCE)


def chosen(plan: Plan) -> Plan:
    """Return the plan with a rate for every arm."""
    trial = Trial(rate=0.001, epochs=16, outcomes=(2.0, 2.0), reached=True, runs=("a", "b"))
    choice = Choice(rate=0.001, trials=(trial,), none_reached=False, edge=False)
    return plan.model_copy(update={"choices": dict.fromkeys(plan.definition.arms, choice)})


def planned(study: Study) -> Plan:
    """Return a study's plan on the practice images, with rates chosen."""
    definition = define(study, "fashion_mini", MANIFEST, study.seeds, "float32", smoke=False)
    words = about(study, "fashion_mini")
    return chosen(Plan(definition=definition, about=words, registered=PROVENANCE))


def of_errors(*contrasts: Contrast, seeds: int = 6) -> Plan:
    """Return a plan with rates chosen that compares errors: an arm without a norm, and with."""
    base = Base(config=tiny(), metric=FinalError(), rates=(0.001, 0.003))
    study = Study(
        name="norm",
        question="Does it help?",
        arms={"with": {}, "without": {"network": {"parts": {"norm": None}}}},
        contrasts=contrasts,
        bases={"fashion_mini": base},
        seeds=seeds,
    )
    return planned(study)


def filled(results, seeds: int, tanh: list[float], relu: list[float]) -> tuple[Plan, Store]:
    """Return a plan of three seeds and a store with records of the first so many."""
    plan, store = chosen(plan_of(seeds=3)), Store(results)
    for seed in range(seeds):
        for arm, errors in (("tanh", tanh), ("relu", relu)):
            store.add(record_of(plan.run(arm, seed), errors))
    store.write_plan(plan)
    return plan, store


def with_measures(plan: Plan, results: Path, arms: dict[str, list[Measures]]) -> Store:
    """Return a store with a record for each arm and seed that is given measures."""
    store = Store(results)
    for arm, several in arms.items():
        for seed, measures in enumerate(several):
            store.add(record_of(plan.run(arm, seed), [0.5, 0.2], measures=measures))
    return store


def resealed(content: dict[str, Any]) -> bytes:
    """Return an edited plan or record as whoever writes it on purpose would."""
    inside = {name: value for name, value in content.items() if name != "sha256"}
    return json.dumps(inside | {"sha256": seal_of(inside)}).encode()


def in_setting(plan: Plan, setting: str) -> Plan:
    """Return a plan as if it were of another setting."""
    definition = plan.definition.model_copy(update={"setting": setting})
    return plan.model_copy(update={"definition": definition})
