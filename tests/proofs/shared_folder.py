"""Several drivers on one folder, one of them killed: is anything lost, or trained twice?

    python -m tests.proofs.shared_folder                         # all: a few minutes on two cores
    python -m tests.proofs.shared_folder --runs 16 --drivers 3 system lease

    system    the locks of the system, which reach every driver
    lease     leases, as with --locks lease
    none      locks that do not reach from one driver to another, as on Lustre with ``localflock``
              or NFS with ``nolock``
    turned    the same with --shard: each starts at another place

Nothing connects drivers but the folder. Where the system lets it, each has a host name of its own,
so that nobody can see that the process of another has died. A third of the runs in, the first
driver and its workers are killed at once, as if a machine had lost its power; not where locks do
not reach, since what is counted there is what is trained too often.
"""

import argparse
import contextlib
import json
import os
import platform
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console

import ablations.store
from ablations.drivers import joined
from ablations.queue import DriverShard
from ablations.record import Record
from ablations.run import DatasetRef, Run
from ablations.runner import Found, work_off
from ablations.store import Store
from ablations.workers import processes
from ablations.workers.protocol import Elsewhere, Finished, WorkerSettings
from alexnet import locks
from alexnet.data.manifest import default_data_dir
from alexnet.data.synthetic import manifest
from alexnet.presets import tiny
from reports.commands.ablate.request import ready

LEASE = 8.0
"""Seconds, in place of a minute, after which a lease is taken over here."""
PATIENCE = 400
"""Seconds for all drivers together."""
KIND, LOG = "PROOF_LOCKS", "trainings.log"


class Way(NamedTuple):
    """How drivers share a folder."""

    locks: str
    is_turned: bool = False
    kills: bool = True


WAYS = {
    "system": Way("system"),
    "lease": Way("lease"),
    "none": Way("none", kills=False),
    "turned": Way("none", is_turned=True, kills=False),
}


def runs_of(count: int) -> list[Run]:
    """Return tiny runs on generated images, a fraction of a second each."""
    config = tiny().but(training={"epochs": 2, "images": 320})
    data = DatasetRef.of(manifest())
    return [
        Run(config=config, seed=seed, dataset=data, precision="float32") for seed in range(count)
    ]


def log(results: Path, what: str, run: Run) -> None:
    """Append a line: what is so short is written whole."""
    opened = os.open(results / LOG, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(opened, (json.dumps([what, run.short]) + "\n").encode())
    os.close(opened)


def serve(pipe: Connection, place: WorkerSettings) -> None:
    """Be a worker that writes down what it trains, with the locks that were asked for."""
    from ablations.workers.trainer import Workbench

    train = Workbench._train

    def written_down(self: Workbench, run: Run, tell: Any) -> Record:
        log(place.results, "begun", run)
        record = train(self, run, tell)
        log(place.results, "ended", run)
        return record

    Workbench._train = written_down  # type: ignore[method-assign]
    locks.LEASE = LEASE
    if os.environ[KIND] == "none":
        ablations.store.locked = reaching_nobody  # type: ignore[assignment]
    processes._serve(pipe, place)


@contextlib.contextmanager
def reaching_nobody(path: Path, wait: bool = True) -> Iterator[None]:
    """Hold a lock that keeps nobody out."""
    yield


def drive(results: Path, count: int, shard: DriverShard) -> None:
    """Be a driver with one worker; print what came of it."""
    kind = os.environ[KIND]
    runs, store = runs_of(count), Store(results)
    place = WorkerSettings(results, default_data_dir().resolve(), "cpu", 1, "a proof")
    told: Counter[str] = Counter()
    with joined(results, "a proof", "lease" if kind == "lease" else None):
        workers = processes.LocalWorkers(1, place)
        try:
            ready(workers, Console())
            for event in work_off(runs, store, workers, shard):
                if isinstance(event, Finished):
                    told["finished"] += 1
                    told["told of a lock that does not reach"] += bool(event.overlap)
                told["waited"] += isinstance(event, Elsewhere)
                told["found"] += isinstance(event, Found)
        finally:
            workers.close()
    said = ", ".join(f"{what} {number}" for what, number in sorted(told.items()) if number)
    print(f"    {platform.node()}: {said}", flush=True)


def own_name(number: int, command: list[str]) -> list[str]:
    """Return a command as it is run with a host name of its own, where the system lets it."""
    line = f"hostname node{number} && exec {shlex.join(command)}"
    tried = subprocess.run(["unshare", "-u", "hostname", "node0"], capture_output=True)
    return ["unshare", "-u", "sh", "-c", line] if tried.returncode == 0 else command


def share(way: Way, drivers: int, count: int) -> Counter[str]:
    """Let drivers share a folder; return what was lost, and what was trained too often."""
    with tempfile.TemporaryDirectory() as folder:
        results = Path(folder)
        environment = os.environ | {KIND: way.locks}
        processes = []
        for number in range(1, drivers + 1):
            shard = f"{number}/{drivers}" if way.is_turned else "1/1"
            command = [sys.executable, "-m", "tests.proofs.shared_folder", "--drive", folder]
            command = own_name(number, [*command, "--runs", str(count), "--shard", shard])
            processes.append(subprocess.Popen(command, start_new_session=True, env=environment))
        try:
            if way.kills:
                while ended(results)["ended"] < count // 3 and processes[0].poll() is None:
                    time.sleep(0.02)
                assert processes[0].poll() is None, "it ended before it could be killed"
                os.killpg(processes[0].pid, signal.SIGKILL)
            deadline = time.monotonic() + PATIENCE
            codes = [one.wait(max(1.0, deadline - time.monotonic())) for one in processes]
        finally:
            for one in processes:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(one.pid, signal.SIGKILL)
        assert codes[1:] == [0] * (drivers - 1), codes
        store, found = Store(results), ended(results)
        found["lost"] = sum(store.find(run) is None for run in runs_of(count))
        found["problems"] = len(store.problems)
        return found


def ended(results: Path) -> Counter[str]:
    """Return how many trainings were begun, ended, and ended though another had."""
    path = results / LOG
    lines = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    found = Counter(what for what, _ in lines)
    found["twice"] = found["ended"] - len({run for what, run in lines if what == "ended"})
    return found


def main() -> int:
    """Prove each way that is asked for; return 1 if anything is lost, or done twice."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("ways", nargs="*", help=f"of {', '.join(WAYS)}")
    parser.add_argument("--drivers", type=int, default=4)
    parser.add_argument("--runs", type=int, default=40)
    parser.add_argument("--drive", type=Path)
    parser.add_argument("--shard", type=DriverShard.parse)
    asked = parser.parse_args()
    if asked.drive:
        locks.LEASE = LEASE
        processes._serve = serve
        drive(asked.drive, asked.runs, asked.shard)
        return 0
    bad, seen = 0, dict[str, Counter[str]]()
    for name in asked.ways or WAYS:
        start = time.monotonic()
        found = seen[name] = share(WAYS[name], asked.drivers, asked.runs)
        bad += found["lost"] + found["problems"]
        bad += found["twice"] if WAYS[name].locks != "none" else 0
        print(
            f"{name:<8} {asked.drivers} drivers, {asked.runs} runs: {found['lost']} lost, "
            f"{found['ended']} trained to the end, {found['twice']} of them again; "
            f"{found['begun'] - found['ended']} cut off; {time.monotonic() - start:.0f} s",
            flush=True,
        )
    if {"none", "turned"} <= seen.keys():
        bad += seen["turned"]["twice"] * 2 > seen["none"]["twice"]
    return int(bad > 0)


if __name__ == "__main__":
    raise SystemExit(main())
