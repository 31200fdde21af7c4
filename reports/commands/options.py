"""Options that several commands have, and what all do with bad input.

What a command needs is imported where it runs: `--help` and a misprint answer at once.
"""

import functools
import os
import re
import traceback
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec

import click
from click.shell_completion import CompletionItem

from alexnet.paths import expanded
from reports.commands.exit_codes import BAD_INPUT, INTERRUPTED

if TYPE_CHECKING:
    from rich.console import Console

    from ablations.queue import DriverShard


class Refused(click.ClickException):
    """Bad input: one sentence, exit code 2."""

    exit_code = BAD_INPUT


class PathOption(click.Path):
    """A path, in which ~ is the home folder also where no shell has seen to that."""

    def __init__(self, **options: Any) -> None:
        """Take what `click.Path` takes, and return `pathlib.Path`."""
        super().__init__(path_type=Path, **options)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the path; ~ stays where there is no home folder."""
        try:
            return super().convert(expanded(value), param, ctx)
        except ValueError:  # a zero byte, or half a letter
            self.fail(f"{str(value)!a} is no path", param, ctx)


SHIPPED = "shipped"
"""In place of a results folder: the evidence that ships; a folder of that name is ./shipped."""


class ResultsOption(PathOption):
    """A path to plans and records, or the word for those that ship."""

    def __init__(self, writes: bool = False, **options: Any) -> None:
        """Take whether the command writes there, which it cannot where the evidence lies."""
        super().__init__(**options)
        self._writes = writes

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the path."""
        from reports.evidence import EVIDENCE

        if value != SHIPPED:
            return super().convert(value, param, ctx)
        if self._writes:
            self.fail(
                f"{value!r} is only read; name a folder to write to, or ./{value}", param, ctx
            )
        return EVIDENCE


class Name(click.ParamType):  # type: ignore[type-arg]  # generic since click 8.2
    """A name of one of several things; a shell completes it. Whether it is one is seen later."""

    def __init__(self, name: str, known: Callable[[], Iterable[str]], path: bool = False) -> None:
        """Take what the values are called, those that are known, and whether files may be named."""
        self.name = name
        self._known, self._path = known, path

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Return the names that begin as typed; of none, files if these may be named."""
        found = [CompletionItem(name) for name in self._known() if name.startswith(incomplete)]
        return found or [CompletionItem(incomplete, type="file")] * self._path


class SomeSeeds(click.ParamType):  # type: ignore[type-arg]  # generic since click 8.2
    """Seeds by their numbers: 4, 4-6 or 4,7; or none."""

    name = "seeds"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, ...]:
        """Return the seeds in the order in which they were named."""
        if isinstance(value, tuple):
            return value
        if value == "none":
            return ()
        seeds = _seeds_of(value)
        if seeds is None:
            self.fail(f"{value!a} names no seeds; write 4, 4-6 or 4,7, or none", param, ctx)
        return seeds


class Seeds(click.ParamType):  # type: ignore[type-arg]  # generic since click 8.2
    """How many seeds, a number; or which, as 4-6 or 4,7."""

    name = "seeds"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> int | tuple[int, ...]:
        """Return a number of seeds, or the seeds."""
        if isinstance(value, str) and re.search("[-,]", value.strip()[1:]):
            seeds = _seeds_of(value)
            if seeds is None:
                self.fail(f"{value!a} names no seeds; write 4-6 or 4,7, or how many", param, ctx)
            return seeds
        try:
            number = click.INT.convert(value, param, ctx)
            return int(click.IntRange(1, 1000).convert(number, param, ctx))
        except click.BadParameter as error:
            self.fail(f"{error.message.rstrip('.')}; say how many, or which, as 4-6 or 4,7",
                      param, ctx)  # fmt: skip


def _seeds_of(text: str) -> tuple[int, ...] | None:
    """Return the seeds that a text names, such as 4-6 or 4,7; None if it names none."""
    found: list[int] = []
    for part in text.split(","):
        ends = re.fullmatch(r"\s*([0-9]{1,4})(?:-([0-9]{1,4}))?\s*", part)
        if ends is None:
            return None
        seeds = range(int(ends[1]), int(ends[2] or ends[1]) + 1)
        if not seeds:  # 6-4
            return None
        found += seeds
    return tuple(found)


def _studies() -> Iterable[str]:
    from ablations.studies import STUDIES

    return (*STUDIES, "all")


def _datasets() -> Iterable[str]:
    from alexnet.data.catalogue import CATALOGUE

    return CATALOGUE


def _presets() -> Iterable[str]:
    from alexnet.presets import PRESETS

    return PRESETS


STUDY = Name("study", _studies, path=True)
DATASET = Name("dataset", _datasets)
PRESET = Name("preset", _presets)


class _Place(click.Argument):
    """An argument that no usage names where a command is a task, which takes options alone."""

    def get_usage_pieces(self, ctx: click.Context) -> list[str]:
        return [] if ctx.find_root().info_name == "invoke" else super().get_usage_pieces(ctx)


def by_place(
    option: str, kind: Name, help: str, required: bool = False
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Add an option whose value may also be given without its name."""
    name = option.lstrip("-")

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(command)
        def merged(place: str | None, **options: Any) -> Any:
            by_name = options.pop(name)
            if None not in (place, by_name):
                raise click.UsageError(f"{place!r} and {option} {by_name!r}: give one")
            value = by_name if place is None else place
            if required and value is None:
                raise click.UsageError(f"say which {kind.name}: {option} NAME")
            return command(**options, **{name: value})

        taking = click.argument(
            "place", cls=_Place, required=False, type=kind, metavar=f"[{name.upper()}]"
        )
        return click.option(option, type=kind, help=help)(taking(merged))

    return decorate


P = ParamSpec("P")


def refusing(command: Callable[P, int]) -> Callable[P, int]:
    """Turn what the packages raise for bad input into one sentence and exit code 2."""

    @functools.wraps(command)
    def wrapped(*arguments: P.args, **options: P.kwargs) -> int:
        try:
            code = command(*arguments, **options)
        except KeyboardInterrupt:
            code = INTERRUPTED
        except (ValueError, OSError, RuntimeError) as error:
            if (said := _said_of(error)) is None:
                raise
            if options.get("traceback"):
                traceback.print_exception(error)
            raise Refused(said) from error
        if code:
            click.get_current_context().exit(code)
        return code

    return wrapped


def _said_of(error: Exception) -> str | None:
    """Return what bad input is told; None of an error that is none of bad input."""
    from pydantic import ValidationError

    from ablations.drivers import DriverError
    from ablations.lengths import LengthError
    from ablations.plan import PlanError
    from ablations.registration import RequestError
    from ablations.store import StoreError
    from ablations.studies import StudyError
    from ablations.toggles import ToggleError
    from ablations.workers.protocol import WorkerError
    from alexnet.config.source import SourceError
    from alexnet.data.manifest import DatasetError
    from alexnet.presets import PresetError
    from reports.commands.console import as_typed

    if isinstance(error, ValidationError):
        first = error.errors()[0]
        return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
    if isinstance(error, OSError):
        place = f" in {Path(error.filename).parent}" if error.filename else ""
        return f"{error.strerror or error}{place}"
    refusals = (
        *(StudyError, ToggleError, LengthError, RequestError, SourceError, PresetError),
        *(DatasetError, PlanError, StoreError, DriverError, WorkerError),
    )
    return as_typed(str(error)) if isinstance(error, refusals) else None


def new_console() -> "Console":
    """Return what commands print to."""
    from rich.console import Console

    return Console(highlight=False)


def _default_data_dir() -> Path:
    from alexnet.data.manifest import default_data_dir

    return default_data_dir()


results_option = click.option(
    "--results",
    type=ResultsOption(file_okay=False),
    default=Path("results"),
    help="Folder of plans and records, or 'shipped'.",
)
written_results_option = click.option(
    "--results",
    type=ResultsOption(writes=True, file_okay=False),
    default=Path("results"),
    help="Folder of plans and records.",
)
several_results_option = click.option(
    "--results",
    type=ResultsOption(file_okay=False),
    multiple=True,
    default=(Path("results"),),
    help="Folder of plans and records, or 'shipped'; given several times, all are read as one.",
)
data_option = click.option(
    "--data-dir",
    type=PathOption(file_okay=False),
    default=_default_data_dir,
    help="Folder of prepared datasets (default: ALEXNET_DATA, else the user's data folder).",
)

gpus_option = click.option(
    "--gpus", help="Which GPUs: all (the default, if there are any) or numbers such as 0,2."
)
per_gpu_option = click.option(
    "--per-gpu",
    type=click.IntRange(1),
    help="Runs that share a GPU (default: up to 4 of networks for small images, else 1).",
)


def to_seconds(
    context: click.Context, parameter: click.Parameter, value: str | None
) -> float | None:
    """Return a time limit in seconds, as a callback of click."""
    from reports.commands.time_limit import seconds_of

    try:
        return None if value is None else seconds_of(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


def to_shard(
    context: click.Context, parameter: click.Parameter, value: str | None
) -> "DriverShard":
    """Return which of several drivers this is, as a callback of click; a SLURM array says so."""
    from ablations.queue import DriverShard, ShardError

    try:
        return DriverShard.of_slurm(os.environ) if value is None else DriverShard.parse(value)
    except ShardError as error:
        raise click.BadParameter(str(error)) from error


def to_source(context: click.Context, parameter: click.Parameter, value: str | None) -> object:
    """Return where images come from: a path, or a kind of download; a callback of click."""
    if value in ("hub", "official") and not Path(value).exists():
        return value
    return expanded(value) if value else None
