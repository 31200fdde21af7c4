"""The ledger: every claim of the paper, what is known of it, and what was found here.

A claim without a result says why it has none. Results come from plans and records alone.
"""

import math
from collections.abc import Sequence
from typing import Literal

import pandas as pd

from ablations.claims import CLAIMS, Claim, Number
from ablations.plan import Plan
from alexnet.config import Frozen
from reports.comparison import Comparison
from reports.effect import ON_THE_PAPERS_DATA, Effect
from reports.words import estimate, interval, unit

State = Literal["decided", "practice", "under way", "not run"]
WHY_NOT = {
    "count": "to be counted on the built network; not counted yet",
    "procedure": "what they did: shown, not judged",
    "result": "an absolute number; its images have not been trained on here",
    "effect": "no study of it yet",
}


class Finding(Frozen):
    """What one contrast says of a claim on one dataset."""

    dataset: str
    setting: str
    ours: str  # the effect with its interval and unit
    verdict: str
    command: str
    surprise: float | None  # how many times the margin it lies from what the claim says


class Row(Frozen):
    """A claim and what was found."""

    claim: Claim
    findings: tuple[Finding, ...]  # the paper's own data first
    why_none: str  # why there is no verdict in the paper's setting; empty if there is one
    command: str  # that would settle it, if one here could

    @property
    def state(self) -> State:
        """How far the claim has come."""
        if not self.why_none:
            return "decided"
        words = {finding.verdict for finding in self.findings}
        if words & {"same way", "other way", "no effect"}:
            return "practice"
        return "under way" if self.findings else "not run"


def ledger(studies: Sequence[tuple[Plan, Comparison]]) -> list[Row]:
    """Return every claim: those decided first, the most surprising on top, then as numbered."""
    rows = [_row(claim, studies) for claim in CLAIMS.values()]
    order: list[State] = ["decided", "practice", "under way", "not run"]

    def place(row: Row) -> tuple[int, float, str]:
        surprise = max((f.surprise or 0.0 for f in row.findings), default=0.0)
        decided = row.state == "decided"
        return order.index(row.state), -surprise if decided else 0.0, row.claim.id

    return sorted(rows, key=place)


def _row(claim: Claim, studies: Sequence[tuple[Plan, Comparison]]) -> Row:
    found = [
        (finding, comparison.setting in ON_THE_PAPERS_DATA)
        for plan, comparison in studies
        if not comparison.smoke
        for effect in comparison.effects
        if effect.contrast.claim == claim.id
        and (finding := _finding(effect, plan, comparison)) is not None
    ]
    found.sort(key=lambda one: not one[1])
    judged = any(own and f.verdict not in ("not run", "incomplete") for f, own in found)
    started = any(own for _, own in found)
    command = f"invoke ablate --study {claim.study} --dataset paper" if claim.study else ""
    if judged:
        why_none = ""
    elif started:
        why_none = "under way: no verdict before all planned seeds"
    elif found:
        why_none = "practice data only, which settles nothing about the paper"
    elif claim.study:
        why_none = "not run in this folder"
    elif claim.needs:
        why_none = f"needs {claim.needs}"
    else:
        why_none = WHY_NOT[claim.kind]
    return Row(
        claim=claim,
        findings=tuple(finding for finding, _ in found),
        why_none=why_none,
        command=command,
    )


def _finding(effect: Effect, plan: Plan, comparison: Comparison) -> Finding | None:
    if effect.estimate is None:
        return None
    bounds = f" [{interval(effect)}]" if interval(effect) != "-" else ""
    return Finding(
        dataset=comparison.dataset,
        setting=comparison.setting,
        ours=f"{estimate(effect)} {unit(effect.metric)}{bounds}, {effect.pairs} seeds",
        verdict=effect.verdict,
        command=plan.registered.command,
        surprise=_surprise(effect),
    )


def _surprise(effect: Effect) -> float | None:
    """Return the distance from the paper's number, or from nothing, in margins."""
    scale = math.log if effect.metric.is_ratio else float
    if effect.estimate is None:
        return None
    expected = effect.contrast.paper
    if expected is None:
        return 1.0 if effect.verdict in ("absent", "reversed") else 0.0
    return abs(scale(effect.estimate) - scale(expected)) / scale(effect.contrast.margin)


def number(one: Number) -> str:
    """Return a number of the paper as it is read: "-1.4 points top-1"."""
    if abs(one.value) >= 1000:
        shown = f"{one.value:,.0f}"
    elif "top-" in one.unit:  # printed to one digit, logged to four
        shown = f"{one.value:.1f}" if one.value == round(one.value, 1) else f"{one.value:.4g}"
    else:
        shown = f"{one.value:g}"
    text = f"{shown} {one.unit}"
    return f"{text} ({one.of})" if one.of else text


def numbers(several: Sequence[Number]) -> str:
    """Return numbers in a row, or a dash."""
    return ", ".join(number(one) for one in several) or "-"


def ledger_table(rows: Sequence[Row]) -> pd.DataFrame:
    """Return the ledger as a table, every cell as it is read."""
    cells = [
        [
            row.claim.id,
            row.claim.says,
            row.claim.section,
            row.claim.kind,
            numbers(row.claim.paper),
            numbers(row.claim.log),
            numbers(row.claim.independent),
            "; ".join(f"{f.dataset}: {f.ours}" for f in row.findings) or "-",
            "; ".join(f"{f.verdict} ({f.setting})" for f in row.findings) or "-",
            row.why_none or "-",
            row.command or "-",
        ]
        for row in rows
    ]
    return pd.DataFrame(
        cells,
        columns=["claim", "says", "section", "kind", "paper", "2012 log", "independent", "ours",
                 "verdict (setting)", "why none", "command"],
    )  # fmt: skip
