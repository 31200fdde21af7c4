"""One plan of a name: sealed, under its own name, and of two that come at once one wins."""

import errno
import json
import os
import threading
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from ablations import store as module
from ablations.plan import Plan, PlanError
from ablations.registration import keep_plan
from ablations.store import Store
from reports.evidence import EVIDENCE
from tests.builders.plans import chosen, filled, plan_of, resealed

NAME = "relu_vs_tanh@fashion_mini.json"
SHIPPED = sorted(EVIDENCE.glob("plans/*.json"))


def edited(path: Path, change: Any) -> None:
    """Edit a JSON file as a person would, who knows nothing of digests."""
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content, indent=1))


@pytest.mark.parametrize(
    "change",
    [
        lambda plan: plan["definition"].update(seeds=plan["definition"]["seeds"][:2]),
        lambda plan: plan["definition"]["contrasts"][0].update(margin=1.01),
        lambda plan: plan["definition"]["contrasts"][0].update(direction="higher"),
        lambda plan: plan["choices"]["tanh"]["trials"][0].update(outcomes=[1.0, 1.0]),
        lambda plan: plan["registered"].update(at="2020-01-01T00:00:00Z"),
        lambda plan: plan["about"].update(title="Another"),
        lambda plan: plan.update(unknown=1),
        lambda plan: plan.pop("amendments"),
        lambda plan: plan.pop("sha256"),
    ],
)
def test_an_edited_plan_is_refused_and_named(tmp_path: Path, change: Any) -> None:
    """Whichever field, and without its digest too."""
    filled(tmp_path, 2, tanh=[0.6, 0.1], relu=[0.4, 0.0])
    path = tmp_path / "plans" / NAME
    edited(path, change)

    store = Store(tmp_path)

    assert store.plans() == []
    (problem,) = store.problems
    assert str(path) in problem
    with pytest.raises(PlanError, match=r"was edited|lost its own"):
        store.read_plan("relu_vs_tanh", "fashion_mini", smoke=False)


REGISTERED = {
    "activations@cifar10": "c324c373ba74",
    "bfloat16@cifar10": "64c9ffcbed4e",
    "code_vs_paper@cifar10": "41d09bde38cd",
    "dropout@cifar10": "dc6bdbb863b8",
    "ensembles@cifar10": "95456aa7841b",
    "ensembles@cifar10_jpeg": "3dbed3be0ece",
    "first_layer_filters@cifar10": "aeee64894ab1",
    "first_layer_filters@cifar10_jpeg": "b2870f9b534d",
    "initial_biases@cifar10": "6ac4cdcccf66",
    "initial_biases@cifar10_jpeg": "61512db3897c",
    "nearest_neighbours@cifar10": "4c4e15f5b070",
    "nearest_neighbours@cifar10_jpeg": "c87056dd3fc7",
    "one_removed@cifar10": "63430231909c",
    "one_removed@cifar10_jpeg": "0efe4292bf69",
    "overlapping_pooling@cifar10": "f23babf648f0",
    "pca_colour@cifar10": "7389f4895432",
    "relu_vs_tanh@cifar10_jpeg": "f47ced0d3e6b",
    "relu_vs_tanh@fashion_mini": "37a6f0253378",
    "removed_layers@cifar10": "a1b4e67a1302",
    "response_norm@cifar10": "876db76b083d",
    "response_norm_cifar@cifar10_jpeg": "6bd504bb6a19",
    "six_times@cifar10_jpeg": "8183a380dba1",
    "ten_views@cifar10": "83c00f92d160",
    "ten_views@cifar10_jpeg": "0bc620cae2eb",
    "toggles@cifar10": "debe953eee09",
    "two_gpus@cifar10": "714b4a65e01d",
    "weight_decay@cifar10": "ae9eb0c61208",
    "weight_decay@cifar10_jpeg": "4364d55ea2e6",
}
"""The digest of each definition that ships, as it was when it was registered."""


def test_plans_that_ship_are_read_as_they_were_registered() -> None:
    """Whatever words were improved since."""
    assert {path.stem: Plan.read(path).definition.digest[:12] for path in SHIPPED} == REGISTERED


def test_other_ends_of_lines_change_no_plan(tmp_path: Path) -> None:
    """As a checkout on Windows has them."""
    path = tmp_path / SHIPPED[0].name
    path.write_bytes(SHIPPED[0].read_bytes().replace(b"\n", b"\r\n"))

    assert Plan.read(path) == Plan.read(SHIPPED[0])


def test_a_plan_that_ships_is_no_other_when_edited(tmp_path: Path) -> None:
    """One seed fewer."""
    path = tmp_path / SHIPPED[0].name
    path.write_bytes(SHIPPED[0].read_bytes())
    Plan.read(path)
    edited(path, lambda plan: plan["definition"]["seeds"].pop())

    with pytest.raises(PlanError, match="was edited"):
        Plan.read(path)


@pytest.mark.parametrize(
    "name",
    [
        "relu_vs_tanh@fashion_mini (conflicted copy 2026-11-01).json",
        "relu_vs_tanh@fashion_mini.sync-conflict-20261101-120000-ABCDEFG.json",
        "relu_vs_tanh@fashion_mini~.json",
        "Copy of relu_vs_tanh@fashion_mini.json",
        "relu_vs_tanh@cifar10.json",
        "relu_vs_tanh@fashion_mini.smoke.json",
    ],
)
def test_a_copy_under_another_name_counts_for_nothing(tmp_path: Path, name: str) -> None:
    """As programs leave that keep folders in step: it is named, and not read."""
    plan, store = filled(tmp_path, 2, tanh=[0.6, 0.1], relu=[0.4, 0.0])
    (tmp_path / "plans" / name).write_bytes((tmp_path / "plans" / NAME).read_bytes())

    store = Store(tmp_path)

    assert store.plans() == [plan]
    (problem,) = store.problems
    assert name in problem
    assert "a copy under another name is not read" in problem


def test_a_copied_record_is_read_once_and_named(tmp_path: Path) -> None:
    """An older state of a run's folder beside it: that of its own name is believed."""
    plan, store = filled(tmp_path, 1, tanh=[0.6, 0.1], relu=[0.4, 0.0])
    record = store.find(plan.run("relu", 0))
    assert record is not None
    older = json.loads(record.to_json())
    older["interruptions"] = 7
    for name in ("0 copy", f"{record.run.short} copy"):
        folder = tmp_path / "runs" / name
        folder.mkdir()
        (folder / "record.json").write_bytes(resealed(older))

    again = Store(tmp_path)

    assert [one.interruptions for one in again.records()] == [0, 0]
    assert again.find(plan.run("relu", 0)) == record
    (problem,) = again.problems
    assert f"several records of run {record.run.short}" in problem


def test_a_record_under_another_name_is_named(tmp_path: Path) -> None:
    """As programs leave that keep folders in step; what was set aside is ours."""
    plan, store = filled(tmp_path, 1, tanh=[0.6, 0.1], relu=[0.4, 0.0])
    folder = store.folder(plan.run("relu", 0))
    for name in ("record (conflicted copy).json", "record-set-aside-1.json"):
        (folder / name).write_bytes((folder / "record.json").read_bytes())

    again = Store(tmp_path)

    assert len(again.records()) == 2
    (problem,) = again.problems
    assert "record (conflicted copy).json is a record under another name" in problem


def test_what_is_set_aside_replaces_nothing(tmp_path: Path) -> None:
    """Whichever of those before were deleted."""
    store = Store(tmp_path)
    for name in ("record.json", "record-set-aside-2.json"):
        (tmp_path / name).write_text(name)

    assert store.set_aside(tmp_path / "record.json").name == "record-set-aside-1.json"
    (tmp_path / "record.json").write_text("another")
    assert store.set_aside(tmp_path / "record.json").name == "record-set-aside-3.json"
    assert (tmp_path / "record-set-aside-2.json").read_text() == "record-set-aside-2.json"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes with names")
def test_a_pipe_in_place_of_scores_keeps_nobody_waiting(tmp_path: Path) -> None:
    """It is named, and the scores are absent."""
    plan, store = filled(tmp_path, 1, tanh=[0.6, 0.1], relu=[0.4, 0.0])
    record = store.find(plan.run("relu", 0))
    assert record is not None
    record = record.but(files={"scores.safetensors": "0" * 64})
    os.mkfifo(store.folder(record.run) / "scores.safetensors")

    assert store.find_file(record, "scores.safetensors") is None
    assert any("is a pipe, not a file" in problem for problem in store.problems)


def test_another_definition_never_joins_what_is_registered(tmp_path: Path) -> None:
    """Nor do its chosen rates: the file stays as it was."""
    store = Store(tmp_path)
    store.write_plan(plan_of())
    before = (tmp_path / "plans" / NAME).read_bytes()
    other = chosen(plan_of(seeds=5))

    with pytest.raises(PlanError, match="another plan was registered"):
        store.write_plan(other)
    with pytest.raises(PlanError, match=r"was registered with seeds = .* and the study now says"):
        keep_plan(other, store)

    assert (tmp_path / "plans" / NAME).read_bytes() == before


def test_the_threads_of_another_machine_are_no_other_definition(tmp_path: Path) -> None:
    """Networks of 224 pixels take all cores, of whichever machine."""
    store, plan = Store(tmp_path), plan_of()
    store.write_plan(plan)
    elsewhere = chosen(plan).model_copy(
        update={"definition": plan.definition.model_copy(update={"threads": 64})}
    )

    store.write_plan(elsewhere)

    kept = store.read_plan("relu_vs_tanh", "fashion_mini", smoke=False)
    assert kept is not None
    assert kept.definition.threads == plan.definition.threads
    assert kept.choices == elsewhere.choices


@pytest.mark.parametrize("links", [True, False], ids=["links", "no links"])
def test_of_several_at_the_same_moment_one_wins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, links: bool
) -> None:
    """Where locks do not reach, as on other machines: each of the others is told."""
    monkeypatch.setattr(module, "locked", lambda path: nullcontext())
    if not links:

        def none(*names: Path) -> None:
            raise OSError(errno.EPERM, "Operation not permitted")

        monkeypatch.setattr(module.os, "link", none)
    plans = [plan_of(seeds=seeds) for seeds in range(1, 9)]
    for turn in range(10):
        folder, start = tmp_path / str(turn), threading.Barrier(len(plans))
        outcomes: dict[int, str] = {}

        def register(number: int, folder: Path = folder, start: Any = start) -> None:
            start.wait()
            try:
                Store(folder).write_plan(plans[number])
                outcomes[number] = "won"  # noqa: B023 joined below
            except PlanError as error:
                outcomes[number] = str(error)  # noqa: B023

        threads = [threading.Thread(target=register, args=(n,)) for n in range(len(plans))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        (winner,) = (number for number, said in outcomes.items() if said == "won")
        told = [said for number, said in outcomes.items() if number != winner]
        assert len(told) == len(plans) - 1
        assert all("another plan was registered" in said for said in told)
        assert Plan.read(folder / "plans" / NAME) == plans[winner]
        left = {path.name for path in (folder / "plans").iterdir()}
        assert left == {NAME}
