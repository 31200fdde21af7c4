"""A results folder, written: plans, records and what belongs to them; files hold the truth."""

import contextlib
import itertools
import json
import os
import platform
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from filelock import Timeout

from ablations.plan import Plan, PlanError
from ablations.record import Record, RecordError
from ablations.results import Results
from ablations.run import Run
from alexnet.durable import temporary_name, write_atomically, write_once
from alexnet.locks import locked
from alexnet.sealed import read_bytes
from alexnet.text import shown

CHECKPOINT = "checkpoint.safetensors"
LOCK = "lock"
"""In the folder of a run that is not finished."""


class StoreError(ValueError):
    """The results folder cannot be used; the message says why and the way out."""


class BusyError(Exception):
    """Another process holds the lock of a run; the message says which, as far as that is known."""


class Store(Results):
    """A results folder that is written: runs are added to it, and plans registered in it."""

    overlap = ""
    """Who else had the lock of the last run that was held: locks do not reach from there to here.

    Or it was taken over, where locks are leases. Empty, as it should be, if nobody had."""

    def ensure_writable(self) -> None:
        """Refuse a folder that cannot be written, before anything starts.

        Raises:
            StoreError: With the system's reason.
        """
        try:
            probe = self.path / temporary_name("writable")
            write_atomically(probe, b"")
            probe.unlink(missing_ok=True)
        except OSError as error:
            raise StoreError(
                f"cannot write to the results folder {self.path} ({error.strerror}); "
                "choose another with --results PATH"
            ) from error

    def add(self, record: Record) -> None:
        """Commit a run: from the moment this returns, it is finished. Its files come before it."""
        folder = self.folder(record.run)
        if os.path.lexists(folder / "record.json"):
            self._set_aside_record(folder / "record.json")
        write_atomically(folder / "record.json", record.to_json().encode())
        for path in (folder / CHECKPOINT, *folder.glob("checkpoint-set-aside-*")):
            if path.is_dir():  # put there by somebody
                continue
            path.unlink(missing_ok=True)
        self._records[record.run.id] = record

    def _set_aside_record(self, path: Path) -> None:
        """Keep under another name a record that cannot be read: it may be of a later version."""
        try:
            Record.read(path)
        except (RecordError, OSError):
            self.set_aside(path)

    def forget(self, run: Run) -> bool:
        """Set the record of a run aside, so that it is trained again; return whether it was there.

        Only in the folder of its name: who has moved it has to put it back.
        """
        path = self.folder(run) / "record.json"
        if not os.path.lexists(path):
            return False
        self._records.pop(run.id, None)
        self.set_aside(path)
        return True

    def set_aside(self, path: Path) -> Path:
        """Give a file that cannot be used another name, beside its own; return it."""
        names = (f"{path.stem}-set-aside-{n}{path.suffix}" for n in itertools.count(1))
        aside = next(free for name in names if not os.path.lexists(free := path.with_name(name)))
        path.rename(aside)
        return aside

    def add_failure(self, run: Run, reason: str) -> Path:
        """Leave the reason why a run did not finish; it will be tried again."""
        folder = self.folder(run)
        number = len(list(folder.glob("failure-*.json"))) + 1
        path = folder / f"failure-{number}.json"
        content = {"at": datetime.now(UTC).isoformat(timespec="seconds"), "reason": reason}
        write_atomically(path, (json.dumps(content, indent=1) + "\n").encode())
        return path

    @contextlib.contextmanager
    def lock(self, run: Run) -> Iterator[None]:
        """Hold a run; the system releases it when its owner dies.

        Raises:
            BusyError: If another process holds it, with what is known of it.
        """
        folder = self.folder(run)
        folder.mkdir(parents=True, exist_ok=True)
        with self.lock_folder(folder):
            yield

    @contextlib.contextmanager
    def lock_folder(self, folder: Path) -> Iterator[None]:
        """Hold the run whose folder it is.

        Raises:
            BusyError: If another process holds it, with what is known of it.
        """
        holder = folder / "holder"
        self.overlap = ""
        try:
            with locked(folder / LOCK, wait=False):
                since = datetime.now().astimezone().isoformat(sep=" ", timespec="minutes")
                mine = f"process {os.getpid()} on {platform.node()} since {since}"
                holder.write_text(f"{mine}\n", encoding="utf-8")
                try:
                    yield
                finally:
                    with contextlib.suppress(OSError, ValueError):
                        if (there := read_bytes(holder, 1000).decode().strip()) != mine:
                            self.overlap = shown(there)
                    if not self.overlap:
                        holder.unlink(missing_ok=True)
        except Timeout as error:
            with contextlib.suppress(OSError, ValueError):
                raise BusyError(read_bytes(holder, 1000).decode().strip()) from error
            raise BusyError("another process") from error

    def write_plan(self, plan: Plan) -> None:
        """Write a plan, new or added to; what another process has added meanwhile stays.

        Raises:
            PlanError: If another definition is registered by that name, which stands: one of two
                that are registered at the same moment wins.
        """
        path = self.path / "plans" / f"{plan.name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        with locked(path.with_name(f".{path.name}.lock")):
            if not path.exists() and write_once(path, plan.to_json().encode()):
                return
            for _ in range(20):  # where there are no links, it is empty for a moment
                if path.stat().st_size:
                    break
                time.sleep(0.05)
            there = Plan.read(path)
            if not there.definition.is_same_as(plan.definition):
                raise PlanError(
                    f"another plan was registered as {path} in the meantime, and stands"
                )
            write_atomically(path, there.merged(plan).to_json().encode())
