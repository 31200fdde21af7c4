"""`ablate --study all --smoke`: what has moved, and what has all of it in common?"""

import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from ablations.machine import Fingerprint, versions
from ablations.registration import RequestError
from ablations.run import Run
from alexnet.text import counted
from reports.commands.ablate.request import Request
from reports.commands.console import say
from reports.commands.exit_codes import CHANGED, FAILED, INTERRUPTED, TIME_LIMIT
from reports.commands.time_limit import TimeLimit
from reports.smoke import github
from reports.smoke.baseline import Baseline, BaselineError
from reports.smoke.culprit import culprit
from reports.smoke.junit import write_junit
from reports.smoke.options import Check
from reports.smoke.outcomes import (
    MOVED,
    Kind,
    Outcome,
    count_trainings,
    furthest_first,
    held_against,
    in_short,
    outcomes_of,
)
from reports.smoke.trainings import PRECISION, Smoke, Smoked, Training, trainings
from reports.wording import formatting

PER_LINE = 64
NAMED = 8
"""Trainings that are named each; of more, the number and the furthest are enough to read."""


def smoke_all(request: Request, console: Console, check: Check) -> int:
    """Train every arm of every study for a few updates; return the exit code.

    0: all trained and, with a baseline, agree; 1: some failed; 3: some differ; 4: the time limit
    was reached before all were trained.
    """
    check.refuse(request)
    baseline = _before(check, console)
    todo = trainings(request)
    if not todo:
        raise RequestError(
            f"no study can be shown on {request.dataset}; leave out --dataset for a smoke on "
            "generated images"
        )
    say(console, "smoke", _introduction(request, todo, baseline))
    if request.dry_run:
        say(console, "dry run", "nothing was written and nothing trained")
        return 0
    start = time.monotonic()
    limit = TimeLimit(request.time_limit)
    smoke = Smoke(request, console, todo)
    stopped = 0
    try:
        with limit:
            fingerprint = smoke.start()
            say(console, "here", _here(fingerprint))
            _train(smoke, console, baseline)
    except KeyboardInterrupt:
        console.print()
        follows = f"{check.path} is as it was" if check.update else "what was trained follows"
        stopped = limit.stopped(console, follows)
    finally:
        smoke.close()
    found = smoke.found()
    outcomes = held_against(baseline, found)
    if check.update and check.path:
        if not stopped:
            made = Baseline.of(check.reason or "", fingerprint, found)
            _write(made, check.path, console, outcomes if baseline else None)
        return stopped
    _conclude(console, outcomes, found, check, time.monotonic() - start)
    if check.junit:
        write_junit(check.junit, outcomes, _seconds(found))
    return _code(outcomes, stopped)


def _before(check: Check, console: Console) -> Baseline | None:
    """Return what is expected; to be made anew, a baseline need not be one.

    Raises:
        BaselineError: If a baseline that is to be held against is not there, or none.
    """
    if check.path is None or (check.update and not check.path.exists()):
        return None
    try:
        return Baseline.read(check.path)
    except BaselineError as error:
        if not check.update:
            raise
        say(console, "ignored", str(error))
        return None


def _introduction(request: Request, todo: Sequence[Training], baseline: Baseline | None) -> str:
    """Return what will be trained and, if it is held against something, by which PyTorch each."""
    arms = sum(len(one.arms) for one in todo)
    images = "generated colour images" if request.dataset is None else request.dataset
    parts = [f"{counted(len(todo), 'training')} of {counted(arms, 'arm')}, {images}, {PRECISION}"]
    if baseline is not None:
        made, here = (_release(torch) for torch in (baseline.made_with.torch, versions()["torch"]))
        parts.append(f"baseline made with torch {made}, edition {baseline.made_with.edition}")
        if baseline.made_with.variables:
            parts.append(f"under {' '.join(baseline.made_with.variables)}")
        if here != made:
            parts.append(f"here torch {here}")
    return "; ".join(parts)


def _release(version: str) -> str:
    """Return a version of PyTorch without what it was built for."""
    return version.partition("+")[0]


def _here(fingerprint: Fingerprint) -> str:
    """Return what trains, in words."""
    threads = counted(fingerprint.threads, "thread")
    if fingerprint.devices > 1:
        threads += f" of {counted(fingerprint.devices, 'device')}"
    here = f"{fingerprint.hardware}, {fingerprint.capability}, {threads}, torch {fingerprint.torch}"
    return ", ".join((here, *fingerprint.variables))


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


def _train(smoke: Smoke, console: Console, baseline: Baseline | None) -> None:
    """Train all, a mark for each."""
    for number, one in enumerate(smoke.train(), start=1):
        right = {outcome.kind for outcome in outcomes_of(one, baseline)} <= {"agrees", "trained"}
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
    headline = _headline(outcomes)
    failed, moved, left = (
        [one for one in outcomes if one.kind in kinds]
        for kinds in (("failed",), MOVED, ("left out",))
    )
    for group in furthest_first(failed):
        say(console, "FAILED", f"{in_short(group)}: {group[0].text}")
    if moved:
        say(console, "CHANGED", _moved(moved))
    if why:
        say(console, "", why)
    for number, group in enumerate(furthest_first(moved)[:NAMED]):
        say(
            console,
            "largest difference" if number == 0 else "",
            f"{in_short(group)}, {group[0].text}",
        )
    if moved:
        say(console, "intended?", check.renewal)
    if left:
        groups = furthest_first(left)
        more = f" and {len(groups) - NAMED} more" if len(groups) > NAMED else ""
        named = "; ".join(map(in_short, groups[:NAMED]))
        say(console, "left out", f"{_counted(left)}: {named}{more}")
    say(console, "took", f"{formatting.clock(seconds)}; {headline}")
    if github.is_there():
        github.tell(console, outcomes, headline, why)


def _counted(outcomes: Sequence[Outcome]) -> str:
    """Return how many trainings some outcomes are of, and how many arms these stand for."""
    studies = len({one.arm.partition("/")[0] for one in outcomes})
    trainings, arms = counted(count_trainings(outcomes), "training"), counted(len(outcomes), "arm")
    return f"{trainings} ({arms} in {counted(studies, 'study')})"


def _moved(outcomes: Sequence[Outcome]) -> str:
    """Return how many trainings changed, and how many arms are new or gone."""
    changed = [one for one in outcomes if one.kind not in ("new", "gone")]
    parts = [_counted(changed)] if changed else []
    return ", ".join([*parts, *_come_and_gone(outcomes)])


def _come_and_gone(outcomes: Sequence[Outcome]) -> list[str]:
    counts = Counter(one.kind for one in outcomes if one.kind in ("new", "gone"))
    return [f"{count} arm{'s' * (count > 1)} {kind}" for kind, count in sorted(counts.items())]


NAMES: dict[Kind, str] = {
    "failed": "failed",
    "changed": "changed",
    "asked otherwise": "changed",
    "left out": "left out",
    "agrees": "agree",
    "trained": "finished (not compared)",
    "new": "new",
}
"""What became of a training, the worst first: that of any arm is that of all."""
FIRST = ("agree", "finished (not compared)")


def _headline(outcomes: Sequence[Outcome]) -> str:
    """Return how many trainings agree, changed, failed and were left out, each counted once."""
    worst: dict[str, Kind] = {}
    for kind in reversed(NAMES):
        worst |= {one.training: kind for one in outcomes if one.kind == kind}
    counts = Counter(NAMES[kind] for kind in worst.values())
    order = [*FIRST, *(name for name in dict.fromkeys(NAMES.values()) if name not in FIRST)]
    (text, first), *others = [(name, counts[name]) for name in order if counts[name]]
    parts = [f"{first} of {counted(len(worst), 'training')} {text}"]
    parts += [f"{count} {name}" for name, count in others if name != "new"]
    return ", ".join([*parts, *_come_and_gone(outcomes)])


def _culprit(outcomes: Sequence[Outcome], found: Sequence[Smoked]) -> str:
    """Return what sets the trainings that changed, else those that failed, apart from the rest.

    What agrees within a wider tolerance than float64 has may have changed all the same.
    """
    runs = {arm: one.training.run for one in found for arm in one.training.arms}

    def of(*kinds: Kind) -> list[Run]:
        chosen = (runs[one.arm] for one in outcomes if one.kind in kinds)
        return list({run.id: run for run in chosen}.values())

    every = of("agrees")
    agreeing = [run for run in every if run.precision == PRECISION]
    among = f" in {PRECISION}" if len(agreeing) < len(every) else ""
    by_change = culprit(of("changed"), agreeing, among=among)
    return by_change or culprit(of("failed"), of("agrees", "trained"), "failed")


def _seconds(found: Sequence[Smoked]) -> dict[str, float]:
    """Return how long each training took, by its first arm."""
    return {
        one.training.arms[0]: one.record.seconds.training + one.record.seconds.evaluation
        for one in found
        if one.record is not None
    }


def _write(
    made: Baseline, path: Path, console: Console, against_old: Sequence[Outcome] | None
) -> None:
    """Write a baseline, and say how much of it is not as before."""
    made.write(path)
    moved = [one for one in against_old or () if one.kind in MOVED]
    differs = f"{_counted(moved)} not as before" if moved else "nothing moved"
    say(
        console,
        "written",
        f"{path}: {counted(len(made.trainings), 'training')}, "
        f"{'the first one' if against_old is None else differs}",
    )
