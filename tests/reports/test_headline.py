"""The front of a report and its forest plot, worked out on plans and records made by hand."""

import math
from datetime import timedelta
from pathlib import Path

import pytest

from ablations.plan import Plan
from ablations.record import Record
from ablations.run import Run
from ablations.store import Store
from ablations.study import Setting
from reports.evidence import EVIDENCE
from reports.figures.forest import draw_forest, draw_narrow_forest
from reports.findings.forest import forest, in_margins, one_a_claim
from reports.findings.headline import answer, counts, facts, in_words
from reports.findings.ledger import groups, ledger
from reports.findings.sections import Section, sections
from tests.builders.figure_texts import collisions
from tests.builders.plans import chosen, filled, in_setting, plan_of
from tests.builders.records import PROVENANCE, measures_of, record_of
from tests.proofs import simulation


def simulated(results: Path, setting: Setting, times: float, seeds: int = 10) -> Store:
    """Return a folder in which ReLU is about so many times as fast, by so many of ten seeds."""
    plan = simulation.tuned(simulation.plan_of(simulation.study_of(setting=setting)))
    store, trainer = Store(results), simulation.Trainer(times, spread=0.05)
    for run in simulation.comparison_runs(plan):
        if run.seed < seeds:
            store.add(trainer.train(run))
    store.write_plan(plan)
    return store


def front(store: Store) -> tuple[list[Section], str, str]:
    """Return the sections, the headline and the sentence of counts."""
    found = sections(store)
    claims = ledger([(section.plan, section.comparison) for section in found])
    one = answer(found, claims)
    return found, one.headline, one.counts


def test_an_empty_folder_says_so(results) -> None:
    """And counts the claims all the same."""
    found, headline, said = front(Store(results))

    assert (found, headline) == ([], "Nothing has been run in this folder yet.")
    assert said.startswith(
        "Of 30 claims, 19 can be tested by training: 0 on the paper's own data, 19 not yet "
        "(3 for want of ImageNet). 3 are counts of the built network: 1 as printed, 2 not."
    )


def test_a_decided_claim_on_the_papers_data_leads(results) -> None:
    """Its number, its interval and the paper's; nothing that no number carries."""
    found, headline, said = front(simulated(results, "closest reading", times=4.0))

    effect = found[0].comparison.effects[0]
    assert effect.verdict == "weaker"
    assert headline == (
        "AlexNet, one claim later: on made_up ReLU reached 25 % training error "
        f"{effect.estimate:.2f} times as fast as tanh (95 % interval {effect.low:.2f} to "
        f"{effect.high:.2f}, 10 seeds); the paper says 6."
    )
    assert "1 on the paper's own data (1 weaker)" in said


def test_practice_data_never_speaks_of_claims_decided(results) -> None:
    """The same numbers on other images: what the paper claims is not judged."""
    _, headline, said = front(simulated(results, "stand-in", times=4.0))

    assert headline.startswith("On made_up ReLU reached 25 % training error ")
    assert headline.endswith("is not judged here.")
    assert "0 on the paper's own data, 1 by stand-ins alone, 18 not yet" in said


def test_what_is_under_way_decides_nothing(results) -> None:
    """Nine of ten seeds."""
    found, headline, said = front(simulated(results, "closest reading", times=4.0, seeds=9))

    assert headline.endswith("incomplete, 18 of 20 runs.")
    assert "0 on the paper's own data, 1 under way, 18 not yet" in said
    assert forest(found) == []


def test_smoke_runs_alone_are_no_answer(results) -> None:
    """Whatever their numbers."""
    plan, store = filled(results, 3, tanh=[0.6, 0.3, 0.1], relu=[0.4, 0.0])
    smoke = plan.model_copy(update={"definition": plan.definition.model_copy(
        update={"smoke": True})})  # fmt: skip
    store.plan_path("relu_vs_tanh", plan.definition.dataset.name, False).unlink(missing_ok=True)
    for path in (results / "plans").glob("*.json"):
        path.unlink()
    store.write_plan(smoke)

    found, headline, _ = front(store)

    assert headline == "Smoke runs alone: the machinery works; their numbers mean nothing."
    assert facts(found) == ()


def test_the_most_surprising_claim_leads(results, tmp_path) -> None:
    """Two folders' worth: 1.00 times as fast is further from six than four times is."""
    near = simulated(results, "closest reading", times=4.0)
    far = simulated(tmp_path / "far", "closest reading", times=0.98)
    both = [*sections(near), *sections(far)]

    first, second = (s.comparison.effects[0] for s in both)
    headline = answer(both, ledger([(s.plan, s.comparison) for s in both])).headline

    assert {first.verdict, second.verdict} == {"weaker", "absent"}
    absent = min((first, second), key=lambda e: e.estimate)
    assert f"{absent.estimate:.2f} times as fast" in headline


def test_facts_count_a_shared_run_once(results) -> None:
    """Two plans with the same arms share all six runs of a second each, and a tenth to evaluate."""
    plan, store = filled(results, 3, tanh=[0.6, 0.3, 0.1], relu=[0.4, 0.0])
    again = plan.model_copy(update={"definition": plan.definition.model_copy(
        update={"study": "again"})})  # fmt: skip
    store.write_plan(again)

    said = {fact.name: fact.text for fact in facts(sections(store))}

    assert said["runs"].startswith("6 compared, ")
    assert said["runs"].endswith("0 diverged; all studies complete")
    assert said["on the clock"] == "5 s of training and evaluation"
    assert said["registered"] == (
        "2 of 2 plans before the first run they compare; nothing changed since"
    )


@pytest.mark.parametrize(
    ("compared", "of_rates", "said"),
    [
        (
            1,
            -1,
            "1 of 1 plan before the first run they compare, 1 with rates that older runs chose",
        ),
        (-1, -2, "0 of 1 plan before the first run they compare"),
        (1, 2, "1 of 1 plan before the first run they compare"),
    ],
)
def test_older_runs_that_chose_a_rate_are_told_from_those_that_are_compared(
    results: Path, compared: int, of_rates: int, said: str
) -> None:
    """Minutes after the plan was registered: a rate may be known before, what it comes to not."""
    plan, store = chosen(plan_of(seeds=3)), Store(results)

    def made(run: Run, minutes: int) -> Record:
        at = plan.registered.at + timedelta(minutes=minutes)
        return record_of(run, [0.6, 0.4]).but(provenance=PROVENANCE.but(at=at))

    tuning = plan.run("relu", 1000)
    trial = plan.choices["relu"].trials[0].but(runs=(tuning.id,))
    choices = dict.fromkeys(("relu", "tanh"), plan.choices["relu"].but(trials=(trial,)))
    plan = plan.model_copy(update={"choices": choices})
    store.add(made(tuning, of_rates))
    for seed in range(3):
        store.add(made(plan.run("relu", seed), compared + 5 * seed))
    store.write_plan(plan)

    (fact,) = [fact for fact in facts(sections(store)) if fact.name == "registered"]

    assert fact.text == f"{said}; nothing changed since"


def test_small_numbers_are_words() -> None:
    """As in "six claims later"."""
    assert [in_words(n) for n in (0, 1, 10, 11)] == ["no", "one", "ten", "11"]


def test_every_claim_is_counted_once() -> None:
    """19 with a study, 3 counts, 8 others: thirty, as many as the ledger folds away."""
    said = counts(ledger([]))
    folded = [len(rows) for _, rows in groups(ledger([]))]

    assert "Of 30 claims, 19 can" in said
    assert "3 are counts" in said
    assert "8 are procedures, or need" in said
    assert folded == [3, 3, 16, 8]


def test_a_claim_of_several_contrasts_counts_once(results) -> None:
    """Weaker by one, nothing by another, a third shown: one claim, under both words."""
    found = sections(simulated(results, "closest reading", times=4.0))
    rows = ledger([(section.plan, section.comparison) for section in found])
    several = [
        row.model_copy(
            update={
                "own": tuple(
                    row.own[0].model_copy(update={"verdict": word})
                    for word in ("weaker", "absent", "weaker", "shown")
                )
            }
        )
        if row.claim.id == "C09"
        else row
        for row in rows
    ]

    assert "1 on the paper's own data (1 absent and weaker), 18 not yet" in counts(several)


def test_margins_put_ratios_and_differences_on_one_axis(results) -> None:
    """Log 4 / log 1.25 = 6.21 margins; an error lower by a point where that helps, at 0.5: +2."""
    found = sections(simulated(results, "closest reading", times=4.0))
    effect = found[0].comparison.effects[0]
    row = forest(found)[0]

    assert in_margins(4.0, effect) == pytest.approx(6.2126, abs=1e-4)
    assert row.at == pytest.approx(math.log(effect.estimate) / math.log(1.25))
    assert row.paper == pytest.approx(math.log(6) / math.log(1.25))
    assert row.low < row.at < row.high < row.paper
    assert (row.own, row.verdict, row.paper_shown) == (True, "weaker", "6\u00d7")

    lower = effect.model_copy(
        update={
            "metric": results_metric(),
            "contrast": effect.contrast.model_copy(
                update={"paper": -0.014, "margin": 0.005, "direction": None}
            ),
        }
    )
    assert in_margins(-0.01, lower) == pytest.approx(2.0)
    assert in_margins(0.005, lower) == pytest.approx(-1.0)


def results_metric():
    """Return errors in place of times."""
    from ablations.metrics import FinalError

    return FinalError()


def test_a_bound_points_to_where_it_leaves_things_open(results) -> None:
    """Tanh never gets there: ReLU is at least so much faster, further to the right."""
    plan, store = filled(results, 3, tanh=[0.5] * 16, relu=[0.4, 0.0])
    store.write_plan(plan)
    found = sections(store)
    judged = [with_verdict(section, "open") for section in found]

    (row,) = forest(judged)

    assert (row.bound, row.low, row.high) == ("right", None, None)
    assert row.shown.startswith("at least ")


def with_verdict(section: Section, word: str) -> Section:
    """Return a section whose effects have another word."""
    effects = tuple(e.model_copy(update={"verdict": word}) for e in section.comparison.effects)
    comparison = section.comparison.model_copy(update={"effects": effects})
    return section.model_copy(update={"comparison": comparison})


def test_other_data_is_hollow_below_a_rule_and_has_no_diamond(results, tmp_path) -> None:
    """In the picture itself: one filled dot, one hollow, one diamond."""
    own = sections(simulated(results, "closest reading", times=4.0))
    other = sections(simulated(tmp_path / "other", "stand-in", times=2.0))
    rows = forest([*other, *own])

    assert [(row.own, row.paper is None) for row in rows] == [(True, False), (False, True)]
    figure = draw_forest(rows)
    assert figure is not None
    markers = [line for line in figure.axes[0].lines if line.get_marker() in ("o", "D")]
    hollow = [line.get_markerfacecolor() == "white" for line in markers]
    assert [line.get_marker() for line in markers] == ["o", "D", "o"]
    assert hollow == [False, False, True]
    written = [text.get_text() for text in figure.axes[0].texts]
    assert "made_up, in place of the paper's: a direction only" in written
    assert written.count("6\u00d7") == 1


def test_the_small_picture_keeps_a_row_a_claim(results) -> None:
    """Six rows of three claims, room for four: the first of each, then one more."""
    (row,) = forest(sections(simulated(results, "closest reading", times=4.0)))
    rows = [
        row.model_copy(update={"claim": claim, "label": label})
        for claim, label in (("C09", "a"), ("C09", "b"), ("C13", "c"), ("C15", "d"),
                             (None, "e"), ("C13", "f"))
    ]  # fmt: skip

    assert [one.label for one in one_a_claim(rows, 4)] == ["a", "b", "c", "d"]
    assert [one.label for one in one_a_claim(rows, 3)] == ["a", "c", "d"]
    assert one_a_claim(rows, 6) == rows
    assert draw_forest([]) is None
    assert draw_narrow_forest([]) is None


def test_the_narrow_picture_says_what_the_wide_one_does(results, tmp_path) -> None:
    """The same marks in the same places; names, sizes and verdicts in their own lines."""
    own = sections(simulated(results, "closest reading", times=4.0))
    other = sections(simulated(tmp_path / "other", "stand-in", times=2.0))
    rows = forest([*own, *other])
    wide, narrow = draw_forest(rows), draw_narrow_forest(rows)
    assert wide is not None
    assert narrow is not None

    marks = [
        [float(line.get_xdata()[0]) for line in figure.axes[0].lines if line.get_marker() in "oD"]
        for figure in (wide, narrow)
    ]
    assert marks[0] == marks[1]
    assert len(marks[0]) == 3
    said = [text.get_text() for text in narrow.axes[0].texts]
    assert said[:5] == [
        "made_up: the paper's own data", "C09 ReLU against tanh", rows[0].shown, "weaker",
        "the paper: 6\u00d7",
    ]  # fmt: skip
    assert said[-2:] == [rows[1].shown, "same way"]
    narrow.draw_without_rendering()
    for text in narrow.axes[0].texts:
        box = text.get_window_extent()
        assert 0 <= box.x0 < box.x1 <= narrow.bbox.width, text.get_text()


def test_a_run_of_another_study_does_not_count_as_ours(results) -> None:
    """A record that no plan asks for changes nothing."""
    plan, store = filled(results, 2, tanh=[0.6, 0.3, 0.1], relu=[0.4, 0.0])
    before = facts(sections(store))
    assert {fact.name: fact.text for fact in before}["runs"].endswith("; studies incomplete: 1")
    stray = plan.run("tanh", 77)
    store.add(record_of(stray, [0.9], measures=measures_of(0.1, 0.2, 0.3)))

    assert facts(sections(store)) == before


def test_the_setting_is_the_plans(results) -> None:
    """`in_setting` changes it; the section says it."""
    plan, store = filled(results, 3, tanh=[0.6, 0.3, 0.1], relu=[0.4, 0.0])
    moved: Plan = in_setting(plan, "closest reading")
    for path in (results / "plans").glob("*.json"):
        path.unlink()
    store.write_plan(moved)

    assert sections(store)[0].comparison.setting == "closest reading"


def test_names_can_be_read_alone() -> None:
    """As sentences; where an older plan has none, with what was compared and of which study."""
    rows = {row.claim: row.label for row in forest(sections(Store(EVIDENCE)))}

    assert rows["C22"] == "Weight decay lowers the training error"
    assert rows["C23"] == "Biases that start at 1 speed up the start"
    assert rows["C13"] == "no LRN against the whole network"
    assert rows["C28"] == "One tower for colour, one for grey"


def test_sizes_go_the_way_that_their_sentences_and_places_go() -> None:
    """Of sentences that say "lowers": lower is to the right of nothing, higher to the left."""
    rows = [row for row in forest(sections(Store(EVIDENCE))) if " lower" in row.says]
    ways = {row.at > 0: set() for row in rows}
    for row in rows:
        ways[row.at > 0].add(row.shown.split(" [")[0].split()[-1])

    assert len(rows) > 10
    assert ways == {True: {"lower"}, False: {"higher"}}


def test_the_axis_keeps_distances(results) -> None:
    """As far from 4 times to 6 as from nothing to 1.5: a ratio of logs, 0.29 of what is between."""
    (row,) = forest(sections(simulated(results, "closest reading", times=4.0)))
    exact = row.model_copy(update={"at": math.log(4) / math.log(1.25)})
    figure = draw_forest([exact])
    assert figure is not None
    nothing, ours, paper = (
        figure.axes[0].transData.transform((x, 0))[0] for x in (0.0, exact.at, exact.paper)
    )

    assert (paper - ours) / (ours - nothing) == pytest.approx(math.log(1.5) / math.log(4))


def test_what_lies_beyond_the_axis_is_an_arrow_at_its_end(results) -> None:
    """Thirty margins, with an interval that begins on the axis; the paper's number is there too."""
    (row,) = forest(sections(simulated(results, "closest reading", times=4.0)))
    far = row.model_copy(update={"at": 30.0, "low": 9.0, "high": 50.0, "paper": 40.0})
    for figure in (draw_forest([far]), draw_narrow_forest([far])):
        assert figure is not None
        most = figure.axes[0].get_xlim()[1]
        marks = [(line.get_marker(), line.get_xdata()[0]) for line in figure.axes[0].lines
                 if len(line.get_xdata()) == 1]  # fmt: skip

        assert marks == [(">", most)] * 3
        assert collisions(figure) == []


def test_equality_has_every_difference_on_its_left(results) -> None:
    """Two margins lower or higher are two against; an interval around nothing ends there."""
    (section,) = sections(simulated(results, "closest reading", times=4.0))
    (effect,) = section.comparison.effects
    contrast = effect.contrast.but(paper=None, direction="equal", margin=1.25)
    update = {"contrast": contrast, "estimate": 1.25**0.5, "low": 1.25**-1, "high": 1.25**2}
    comparison = section.comparison.model_copy(
        update={"effects": (effect.model_copy(update=update),)}
    )

    (row,) = forest([section.model_copy(update={"comparison": comparison})])

    assert row.label.endswith(", predicted equal")
    assert (row.at, row.low, row.high) == pytest.approx((-0.5, -2.0, 0.0))
    assert in_margins(1.25**-2, effect.model_copy(update=update)) == pytest.approx(-2.0)
