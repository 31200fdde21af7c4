"""What every study promises; a new one is tested by existing."""

from pathlib import Path
from typing import Any

import pytest
import torch

from ablations.bases import SMALL
from ablations.claims import CLAIMS
from ablations.studies import GROUPS, STUDIES
from ablations.study import Study
from alexnet.config import Config
from alexnet.data.batches import training_batches
from alexnet.data.catalogue import CATALOGUE
from alexnet.data.images import Dataset, load
from alexnet.data.synthetic import GENERATED
from alexnet.model import build, skeleton
from alexnet.optim import optimizer_for
from alexnet.precision import image_type
from alexnet.training import fit, give_dropout_its_chance, step

IMAGES = 40
ARMS = [(study, arm) for study in STUDIES.values() for arm in study.arms]
# Studies share arms; what is the same training is tried once, under its last name.
SMALL_ARMS = list(
    {
        study.config(SMALL, arm).model_dump_json(): (study, arm)
        for study, arm in ARMS
        if SMALL in study.bases
    }.values()
)
LARGE_ARMS = [
    (study, arm, dataset)
    for study, arm in ARMS
    for dataset, base in study.bases.items()
    if base.config.network.view > 64
]


def names(arms: list[tuple[Any, ...]]) -> list[str]:
    """Return what cases are called."""
    return ["-".join((study.name, *others)) for study, *others in arms]


every_arm = pytest.mark.parametrize(("study", "arm"), ARMS, ids=names(ARMS))
every_small_arm = pytest.mark.parametrize(("study", "arm"), SMALL_ARMS, ids=names(SMALL_ARMS))
every_study = pytest.mark.parametrize("study", STUDIES.values(), ids=STUDIES)


@pytest.fixture(scope="module")
def data() -> Dataset:
    """Return the generated colour images."""
    return load(GENERATED, Path())


def short(config: Config) -> Config:
    """Return a config for a few images, with one rate drop."""
    cut = {"images": IMAGES, "batch": 10, "epochs": 2, "until": None}
    schedule = {"kind": "drops", "after": (1,), "factor": 0.1}
    return config.but(training={**cut, "schedule": schedule, "bias_schedule": None})


def losses(config: Config, data: Dataset) -> list[float]:
    """Return the losses of a short training, tenth by tenth."""
    config = short(config)
    network = build(config, 3)
    optimizer = optimizer_for(network, config.training.optimizer)
    epochs = fit(network, optimizer, data, config, 3, "float32")
    return [loss for epoch in epochs for loss in epoch.losses]


@every_small_arm
def test_an_arm_trains(study: Study, arm: str, data: Dataset) -> None:
    """Every weight gets a gradient, scores are finite, and the same seed has the same losses."""
    config = short(study.config(SMALL, arm))
    network = build(config, 3)
    optimizer = optimizer_for(network, config.training.optimizer)
    give_dropout_its_chance(network, config, 3, 1, "float32")
    pixels, labels = next(iter(training_batches(data, config, 3, 1, image_type("float32"))))
    loss = torch.nn.functional.cross_entropy(network(pixels), labels)
    loss.backward()
    silent = [
        name for name, values in network.named_parameters()
        if values.grad is None or not values.grad.abs().sum() > 0
    ]  # fmt: skip

    assert silent == []
    step(network, optimizer, pixels, labels, "float32")
    assert network.eval()(pixels).isfinite().all()
    first = losses(config, data)
    assert first
    assert losses(config, data) == first


@every_arm
def test_an_arm_differs_from_its_base_only_where_it_says(study: Study, arm: str) -> None:
    """What differs lies under a key that the arm names, on every base that can show it."""
    for dataset, base in study.bases.items():
        if not CATALOGUE[dataset].has >= set(study.arms[arm].needs):
            continue
        changes = study.arms[arm].changes
        said = changes(base.config) if callable(changes) else changes
        found = differences(base.config.model_dump(), study.config(dataset, arm).model_dump())

        assert all(under(path, said) for path in found), found


def differences(one: Any, other: Any, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """Return the paths at which two configs differ; layers are known by their names."""
    one, other = named(one), named(other)
    if not (isinstance(one, dict) and isinstance(other, dict)):
        return [] if one == other else [path]
    return [
        found
        for key in sorted(one.keys() | other.keys())
        for found in differences(one.get(key), other.get(key), (*path, key))
    ]


def named(value: Any) -> Any:
    """Return layers by their names, anything else as it is."""
    match value:
        case [{"name": _}, *_] | ({"name": _}, *_):
            return {layer["name"]: layer for layer in value}
        case _:
            return value


def under(path: tuple[str, ...], said: Any) -> bool:
    """Return whether a path is, or lies under, something that changes name, or replace."""
    if not path or not isinstance(said, dict) or "kind" in said:
        return True
    return path[0] in said and under(path[1:], said[path[0]])


@pytest.mark.parametrize(("study", "arm", "dataset"), LARGE_ARMS, ids=names(LARGE_ARMS))
def test_an_arm_for_large_images_can_be_built(study: Study, arm: str, dataset: str) -> None:
    """Its layers fit each other, without a number being computed."""
    config = study.config(dataset, arm)
    view = config.network.view

    scores = skeleton(config.network)(torch.empty(2, 3, view, view, device="meta"))

    assert scores.shape == (2, CATALOGUE[dataset].classes)


@every_study
def test_a_study_says_what_a_reader_needs(study: Study) -> None:
    """The screen that explains it has no empty line, and it names its claims' own study."""
    texts = (study.title, study.question, study.paper_says, study.leaves_open, study.we_chose,
             study.would_change)  # fmt: skip

    assert all(text and not text.endswith(".") for text in texts), texts
    assert study.question.endswith("?")


def test_every_study_is_in_one_group() -> None:
    """Listed once, under its own name."""
    listed = [study.name for studies in GROUPS.values() for study in studies]

    assert sorted(listed) == sorted(STUDIES)
    assert len(set(listed)) == len(listed)


def test_every_claim_that_training_can_test_has_a_study_that_tests_it() -> None:
    """The study that a claim names has a contrast for it; the others say what they need."""
    for claim in CLAIMS.values():
        if claim.study is not None:
            assert claim.id in STUDIES[claim.study].claims, claim.id
        elif claim.kind == "effect":
            assert claim.needs, claim.id
