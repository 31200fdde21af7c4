"""How a report grows with the number of runs: ``python large_reports.py 1000 10000``.

For each number, writes records of made-up runs and makes the report of them in a process of its
own; prints seconds, the peak of its memory and the size of the page. Studies have ten arms, 35
seeds, 36 epochs a run, and the eighty runs that chose their rates: 23 of them, as many as there
are here, have 9,890. Linux counts the memory in KiB.
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from ablations.plan import Plan
from ablations.planning import about
from ablations.record import Record, Seconds
from ablations.run import Run
from ablations.store import Store
from ablations.study import Base, Contrast, FinalError, Study
from ablations.tuning import Pending
from alexnet.learning_curve import Epoch
from alexnet.presets import tiny
from tests.builders.records import FINGERPRINT, PROVENANCE, REF, measures_of

ARMS, SEEDS, EPOCHS, RATES = 10, 35, 36, (0.001, 0.003, 0.01, 0.03)
HALF_A_POINT = {"margin": 0.005, "margin_reason": "half a point"}
RUNS = ARMS * (SEEDS + 2 * len(RATES))
"""Of a study: those compared and those that chose the rates."""
REPORT = """
import resource, sys, time
from pathlib import Path
start = time.perf_counter()
from ablations.store import Store
from reports.page.report import write_report
folder = Path(sys.argv[1])
page = write_report(Store(folder), folder / "report")[0]
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(f"{time.perf_counter() - start:.1f} {peak:.0f} {page.stat().st_size / 1e6:.2f}")
"""


def study_of(number: int) -> Study:
    """Return a study of ten arms, each with a batch of its own, unlike any other study's."""
    arms = {f"arm {arm}": {"training": {"batch": 32 + arm + ARMS * number}} for arm in range(ARMS)}
    first, *others = arms
    return Study(
        name=f"made_up_{number}",
        title=f"Made-up study {number}",
        question="Which of ten?",
        arms=arms,
        contrasts=tuple(
            Contrast(arm=arm, against=first, direction="higher", **HALF_A_POINT) for arm in others
        ),
        bases={
            "made_up": Base(
                config=tiny().but(training={"epochs": EPOCHS, "images": None}),
                metric=FinalError(views="ten"),
                rates=RATES,
            )
        },
        seeds=SEEDS,
    )


def record(run: Run) -> Record:
    """Return a record whose curve falls, with noise of its own."""
    chance = np.random.default_rng(int(run.id[:12], 16))
    final = 0.3 + 0.05 * chance.random()
    epochs = tuple(
        Epoch(
            number=number,
            errors=tuple(int(e) for e in 1000 * (final + 0.5 / number + 0.02 * chance.random(10))),
            images=(1000,) * 10,
            loss=1.0,
            losses=tuple(float(loss) for loss in 1 + chance.random(10)),
            seconds=1.0,
        )
        for number in range(1, run.config.training.epochs + 1)
    )
    return Record(
        run=run,
        status="finished",
        curve=epochs,
        measures=measures_of(final, final + 0.02, final + 0.03),
        seconds=Seconds(training=36.0, evaluation=1.0),
        fingerprint=FINGERPRINT,
        provenance=PROVENANCE,
    )


def fill(folder: Path, runs: int) -> int:
    """Write as many whole studies as make up so many runs; return how many runs there are."""
    studies = max(1, round(runs / RUNS))
    for number in range(studies):
        study, store = study_of(number), Store(folder / "none")
        store.path = folder
        base = study.bases["made_up"]
        plan = plan_of(study, base)
        for arm in plan.definition.arms:
            while isinstance(found := plan.tuned(arm, store.find), Pending):
                for run in found.runs:
                    store.add(record(run))
            plan = plan.model_copy(update={"choices": plan.choices | {arm: found}})
            for seed in plan.definition.seeds:
                store.add(record(plan.run(arm, seed)))
        store.write_plan(plan)
    return studies * RUNS


def plan_of(study: Study, base: Base) -> Plan:
    """Return a plan of a study on images that exist nowhere."""
    from ablations.plan import Definition

    definition = Definition(
        study=study.name,
        claim=None,
        dataset=REF,
        setting=base.setting,
        metric=base.metric,
        contrasts=study.contrasts,
        arms={arm: study.config("made_up", arm) for arm in study.arms},
        seeds=tuple(range(study.seeds)),
        rates=base.rates,
        give_up=base.give_up,
        precision="float32",
        threads=1,
    )
    return Plan(definition=definition.but(), about=about(study, "made_up"), registered=PROVENANCE)


def main() -> None:
    """Print a line a number of runs."""
    print("runs     seconds  MiB    page, MB")
    for wanted in map(int, sys.argv[1:]):
        with tempfile.TemporaryDirectory() as folder:
            start = time.perf_counter()
            runs = fill(Path(folder), wanted)
            written = time.perf_counter() - start
            done = subprocess.run(
                [sys.executable, "-c", REPORT, folder], check=True, capture_output=True, text=True
            )
        seconds, peak, size = done.stdout.split()
        print(f"{runs:<8} {seconds:<8} {peak:<6} {size:<8} (records written in {written:.0f} s)")


if __name__ == "__main__":
    main()
