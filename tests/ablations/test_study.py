"""What a study must say before it may run, and studies of one's own."""

import re
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from ablations.plan import PlanError
from ablations.planning import define
from ablations.studies import STUDIES, StudyError, find_study
from ablations.study import (
    Arm,
    FinalError,
    NormActive,
    Reaches,
    TimeTo,
)
from ablations.tuning import Pending
from alexnet.config import Adam, Drops, Exponential, Pool
from alexnet.presets import tiny
from tests.builders.plans import MANIFEST, planned
from tests.builders.studies import BASE, CONTRAST, FEW, UNTIL, example, study_of

TOP5 = CONTRAST.but(metric=FinalError(top=5))
FALLING = tiny().but(training={"schedule": Exponential(fall=250, steps=4)})
BEYOND = TimeTo(training_error=0.2)
REACHES_TOP5 = Reaches(arm="with", within=0.1, metric=FinalError(top=5))
NO_NORM = {"network": {"parts": {"norm": None}}}
ADAM = {"training": {"optimizer": Adam(rate=0.001)}}


def test_a_study_of_ones_own_needs_no_claim() -> None:
    """Its setting is its own question, and its words are about its own prediction."""
    study = study_of()

    assert study.claim is None
    assert study.bases["fashion_mini"].setting == "own question"
    assert study.config("fashion_mini", "without").network.parts["norm"] is None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"claim": "C31"}, "no claim 'C31'; they are C01 to C30"),
        (
            {"bases": {"fashion_mini": BASE.but(metric=TimeTo(training_error=0.2),
                                                config=FALLING)},
             "contrasts": (CONTRAST.but(margin=1.25),)},
            "its rate falls with the length of a run",
        ),
        ({"name": "my study"}, "should match pattern"),
        ({"contrasts": (CONTRAST.but(arm="none"),)}, "arm 'none'; the study has with, without"),
        (
            {"contrasts": (CONTRAST.but(precondition=NormActive(arm="without")),)},
            "how active the normalisation of 'without' is, and on fashion_mini it has none",
        ),
        (
            {"contrasts": (CONTRAST.but(precondition=REACHES_TOP5),),
             "bases": {"fashion_mini": BASE.but(config=FEW)}},
            "top-5 error is not measured with 5 classes",
        ),
        (
            {"arms": {"with": {}, "without": Arm(changes=NO_NORM, tuned_as="with", rates=(1.0,))}},
            "arm 'without' takes the rate of 'with', so that rates of its own would not be tried",
        ),
        (
            {"arms": {"with": {}, "without": ADAM}},
            "arm 'without' trains with adam, and the rates that it would be given are for "
            "momentum_sgd; give it a grid of its own: Arm(rates=)",
        ),
        (
            {"arms": {"with": {}, "without": Arm(changes=ADAM, tuned_as="with")}},
            "arm 'without' trains with adam",
        ),
        (
            {"arms": {"with": {}, "without": Arm(changes=NO_NORM, rates=(0.01,))},
             "bases": {"fashion_mini": BASE.but(rates=(0.001, 0.003))}},
            "without has one rate and its rival the best of 2; give both a grid",
        ),
        (
            {"contrasts": (CONTRAST.but(precondition=NormActive(arm="lrn")),)},
            "arm 'lrn'; the study has with, without",
        ),
        ({"contrasts": (CONTRAST.but(direction=None),)}, "without against with: say which way"),
        ({"contrasts": (CONTRAST.but(direction=None, paper=0.0),)}, "say which way"),
        (
            {"contrasts": (CONTRAST.but(metric=TimeTo(training_error=0.2)),)},
            "a margin is a factor above 1",
        ),
        ({"bases": {"fashion_mini": BASE.but(setting="paper")}}, "needs a claim and the paper"),
        ({"arms": {"with": {}, "without": {"network": {"norm": 1}}}}, "'without': network.norm:"),
        ({"bases": {"fashion_mini": BASE.but(setting="stand-in")}}, "needs a claim and the paper"),
        ({"contrasts": (CONTRAST.but(arm="with"),)}, "an arm is compared with another"),
        ({"contrasts": (CONTRAST, CONTRAST)}, "without against with: the same contrast twice"),
        ({"arms": {"with": {}, "without": {}}}, "arm 'without' trains the same network as 'with'"),
        ({"contrasts": (CONTRAST.but(paper=-0.02),)}, "number, -0.02, does not go higher"),
        ({"contrasts": (CONTRAST.but(paper=0.004),)}, "would call the paper's own effect, 0.004"),
        ({"contrasts": (CONTRAST.but(paper=1.4),)}, "errors are fractions, half a point is 0.005"),
        ({"contrasts": (CONTRAST.but(margin=0.5),)}, "a margin is at most 0.1"),
        ({"contrasts": (CONTRAST.but(margin=None),)}, "say within what it is nothing (margin=)"),
        (
            {"bases": {"fashion_mini": BASE.but(config=FEW)}, "contrasts": (TOP5,)},
            "top-5 error is not measured with 5 classes",
        ),
        (
            {"bases": {"fashion_mini": BASE.but(config=UNTIL)}},
            "its runs end at 0.25 training error (until), each at another epoch, so final_error",
        ),
        (
            {
                "bases": {"fashion_mini": BASE.but(config=UNTIL, metric=BEYOND)},
                "contrasts": (CONTRAST.but(margin=1.25),),
            },
            "its runs end at 0.25 training error (until), before 0.2 is reached",
        ),
        (
            {"seeds": 5},
            "5 seeds cannot decide 1 contrast: the smallest p-value of their exact test is "
            "2/2^5 = 0.062, times 1 contrast 0.062, which is not below 0.05; plan 6 seeds",
        ),
    ],
)  # fmt: skip
def test_a_study_that_cannot_work_is_refused(changes, message: str) -> None:
    """When it is made, with what is wrong."""
    with pytest.raises(ValidationError, match=re.escape(message)):
        study_of(**changes)


def test_a_family_too_large_for_its_seeds_is_refused_with_the_arithmetic() -> None:
    """Ten seeds carry 25 contrasts: 25 x 2/2^10 = 0.0488; 26 make 0.0508."""
    arms = {"with": {}} | {f"arm{n}": {"training": {"batch": 33 + n}} for n in range(26)}
    contrasts = tuple(CONTRAST.but(arm=f"arm{n}") for n in range(26))

    assert study_of(arms=arms, contrasts=contrasts[:25]).seeds == 10
    with pytest.raises(ValidationError, match=r"times 26 contrasts 0\.051.*plan 11 seeds, or at "):
        study_of(arms=arms, contrasts=contrasts)


def test_a_contrast_goes_where_its_papers_number_does() -> None:
    """A speed-up above 1 is higher, an error below 0 lower; what is said goes first."""
    times, errors = TimeTo(training_error=0.25), FinalError()
    plain = CONTRAST.but(direction=None)

    assert plain.but(paper=6.0).predicts(times) == "higher"
    assert plain.but(paper=0.5).predicts(times) == "lower"
    assert plain.but(paper=-0.014).predicts(errors) == "lower"
    assert plain.but(paper=6.0, direction="equal").predicts(times) == "equal"


def test_a_margin_not_given_is_half_of_the_papers_effect_or_a_factor_of_a_quarter() -> None:
    """Written out, with that as its reason, when the plan is registered."""
    errors = CONTRAST.but(margin=None, margin_reason="", paper=0.014)
    times = CONTRAST.but(margin=None, margin_reason="", paper=6.0)

    assert errors.registered(FinalError()).margin == 0.007
    assert (
        errors.registered(FinalError()).margin_reason == "the default, half of the paper's effect"
    )
    assert times.registered(TimeTo(training_error=0.2)).margin == 1.25
    assert CONTRAST.registered(FinalError()) == CONTRAST


def test_the_example_in_contributing_is_a_study_in_a_dozen_lines(tmp_path: Path) -> None:
    """Read from a file as a person would write it."""
    path = tmp_path / "average_pooling.py"
    path.write_text(example())

    study = find_study(str(path))

    assert study.name == "average_pooling"
    assert study.source == "average_pooling.py"
    assert len(example().splitlines()) <= 14


def test_an_arm_of_another_optimizer_is_tuned_on_a_grid_of_its_own() -> None:
    """And all others on the base's."""
    adam = Arm(changes=ADAM, rates=(0.0001, 0.0003, 0.001))
    study = study_of(arms={"with": {}, "without": adam},
                     bases={"fashion_mini": BASE.but(rates=(0.01, 0.03))})  # fmt: skip
    plan = planned(study)

    tried = {}
    for arm in study.arms:
        found = plan.tuned(arm, lambda run: None)
        assert isinstance(found, Pending)
        tried[arm] = found.runs[0].config.training.optimizer.rate, found.rates

    assert tried == {"with": (0.03, 2 + 2), "without": (0.001, 3 + 2)}  # and two neighbours each
    assert study.rates_on("fashion_mini", "without") == (0.0001, 0.0003, 0.001)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("STUDY = 3", "mine.py has a STUDY of type int; it must define STUDY ="),
        ("", "mine.py defines no STUDY; it must define STUDY ="),
        ("\nx = 1 / 0\n", "mine.py, line 2: ZeroDivisionError: division by zero"),
        ("import sys\nsys.exit('stop')", "mine.py, line 2: SystemExit: stop"),
        ("import nothing_here", "mine.py, line 1: ModuleNotFoundError: No module named"),
        ("a = 1\nb = (", "mine.py, line 2: SyntaxError: '(' was never closed"),
        (
            "from ablations.study import FinalError\n\n\nM = FinalError(top=3)\n",
            "mine.py, line 4: FinalError.top: Input should be 1 or 5",
        ),
        (
            "def make():\n    raise ValueError\n\nSTUDY = make()\n",
            "mine.py, line 2: ValueError",
        ),
    ],
)  # fmt: skip
def test_a_file_that_is_wrong_is_answered_in_a_sentence(
    text: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the file and the line."""
    monkeypatch.chdir(tmp_path)
    Path("mine.py").write_text(text)

    with pytest.raises(StudyError, match=re.escape(message)):
        find_study("mine.py")


def test_a_file_that_is_not_there_or_takes_a_name_is_refused(tmp_path: Path) -> None:
    """A study's name is the name of its plan."""
    path = tmp_path / "mine.py"
    with pytest.raises(StudyError, match="there is no file"):
        find_study(str(path))

    path.write_text(example().replace("average_pooling", next(iter(STUDIES))))
    with pytest.raises(StudyError, match="is a study of the package; give yours another name"):
        find_study(str(path))


LATE = {"training": {"schedule": Drops(after=(500,))}}


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (
            {"network": {"parts": {"pol": Pool(size=2)}}},
            "arm 'without' trains the same network as 'with' on fashion_mini: no layer is followed "
            "by the part 'pol'; layers name act, dropout, norm, pool; change something that acts",
        ),
        (LATE, "the schedule drops after epoch 500, and the training ends after 2"),
        (
            {"training": {"optimizer": {"rate": 0.1}}},
            "they differ in the rate alone, which is chosen for each arm from rates=",
        ),
    ],
    ids=["a misprint", "too late", "the rate"],
)
def test_an_arm_that_changes_nothing_is_refused(change: dict[str, object], why: str) -> None:
    """It would train the same network twice, and find no effect."""
    with pytest.raises(ValidationError, match=re.escape(why)):
        study_of(arms={"with": {}, "without": change})


def test_lrn_that_divides_by_one_is_told_that_it_is_none() -> None:
    """Alpha 0 and k 1; with k 2, it is the constant that a removal of LRN removes too."""
    nothing = {"network": {"parts": {"norm": {"alpha": 0.0, "k": 1.0}}}}
    constant = {"network": {"parts": {"norm": {"alpha": 0.0}}}}

    why = "'norm' has alpha 0 and k 1, which returns what it is given: it is none"
    with pytest.raises(ValidationError, match=re.escape(why)):
        study_of(arms={"with": NO_NORM, "without": nothing})
    assert study_of(arms={"with": NO_NORM, "without": constant}).arms


@pytest.mark.parametrize(
    "apart", [{"precision": "bfloat16"}, {"seeds_from": 100}, {"rates": (1.0,)}]
)
def test_the_same_network_trained_in_another_way_may_be_compared(apart: dict[str, Any]) -> None:
    """In another precision, with other seeds, or by a grid of its own."""
    other = Arm(changes=LATE, **apart)
    contrast = CONTRAST.but(judged=False)
    assert study_of(arms={"with": {}, "without": other}, contrasts=(contrast,)).arms


@pytest.mark.parametrize("smoke", [True, False])
def test_an_arm_that_changes_nothing_on_these_images_is_refused_before_the_plan(smoke) -> None:
    """Crops of a view as large as the images. A smoke, cut to seconds, is never judged."""
    study = study_of(arms={"with": {}, "without": {"inputs": {"random_crops": False}}})
    small = MANIFEST.model_copy(update={"fit": MANIFEST.fit.model_copy(update={"size": 12})})
    why = "a view of 12 pixels has one place in images of 12"

    define(study, "fashion_mini", MANIFEST, 6, "float32", smoke)
    with nullcontext() if smoke else pytest.raises(PlanError, match=why):
        define(study, "fashion_mini", small, 6, "float32", smoke)
