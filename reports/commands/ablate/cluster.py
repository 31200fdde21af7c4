"""`ablate --cluster`: workers on the nodes of a Ray cluster."""

import importlib.util
from collections.abc import Sequence

from rich.console import Console

from ablations.plan import Plan
from ablations.registration import RequestError
from ablations.run import DatasetRef
from ablations.workers.protocol import Workers
from alexnet.data.manifest import Manifest
from alexnet.text import counted
from reports.commands.ablate.request import Request, settings_of
from reports.commands.console import say


def on_cluster(
    request: Request,
    console: Console,
    manifests: Sequence[Manifest],
    threads: int,
    whole: bool,
) -> Workers:
    """Return workers on the cluster that was asked for; say where they are.

    Args:
        request: Which cluster, and how many workers at most.
        console: Where to say it.
        manifests: Of the images that every node needs.
        threads: Of a run.
        whole: Let a run have its share of a node's cores instead.

    Raises:
        RequestError: If Ray is not installed here.
        WorkerError: If no cluster answers, or it cannot be used.
    """
    if importlib.util.find_spec("ray") is None:
        raise RequestError(
            "--cluster needs the package ray, which is not installed here; install it with:  "
            "pip install 'alexnet-ablations[cluster]'"
        )
    from ablations.workers.cluster import ClusterWorkers

    workers = ClusterWorkers(
        str(request.cluster).removeprefix("ray").removeprefix(":") or None,
        settings_of(request, threads),
        [DatasetRef.of(manifest) for manifest in manifests],
        most=request.workers,
        whole=whole,
        per_gpu=request.per_gpu or 1,
        may_share=not request.dry_run,
    )
    nodes = counted(workers.hosts, "node")
    say(console, "cluster", f"{nodes} of the Ray cluster at {workers.address}")
    return workers


def with_threads(plan: Plan, threads: int) -> Plan:
    """Return a plan that is not registered yet, with the threads that its workers have."""
    return plan.model_copy(update={"definition": plan.definition.but(threads=threads)})
