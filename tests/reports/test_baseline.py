"""What a smoke is held against, and what becomes of every arm."""

import math
from pathlib import Path

import pytest

from ablations.run import Run
from alexnet.config import Config, Precision
from reports.smoke.baseline import (
    NARROW_TOLERANCES,
    TOLERANCE,
    Baseline,
    BaselineError,
    Expected,
    MadeWith,
    furthest,
    losses_of,
    tolerance_of,
)
from reports.smoke.outcomes import Outcome, furthest_first, held_against, in_short
from reports.smoke.trainings import Smoked, Training
from tests.builders.records import FINGERPRINT, measures_of, record_of, run_of

MADE_WITH = MadeWith(
    reason="made up", torch="2.9.9", device="cpu", processor="abacus", capability="beads",
    threads=1, edition=1,
)  # fmt: skip


def exact(config: Config, seed: int = 0, precision: Precision = "float64") -> Run:
    """Return a run of the smoke."""
    return run_of(config, seed).but(precision=precision)


def smoked(run: Run, *arms: str) -> Smoked:
    """Return a training of one epoch: losses of 1, 0.9 ... 0.1, then 1 of each evaluation."""
    return Smoked(Training(run, arms), record_of(run, [0.5], measures=measures_of(0.1, 0.2, 0.3)))


def loss_of_test(one: Smoked, loss: float | None) -> Smoked:
    """Return a training whose loss by ten views is another one."""
    assert one.record is not None
    measures = one.record.measures
    assert measures is not None
    assert measures.test_ten is not None
    other = measures.but(test_ten={"loss": loss})
    return one._replace(record=one.record.but(measures=other))


def expecting(one: Smoked) -> Expected:
    """Return what a baseline that was made of a training expects of it."""
    return Baseline.of("made up", FINGERPRINT, [one]).trainings[0]


def baseline_of(*expected: Expected) -> Baseline:
    """Return a baseline that expects this."""
    return Baseline(made_with=MADE_WITH, trainings=expected)


def test_losses_are_those_of_every_update_and_of_one_evaluation(config: Config) -> None:
    """Ten tenths of one epoch, then clean training, valid, test and test by ten views."""
    one = smoked(exact(config), "a/b")
    assert one.record is not None

    losses = losses_of(one.record)

    assert list(losses.values()) == [1, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1, 1, 1, 1, 1]
    assert list(losses)[9:] == ["step 10", "clean training", "valid", "test", "test by ten views"]


@pytest.mark.parametrize("precision", NARROW_TOLERANCES)
def test_in_other_precisions_two_updates_are_compared(precision: Precision, config: Config) -> None:
    """What comes later says what rounding grew to; their tolerance is wider by far."""
    one = smoked(exact(config, precision=precision), "a/b")
    assert one.record is not None

    assert losses_of(one.record) == {"step 1": 1, "step 2": 0.9}
    assert tolerance_of(precision) == NARROW_TOLERANCES[precision] >= 1e4 * TOLERANCE


@pytest.mark.parametrize(
    ("loss", "place"), [(1.0, None), (1 + 9e-9, None), (1 - 1.1e-8, 1), (None, 1), (7.0, 1)]
)
def test_a_loss_may_lie_a_hundred_millionth_off(loss: float | None, place: int | None) -> None:
    """Either way; and one that overflows here alone lies off."""
    assert TOLERANCE == 1e-8
    assert furthest((0.0, loss), (0.0, 1.0), TOLERANCE) == place


def test_a_loss_that_overflows_where_it_did_agrees() -> None:
    """No number is no number."""
    assert furthest((1.0, None), (1.0, None), TOLERANCE) is None


def test_another_number_of_losses_is_named_as_such(config: Config) -> None:
    """Not as a loss that moved by nothing; it is further off than any loss."""
    one = smoked(exact(config), "a/b")
    fewer = expecting(one).but(losses=(1.0, 0.9))

    (found,) = held_against(baseline_of(fewer), [one])

    assert (found.kind, found.text) == ("changed", "14 losses, the baseline has 2")
    assert math.isinf(found.times)


def test_every_arm_is_told_apart(config: Config) -> None:
    """One of each kind."""
    runs = [exact(config, seed) for seed in range(6)]
    same, moved, other, fails, late = (
        expecting(smoked(run, arm))
        for run, arm in zip(runs, ("s/same", "s/moved", "s/other", "s/fails", "s/late"),
                            strict=False)
    )  # fmt: skip
    off = moved.but(losses=(*moved.losses[:-1], 1.5))
    gone = Expected(run="e" * 12, arms=("s/gone",), losses=())
    here = [
        smoked(runs[0], "s/same"),
        smoked(runs[1], "s/moved"),
        smoked(runs[2], "s/other"),
        Smoked(Training(runs[3], ("s/fails",)), None, "out of memory"),
        Smoked(Training(runs[4], ("s/late",)), None),
        smoked(runs[5], "s/new"),
    ]
    expected = baseline_of(same, off, other.but(run="f" * 12), fails, late, gone)

    found = held_against(expected, here)

    assert {one.arm: one.kind for one in found} == {
        "s/same": "agrees", "s/moved": "changed", "s/other": "asked otherwise",
        "s/fails": "failed", "s/late": "left out", "s/new": "new", "s/gone": "gone",
    }  # fmt: skip
    assert found[1] == Outcome(
        "s/moved", runs[1].short, "changed", "test by ten views", 1.0, 1.5, 1e-8
    )
    assert found[1].times == pytest.approx(5e7)
    assert found[1].text == ("test by ten views: 1.0000000000, baseline 1.5000000000 \u00b1 1e-08")
    assert {one.kind for one in held_against(None, here)} == {"trained", "failed", "left out"}


@pytest.mark.parametrize(
    ("precision", "kind"), [("float64", "agrees"), ("float32", "trained"), ("bfloat16", "trained")]
)
def test_a_gpu_is_compared_in_float64_alone(
    precision: Precision, kind: str, config: Config
) -> None:
    """In others it draws masks of its own, so that its losses say nothing of a change."""
    here = smoked(exact(config, precision=precision), "a/b")
    assert here.record is not None
    card = here._replace(record=here.record.but(fingerprint={"device": "NVIDIA Abacus"}))
    baseline = baseline_of(expecting(here))

    assert [one.kind for one in held_against(baseline, [card])] == [kind]
    assert [one.kind for one in held_against(baseline, [here])] == ["agrees"]


def test_arms_of_a_training_stand_together_the_furthest_first() -> None:
    """Two of one training, one of another that lies further off, and one that is gone."""
    near = [Outcome(f"s/{n}", "one", "changed", "step 1", 1.0, 1.1, 0.01) for n in "ab"]
    far = Outcome("s/c", "two", "changed", "step 1", 1.0, 3.0, 0.01)
    gone = Outcome("s/d", "one", "gone")

    groups = furthest_first([*near, far, gone])

    assert groups == [[gone], [far], near]
    assert [in_short(group) for group in groups] == ["s/d", "s/c", "s/a and 1 more arm"]
    assert far.times == pytest.approx(200)
    assert math.isinf(gone.times)


def test_a_baseline_is_what_a_smoke_came_to(config: Config) -> None:
    """To twelve decimals, under the conditions that it was made under."""
    one = loss_of_test(smoked(exact(config), "a/b", "c/d"), 1 / 3)

    made = Baseline.of("why", FINGERPRINT, [one])

    assert made.made_with == MADE_WITH.but(reason="why")
    assert made.trainings[0].losses[-2:] == (1.0, 0.333333333333)
    assert made.by_arm["c/d"] == made.trainings[0]
    assert [o.kind for o in held_against(made, [one])] == ["agrees", "agrees"]


@pytest.mark.parametrize(("reason", "why"), [("out of memory", "out of memory"), ("", "left out")])
def test_nothing_that_failed_is_expected(reason: str, why: str, config: Config) -> None:
    """A baseline of a broken tree would call it right."""
    broken = Smoked(Training(exact(config), ("a/b",)), None, reason)

    with pytest.raises(BaselineError, match=f"a/b has no losses to keep: .*{why}"):
        Baseline.of("why", FINGERPRINT, [broken])


def test_it_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    """A line for each list, so that a change is easy to read."""
    one = Expected(run="r", arms=("a/b",), losses=(1.0, None))
    whole = baseline_of(one, one.but(run="s"))
    whole.write(tmp_path / "b.json")

    assert Baseline.read(tmp_path / "b.json") == whole
    assert '"losses": [1.0, null]' in (tmp_path / "b.json").read_text()


@pytest.mark.parametrize(
    ("before", "after"), [("[1.0, null]", "[1.1, null]"), ("  ", " "), ('"s"', '"t"')]
)
def test_an_edited_baseline_is_refused(tmp_path: Path, before: str, after: str) -> None:
    """A loss, or a run's name; how it is laid out is free."""
    one = Expected(run="r", arms=("a/b",), losses=(1.0, None))
    whole = baseline_of(one, one.but(run="s"))
    path = tmp_path / "b.json"
    whole.write(path)
    path.write_text(path.read_text().replace(before, after, 1))

    if not before.strip():
        assert Baseline.read(path) == whole
        return
    with pytest.raises(BaselineError, match="was edited after it was written; make it anew"):
        Baseline.read(path)


@pytest.mark.parametrize("content", ["", "{}", '{"schema_version": 1}', "[1]"])
def test_what_is_no_baseline_is_refused(tmp_path: Path, content: str) -> None:
    """With the way out; such as one of before, which had a tolerance for every loss."""
    (tmp_path / "b.json").write_text(content)

    with pytest.raises(BaselineError, match="make it anew with --update-baseline"):
        Baseline.read(tmp_path / "b.json")
