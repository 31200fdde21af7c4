"""Studies that share runs: whoever is registered after them decides nothing."""

import io
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from rich.console import Console

from ablations import merged
from ablations.plan import Plan, PlanError
from ablations.registration import RequestError, keep_plan, new_plan, same_or_refused
from ablations.store import Store
from ablations.studies import STUDIES
from ablations.study import Arm, Base, Contrast, FinalError, Study
from alexnet.config import Pool
from alexnet.data.synthetic import GENERATED
from alexnet.presets import tiny
from reports.commands.ablate import run
from reports.commands.ablate.request import Request
from reports.findings.records import comparison_of
from reports.page.report import gather
from tests.builders.images import images_of

NO_NORM = {"network": {"parts": {"norm": None}}}
AVERAGE = {"network": {"parts": {"pool": Pool(kind="avg_pool", rounding="ceil")}}}

SEEDS = 6


def made_up(name: str, other: dict[str, Any], **of_base: Any) -> Study:
    """Return a judged study of seconds that compares a changed network with the same one."""
    config = tiny().but(
        network={"view": 28, "parts": {"norm": {"groups": 1}}},
        training={"epochs": 1, "images": 320},
    )
    base = Base(config=config, metric=FinalError(), rates=(0.003,)).but(**of_base)
    contrast = Contrast(
        arm="changed", against="as it is", direction="higher", margin=0.05, margin_reason="made up"
    )
    return Study(
        name=name,
        question="Does it?",
        arms={"as it is": Arm(), "changed": Arm(changes=other)},
        contrasts=(contrast,),
        bases={GENERATED: base},
        seeds=SEEDS,
    )


NORM, POOL = made_up("norm", NO_NORM), made_up("pool", AVERAGE)
SHOWN = made_up("shown", AVERAGE, judged=False)
APART = made_up("apart", NO_NORM, config=NORM.bases[GENERATED].config.but(inputs={"flips": False}))


@pytest.fixture
def studies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let four small studies be all that there are."""
    known = MappingProxyType({one.name: one for one in (NORM, POOL, SHOWN, APART)})
    for module in ("ablations.studies", "ablations.registration"):
        monkeypatch.setattr(f"{module}.STUDIES", known)


def ablate(study: str, results: Path, **asked: Any) -> str:
    """Run a study on the generated images in this process; return what was said."""
    plain: dict[str, Any] = {"seeds": None, "smoke": False, "dry_run": False}
    request = Request(
        study=study, dataset=GENERATED, workers=0, device="cpu", precision="float32",
        results=results, data_dir=results, **(plain | asked),
    )  # fmt: skip
    console = Console(file=io.StringIO(), width=200)
    assert run(request, console) == 0
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def plans_in(results: Path) -> dict[str, Plan]:
    """Return the plans of a results folder by their study."""
    return {plan.definition.study: plan for plan in Store(results).plans()}


@pytest.mark.usefixtures("studies")
def test_a_study_run_after_one_that_shares_runs_is_judged(tmp_path: Path) -> None:
    """It was registered with the first: `norm`, then `pool`, whose reference was trained before."""
    said = ablate("norm", tmp_path)
    first = plans_in(tmp_path)

    ablate("pool", tmp_path)

    # `shown` has no verdict that could be lost, and `apart` trains other networks.
    assert "registers too   pool\n" in said
    assert first.keys() == {"norm", "pool"}
    assert "--study pool" in first["pool"].registered.command
    assert len(Store(tmp_path).records()) == 3 * SEEDS
    for plan in plans_in(tmp_path).values():
        (effect,) = comparison_of(plan, Store(tmp_path)).effects
        assert (effect.known_before, effect.pairs) == (0, SEEDS)
        assert effect.verdict not in ("exploratory", "not run", "incomplete")


@pytest.mark.usefixtures("studies")
def test_one_that_was_forgotten_is_exploratory(tmp_path: Path) -> None:
    """Taken away and registered again, it is younger than the runs that it shares."""
    ablate("norm", tmp_path)
    (tmp_path / "plans" / f"pool@{GENERATED}.json").unlink()

    ablate("pool", tmp_path)

    plan = plans_in(tmp_path)["pool"]
    (effect,) = comparison_of(plan, Store(tmp_path)).effects
    assert (effect.known_before, effect.verdict) == (SEEDS, "exploratory")


@pytest.mark.usefixtures("studies")
def test_seeds_that_were_asked_for_are_those_of_the_study_alone(tmp_path: Path) -> None:
    """More seeds of one are no more seeds of the others."""
    ablate("norm", tmp_path, seeds=SEEDS + 1)

    plans = plans_in(tmp_path)

    assert len(plans["norm"].definition.seeds) == SEEDS + 1
    assert len(plans["pool"].definition.seeds) == SEEDS


@pytest.mark.usefixtures("studies")
def test_a_dry_run_and_a_smoke_register_nothing_else(tmp_path: Path) -> None:
    """The one says what it would do; the other means nothing."""
    said = ablate("norm", tmp_path / "dry", dry_run=True)

    assert "would register  pool\n" in said
    assert not (tmp_path / "dry").exists()
    ablate("norm", tmp_path / "smoke", smoke=True)
    assert plans_in(tmp_path / "smoke").keys() == {"norm"}


@pytest.mark.usefixtures("studies")
def test_a_report_names_what_is_registered_and_shows_what_was_run(tmp_path: Path) -> None:
    """A study that nobody asked for yet fills no page; asked for by name, it is there."""
    ablate("norm", tmp_path)

    report = gather(Store(tmp_path))

    assert [section.name for section in report.sections] == [f"norm@{GENERATED}"]
    assert {fact.name: fact.text for fact in report.facts}["registered, no rate chosen"] == "pool"
    alone = gather(Store(tmp_path), "pool")
    assert [section.name for section in alone.sections] == [f"pool@{GENERATED}"]


def request(**asked: Any) -> Request:
    """Return a request for weight decay on CIFAR-10."""
    plain: dict[str, Any] = {
        "study": "weight_decay", "dataset": "cifar10", "seeds": None, "workers": None,
        "device": "auto", "precision": "float32", "smoke": False, "dry_run": True,
        "results": Path("nowhere"), "data_dir": Path("nowhere"),
    }  # fmt: skip
    return Request(**(plain | asked))


@pytest.mark.parametrize(
    ("asked", "trained", "looked_at_again"),
    [
        (None, tuple(range(20, 30)), ()),
        (3, (20, 21, 22), ()),
        (12, tuple(range(20, 32)), ()),  # a longer plan
        ((25, 3), (25, 3), (3,)),
    ],
)
def test_on_cifar10_seeds_begin_where_none_was_seen(asked, trained, looked_at_again) -> None:
    """0 to 9 were seen on its copy, 10 to 19 in `one_removed`; so many are of the plan's first."""
    study = STUDIES["weight_decay"]
    manifest = images_of().model_copy(update={"name": "cifar10"})

    plan = new_plan(request(seeds=asked), study.on("cifar10", manifest.has), manifest, "float32")

    assert plan.definition.seeds == tuple(range(20, 32 if asked == 12 else 30))
    assert request(seeds=asked).seeds_of(plan) == trained
    assert tuple(seed for look in plan.second_looks for seed in look.seeds) == looked_at_again


def test_more_seeds_of_a_registered_plan_follow_its_own() -> None:
    """12 of a plan of 20 to 29 are these and 30 and 31, a second look."""
    study = STUDIES["weight_decay"]
    manifest = images_of().model_copy(update={"name": "cifar10"})
    shown = study.on("cifar10", manifest.has)
    plan = new_plan(request(), shown, manifest, "float32")

    again = same_or_refused(request(seeds=12), shown, manifest, plan, Store(Path("nowhere")))

    assert [look.seeds for look in again.second_looks] == [(30, 31)]


def test_arms_never_get_each_others_seeds_nor_those_that_choose_rates() -> None:
    """The five arms of `seed_variance` are a hundred seeds apart."""
    study = STUDIES["seed_variance"]
    manifest = images_of().model_copy(update={"name": "cifar10"})
    shown = study.on("cifar10", manifest.has)

    assert len(new_plan(request(seeds=100), shown, manifest, "float32").definition.seeds) == 100
    for asked in (101, 600, (10, 111)):
        with pytest.raises(RequestError, match="would meet; ask for fewer"):
            new_plan(request(seeds=asked), shown, manifest, "float32")


def test_a_plan_that_another_command_registered_meanwhile_stands(tmp_path: Path) -> None:
    """Of other seeds: this command is told so, and what lies there is unchanged."""
    study = STUDIES["weight_decay"]
    manifest = images_of().model_copy(update={"name": "cifar10"})
    shown, store = study.on("cifar10", manifest.has), Store(tmp_path)
    mine = new_plan(request(seeds=20), shown, manifest, "float32")
    theirs = new_plan(request(), shown, manifest, "float32")
    assert keep_plan(theirs, store) == theirs

    with pytest.raises(PlanError, match="was registered with seeds"):
        keep_plan(mine, store)

    assert store.read_plan("weight_decay", "cifar10", smoke=False) == theirs
    assert keep_plan(theirs, store) == theirs


@pytest.mark.usefixtures("studies")
def test_folders_may_differ_in_a_plan_that_one_of_them_never_asked(tmp_path: Path) -> None:
    """`norm` in one registers `pool` with six seeds; the other asked `pool` with seven."""
    ablate("norm", tmp_path / "a")
    ablate("pool", tmp_path / "b", seeds=SEEDS + 1)
    one, other = (plans_in(tmp_path / name)["pool"].definition for name in "ab")
    assert one != other

    for order in (("a", "b"), ("b", "a")):
        pool = merged.MergedResults([tmp_path / name for name in order])
        found = {plan.definition.study: plan for plan in pool.plans()}
        assert found["pool"].definition == other
