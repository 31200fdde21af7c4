"""Finds in plain words: said while complete studies show them, and not a moment longer."""

import re
from collections.abc import Callable, Sequence
from functools import partial

import pytest

from ablations.metrics import FinalError, SameClass, TimeTo
from ablations.results import Results
from ablations.studies import STUDIES
from reports.analysis.effect import Effect
from reports.evidence import EVIDENCE
from reports.findings.copies import originals
from reports.findings.finds import Find, finds
from reports.findings.sections import Section, sections
from reports.readme import FIRST_FINDS, overview_text

FOUND = sections(Results(EVIDENCE))
DROPOUT, NORM = "Dropout made", "What response normalisation"
SPEED, NEAR = "ReLU trains", "Pictures that the network"
ASKED = {
    DROPOUT: ("one_removed", "no dropout", "as it is", FinalError),
    NORM: ("response_norm", "as printed", "none", FinalError),
    SPEED: ("relu_vs_tanh", "relu", "tanh", TimeTo),
    NEAR: ("nearest_neighbours", "as it is", "as it is", SameClass),
}
Change = Callable[[Effect], Effect]


def said(found: Sequence[Section], headline: str) -> Find | None:
    """Return the find with a headline that begins so."""
    return next((find for find in finds(found) if find.headline.startswith(headline)), None)


def changed(study: str, arm: str, against: str, change: Change) -> list[Section]:
    """Return what ships, with other effects of one arm against another."""

    def with_change(section: Section) -> Section:
        if section.plan.definition.study != study:
            return section
        effects = tuple(
            change(effect) if (effect.contrast.arm, effect.contrast.against) == (arm, against)
            else effect
            for effect in section.comparison.effects
        )  # fmt: skip
        comparison = section.comparison.model_copy(update={"effects": effects})
        return section.model_copy(update={"comparison": comparison})

    return [with_change(section) for section in FOUND]


def with_interval(effect: Effect, low: float, high: float) -> Effect:
    """Return an effect with another interval."""
    middle = (low + high) / 2
    return effect.model_copy(update={"low": low, "high": high, "estimate": middle})


@pytest.mark.parametrize("headline", ASKED)
def test_what_ships_shows_it(headline: str) -> None:
    """Each is said, by a study, arms and a metric that exist."""
    study, arm, against, metric = ASKED[headline]

    assert said(FOUND, headline) is not None
    assert any(
        (contrast.arm, contrast.against) == (arm, against) for contrast in STUDIES[study].contrasts
    )
    (effect, *_) = [
        effect
        for section in FOUND
        if section.plan.definition.study == study
        for effect in section.comparison.effects
        if (effect.contrast.arm, effect.contrast.against) == (arm, against)
    ]
    assert isinstance(effect.metric, metric)


@pytest.mark.parametrize("headline", ASKED)
def test_it_is_not_said_of_an_unfinished_study(headline: str) -> None:
    """Nor of one that is not there, nor of smoke runs."""
    study = ASKED[headline][0]

    def but(**values: object) -> list[Section]:
        return [
            one.model_copy(update={"comparison": one.comparison.model_copy(update=values)})
            if one.plan.definition.study == study else one
            for one in FOUND
        ]  # fmt: skip

    assert said(but(done=0), headline) is None
    assert said(but(smoke=True), headline) is None
    others = [section for section in FOUND if section.plan.definition.study != study]
    assert said(others, headline) is None
    assert said([], headline) is None


@pytest.mark.parametrize(
    ("headline", "low", "high", "is_said"),
    [
        (DROPOUT, -0.03, -0.01, True),
        (DROPOUT, -0.03, 0.001, False),  # may be nothing
        (DROPOUT, 0.01, 0.03, False),  # the other way
        (SPEED, 3.4, 3.7, True),
        (SPEED, 5.0, 6.5, False),  # may be six times
        (SPEED, 0.8, 1.4, False),
        (SPEED, 0.2, 0.5, False),
        (NEAR, 0.3, 0.34, True),
        (NEAR, -0.01, 0.3, False),
        (NORM, -0.014, -0.006, True),
    ],
)
def test_it_is_said_while_the_interval_shows_it(
    headline: str, low: float, high: float, is_said: bool
) -> None:
    """All of the interval on the side that the words name."""
    study, arm, against, _ = ASKED[headline]
    found = changed(study, arm, against, partial(with_interval, low=low, high=high))

    assert (said(found, headline) is not None) == is_said


@pytest.mark.parametrize(
    ("arm", "against", "low", "high", "is_said"),
    [
        ("the constant alone", "none", -0.02, 0.001, False),  # which then wins nothing
        ("as printed", "the constant alone", -0.02, -0.01, False),  # which then wins less
        ("as printed", "the constant alone", -0.02, 0.01, True),
        ("as printed", "the constant alone", 0.01, 0.02, True),
    ],
)
def test_a_constant_is_said_to_win_only_where_it_does(
    arm: str, against: str, low: float, high: float, is_said: bool
) -> None:
    """It lowers the error, and LRN is not shown to lower it further."""
    found = changed("response_norm", arm, against, partial(with_interval, low=low, high=high))

    assert (said(found, NORM) is not None) == is_said


def test_the_factor_is_that_of_the_paper() -> None:
    """With k of 2 and beta of 0.75, what is not normalised is multiplied by k to the -beta."""
    norm = said(FOUND, NORM)

    assert norm is not None
    assert norm.text.count(f"{2**-0.75:.2f}") == 2  # in what LRN does, and in what is done alone


def test_numbers_are_those_of_the_effect() -> None:
    """Errors of both arms, the size without a sign, its interval in order, and the pairs."""

    def told(effect: Effect) -> Effect:
        values = (-0.02, -0.03, 0.01, -0.04)
        numbers = {"mean": 0.29, "mean_against": 0.31, "by_seed": values, "pairs": 4}
        return with_interval(effect, -0.034, -0.006).model_copy(update=numbers)

    find = said(changed("one_removed", "no dropout", "as it is", told), DROPOUT)

    assert find is not None
    views = "each seen in ten views"
    assert f"31.00 % of CIFAR-10's test pictures, {views}, are named wrongly with it" in find.text
    assert find.text.count("ten views") == find.text.count("one view") == 1  # two measures
    assert "trained 36 times on 10,000 pictures" in find.text
    assert "and 29.00 % without it (2.0 points [0.6, 3.4], in 3 of 4 pairs of runs)" in find.text


@pytest.mark.parametrize(
    ("low", "high", "better"), [(-0.02, -0.01, True), (-0.02, 0.001, False), (0.01, 0.02, False)]
)
def test_dropout_is_said_to_help_only_where_it_does(low: float, high: float, better: bool) -> None:
    """On pictures that are not varied, if a study of these shows it."""
    found = changed("dropout", "0.5", "none", partial(with_interval, low=low, high=high))

    find = said(found, DROPOUT)

    assert find is not None
    assert ("Trained on the pictures as they are" in find.text) == better


def test_the_overview_begins_with_three() -> None:
    """Numbered, before the picture, each with a number in it and no term but those it explains."""
    text = overview_text(originals(FOUND))
    lines = text.splitlines()

    assert FIRST_FINDS == 3
    assert [line[:2] for line in lines[:3]] == ["1.", "2.", "3."]
    for line, find in zip(lines, finds(FOUND), strict=False):
        if line[:1].isdigit():
            assert find.headline in line
            assert re.search(r"\d", find.text)
            assert not re.search(r"C\d\d|p-value|contrast|arm\b", line)
    assert "Nothing has been run" in overview_text([])
