"""A Ray cluster, connected to: whether one answers, which nodes it has, and what they run.

The only module beside `cluster` that imports Ray.
"""

import contextlib
import logging
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import ray
from ray.exceptions import RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from ablations.workers.nodes import Installed, Node, difference, installed
from ablations.workers.protocol import WorkerError

ANSWERS = 10.0
"""Seconds in which a cluster has to take a connection; Ray itself would wait for minutes."""
EXAMINED = 60.0
"""Seconds in which a node has to say what is installed there."""


def connect(address: str | None) -> str:
    """Connect this process to a cluster; return its address.

    Args:
        address: ``HOST:PORT`` of its head; None: that of the variable ``RAY_ADDRESS``, or the
            cluster that was started on this machine.

    Raises:
        WorkerError: If none answers, or it is of another version of Ray or Python.
    """
    address = address or os.environ.get("RAY_ADDRESS") or None
    if address is not None:
        _refuse_silence(address)
        # Of an address of this machine itself, Ray takes that by which others reach it.
        _refuse_silence(ray._private.services.canonicalize_bootstrap_address(address))
    try:
        with _signals_kept():
            # It would print logs of lost nodes between our lines, and has no option against it.
            ray._private.worker.print_to_stdstream = lambda *_, **__: None
            ray.init(
                address=address or "auto",
                log_to_driver=False,
                configure_logging=False,
                logging_level=logging.ERROR,
            )
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise WorkerError(_why(address, error)) from error
    return str(ray.get_runtime_context().gcs_address)


def _why(address: str | None, error: Exception) -> str:
    """Return in a sentence why Ray could not connect."""
    said = " ".join(str(error).split())
    if address is None and isinstance(error, ConnectionError):
        return (
            "no Ray cluster runs on this machine; start one with  ray start --head  or name one, "
            "as in --cluster ray:HOST:6379"
        )
    if "No node info found" in said:
        return (
            f"this machine is no node of the Ray cluster at {address or 'RAY_ADDRESS'}; let it "
            f"join with  ray start --address {address or 'HOST:PORT'} --num-cpus 0"
        )
    return f"the Ray cluster at {address or 'this machine'} refuses: {said}"


def _refuse_silence(address: str) -> None:
    """Refuse an address that nobody answers.

    Raises:
        WorkerError: With the reason.
    """
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal() or "/" in host:
        raise WorkerError(
            f"{address!r} is no address of a Ray cluster; write HOST:PORT, as ray start --head "
            "prints it, such as --cluster ray:10.0.0.1:6379"
        )
    try:
        _knock(address)
    except (OSError, OverflowError, ValueError) as error:  # of names that are none
        why = getattr(error, "strerror", None) or str(error)
        raise WorkerError(
            f"no Ray cluster answers at {address} ({why}); start one there with  ray start --head  "
            "or give the address that it printed"
        ) from error


def _knock(address: str) -> None:
    host, _, port = address.rpartition(":")
    with socket.create_connection((host.strip("[]"), int(port)), timeout=ANSWERS):
        pass


def answers(address: str) -> bool:
    """Return whether the head of a cluster takes connections."""
    try:
        _knock(address)
    except OSError:
        return False
    return True


@contextlib.contextmanager
def _signals_kept() -> Iterator[None]:
    """Let Ray take no signal: a scheduler's SIGTERM means here what it meant before."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {one: signal.getsignal(one) for one in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)


def disconnect() -> None:
    """Leave the cluster; what this process has started there ends."""
    with _signals_kept():
        ray.shutdown()


def nodes() -> list[Node]:
    """Return the nodes that are there now."""
    return [Node.of(about) for about in ray.nodes() if about["Alive"]]


def on(node: Node) -> dict[str, Any]:
    """Return Ray's option that something runs on a node and nowhere else."""
    return {"scheduling_strategy": NodeAffinitySchedulingStrategy(node.id, soft=False)}


def examined(node: Node) -> Any:
    """Ask a node what is installed there; return the reference of its answer, for `verdict`."""
    task = ray.remote(_examination()).options(num_cpus=0, max_retries=1, **on(node))
    return task.remote("ablations.workers.nodes", "installed")


def _examination() -> Callable[[str, str], Any]:
    def examine(module: str, name: str) -> Any:
        # A function within a function travels as code, to nodes without this project too.
        from importlib import import_module

        try:
            return getattr(import_module(module), name)()
        except Exception as error:
            return f"{type(error).__name__}: {error}"

    return examine


def verdict(node: Node, answer: Any) -> str | None:
    """Return in a sentence why a node cannot be used; None if it can.

    Args:
        node: Which.
        answer: The reference that `examined` has returned, ready or failed.
    """
    try:
        said = ray.get(answer, timeout=0)
    except RayError as error:
        first = next(iter(str(error).splitlines()), "")
        return f"node {node.name} does not say what is installed there: {first}"
    if not isinstance(said, Installed):
        return (
            f"node {node.name} cannot load this project ({said}); install {installed()} on every "
            "node, in the environment that ray start is called in"
        )
    return difference(installed(), said, node.name)


def refuse_others(several: Sequence[Node]) -> None:
    """Refuse a cluster of which a node has other code or packages than this process.

    Raises:
        WorkerError: With the first such node, and what it has.
    """
    answers = {examined(node): node for node in several}
    ready, _ = ray.wait(list(answers), num_returns=len(answers), timeout=EXAMINED)
    for answer in ready:
        if (refusal := verdict(answers[answer], answer)) is not None:
            raise WorkerError(refusal)
