"""What a contrast may compare, and what a study refuses of its arms, metrics and seeds."""

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from ablations.contrast import THE_PAPER, Contrast, NormActive
from ablations.metrics import Metric
from ablations.study import (
    Arm,
    EarlyLoss,
    EnsembleError,
    FinalError,
    Gap,
    SameClass,
    Study,
    TimeTo,
    TimeToValid,
    TowerDifference,
    TowerRank,
)
from alexnet.config import Exponential
from alexnet.presets import tiny
from tests.builders.studies import BASE, CONTRAST, FEW, UNTIL, study_of

ONE, TEN = FinalError(), FinalError(views="ten")
FIVE = EnsembleError(networks=5, group=5)
TIME = TimeTo(training_error=0.25)
SAME = CONTRAST.but(arm="with", against="with")
OTHER = "an arm is compared with another, or by another metric"
DIFFERENCES = "differences of differences are of one metric"
TWO_KINDS = "two metrics are compared by their difference, and must be of one kind"
ERRORS = "errors are fractions, half a point is 0.005; a margin is at most 0.1"
PAIR = ("without", "with")
PRINTED = CONTRAST.but(against=THE_PAPER, number=0.375)
BY_NUMBER = "a printed number is compared with by a difference of one metric"


@pytest.mark.parametrize(
    ("contrast", "metric", "message"),
    [
        (SAME, ONE, OTHER),
        (SAME.but(against_metric=ONE), ONE, OTHER),
        (SAME.but(against_metric=FinalError(views="one")), ONE, OTHER),
        (CONTRAST.but(minus=PAIR, margin=1.25), TIME, DIFFERENCES),
        (CONTRAST.but(minus=PAIR, margin=1.25), TimeToValid(arms=("with",)), DIFFERENCES),
        (CONTRAST.but(minus=PAIR, against_metric=TEN), ONE, DIFFERENCES),
        (CONTRAST.but(minus=PAIR), FIVE, DIFFERENCES),
        (CONTRAST.but(number=0.375), ONE, "a number is compared with by against='the paper'"),
        (PRINTED.but(number=None), ONE, "a number is compared with by against='the paper'"),
        (PRINTED.but(margin=1.25), TIME, BY_NUMBER),
        (PRINTED.but(minus=PAIR), ONE, BY_NUMBER),
        (PRINTED.but(against_metric=TEN), ONE, BY_NUMBER),
        (CONTRAST.but(against_metric=Gap()), ONE, TWO_KINDS),
        (CONTRAST.but(against_metric=ONE), Gap(), TWO_KINDS),
        (CONTRAST.but(against_metric=FIVE), ONE, TWO_KINDS),
        (CONTRAST.but(against_metric=TimeTo(training_error=0.5), margin=1.25), TIME, TWO_KINDS),
        (CONTRAST.but(against_metric=TIME), ONE, TWO_KINDS),
        (CONTRAST.but(margin=1.25), FIVE, ERRORS),
        (CONTRAST.but(margin=0.11), SameClass(), ERRORS),
        (CONTRAST.but(paper=2.6), FIVE, ERRORS),
        (CONTRAST.but(direction=None, paper=-2.6), FIVE, ERRORS),
        (CONTRAST.but(margin=0.5), Gap(), ERRORS),
        (CONTRAST.but(margin=1.0), TIME, "times are compared as a ratio"),
        (CONTRAST.but(margin=0.005), TimeToValid(arms=("with",)), "times are compared as a ratio"),
        (CONTRAST.but(margin=1.25, paper=-2.0), TIME, "times are compared as a ratio"),
        (CONTRAST.but(direction=None), ONE, "say which way it should go"),
        (CONTRAST.but(direction=None, paper=1.0, margin=1.25), TIME, "say which way it should go"),
        (CONTRAST.but(margin=None), TowerDifference(), "say within what it is nothing"),
        (CONTRAST.but(margin=None, paper=0.0), EarlyLoss(), "say within what it is nothing"),
        (CONTRAST.but(paper=0.5, margin=1.25), TIME, "number, 0.5, does not go higher"),
        (CONTRAST.but(direction="lower", paper=6.0, margin=1.25), TIME, "6, does not go lower"),
        # 1 / 0.9 = 1.11: within a factor of 1.25 of nothing.
        (CONTRAST.but(direction="lower", paper=0.9, margin=1.25), TIME, "effect, 0.9, nothing"),
        (CONTRAST.but(paper=1.2, margin=1.25), TIME, "effect, 1.2, nothing"),
        (CONTRAST.but(paper=0.005), ONE, "effect, 0.005, nothing"),
    ],
)
def test_what_cannot_be_compared_is_said(contrast: Contrast, metric: Metric, message: str) -> None:
    """In a sentence, whatever metric the contrast or its base brings."""
    assert message in (contrast.wrong(metric) or "nothing is wrong")


@pytest.mark.parametrize(
    ("contrast", "metric"),
    [
        (SAME.but(against_metric=TEN), ONE),
        (SAME.but(against_metric=ONE), TEN),
        (SAME.but(against_metric=FinalError(part="valid")), ONE),
        (SAME.but(against_metric=EnsembleError(networks=1, group=5)), FIVE),
        (SAME.but(against_metric=SameClass(by="pixels")), SameClass()),
        (SAME.but(against_metric=TowerDifference(kernels="shuffled"), margin=0.5),
         TowerDifference()),
        (PRINTED, ONE),
        (PRINTED, FIVE),
        (CONTRAST.but(against_metric=TEN), ONE),
        (CONTRAST.but(minus=PAIR), ONE),
        (CONTRAST.but(minus=PAIR), Gap()),
        (CONTRAST.but(minus=PAIR, margin=0.5), EarlyLoss()),
        (CONTRAST.but(margin=1.01), TimeToValid(arms=("with",))),
        (CONTRAST.but(margin=0.1), SameClass()),
        (CONTRAST.but(margin=3.0), EarlyLoss()),  # nats, not fractions
        (CONTRAST.but(direction="lower", paper=0.5, margin=1.25), TIME),
        (CONTRAST.but(direction="equal", paper=0.001), ONE),
    ],
)  # fmt: skip
def test_what_can_be_compared_is_not_refused(contrast: Contrast, metric: Metric) -> None:
    """The same arm by two metrics, two arms by one or two, and differences of differences."""
    assert contrast.wrong(metric) is None


@given(
    st.floats(min_value=1.02, max_value=100.0),
    st.floats(min_value=1.001, max_value=100.0),
)
def test_a_speed_up_and_its_inverse_are_refused_alike(paper: float, margin: float) -> None:
    """Twice as fast and half as fast are as far from nothing."""
    faster = CONTRAST.but(paper=paper, margin=margin, direction="higher")
    slower = faster.but(paper=1 / paper, direction="lower")

    if not math.isclose(paper, margin):
        assert (faster.wrong(TIME) is None) == (slower.wrong(TIME) is None) == (margin < paper)


def test_a_contrast_names_every_arm_that_it_needs_once() -> None:
    """Its own two, the pair that is taken off, and the one that a precondition is about."""
    contrast = CONTRAST.but(arm="a", against="b")

    assert contrast.arms == ("a", "b")
    assert contrast.but(minus=("c", "a")).arms == ("a", "b", "c")
    assert contrast.but(minus=("c", "d"), precondition=NormActive(arm="e")).arms == tuple("abcde")
    assert contrast.but(against="a").arms == ("a",)
    assert contrast.but(against=THE_PAPER, number=0.375).arms == ("a",)
    assert contrast.but(metric=TimeToValid(arms=("f",))).arms == ("a", "b", "f")


def test_a_contrast_in_words() -> None:
    """Four kinds."""
    contrast = CONTRAST.but(arm="a", against="b")

    assert contrast.between == "a against b"
    assert contrast.but(against="a").between == "a"
    assert contrast.but(against=THE_PAPER, number=0.375).between == "a against the paper's 37.5 %"
    assert contrast.but(minus=("c", "d")).between == "a against b, minus c against d"


def test_a_pair_to_take_off_is_read_back_as_it_was_written() -> None:
    """From JSON, where it is a list; and absent from contrasts that have none."""
    contrast = CONTRAST.but(minus=PAIR, judged=False, against_metric=None)
    plain = CONTRAST.model_dump_json()

    assert Contrast.model_validate_json(contrast.model_dump_json()) == contrast
    assert Contrast.model_validate_json(contrast.model_dump_json()).minus.against == "with"
    assert not {"minus", "against_metric", "judged"} & CONTRAST.model_dump().keys()
    assert Contrast.model_validate_json(plain) == CONTRAST
    assert contrast.model_dump()["judged"] is False


def test_a_margin_of_two_metrics_is_half_of_the_papers_effect() -> None:
    """Ten views against one: 1.5 points, so 0.75."""
    contrast = SAME.but(margin=None, paper=-0.015, direction=None, against_metric=ONE)

    assert contrast.wrong(TEN) is None
    assert contrast.registered(TEN).margin == pytest.approx(0.0075)
    assert contrast.predicts(TEN) == "lower"


def refused(message: str, **changes: object) -> None:
    """See a study refused with a sentence."""
    with pytest.raises(ValidationError, match=re.escape(message)):
        study_of(**changes)


NORM = {"network": {"parts": {"norm": None}}}


@pytest.mark.parametrize(
    ("arms", "message"),
    [
        (
            {"with": {}, "without": Arm(changes=NORM, tuned_as="nobody")},
            "arm 'without' takes the rate of 'nobody', which has none",
        ),
        (
            {
                "with": {},
                "without": Arm(changes=NORM, tuned_as="third"),
                "third": Arm(changes={"training": {"batch": 16}}, tuned_as="with"),
            },
            "arm 'without' takes the rate of 'third', which has none",
        ),
        (
            {"with": {}, "without": Arm(changes=NORM, tuned_as="without")},
            "arm 'without' takes the rate of 'without', which has none",
        ),
    ],
)
def test_an_arm_follows_one_that_is_tuned_itself(arms: dict[str, object], message: str) -> None:
    """Neither one that is not there, nor one that follows another, nor itself."""
    refused(message, arms=arms)


def test_arms_that_differ_in_whose_rate_they_take_or_in_precision_are_two() -> None:
    """The same config otherwise; with neither, they are one."""
    for other in (Arm(tuned_as="without"), Arm(precision="bfloat16")):
        arms = {"with": {}, "without": NORM, "again": other}
        assert study_of(arms=arms).arms.keys() == arms.keys()
    refused("they differ in nothing", arms={"with": {}, "without": NORM, "again": Arm()})


@pytest.mark.parametrize(
    "metric",
    [TimeToValid(arms=("with",)), SameClass(), TowerDifference(), TowerRank(), FIVE],
    ids=lambda metric: metric.kind,
)
def test_a_rate_cannot_be_chosen_by_what_needs_other_runs_or_test_images(metric: Metric) -> None:
    """It is named in a contrast, and the base has another."""
    margin = 1.25 if metric.is_ratio else 0.05
    contrast = CONTRAST.but(metric=metric, margin=margin)

    refused(
        f"rates cannot be chosen by {metric.kind}; name it in a contrast",
        bases={"fashion_mini": BASE.but(metric=metric)},
        contrasts=(CONTRAST.but(margin=margin),),
    )
    validated = BASE.but(config=BASE.config.but(training={"validate_each_epoch": True}))
    study = study_of(contrasts=(contrast,), seeds=30, bases={"fashion_mini": validated})
    assert study.contrasts == (contrast,)


def test_an_error_to_reach_is_of_an_arm_that_there_is() -> None:
    """Else a comparison would look for its runs in vain."""
    contrast = CONTRAST.but(metric=TimeToValid(arms=("with", "nobody")), margin=1.25)

    refused("a contrast names arm 'nobody'; the study has with, without", contrasts=(contrast,))


@pytest.mark.parametrize("named", ["nobody against with", "with against nobody"])
def test_a_pair_that_is_taken_off_is_of_arms_that_there_are(named: str) -> None:
    """Both of them."""
    pair = tuple(named.split(" against "))

    refused("a contrast names arm 'nobody'", contrasts=(CONTRAST.but(minus=pair),))


@pytest.mark.parametrize("field", ["against_metric", "minus"])
def test_contrasts_that_differ_in_what_they_take_off_are_not_the_same_twice(field: str) -> None:
    """Only where all is alike."""
    other = CONTRAST.but(**{field: TEN if field == "against_metric" else ("without", "with")})

    assert len(study_of(contrasts=(CONTRAST, other)).contrasts) == 2
    refused("the same contrast twice", contrasts=(other, CONTRAST, other))


@pytest.mark.parametrize(
    ("config", "metric", "message"),
    [
        (UNTIL, TimeToValid(arms=("with",)), "its runs end at 0.25 training error (until)"),
        (UNTIL, SameClass(), "so same_class cannot be compared"),
        (UNTIL, FIVE, "so ensemble_error cannot be compared"),
        (FEW, FinalError(top=5), "top-5 error is not measured with 5 classes"),
        (
            tiny().but(training={"schedule": Exponential(fall=250, steps=4)}),
            TimeToValid(arms=("with",)),
            "its rate falls with the length of a run",
        ),
    ],
)
def test_what_runs_would_not_have_is_refused(config: object, metric: Metric, message: str) -> None:
    """Whichever contrast asks for it, with the arm's name."""
    base = BASE.but(config=config, metric=TimeTo(training_error=0.5) if config is UNTIL else ONE)
    plain = CONTRAST.but(margin=1.25) if config is UNTIL else CONTRAST
    margin = 1.25 if metric.is_ratio else 0.05

    refused(
        message,
        bases={"fashion_mini": base},
        contrasts=(plain, CONTRAST.but(metric=metric, margin=margin)),
    )


def test_three_seeds_decide_nothing_and_are_enough_for_a_demonstration() -> None:
    """2 / 2^3 = 0.25 is above 0.05; where nothing is judged, nothing need be decided."""
    shown = BASE.but(judged=False, seeds=3)

    assert study_of(bases={"fashion_mini": shown}).seeds_on("fashion_mini") == 3
    refused(
        "3 seeds cannot decide 1 contrast: the smallest p-value of their exact test is "
        "2/2^3 = 0.25",
        bases={"fashion_mini": shown.but(judged=True)},
    )
    refused("3 seeds", bases={"fashion_mini": shown, "cifar10": BASE.but(seeds=3)})


@pytest.mark.parametrize(("seeds", "enough"), [(5, False), (6, True), (29, True)])
def test_contrasts_that_are_not_judged_need_no_seeds(seeds: int, enough: bool) -> None:
    """Six carry one contrast, and one beside it that is shown: 2 / 2^6 = 0.031."""
    contrasts = (CONTRAST, CONTRAST.but(metric=Gap(), judged=False))

    if enough:
        assert study_of(contrasts=contrasts, seeds=seeds).seeds == seeds
    else:
        refused("5 seeds cannot decide 1 contrast", contrasts=contrasts, seeds=seeds)
    if seeds == 6:
        judged = (contrasts[0], contrasts[1].but(judged=True))
        refused("6 seeds cannot decide 2 contrasts", contrasts=judged, seeds=seeds)


def test_nothing_judged_can_be_planned_with_one_seed() -> None:
    """Whatever its bases say."""
    contrasts = (CONTRAST.but(judged=False),)

    assert study_of(contrasts=contrasts, seeds=1).seeds == 1


@pytest.mark.parametrize(("seeds", "groups"), [(29, 5), (30, 6), (34, 6), (10, 2)])
def test_ensembles_count_groups_of_seeds_not_seeds(seeds: int, groups: int) -> None:
    """Thirty seeds make six groups of five, which decide one contrast; 29 make five."""
    contrast = SAME.but(metric=FIVE, against_metric=EnsembleError(networks=1, group=5))

    if groups >= 6:
        assert study_of(contrasts=(contrast,), seeds=seeds).seeds == seeds
    else:
        refused(f"exact test is 2/2^{groups} = ", contrasts=(contrast,), seeds=seeds)


def test_the_fewest_units_of_any_judged_contrast_decide() -> None:
    """Ten seeds for one contrast, two groups for another: 2 / 2^2 = 0.5 times 2."""
    averaged = SAME.but(metric=FIVE, against_metric=EnsembleError(networks=1, group=5))

    refused("exact test is 2/2^2 = 0.5, times 2 contrasts 1,", contrasts=(CONTRAST, averaged))
    assert study_of(contrasts=(CONTRAST, averaged.but(judged=False))).seeds == 10


def test_a_group_has_as_many_networks_as_are_averaged() -> None:
    """Six of five cannot be."""
    assert EnsembleError(networks=5, group=5).networks == 5
    with pytest.raises(ValidationError, match="a group of 5 seeds has no 6 networks"):
        EnsembleError(networks=6, group=5)
    for wrong in ({"networks": 0, "group": 5}, {"networks": 1, "group": 0}):
        with pytest.raises(ValidationError):
            EnsembleError(**wrong)


def test_the_training_error_has_no_ten_views() -> None:
    """It is measured with one."""
    with pytest.raises(ValidationError, match="measured with one view"):
        FinalError(part="train", views="ten")


def coloured(**changes: object) -> Study:
    """Return a study of one arm more, which needs colours."""
    third = Arm(changes={"training": {"batch": 16}}, needs=("colour",))
    arms = {"with": {}, "without": NORM, "third": third}
    return study_of(**{"arms": arms, "bases": {"cifar10": BASE}} | changes)


def test_grey_images_leave_out_contrasts_with_an_arm_that_needs_colours() -> None:
    """Also as the pair that is taken off."""
    contrasts = (
        CONTRAST,
        CONTRAST.but(against="third"),
        CONTRAST.but(minus=("third", "with")),
    )
    grey = coloured(contrasts=contrasts).on("mine", frozenset({"mirror"}))

    assert grey.contrasts == contrasts[:1]
    assert grey.arms.keys() == {"with", "without"}


def test_grey_images_leave_out_contrasts_to_an_error_that_needs_colours() -> None:
    """Its runs would be looked for in vain."""
    contrasts = (CONTRAST, CONTRAST.but(metric=TimeToValid(arms=("third",)), margin=1.25))
    validated = BASE.but(config=BASE.config.but(training={"validate_each_epoch": True}))
    study = coloured(contrasts=contrasts, bases={"cifar10": validated})
    grey = study.on("mine", frozenset({"mirror"}))

    assert grey.contrasts == contrasts[:1]


def test_grey_images_leave_no_arm_without_a_rate() -> None:
    """One that takes the rate of an arm that needs colours has none left to take."""
    third = Arm(changes={"training": {"batch": 16}}, needs=("colour",))
    arms = {"with": {}, "without": Arm(changes=NORM, tuned_as="third"), "third": third}
    study = coloured(arms=arms)
    try:
        grey = study.on("mine", frozenset({"mirror"}))
    except ValueError:
        return  # a sentence is as good

    assert all(arm.tuned_as in (None, *grey.arms) for arm in grey.arms.values())


def test_what_the_other_arms_metric_would_not_have_is_refused_too() -> None:
    """Five classes have no top-5 error, on whichever side it is asked for."""
    refused(
        "top-5 error is not measured with 5 classes",
        bases={"fashion_mini": BASE.but(config=FEW)},
        contrasts=(SAME.but(against_metric=FinalError(top=5)),),
    )


def test_groups_of_unlike_size_are_not_compared() -> None:
    """The second group of five is seeds 5 to 9, that of two seeds 2 and 3: no pair."""
    contrast = SAME.but(against_metric=EnsembleError(networks=1, group=2))

    assert contrast.wrong(FIVE) is not None


def test_a_difference_of_differences_of_ensembles_is_refused() -> None:
    """Or it would be `not run` for ever."""
    assert CONTRAST.but(minus=PAIR).wrong(FIVE) is not None


def test_points_for_fractions_are_refused_of_a_printed_number_too() -> None:
    """37.5 is no error, 0.375 is."""
    assert ERRORS in (PRINTED.but(number=37.5).wrong(ONE) or "nothing is wrong")
