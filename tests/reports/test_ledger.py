"""Every claim of the paper in the report, with a verdict or the reason why there is none."""

import pytest

from ablations.claims import CLAIMS, Number
from ablations.plan import Plan
from ablations.store import Store
from reports.analysis.comparison import Comparison
from reports.evidence import EVIDENCE
from reports.findings.counts import Count
from reports.findings.headline import counts
from reports.findings.ledger import NEVER, Row, groups, ledger, ledger_table
from reports.findings.records import comparison_of
from reports.findings.sections import sections
from tests.builders.plans import filled, in_setting


def row_of(claim: str, rows: list[Row]) -> Row:
    """Return the row of a claim."""
    return next(row for row in rows if row.claim.id == claim)


def compared(results, setting: str, seeds: int = 3) -> tuple[Plan, Comparison]:
    """Return ReLU against tanh, twice as fast in every one of some seeds of three."""
    plan, store = filled(results, seeds, tanh=[0.6, 0.3, 0.1], relu=[0.4, 0.0])
    plan = in_setting(plan, setting)
    return plan, comparison_of(plan, store)


COUNTED = ("C05", "C17", "C04")


def test_without_a_run_every_claim_says_why() -> None:
    """What was counted on the network first, then the others in the paper's order, and why."""
    rows = ledger([])
    others = [id_ for id_ in CLAIMS if id_ not in COUNTED]

    assert [row.claim.id for row in rows] == [*COUNTED, *others]
    assert all(row.why_none for row in rows if row.claim.id not in COUNTED)
    reasons = {row.claim.id: row.why_none for row in rows}
    assert reasons["C09"] == "not run in this folder"
    assert reasons["C06"] == "needs graphics cards of 2010"
    assert reasons["C08"] == "what they did: shown, not judged"


@pytest.mark.parametrize(
    ("setting", "seeds", "state", "why"),
    [
        ("closest reading", 3, "decided", ""),
        ("closest reading", 2, "under way", "under way: no verdict before all planned seeds"),
        (
            "stand-in",
            3,
            "elsewhere",
            "not run as the paper has it; stand-ins settle nothing about the paper",
        ),
    ],
)
def test_a_result_comes_first_with_its_setting(setting, seeds, state, why, results) -> None:
    """Three seeds of two arms decide nothing (p = 0.25), which is a verdict on the paper's data."""
    row = row_of("C09", ledger([compared(results, setting, seeds)]))

    assert row.state == state
    assert row.why_none.startswith(why)
    assert bool(row.why_none) == bool(why)
    finding = (row.elsewhere if setting == "stand-in" else row.own)[0]
    assert finding.setting == setting
    assert finding.ours.startswith("2.00 times [")
    paper = "invoke ablate --study relu_vs_tanh --dataset paper"
    assert row.command == (paper if setting == "stand-in" else finding.command)


def test_averaged_networks_are_counted_in_groups() -> None:
    """Of the shipped evidence: ten seeds are two groups of five; of single networks, ten."""
    found = sections(Store(EVIDENCE))
    rows = ledger([(section.plan, section.comparison) for section in found])

    averaged, single = row_of("C25", rows).elsewhere, row_of("C13", rows).elsewhere
    assert {one.ours.rpartition(", ")[2] for one in averaged} == {"2 groups of seeds"}
    assert {one.ours.rpartition(", ")[2] for one in single} == {"10 seeds"}


def test_the_papers_own_data_and_practice_data_stand_apart(results, tmp_path) -> None:
    """And the verdict on the paper's own is the row's."""
    practice = compared(results, "stand-in")
    own = compared(tmp_path / "own", "closest reading")

    row = row_of("C09", ledger([practice, own]))

    assert [finding.setting for finding in row.own] == ["closest reading"]
    assert [finding.setting for finding in row.elsewhere] == ["stand-in"]
    assert row.state == "decided"


def test_what_was_not_run_is_folded_by_what_it_needs(results) -> None:
    """Three claims have a study on ImageNet alone; 16 can be run on small images; 8 have none."""
    empty = {title: [row.claim.id for row in rows] for title, rows in groups(ledger([]))}

    assert list(empty) == ["", "Needs ImageNet", "Not run yet", NEVER]
    assert empty[""] == [*COUNTED]
    assert len(empty["Not run yet"]) == 16
    assert {"C02", "C09", "C10", "C14", "C16", "C30"} <= set(empty["Not run yet"])
    assert empty[NEVER] == ["C06", "C07", "C08", "C11", "C12", "C19", "C24", "C26"]
    assert set(empty["Needs ImageNet"]) == {"C01", "C03", "C27"}

    some = dict(groups(ledger([compared(results, "stand-in")])))
    assert len(some["Not run yet"]) == 15
    assert "C09" in {row.claim.id for row in some[""]}


@pytest.mark.parametrize(
    ("words", "word"),
    [
        (["weaker", "absent", "weaker"], "absent and weaker"),
        (["shown", "holds", "incomplete"], "holds"),
        (["shown"], ""),
    ],
)
def test_a_claim_has_one_word_of_all_its_contrasts(words, word, results) -> None:
    """Each decided word once; what is shown or under way says nothing."""
    row = row_of("C09", ledger([compared(results, "closest reading")]))
    several = tuple(row.own[0].model_copy(update={"verdict": one}) for one in words)

    assert row.model_copy(update={"own": several}).word == word


@pytest.mark.parametrize("setting", ["closest reading", "stand-in"])
def test_what_is_exploratory_is_counted_apart(setting: str, results) -> None:
    """Neither decided nor under way, on whichever data; the ledger says why there is no verdict."""
    plan, comparison = compared(results, setting)
    effects = tuple(e.model_copy(update={"verdict": "exploratory"}) for e in comparison.effects)
    rows = ledger([(plan, comparison.model_copy(update={"effects": effects}))])
    row = row_of("C09", rows)

    assert row.state == "exploratory"
    assert row.word == ""
    assert ("runs are older than the plan" in row.why_none) == (setting == "closest reading")
    assert "0 on the paper's own data, 1 exploratory, 18 not yet" in counts(rows)


@pytest.mark.parametrize(
    ("claim", "verdict", "ours"),
    [
        ("C04", "as printed", "60,965,224 parameters; 659,272 neurons"),
        ("C05", "misprint", "conv3 1.45 %, not at most 1 %"),
        ("C17", "misprint", "conv1 290,400, not 253,440; the 8 others as printed"),
    ],
)
def test_counts_are_judged_on_the_built_network(claim: str, verdict: str, ours: str) -> None:
    """55 x 55 x 96 is 290,400; 885,120 of 60,965,224 is 1.45 %; 60 million is cut, not rounded."""
    row = row_of(claim, ledger([]))

    assert row.state == "decided"
    assert [(f.verdict, f.ours) for f in row.own] == [(verdict, ours)]
    assert row.command == "invoke presets --name paper"


def test_what_is_decided_comes_before_what_is_not(results) -> None:
    """The most surprising first: a third of six is farther than 1.45 of 1."""
    rows = ledger([compared(results, "closest reading")])

    assert [row.claim.id for row in rows[:4]] == ["C09", *COUNTED]


@pytest.mark.parametrize(
    ("printed", "counted", "kind", "agrees"),
    [
        (650_000, 659_272, "round", True),  # cut
        (650_000, 645_001, "round", True),  # rounded
        (650_000, 640_500, "round", False),
        (650_000, 660_000, "round", False),
        (4_096, 4_096, "exact", True),
        (4_096, 4_097, "exact", False),
        (1_000, 1_000, "exact", True),
        (1_000, 1_001, "exact", False),
        (1_000, 10, "exact", False),
        (1, 1.0, "limit", True),
        (1, 1.01, "limit", False),
        (1, 0.2, "limit", True),
    ],
)
def test_a_count_agrees_to_the_digits_printed(printed, counted, kind, agrees) -> None:
    """Exactly, to the leading digits where a number is round, or within a limit."""
    number = Number(
        value=printed, unit="neurons", is_limit=kind == "limit", is_round=kind == "round"
    )

    assert Count(printed=number, counted=counted, of="x").as_printed is agrees


def test_the_table_has_a_cell_for_everything() -> None:
    """Numbers with units; a dash where there is none."""
    table = ledger_table(ledger([])).set_index("claim")

    assert table.loc["C13", "2012 log"] == "-1.37 points top-1, -1.152 points top-5"
    assert table.loc["C13", "independent"] == "0.1 points top-1 (LRN)"
    assert table.loc["C16", "paper"] == "-"
    assert table.shape == (30, 10)
