"""Offline runs of Weights & Biases, as their client writes them without a network.

`wandb sync` sends them, if a person wants that. A run is written aside and then moved to its place.
"""

import os
import re
import shutil
import tempfile
from pathlib import Path

os.environ.setdefault("WANDB_ERROR_REPORTING", "false")  # read when it is imported

import wandb

from reports.commands.export.exported import ExportedRun

NAME = re.compile(r"offline-run-\d+_\d+-(?P<id>[0-9a-f]+)-(?P<digest>[0-9a-f]+)")

ASIDE = ".partial-"
"""How the folders begin in which runs are written; until the client has ended, it may use them."""


class Wandb:
    """A folder of offline runs."""

    def __init__(self, folder: Path) -> None:
        """Take the folder; it need not be there."""
        self._folder = folder
        self._before: dict[str, list[Path]] | None = None

    @property
    def place(self) -> str:
        """Where that is."""
        return str(self._folder)

    @property
    def opens(self) -> str:
        """The command that sends it to be shown."""
        return f"wandb sync {self._folder}/offline-run-*"

    def there(self) -> dict[str, str]:
        """Return the runs whose folder is there: it has its name when it is whole."""
        return {own: _digest(paths[-1]) for own, paths in self._found().items()}

    def _found(self) -> dict[str, list[Path]]:
        if self._before is None:
            self._before = {}
            for path in sorted(self._folder.glob("offline-run-*")):
                if found := NAME.fullmatch(path.name):
                    self._before.setdefault(found["id"], []).append(path)
        return self._before

    def write(self, run: ExportedRun) -> None:
        """Write a run's folder, and remove what was there by its id."""
        self._folder.mkdir(parents=True, exist_ok=True)
        aside = tempfile.mkdtemp(dir=self._folder, prefix=ASIDE)
        _log(run, aside)
        (made,) = Path(aside).glob("wandb/offline-run-*")
        for old in self._found().pop(run.id, []):
            shutil.rmtree(old)
        made.rename(self._folder / made.name)

    def close(self) -> None:
        """End the process that the client writes by, and remove what is left of its work."""
        wandb.teardown()
        for aside in self._folder.glob(f"{ASIDE}*"):  # also of an export that was killed
            shutil.rmtree(aside, ignore_errors=True)


def _digest(path: Path) -> str:
    found = NAME.fullmatch(path.name)
    return found["digest"] if found else ""


def _log(run: ExportedRun, folder: str) -> None:
    tags = run.tags
    settings = wandb.Settings(
        console="off",
        disable_git=True,
        save_code=False,
        silent=True,
        x_disable_machine_info=True,
        x_disable_stats=True,
        x_save_requirements=False,
    )
    logged = wandb.init(
        mode="offline",
        dir=folder,
        project=tags["study"],
        group=run.group,
        job_type=tags["phase"],
        id=f"{run.id}-{run.digest}",
        name=run.name,
        tags=[tags["study"], tags["dataset"], tags["phase"]],
        config={**run.params, **{f"about.{name}": text for name, text in tags.items()}},
        settings=settings,
    )
    for step in run.curve:
        logged.log(dict(step.values), step=step.epoch)
    logged.summary.update({f"final/{name}": value for name, value in run.final.items()})
    logged.finish(exit_code=0 if tags["status"] == "finished" else 1)
