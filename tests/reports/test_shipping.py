"""How studies get into the evidence, and how to go on from it."""

from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from ablations.plan import Plan
from ablations.record import Record
from ablations.results import Results
from ablations.runner import remaining
from ablations.store import Store
from reports.evidence import EVIDENCE
from reports.shipping import ShippingError, add, begin, main
from tests.builders.plans import chosen, plan_of
from tests.builders.records import PROVENANCE, record_of

NAME = "relu_vs_tanh@fashion_mini"
DIRTY = PROVENANCE.but(clean=False)


def trained() -> tuple[Plan, list[Record]]:
    """Return a plan of three seeds, and its twelve records: two of a rate in each arm first."""
    plan = chosen(plan_of(seeds=3))
    tuning = {arm: [plan.run(arm, seed) for seed in (1000, 1001)] for arm in plan.choices}
    choices = {
        arm: choice.but(trials=(choice.trials[0].but(runs=tuple(run.id for run in tuning[arm])),))
        for arm, choice in plan.choices.items()
    }
    plan = plan.model_copy(update={"choices": choices})
    compared = (plan.run(arm, seed) for arm in plan.choices for seed in range(3))
    runs = [*(run for of_arm in tuning.values() for run in of_arm), *compared]
    return plan, [record_of(run, [0.6, 0.3]) for run in runs]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Return a results folder with the study, complete, and with weights and a run of no plan."""
    plan, records = trained()
    store = Store(tmp_path / "results")
    for record in (*records, record_of(plan.run("relu", 77), [0.9])):
        store.add(record)
        (store.folder(record.run) / "weights.safetensors").write_bytes(b"weights")
    store.write_plan(plan)
    return store


@pytest.fixture
def evidence(tmp_path: Path) -> Store:
    """Return evidence that holds nothing yet."""
    return Store(tmp_path / "evidence")


def files(folder: Path) -> dict[str, bytes]:
    """Return the content of every file below a folder."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_a_study_is_copied_without_weights_and_once(store: Store, evidence: Store) -> None:
    """Byte for byte: the plan, and ten records of its own of eleven."""
    own = {record.run.id for record in trained()[1]}
    there = files(store.path)

    new = add(NAME, store, evidence)

    copied = files(evidence.path)
    assert {record.run.id for record in new} == own
    assert len(copied) == 1 + len(own) == 11
    assert copied.items() <= there.items()
    assert add(NAME, Results(store.path), Store(evidence.path)) == []
    assert files(evidence.path) == copied


@pytest.mark.parametrize("index", [0, 9], ids=["that chose a rate", "compared"])
def test_what_is_incomplete_is_copied_if_that_is_asked_for(
    store: Store, evidence: Store, index: int
) -> None:
    """And completed later."""
    missing = trained()[1][index]
    assert store.forget(missing.run)

    with pytest.raises(ShippingError, match=f"1 run of {NAME} is missing; train them, or give"):
        add(NAME, store, evidence)
    assert not evidence.path.exists()
    assert len(add(NAME, store, evidence, incomplete=True)) == 9
    store.add(missing)
    assert [record.run for record in add(NAME, store, evidence)] == [missing.run]


def registered_again(store: Store, plan: Plan) -> None:
    """Write a plan in place of one that was registered before, which would stand."""
    (store.path / "plans" / f"{NAME}.json").unlink()
    store.write_plan(plan)


REFUSED = {
    "dirty run": r"run [0-9a-f]{12}: made by code that no commit holds",
    "dirty plan": f"plan {NAME}: made by code that no commit holds",
    "later plan": "is another plan, registered 2026-01-02 03:04 UTC",
    "other plan": "is another plan, registered 2026-01-02 03:04 UTC",
    "other record": r"run [0-9a-f]{12}: another record of the same run ships",
    "no plan": "has no plan relu_vs_tanh@cifar10; there are relu_vs_tanh@fashion_mini",
}


@pytest.mark.parametrize("wrong", REFUSED)
def test_what_is_no_evidence_is_refused(store: Store, evidence: Store, wrong: str) -> None:
    """With its name; nothing is written then."""
    plan, (first, *_) = trained()
    name = NAME
    match wrong:
        case "dirty run":
            store.forget(first.run)
            store.add(first.but(provenance=DIRTY))
        case "dirty plan":
            registered_again(store, plan.but(registered=DIRTY))
        case "later plan":
            add(NAME, store, evidence)
            late = PROVENANCE.but(at=PROVENANCE.at + timedelta(days=1))
            registered_again(store, plan.but(registered=late))
        case "other plan":
            evidence.write_plan(chosen(plan_of(seeds=4)))
        case "other record":
            evidence.add(record_of(first.run, [0.6, 0.2]))
        case "no plan":
            name = "relu_vs_tanh@cifar10"
    before = files(evidence.path)

    with pytest.raises(ShippingError, match=REFUSED[wrong]):
        add(name, Results(store.path), Store(evidence.path))
    assert files(evidence.path) == before


def test_from_evidence_a_study_goes_on_elsewhere(
    store: Store, evidence: Store, tmp_path: Path
) -> None:
    """Where two runs were missing, these two are; a second time nothing is copied."""
    lost = [record.run for record in trained()[1][-2:]]
    for run in lost:
        store.forget(run)
    add(NAME, store, evidence, incomplete=True)
    elsewhere = Store(tmp_path / "elsewhere")

    plans, records = begin("fashion_mini", evidence, elsewhere)

    (plan,) = plans
    assert len(records) == 8
    assert {run.id for run in remaining(plan, elsewhere, plan.seeds).runs} == {r.id for r in lost}
    assert begin("fashion_mini", evidence, Store(elsewhere.path)) == ([], [])


def test_no_plan_is_replaced_by_one_that_ships(evidence: Store, store: Store) -> None:
    """A question of one's own by the same name stays, and nothing is mixed into it."""
    evidence.write_plan(chosen(plan_of(seeds=4)))
    before = files(store.path)

    with pytest.raises(ShippingError, match="is another plan"):
        begin("fashion_mini", evidence, store)
    assert files(store.path) == before


def test_what_ships_of_a_dataset_is_begun_from_by_command(tmp_path: Path) -> None:
    """All plans and records of it; another dataset is refused with those that there are."""
    results = tmp_path / "results"
    done = CliRunner().invoke(main, ["begin", "fashion_mini", "--results", str(results)])
    refused = CliRunner().invoke(main, ["begin", "imagenet", "--results", str(results)])
    added = CliRunner().invoke(main, ["add", "dropout@imagenet", "--results", str(results)])

    assert done.exit_code == 0
    assert "1 plan and " in done.output
    for path, content in files(results).items():
        assert (EVIDENCE / path).read_bytes() == content
    assert {Path(path).name for path in files(results)} == {f"{NAME}.json", "record.json"}
    assert (refused.exit_code, added.exit_code) == (1, 1)
    assert "nothing of imagenet ships; there are cifar10, cifar10_jpeg, fashion_" in refused.output
    assert f"has no plan dropout@imagenet; there are {NAME}" in added.output
