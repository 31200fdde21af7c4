"""What an arm changes besides its idea, against the 2012 network's own numbers."""

import pytest

from ablations.arms import (
    CONSTANT_NORM,
    NO_DROPOUT,
    NO_NORM,
    POOL_2_2,
    equal_maps,
    one_wide_tower,
)
from ablations.contrast import THE_PAPER
from ablations.side_effects import blinded, side_effects
from ablations.studies import STUDIES
from alexnet.config import Config, Pool
from alexnet.presets import alexnet_cifar, paper

PRINTED = 2**-0.75  # k = 2, beta = 0.75, section 3.3


def test_without_lrn_its_constant_is_gone_twice() -> None:
    """2^-0.75 is 0.59; the control with alpha 0 keeps it."""
    assert f"{PRINTED:.2g}" == "0.59"
    assert side_effects(paper().but(**NO_NORM), paper()) == (
        "no factor k^-beta of 0.59 after conv1 and conv2",
    )
    assert side_effects(paper(), paper().but(**NO_NORM)) == (
        "a factor k^-beta of 0.59 after conv1 and conv2",
    )
    assert side_effects(paper().but(**CONSTANT_NORM), paper()) == ()


def test_a_norm_that_has_moved_multiplies_by_as_much() -> None:
    """Without conv2, its norm follows conv1's: two factors before and after."""
    study = STUDIES["removed_layers"]
    whole, without = (study.config("imagenet", arm) for arm in ("all five", "without conv2"))

    said = side_effects(without, whole)

    assert not any("factor" in line for line in said)
    assert any("parameters" in line for line in said)


def test_only_the_layers_whose_factor_changes_are_named() -> None:
    """Without the norm after conv2, conv1 keeps its own."""
    second = paper().network.convolutions[1]
    without = tuple(part for part in second.then if part != "norm")
    changed = paper().but(network={"convolutions": {second.name: {"then": without}}})

    assert side_effects(changed, paper()) == ("no factor k^-beta of 0.59 after conv2",)


def test_a_norm_whose_k_is_one_brings_no_factor() -> None:
    """Caffe's, and cuda-convnet's for CIFAR-10."""
    caffe = paper().but(network={"parts": {"norm": {"k": 1.0}}})

    assert side_effects(caffe, paper().but(**NO_NORM)) == ()


def test_pooling_that_leaves_places_out_says_which() -> None:
    """2/2 rounded down on maps of 55, 27 and 13 leaves a row; on 14, 7 and 3 as well but on 14."""
    assert side_effects(paper().but(**POOL_2_2), paper()) == (
        "pooling after conv1 leaves out 1 of 55 rows and columns",
        "pooling after conv2 leaves out 1 of 27 rows and columns",
        "pooling after conv5 leaves out 1 of 13 rows and columns",
    )
    assert side_effects(alexnet_cifar().but(**POOL_2_2), alexnet_cifar()) == (
        "pooling after conv2 leaves out 1 of 7 rows and columns",
        "pooling after conv5 leaves out 1 of 3 rows and columns",
    )


def test_pooling_that_misses_most_of_a_map_is_named() -> None:
    """2/2 on a map of 3 reaches 4 of 9 places; on the paper's, of 13, 144 of 169."""
    small = alexnet_cifar()

    assert blinded(small.but(**POOL_2_2).network, small.network) == [
        "pooling after conv5 reaches 4 of 9 places"
    ]
    assert blinded(paper().but(**POOL_2_2).network, paper().network) == []
    assert blinded(small.but(**equal_maps(small)).network, small.network) == []


def test_pooling_that_shrinks_maps_less_says_what_later_layers_see() -> None:
    """3/1 on maps of 55 leaves 53; with strides of 2 it was 27."""
    dense = paper().but(network={"parts": {"pool": Pool(size=3, stride=1)}})

    said = side_effects(dense, paper())

    assert "conv2 sees 53 x 53 places for 27 x 27" in said


def test_more_weights_are_counted() -> None:
    """One tower sees all maps: 62,378,344 parameters, known from torchvision-like counts."""
    wide = paper().but(**one_wide_tower(paper()))

    assert side_effects(wide, paper()) == ("62,378,344 parameters for 60,965,224",)


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("epochs", 45, "45 epochs for 90"),
        ("batch", 256, "256 images a batch for 128"),
        ("images", 1000, "1,000 images for all"),
    ],
)
def test_another_number_of_updates_is_said(field: str, value: int, said: str) -> None:
    """By whatever changes it."""
    assert side_effects(paper().but(training={field: value}), paper()) == (said,)


def test_an_idea_that_changes_nothing_else_is_silent() -> None:
    """Dropout has no weights and moves no map."""
    assert side_effects(paper().but(**NO_DROPOUT), paper()) == ()


def _effects(study: str, dataset: str) -> dict[str, tuple[str, ...]]:
    one = STUDIES[study]

    def config(arm: str) -> Config:
        return one.config(dataset, arm)

    return {
        contrast.between: side_effects(config(contrast.arm), config(contrast.against))
        for contrast in one.contrasts
        if contrast.against != THE_PAPER and contrast.claim and contrast.judged
    }


@pytest.mark.parametrize("dataset", ["cifar10", "imagenet"])
@pytest.mark.parametrize("study", ["response_norm", "one_removed", "overlapping_pooling"])
def test_what_is_judged_for_a_claim_changes_no_scale_and_no_maps(study: str, dataset: str) -> None:
    """Those have controls: LRN's constant, and pooling that leaves maps of one size."""
    if dataset not in STUDIES[study].bases:
        pytest.skip("no base")
    for between, said in _effects(study, dataset).items():
        assert not any("factor" in line or " sees " in line for line in said), between
