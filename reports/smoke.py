"""`ablate --study all --smoke`: what has moved, and what has all of it in common?"""

import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from ablations.machine import Fingerprint
from reports import github, words
from reports.baseline import Baseline, BaselineError, make, refuse_failures, said_of
from reports.check import Check
from reports.culprit import culprit
from reports.exit_codes import CHANGED, FAILED, INTERRUPTED, TIME_LIMIT
from reports.junit import write_junit
from reports.outcomes import MOVED, Kind, Outcome, alone, held_against, outcomes_of
from reports.request import Request
from reports.smoke_runs import (
    COMMON,
    NATIVE,
    PRECISION,
    Conditions,
    Smoke,
    Smoked,
    Training,
    elsewhere,
    trainings,
)
from reports.terminal import say
from reports.time_limit import TimeLimit

PER_LINE = 64
NAMED = 8
"""Arms that are named each; of more, the number and the furthest are enough to read."""


def smoke_all(request: Request, console: Console, check: Check) -> int:
    """Train every arm of every study for a few updates; return the exit code.

    0: all trained and, with a baseline, agree; 1: some failed; 3: some differ; 4: the time limit
    was reached before all were trained.
    """
    check.refuse(request)
    baseline = Baseline.read(check.path) if check.path and not check.update else None
    todo = trainings(request, console)
    arms = sum(len(one.arms) for one in todo)
    images = "generated colour images" if request.dataset is None else request.dataset
    say(
        console,
        "smoke",
        f"{arms} arms of all that it can show, {len(todo)} different trainings; {images}, "
        f"{PRECISION}",
    )
    if request.dry_run:
        say(console, "dry run", "nothing was written and nothing trained")
        return 0
    if check.path and check.update:
        return _update(request, console, check.path, check.reason or "", todo)
    start = time.monotonic()
    limit = TimeLimit(request.time_limit)
    smoke = Smoke(request, console, todo)
    code = 0
    try:
        with limit:
            _introduce(console, smoke.start(), baseline)
            _train(smoke, console, baseline)
    except KeyboardInterrupt:
        console.print()
        code = limit.stopped(console, "what was trained until now follows")
    finally:
        smoke.close()
    found = smoke.found()
    outcomes = held_against(baseline, found) if baseline else alone(found)
    _conclude(console, outcomes, found, check, time.monotonic() - start)
    if check.junit:
        write_junit(check.junit, outcomes, _seconds(found))
    return _code(outcomes, code)


def _code(outcomes: Sequence[Outcome], stopped: int) -> int:
    """Return the exit code: what is wrong before what is missing, but for Ctrl-C."""
    kinds = {one.kind for one in outcomes}
    if stopped == INTERRUPTED:
        return INTERRUPTED
    if "failed" in kinds:
        return FAILED
    if kinds & set(MOVED):
        return CHANGED
    return TIME_LIMIT if "left out" in kinds else 0


def _introduce(console: Console, fingerprint: Fingerprint, baseline: Baseline | None) -> None:
    say(console, "here", said_of(fingerprint))
    if baseline is None:
        return
    made = baseline.made_with
    say(console, "baseline", made.text)
    if not any(f", {fingerprint.capability}," in where for where in made.measured_over):
        say(
            console,
            "warning",
            f"its tolerances were not measured over {fingerprint.capability} instructions",
        )


def _train(smoke: Smoke, console: Console, baseline: Baseline | None) -> None:
    """Train all, a mark for each."""
    expected = baseline.by_arm if baseline else {}
    for number, one in enumerate(smoke.train(), start=1):
        outcomes = outcomes_of(one, expected) if baseline else alone([one])
        right = all(outcome.kind == "agrees" for outcome in outcomes)
        console.print("." if right else "F", end="\n" if number % PER_LINE == 0 else "")
    console.print()


def _conclude(
    console: Console,
    outcomes: Sequence[Outcome],
    found: Sequence[Smoked],
    check: Check,
    seconds: float,
) -> None:
    """Say what failed, what changed, what the changed ones have in common, and what was left."""
    why = _culprit(outcomes, found)
    headline = _headline(outcomes, check.path is not None)
    for one in outcomes:
        if one.kind == "failed":
            say(console, "FAILED", f"{one.arm}: {one.text}")
    moved = github.furthest_first([one for one in outcomes if one.kind in MOVED])
    if moved:
        say(console, "CHANGED", headline)
    if why:
        say(console, "", why)
    if moved:
        for number, one in enumerate(moved[:NAMED]):
            say(console, "furthest" if number == 0 else "", f"{one.arm}, {one.text}")
        say(console, "intended?", check.renewal)
    if left := [one.arm for one in outcomes if one.kind == "left out"]:
        more = f" and {len(left) - NAMED} more" if len(left) > NAMED else ""
        say(console, "left out", f"{len(left)} arms: {', '.join(left[:NAMED])}{more}")
    say(console, "took", f"{words.clock(seconds)}; {headline}")
    if github.is_there():
        github.tell(console, outcomes, headline, why)


def _headline(outcomes: Sequence[Outcome], is_compared: bool) -> str:
    """Return how many arms agree, changed, failed and were left out."""
    kinds = [one.kind for one in outcomes]
    right, moved = kinds.count("agrees"), sum(kind in MOVED for kind in kinds)
    parts = [f"{right} of {len(kinds)} arms {'agree' if is_compared else 'trained'}"]
    if moved:
        studies = {one.arm.partition("/")[0] for one in outcomes if one.kind in MOVED}
        several = "1 study" if len(studies) == 1 else f"{len(studies)} studies"
        parts.append(f"{moved} changed in {several}")
    parts += [
        f"{kinds.count(kind)} {text}"
        for kind, text in (("failed", "failed"), ("left out", "left out"))
        if kind in kinds
    ]
    return ", ".join(parts)


def _culprit(outcomes: Sequence[Outcome], found: Sequence[Smoked]) -> str:
    """Return what sets the trainings that changed, else those that failed, apart from the rest."""
    runs = {arm: one.training.run for one in found for arm in one.training.arms}
    kinds: tuple[Kind, ...] = ("agrees", "changed", "failed")
    agreeing, changed, failed = (
        list({runs[o.arm].id: runs[o.arm] for o in outcomes if o.kind == kind}.values())
        for kind in kinds
    )
    return culprit(changed, agreeing) or culprit(failed, agreeing, "failed")


def _seconds(found: Sequence[Smoked]) -> dict[str, float]:
    """Return how long each training took, by its first arm."""
    return {
        one.training.arms[0]: one.record.seconds.training + one.record.seconds.evaluation
        for one in found
        if one.record is not None
    }


def _update(
    request: Request, console: Console, path: Path, reason: str, todo: Sequence[Training]
) -> int:
    """Train under all conditions that this machine has, and write what that came to."""
    before = _before(path, console)
    limit = TimeLimit(request.time_limit)
    found: list[tuple[Fingerprint, list[Smoked]]] = []
    try:
        with limit:
            for conditions in (COMMON, *NATIVE):
                found.append(_under(conditions, request, console, todo))
            native = found[-1][0].capability
            for conditions in elsewhere(native):
                found.append(_under(conditions, request, console, todo))
    except KeyboardInterrupt:
        console.print()
        return limit.stopped(console, f"{path} is as it was")
    made = make(reason, found)
    if before is not None:
        made = made.kept(before)
    made.write(path)
    moved = (
        [one for one in held_against(before, found[0][1]) if one.kind in MOVED] if before else []
    )
    changed = f"{len(moved)} arms are not as before" if before else "the first one"
    say(console, "written", f"{path}: {len(made.trainings)} trainings, {changed}")
    return 0


def _before(path: Path, console: Console) -> Baseline | None:
    """Return the baseline of before, or None: of what cannot be read, nothing can be kept."""
    if not path.exists():
        return None
    try:
        return Baseline.read(path)
    except BaselineError as error:
        say(console, "set aside", f"{error}; nothing of it is kept")
        return None


def _under(
    conditions: Conditions, request: Request, console: Console, todo: Sequence[Training]
) -> tuple[Fingerprint, list[Smoked]]:
    """Train everything under some conditions; return by what, and what came of it.

    Raises:
        BaselineError: If some of it failed.
    """
    smoke = Smoke(request, console, todo, conditions)
    try:
        fingerprint = smoke.start()
        capped = "" if conditions in NATIVE else ", capped"
        say(console, "under", f"{said_of(fingerprint)}{capped}")
        _train(smoke, console, None)
        found = smoke.found()
    finally:
        smoke.close()
    refuse_failures(found)
    return fingerprint, found
