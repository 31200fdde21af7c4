"""Everything that a report says, as data: `report.json`, with its own digest.

What depends on clocks, dates and machines lies apart under ``measured``: all else is the same,
byte for byte, for equal runs. One word does follow from dates: ``exploratory``, where a run is
older than its plan.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from alexnet.config.base import canonical
from alexnet.sealed import SEAL, SealError, parsed, read_bytes, sealed, unsealed
from reports.analysis.comparison import Comparison
from reports.findings.copies import CopyRow
from reports.findings.deviations import Deviation
from reports.findings.forest import ForestRow
from reports.findings.headline import Answer, Fact
from reports.findings.ledger import Row
from reports.findings.paper_tables import Result
from reports.findings.provenance import Provenance
from reports.findings.sections import OneRun, Section
from reports.findings.shares import FrontRows

SCHEMA = 4
APART = ("digest", "measured", SEAL)
"""What the digest of a report is not of: itself, what clocks and machines say, the file's seal."""


class ReportError(ValueError):
    """A report that cannot be read; the message names it and what to do."""


def document(
    found: Sequence[Section],
    claims: Sequence[Row],
    front: Answer,
    facts: Sequence[Fact],
    shares: FrontRows,
    forest: Sequence[ForestRow],
    in_force: Sequence[Deviation],
    made: Provenance,
    problems: Sequence[str],
    errors: Sequence[Result],
    of_copies: Sequence[CopyRow],
) -> dict[str, Any]:
    """Return the content of a report, its digest, and what was measured on clocks."""
    content = {
        "schema_version": SCHEMA,
        "answer": front.model_dump(mode="json"),
        "studies": {section.name: _study(section) for section in found},
        "ledger": [_claim(row) for row in claims],
        "shares": [row.model_dump(mode="json") for row in shares.shares],
        "forest": [row.model_dump(mode="json") for row in forest],
        "deviations": [row.model_dump(mode="json") for row in in_force],
        "errors": [row.model_dump(mode="json") for row in errors],
        "copies": [row.model_dump(mode="json") for row in of_copies],
    }
    measured = {
        "facts": {fact.name: fact.text for fact in facts},
        "provenance": made.model_dump(mode="json"),
        "commands": {row.claim.id: row.command for row in claims if row.command},
        "studies": {section.name: _measured(section) for section in found},
        "set_aside": list(problems),
    }
    return content | {"digest": digest(content), "measured": measured}


def digest(content: dict[str, Any]) -> str:
    """Return the SHA-256, in hex, of a report's content, whatever was measured on clocks."""
    apart = {name: value for name, value in content.items() if name not in APART}
    return hashlib.sha256(canonical(apart).encode()).hexdigest()


def to_json(content: dict[str, Any]) -> str:
    """Return a report as JSON, the same for the same content."""
    return json.dumps(sealed(content), indent=1, sort_keys=True, allow_nan=False) + "\n"


def read(path: Path) -> dict[str, Any]:
    """Return the report in a file.

    Raises:
        ReportError: If it is not one, of another schema, or was edited.
    """
    try:
        content = parsed(read_bytes(path))
        schema, _ = content["schema_version"], content["digest"]
    except (SealError, KeyError) as error:
        raise ReportError(f"{path} is not a report; `invoke report` writes report.json") from error
    except OSError as error:
        raise ReportError(f"{path} cannot be read ({error.strerror})") from error
    if schema != SCHEMA:
        raise ReportError(f"{path} is of schema {str(schema)[:20]}, not {SCHEMA}; write it anew")
    try:
        return unsealed(content)
    except SealError as error:
        raise ReportError(f"{path} {error}; write it anew") from error


def _claim(row: Row) -> dict[str, Any]:
    """Return what is known of a claim, without the commands that it was registered with."""
    content: dict[str, Any] = row.model_dump(mode="json", exclude={"command"})
    for finding in (*content["own"], *content["elsewhere"]):
        del finding["command"]
    return content


def _study(section: Section) -> dict[str, Any]:
    """Return what a study asked, did and came to."""
    plan, comparison = section.plan, section.comparison
    definition = plan.definition
    return {
        # A plan has the cores of the machine that registered it; no run depends on them.
        "definition": definition.model_dump(mode="json", exclude={"arms", "threads"}),
        "about": plan.about.model_dump(mode="json", exclude={"passes", "source"}),
        "headline": section.headline,
        "side_effects": list(section.side_effects),
        "arms": {
            arm: {"differs": section.differs[arm], "config": config.model_dump(mode="json")}
            for arm, config in definition.arms.items()
        },
        "choices": {
            arm: choice.model_dump(mode="json") for arm, choice in sorted(plan.choices.items())
        },
        "runs": _runs(section.runs),
        "comparison": _comparison(comparison),
        "second_look": _comparison(section.second_look) if section.second_look else None,
        "later_runs": _runs(section.later_runs),
    }


def _runs(by_arm: Mapping[str, Sequence[OneRun]]) -> dict[str, list[dict[str, Any]]]:
    return {arm: [run.model_dump(mode="json") for run in runs] for arm, runs in by_arm.items()}


DATED = ("older", "made_by", "since")
"""Of a comparison, what tells of dates and machines."""


def _comparison(comparison: Comparison) -> dict[str, Any]:
    content: dict[str, Any] = comparison.model_dump(mode="json", exclude=set(DATED))
    for effect in content["effects"]:
        del effect["seconds_ratio"], effect["known_before"]
    return content


def _measured(section: Section) -> dict[str, Any]:
    plan, comparison = section.plan, section.comparison
    return {
        "plan": plan.definition.digest,
        "threads": plan.definition.threads,
        "registered": plan.registered.model_dump(mode="json"),
        "first_run": section.first_run.isoformat() if section.first_run else None,
        "first_compared": section.first_compared.isoformat() if section.first_compared else None,
        "seconds": round(sum(section.seconds.values()), 1),
        "timings": {a: timing.model_dump(mode="json") for a, timing in plan.timings.items()},
        "seconds_ratio": {e.contrast.between: e.seconds_ratio for e in comparison.effects},
        "known_before": {e.contrast.between: e.known_before for e in comparison.effects},
        **{name: list(getattr(comparison, name)) for name in DATED},
    }
