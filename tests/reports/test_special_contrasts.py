"""What a comparison makes of two metrics, differences of differences and printed numbers."""

from collections.abc import Callable
from pathlib import Path

import pytest

from ablations.contrast import THE_PAPER
from ablations.plan import Plan
from ablations.store import Store
from ablations.studies import STUDIES
from ablations.study import (
    Base,
    Contrast,
    FinalError,
    Gap,
    Study,
    TimeToValid,
)
from alexnet.measures import Measures
from alexnet.presets import tiny
from reports.analysis.effect import Effect
from reports.commands.studies import _ours, everything
from reports.findings.records import comparison_of
from reports.findings.sections import sections
from reports.page.report import write_report
from reports.page.tables import arms_table, contrasts_table
from reports.readme import evidence_text
from reports.wording.sentences import headline, verdict_line
from tests.builders.curves import SEEN, falling
from tests.builders.plans import HELPS, in_setting, planned, with_measures
from tests.builders.records import measures_of, record_of

ARMS = {
    "with": {},
    "without": {"network": {"parts": {"norm": None}}},
    "dry": {"network": {"parts": {"dropout": None}}},
    "both": {"network": {"parts": {"norm": None, "dropout": None}}},
}
BY_VIEWS = Contrast(
    arm="with", against="with", direction="lower", margin=0.005, margin_reason="too small",
    metric=FinalError(views="ten"), against_metric=FinalError(),
)  # fmt: skip
INTERACTION = Contrast(
    arm="both", against="dry", minus=("without", "with"), direction="equal", margin=0.005,
    margin_reason="too small",
)  # fmt: skip


def plan_of(*contrasts: Contrast, seeds: int = 6, **base: object) -> Plan:
    """Return a plan with rates chosen of four networks, with and without two ideas."""
    fields = {"config": tiny(), "metric": FinalError(), "rates": (0.001, 0.003)} | base
    study = Study(
        name="ideas",
        question="Do they help?",
        arms=ARMS,
        contrasts=contrasts,
        bases={"fashion_mini": Base.model_validate(fields)},
        seeds=seeds,
    )
    return planned(study)


def by_test(*errors: float) -> list[Measures]:
    """Return measures with these test errors by one view."""
    return [measures_of(0.1, 0.2, error) for error in errors]


def filled(plan: Plan, results: Path, arms: dict[str, list[Measures]]) -> Store:
    """Return a store with a record of every arm; the same measures where none are given."""
    seeds = len(plan.definition.seeds)
    return with_measures(
        plan, results, {arm: arms.get(arm, by_test(*[0.3] * seeds)) for arm in plan.definition.arms}
    )


def test_two_metrics_of_one_arm_are_compared_on_the_same_runs(results: Path) -> None:
    """Ten views less one, by seed: -1, -2, -3, -2, -1 and -3 points, -2 on average.

    Differences deviate by sqrt((1 + 0 + 1 + 0 + 1 + 1) / 5) = sqrt(0.8) points; the interval is
    2.571 sqrt(0.8 / 6) to each side. All six go down: p = 2 / 2^6.
    """
    plan = plan_of(BY_VIEWS)
    gains = [0.01, 0.02, 0.03, 0.02, 0.01, 0.03]
    seen = [
        measures.but(test_ten={"images": 100, "loss": 1.0, "top5_error": 0.1,
                               "top1_error": 0.25 + seed / 100 - gain})
        for seed, (measures, gain) in enumerate(
            zip(by_test(*(0.25 + seed / 100 for seed in range(6))), gains, strict=True)
        )
    ]  # fmt: skip
    store = filled(plan, results, {"with": seen})

    effect = comparison_of(plan, store).effects[0]
    half = 2.5705818 * (0.8 / 6) ** 0.5 / 100

    assert effect.by_seed == pytest.approx([-gain for gain in gains])
    assert effect.estimate == pytest.approx(-0.02)
    assert (effect.low, effect.high) == pytest.approx((-0.02 - half, -0.02 + half))
    assert effect.p == pytest.approx(2 / 2**6)
    assert (effect.mean, effect.mean_against) == pytest.approx((0.255, 0.275))
    assert effect.verdict == "same way"
    assert effect.pairs == effect.planned == 6


def test_a_run_without_one_of_two_metrics_is_no_pair(results: Path) -> None:
    """On whichever side it lacks."""
    plan = plan_of(BY_VIEWS)
    seen = by_test(*[0.3] * 6)
    seen[2] = seen[2].but(test_ten=None)

    effect = comparison_of(plan, filled(plan, results, {"with": seen})).effects[0]

    assert (effect.pairs, effect.verdict) == (5, "incomplete")


def test_a_difference_of_differences_by_hand(results: Path) -> None:
    """(both - dry) - (without - with), seed by seed.

    (30 - 20) - (25 - 22) = 7; (31 - 22) - (26 - 20) = 3; (33 - 21) - (24 - 23) = 11; and again
    the same three: 7 on average.
    """
    plan = plan_of(INTERACTION)
    arms = {
        "both": by_test(*[0.30, 0.31, 0.33] * 2),
        "dry": by_test(*[0.20, 0.22, 0.21] * 2),
        "without": by_test(*[0.25, 0.26, 0.24] * 2),
        "with": by_test(*[0.22, 0.20, 0.23] * 2),
    }

    effect = comparison_of(plan, filled(plan, results, arms)).effects[0]

    assert effect.by_seed == pytest.approx([0.07, 0.03, 0.11] * 2)
    assert effect.estimate == pytest.approx(0.07)
    assert effect.p == pytest.approx(2 / 2**6)
    assert effect.verdict == "other way"  # it was to be nothing
    assert "both against dry, minus without against with" in effect.contrast.between


def test_a_difference_of_differences_needs_all_four_runs_of_a_seed(results: Path) -> None:
    """Seed 4 has three arms: five pairs."""
    plan, store = plan_of(INTERACTION), Store(results)
    for arm, seeds in {"both": 6, "dry": 6, "without": 6, "with": 4}.items():
        for seed in range(seeds):
            run = plan.run(arm, seed)
            store.add(record_of(run, [0.5, 0.2], measures=measures_of(0.1, 0.2, 0.3)))
    store.add(record_of(plan.run("with", 5), [0.5], measures=measures_of(0.1, 0.2, 0.3)))

    effect = comparison_of(plan, store).effects[0]

    assert (effect.pairs, effect.planned) == (5, 6)
    assert effect.verdict == "incomplete"


def test_an_arm_against_a_printed_number_by_hand(results: Path) -> None:
    """36.5, 37.5 and 38.5 %, twice, less the paper's 37.0: -0.5, 0.5 and 1.5 points, twice.

    0.5 on average. Of the 64 patterns of signs of 1, 1, 1, 1, 3 and 3 half points, 22 have a sum as
    far from nothing as the observed 6: both threes up, and ones that sum to 0 or more (6 + 4 + 1
    patterns of 16), or both down and the ones likewise.
    """
    printed = HELPS.but(against=THE_PAPER, number=0.37, direction="equal")
    plan = plan_of(printed)
    store = filled(plan, results, {"with": by_test(*[0.365, 0.375, 0.385] * 2)})

    effect = comparison_of(plan, store).effects[0]

    assert effect.by_seed == pytest.approx([-0.005, 0.005, 0.015] * 2)
    assert effect.estimate == pytest.approx(0.005)
    assert (effect.mean, effect.mean_against) == pytest.approx((0.375, 0.37))
    assert effect.p == pytest.approx(22 / 64)
    assert (effect.pairs, effect.planned, effect.verdict) == (6, 6, "open")
    assert headline(plan, comparison_of(plan, store))
    assert len(arms_table(plan, comparison_of(plan, store))) == 4


def test_a_gap_against_a_printed_number_is_of_one_arm(results: Path) -> None:
    """Test 30 % less training 10 %, less the paper's 15: 5 points, in every seed."""
    plan = plan_of(HELPS.but(against=THE_PAPER, number=0.15, metric=Gap(), direction="equal"))

    effect = comparison_of(plan, filled(plan, results, {})).effects[0]

    assert effect.estimate == pytest.approx(0.05)
    assert effect.unmet is None


DIFFERING = {
    "with": by_test(*(0.20 + seed / 100 for seed in range(7))),
    "without": by_test(*(0.24 + seed / 60 for seed in range(7))),
    "dry": by_test(*(0.26 - seed / 300 for seed in range(7))),
    "both": by_test(*(0.21 + (seed % 3) / 100 for seed in range(7))),
}


def effects_of(
    results: Path, *contrasts: Contrast, seeds: int = 7, **base: object
) -> tuple[Effect, ...]:
    """Return the effects of contrasts on the same records of seven seeds."""
    plan = plan_of(*contrasts, seeds=seeds, **base)
    return comparison_of(plan, filled(plan, results, DIFFERING)).effects


def test_what_is_not_judged_is_shown_and_costs_the_others_nothing(results: Path) -> None:
    """The same corrected p-values with one contrast beside it as without; 1 x 2 / 2^7."""
    beside = HELPS.but(arm="both", against="dry", judged=False)

    (alone,) = effects_of(results, HELPS)
    judged, shown = effects_of(results, HELPS, beside)
    first, second = effects_of(results, beside, HELPS)

    assert judged == alone
    assert second == alone
    assert (shown.verdict, first.verdict) == ("shown", "shown")
    assert judged.p_adjusted == pytest.approx(2 / 2**7)
    assert shown.p_adjusted is None
    assert shown.equivalence_p_adjusted is None
    assert shown.p is not None  # its numbers are all there
    assert shown.estimate is not None
    assert shown.low is not None


def test_what_is_only_shown_keeps_no_verdict_waiting(results: Path) -> None:
    """All six seeds of the judged pair decide, with one of a pair that is in no test."""
    beside = HELPS.but(arm="both", against="dry", judged=False)
    alone, plan = plan_of(HELPS), plan_of(HELPS, beside)
    seen = {arm: DIFFERING[arm][:6] for arm in ("with", "without")}
    (expected,) = comparison_of(alone, filled(alone, results / "alone", seen)).effects
    one_of_each = {arm: DIFFERING[arm][:1] for arm in ("both", "dry")}

    comparison = comparison_of(plan, with_measures(plan, results, seen | one_of_each))
    judged, shown = comparison.effects

    assert (comparison.done, comparison.planned) == (14, 24)
    assert comparison.has_verdicts
    assert judged == expected
    assert judged.verdict == "same way"
    assert (shown.pairs, shown.verdict) == (1, "incomplete")
    assert "incomplete" not in headline(plan, comparison)
    assert headline(plan, comparison, shown).endswith("incomplete, 14 of 24 runs.")
    assert verdict_line(judged, comparison).startswith("same way: with against without")
    assert verdict_line(shown, comparison).startswith(
        "shown, not judged, incomplete: both against dry"
    )


@pytest.mark.parametrize("missing", ["with", "without", "dry"])
def test_no_verdict_before_every_run_that_it_needs(results: Path, missing: str) -> None:
    """Of both arms, and of the one that has to overfit for anything to follow."""
    presupposes = HELPS.but(precondition={"kind": "overfits", "arm": "dry"})
    plan = plan_of(presupposes)
    assert plan.definition.judged_arms == ("with", "without", "dry")
    assert plan_of(presupposes, judged=False).definition.judged_arms == ()
    seen = {arm: DIFFERING[arm][:6] for arm in plan.definition.judged_arms}

    assert comparison_of(plan, with_measures(plan, results / "all", seen)).has_verdicts

    seen[missing] = seen[missing][:5]
    comparison = comparison_of(plan, with_measures(plan, results, seen))

    assert not comparison.has_verdicts
    assert comparison.effects[0].verdict == "incomplete"
    assert headline(plan, comparison).endswith("incomplete, 17 of 24 runs.")


def test_a_verdict_is_told_everywhere_though_what_is_shown_is_missing(results: Path) -> None:
    """On the page, in the README's part and in the list, and the other contrast as what it is."""
    beside = HELPS.but(arm="both", against="dry", judged=False)
    plan = plan_of(HELPS, beside)
    seen = {arm: errors[:6] for arm, errors in DIFFERING.items()}
    store = with_measures(plan, results, seen | {"dry": DIFFERING["dry"][:1]})
    store.write_plan(plan)

    write_report(store, results / "report")
    page = (results / "report" / "index.html").read_text()
    readme = evidence_text(sections(store))
    study = STUDIES["activations"].model_copy(
        update={"name": "ideas", "claim": "C13", "contrasts": (HELPS.but(claim="C13"), beside)}
    )

    assert "Incomplete: 19 of 24 comparison runs. No verdict needs those that are missing." in page
    assert "<li>same way: with against without" in page
    assert "<li>shown, not judged, incomplete: both against dry" in page
    assert "### On Fashion-MNIST (10,000 images)" in readme
    assert "| with against without | - |" in readme
    assert readme.count("with against without") == 1  # in the table alone
    assert "- ideas. On Fashion-MNIST (10,000 images), 19 of 24 runs: both against dry, " in readme
    assert _ours(study, everything([store])).startswith("same way -")


def test_the_readme_says_beside_a_verdict_what_both_arms_came_to(results: Path) -> None:
    """0.20 to 0.25 and 0.24 to 0.3233 in six seeds, and what was left open; own data alone."""
    told = {}
    for setting in ("closest reading", "stand-in"):
        plan = in_setting(plan_of(HELPS, left_open=("thirty epochs",)), setting)
        store = with_measures(plan, results / setting, {a: e[:6] for a, e in DIFFERING.items()})
        store.write_plan(plan)
        told[setting] = evidence_text(sections(store))

    beside = (
        "ideas. On Fashion-MNIST (10,000 images): with against without, top-1 test error "
        "22.50 % and 28.17 %. To keep in mind: thirty epochs."
    )
    assert beside in told["closest reading"].split("\n\n")
    assert "To keep in mind" not in told["stand-in"]


def test_the_same_contrast_judged_is_in_the_family(results: Path) -> None:
    """Then every p-value is doubled."""
    judged, other = effects_of(results, HELPS, HELPS.but(arm="both", against="dry"))

    assert min(judged.p_adjusted or 0, other.p_adjusted or 0) == pytest.approx(4 / 2**7)
    assert "shown" not in (judged.verdict, other.verdict)


def test_a_demonstration_is_shown_and_never_judged(results: Path) -> None:
    """Every contrast of it, though it would be significant; with three seeds or seven."""
    contrasts = (HELPS, HELPS.but(arm="both", against="dry"))
    for seeds in (3, 7):
        plan = plan_of(*contrasts, seeds=seeds, judged=False)
        arms = {arm: seen[:seeds] for arm, seen in DIFFERING.items()}
        comparison = comparison_of(plan, filled(plan, results / str(seeds), arms))

        assert not comparison.judged
        assert [effect.verdict for effect in comparison.effects] == ["shown", "shown"]
        assert {effect.p_adjusted for effect in comparison.effects} == {None}
        assert comparison.effects[0].p == pytest.approx(2 / 2**seeds)


def test_what_is_shown_is_incomplete_until_all_of_it_is_there(results: Path) -> None:
    """Nothing yet, some of it, all of it."""
    plan = plan_of(HELPS, judged=False)
    store = Store(results)
    seen = measures_of(0.1, 0.2, 0.3)

    assert comparison_of(plan, store).effects[0].verdict == "not run"
    for seed, word in ((0, "incomplete"), (4, "incomplete"), (5, "shown")):
        for before in range(seed + 1):
            for arm in ("with", "without"):
                store.add(record_of(plan.run(arm, before), [0.5], measures=seen))
        assert comparison_of(plan, store).effects[0].verdict == word


def test_a_smoke_run_of_a_demonstration_is_not_shown_as_a_result(results: Path) -> None:
    """It is incomplete, as every smoke run is."""
    plan = plan_of(HELPS, judged=False)
    smoke = plan.model_copy(update={"definition": plan.definition.but(smoke=True)})

    assert comparison_of(smoke, filled(smoke, results, {})).effects[0].verdict == "incomplete"


def test_a_time_to_a_held_out_error_is_compared_seed_by_seed(results: Path) -> None:
    """Each to what both end with, with the same seed: half as long is twice as fast.

    With seed 0 both end at 40 % or below: "without" after 3 epochs, "with", which falls from 80 to
    20, after 1 2/3. With the others "without" ends at 50 %: after 3, and "with" after 1 1/2.
    """
    contrast = Contrast(
        arm="with", against="without", metric=TimeToValid(arms=("with", "without")),
        direction="higher", margin=1.25, margin_reason="small", judged=False,
    )  # fmt: skip
    plan = plan_of(contrast, HELPS, config=tiny().but(training={"validate_each_epoch": True}))
    store = filled(plan, results, {})
    for seed in range(6):
        errors = {"with": (0.8, 0.2), "without": (0.9, 0.9, 0.4 if seed == 0 else 0.5)}
        for arm, of_arm in errors.items():
            epochs = zip(falling(*[2.0] * len(of_arm)), of_arm, strict=True)
            curve = tuple(epoch.model_copy(update={"valid_error": e}) for epoch, e in epochs)
            record = record_of(plan.run(arm, seed), [], measures=SEEN)
            store.add(record.model_copy(update={"curve": curve}))

    effect = comparison_of(plan, store).effects[0]

    assert effect.by_seed == pytest.approx([3 / (5 / 3)] + [2.0] * 5)
    assert effect.estimate == pytest.approx((1.8 * 2.0**5) ** (1 / 6))
    assert (effect.bound, effect.verdict) == ("none", "shown")


@pytest.mark.parametrize(
    "contrast",
    [BY_VIEWS, INTERACTION, HELPS.but(judged=False), HELPS.but(metric=Gap())],
    ids=["two metrics", "minus", "not judged", "gap"],
)
def test_every_kind_of_contrast_can_be_read_in_words_and_tables(
    contrast: Contrast, results: Path
) -> None:
    """A headline and both tables, without and with records."""
    plan = plan_of(contrast, seeds=7)
    stores: list[Callable[[], Store]] = [
        lambda: Store(results / "empty"),
        lambda: filled(plan, results, DIFFERING),
    ]
    for make in stores:
        comparison = comparison_of(plan, make())

        assert headline(plan, comparison)
        assert len(arms_table(plan, comparison)) == 4
        assert len(contrasts_table(comparison)) == 1
