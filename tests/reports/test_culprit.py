"""Naming what all runs that changed have, and none that agrees."""

from typing import Any

from ablations.arms import NO_NORM
from ablations.run import Run
from alexnet.config import Config, Tanh
from reports.smoke.culprit import culprit
from tests.builders.records import run_of

TANH = {"network": {"parts": {"act": Tanh()}}}
NO_FLIPS = {"inputs": {"flips": False}}


def runs(config: Config, *changes: dict[str, Any]) -> list[Run]:
    """Return a run of the config with each of these changes."""
    return [run_of(config.but(**one)) for one in changes]


def test_one_idea_is_named(config: Config) -> None:
    """Three arms have the norm and changed; one has not, and agrees."""
    changed, agreeing = runs(config, {}, TANH, NO_FLIPS), runs(config, NO_NORM)

    assert culprit(changed, agreeing) == "every changed training has LRN, none that agrees has it"


def test_the_lack_of_one_is_too(config: Config) -> None:
    """What only those without the norm show."""
    changed, agreeing = runs(config, NO_NORM), runs(config, {}, TANH, NO_FLIPS)

    assert "every changed training has no LRN" in culprit(changed, agreeing)


def test_a_value_is_named_where_having_one_is_not_enough(config: Config) -> None:
    """Both have an activation."""
    changed, agreeing = runs(config, TANH), runs(config, {}, NO_FLIPS)

    assert "every changed training has activation tanh" in culprit(changed, agreeing)


def test_two_ideas_together_are_named(config: Config) -> None:
    """The norm alone agrees, and so does mirroring alone."""
    changed = runs(config, {}, TANH)
    agreeing = runs(config, NO_NORM, NO_FLIPS, NO_FLIPS | TANH)

    assert culprit(changed, agreeing) == (
        "every changed training has mirrored and LRN, none that agrees has both"
    )


def test_without_a_culprit_the_nearest_is_named(config: Config) -> None:
    """The same config on both sides: nothing can set it apart."""
    found = culprit(runs(config, {}, NO_FLIPS), runs(config, {}, NO_NORM))

    assert found == "every changed training has LRN, and so has 1 of the 2 trainings that agree"


def test_what_all_that_agree_share_sets_nothing_apart(config: Config) -> None:
    """Two that changed, and one that agrees and is as the first."""
    assert culprit(runs(config, {}, NO_FLIPS), runs(config, {})) == (
        "nothing sets the changed trainings apart from those that agree"
    )


def test_an_arm_that_agrees_whatever_happens_hides_no_pair(config: Config) -> None:
    """Two without the norm agree and two without flips, and one that has all that changed."""
    changed = runs(config, {}, TANH)
    agreeing = runs(config, {}, NO_FLIPS, NO_NORM, NO_FLIPS | TANH, NO_NORM)

    assert culprit(changed, agreeing) == (
        "every changed training has LRN and mirrored, and so has 1 of the 5 trainings that agree"
    )


def test_it_says_among_which_trainings_it_looked(config: Config) -> None:
    """Those held to a wider tolerance may have the trait and agree."""
    changed, agreeing = runs(config, {}, TANH), runs(config, NO_NORM)

    assert culprit(changed, agreeing, among=" in float64") == (
        "every changed training has LRN, none that agrees in float64 has it"
    )
    assert "no training in float64 agrees" in culprit(changed, [], among=" in float64")


def test_all_or_none(config: Config) -> None:
    """Nothing to tell apart."""
    assert "no training agrees" in culprit(runs(config, {}, TANH), [])
    assert "every failed training has LRN" in culprit(
        runs(config, {}), runs(config, NO_NORM), "failed"
    )
    assert culprit([], runs(config, {})) == ""
