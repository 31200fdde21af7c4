"""Factorial designs: what is combined, and that each effect is found and no other with it."""

import itertools
import re

import numpy as np
import pytest

from ablations.factorial import NONE, WHOLE, Design, Factor, design
from ablations.studies import STUDIES, StudyError, find_study
from ablations.toggles import TOGGLES, ToggleError, factorial_study, name_of, toggles_in, toggles_of
from alexnet.config import LRN, Dropout, Pool, Relu, Tanh
from alexnet.presets import alexnet_cifar, paper


def factors(count: int) -> list[Factor]:
    """Return so many of the toggles."""
    return list(TOGGLES.values())[:count]


def signs(planned: Design, count: int) -> np.ndarray:
    """Return which idea each arm has, read from its name: 1 or -1, (arms, ideas)."""
    labels = [factor.label for factor in factors(count)]
    rows = []
    for arm in planned.arms:
        has = labels if arm == WHOLE else [] if arm == NONE else arm.split(" + ")
        rows.append([1 if label in has else -1 for label in labels])
    return np.array(rows)


def weights(planned: Design) -> np.ndarray:
    """Return the weights of every contrast, (contrasts, arms)."""
    return np.array([[c.weights[arm] for arm in planned.arms] for c in planned.contrasts])


@pytest.mark.parametrize(
    ("count", "arms", "seeds"), [(2, 4, 10), (3, 8, 8), (4, 16, 4), (5, 16, 4), (6, 32, 4)]
)
def test_every_effect_is_found_and_none_is_mixed_with_another(count, arms, seeds) -> None:
    """Errors made up of effects of one and of two ideas give back each of them exactly.

    Half of all combinations from five ideas on, and about 64 runs whatever the number.
    """
    planned = design(factors(count))
    has = signs(planned, count)
    assert (len(planned.arms), planned.seeds) == (arms, seeds)
    assert len(np.unique(has, axis=0)) == arms

    rng = np.random.default_rng(count)
    single = rng.normal(size=count)
    double = {pair: rng.normal() for pair in itertools.combinations(range(count), 2)}
    present = (has + 1) / 2
    errors = 0.3 + (present - 0.5) @ single
    for (one, other), effect in double.items():
        # What the two do beyond the sum, centred so that neither's own effect is moved.
        errors = errors + effect * (present[:, one] - 0.5) * (present[:, other] - 0.5)

    found = weights(planned) @ errors
    np.testing.assert_allclose(found, [*single, *double.values()], atol=1e-12)


@pytest.mark.parametrize("count", [2, 3, 4, 5, 6])
def test_an_effect_is_of_means_and_two_ideas_are_judged_by_none(count: int) -> None:
    """One half of the arms against the other; of two ideas, quarters, shown alone."""
    planned = design(factors(count))
    single, double = planned.contrasts[:count], planned.contrasts[count:]

    assert len(double) == count * (count - 1) // 2
    assert all(c.judged and c.direction == "lower" for c in single)
    assert not any(c.judged for c in double)
    for row, of_two in zip(weights(planned), [False] * count + [True] * len(double), strict=True):
        assert row.sum() == pytest.approx(0)
        assert np.abs(row).sum() == pytest.approx(4 if of_two else 2)


def test_an_arm_has_what_its_name_says() -> None:
    """On the paper's network: its parts, whichever way they are combined."""
    study = factorial_study(("relu", "overlapping_pooling", "lrn", "dropout"))
    base = study.bases["imagenet"].config
    for name in study.arms:
        parts = study.arms[name].config(base).network.parts
        whole = name == WHOLE
        assert isinstance(parts["act"], Relu if whole or "ReLU" in name else Tanh)
        assert isinstance(parts["pool"], Pool)
        assert (parts["pool"].size == 3) is (whole or "overlapping pooling" in name)
        assert isinstance(parts["norm"], LRN)
        assert (parts["norm"].alpha > 0) is (whole or "LRN" in name)
        assert isinstance(parts["dropout"], Dropout) is (whole or "dropout" in name)


def test_biases_start_at_zero_in_every_arm_where_tanh_takes_part() -> None:
    """With those of 1, which are for ReLUs, tanh learns nothing; else the network stays whole."""
    for names, zero in ((("relu", "dropout"), True), (("lrn", "dropout"), False)):
        study = factorial_study(names)
        config = study.arms[WHOLE].config(study.bases["cifar10"].config)
        biases = {layer.init.bias for layer in config.network.layers}
        assert (biases == {0.0}) is zero
        assert (config == alexnet_cifar()) is not zero
    assert {layer.init.bias for layer in paper().network.layers} == {0.0, 1.0}


def test_the_toggles_of_the_paper_are_a_study_of_four_seeds() -> None:
    """Sixteen networks; images need colours for one of the five."""
    study = STUDIES["toggles"]

    assert len(study.arms) * study.seeds_on("cifar10") == 64
    assert len(study.contrasts) == 15
    assert study.can_be_shown(frozenset({"colour", "mirror"}))
    assert not study.can_be_shown(frozenset({"mirror"}))


def test_too_few_or_too_many_ideas_make_no_design() -> None:
    """One idea is a study with two arms; seven are 64 networks."""
    for count in (0, 1, 7):
        with pytest.raises(ValueError, match=f"{count} ideas make no design; 2 to 6 do"):
            design(factors(count))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("lrn,droput", "there is no toggle 'droput'; did you mean dropout?"),
        ("lrn,lrn", "toggle 'lrn' comes twice in 'lrn,lrn'; name each once"),
        ("lrn", "'lrn' names 1 of the toggles; name 2 to 6, with commas"),
        ("lrn,", "there is no toggle ''"),
        ("", "there is no toggle ''"),
        (",".join(list(TOGGLES)[:7]), "names 7 of the toggles; name 2 to 6"),
    ],
)
def test_ideas_that_cannot_be_combined_are_refused(text: str, message: str) -> None:
    """With the value, the rule and the way out."""
    with pytest.raises(ToggleError, match=re.escape(message)):
        toggles_of(text)


@pytest.mark.parametrize("count", [2, 3, 6])
def test_a_study_of_toggles_is_found_again_by_its_name(count: int) -> None:
    """Whatever the order in which they were given: it is one study."""
    for names in itertools.combinations(TOGGLES, count):
        mixed = ", ".join(reversed(names))
        name = name_of(toggles_of(mixed))
        assert toggles_in(name) == names
    study = find_study(name)
    assert (study.name, study.source) == (name, "ablations/toggles.py")


def test_a_name_that_is_none_of_toggles_is_no_study() -> None:
    """The wrong order, one alone, and a misprint."""
    for name in ("toggle_dropout_lrn", "toggle_lrn", "toggle_lrn_dropot", "toggle_"):
        assert toggles_in(name) is None
        with pytest.raises(StudyError, match="there is no study"):
            find_study(name)
