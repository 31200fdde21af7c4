"""The results folder: plans, records and what belongs to them; files alone hold the truth."""

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

from ablations.plan import Plan, PlanError, plan_name
from ablations.record import Record, RecordError
from ablations.run import Run
from alexnet.data.digests import file_digest
from alexnet.durable import temporary_name, write_atomically, write_once
from alexnet.locks import locked
from alexnet.sealed import SealError, read_bytes, refuse_irregular

CHECKPOINT = "checkpoint.safetensors"
LOCK = "lock"
"""In the folder of a run that is not finished."""
LARGEST_WEIGHTS = 64 * 2**20
"""Bytes; the weights of larger networks are not kept."""


class StoreError(ValueError):
    """The results folder cannot be used; the message says why and the way out."""


class BusyError(Exception):
    """Another process holds the lock of a run; the message says which, as far as that is known."""


class Store:
    """A results folder and the records found in it."""

    def __init__(self, results: Path) -> None:
        """Read records when they are asked for; damaged ones are treated as absent."""
        self.results = results
        self._problems: list[str] = []
        self._records: dict[str, Record] = {}
        self._paths: set[Path] = set()  # of the records that were read
        self._is_read = False

    @property
    def folders(self) -> list[Path]:
        """The results folders that are read."""
        return [self.results]

    @property
    def problems(self) -> list[str]:
        """What cannot be read or trusted in this folder, a sentence each."""
        self._read_all()
        return self._problems

    def _problem(self, problem: str) -> None:
        if problem not in self._problems:
            self._problems.append(problem)

    def _read(self, path: Path) -> None:
        self._paths.add(path)
        try:
            record = Record.read(path)
        except (RecordError, OSError) as error:
            self._problem(str(error))
            return
        mine, known = record.run, self._records.get(record.run.id)
        if known is None or path.parent.name == mine.short:
            self._records[mine.id] = record
        if known is not None and known != record:
            self._problem(
                f"{path.parent.parent} holds several records of run {mine.short}; one is read, "
                "that in the folder of its name if there is one"
            )

    def _read_all(self) -> None:
        """Read every record, once: a folder's name is only a name."""
        if not self._is_read:
            self._is_read = True
            for path in sorted(self.results.glob("runs/*/record*.json")):
                if path.name != "record.json":
                    if not path.name.startswith("record-set-aside-"):
                        self._problem(f"{path} is a record under another name, and is not read")
                elif path not in self._paths:
                    self._read(path)

    def ensure_writable(self) -> None:
        """Refuse a folder that cannot be written, before anything starts.

        Raises:
            StoreError: With the system's reason.
        """
        try:
            probe = self.results / temporary_name("writable")
            write_atomically(probe, b"")
            probe.unlink(missing_ok=True)
        except OSError as error:
            raise StoreError(
                f"cannot write to the results folder {self.results} ({error.strerror}); "
                "choose another with --results PATH"
            ) from error

    def folder(self, run: Run) -> Path:
        """Return the folder of a run."""
        return self.results / "runs" / run.short

    def find(self, run: Run) -> Record | None:
        """Return the record of a run, whoever wrote it and when, or None."""
        if run.id not in self._records and (path := self.folder(run) / "record.json").exists():
            self._read(path)
        if run.id not in self._records:
            self._read_all()
        return self._records.get(run.id)

    def find_file(self, record: Record, name: str) -> Path | None:
        """Return a file that a run left beside its record, or None.

        One that was cut short or edited is named in ``problems`` and treated as absent.
        """
        path, digest = self.folder(record.run) / name, record.files.get(name)
        if digest is None or not path.exists():
            return None
        try:
            refuse_irregular(path)
            if file_digest(path) == digest:
                return path
            what = "is not as its run left it"
        except SealError as error:
            what = str(error)
        except OSError as error:
            what = f"cannot be read ({error.strerror})"
        self._problem(f"{path} {what}; it is kept and treated as absent; delete it to silence this")
        return None

    def records(self) -> list[Record]:
        """Return every record, in the order of their ids."""
        self._read_all()
        return [self._records[id_] for id_ in sorted(self._records)]

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
        try:
            with locked(folder / LOCK, wait=False):
                since = datetime.now().astimezone().isoformat(sep=" ", timespec="minutes")
                holder.write_text(
                    f"process {os.getpid()} on {platform.node()} since {since}\n", encoding="utf-8"
                )
                try:
                    yield
                finally:
                    holder.unlink(missing_ok=True)
        except Timeout as error:
            with contextlib.suppress(OSError, ValueError):
                raise BusyError(read_bytes(holder, 1000).decode().strip()) from error
            raise BusyError("another process") from error

    def plan_path(self, study: str, dataset: str, smoke: bool) -> Path:
        """Return where the plan of a study on a dataset lies."""
        return self.results / "plans" / f"{plan_name(study, dataset, smoke)}.json"

    def read_plan(self, study: str, dataset: str, smoke: bool) -> Plan | None:
        """Return a registered plan, or None.

        Raises:
            PlanError: If the file cannot be read.
        """
        path = self.plan_path(study, dataset, smoke)
        return Plan.read(path) if path.exists() else None

    def write_plan(self, plan: Plan) -> None:
        """Write a plan, new or added to; what another process has added meanwhile stays.

        Raises:
            PlanError: If another definition is registered by that name, which stands: one of two
                that are registered at the same moment wins.
        """
        path = self.results / "plans" / f"{plan.name}.json"
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

    def plans(self) -> list[Plan]:
        """Return every plan that can be read, by name; the others are named in ``problems``."""
        found = []
        for path in sorted(self.results.glob("plans/*.json")):
            try:
                found.append(Plan.read(path))
            except PlanError as error:
                self._problem(str(error))
        return found
