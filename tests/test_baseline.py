"""What a smoke is held against: worked-out tolerances, and what becomes of every arm."""

from pathlib import Path

import pytest
from conftest import FINGERPRINT, measures_of, record_of, run_of

from ablations.run import Run
from alexnet.config import Config
from reports.baseline import (
    Baseline,
    BaselineError,
    Expected,
    MadeWith,
    by_run,
    furthest,
    losses_of,
    make,
    names_of,
    tolerances,
)
from reports.outcomes import Outcome, held_against
from reports.smoke_runs import Smoked, Training

MADE_WITH = MadeWith(
    reason="made up", torch="2.9.9", processor="abacus", capability="beads", threads=1, edition=1,
    measured_over=("beads",),
)  # fmt: skip


def smoked(run: Run, *arms: str) -> Smoked:
    """Return a training of one epoch: losses of 1, 0.9 ... 0.1, then 1 of each evaluation."""
    return Smoked(Training(run, arms), record_of(run, [0.5], measures=measures_of(0.1, 0.2, 0.3)))


def baseline_of(*expected: Expected) -> Baseline:
    """Return a baseline that expects this."""
    return Baseline(made_with=MADE_WITH, trainings=expected)


def test_losses_are_those_of_every_update_and_of_one_evaluation(config: Config) -> None:
    """Ten tenths of one epoch, then clean training, valid, test and test by ten views."""
    one = smoked(run_of(config), "a/b")

    assert one.record is not None
    losses = losses_of(one.record)

    assert losses == (1, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1, 1, 1, 1, 1)
    assert names_of(len(losses))[9:11] == ["step 10", "clean training"]


def test_a_tolerance_is_five_times_what_was_seen_and_grows_with_the_updates() -> None:
    """The second of three differed by 0.001 and 0.0002; the first by less than a millionth."""
    found = tolerances((1.0, 2.0, 3.0), [(1.0, 2.001, 3.0), (1.0, 1.9998, 3.0)])

    assert found == pytest.approx((5e-6, 5e-3, 5e-3))


def test_a_loss_that_overflows_on_one_machine_alone_can_be_anything() -> None:
    """And one that overflows on all of them is expected to."""
    wide, tight = (tolerances((1.0, None), [(1.0, other)]) for other in (2.0, None))

    both = [Expected(run="r", arms=("a/b",), losses=(1.0, None), tolerances=t)
            for t in (wide, tight)]  # fmt: skip

    assert [furthest((1.0, 2.0), one) for one in both] == [None, 1]
    assert [furthest((1.0, None), one) for one in both] == [None, None]
    assert furthest((1.1, 2.0), both[0]) == 0


def test_the_loss_furthest_off_in_tolerances_speaks() -> None:
    """The first is off by 2 tolerances, the second by 4, though the first differs by more."""
    expected = Expected(run="r", arms=("a/b",), losses=(1.0, 2.0), tolerances=(0.1, 0.01))

    assert furthest((1.2, 2.04), expected) == 1
    assert furthest((1.09, 2.0), expected) is None
    assert furthest((1.0, None), expected) == 1
    assert furthest((1.0,), expected) is not None


def test_every_arm_is_told_apart(config: Config) -> None:
    """One of each kind."""
    runs = [run_of(config, seed) for seed in range(6)]
    losses = by_run([smoked(run) for run in runs])
    tight = (1e-6,) * 14
    expected = [
        Expected(run=run.short, arms=(arm,), losses=losses[run.short], tolerances=tight)
        for run, arm in zip(runs, ("s/same", "s/moved", "s/other", "s/fails", "s/late"),
                            strict=False)
    ]  # fmt: skip
    off = expected[1].but(losses=(*expected[1].losses[:-1], 1.5))
    other = expected[2].but(run="f" * 12)
    gone = Expected(run="e" * 12, arms=("s/gone",), losses=(), tolerances=())
    here = [
        smoked(runs[0], "s/same"),
        smoked(runs[1], "s/moved"),
        smoked(runs[2], "s/other"),
        Smoked(Training(runs[3], ("s/fails",)), None, "out of memory"),
        Smoked(Training(runs[4], ("s/late",)), None),
        smoked(runs[5], "s/new"),
    ]

    found = held_against(baseline_of(expected[0], off, other, *expected[3:], gone), here)

    assert {one.arm: one.kind for one in found} == {
        "s/same": "agrees", "s/moved": "changed", "s/other": "asked otherwise",
        "s/fails": "failed", "s/late": "left out", "s/new": "new", "s/gone": "gone",
    }  # fmt: skip
    assert found[1] == Outcome("s/moved", "changed", "test by ten views", 1.0, 1.5, 1e-6)
    assert found[1].times == pytest.approx(5e5)
    assert found[1].text == "test by ten views: 1.000000, baseline 1.500000 \u00b1 1e-06"


def test_a_baseline_is_made_over_several_conditions(config: Config) -> None:
    """What the first came to is expected; the others say how far from it it may lie."""
    run = run_of(config)
    first = smoked(run, "a/b", "c/d")
    assert first.record is not None
    assert first.record.measures is not None
    elsewhere = first.record.measures.test.but(loss=1.25)  # type: ignore[union-attr]
    measures = first.record.measures.but(test=elsewhere)
    second = first._replace(record=first.record.but(measures=measures))
    two = FINGERPRINT.but(threads=2)

    made = make("why", [(FINGERPRINT, [first]), (two, [second])])

    assert made.trainings[0].losses == losses_of(first.record)
    assert made.trainings[0].tolerances == pytest.approx((5e-6,) * 12 + (1.3, 1.3))
    assert made.made_with.measured_over == (
        "torch 2.9.9, beads, 1 thread", "torch 2.9.9, beads, 2 threads",
    )  # fmt: skip
    assert made.by_arm["c/d"] == made.trainings[0]


def test_nothing_that_failed_is_expected(config: Config) -> None:
    """A baseline of a broken tree would call it right."""
    broken = Smoked(Training(run_of(config), ("a/b",)), None, "out of memory")

    with pytest.raises(BaselineError, match="a/b has no losses to keep: out of memory"):
        make("why", [(FINGERPRINT, [broken])])


def test_tolerances_of_before_stay_where_nothing_changed() -> None:
    """They may have been measured over releases that are not here; what moved is measured anew."""
    wide = [Expected(run=r, arms=(r,), losses=(1.0,), tolerances=(0.5,)) for r in ("one", "two")]
    now = [
        Expected(run="one", arms=("one",), losses=(1.2,), tolerances=(0.1,)),
        Expected(run="two", arms=("two",), losses=(1.6,), tolerances=(0.1,)),
    ]
    before = baseline_of(*wide).but(made_with={"measured_over": ("abacus", "beads")})

    kept = baseline_of(*now).kept(before)
    again = baseline_of(*now).kept(kept)
    all_moved = baseline_of(now[1]).kept(before)

    assert [one.tolerances for one in kept.trainings] == [(0.5,), (0.1,)]
    assert kept.made_with.measured_over == ("beads", "abacus, 1 of 2 trainings")
    assert again.made_with.measured_over == kept.made_with.measured_over  # of "two", still not
    assert all_moved.made_with.measured_over == ("beads",)


def test_it_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    """A line for each list, so that a change is easy to read."""
    one = Expected(run="r", arms=("a/b",), losses=(1.0, None), tolerances=(0.1, 0.2))
    whole = baseline_of(one, one.but(run="s"))
    whole.write(tmp_path / "b.json")

    assert Baseline.read(tmp_path / "b.json") == whole
    assert '"losses": [1.0, null]' in (tmp_path / "b.json").read_text().replace(",\n", "\n")


@pytest.mark.parametrize("content", ["", "{}", '{"schema_version": 2}', "[1]"])
def test_what_is_no_baseline_is_refused(tmp_path: Path, content: str) -> None:
    """With the way out."""
    (tmp_path / "b.json").write_text(content)

    with pytest.raises(BaselineError, match="make it anew with --update-baseline"):
        Baseline.read(tmp_path / "b.json")
