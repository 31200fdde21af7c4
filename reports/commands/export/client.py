"""What every tracker's client can do here."""

from collections.abc import Mapping
from typing import Protocol

from reports.commands.export.exported import ExportedRun


class Client(Protocol):
    """Where runs are written to."""

    @property
    def place(self) -> str:
        """Where that is, as a person reads it."""

    @property
    def opens(self) -> str:
        """The command that shows it."""

    def there(self) -> Mapping[str, str]:
        """Return the runs that are there as a whole, by id, with the digest of what they hold."""

    def write(self, run: ExportedRun) -> None:
        """Write a run, in place of what was there by its id."""

    def close(self) -> None:
        """Let go of what was opened."""
