"""Trains the smoke under other instructions and numbers of threads, and says how far losses move.

    python -m tests.proofs.smoke_conditions                         # each condition once
    python -m tests.proofs.smoke_conditions --repeat 2              # each twice
    python -m tests.proofs.smoke_conditions --losses seen.json      # and compare with what other
                                                             # releases of PyTorch came to

Each is held against the baseline that ships; what would have been called changed is an alarm. With
``--losses`` every condition is kept in a file, and the largest difference between any two in it is
printed: run it once in each environment.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

from rich.console import Console

from ablations.machine import Fingerprint
from alexnet.child_processes import environment
from alexnet.config import Precision
from alexnet.cores import cores
from alexnet.data.manifest import default_data_dir
from reports.commands.ablate.request import ALL, Request
from reports.smoke.baseline import Baseline, Losses, differences, losses_of
from reports.smoke.options import SHIPPED, Check
from reports.smoke.outcomes import held_against
from reports.smoke.trainings import Smoke, Smoked, trainings

LEVELS: dict[str, dict[str, str]] = {
    "native": {},
    "plainest": {
        "ATEN_CPU_CAPABILITY": "default",
        "ONEDNN_MAX_CPU_ISA": "SSE41",
        "MKL_ENABLE_INSTRUCTIONS": "SSE4_2",
    },
    "AVX2": {
        "ATEN_CPU_CAPABILITY": "avx2",
        "ONEDNN_MAX_CPU_ISA": "AVX2",
        "MKL_ENABLE_INSTRUCTIONS": "AVX2",
    },
    "AVX-512": {
        "ATEN_CPU_CAPABILITY": "avx512",
        "ONEDNN_MAX_CPU_ISA": "AVX512_CORE",
        "MKL_ENABLE_INSTRUCTIONS": "AVX512",
    },
}
"""PyTorch's own kernels, oneDNN's and MKL's, which each look at the processor for themselves.

A processor without AVX-512 is asked for none: PyTorch would use it all the same."""


class Condition(NamedTuple):
    """What may differ between machines without being a change of ours."""

    level: str
    threads: int


def conditions(capability: str) -> Iterator[Condition]:
    """Yield all that a machine can train under, by the instructions that it has natively."""
    for level in LEVELS:
        if level != "AVX-512" or capability.startswith("AVX512"):
            yield from (Condition(level, threads) for threads in range(1, min(2, cores()) + 1))


def native() -> str:
    """Return what the processor has, asked of a process of its own: here nothing is set yet."""
    code = "import torch; print(torch.backends.cpu.get_cpu_capability())"
    asked = {name for level in LEVELS.values() for name in level}
    free = {name: value for name, value in os.environ.items() if name not in asked}
    done = subprocess.run([sys.executable, "-c", code], env=free, capture_output=True, check=True)
    return done.stdout.decode().strip()


def smoked(condition: Condition) -> tuple[Fingerprint, list[Smoked]]:
    """Return by what everything was trained, and what came of it."""
    with tempfile.TemporaryDirectory() as folder, environment(LEVELS[condition.level]):
        request = Request(
            study=ALL, dataset=None, seeds=None, workers=None, device="cpu", precision="auto",
            smoke=True, dry_run=False, results=Path(folder), data_dir=default_data_dir(),
        )  # fmt: skip
        smoke = Smoke(request, Console(), trainings(request), condition.threads)
        try:
            fingerprint = smoke.start()
            for _ in smoke.train():
                pass
            return fingerprint, smoke.found()
        finally:
            smoke.close()


class Seen(NamedTuple):
    """The losses of every training under one condition."""

    where: str
    losses: dict[str, Losses]  # by the run's twelve digits
    precisions: dict[str, Precision]

    @classmethod
    def of(cls, where: str, smoked: Sequence[Smoked]) -> "Seen":
        """Return them."""
        records = {one.training.run.short: one.record for one in smoked if one.record}
        return cls(
            where,
            {run: tuple(losses_of(record).values()) for run, record in records.items()},
            {run: record.run.precision for run, record in records.items()},
        )

    def furthest(self, other: "Seen", precision: Precision) -> float:
        """Return the largest difference to another condition, nats, over trainings of both."""
        shared = [run for run in self.losses if self.precisions[run] == precision]
        return max(
            (float(differences(self.losses[run], other.losses[run]).max())
             for run in shared
             if len(self.losses[run]) == len(other.losses.get(run, ()))),
            default=0.0,
        )  # fmt: skip


def expected(baseline: Baseline, precisions: dict[str, Precision]) -> Seen:
    """Return what a baseline expects, as if it were a condition."""
    return Seen("baseline", {one.run: one.losses for one in baseline.trainings}, precisions)


def kept(path: Path | None) -> list[Seen]:
    """Return the conditions in a file; none without one."""
    if path is None or not path.exists():
        return []
    return [Seen(*one) for one in json.loads(path.read_text())]


def shown(one: Seen, other: Seen) -> str:
    """Return the largest difference between two conditions, by precision."""
    apart = {p: one.furthest(other, p) for p in ("float64", "float32", "bfloat16")}
    return ", ".join(f"{precision} {distance:.1e}" for precision, distance in apart.items())


def main() -> int:
    """Return 1 if there was an alarm."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("baseline", nargs="?", type=Path, default=Path(SHIPPED))
    parser.add_argument("--repeat", type=int, default=1, metavar="N", help="of each condition")
    parser.add_argument("--only", choices=LEVELS, help="one level of instructions")
    parser.add_argument("--losses", type=Path, help="a file that conditions are added to")
    asked = parser.parse_args()
    baseline = Baseline.read(Check(baseline=asked.baseline).path or asked.baseline)
    everything, alarms = kept(asked.losses), 0
    every = [one for one in conditions(native()) if asked.only in (None, one.level)]
    for number, condition in enumerate(every * asked.repeat, start=1):
        fingerprint, found = smoked(condition)
        where = (f"torch {fingerprint.torch}, {condition.level} ({fingerprint.capability}), "
                 f"{condition.threads} thread(s)")  # fmt: skip
        seen = Seen.of(where, found)
        wrong = [one.arm for one in held_against(baseline, found)
                 if one.kind not in ("agrees", "trained")]  # fmt: skip
        alarms += bool(wrong)
        print(
            f"{number:3}  {where}: {len(wrong)} arms changed {', '.join(wrong)}\n"
            f"     furthest from the baseline: {shown(seen, expected(baseline, seen.precisions))}",
            flush=True,
        )
        everything.append(seen)
        if asked.losses:
            asked.losses.write_text(json.dumps(everything))
    pairs = list(combinations(everything, 2))
    for precision in ("float64", "float32", "bfloat16"):
        distance, one, other = max(
            ((a.furthest(b, precision), a.where, b.where) for a, b in pairs), default=(0, "", "")
        )
        print(f"largest of any two, {precision}: {distance:.1e}  {one} / {other}")
    print(f"{alarms} alarms in {len(every) * asked.repeat} smokes")
    return int(alarms > 0)


if __name__ == "__main__":
    raise SystemExit(main())
