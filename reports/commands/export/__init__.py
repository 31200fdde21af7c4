"""`export`: finished runs for TensorBoard, MLflow or Weights & Biases, by their own clients.

Nothing is sent anywhere, but to a tracking server that is named. Each run has the same name in
every export, so that a second one adds what is new and doubles nothing.
"""

import importlib.util
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import track

from alexnet.locks import locked
from reports.commands.console import say
from reports.commands.export.client import Client
from reports.commands.export.exported import ExportedRun, exported_runs
from reports.commands.options import Refused
from reports.commands.report import opened
from reports.findings.frames import every_run

NEEDED = {
    "tensorboard": ("tensorboard",),
    "mlflow": ("mlflow", "sqlalchemy", "alembic"),
    "wandb": ("wandb",),
}
"""Modules that each of them needs."""


def run(
    to: str,
    study: str | None,
    out: Path | None,
    uri: str | None,
    results: Sequence[Path],
    dry_run: bool,
    console: Console,
) -> int:
    """Write the runs that are not there yet; return the exit code.

    Raises:
        Refused: If the client is not installed, there is nothing to export, or an address was
            given to a client that has none.
    """
    if uri is not None and (to != "mlflow" or out is not None):
        raise Refused("--uri is where MLflow keeps its runs, in place of a folder (--out)")
    for module in NEEDED[to]:
        if importlib.util.find_spec(module) is None:
            raise Refused(
                f"{to} needs the package {module}, which is not installed here; install it with:  "
                "pip install 'alexnet-ablations[trackers]'"
            )
    store = opened(results)
    runs = exported_runs(every_run(store, study))
    for problem in store.problems:
        say(console, "ignored", problem)
    if not runs:
        of = f"of {study} " if study else ""
        raise Refused(f"no run {of}is finished in {' and '.join(map(str, results))}")
    folder = out or results[0] / "export" / to
    if uri is None and not dry_run:
        folder.mkdir(parents=True, exist_ok=True)
        with locked(folder / ".lock"):
            return _write(_client(to, folder, uri), runs, dry_run, console)
    return _write(_client(to, folder, uri), runs, dry_run, console)


def _write(client: Client, runs: Sequence[ExportedRun], dry_run: bool, console: Console) -> int:
    there = client.there()
    missing = [run for run in runs if there.get(run.id) != run.digest]
    say(console, "runs", f"{len(runs)} finished, {len(runs) - len(missing)} there already")
    if dry_run:
        say(console, "dry run", f"{len(missing)} would be written to {client.place}")
        return 0
    shown = track(missing, "writing", console=console, transient=True,
                  disable=not console.is_terminal)  # fmt: skip
    try:
        for run in shown:
            client.write(run)
    finally:
        client.close()
    say(console, "written", f"{len(missing)} to {client.place}")
    say(console, "look at it", client.opens)
    return 0


def _client(to: str, folder: Path, uri: str | None) -> Client:
    """Return what writes for a tracker; only the one that was asked for is imported."""
    match to:
        case "tensorboard":
            from reports.commands.export.for_tensorboard import TensorBoard

            return TensorBoard(folder)
        case "mlflow":
            from reports.commands.export.for_mlflow import MLflow

            return MLflow(folder, uri)
        case _:
            from reports.commands.export.for_wandb import Wandb

            return Wandb(folder)
