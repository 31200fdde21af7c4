"""Every claim of the paper in the report, with a verdict or the reason why there is none."""

import pytest
from test_comparison import filled

from ablations.claims import CLAIMS
from ablations.plan import Plan
from reports.comparison import Comparison, compare
from reports.ledger import ledger, ledger_table


def on_cifar(plan: Plan, setting: str) -> Plan:
    """Return a plan as if it were of another setting."""
    definition = plan.definition.model_copy(update={"setting": setting})
    return plan.model_copy(update={"definition": definition})


def compared(results, setting: str, seeds: int = 3) -> tuple[Plan, Comparison]:
    """Return ReLU against tanh, twice as fast in every one of some seeds of three."""
    plan, store = filled(results, seeds, tanh=[0.6, 0.3, 0.1], relu=[0.4, 0.0])
    plan = on_cifar(plan, setting)
    return plan, compare(plan, store)


def test_without_a_run_every_claim_says_why() -> None:
    """Thirty rows in the paper's order, none with a verdict."""
    rows = ledger([])

    assert [row.claim.id for row in rows] == list(CLAIMS)
    assert all(row.why_none for row in rows)
    reasons = {row.claim.id: row.why_none for row in rows}
    assert reasons["C09"] == "not run in this folder"
    assert reasons["C06"] == "needs graphics cards of 2010"
    assert reasons["C04"] == "to be counted on the built network; not counted yet"
    assert reasons["C08"] == "what they did: shown, not judged"


@pytest.mark.parametrize(
    ("setting", "seeds", "state", "why"),
    [
        ("closest reading", 3, "decided", ""),
        ("closest reading", 2, "under way", "under way: no verdict before all planned seeds"),
        (
            "stand-in",
            3,
            "under way",
            "not run on the paper's data; other data settles nothing about the paper",
        ),
    ],
)
def test_a_result_comes_first_with_its_setting(setting, seeds, state, why, results) -> None:
    """Three seeds of two arms decide nothing (p = 0.25), which is a verdict on the paper's data."""
    row = ledger([compared(results, setting, seeds)])[0]

    assert row.claim.id == "C09"
    assert row.state == state
    assert row.why_none.startswith(why)
    assert bool(row.why_none) == bool(why)
    finding = (row.elsewhere if setting == "stand-in" else row.own)[0]
    assert finding.setting == setting
    assert finding.ours.startswith("2.00 times [")
    paper = "invoke ablate --study relu_vs_tanh --dataset paper"
    assert row.command == (paper if setting == "stand-in" else finding.command)


def test_the_papers_own_data_and_practice_data_stand_apart(results, tmp_path) -> None:
    """And the verdict on the paper's own is the row's."""
    practice = compared(results, "stand-in")
    own = compared(tmp_path / "own", "closest reading")

    row = ledger([practice, own])[0]

    assert [finding.setting for finding in row.own] == ["closest reading"]
    assert [finding.setting for finding in row.elsewhere] == ["stand-in"]
    assert row.state == "decided"


def test_the_table_has_a_cell_for_everything() -> None:
    """Numbers with units; a dash where there is none."""
    table = ledger_table(ledger([])).set_index("claim")

    assert table.loc["C13", "2012 log"] == "-1.37 points top-1, -1.152 points top-5"
    assert table.loc["C13", "independent"] == "0.1 points top-1 (LRN)"
    assert table.loc["C16", "paper"] == "-"
    assert table.shape == (30, 10)
