"""A study trained for another number of epochs: a study of its own, which changes nothing else."""

from dataclasses import replace
from pathlib import Path

import pytest

from ablations.lengths import LengthError, trained_for
from ablations.registration import RequestError, StudyRequest, new_plan, same_or_refused
from ablations.store import Store
from ablations.studies import STUDIES, find_study
from ablations.study import Study
from alexnet.config import Drops, PcaColour
from alexnet.config.training import LayerRate, Steps
from tests.builders.plans import MANIFEST, STUDY

REQUEST = StudyRequest(
    study="relu_vs_tanh", dataset="fashion_mini", seeds=3, precision="float32", smoke=False
)


def of_course(study: Study, dataset: str, **training: object) -> Study:
    """Return a study whose trainings have another course."""
    base = study.bases[dataset]
    bases = {dataset: base.but(config=base.config.but(training=training))}
    return study.model_copy(update={"bases": bases})


@pytest.mark.parametrize(
    ("epochs", "after"),
    [(18, (13, 16, 17)), (72, (52, 64, 70)), (10, (7, 8, 9)), (35, (25, 31, 34))],
)
def test_rates_fall_at_the_same_share_of_the_way(epochs: int, after: tuple[int, ...]) -> None:
    """Of 36 epochs they fall after 26, 32 and 35, in every arm; rounded to whole epochs before."""
    study = STUDIES["one_removed"]
    shorter = trained_for(study, "cifar10", epochs)

    for arm in study.arms:
        training = shorter.config("cifar10", arm).training
        assert (training.epochs, training.schedule) == (epochs, Drops(after=after))
        original = study.config("cifar10", arm)
        restored = shorter.config("cifar10", arm).but(
            training={"epochs": 36, "schedule": {"after": (26, 32, 35)}}
        )
        assert restored == original


def test_all_that_happens_on_the_way_keeps_its_place() -> None:
    """Layers that are frozen, noise that ends, updates between drops, biases' own drops."""
    rates = [LayerRate(layer="conv1", after=8, factor=0.1), LayerRate(layer="conv2", factor=2.0)]
    study = of_course(
        STUDY, "fashion_mini", epochs=16, until=None, schedule=Steps(updates=100).model_dump(),
        bias_schedule=Drops(after=(12,)).model_dump(),
        layer_rates=tuple(one.model_dump() for one in rates),
    )  # fmt: skip
    base = study.bases["fashion_mini"]
    noise = base.config.but(inputs={"colour": PcaColour(last_epoch=10).model_dump()})
    study = study.model_copy(update={"bases": {"fashion_mini": base.but(config=noise)}})

    config = trained_for(study, "fashion_mini", 8).config("fashion_mini", "relu")

    assert config.training.schedule == Steps(updates=50)
    assert config.training.bias_schedule == Drops(after=(6,))
    assert [one.after for one in config.training.layer_rates] == [4, 0]
    assert config.inputs.colour == PcaColour(last_epoch=5)


def test_it_is_a_study_of_its_own_and_of_a_claim_a_stand_in() -> None:
    """Also on the paper's images; a question of our own stays one."""
    shorter = trained_for(STUDIES["relu_vs_tanh"], "cifar10", 35)
    base = shorter.bases["cifar10"]

    assert STUDIES["relu_vs_tanh"].bases["cifar10"].setting == "closest reading"
    assert (shorter.name, base.setting) == ("relu_vs_tanh_35_epochs", "stand-in")
    assert base.left_open[-1] == "trained for 35 epochs in place of 70"
    assert base.passes is None
    own = trained_for(STUDIES["activations"], "cifar10", 18)
    assert own.bases["cifar10"].setting == "own question"


def test_its_own_length_is_the_study_itself() -> None:
    """Whose registered plan it goes on with."""
    study = STUDIES["relu_vs_tanh"]
    assert trained_for(study, "cifar10", 70) is study


@pytest.mark.parametrize("name", sorted(STUDIES))
def test_every_study_that_ships_takes_half_its_length_or_says_why_not(name: str) -> None:
    """Only those refuse whose arms differ in their schedules; a study of it can be made again."""
    study = STUDIES[name]
    for dataset, base in study.bases.items():
        if not study.can_be_shown(frozenset(("colour", "mirror"))):
            continue
        epochs = base.config.training.epochs // 2
        if name in ("code_vs_paper", "table_1"):
            with pytest.raises(LengthError, match="has a length or schedule of its own"):
                trained_for(study, dataset, epochs)
            continue
        shorter = trained_for(study, dataset, epochs)
        Study.model_validate(dict(shorter))  # keeps every rule that a study keeps
        configs = [shorter.config(dataset, arm) for arm in shorter.arms]
        assert {config.training.epochs for config in configs} == {epochs}


def test_so_few_epochs_that_drops_meet_are_refused() -> None:
    """With the fewest that there may be."""
    with pytest.raises(LengthError, match=r"in 3 epochs there is no room .* use 4 or more"):
        trained_for(STUDIES["dropout"], "fashion_mini", 3)

    assert trained_for(STUDIES["dropout"], "fashion_mini", 4).epochs == 4


def test_its_plan_and_runs_are_never_those_of_the_study(results: Path) -> None:
    """Both lie in one folder; either goes on by its own command."""
    study, shorter = STUDY, trained_for(STUDY, "fashion_mini", 8)
    again = replace(REQUEST, epochs=8)
    plans = [new_plan(REQUEST, study, MANIFEST, "float32"),
             new_plan(again, shorter, MANIFEST, "float32")]  # fmt: skip
    store = Store(results)
    for plan in plans:
        store.write_plan(plan)

    assert [plan.name for plan in plans] == [
        "relu_vs_tanh@fashion_mini", "relu_vs_tanh_8_epochs@fashion_mini",
    ]  # fmt: skip
    mine, theirs = (
        {plan.make_run(arm, config, 0).id for arm, config in plan.definition.arms.items()}
        for plan in plans
    )
    assert mine.isdisjoint(theirs)
    assert not plans[0].definition.shares_runs_with(plans[1].definition)
    kept = store.read_plan("relu_vs_tanh_8_epochs", "fashion_mini", smoke=False)
    assert kept is not None
    assert (kept.definition.epochs, kept.setting) == (8, "stand-in")
    assert same_or_refused(again, shorter, MANIFEST, kept, store) == kept
    assert kept.registered.command == (
        "invoke ablate --study relu_vs_tanh --dataset fashion_mini --epochs 8 --seeds 3 "
        "--precision float32"
    )


def test_a_plan_of_the_studys_own_length_says_nothing_of_it() -> None:
    """So that plans which are registered from now on have the names that they had."""
    text = new_plan(REQUEST, STUDY, MANIFEST, "float32").to_json()
    assert '"epochs": null' not in text


@pytest.mark.parametrize("epochs", [0, -1, 10_001, 1.5, "8"])
def test_a_length_that_is_none_is_refused(epochs: object) -> None:
    """Before anything else."""
    with pytest.raises(RequestError, match=r"cannot be a number of epochs; ask for 1 to 10,000"):
        replace(REQUEST, epochs=epochs)  # type: ignore[arg-type]


def test_a_smoke_run_has_its_own() -> None:
    """Two epochs, whatever the study."""
    with pytest.raises(RequestError, match="a smoke run has two epochs, and not 3"):
        replace(REQUEST, smoke=True, epochs=3)


def test_no_study_is_called_by_such_a_name() -> None:
    """It is asked for by the study's name, and the length beside it."""
    with pytest.raises(ValueError, match="relu_vs_tanh"):
        find_study("relu_vs_tanh_8_epochs")
