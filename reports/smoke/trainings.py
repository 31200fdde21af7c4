"""The trainings of the smoke: every arm of every study for a few updates.

On generated colour images, in float64 but for arms that are of another precision, through one drop
of the rate and one evaluation, with one thread.
"""

import re
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from rich.console import Console

from ablations.machine import Fingerprint
from ablations.planning import define
from ablations.record import Record
from ablations.run import Run
from ablations.runner import work_off
from ablations.store import Store, StoreError
from ablations.workers.processes import LocalWorkers
from ablations.workers.protocol import Failed, Finished, WorkerSettings
from alexnet.config import Precision
from alexnet.data.stored import read_manifest
from alexnet.data.synthetic import GENERATED
from reports.commands.ablate.all_studies import shown
from reports.commands.ablate.request import Request, ready, refuse_crowded
from reports.commands.placement import placed
from reports.commands.progress import say_if_device_failed

PRECISION: Precision = "float64"
"""In which rounding stays far below what any change of the mathematics does."""
FOLDER = "smoke"
"""In the results folder: the records of the last smoke alone."""
RUN = re.compile("[0-9a-f]{12}")


class Training(NamedTuple):
    """One training of the smoke, and every arm that it stands for."""

    run: Run
    arms: tuple[str, ...]  # study/arm


class Smoked(NamedTuple):
    """What came of one training."""

    training: Training
    record: Record | None  # None if it failed, or was left out
    reason: str = ""  # why it failed

    @property
    def left_out(self) -> bool:
        """Whether it was not tried, or not to its end."""
        return self.record is None and not self.reason

    @property
    def failure(self) -> str:
        """Why it counts as failed; empty if it does not."""
        if self.record is not None and self.record.status == "diverged":
            return "its loss is not finite"
        return self.reason


def trainings(request: Request) -> list[Training]:
    """Return every different training of the smoke, in the order of the studies."""
    manifest = read_manifest(request.dataset or GENERATED, request.data_dir)
    found: dict[str, tuple[Run, list[str]]] = {}
    # That some studies are about images that are not here is no news to who checks the others.
    for study in shown(manifest, Console(quiet=request.dataset is None)):
        one = define(study, manifest.name, manifest, 1, PRECISION, smoke=True)
        for arm, config in one.arms.items():
            run = Run(
                config=config,
                # A pinned stream is that of seed 0: there nothing would show that it is pinned.
                seed=1 if config.pinned else 0,
                dataset=one.dataset,
                precision=one.precisions_of[arm],
                edition=one.edition,
            )
            found.setdefault(run.id, (run, []))[1].append(f"{study.name}/{arm}")
    return [Training(run, tuple(arms)) for run, arms in found.values()]


def device_of(request: Request) -> str:
    """Return where a smoke trains: on the CPU, which every machine has, unless told otherwise."""
    by_name = (request.gpus, request.per_gpu) != (None, None)
    return "cpu" if request.device == "auto" and not by_name else request.device


def delete_last(folder: Path) -> None:
    """Delete the records of the last smoke, which would be taken for what is trained now.

    Raises:
        StoreError: If anything else lies there, which is then left alone.
    """
    if not folder.exists():
        return
    runs = folder / "runs"
    others = [path for path in folder.iterdir() if path != runs and not _is_being_written(path)]
    if runs.is_dir():
        others += [path for path in runs.iterdir() if not RUN.fullmatch(path.name)]
    if others or folder.is_symlink():
        raise StoreError(
            f"a smoke deletes what the last one left in {folder}, and this has other files in it; "
            "choose another folder with --results PATH"
        )
    shutil.rmtree(folder)


def _is_being_written(path: Path) -> bool:
    """Whether a file is one that a kill may have left, of whichever version of this program."""
    return path.name.startswith(".") and path.is_file()


class Smoke:
    """One smoke: always trained anew, since code that has changed asks the same questions."""

    def __init__(
        self, request: Request, console: Console, todo: Sequence[Training], threads: int = 1
    ) -> None:
        """Start the workers.

        Args:
            request: Says where, on which device and by how many workers.
            console: Where warnings go.
            todo: What to train.
            threads: Of each worker.
        """
        self._todo = {one.run.id: one for one in todo}
        self._reasons: dict[str, str] = {}
        self._console = console
        found = placed(replace(request, device=device_of(request)), console, threads)
        folder = request.results / FOLDER
        delete_last(folder)
        self._store = Store(folder)
        self._store.ensure_writable()
        place = WorkerSettings(
            folder.resolve(), request.data_dir.resolve(), found.device, threads,
            request.command, request.kept_weights,
        )  # fmt: skip
        refuse_crowded(request.devices, (one.run.config for one in todo))
        self._workers = LocalWorkers(found.workers, found.told(place), found.gpus)

    def start(self) -> Fingerprint:
        """Wait until something can be trained; return what by."""
        return ready(self._workers, self._console).fingerprint

    def train(self) -> Iterator[Smoked]:
        """Yield what came of each training, as they are done."""
        runs = [one.run for one in self._todo.values()]
        for event in work_off(runs, self._store, self._workers):
            say_if_device_failed(self._console, event)
            if isinstance(event, Failed) and event.run is not None:
                self._reasons[event.run.id] = event.reason.splitlines()[0]
            if isinstance(event, Failed | Finished) and event.run is not None:
                yield self._smoked(self._todo[event.run.id])

    def found(self) -> list[Smoked]:
        """Return what has come of every training so far."""
        return [self._smoked(one) for one in self._todo.values()]

    def _smoked(self, one: Training) -> Smoked:
        return Smoked(one, self._store.find(one.run), self._reasons.get(one.run.id, ""))

    def close(self) -> None:
        """End the workers."""
        self._workers.close()
