"""What a results folder holds, read: plans, records and the files beside them."""

import contextlib
import os
from pathlib import Path

from ablations.plan import Plan, PlanError, plan_name
from ablations.record import Record, RecordError
from ablations.run import Run
from alexnet.data.digests import file_digest
from alexnet.sealed import SealError, refuse_irregular


class Results:
    """The plans and records of a results folder; nothing of it is changed."""

    def __init__(self, results: Path) -> None:
        """Read records when they are asked for; damaged ones are treated as absent."""
        self.path = results
        self._problems: list[str] = []
        self._records: dict[str, Record] = {}
        self._paths: set[Path] = set()  # of the records that were read
        self._names: set[str] = set()  # of their folders
        self._is_read = False

    @property
    def folders(self) -> list[Path]:
        """The results folders that are read."""
        return [self.path]

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
        self._names.add(path.parent.name)
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
            for path in sorted(self.path.glob("runs/*/record*.json")):
                if path.name != "record.json":
                    if not path.name.startswith("record-set-aside-"):
                        self._problem(f"{path} is a record under another name, and is not read")
                elif path not in self._paths:
                    self._read(path)

    def folder(self, run: Run) -> Path:
        """Return the folder of a run."""
        return self.path / "runs" / run.short

    def find(self, run: Run) -> Record | None:
        """Return the record of a run, whoever wrote it and when, or None."""
        if run.id not in self._records and (path := self.folder(run) / "record.json").exists():
            self._read(path)
        if run.id not in self._records:
            self._read_all()
        return self._records.get(run.id)

    def appeared(self) -> list[Record]:
        """Return the records that others have added since folders were last looked at.

        The names of all folders are read, and it is looked into those alone that had none yet.
        """
        known = set(self._records)
        with contextlib.suppress(FileNotFoundError), os.scandir(self.path / "runs") as folders:
            for folder in folders:
                if folder.name in self._names:
                    continue
                if (path := Path(folder.path) / "record.json").exists():
                    self._read(path)
        return [self._records[id_] for id_ in self._records.keys() - known]

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

    def plan_path(self, study: str, dataset: str, smoke: bool) -> Path:
        """Return where the plan of a study on a dataset lies."""
        return self.path / "plans" / f"{plan_name(study, dataset, smoke)}.json"

    def read_plan(self, study: str, dataset: str, smoke: bool) -> Plan | None:
        """Return a registered plan, or None.

        Raises:
            PlanError: If the file cannot be read.
        """
        path = self.plan_path(study, dataset, smoke)
        return Plan.read(path) if path.exists() else None

    def plans(self) -> list[Plan]:
        """Return every plan that can be read, by name; the others are named in ``problems``."""
        found = []
        for path in sorted(self.path.glob("plans/*.json")):
            try:
                found.append(Plan.read(path))
            except PlanError as error:
                self._problem(str(error))
        return found
