"""What a cluster's nodes have: room for workers, and the code that would train there.

Imports neither Ray nor PyTorch.
"""

import hashlib
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

from ablations.machine import versions

PACKAGE = "alexnet-ablations"
SOURCES = ("alexnet", "ablations")
"""What trains: all of it has to be the same on every node."""
MUST_AGREE = ("python", "torch")
"""Versions that have to be the same besides."""


class Node(NamedTuple):
    """A machine of a cluster, with what it offers in all, in use or not."""

    id: str
    name: str  # its address
    cpus: float
    gpus: float

    @classmethod
    def of(cls, about: Mapping[str, Any]) -> "Node":
        """Return a node from what `ray.nodes` says of it."""
        offers = about["Resources"]
        name = str(about["NodeManagerAddress"])
        return cls(str(about["NodeID"]), name, offers.get("CPU", 0.0), offers.get("GPU", 0.0))


class Need(NamedTuple):
    """What a worker takes of its node."""

    cpus: int
    gpus: float  # a part of one, where several share it

    def room(self, node: Node) -> int:
        """Return how many workers a node has room for."""
        rooms = [node.cpus / self.cpus]
        if self.gpus:
            rooms.append(node.gpus / self.gpus)
        return int(min(rooms) + 1e-6)  # a third of a GPU three times is one


def need_of(nodes: Sequence[Node], threads: int | None, gpus: float) -> tuple[Need, int]:
    """Return what each worker takes, and how many threads it has.

    Args:
        nodes: All that there are.
        threads: Of a run; None: all cores of its share of a node, of the smallest share there is.
        gpus: Of a worker, 0 where none is wanted.
    """
    able = [node for node in nodes if node.cpus >= 1 and node.gpus >= gpus]
    shares = [int(node.cpus // max(1, node.gpus // gpus if gpus else 1)) for node in able]
    whole = max(1, min(shares, default=1))
    threads = threads or whole
    # Threads may have been registered on a larger machine: they wait for each other, as there.
    most = max((int(node.cpus) for node in able), default=threads)
    return Need(min(threads, max(1, whole if gpus else most)), gpus), threads


class Installed(NamedTuple):
    """What a machine would train with."""

    versions: Mapping[str, str]
    code: str  # digest

    def __str__(self) -> str:
        """Return the version of this project and its digest."""
        return f"{PACKAGE} {self.versions[PACKAGE]} (code {self.code})"


@cache
def installed() -> Installed:
    """Return what this machine would train with."""
    return Installed(versions() | {PACKAGE: metadata.version(PACKAGE)}, _digest_of_code())


def _digest_of_code() -> str:
    """Return a digest of all modules that train; between two releases the version is one."""
    root, digest = Path(__file__).parents[2], hashlib.sha256()
    for path in sorted(path for name in SOURCES for path in (root / name).rglob("*.py")):
        content = path.read_bytes().replace(b"\r\n", b"\n")
        digest.update(f"{path.relative_to(root).as_posix()} {len(content)}\n".encode() + content)
    return digest.hexdigest()[:12]


def difference(here: Installed, there: Installed, node: str) -> str | None:
    """Return in a sentence what differs on a node so that it cannot be used; None: nothing."""
    way = "install the same on every node and here"
    if here.code != there.code:
        return f"node {node} has {there}, and here is {here}; {way}"
    for package in MUST_AGREE:
        mine, its = (_release(package, of.versions[package]) for of in (here, there))
        if mine != its:
            return f"node {node} has {package} {its}, and here is {package} {mine}; {way}"
    return None


def _release(package: str, version: str) -> str:
    """Return a version as far as it has to be the same."""
    if package == "python":
        return ".".join(version.split(".")[:2])
    return version.split("+")[0]  # the rest says for which accelerator it was built
