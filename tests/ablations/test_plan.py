"""Plans: registered before the first run and never changed."""

import hashlib
import json
from datetime import timedelta

import pytest

from ablations.plan import Plan, PlanError
from ablations.planning import define, refuse_difference
from ablations.runner import remaining
from ablations.store import Store
from ablations.studies import STUDIES, StudyError, find_study
from ablations.tuning import Choice, Trial
from alexnet.config.base import canonical
from alexnet.data.catalogue import CATALOGUE
from alexnet.durable import write_atomically
from reports.analysis.caveats import since
from reports.findings.records import comparison_of
from tests.builders.plans import MANIFEST, STUDY, chosen, in_setting, plan_of, planned, resealed
from tests.builders.records import PROVENANCE


def test_a_plan_is_read_back_as_it_was_written(results) -> None:
    """And found under its study and dataset."""
    plan = plan_of()
    Store(results).write_plan(plan)

    assert Store(results).read_plan("relu_vs_tanh", "fashion_mini", smoke=False) == plan
    assert Store(results).read_plan("relu_vs_tanh", "fashion_mini", smoke=True) is None


def test_arms_differ_in_their_activation_alone() -> None:
    """All else of the base is shared."""
    arms = plan_of().definition.arms
    dumps = {arm: config.model_dump() for arm, config in arms.items()}
    for dump in dumps.values():
        del dump["network"]["parts"]["act"]

    assert arms["relu"] != arms["tanh"]
    assert dumps["relu"] == dumps["tanh"]


def test_figure_1s_base_is_the_80_second_network_without_regularisation() -> None:
    """FACTS (d): raw 32-pixel images, rate 0.001, biases double, momentum 0.9, batch 128."""
    config = STUDY.config("cifar10", "relu")
    optimizer = config.training.optimizer

    assert (optimizer.rate, optimizer.bias_rate, optimizer.momentum) == (0.001, 2.0, 0.9)
    assert optimizer.weight_decay == {}
    assert config.training.batch == 128
    assert config.training.schedule.kind == "constant"
    assert config.inputs.model_dump() == {"random_crops": False, "flips": False, "colour": None}
    assert [layer.init.std for layer in config.network.layers] == [1e-4, 0.01, 0.01, 0.1, 0.1]


def test_a_difference_is_refused_with_the_fields_name(results) -> None:
    """Threshold moved after the fact: the sentence has the field and both values."""
    plan = plan_of()
    moved = plan.definition.but(metric={"training_error": 0.3})
    path = Store(results).plan_path("relu_vs_tanh", "fashion_mini", smoke=False)

    with pytest.raises(PlanError, match=r"metric\.training_error = 0\.2.* now says 0\.3"):
        refuse_difference(plan.definition, moved, path)


def test_the_same_definition_is_not_refused(results) -> None:
    """However often it is asked for."""
    path = results / "plan.json"

    refuse_difference(plan_of().definition, plan_of().definition, path)


def test_a_plan_that_was_cut_short_is_refused(results) -> None:
    """Not registered anew in silence."""
    store = Store(results)
    store.write_plan(plan_of())
    path = store.plan_path("relu_vs_tanh", "fashion_mini", smoke=False)
    path.write_text(path.read_text()[:100])

    with pytest.raises(PlanError, match="is cut short"):
        store.read_plan("relu_vs_tanh", "fashion_mini", smoke=False)


def test_a_smoke_plan_shares_no_run_with_the_real_one() -> None:
    """Its runs see fewer images, so their ids are others."""
    real, smoke = plan_of(), plan_of(smoke=True, seeds=2)
    ids = [
        {plan.make_run(arm, config, 0).id for arm, config in plan.definition.arms.items()}
        for plan in (real, smoke)
    ]

    assert not ids[0] & ids[1]
    assert real.name != smoke.name


def test_two_processes_may_add_to_one_plan(results) -> None:
    """What the other has added stays; what is registered is never replaced."""
    trial = Trial(rate=0.001, epochs=16, outcomes=(2.0, 2.0), reached=True, runs=("a", "b"))
    slow, fast = (
        Choice(rate=rate, trials=(trial,), none_reached=False, edge=False) for rate in (1e-3, 1e-2)
    )
    store, plan = Store(results), plan_of()
    store.write_plan(plan)
    store.write_plan(plan.model_copy(update={"choices": {"relu": slow}}))
    store.write_plan(plan.model_copy(update={"choices": {"relu": fast, "tanh": fast}}))

    found = store.read_plan("relu_vs_tanh", "fashion_mini", smoke=False)

    assert found is not None
    assert found.choices == {"relu": slow, "tanh": fast}


def test_a_registered_rate_stands_without_the_records_it_was_chosen_from(results) -> None:
    """A merge that lost tuning runs must not start them again, nor move the rate."""
    plan, store = chosen(plan_of(seeds=3)), Store(results)

    work = remaining(plan, store, plan.seeds)

    assert [run.seed for run in work.runs] == [0, 0, 1, 1, 2, 2]
    assert {run.config.training.optimizer.rate for run in work.runs} == {0.001}
    assert work.untried == 0


def test_a_new_plan_starts_with_the_tuning_of_all_arms(results) -> None:
    """Both arms at the largest rate, seed by seed, so that both curves exist early."""
    plan, store = plan_of(), Store(results)

    work = remaining(plan, store, plan.seeds)

    assert [run.seed for run in work.runs] == [1000, 1000, 1001, 1001]
    assert {run.config.training.optimizer.rate for run in work.runs} == {0.03}
    assert work.untried == work.rates > 0


def test_a_misspelt_study_is_answered_with_the_nearest() -> None:
    """And one unlike any with the list."""
    with pytest.raises(StudyError, match="did you mean relu_vs_tanh"):
        find_study("relu_vs_than")
    with pytest.raises(StudyError, match="known: relu_vs_tanh"):
        find_study("zzz")


@pytest.mark.parametrize("study", STUDIES.values(), ids=STUDIES)
def test_every_study_runs_on_known_datasets_and_names_its_file(study) -> None:
    """Whether they can decide, a study checks when it is made."""
    assert study.bases.keys() <= CATALOGUE.keys()
    assert study.paper_dataset in (None, *CATALOGUE)
    assert study.source == f"ablations/studies/{study.name}.py"


def test_a_plans_name_outlives_fields_that_are_added_later(results) -> None:
    """A plan written before contrasts had a direction keeps its digest, through rewriting too."""
    store, plan = Store(results), plan_of()
    content = json.loads(plan.to_json())
    for contrast in content["definition"]["contrasts"]:
        for field in ("direction", "metric", "precondition"):
            del contrast[field]
    path = store.plan_path("relu_vs_tanh", "fashion_mini", smoke=False)
    write_atomically(path, resealed(content))
    sealed = hashlib.sha256(canonical(content["definition"]).encode()).hexdigest()

    old = Plan.read(path)
    store.write_plan(old.model_copy(update={"choices": chosen(plan).choices}))
    again = Plan.read(path)

    assert old.definition.digest == again.definition.digest == sealed != plan.definition.digest
    assert again.choices.keys() == {"tanh", "relu"}
    refuse_difference(again.definition, plan.definition, path)


def test_a_new_plan_registers_every_field() -> None:
    """So that a default that changes later changes no plan."""
    content = json.loads(plan_of().to_json())["definition"]

    assert content == plan_of().definition.model_dump(mode="json")


def test_other_words_are_dated_and_the_definition_stays() -> None:
    """What a reader sees is noted; the file's name and the time estimate are not."""
    plan = plan_of()
    words = plan.about.model_copy(update={"question": "Faster?", "passes": 3.0, "source": "x.py"})
    silent = plan.about.model_copy(update={"passes": 3.0})

    amended = plan.amended(words, PROVENANCE)

    assert amended.definition == plan.definition
    assert [note.fields for note in amended.amendments] == [("question",)]
    assert amended.amended(words, PROVENANCE) == amended
    assert plan.amended(silent, PROVENANCE).amendments == ()
    assert plan.merged(amended).amendments == amended.amendments


def test_labels_are_words_and_no_part_of_what_is_registered(results) -> None:
    """Of two studies that differ in words alone one definition is made; the plan keeps both."""
    arms = STUDY.arms | {"tanh": STUDY.arms["tanh"].but(label="a curve")}
    (contrast,) = STUDY.contrasts
    reworded = STUDY.model_copy(
        update={"arms": arms, "contrasts": (contrast.but(label="old and new", says="It helps"),)}
    )
    before, after = planned(STUDY), planned(reworded)
    Store(results).write_plan(after)
    (read,) = Store(results).plans()

    assert before.definition.digest == after.definition.digest
    assert "label" not in json.loads(after.to_json())["definition"]["contrasts"][0]
    assert read == after
    assert (read.label("tanh"), read.label("relu")) == ("a curve", "ReLU")
    assert [(c.compared, c.says) for c in read.contrasts] == [("old and new", "It helps")]
    assert [c.compared for c in before.contrasts] == ["ReLU against tanh"]
    assert before.contrasts[0].between == "relu against tanh"
    wordless = after.about.model_copy(update={"labels": {}, "contrasts": ()})
    silent = before.model_copy(update={"about": wordless})
    for plan in (before, silent):
        assert plan.amended(after.about, PROVENANCE).amendments[0].fields == ("labels", "contrasts")
        assert after.amended(plan.about, PROVENANCE).amendments[0].fields == ("labels", "contrasts")


def test_words_for_other_arms_or_contrasts_are_refused() -> None:
    """Than those that are registered."""
    plan = plan_of()
    for words in ({"labels": {"elu": "ELU"}}, {"contrasts": ({"label": "a"}, {"label": "b"})}):
        content = json.loads(plan.to_json())
        content["about"] |= words
        content.pop("sha256")
        with pytest.raises(ValueError, match=r"no arm 'elu'|other contrasts"):
            Plan.model_validate(content)


def test_a_run_is_known_by_its_arm_at_any_rate() -> None:
    """Arms that differ in their weight decay alone, one of them while it is tuned."""
    plan = plan_of()
    config = plan.definition.arms["relu"]
    decay = config.but(training={"optimizer": {"weight_decay": {"conv1": 0.004}}})
    arms = plan.definition.arms | {"decay": decay}
    definition = plan.definition.model_copy(update={"arms": arms})
    plan = plan.model_copy(update={"definition": definition})
    tuning = decay.but(training={"optimizer": {"rate": 0.02}, "epochs": 3, "give_up": {"epoch": 1}})

    assert plan.arms_of(plan.make_run("decay", tuning, 1000)) == ["decay"]
    assert plan.arms_of(plan.make_run("relu", config, 3)) == ["relu"]
    assert plan.arms_of(plan.make_run("relu", config.but(inputs={"flips": True}), 3)) == []
    elsewhere = plan.definition.dataset.but(name="a_copy", digest="0" * 64)
    assert plan.arms_of(plan.make_run("relu", config, 3).but(dataset=elsewhere)) == []


def test_more_images_than_there_are_is_refused() -> None:
    """Before anything is registered: the record would say what was not so."""
    many = {"images": 20_000}
    base = STUDY.bases["fashion_mini"].but(config={"training": many})
    study = STUDY.model_copy(update={"bases": {"fashion_mini": base}})

    with pytest.raises(PlanError, match="trains on 20,000 images, and fashion_mini has 10,000"):
        define(study, "fashion_mini", MANIFEST, 10, "float32", smoke=False)


def test_more_classes_than_the_network_has_are_refused() -> None:
    """Before a worker would stumble over a label that no output stands for."""
    manifest = MANIFEST.model_copy(update={"classes": tuple("abcdefghijk")})

    with pytest.raises(PlanError, match="tells 10 classes apart, and fashion_mini has 11"):
        define(STUDY, "fashion_mini", manifest, 10, "bfloat16", smoke=False)


def test_a_plan_can_be_less_near_to_the_paper_than_it_was_registered(results) -> None:
    """By a dated amendment that a reader sees; the definition stays, and so does its digest."""
    plan = in_setting(plan_of(), "closest reading")
    now = PROVENANCE.but(at=PROVENANCE.at + timedelta(days=1))

    less = plan.demoted("stand-in", "30 of 520 epochs", now)
    Store(results).write_plan(less)
    (read,) = Store(results).plans()

    assert (plan.setting, read.setting) == ("closest reading", "stand-in")
    assert read.definition.digest == plan.definition.digest
    assert comparison_of(read, Store(results)).setting == "stand-in"
    assert since(read, ()) == ("2026-01-03 03:04 UTC: called a stand-in: 30 of 520 epochs",)
    assert plan.merged(read).setting == "stand-in"
    amended = plan.amended(plan.about.model_copy(update={"question": "?"}), now)  # the same second
    both = amended.merged(less)
    assert (both.setting, len(both.amendments)) == ("stand-in", 2)
    nearest = in_setting(plan, "paper")
    halfway, all_the_way = (
        nearest.demoted(setting, "seen", PROVENANCE.but(at=PROVENANCE.at + timedelta(days=days)))
        for setting, days in (("closest reading", 3), ("stand-in", 2))
    )
    assert halfway.merged(all_the_way).setting == "stand-in"  # though the other is later


@pytest.mark.parametrize(
    ("before", "after"),
    [("stand-in", "paper"), ("closest reading", "closest reading"), ("own question", "stand-in"),
     ("stand-in", "own question")],
)  # fmt: skip
def test_no_plan_comes_nearer_afterwards(before: str, after: str) -> None:
    """Else a word could be had by calling the data the paper's once they are seen."""
    plan = in_setting(plan_of(), before)

    with pytest.raises(PlanError, match=f"is called {before}, and cannot become {after}"):
        plan.demoted(after, "we saw it", PROVENANCE)  # type: ignore[arg-type]


def test_an_arm_in_float64_has_to_be_asked_for() -> None:
    """It takes several times as long; a whole study in it is asked for in the same way."""
    exact = STUDY.arms["relu"].but(precision="float64")
    study = STUDY.model_copy(update={"arms": {**STUDY.arms, "relu": exact}})

    with pytest.raises(PlanError, match=r"arm in float64.*ask for it with --precision float64"):
        define(study, "fashion_mini", MANIFEST, 10, "float32", smoke=False)

    asked = define(study, "fashion_mini", MANIFEST, 10, "float64", smoke=False)
    assert set(asked.precisions_of.values()) == {"float64"}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('"study": "relu_vs_tanh"', '"study": "../../outside"'),
        ('"name": "fashion_mini"', '"name": "../outside"'),
        ('"name": "fashion_mini"', '"name": ".hidden"'),
    ],
)
def test_a_plan_whose_files_would_lie_elsewhere_is_no_plan(before, after, results) -> None:
    """Files of a report are called by study and dataset; a plan may come from anybody."""
    text = plan_of().to_json()
    assert before in text
    edited = json.loads(text.replace(before, after))
    write_atomically(results / "plans" / "x.json", resealed(edited))
    store = Store(results)

    assert store.plans() == []
    assert len(store.problems) == 1
    assert "is of another version" in store.problems[0]
