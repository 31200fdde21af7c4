"""Trains tiny runs on a cluster of three nodes on this machine; one is killed, one joins.

    python -m tests.proofs.lost_nodes                  # 200 runs, nothing shared
    python -m tests.proofs.lost_nodes --shared         # nodes that see the results folder
    python -m tests.proofs.lost_nodes --no-ops 10000   # what a run costs that does nothing

Every run must have one record, trained to its end once, equal bit by bit to what one process of
this machine makes of it. The node dies in the middle of a run, which has a checkpoint by then.
Needs the extra [cluster].
"""

import argparse
import contextlib
import json
import os
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from unittest import mock

from ablations.record import Record
from ablations.run import DatasetRef, Run
from ablations.runner import work_off
from ablations.store import CHECKPOINT, Store
from ablations.workers.node_worker import NodeWorker
from ablations.workers.parcel import Files, Parcel
from ablations.workers.protocol import (
    Failed,
    Finished,
    Job,
    Noticed,
    Probe,
    Progressed,
    Workers,
    WorkerSettings,
)
from alexnet.data import synthetic
from alexnet.data.manifest import default_data_dir
from alexnet.presets import tiny
from tests.builders.ray_cluster import NODE, loopback_cluster

NODES = 3
EPOCHS = 6
MOST_MS = 2.0
"""Milliseconds that a run may cost that does nothing."""
LOG = "PROOF_LOG"
"""Variable with the file in which workers write down what they begin and end."""


class Watched(NodeWorker):
    """A worker that writes down what it does; it and the driver are on one machine."""

    def do(self, job: Job, files: Files, sources: Mapping[str, bytes]) -> Iterator[Parcel]:
        """Do a job, and say so."""
        import ray

        about = {"run": getattr(job, "short", ""), "node": ray.get_runtime_context().get_node_id()}
        written_down(about | {"what": "begun"})
        for parcel in super().do(job, files, sources):
            if isinstance(parcel.event, Finished):
                written_down(about | {"what": "ended"})
            yield parcel


class NoOp(NodeWorker):
    """A worker that says at once that a run is finished."""

    def do(self, job: Job, files: Files, sources: Mapping[str, bytes]) -> Iterator[Parcel]:
        """Do nothing."""
        assert isinstance(job, Run)
        yield Parcel(Finished(job), {})


def written_down(what: Mapping[str, Any]) -> None:
    """Add a line to the log; writes of less than a page are whole."""
    line = (json.dumps(what) + "\n").encode()
    log = os.open(os.environ[LOG], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(log, line)
    os.close(log)


def logged() -> list[dict[str, str]]:
    """Return what the workers have written down."""
    return [json.loads(line) for line in Path(os.environ[LOG]).read_text().splitlines()]


def tiny_runs(count: int, epochs: int = EPOCHS) -> list[Run]:
    """Return so many runs, of a fraction of a second each."""
    config = tiny().but(training={"epochs": epochs, "images": 320})
    images = DatasetRef.of(synthetic.manifest())
    return [Run(config=config, seed=n, dataset=images, precision="float32") for n in range(count)]


def settings(results: Path) -> WorkerSettings:
    """Return where workers of one thread work."""
    return WorkerSettings(results, default_data_dir(), "cpu", 1, "a proof")


def started(address: str, results: Path, shared: bool, kind: type[NodeWorker]) -> Workers:
    """Return workers of some kind, ready."""
    from ablations.workers import cluster

    images = [DatasetRef.of(synthetic.manifest())]
    with mock.patch.object(cluster, "NodeWorker", kind):
        workers = cluster.ClusterWorkers(
            address, settings(results), images, may_share=shared, rest=0.0
        )
    while not any(isinstance(event, Probe) for event in workers.events(60)):
        pass
    return workers


def trained(count: int, shared: bool) -> bool:
    """Train on three nodes, of which one is killed and replaced; return whether all is right."""
    results, runs = Path(tempfile.mkdtemp(prefix="lost-nodes-")), tiny_runs(count)
    os.environ[LOG] = str(results / "log")
    store = Store(results)
    with loopback_cluster(NODES) as (cluster, nodes):
        workers = started(cluster.address, results, shared, Watched)
        start = time.monotonic()
        is_killed, done = False, 0
        for event in work_off(runs, store, workers):
            done += isinstance(event, Finished)
            if isinstance(event, Failed | Noticed):
                print(f"  {time.monotonic() - start:5.1f} s  {event[-1].splitlines()[0]}")
            if not is_killed and done >= count // 3 and has_checkpoint(store, event):
                assert isinstance(event, Progressed)
                kill(cluster, nodes, event.run)
                print(f"  {time.monotonic() - start:5.1f} s  killed a node")
                cluster.add_node(num_cpus=1, **NODE)
                is_killed = True
        print(f"{count} runs in {time.monotonic() - start:.1f} s")
        print(f"PyTorch in the process that asks: {'torch' in sys.modules}")
        workers.close()
    return is_right(store, runs) and is_killed


def has_checkpoint(store: Store, event: object) -> bool:
    """Return whether a run is under way and can be gone on with."""
    if not isinstance(event, Progressed):
        return False
    return event.epoch.number < EPOCHS and (store.folder(event.run) / CHECKPOINT).exists()


def kill(cluster: Any, nodes: list[Any], run: Run) -> None:
    """Kill the node that trains a run, with all its processes at once, as a power cut does."""
    where = next(line["node"] for line in reversed(logged()) if line["run"] == run.short)
    victim = next(node for node in nodes if node.node_id == where)
    for raylet in victim.all_processes["raylet"]:
        for process in family(raylet.process.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
    cluster.remove_node(victim, allow_graceful=False)


def family(process: int) -> list[int]:
    """Return a process and all that it has started, and these."""
    children: dict[int, list[int]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            after = path.read_text().rpartition(")")[2].split()
            children.setdefault(int(after[1]), []).append(int(path.parent.name))
    found = [process]
    for one in found:
        found += children.get(one, [])
    return found


def is_right(store: Store, runs: list[Run]) -> bool:
    """Print what became of all runs; return whether none is lost, double or different."""
    records = {run: record for run in runs if (record := store.find(run)) is not None}
    ended = Counter(line["run"] for line in logged() if line["what"] == "ended")
    nodes = Counter(line["node"][:6] for line in logged() if line["what"] == "ended")
    interrupted = [run for run, record in records.items() if record.interruptions]
    different = different_from_one_process(records)
    left = [
        path.name for path in store.path.glob("runs/*/*") if path.name.startswith((".", "check"))
    ]
    double = [name for name, times in ended.items() if times > 1]
    print(
        f"records {len(records)}, lost {len(runs) - len(records)}, to the end twice {len(double)}"
    )
    print(f"gone on from a checkpoint {len(interrupted)}, runs by node {sorted(nodes.values())}")
    print(f"different from one process {len(different)}, left behind {left}")
    complete = len(records) == len(runs) and len(interrupted) > 0
    return complete and not (double or different or left or store.problems)


def different_from_one_process(records: Mapping[Run, Record]) -> list[Run]:
    """Return the runs of which this process makes other weights, scores, curves or measures."""
    from ablations.workers.trainer import Workbench

    bench = Workbench(settings(Path(tempfile.mkdtemp(prefix="one-process-"))))
    found = []
    for run, there in records.items():
        here = bench.execute(run, lambda epoch: None)
        same = here.files == there.files and here.measures == there.measures
        losses = [[epoch.losses for epoch in record.curve] for record in (here, there)]
        if not same or losses[0] != losses[1]:
            found.append(run)
    return found


def costs_little(count: int) -> bool:
    """Print what a run costs that does nothing; return whether that is little."""
    results, left = Path(tempfile.mkdtemp(prefix="no-ops-")), iter(runs := tiny_runs(count))
    with loopback_cluster(NODES) as (cluster, _):
        workers = started(cluster.address, results, True, NoOp)
        while workers.idle < NODES:
            list(workers.events(1))
        start, done = time.monotonic(), 0
        while done < len(runs):
            for _ in range(workers.idle):
                if (run := next(left, None)) is not None:
                    workers.submit(run)
            done += sum(isinstance(event, Finished) for event in workers.events(10))
        cost = 1000 * (time.monotonic() - start) / count
        workers.close()
    print(f"{count} runs that do nothing: {cost:.2f} ms each, on {NODES} nodes")
    return cost <= MOST_MS


def main() -> int:
    """Return 1 if a run is lost, double or different, or costs too much."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--shared", action="store_true", help="nodes see the results folder")
    parser.add_argument("--no-ops", type=int, help="instead: measure so many that do nothing")
    asked = parser.parse_args()
    if asked.no_ops:
        return int(not costs_little(asked.no_ops))
    return int(not trained(asked.runs, asked.shared))


if __name__ == "__main__":
    raise SystemExit(main())
