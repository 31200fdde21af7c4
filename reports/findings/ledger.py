"""The ledger: every claim of the paper, what is known of it, and what was found here.

A claim without a result says why it has none. Results come from plans and records alone.
"""

import math
from collections.abc import Sequence
from typing import Literal

import pandas as pd

from ablations.claims import CLAIMS, Claim, Number
from ablations.contrast import RATIO_MARGIN
from ablations.plan import Plan
from alexnet.config import Frozen
from alexnet.data.catalogue import called
from reports.analysis.comparison import Comparison
from reports.analysis.effect import ON_THE_PAPERS_DATA, UNDECIDED, Effect
from reports.findings import counts
from reports.wording.formatting import unit
from reports.wording.sentences import counted_in, estimate, interval, named, word

State = Literal["decided", "elsewhere", "exploratory", "under way", "not run"]
COUNTED = "counted"
ORDER: tuple[State, ...] = ("decided", "elsewhere", "exploratory", "under way", "not run")
IMAGENET, NOT_YET = "Needs ImageNet", "Not run yet"
NEVER = "Procedures, which nobody judges, and what nobody can measure any more"
WHY_NOT = {
    "procedure": "what they did: shown, not judged",
    "result": "an absolute number; its images have not been trained on here",
    "effect": "no study of it yet",
}


class Finding(Frozen):
    """What one contrast says of a claim on one dataset, or a count of the built network."""

    dataset: str  # or whose network
    study: str  # study@dataset; empty for a count
    setting: str
    compared: str  # arm against arm, which gives the sign of what follows
    ours: str  # the effect with its interval and unit
    verdict: str
    command: str
    surprise: float | None  # how many times the margin it lies from what the claim says


class Row(Frozen):
    """A claim and what was found."""

    claim: Claim
    own: tuple[Finding, ...]  # on the paper's data
    elsewhere: tuple[Finding, ...]  # on other data, which settles nothing about the paper
    why_none: str  # why there is no verdict on the paper's data; empty if there is one
    command: str  # that would settle it, if one here could

    @property
    def trained(self) -> bool:
        """Whether something of it was trained, and not only counted."""
        return any(finding.setting != COUNTED for finding in self.own)

    @property
    def word(self) -> str:
        """The verdict on the paper's data; where several contrasts decide, each word once."""
        words = dict.fromkeys(f.verdict for f in self.own if f.verdict not in UNDECIDED)
        return " and ".join(sorted(words))

    @property
    def needs_imagenet(self) -> bool:
        """Whether nothing was trained for it, and its study runs on releases of ImageNet alone."""
        return self.claim.needs_imagenet and self.state == "not run"

    @property
    def state(self) -> State:
        """How far the claim has come."""
        if not self.why_none:
            return "decided"
        words = {finding.verdict for finding in self.elsewhere}
        if words & {"same way", "other way", "no effect", "open", "shown"}:
            return "elsewhere"  # complete, whether or not it decided anything
        if "exploratory" in words | {finding.verdict for finding in self.own}:
            return "exploratory"
        return "under way" if self.own or self.elsewhere else "not run"


def ledger(studies: Sequence[tuple[Plan, Comparison]]) -> list[Row]:
    """Return every claim: those decided first, the most surprising on top, then as numbered."""
    rows = [_row(claim, studies) for claim in CLAIMS.values()]

    def place(row: Row) -> tuple[int, float, str]:
        surprise = max((f.surprise or 0.0 for f in row.own), default=0.0)
        return ORDER.index(row.state), -surprise, row.claim.id

    return sorted(rows, key=place)


def groups(rows: Sequence[Row]) -> list[tuple[str, list[Row]]]:
    """Return the rows with results, and with a title each, three groups to be folded away."""
    found: dict[str, list[Row]] = {title: [] for title in ("", IMAGENET, NOT_YET, NEVER)}
    for row in rows:
        if row.state != "not run":
            found[""].append(row)
        elif row.needs_imagenet:
            found[IMAGENET].append(row)
        else:
            found[NOT_YET if row.claim.study else NEVER].append(row)
    return list(found.items())


def _row(claim: Claim, studies: Sequence[tuple[Plan, Comparison]]) -> Row:
    found: dict[bool, list[Finding]] = {True: [], False: []}
    for plan, comparison in studies:
        for effect in comparison.effects:
            finding = _finding(effect, plan, comparison)
            if effect.contrast.claim == claim.id and finding and not comparison.smoke:
                found[comparison.setting in ON_THE_PAPERS_DATA].append(finding)
    own, elsewhere = [*_counted(claim), *found[True]], found[False]
    return Row(
        claim=claim,
        own=tuple(own),
        elsewhere=tuple(elsewhere),
        why_none=_why_none(claim, own, bool(elsewhere)),
        command=own[0].command if own else _command(claim),
    )


def _command(claim: Claim) -> str:
    return f"invoke ablate --study {claim.study} --dataset paper" if claim.study else ""


def _why_none(claim: Claim, own: Sequence[Finding], elsewhere: bool) -> str:
    words = {finding.verdict for finding in own}
    if words - set(UNDECIDED):
        return ""
    if words == {"shown"}:
        return "shown by a study without verdicts"
    if "exploratory" in words:
        return "exploratory: runs are older than the plan, which may have been made knowing them"
    if own:
        return "under way: no verdict before all planned seeds"
    if elsewhere:
        return "not run as the paper has it; stand-ins settle nothing about the paper"
    if claim.needs:
        return f"needs {claim.needs}"
    return "not run in this folder" if claim.study else WHY_NOT[claim.kind]


def _counted(claim: Claim) -> list[Finding]:
    """Return what the built network says of a claim about its size."""
    found = counts.counts(claim)
    if not found:
        return []
    return [
        Finding(
            dataset=f"network {counts.PRESET}",
            study="",
            setting=COUNTED,
            compared="",
            ours=counts.in_words(found),
            verdict=counts.verdict(found),
            command=counts.COMMAND,
            surprise=max(
                0.0 if one.as_printed else _times(one.counted, one.printed.value) for one in found
            ),
        )
    ]


def _times(counted: float, printed: float) -> float:
    """Return how far a count is from what was printed, in the margins that ratios have."""
    return abs(math.log(counted / printed)) / math.log(RATIO_MARGIN)


def _finding(effect: Effect, plan: Plan, comparison: Comparison) -> Finding | None:
    if effect.estimate is None:
        return None
    bounds = f" [{interval(effect)}]" if interval(effect) != "-" else ""
    pairs = f"{effect.pairs} {counted_in(effect)}"
    return Finding(
        dataset=comparison.dataset,
        study=plan.name,
        setting=comparison.setting,
        compared=named(effect, comparison.effects),
        ours=f"{estimate(effect)} {unit(effect.metric)}{bounds}, {pairs}",
        verdict=effect.verdict,
        command=plan.registered.command,
        surprise=surprise(effect),
    )


def surprise(effect: Effect) -> float | None:
    """Return the distance from the paper's number in margins; None if there is nothing to say.

    Without a number: 1 if the effect is not there or goes the other way, else 0.
    """
    scale = math.log if effect.metric.is_ratio else float
    if effect.estimate is None or effect.verdict in UNDECIDED:
        return None
    expected = effect.contrast.paper
    if expected is None:
        against = ("absent", "reversed", "no effect", "other way")
        return 1.0 if effect.verdict in against else 0.0
    return abs(scale(effect.estimate) - scale(expected)) / scale(effect.margin)


def number(one: Number) -> str:
    """Return a number of the paper as it is read: "-1.4 points top-1"."""
    if abs(one.value) >= 1000:
        shown = f"{one.value:,.0f}"
    elif "top-" in one.unit and one.value == round(one.value, 1):  # as errors are printed
        shown = f"{one.value:.1f}"
    else:
        shown = f"{one.value:g}"
    text = f"{shown} {one.unit}"
    return f"{text} ({one.of})" if one.of else text


def numbers(several: Sequence[Number]) -> str:
    """Return numbers in a row, or a dash."""
    return ", ".join(number(one) for one in several) or "-"


def _cell(findings: Sequence[Finding]) -> str:
    return "; ".join(map(_said, findings)) or "-"


def _said(one: Finding) -> str:
    what = f"{one.compared}, " if one.compared else ""
    return f"{word(one.verdict)}: {what}{one.ours} ({called(one.dataset)}, {one.setting})"


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
            _cell(row.own),
            _cell(row.elsewhere),
            row.why_none or "-",
            row.command or "-",
        ]
        for row in rows
    ]
    return pd.DataFrame(
        cells,
        columns=["claim", "says", "section", "kind", "paper", "2012 log", "independent",
                 "ours, on its data", "ours, elsewhere", "why no verdict", "command"],
    )  # fmt: skip
