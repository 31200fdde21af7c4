"""What a person asks a smoke of all studies to be held against, and where it is to tell of it."""

import os
from dataclasses import dataclass
from pathlib import Path

from ablations.machine import checkout
from ablations.registration import RequestError
from alexnet.data.synthetic import GENERATED
from reports.commands.ablate.request import Request
from reports.smoke.trainings import PRECISION, device_of

SHIPPED = "shipped"
"""In place of a baseline's path: the one that comes with the package."""
UPDATE = "invoke ablate --study all --smoke --baseline {} --update-baseline --reason TEXT"


@dataclass(frozen=True)
class Check:
    """What a smoke is held against, and where it tells of it.

    Raises:
        RequestError: If what is asked for contradicts itself.
    """

    baseline: Path | None = None
    update: bool = False
    reason: str | None = None
    junit: Path | None = None

    def __post_init__(self) -> None:
        """Refuse what could not be meant."""
        if self.update and self.baseline is None:
            raise RequestError("--update-baseline needs --baseline FILE, which it writes")
        if self.update and not (self.reason or "").strip():
            raise RequestError("--update-baseline needs --reason TEXT, which the file keeps")
        if self.reason and not self.update:
            raise RequestError("--reason is kept with a new baseline; add --update-baseline")
        if self.update and self.junit:
            raise RequestError("--update-baseline checks nothing that --junit could hold")
        if self.update and self._is_shipped and checkout() == (None, None):
            raise RequestError(
                "the shipped baseline is the package's own; name a file of yours with --baseline"
            )

    @property
    def _is_shipped(self) -> bool:
        return self.baseline is not None and str(self.baseline) == SHIPPED

    @property
    def path(self) -> Path | None:
        """The baseline's file."""
        return Path(__file__).with_name("baseline.json") if self._is_shipped else self.baseline

    def refuse(self, request: Request) -> None:
        """Refuse what a smoke of all studies would not do, before anything starts.

        Raises:
            RequestError: With the option.
        """
        if (request.seeds, request.only_seeds) != (None, None) or request.precision != "auto":
            raise RequestError(
                f"a smoke of all studies trains each arm once, in {PRECISION}; leave out --seeds, "
                "--only-seeds and --precision"
            )
        if self.baseline is not None and request.dataset not in (None, GENERATED):
            raise RequestError("a baseline is of the generated images; leave out --dataset")
        if self.update and device_of(request) != "cpu":
            raise RequestError(
                "a baseline is made on a CPU, which every machine has; leave out --device"
            )
        for path in (self.junit, self.path if self.update else None):
            if path is not None and not request.dry_run:  # which makes no folder either
                _refuse_unwritable(path)

    @property
    def renewal(self) -> str:
        """The command that makes a baseline of what is there now."""
        elsewhere = self._is_shipped and checkout() == (None, None)
        return UPDATE.format("baseline.json" if elsewhere else self.baseline)


def _refuse_unwritable(path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        writable = os.access(path.parent, os.W_OK)
    except OSError:
        writable = False
    if not writable:
        raise RequestError(f"cannot write {path}; name a file in a folder that can be written")
