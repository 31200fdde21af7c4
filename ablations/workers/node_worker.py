"""A worker on a node of a cluster: a local worker process there, and what travels to and from it.

Imports neither Ray nor PyTorch; the process that it starts imports PyTorch.
"""

import contextlib
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from ablations.run import DatasetRef, Run
from ablations.store import Store
from ablations.workers.parcel import Files, Parcel, Sender
from ablations.workers.processes import LocalWorkers
from ablations.workers.protocol import Job, Probe, Progressed, WorkerError, WorkerSettings
from alexnet.data.manifest import DatasetError, default_data_dir
from alexnet.data.stored import read_manifest
from alexnet.durable import is_abandoned, temporary_name, write_atomically

OWN = "alexnet-ablations"
"""How folders of workers are called, in the node's folder for temporary files."""
SAID = 1.0
"""Seconds that a worker's process is listened to at a time."""


class Mark(NamedTuple):
    """A file that the driver has written: where it is seen, the results folder is the driver's."""

    path: Path
    content: bytes

    def is_seen(self) -> bool:
        """Return whether it is here."""
        with contextlib.suppress(OSError):
            return self.path.read_bytes() == self.content
        return False


class Greeting(NamedTuple):
    """What a worker says when it is ready, or why it never will be."""

    probe: Probe | None
    refusal: str | None = None  # a sentence
    shares: bool = False  # whether it works in the driver's results folder


class NodeWorker:
    """What an actor of Ray is: one worker process, and its folder."""

    def __init__(self, place: WorkerSettings, node: str, mark: Mark | None, rest: float) -> None:
        """Take what is said of all workers.

        Args:
            place: Where to work; the results folder is used only where it is the driver's.
            node: The node's name, for sentences.
            mark: In the driver's results folder; None if nothing is shared.
            rest: Seconds between two checkpoints that travel.
        """
        self._node, self._shares = node, mark is not None and mark.is_seen()
        _sweep()
        self._folder = Path(tempfile.gettempdir()) / temporary_name(OWN)
        if not self._shares:
            place = replace(place, results=self._folder)
        self._place = place
        self._sender = Sender(Store(self._folder), rest)
        self._workers: LocalWorkers | None = None

    def greet(self, datasets: tuple[DatasetRef, ...]) -> Greeting:
        """Start the worker process, once; return what it says."""
        try:
            place = replace(self._place, data_dir=self._data_dir(datasets))
            sys.path.append(str(self._sources))  # which a process that is started here takes over
            # As it takes over the script that runs here, which is Ray's: it would load all of Ray.
            vars(sys.modules["__main__"]).pop("__file__", None)
            self._workers = LocalWorkers(1, place)
            while True:
                for event in self._workers.events(timeout=SAID):
                    if isinstance(event, Probe):
                        return Greeting(event, shares=self._shares)
        except (DatasetError, WorkerError) as error:
            return Greeting(None, f"node {self._node}: {error}")

    @property
    def _sources(self) -> Path:
        return self._folder / "sources"

    def _data_dir(self, datasets: tuple[DatasetRef, ...]) -> Path:
        """Return the folder here that has the datasets: the one that was named, or the user's own.

        Raises:
            DatasetError: If neither has all of them.
        """
        refusals = []
        for folder in dict.fromkeys((self._place.data_dir, default_data_dir())):
            try:
                for asked in datasets:
                    _refuse_other_images(asked, folder)
                return folder
            except DatasetError as error:
                refusals.append(error)
        raise refusals[0]

    def do(self, job: Job, files: Files, sources: Mapping[str, bytes]) -> Iterator[Parcel]:
        """Do a job; yield what happens, and the files that travel with it.

        Raises:
            WorkerError: If no process here can train any more.
        """
        assert self._workers is not None  # it has greeted
        for name, content in sources.items():
            write_atomically(self._sources / name, content)
        sent = job if isinstance(job, Run) and not self._shares else None
        if sent is not None:
            self._sender.lay_out(sent, files)
        self._workers.submit(job)
        while True:
            for event in self._workers.events(timeout=SAID):
                if isinstance(event, Probe):  # of a process that replaces one that died
                    continue
                yield self._sender.packed(sent, event) if sent else Parcel(event, {})
                if not isinstance(event, Progressed):
                    if sent is not None:
                        self._sender.clear(sent)
                    return

    def end(self) -> None:
        """End the process, and leave nothing behind."""
        if self._workers is not None:
            self._workers.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def __repr__(self) -> str:
        """Return what Ray calls it in its logs."""
        return f"worker of {self._node}"


def _refuse_other_images(asked: DatasetRef, data_dir: Path) -> None:
    """Refuse a folder that has not the images of a study.

    Raises:
        DatasetError: With what to type.
    """
    here = DatasetRef.of(read_manifest(asked.name, data_dir))
    if here != asked:
        raise DatasetError(
            f"{asked.name} in {data_dir} holds other images (digest {here.digest[:12]}) than here "
            f"({asked.digest[:12]}); copy the folder from here, or name one that all nodes see "
            "with --data-dir"
        )


def _sweep() -> None:
    """Delete folders of workers that were killed."""
    for left in Path(tempfile.gettempdir()).glob(f".{OWN}.*"):
        if is_abandoned(left) and left.stat().st_uid == os.getuid():
            shutil.rmtree(left, ignore_errors=True)
