"""Runs of MLflow, an experiment for each study and dataset.

By default in a file of SQLite, which needs no server. Runs are known again by a tag.
"""

import contextlib
import logging
import os
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from itertools import islice
from pathlib import Path
from textwrap import shorten
from typing import TypeVar

# Read when it is imported, or when a server is asked: else it would try for minutes.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")

from alembic.util import CommandError
from mlflow.entities import Experiment, Metric, Param, Run, ViewType
from mlflow.exceptions import MlflowException
from mlflow.store.entities import PagedList
from mlflow.tracking import MlflowClient
from sqlalchemy.exc import SQLAlchemyError

from reports.commands.export.exported import ExportedRun
from reports.commands.options import Refused

ID, DIGEST = "alexnet.id", "alexnet.digest"
"""Tags by which a run is known again, and what it held."""
FINISHED, FAILED = "FINISHED", "FAILED"
SQLITE = "sqlite:///"
LONGEST = 200
"""Letters of what MLflow says."""
MOST_PARAMS, MOST_METRICS, PAGE = 100, 1000, 1000
"""That MLflow takes at once, and gives at once."""
T = TypeVar("T")


def _paged(ask: Callable[[str | None], PagedList[T]]) -> Iterator[T]:
    """Yield what is given page by page."""
    token: str | None = None
    while True:
        page = ask(token)
        yield from page
        token = page.token
        if not token:
            return


class MLflow:
    """A store of MLflow."""

    def __init__(self, folder: Path, uri: str | None) -> None:
        """Open the store at an address, or the file in a folder if there is none."""
        for name in ("mlflow", "alembic"):  # they tell of every table that they make
            logging.getLogger(name).setLevel(logging.WARNING)
        self._artifacts = None if uri else (folder.resolve() / "artifacts").as_uri()
        self._uri = uri or f"{SQLITE}{folder.resolve() / 'mlflow.db'}"
        in_file = self._uri.removeprefix(SQLITE) if self._uri.startswith(SQLITE) else ""
        self._file = Path(in_file) if in_file else None
        self._opened: MlflowClient | None = None
        self._experiments: dict[str, str] = {}  # ids by name
        self._runs: dict[str, list[str]] = {}  # MLflow's ids by ours

    @property
    def place(self) -> str:
        """Where that is."""
        return self._uri if self._artifacts is None else str(self._file)

    @property
    def opens(self) -> str:
        """The command that shows it."""
        return f"mlflow ui --backend-store-uri {self._uri}"

    @property
    def _client(self) -> MlflowClient:
        if self._opened is None:
            self._opened = MlflowClient(tracking_uri=self._uri)
        return self._opened

    def there(self) -> dict[str, str]:
        """Return the runs that were written to their end.

        Raises:
            Refused: If the store cannot be reached.
        """
        if self._file is not None and not self._file.exists():
            parent = self._file.parent
            if self._artifacts is None and not (parent.is_dir() and os.access(parent, os.W_OK)):
                raise Refused(f"{self._uri} cannot be read: {parent} is no folder to write to")
            return {}
        found: dict[str, str] = {}
        with self._refusing("read"):
            for run in self._every_run():
                if (own := run.data.tags.get(ID)) is None:
                    continue
                self._runs.setdefault(own, []).append(run.info.run_id)
                if run.info.end_time is not None:
                    found[own] = run.data.tags.get(DIGEST, "")
        return found

    @contextlib.contextmanager
    def _refusing(self, what: str) -> Iterator[None]:
        """Turn what MLflow, and what is under it, say of a store into one sentence."""
        try:
            yield
        except (MlflowException, SQLAlchemyError, CommandError, ImportError) as error:
            reason = shorten(str(error), LONGEST, placeholder=" ...")
            raise Refused(f"{self.place} cannot be {what}: {reason}") from error

    def _every_run(self) -> Iterator[Run]:
        def experiments(token: str | None) -> "PagedList[Experiment]":
            return self._client.search_experiments(max_results=PAGE, page_token=token)

        every: Iterator[Experiment] = _paged(experiments)
        ids = [one.experiment_id for one in every]
        if ids:
            yield from _paged(
                lambda token: self._client.search_runs(
                    ids, run_view_type=ViewType.ACTIVE_ONLY, max_results=PAGE, page_token=token
                )
            )

    def write(self, run: ExportedRun) -> None:
        """Write a run, and delete what was there by its id.

        Raises:
            Refused: If the store cannot be written.
        """
        with self._refusing("written"):
            self._write(run)

    def _write(self, run: ExportedRun) -> None:
        for old in self._runs.pop(run.id, []):
            self._client.delete_run(old)
        own = self._client.create_run(
            self._experiment(run.group),
            start_time=_milliseconds(run.started),
            run_name=run.name,
            tags={**run.tags, ID: run.id, DIGEST: run.digest},
        ).info.run_id
        params = [Param(name, str(value)) for name, value in run.params.items()]
        for several in _parts(params, MOST_PARAMS):
            self._client.log_batch(own, params=several)
        for several in _parts(_metrics(run), MOST_METRICS):
            self._client.log_batch(own, metrics=several)
        status = FINISHED if run.tags["status"] == "finished" else FAILED
        self._client.set_terminated(own, status, end_time=_milliseconds(run.finished))

    def close(self) -> None:
        """Nothing is left open."""

    def _experiment(self, name: str) -> str:
        """Return the id of an experiment, which is made where there is none.

        Raises:
            Refused: If somebody has deleted it: MLflow gives its name to no other.
        """
        if name not in self._experiments:
            there = self._client.get_experiment_by_name(name)
            if there is not None and there.lifecycle_stage == "deleted":
                raise Refused(
                    f"the experiment {name} was deleted in {self._uri}; restore it there, or "
                    "export to another place"
                )
            self._experiments[name] = (
                there.experiment_id
                if there is not None
                else self._client.create_experiment(name, artifact_location=self._artifacts)
            )
        return self._experiments[name]


def _metrics(run: ExportedRun) -> list[Metric]:
    steps = [
        Metric(name, value, _milliseconds(step.at), step.epoch)
        for step in run.curve
        for name, value in step.values.items()
    ]
    end = _milliseconds(run.finished)
    final = [
        Metric(f"final/{name}", value, end, len(run.curve)) for name, value in run.final.items()
    ]
    return [*steps, *final]


def _milliseconds(at: datetime) -> int:
    return int(at.timestamp() * 1000)


def _parts(items: Iterable[T], most: int) -> Iterator[list[T]]:
    """Yield items in lists of at most so many."""
    left = iter(items)
    while several := list(islice(left, most)):
        yield several
