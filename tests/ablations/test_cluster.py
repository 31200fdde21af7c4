"""Workers on a real Ray cluster, of one node on this machine; lost nodes: `tests.proofs`."""

import importlib.util
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

if importlib.util.find_spec("ray") is None:
    pytest.skip("ray is not installed: pip install -e '.[cluster]'", allow_module_level=True)

import ray

from ablations.machine import Fingerprint
from ablations.run import DatasetRef
from ablations.store import Store
from ablations.workers import cluster, connection
from ablations.workers.cluster import MOST_LOSSES, ClusterWorkers
from ablations.workers.node_worker import Greeting, NodeWorker
from ablations.workers.nodes import installed
from ablations.workers.parcel import Parcel
from ablations.workers.protocol import (
    Elsewhere,
    Failed,
    Finished,
    Job,
    Probe,
    Progressed,
    Timed,
    TimeStep,
    WorkerError,
    WorkerSettings,
)
from alexnet.data.manifest import default_data_dir
from alexnet.presets import tiny
from tests.builders.ray_cluster import loopback_cluster
from tests.builders.runs import outcome, run_of
from tests.builders.workers import until

pytestmark = pytest.mark.filterwarnings("ignore")  # of Ray's own


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """Return the address of a cluster with one node of two cores."""
    with loopback_cluster(1, cpus=2) as (there, _):
        yield there.address


@pytest.fixture
def place(tmp_path: Path) -> WorkerSettings:
    """Return where a worker of one thread works."""
    return WorkerSettings(tmp_path, default_data_dir(), "cpu", 1, "a test")


def test_jobs_are_done_and_runs_are_locked_here(address: str, place: WorkerSettings) -> None:
    """One worker at most; what another process is at, or has finished, is given to no worker."""
    runs = [run_of(tiny()).but(seed=seed) for seed in range(3)]
    store, other = Store(place.results), Store(place.results)
    before = signal.getsignal(signal.SIGTERM)
    workers = ClusterWorkers(address, place, [runs[0].dataset], most=1, may_share=False)
    try:
        assert (workers.count, workers.hosts, workers.running) == (1, 1, [])
        assert isinstance(until(workers, Probe), Probe)
        assert signal.getsignal(signal.SIGTERM) == before
        workers.submit(TimeStep(runs[0].config, runs[0].dataset, "float32", 2))
        timed = until(workers, Timed)
        assert isinstance(timed, Timed)
        assert timed.parameters == 1602

        outcome(runs[1], place.results, stop_after=None)
        with other.lock(runs[0]):
            workers.submit(runs[0])
            workers.submit(runs[1])
            assert (workers.idle, workers.running) == (1, [])
            elsewhere, finished = list(workers.events(0))
        assert isinstance(elsewhere, Elsewhere)
        assert elsewhere.holder.startswith(f"process {os.getpid()} on ")
        assert finished == Finished(runs[1])

        workers.submit(runs[2])
        assert (workers.idle, workers.running) == (0, [runs[2]])
        with pytest.raises(Exception, match=f"process {os.getpid()}"), other.lock(runs[2]):
            pass
        assert until(workers, (Finished, Failed)) == Finished(runs[2])
        with other.lock(runs[2]):
            assert store.find(runs[2]) is not None
    finally:
        workers.close()


def ready_at_once(self: NodeWorker, datasets: tuple[DatasetRef, ...]) -> Greeting:
    """Say what a worker says, without the seconds that PyTorch takes."""
    made_up = Fingerprint(device="cpu", processor="none", capability="", threads=1, torch="")
    return Greeting(Probe("float32", made_up))


def without_end(self: NodeWorker, job: Job, *_: object) -> Iterator[Parcel]:
    """Be at a run until somebody puts an end to it."""
    while True:
        time.sleep(0.05)
        yield Parcel(Progressed(job, None), {})  # type: ignore[arg-type]


def cannot(self: NodeWorker, job: Job, *_: object) -> Iterator[Parcel]:
    """Find that nothing can be trained here."""
    yield Parcel(Progressed(job, None), {})  # type: ignore[arg-type]
    raise WorkerError("the GPU has fallen off the bus")


def worker_that(does: Callable[..., Iterator[Parcel]], monkeypatch: pytest.MonkeyPatch) -> None:
    """Let workers be quickly ready, and do something else than train."""
    # Made here, it travels to the nodes as code: they cannot import tests.
    kind = type(
        "Worker", (NodeWorker,), {"greet": ready_at_once, "do": does, "__module__": "__main__"}
    )
    monkeypatch.setattr(cluster, "NodeWorker", kind)


def test_a_run_that_ends_its_workers_fails(
    address: str, place: WorkerSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After three times; between them it is missing, without event or lock. Its node is used on."""
    run = run_of(tiny())
    worker_that(without_end, monkeypatch)
    workers = ClusterWorkers(address, place, [run.dataset], most=1, may_share=False)
    try:
        until(workers, Probe)
        for times in range(1, MOST_LOSSES + 1):
            while not workers.idle:
                list(workers.events(1))
            workers.submit(run)
            until(workers, Progressed)
            ray.kill(workers._slots[0].actor)
            seen = []
            while workers.running:
                seen += [event for event in workers.events(1) if not isinstance(event, Progressed)]
            assert len(seen) == (times == MOST_LOSSES), seen
        (failed,) = seen
        assert isinstance(failed, Failed)
        assert failed.run == run
        assert "it was lost with its worker 3 times" in failed.reason
        with Store(place.results).lock(run):
            pass
        list(workers.events(1))
        assert (workers.count, workers.hosts, workers.running) == (1, 1, [])
    finally:
        workers.close()


def test_a_node_that_cannot_train_is_left_and_its_run_has_not_failed(
    address: str, place: WorkerSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After three workers; where it was the only one, that ends the study."""
    run = run_of(tiny())
    worker_that(cannot, monkeypatch)
    workers = ClusterWorkers(address, place, [run.dataset], most=1, may_share=False)

    def work_on() -> None:
        while True:
            assert not [event for event in workers.events(1) if isinstance(event, Failed)]
            if workers.idle:
                workers.submit(run)

    try:
        until(workers, Probe)
        with pytest.raises(WorkerError, match=r"127\.0\.0\.1: 3 workers .* fallen off the bus"):
            work_on()
        with Store(place.results).lock(run):
            pass
    finally:
        workers.close()
    assert not ray.is_initialized()


def test_when_all_nodes_have_left_the_study_ends(
    place: WorkerSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a sentence, after a while in which another could have joined; the run is free."""
    run = run_of(tiny())
    worker_that(without_end, monkeypatch)
    monkeypatch.setattr(cluster, "EMPTY", 3.0)
    with loopback_cluster(1) as (there, nodes):
        workers = ClusterWorkers(there.address, place, [run.dataset], may_share=False)
        try:
            until(workers, Probe)
            workers.submit(run)
            until(workers, Progressed)
            there.remove_node(nodes[0], allow_graceful=False)
            with pytest.raises(WorkerError, match="all nodes that could train have left the Ray"):
                until(workers, Finished)
            assert (workers.count, workers.running) == (0, [])
            with Store(place.results).lock(run):
                pass
        finally:
            workers.close()


def test_a_cluster_with_other_code_is_refused(
    address: str, place: WorkerSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anything starts, naming both."""
    other = installed()._replace(code="ba9876543210")
    monkeypatch.setattr(connection, "installed", lambda: other)

    with pytest.raises(WorkerError, match=r"node 127\.0\.0\.1 has .*code .* and here is .*ba98"):
        ClusterWorkers(address, place, [])

    assert not ray.is_initialized()
    assert not list(place.results.iterdir())


def test_a_cluster_without_room_or_images_is_refused(address: str, place: WorkerSettings) -> None:
    """In a sentence with the way out; of images, by the node that lacks them."""
    missing = DatasetRef(name="cifar10", digest="0" * 64, split="0" * 64)
    gpus = WorkerSettings(place.results, place.data_dir, "cuda", 1, "")
    with pytest.raises(WorkerError, match="has no node with 1 core and a GPU for a worker"):
        ClusterWorkers(address, gpus, [])

    elsewhere = WorkerSettings(place.results, place.results / "data", "cpu", 1, "")
    workers = ClusterWorkers(address, elsewhere, [missing], most=1)
    with pytest.raises(WorkerError, match=r"node 127\.0\.0\.1: cifar10 is not prepared in .*data"):
        until(workers, Probe)
    workers.close()
    assert not list(place.results.iterdir())


def test_what_answers_nothing_is_refused_at_once(
    place: WorkerSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ray itself would wait for minutes."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    for asked, says in (
        (f"127.0.0.1:{port}", f"no Ray cluster answers at 127.0.0.1:{port} (Connection refused)"),
        ("ray://127.0.0.1:10001", "is no address of a Ray cluster; write HOST:PORT"),
        ("somewhere", "is no address of a Ray cluster; write HOST:PORT"),
    ):
        with pytest.raises(WorkerError) as refused:
            ClusterWorkers(asked, place, [])
        assert says in str(refused.value)
    monkeypatch.setenv("RAY_ADDRESS", f"127.0.0.1:{port}")
    with pytest.raises(WorkerError, match=f"no Ray cluster answers at 127.0.0.1:{port}"):
        ClusterWorkers(None, place, [])
