"""Plans, records and every other file of ours: bytes damaged, and JSON edited."""

import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import common
import torch
from cases import Hung, limited, place_of, results_of
from common import Counts, Place
from mutations import as_json, damaged, edited, nested

from ablations.checkpoint import Checkpoint, CheckpointError
from ablations.plan import Plan, PlanError
from ablations.record import Record, RecordError
from ablations.store import Store
from alexnet.data.manifest import DatasetError
from alexnet.data.stored import stored
from alexnet.sealed import seal_of
from reports.findings.verification import FILE, read_verified
from reports.page import document
from reports.page.report import gather
from reports.smoke.baseline import Baseline, BaselineError


class Target(NamedTuple):
    """A kind of file: what is in it, where it has to lie, and who reads it."""

    content: bytes
    name: str
    read: Callable[[Path], Any]
    refuses: type[Exception]


def targets(place: Place) -> dict[str, Target]:
    """Return every kind of file of ours."""
    whole = results_of(place)
    plan = next((whole / "plans").glob("*.json"))
    record = next(one for one in Store(whole).records() if one.run.sees_test)
    tensors = {"conv1.weight": torch.arange(24.0).reshape(4, 6), "bias": torch.zeros(3)}
    made = Checkpoint(record.run.id, tensors, record.curve, 0, record.fingerprint)

    def checkpoint(path: Path) -> Any:
        shapes = {name: one.shape for name, one in tensors.items()}
        found = Checkpoint.read(path, record.run.id, shapes)
        values = {name: tensor.tolist() for name, tensor in found.tensors.items()}
        return values, list(found.curve), found.interruptions, found.fingerprint

    def manifest(path: Path) -> Any:
        return stored("noise", path.parent.parent)

    def verified(path: Path) -> Any:
        found, problems = read_verified(Store(path.parent))
        if problems and "treated as absent" in problems[0]:
            raise document.ReportError(problems[0])
        return found, problems

    return {
        "plan": Target(plan.read_bytes(), f"plans/{plan.name}", Plan.read, PlanError),
        "record": Target(
            (Store(whole).folder(record.run) / "record.json").read_bytes(), "record.json",
            Record.read, RecordError,
        ),
        "checkpoint": Target(
            made.to_bytes(), "checkpoint.safetensors", checkpoint, CheckpointError
        ),
        "manifest": Target(
            (place.data / "noise" / "manifest.json").read_bytes(), "noise/manifest.json", manifest,
            DatasetError,
        ),
        "baseline": Target(
            (common.ROOT / "reports" / "smoke" / "baseline.json").read_bytes(), "baseline.json",
            Baseline.read, BaselineError,
        ),
        "verified": Target(
            (whole / FILE).read_bytes(), f"whole/{FILE}", verified, document.ReportError
        ),
        "report.json": Target(
            (whole / "report" / "report.json").read_bytes(), "report.json", document.read,
            document.ReportError,
        ),
    }  # fmt: skip


def files(place: Place, counts: Counts, cases: int, chance: random.Random) -> None:
    """Damage and edit files of ours; what is believed must be what was written."""
    box, known = place.folder / "box", targets(place)
    shutil.copytree(results_of(place) / "runs", box / "whole" / "runs")
    truths = {what: _read_in(box, target, target.content) for what, target in known.items()}
    for number in range(cases):
        what = sorted(known)[number % len(known)]
        target, kind = known[what], f"files: {what}"
        content, sealed_anew = _changed(what, target.content, chance)
        try:
            with limited():
                found = _read_in(box, target, content)
                if sealed_anew:
                    _use(what, found, place)
        except target.refuses:
            counts.add(kind, "refused")
        except (Hung, Exception) as error:
            counts.add(kind, "BAD", f"case {number}: {place_of(error)}")
        else:
            wrong = not sealed_anew and found != truths[what]
            came = "unchanged" if content == target.content else "believed"
            counts.add(kind, came, f"case {number} is believed and says otherwise" if wrong else "")


def _read_in(box: Path, target: Target, content: bytes) -> Any:
    path = box / target.name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return target.read(path)


def _changed(what: str, content: bytes, chance: random.Random) -> tuple[bytes, bool]:
    """Return a file with a change, and whether its digest was made anew."""
    kind = chance.random()
    if what == "checkpoint" or kind < 0.4:
        for _ in range(chance.choice((1, 1, 1, 3))):
            content = damaged(content, chance)
        return content, False
    if kind < 0.42:
        return nested(chance.choice((100, 10_000, 200_000))), False
    said = json.loads(content)
    changed = edited(said, chance)
    if kind < 0.7:
        return as_json(changed), False
    inside = {name: value for name, value in changed.items() if name != "sha256"}
    try:
        return as_json(inside | {"sha256": seal_of(inside)}), True
    except (ValueError, UnicodeEncodeError):
        return as_json(changed), False


def _use(what: str, found: Any, place: Place) -> None:
    """Let a report be made of what was edited by somebody who made the digest anew."""
    if what not in ("plan", "record"):
        return
    whole, results = results_of(place), place.folder / "used"
    shutil.rmtree(results, ignore_errors=True)
    if what == "plan":
        (results / "plans").mkdir(parents=True)
        (results / "runs").symlink_to(whole / "runs")
        (results / "plans" / f"{found.name}.json").write_text(found.to_json())
    else:
        shutil.copytree(whole / "plans", results / "plans")
        Store(results).add(found)
    gather(Store(results))
