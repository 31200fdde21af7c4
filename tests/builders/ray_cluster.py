"""A Ray cluster of several nodes on the loopback address of this machine."""

import contextlib
import os
from collections.abc import Iterator
from typing import Any
from unittest import mock

NODE: dict[str, Any] = {"node_ip_address": "127.0.0.1", "object_store_memory": 100 * 2**20}
HEAD: dict[str, Any] = NODE | {"num_cpus": 0, "include_dashboard": False}
LOOPBACK = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0", "RAY_USAGE_STATS_ENABLED": "0"}
"""With these, Ray takes the loopback address for this machine's, in every process."""


@contextlib.contextmanager
def loopback_cluster(count: int, cpus: int = 1) -> Iterator[tuple[Any, list[Any]]]:
    """Start a head that trains nothing, and nodes; give the cluster and the nodes."""
    with mock.patch.dict(os.environ, LOOPBACK):
        from ray._private import ray_constants
        from ray.cluster_utils import Cluster

        with mock.patch.object(ray_constants, "ENABLE_RAY_CLUSTER", False):
            cluster = Cluster(initialize_head=True, head_node_args=HEAD)
            try:
                yield cluster, [cluster.add_node(num_cpus=cpus, **NODE) for _ in range(count)]
            finally:
                cluster.shutdown()
