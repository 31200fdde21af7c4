"""What GitHub Actions shows of a smoke: error lines, and a summary in Markdown."""

import os
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from reports.smoke.outcomes import MOVED, Outcome, furthest_first, in_short

MOST = 10
"""Error lines; GitHub shows no more of a step."""


def is_there() -> bool:
    """Whether this runs under GitHub Actions."""
    return os.environ.get("GITHUB_ACTIONS") == "true"


def tell(console: Console, outcomes: Sequence[Outcome], headline: str, why: str) -> None:
    """Print error lines, and add to the job's summary.

    Args:
        console: What the runner reads.
        outcomes: Of every arm.
        headline: How many changed, in a sentence.
        why: What they have in common; empty if there is nothing to say.
    """
    wrong = [one for one in outcomes if one.kind in MOVED or one.kind == "failed"]
    if wrong or any(one.kind == "left out" for one in outcomes):
        for line in error_lines(wrong, f"{headline} {why}".strip()):
            console.print(line, soft_wrap=True, markup=False)
    if path := os.environ.get("GITHUB_STEP_SUMMARY"):
        try:
            with Path(path).open("a", encoding="utf-8") as file:
                file.write(summary(wrong, headline, why))
        except OSError as error:  # what the check has found matters more
            said = f"the summary cannot be written to {path} ({error.strerror})"
            console.print(f"::warning title=smoke ablations::{_escaped(said)}", soft_wrap=True,
                          markup=False)  # fmt: skip


def error_lines(wrong: Sequence[Outcome], headline: str) -> list[str]:
    """Return at most ten commands that GitHub shows as errors, the first one of all together."""
    lines = [f"::error title=smoke ablations::{_escaped(headline)}"]
    for group in furthest_first(wrong)[: MOST - 1]:
        # A title ends at a comma or colon; names of arms have both.
        title = _escaped(in_short(group)).replace(":", "%3A").replace(",", "%2C")
        lines.append(f"::error title={title}::{_escaped(group[0].text)}")
    return lines


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def summary(wrong: Sequence[Outcome], headline: str, why: str) -> str:
    """Return the smoke in Markdown: a sentence or two, and a row for each arm that is not right."""
    by_distance = [one for group in furthest_first(wrong) for one in group]
    lines = ["### Smoke ablations", "", headline, *([why] if why else []), ""]
    if wrong:
        lines += ["| arm | | |", "| --- | --- | --- |"]
        lines += [f"| {_cell(o.arm)} | {o.kind} | {_cell(o.text)} |" for o in by_distance]
        lines.append("")
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())
