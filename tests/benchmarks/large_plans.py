"""What the runner itself costs: ``python large_plans.py 1000 2000 4000 10000``.

For each number, a plan of ten arms whose runs take no time: its workers have finished whatever they
are given. Prints milliseconds a run, of the runner alone and with the progress that a log shows,
and how often a run is looked for. Ideal workers would take none.
"""

import io
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from rich.console import Console

from ablations.plan import Plan
from ablations.runner import remaining, run_study
from ablations.study import Arm
from ablations.workers.protocol import Finished
from reports.commands.progress import StudyProgress
from tests.builders.instant_workers import CountingStore, InstantWorkers, against, plan_of

ARMS, WORKERS = 10, 8


def plan(runs: int) -> Plan:
    """Return a plan of ten arms, two rates each, and about so many runs."""
    arms = {f"arm {n}": Arm(changes={"training": {"batch": 32 + n}}) for n in range(ARMS)}
    first, *others = arms
    contrasts = tuple(against(arm, first) for arm in others)
    return plan_of(arms=arms, contrasts=contrasts, seeds=runs // ARMS)


def runner(runs: int, watched: bool) -> tuple[float, float]:
    """Return milliseconds and looks a run."""
    with tempfile.TemporaryDirectory() as folder:
        store, definition = CountingStore(Path(folder)), plan(runs)
        console = Console(file=io.StringIO(), width=80, force_terminal=False)
        seeds = {definition.name: definition.seeds}
        progress = StudyProgress(console, [definition], store, seeds)
        start, done = time.perf_counter(), 0
        with progress:
            for event in run_study(
                definition, store, InstantWorkers(store.hold, WORKERS), definition.seeds
            ):
                if watched:
                    progress.show(event)
                done += isinstance(event, Finished)
        took = time.perf_counter() - start
    return 1000 * took / done, store.looks / done


def main() -> None:
    """Print a line a number of runs."""
    print("runs     ms a run  looks a run  with progress, ms  looks a run  `remaining` once, s")
    for runs in map(int, sys.argv[1:]):
        alone, looks = runner(runs, watched=False)
        shown, all_looks = runner(runs, watched=True)
        with tempfile.TemporaryDirectory() as folder:
            one = plan(runs)
            tuned = remaining(one, store := CountingStore(Path(folder)), one.seeds)
            while not tuned.plan.choices:
                for run in tuned.runs:
                    store.hold(run)
                tuned = remaining(one, store, one.seeds)
            start = time.perf_counter()
            remaining(one, store, one.seeds)
            once = time.perf_counter() - start
        print(
            f"{runs:<8} {alone:<9.2f} {looks:<12.1f} {shown:<18.2f} {all_looks:<12.1f} {once:.2f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
