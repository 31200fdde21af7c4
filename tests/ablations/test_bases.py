"""What a study starts from on images that it does not name."""

import re

import pytest
from pydantic import ValidationError

from ablations.arms import biases_of_zero
from ablations.bases import bases, suited
from ablations.planning import define
from ablations.studies import STUDIES
from ablations.study import Arm, Base, Contrast, FinalError, Study
from alexnet.config import Config
from alexnet.data import synthetic
from alexnet.data.catalogue import CATALOGUE
from alexnet.data.manifest import Manifest
from alexnet.model import skeleton
from tests.builders.images import images_of

TAKES_ANY = [study for study in STUDIES.values() if {"cifar10", "imagenet"} <= study.bases.keys()]


OWN = {
    "grey": images_of(colour=False),
    "unmirrored": images_of(mirror=False),
    "grey and unmirrored": images_of(colour=False, mirror=False),
    "of 5 classes": images_of(classes=5, train=300),
    "of 16 pixels": images_of(size=16),
    "of 64 pixels": images_of(size=64),
    "of 65 pixels": images_of(size=65),
    "of 224 pixels": images_of(size=224, classes=37),
    "of 256 pixels": images_of(size=256, train=900),
}


def configs(study: Study, manifest: Manifest) -> dict[str, Config]:
    """Return the config of every arm that images can show."""
    found = suited(study, manifest).on(manifest.name, manifest.has)
    return {arm: found.config(manifest.name, arm) for arm in found.arms}


def shown(study: Study, manifest: Manifest) -> bool:
    """Return whether images leave something of a study."""
    return study.can_be_shown(manifest.has)


EVERY = [
    pytest.param(study, manifest, id=f"{study.name}-{name}")
    for study in TAKES_ANY
    for name, manifest in OWN.items()
    if shown(study, manifest)
]


def test_most_studies_take_any_images() -> None:
    """All but those that are about one dataset's own network: Figure 1's and cuda-convnet's."""
    others = STUDIES.keys() - {study.name for study in TAKES_ANY}

    assert {"relu_vs_tanh", "six_times"} <= others
    assert len(TAKES_ANY) > len(others)


@pytest.mark.parametrize(("study", "manifest"), EVERY)
def test_every_arm_fits_a_persons_own_images(study: Study, manifest: Manifest) -> None:
    """It can see them, tell their classes apart and asks for no more of them than there are."""
    for arm, config in configs(study, manifest).items():
        assert config.misfit(manifest.size) is None, arm
        assert config.network.classes == len(manifest.classes), arm
        assert (config.training.images or 0) <= manifest.counts["train"], arm


@pytest.mark.parametrize(("study", "manifest"), EVERY)
def test_no_arm_does_to_images_what_they_do_not_bear(study: Study, manifest: Manifest) -> None:
    """Neither mirrored where that is unnatural nor coloured where they are grey."""
    for arm, config in configs(study, manifest).items():
        assert manifest.mirror or not config.inputs.flips, arm
        assert manifest.colour or config.inputs.colour is None, arm


@pytest.mark.parametrize(("study", "manifest"), EVERY)
def test_a_plan_can_be_made_of_it(study: Study, manifest: Manifest) -> None:
    """For real and cut down, with as many images as there are."""
    fitted = suited(study, manifest).on("mine", manifest.has)

    definition = define(fitted, "mine", manifest, 10, "float32", smoke=False)

    assert definition.arms.keys() == fitted.arms.keys()
    if manifest.counts["train"] >= 640:
        assert define(fitted, "mine", manifest, 2, "float32", smoke=True).smoke


def base_of(manifest: Manifest, study: str = "weight_decay") -> Base:
    """Return the base of a study on a person's own images."""
    return suited(STUDIES[study], manifest).bases["mine"]


@pytest.mark.parametrize(
    ("size", "resize", "view", "parameters"),
    [
        # 37 classes: 513,802 parameters with ten, and 512 weights and a bias for each of 27 more.
        (32, None, 28, 513_802 + 27 * 513),
        (16, 32, 28, 513_802 + 27 * 513),
        # conv5 gives 64 maps of 3 x 3 where it gave one of 1 x 1: 512 units see 512 inputs more.
        (64, None, 56, 513_802 + 27 * 513 + 512 * 64 * 8),
        (33, None, 28, 513_802 + 27 * 513),
        # 60,965,224 with a thousand, 4,097 less for each of 963.
        (65, 256, 224, 60_965_224 - 963 * 4_097),
        (224, 256, 224, 60_965_224 - 963 * 4_097),
        (256, None, 224, 60_965_224 - 963 * 4_097),
    ],
)
def test_the_network_is_chosen_by_the_images_size(
    size: int, resize: int | None, view: int, parameters: int
) -> None:
    """Up to 64 pixels the small one, at 7/8 of them or of 32; beyond, the paper's, of 256."""
    config = base_of(images_of(size=size, classes=37)).config
    network = skeleton(config.network)

    assert config.inputs.resize == resize
    assert config.network.view == view
    assert sum(parameter.numel() for parameter in network.parameters()) == parameters


@pytest.mark.parametrize(("train", "images"), [(300, 300), (10_000, 10_000), (10_001, 10_000)])
def test_the_small_network_trains_on_at_most_ten_thousand_images(train: int, images: int) -> None:
    """51 parameters an image; fewer images where there are fewer."""
    assert base_of(images_of(train=train)).config.training.images == images


def test_the_papers_network_trains_on_all_images() -> None:
    """However few."""
    assert base_of(images_of(size=224, train=300)).config.training.images is None


def test_images_that_bear_everything_are_given_everything() -> None:
    """Colour noise and flips stay where they are natural: nothing is lost on the way."""
    config = base_of(images_of()).config

    assert config == STUDIES["weight_decay"].bases["cifar10"].config
    assert config.inputs.flips
    assert config.inputs.colour is not None


def test_each_lack_takes_away_its_own_augmentation_alone() -> None:
    """Grey images are still mirrored, and unmirrored ones still coloured."""
    grey, unmirrored = (base_of(OWN[name]).config.inputs for name in ("grey", "unmirrored"))

    assert (grey.flips, grey.colour) == (True, None)
    assert unmirrored.flips is False
    assert unmirrored.colour is not None
    assert grey.random_crops is unmirrored.random_crops is True


def test_it_says_in_place_of_what_the_images_stand() -> None:
    """By their title, or their name; and never as the paper's own."""
    titled = base_of(images_of(size=224, title="Forty kinds of moss"))

    assert titled.left_open[0] == "Forty kinds of moss in place of ImageNet"
    assert "preset `paper`" in " ".join(titled.left_open[1:])  # what else is left open stays
    assert "images of 224 pixels are scaled to 256" in titled.left_open
    small = base_of(images_of()).left_open
    assert small[0] == "mine in place of ImageNet"
    assert "10,000 of the images" in " ".join(small[1:])
    assert not any("photographs of ten classes" in line for line in small)
    assert titled.setting == base_of(images_of()).setting == "stand-in"


@pytest.mark.parametrize(
    ("manifest", "says", "never"),
    [
        (images_of(train=324), "trained on all 324 images", "10,000"),
        (images_of(train=10_000), "trained on all 10,000 images", "of the images"),
        (images_of(train=10_001), "trained on 10,000 of the images", "all "),
        (images_of(size=64), "seen at 56 of 64 pixels", "scaled"),
        (images_of(size=16), "images of 16 pixels are scaled to 32", "seen at"),
        (images_of(size=32), "preset `alexnet_cifar`", "pixels"),
    ],
)
def test_what_is_said_of_ones_own_images_is_so(manifest, says: str, never: str) -> None:
    """How many are trained on, and how large they are seen."""
    lines = base_of(manifest).left_open

    assert any(says in line for line in lines), lines
    assert not any(never in line for line in lines[1:]), lines


@pytest.mark.parametrize(
    ("manifest", "updates"),
    [
        (images_of(size=224, train=9_469), 666),  # 74 updates a pass, 90 passes, a tenth of them
        (images_of(size=224, train=450), 316),  # no earlier than the small network's four epochs
        (images_of(size=256, train=1_000_000), 38_400),
        (images_of(train=10_000), 316),
    ],
)
def test_a_hopeless_rate_ends_on_few_images_too(manifest, updates: int) -> None:
    """A rule of ImageNet's would never look at a run of some thousand updates."""
    rule = base_of(manifest).give_up

    assert rule is not None
    assert rule.updates == updates


def test_more_inputs_start_with_smaller_weights() -> None:
    """576 for 64: a third of 0.12."""
    config = base_of(images_of(size=64)).config

    assert config.network.seen_by()["fc6"].units == 576
    assert config.network.classifier[0].init.std == pytest.approx(0.04)
    assert base_of(images_of(size=32)).config.network.classifier[0].init.std == 0.12


@pytest.mark.parametrize("name", ["relu_vs_tanh", "six_times"])
def test_a_study_of_one_datasets_own_network_is_left_as_it_is(name: str) -> None:
    """It has no base for ImageNet, and what it would mean on other images nobody said."""
    for manifest in OWN.values():
        assert suited(STUDIES[name], manifest) is STUDIES[name]


@pytest.mark.parametrize("study", TAKES_ANY, ids=lambda study: study.name)
def test_a_base_that_a_study_names_is_never_replaced(study: Study) -> None:
    """Images of the catalogue have theirs."""
    for name in study.bases:
        named = images_of(size=224, classes=3).model_copy(update={"name": name})

        assert suited(study, named) is study


def test_fitting_a_study_changes_neither_it_nor_its_other_bases() -> None:
    """A new value with one base more."""
    study = STUDIES["dropout"]
    before = study.model_dump_json(exclude={"arms"})

    fitted = suited(study, images_of())

    assert study.model_dump_json(exclude={"arms"}) == before
    assert fitted.bases.keys() - study.bases.keys() == {"mine"}
    assert all(fitted.bases[name] == base for name, base in study.bases.items())


SEES_SMALL = [study for study in STUDIES.values() if "cifar10" in study.bases]


def test_generated_images_are_too_small_for_the_papers_own_network_alone() -> None:
    """A study that has no base for so small images gets none."""
    for study in STUDIES.values():
        fitted = suited(study, synthetic.manifest())

        assert (synthetic.GENERATED in fitted.bases) == (study in SEES_SMALL), study.name
    assert len(SEES_SMALL) >= 20


@pytest.mark.parametrize("study", SEES_SMALL, ids=lambda study: study.name)
def test_generated_images_do_for_every_study_as_a_smoke_run(study: Study) -> None:
    """They are of 32 pixels, which every study sees on CIFAR-10, and no claim is made on them."""
    manifest = synthetic.manifest()
    fitted = suited(study, manifest).on(manifest.name, manifest.has)

    definition = define(fitted, manifest.name, manifest, 2, "float32", smoke=True)

    assert definition.arms.keys() == study.arms.keys()
    assert definition.setting in ("stand-in", "own question")
    assert fitted.bases[manifest.name].left_open == ("generated images, on which no claim is made",)


@pytest.mark.parametrize("name", ["pca_colour", "nearest_neighbours", "first_layer_filters"])
def test_a_study_of_what_images_lack_is_refused_in_a_sentence(name: str) -> None:
    """With the study, what it needs, and which images have none."""
    manifest = images_of(colour=False)
    sentence = f"{name} needs colour images, and mine has none"

    with pytest.raises(ValueError, match=f"^{re.escape(sentence)}$"):
        suited(STUDIES[name], manifest).on("mine", manifest.has)
    assert not STUDIES[name].can_be_shown(manifest.has)
    assert STUDIES[name].can_be_shown(images_of().has)


def test_a_study_of_both_colour_and_mirrors_names_both() -> None:
    """And only what is lacking, where one of them is there."""
    needy = Arm(changes={"inputs": {"flips": False}}, needs=("colour", "mirror"))
    arms = {"plain": {}, "all": needy}
    contrast = Contrast(arm="all", against="plain", direction="lower", margin=0.01)
    study = Study(
        name="both", question="Both?", arms=arms, contrasts=(contrast,), bases=bases(claims=False)
    )

    with pytest.raises(ValueError, match="colour images and images whose mirror images are natur"):
        study.on("mine", images_of(colour=False, mirror=False).has)
    with pytest.raises(ValueError, match="both needs images whose mirror images are natural, and"):
        study.on("mine", images_of(mirror=False).has)
    assert study.on("mine", images_of().has) == study


def test_one_idea_less_can_be_removed_where_images_lack_it() -> None:
    """Grey images leave out the arm without colour noise and its contrast, and nothing else."""
    study = STUDIES["one_removed"]
    grey = study.on("mine", images_of(colour=False).has)

    assert study.arms.keys() - grey.arms.keys() == {"no colour noise"}
    gone = [contrast for contrast in study.contrasts if contrast not in grey.contrasts]
    assert [contrast.arm for contrast in gone] == ["no colour noise"]


@pytest.mark.parametrize("dataset", ["fashion_mini", "fashion_mnist", "cifar10", "imagenet"])
def test_the_common_bases_fit_the_images_of_the_catalogue(dataset: str) -> None:
    """Grey ones are not coloured, and are a demonstration of three seeds without a verdict."""
    base, known = bases()[dataset], CATALOGUE[dataset]
    grey = "colour" not in known.has

    assert (base.config.inputs.colour is None) == grey
    assert base.judged != grey
    assert base.seeds == (3 if grey else None)
    assert base.setting == ("closest reading" if dataset == "imagenet" else "stand-in")


def test_common_bases_take_a_metric_seeds_and_changes_everywhere() -> None:
    """What changes small images' networks changes grey ones' too, and ImageNet's not."""
    found = bases(
        metric=FinalError(part="valid"),
        small={"training": {"batch": 7}},
        small_left_open=("short",),
        seeds=8,
        judged=False,
    )

    assert {base.metric for base in found.values()} == {FinalError(part="valid")}
    assert {name: base.config.training.batch for name, base in found.items()} == {
        "fashion_mini": 7, "fashion_mnist": 7, "cifar10": 7, "cifar10_jpeg": 7, "imagenet": 128,
    }  # fmt: skip
    assert found["cifar10"].left_open[-1] == "short"
    assert "short" not in found["imagenet"].left_open
    assert {name: base.seeds for name, base in found.items()} == {
        "fashion_mini": 3, "fashion_mnist": 3, "cifar10": 8, "cifar10_jpeg": 8, "imagenet": 8,
    }  # fmt: skip
    assert not any(base.judged for base in found.values())
    assert {base.setting for base in bases(claims=False).values()} == {"own question"}


def test_a_change_is_made_to_every_network_and_small_ones_may_differ_beyond_it() -> None:
    """Biases of 0 everywhere; dropout gone where images are small."""
    small = {"network": {"parts": {"dropout": None}}}
    found = bases(change=biases_of_zero, small=small)

    for name, base in found.items():
        assert {layer.init.bias for layer in base.config.network.layers} == {0.0}, name
        assert (base.config.network.parts["dropout"] is None) == (name != "imagenet"), name


@pytest.mark.parametrize("name", ["activations", "code_vs_paper", "bfloat16", "seed_variance"])
def test_a_question_of_our_own_stays_one_on_a_persons_own_images(name: str) -> None:
    """It stands in for nothing: a study says so of itself when it is made."""
    fitted = suited(STUDIES[name], images_of())

    assert fitted.bases["mine"].setting == "own question"
    try:
        Study.model_validate(dict(fitted))
    except ValidationError as error:
        pytest.fail(str(error))
