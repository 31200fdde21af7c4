"""What is run next, and what need not be: rates that are shared, grids of one, orders."""

import hashlib
import json
from pathlib import Path

import pytest

from ablations.plan import Plan
from ablations.planning import about, define, refuse_difference
from ablations.run import TUNING_SEEDS, Run
from ablations.runner import counts, remaining
from ablations.store import Store
from ablations.studies import STUDIES
from ablations.study import Arm, Base, FinalError, Study
from ablations.tuning import Choice, Pending, tune
from alexnet.config.base import canonical
from alexnet.data.manifest import Fit, Manifest
from alexnet.presets import alexnet_cifar, tiny
from tests.builders.instant_workers import (
    ARMS,
    FOLLOWS,
    against,
    finish,
    labelled,
    plan_of,
    run_all,
)
from tests.builders.plans import MANIFEST, STUDY, chosen
from tests.builders.records import PROVENANCE
from tests.proofs.simulation import Memory

EVIDENCE = Path(__file__).parents[2] / "reports" / "evidence" / "plans"
DIGESTS = {
    "relu_vs_tanh@cifar10_jpeg": "f47ced",
    "relu_vs_tanh@fashion_mini": "37a6f0",
}
"""The six digits that the evidence was registered under, before plans had new fields."""


def images_for(study: Study) -> Manifest:
    """Return what is known of images as large, and of as many classes, as a study wants."""
    dataset = "cifar10" if "cifar10" in study.bases else next(iter(study.bases))
    config = study.bases[dataset].config
    size = 32 if config.network.view <= 32 else 256
    return MANIFEST.model_copy(
        update={
            "name": dataset,
            "classes": tuple(map(str, range(config.network.classes))),
            "fit": Fit(kind="own", size=size),
            "colour": True,
            "counts": {"train": 45_000, "valid": 5_000, "test": 10_000},
        }
    )


# ---- one contrast after the other


def test_all_arms_go_together_seed_by_seed() -> None:
    """So that every contrast has as many pairs, whenever it stops."""
    plan = chosen(plan_of())

    runs = remaining(plan, Memory(), plan.seeds).runs

    assert labelled(plan, runs) == [
        f"{arm} {seed}" for seed in range(3) for arm in ("base", "a", "b", "c")
    ]


def test_what_a_verdict_needs_goes_before_what_is_only_shown() -> None:
    """A verdict is there when the arms that have none have not begun, the rates among them."""
    judged = against("b").but(judged=True)
    _, done = run_all(plan_of(contrasts=(against("a"), judged), seeds=6), Memory())

    first = [f"{arm} {seed}" for seed in range(6) for arm in ("base", "b")]
    assert [one for one in done if " 100" not in one][:12] == first
    assert {one.split()[0] for one in done[: done.index("b 5")]} == {"base", "b"}
    assert {one.split()[0] for one in done[done.index("b 5") + 1 :]} == {"a", "c"}
    assert len(done) == len(set(done)) == 4 * (2 * 2 + 6)


def test_without_verdicts_nothing_goes_first() -> None:
    """A demonstration judges none of its contrasts, whatever the study says of them elsewhere."""
    plan = chosen(plan_of(contrasts=(against("a"), against("b").but(judged=True)), seeds=6))
    shown = plan.model_copy(update={"definition": plan.definition.but(judged=False)})

    assert labelled(plan, remaining(plan, Memory(), [0]).runs) == [
        "base 0", "b 0", "a 0", "c 0",
    ]  # fmt: skip
    assert labelled(shown, remaining(shown, Memory(), [0]).runs) == [
        "base 0", "a 0", "b 0", "c 0",
    ]  # fmt: skip


def test_one_by_one_finishes_the_first_contrast_before_the_second() -> None:
    """Both arms of the first, seed by seed; then of each later one what it does not share."""
    plan = chosen(plan_of(one_by_one=True))

    runs = remaining(plan, Memory(), plan.seeds).runs

    assert labelled(plan, runs) == [
        "a 0", "base 0", "a 1", "base 1", "a 2", "base 2",
        "b 0", "b 1", "b 2",
        "c 0", "c 1", "c 2",
    ]  # fmt: skip
    assert {run.id for run in runs} == {
        run.id for run in remaining(chosen(plan_of()), Memory(), range(3)).runs
    }


def test_one_by_one_tunes_and_runs_the_first_before_it_tunes_the_second() -> None:
    """The first answer is there when the rest has not begun."""
    plan, done = run_all(plan_of(one_by_one=True, seeds=2), Memory())

    tuning = [f"1000 {rate}" for rate in (0.003, 0.001)]
    assert done.index("a 1") < done.index("base 1") < done.index(f"b {tuning[0]}")
    assert done.index("b 1") < done.index(f"c {tuning[0]}")
    assert done[-1] == "c 1"
    assert len(done) == len(set(done)) == 4 * (2 * 2 + 2)
    assert plan.choices.keys() == ARMS.keys()


def test_without_it_every_rate_is_chosen_before_the_first_comparison_run() -> None:
    """Tuning first: 4 arms, two rates, two seeds."""
    _, done = run_all(plan_of(seeds=2), Memory())

    assert all(" 100" in one for one in done[:16])
    assert not any(" 100" in one for one in done[16:])
    assert len(done) == 16 + 8


def test_one_by_one_runs_the_arms_of_a_pair_that_is_taken_off() -> None:
    """And each run once, whatever it is needed for."""
    contrasts = (against("a").but(minus=("b", "c")), against("b"))
    plan = chosen(plan_of(contrasts=contrasts, one_by_one=True, seeds=1))

    assert labelled(plan, remaining(plan, Memory(), plan.seeds).runs) == [
        "a 0", "base 0", "b 0", "c 0",
    ]  # fmt: skip


def test_one_by_one_leaves_out_what_is_done() -> None:
    """Taken up again, it goes on where it stopped."""
    plan, store = chosen(plan_of(one_by_one=True)), Memory()
    finish(store, [plan.run("a", 0), plan.run("base", 2), plan.run("b", 1)])

    assert labelled(plan, remaining(plan, store, plan.seeds).runs) == [
        "base 0", "a 1", "base 1", "a 2", "b 0", "b 2", "c 0", "c 1", "c 2",
    ]  # fmt: skip


def test_the_order_is_registered_with_the_plan() -> None:
    """As the study says; a plan of old has none, which means all together."""
    assert plan_of(one_by_one=True).definition.one_by_one
    content = plan_of().model_dump(mode="json")
    assert content["definition"].pop("one_by_one") is False
    assert Plan.model_validate(content).definition.one_by_one is False
    six = STUDIES["six_times"]
    assert six.one_by_one
    assert not STUDY.one_by_one


def test_the_readings_of_figure_1_go_one_by_one() -> None:
    """The first reading's two arms are tuned before anything of the second."""
    study = STUDIES["six_times"]
    manifest = images_for(study)
    definition = define(study, "cifar10", manifest, 3, "float32", smoke=False)
    plan = Plan(definition=definition, about=about(study, "cifar10"), registered=PROVENANCE)

    runs = remaining(plan, Memory(), plan.seeds).runs
    first = [arm for run in runs[:4] for arm in plan.arms_of(run)]

    assert {run.seed for run in runs[: len(study.contrasts) * 4]} == set(TUNING_SEEDS)
    assert {arm.split(":")[0] for arm in first if ":" in arm} == {
        study.contrasts[0].arm.split(":")[0]
    }
    # Two arms a reading with two tuning seeds each; then the map, whose rates are given.
    assert len([run for run in runs if run.seed in TUNING_SEEDS]) == len(study.contrasts) * 2 * 2
    mapped = [arm for arm in study.arms if " at " in arm]
    assert len(runs) == len(study.contrasts) * 4 + len(mapped) * 3


# ---- rates that are shared


def test_an_arm_that_takes_anothers_rate_has_no_tuning_runs_of_its_own() -> None:
    """Two rates and two seeds, of the leader alone; then both at its rate."""
    plan = plan_of(arms={"base": Arm(), "a": FOLLOWS}, contrasts=(against("a"),), seeds=2)
    store = Memory()

    plan, done = run_all(plan, store)

    assert done == [
        "base 1000 0.003", "base 1001 0.003", "base 1000 0.001", "base 1001 0.001",
        "base 0", "a 0", "base 1", "a 1",
    ]  # fmt: skip
    assert plan.choices["a"] == plan.choices["base"]
    assert plan.run("a", 0).config.network.parts["norm"] is None
    assert plan.run("base", 0).config.network.parts["norm"] is not None


@pytest.mark.parametrize("best", [0.001, 0.003])
def test_the_rate_taken_is_the_one_that_suits_the_leader(best: float) -> None:
    """Whichever won there."""
    plan = plan_of(arms={"base": Arm(), "a": FOLLOWS}, contrasts=(against("a"),), seeds=2)
    store = Memory()
    while isinstance(found := plan.tuned("a", store.find), Pending):
        for run in found.runs:
            rate = run.config.training.optimizer.rate
            finish(store, [run], error=0.2 if rate == best else 0.4)

    assert isinstance(found, Choice)
    assert found.rate == best
    choices = remaining(plan, store, plan.seeds).plan.choices
    plan = plan.model_copy(update={"choices": choices})
    assert {plan.run(arm, 0).config.training.optimizer.rate for arm in ("base", "a")} == {best}


def test_an_arm_that_is_tuned_itself_is_not_moved_by_anothers_rate() -> None:
    """Only who says so follows."""
    plan = plan_of(arms={"base": Arm(), "a": ARMS["a"]}, contrasts=(against("a"),), seeds=2)

    _, done = run_all(plan, Memory())

    assert sum(" 100" in one for one in done) == 8


def test_whose_rate_is_taken_is_registered() -> None:
    """In the definition, so that another is another plan; nothing where nobody follows."""
    arms = {"base": Arm(), "a": FOLLOWS}
    plan = plan_of(arms=arms, contrasts=(against("a"),))
    free = plan_of(arms=arms | {"a": ARMS["a"]}, contrasts=(against("a"),))

    assert plan.definition.tuned_as == {"a": "base"}
    assert free.definition.tuned_as == {}
    assert plan.definition.digest != free.definition.digest
    with pytest.raises(ValueError, match=r"tuned_as\.a = base"):
        refuse_difference(plan.definition, free.definition, Path("plan.json"))


def test_a_follower_has_the_same_comparison_run_as_its_like_at_the_same_rate() -> None:
    """A run knows nothing of arms: at one rate, what is alike is trained once."""
    like = Arm(changes={"network": {"parts": {"norm": None}}})
    plan = plan_of(
        arms={"base": Arm(), "a": FOLLOWS, "b": like}, contrasts=(against("a"), against("b"))
    )
    plan = chosen(plan)

    assert plan.run("a", 1).id == plan.run("b", 1).id
    assert plan.arms_of(plan.run("a", 1)) == ["a", "b"]
    runs = remaining(plan, Memory(), plan.seeds).runs
    assert len({run.id for run in runs}) == len(runs) == 2 * 3


# ---- precision


def precise() -> Plan:
    """Return a plan of an arm in either precision at one rate, registered in bfloat16."""
    arms = {
        "base": Arm(),
        "a": Arm(precision="float32", tuned_as="base"),
        "b": Arm(precision="bfloat16", changes={"training": {"batch": 16}}),
    }
    return plan_of(arms=arms, contrasts=(against("a"), against("b")), precision="bfloat16")


def test_arms_of_another_precision_have_other_runs() -> None:
    """The same config and seed, and nothing is taken for the other."""
    plan = chosen(precise())

    assert plan.run("base", 0).config == plan.run("a", 0).config
    assert plan.run("base", 0).precision == "bfloat16"
    assert plan.run("a", 0).precision == "float32"
    ids = {plan.run(arm, seed).id for arm in plan.definition.arms for seed in range(3)}
    assert len(ids) == 9


def test_only_what_differs_from_the_plans_precision_is_registered() -> None:
    """An arm that names the plan's own is as one that names none."""
    definition = precise().definition

    assert definition.precision == "bfloat16"
    assert definition.precisions == {"a": "float32"}
    assert definition.precisions_of == {"base": "bfloat16", "a": "float32", "b": "bfloat16"}


def test_a_run_is_of_the_arm_of_its_precision_alone() -> None:
    """Though two arms have its config."""
    plan = chosen(precise())

    assert plan.arms_of(plan.run("base", 2)) == ["base"]
    assert plan.arms_of(plan.run("a", 2)) == ["a"]


def test_rates_are_chosen_in_the_leaders_precision() -> None:
    """What follows it in another has no tuning runs there."""
    plan = precise()
    runs = remaining(plan, Memory(), plan.seeds).runs

    assert {run.precision for run in runs} == {"bfloat16"}
    assert len(runs) == 2 * 2


# ---- a grid of one rate


def never(run: Run) -> None:
    """Fail: nothing needs to be looked up."""
    raise AssertionError(f"{run.short} was looked for")


def test_one_rate_leaves_nothing_to_choose() -> None:
    """No run is made or looked for, and it is no edge of anything."""
    found = tune(tiny(), FinalError(), (0.02,), None, lambda config, seed: never, never)

    assert found == Choice(rate=0.02, trials=(), none_reached=False, edge=False)
    assert found.chosen is None


def test_a_study_of_one_rate_starts_with_its_comparison_runs() -> None:
    """At that rate."""
    plan = plan_of(rates=(0.02,), seeds=1)
    work = remaining(plan, Memory(), plan.seeds)
    plan = work.plan

    assert work.untried == 0
    assert work.plan.choices.keys() == ARMS.keys()
    assert labelled(plan, work.runs) == ["base 0", "a 0", "b 0", "c 0"]
    assert {run.config.training.optimizer.rate for run in work.runs} == {0.02}
    assert counts(plan, Memory(), plan.seeds) == (0, 4)


def test_two_rates_are_still_tried() -> None:
    """Two in each of four arms are untried, and one of each after the first."""
    plan, store = plan_of(), Memory()
    work = remaining(plan, store, plan.seeds)

    assert (work.rates, work.untried) == (8, 8)
    assert len(work.runs) == 4 * 2
    finish(store, work.runs)
    assert remaining(plan, store, plan.seeds).untried == 4


# ---- plans of old and plans cut down


def test_the_evidence_keeps_the_names_it_was_registered_under() -> None:
    """Fields that came later are no part of them; computed from the files alone, too."""
    assert {path.stem for path in EVIDENCE.glob("*.json")} >= DIGESTS.keys()
    for name, short in DIGESTS.items():
        path = EVIDENCE / f"{name}.json"
        registered = json.loads(path.read_text())["definition"]
        sealed = hashlib.sha256(canonical(registered).encode()).hexdigest()
        plan = Plan.read(path)

        assert plan.definition.digest == sealed
        assert plan.short == short
        assert json.loads(plan.to_json())["definition"] == registered


@pytest.mark.parametrize("name", DIGESTS)
def test_plans_of_old_are_judged_run_together_and_tuned_each_by_itself(name: str) -> None:
    """As they were, before they could say otherwise."""
    plan = Plan.read(EVIDENCE / f"{name}.json")
    one = plan.definition

    assert one.judged
    assert not one.one_by_one
    assert (one.precisions, one.tuned_as, plan.ensembles) == ({}, {}, {})
    assert set(one.precisions_of.values()) == {one.precision}
    assert all(contrast.judged for contrast in one.contrasts)
    assert all(choice.chosen is not None for choice in plan.choices.values())


def test_the_evidences_runs_are_found_under_their_plans() -> None:
    """Every arm and planned seed of the paper's own dataset has its record."""
    plan = Plan.read(EVIDENCE / "relu_vs_tanh@cifar10_jpeg.json")
    store = Store(EVIDENCE.parent)

    done, planned = counts(plan, store, plan.definition.seeds)

    assert done == planned == 2 * len(plan.definition.seeds)
    assert remaining(plan, store, plan.definition.seeds).runs == []


@pytest.mark.parametrize("study", STUDIES.values(), ids=STUDIES)
def test_every_plan_is_read_back_under_the_same_name(study: Study, results: Path) -> None:
    """Registered or cut down, with all its arms, contrasts, pairs and metrics."""
    manifest = images_for(study)
    name = manifest.name
    for smoke in (False, True):
        definition = define(study, name, manifest, 2, "bfloat16", smoke=smoke)
        plan = Plan(definition=definition, about=about(study, name), registered=PROVENANCE)
        Store(results).write_plan(plan)

        again = Store(results).read_plan(study.name, name, smoke=smoke)

        assert again == plan
        assert again.definition.digest == definition.digest
        refuse_difference(again.definition, definition, results)


def test_a_smoke_plan_is_the_study_cut_down() -> None:
    """Two rates, few images, two epochs; its precisions, leaders and order stay."""
    study = STUDIES["bfloat16"]
    manifest = MANIFEST.model_copy(update={"name": "cifar10", "colour": True})
    whole, smoke = (
        define(study, "cifar10", manifest, 2, "bfloat16", smoke=cut) for cut in (False, True)
    )

    assert len(smoke.rates) == 2 < len(whole.rates)
    assert set(smoke.rates) < set(whole.rates)
    assert smoke.precisions == whole.precisions
    assert set(smoke.precisions) == {arm for arm in study.arms if "float32" in arm}
    assert smoke.tuned_as == whole.tuned_as
    assert smoke.contrasts == whole.contrasts
    for config in smoke.arms.values():
        assert (config.training.images, config.training.epochs) == (320, 2)


def test_a_plan_of_one_rate_is_cut_down_to_it() -> None:
    """There is no second."""
    base = Base(config=alexnet_cifar(), metric=FinalError(), rates=(0.02,))
    study = Study(
        name="one_rate",
        question="One?",
        arms={"base": Arm(), "a": ARMS["a"]},
        contrasts=(against("a"),),
        bases={"fashion_mini": base},
    )

    assert define(study, "fashion_mini", MANIFEST, 2, "float32", smoke=True).rates == (0.02,)


def test_one_by_one_runs_every_arm_in_the_end() -> None:
    """Also one that no contrast names, or whose loss is to be reached: else it never ends."""
    plan = chosen(plan_of(contrasts=(against("a"), against("b")), one_by_one=True))

    runs = remaining(plan, Memory(), plan.seeds).runs

    assert {arm for run in runs for arm in plan.arms_of(run)} == ARMS.keys()
