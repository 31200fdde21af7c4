"""Holds the smoke against its baseline under other threads and instructions, and counts alarms.

    python tests/smoke_conditions.py                # each condition once
    python tests/smoke_conditions.py --repeat 20    # twenty in all, the conditions in turn
    python tests/smoke_conditions.py --widen        # and widen the tolerances by what was seen

The last is for a release of PyTorch that the baseline's tolerances were not measured over: to be
run with that release installed, on the code that the baseline is of. What is expected stays.
"""

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from ablations.machine import Fingerprint
from alexnet.data.manifest import default_data_dir
from reports.baseline import Baseline, by_run, said_of
from reports.check import SHIPPED, Check
from reports.outcomes import held_against
from reports.request import ALL, Request
from reports.smoke_runs import (
    COMMON,
    NATIVE,
    Conditions,
    Smoke,
    Smoked,
    elsewhere,
    trainings,
)

SIX = 6
"""Conditions, on a machine with AVX-512."""


def smoked(conditions: Conditions, console: Console) -> tuple[Fingerprint, list[Smoked]]:
    """Return by what everything was trained, and what came of it."""
    with tempfile.TemporaryDirectory() as folder:
        request = Request(
            study=ALL, dataset=None, seeds=None, workers=None, device="cpu", precision="auto",
            smoke=True, dry_run=False, results=Path(folder), data_dir=default_data_dir(),
        )  # fmt: skip
        smoke = Smoke(request, console, trainings(request, Console(quiet=True)), conditions)
        try:
            fingerprint = smoke.start()
            for _ in smoke.train():
                pass
            return fingerprint, smoke.found()
        finally:
            smoke.close()


def wrong_arms(baseline: Baseline, found: Sequence[Smoked]) -> list[str]:
    """Return the arms that would have been called changed, or that failed."""
    return [one.arm for one in held_against(baseline, found) if one.kind != "agrees"]


def main() -> int:
    """Return 1 if there was an alarm."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("baseline", nargs="?", type=Path, default=Path(SHIPPED))
    parser.add_argument("--repeat", type=int, default=SIX, metavar="N")
    parser.add_argument("--widen", action="store_true")
    asked = parser.parse_args()
    path = Check(baseline=asked.baseline).path or asked.baseline
    baseline, console = Baseline.read(path), Console(highlight=False, soft_wrap=True)
    wider, alarms = baseline, 0
    several = [COMMON, *NATIVE]
    for number in range(asked.repeat):
        conditions = several[number % len(several)]
        fingerprint, found = smoked(conditions, console)
        if conditions == NATIVE[-1] and number < len(several):
            several += elsewhere(fingerprint.capability)
        where, wrong = said_of(fingerprint), wrong_arms(baseline, found)
        alarms += bool(wrong)
        capped = "" if conditions in NATIVE else ", capped"
        console.print(f"{number + 1:3}  {where}{capped}: {len(wrong)} arms {', '.join(wrong)}")
        wider = wider.widened([by_run(found)], [where])
    console.print(f"{alarms} alarms in {asked.repeat} repetitions")
    if asked.widen:
        wider.write(path)
    return int(alarms > 0)


if __name__ == "__main__":
    raise SystemExit(main())
