"""The commands; each says what it will do, does it, and says what came of it."""

import functools
import signal
import traceback
import webbrowser
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, ParamSpec

import click

from alexnet.paths import expanded
from reports.commands.encoding import plain_where_needed
from reports.commands.exit_codes import BAD_INPUT, CHANGED, INTERRUPTED

# What a command needs is imported where it runs: `--help` and a misprint answer at once.
if TYPE_CHECKING:
    from rich.console import Console

    from ablations.store import Store


class Refused(click.ClickException):
    """Bad input: one sentence, exit code 2."""

    exit_code = BAD_INPUT


class Place(click.Path):
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

    from ablations.plan import PlanError
    from ablations.store import StoreError
    from ablations.studies import StudyError
    from ablations.workers.protocol import WorkerError
    from alexnet.data.manifest import DatasetError
    from alexnet.presets import PresetError
    from reports.commands.console import as_typed
    from reports.commands.request import RequestError

    if isinstance(error, ValidationError):
        first = error.errors()[0]
        return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
    if isinstance(error, OSError):
        place = f" in {Path(error.filename).parent}" if error.filename else ""
        return f"{error.strerror or error}{place}"
    refusals = (StudyError, PresetError, DatasetError, PlanError, StoreError, WorkerError)
    return as_typed(str(error)) if isinstance(error, (*refusals, RequestError)) else None


def _console() -> "Console":
    from rich.console import Console

    return Console(highlight=False)


def _default_data_dir() -> Path:
    from alexnet.data.manifest import default_data_dir

    return default_data_dir()


results_option = click.option(
    "--results",
    type=Place(file_okay=False),
    default=Path("results"),
    help="Folder of plans and records.",
)
several_results_option = click.option(
    "--results",
    type=Place(file_okay=False),
    multiple=True,
    default=(Path("results"),),
    help="Folder of plans and records; given several times, all are read as one.",
)
data_option = click.option(
    "--data-dir",
    type=Place(file_okay=False),
    default=_default_data_dir,
    help="Folder of prepared datasets (default: ALEXNET_DATA, else the user's data folder).",
)


def _seconds(context: click.Context, parameter: click.Parameter, value: str | None) -> float | None:
    from reports.commands.time_limit import seconds_of

    try:
        return None if value is None else seconds_of(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="alexnet-ablations")
def main() -> None:
    """AlexNet 2012 taken apart: which claims of the paper hold, by how much, how sure."""
    plain_where_needed()


@main.command()
@click.option("--study", required=True, help="Which study: a name, a file defining STUDY, or all.")
@click.option("--dataset", help="On which images; 'paper' for the paper's own.")
@click.option("--seeds", type=click.IntRange(1, 1000), help="How many paired seeds (default 10).")
@click.option("--workers", type=click.IntRange(1), help="Processes (default: one per core).")
@click.option("--device", default="auto", help="auto, cpu, cuda or cuda:N.")
@click.option(
    "--precision",
    type=click.Choice(["auto", "float32", "bfloat16", "float64"]),
    default="auto",
    help="auto: bfloat16 where the machine computes in it, else float32; float64 is for proofs.",
)
@click.option("--smoke", is_flag=True, help="Seconds instead of minutes, to see that all works.")
@click.option(
    "--baseline",
    type=Place(dir_okay=False),
    help="With --study all --smoke: hold every arm's losses against this file, or 'shipped'.",
)
@click.option("--update-baseline", is_flag=True, help="Make the baseline anew, with --reason.")
@click.option("--reason", help="Why the baseline is made anew; it is kept in the file.")
@click.option(
    "--junit",
    type=Place(dir_okay=False),
    help="With --study all --smoke: write a JUnit file, one case an arm.",
)
@click.option(
    "--time-limit",
    callback=_seconds,
    help="Stop cleanly after so long, such as 5m, and exit with 4.",
)
@click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")
@click.option("--traceback", is_flag=True, help="Show where a study of your own went wrong.")
@results_option
@data_option
@refusing
def ablate(
    baseline: Path | None,
    update_baseline: bool,
    reason: str | None,
    junit: Path | None,
    traceback: bool,
    **options: Any,
) -> int:
    """Run what a study still lacks, and print what it comes to."""
    from reports.commands.ablate import run
    from reports.commands.all_studies import run_all
    from reports.commands.request import ALL, Request
    from reports.smoke.options import Check
    from reports.smoke.run import smoke_all

    signal.signal(signal.SIGTERM, signal.default_int_handler)  # what a scheduler sends is Ctrl-C
    request, console = Request(**options), _console()
    check = Check(baseline, update_baseline, reason, junit)
    if request.study == ALL and request.smoke:
        return smoke_all(request, console, check)
    if check != Check():
        raise Refused("baselines and JUnit files are of `--study all --smoke`, of every arm once")
    return run_all(request, console) if request.study == ALL else run(request, console)


@main.command()
@click.option("--study", help="Only this study.")
@click.option(
    "--out",
    type=Place(file_okay=False),
    help="Folder to write to (default: report, in the results folder).",
)
@click.option("--open", "show", is_flag=True, help="Show the page in a browser.")
@several_results_option
@refusing
def report(study: str | None, out: Path | None, show: bool, results: tuple[Path, ...]) -> int:
    """Write page, tables and figures of everything in a results folder."""
    from ablations.merged import strangers
    from reports.commands.console import say
    from reports.page.report import write_report

    console = _console()
    store = _opened(results)
    plans = store.plans()
    names = sorted({plan.definition.study for plan in plans})
    if study is not None and study not in names:
        where = " and ".join(map(str, results))
        raise Refused(f"{study} has not been run in {where}; there is {', '.join(names)}")
    page, *others = write_report(store, out or results[0] / "report", study)
    for problem in [*store.problems, *strangers(store, plans)]:
        say(console, "set aside", problem)
    say(console, "page", str(page))
    say(console, "beside it", f"{len(others)} files: tables, figures, report.json")
    if show:
        webbrowser.open(page.resolve().as_uri())
    return 0


def _opened(folders: Sequence[Path]) -> "Store":
    """Return what results folders hold, several of them as one.

    Raises:
        Refused: If one of them holds nothing, or all together no plan.
    """
    from ablations.merged import MergedResults
    from ablations.store import Store
    from reports.commands.console import as_typed

    store = Store(folders[0]) if len(folders) == 1 else MergedResults(folders)
    held = ("plans/*.json", "runs/*/record.json")
    empty = [folder for folder in folders if not any(any(folder.glob(one)) for one in held)]
    if empty or not store.plans():
        where = " and ".join(map(str, empty or folders))
        damaged = "".join(f"\n{problem}" for problem in store.problems)
        raise Refused(
            as_typed(
                f"no study has been run in {where}; start with:  "
                f"invoke ablate --study relu_vs_tanh{damaged}"
            )
        )
    return store


@main.command()
@click.option("--prune", is_flag=True, help="Delete what nothing needs, after asking.")
@click.option("--yes", is_flag=True, help="With --prune: do not ask.")
@results_option
@refusing
def results(results: Path, prune: bool, yes: bool) -> int:
    """List what is in a results folder and what it weighs; delete what nothing needs."""
    from reports.commands.results import run

    if yes and not prune:
        raise Refused("--yes answers what --prune asks; use both")
    return run(results, _console(), prune, yes)


@main.command()
@click.option(
    "--results",
    type=Place(file_okay=False),
    help="Folder of plans and records (default: results, else the evidence that ships).",
)
@click.option("--run", "runs", multiple=True, help="First digits of a run's id; several times.")
@click.option("--sample", type=click.IntRange(1), help="So many runs, drawn at random.")
@click.option("--workers", type=click.IntRange(1), help="Processes (default: one per core).")
@click.option("--device", default="auto", help="auto (as recorded), cpu, cuda or cuda:N.")
@click.option("--time-limit", callback=_seconds, help="Stop cleanly after so long, such as 5m.")
@click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")
@data_option
@refusing
def verify(**options: Any) -> int:
    """Train recorded runs again, and say whether they come to the same, to the bit or nearly."""
    from reports.commands.verify import VerifyRequest, run

    signal.signal(signal.SIGTERM, signal.default_int_handler)
    return run(VerifyRequest(**options), _console())


@main.command(
    options_metavar="[OPTIONS] [BEFORE AFTER]",
    context_settings={"allow_extra_args": True},  # BEFORE and AFTER
)
@click.option(
    "--before",
    type=Place(),
    multiple=True,
    help="A results folder or report.json; given several times, folders are read as one.",
)
@click.option(
    "--after",
    type=Place(),
    multiple=True,
    help="The same, of what may have changed.",
)
@click.option("--fail-on-change", is_flag=True, help="Exit with code 3 if anything has changed.")
@refusing
def compare(before: tuple[Path, ...], after: tuple[Path, ...], fail_on_change: bool) -> int:
    """Say which verdicts moved between two reports, and which numbers did beyond noise."""
    from reports.commands.console import say
    from reports.findings.changes import CHANGED_KINDS, changes, compared, lines

    given = [Path(place) for place in click.get_current_context().args]
    if len(given) == 2 and not before and not after:
        before, after, given = (given[0],), (given[1],), []
    if given or not before or not after:
        raise Refused(
            "two reports are compared, each a results folder or a report.json: "
            "--before FIRST --after SECOND"
        )
    console = _console()
    one, other = _content(before), _content(after)
    for label, places, content in (("before", before, one), ("after", after, other)):
        measured = content["measured"]
        where = " and ".join(map(str, places))
        made = "; ".join(measured["provenance"]["made_by"])
        say(console, label, f"{where}, digest {content['digest'][:12]}; {made or 'no run'}")
        for problem in measured["set_aside"]:
            say(console, "set aside", problem)
    if one["digest"] == other["digest"]:
        say(console, "the same", f"one report, digest {one['digest'][:12]}")
        return 0
    rows = changes(one, other)
    for label, text in lines(rows):
        say(console, label, text)
    if not fail_on_change:
        return 0
    if not compared(rows):
        raise Refused("no study of one report is in the other, so that nothing could be compared")
    return CHANGED if any(row.kind in CHANGED_KINDS for row in rows) else 0


def _content(places: Sequence[Path]) -> dict[str, Any]:
    """Return a report as data, from its file, its folder, or the results that it would be of.

    Raises:
        Refused: If there is none, or it cannot be read.
    """
    from reports.commands.console import as_typed
    from reports.page.document import ReportError, read
    from reports.page.report import gather

    for place in places:
        if not place.exists():
            raise Refused(f"there is no results folder or report {place}")
    if len(places) == 1 and (file := _report_in(places[0])) is not None:
        try:
            return read(file)
        except ReportError as error:
            raise Refused(as_typed(str(error))) from error
    for place in places:
        if not place.is_dir():
            raise Refused(f"{place} is a file; several results folders are read as one, no reports")
    return gather(_opened(places)).document


def _report_in(place: Path) -> Path | None:
    """Return the file of a report, given itself or its folder; None for a folder of plans."""
    if place.is_file():
        return place
    file = place / "report.json"
    return file if file.is_file() and not (place / "plans").exists() else None


@main.command()
@click.option("--name", help="One of them, layer by layer.")
@refusing
def presets(name: str | None) -> int:
    """Show the networks called AlexNet side by side, or one of them layer by layer."""
    from reports.commands.presets import layer_by_layer, side_by_side

    console = _console()
    console.print(side_by_side(console) if name is None else layer_by_layer(name))
    return 0


@main.command()
@click.option("--name", help="One of them: what it is, how it gets here, what is here.")
@data_option
@refusing
def datasets(name: str | None, data_dir: Path) -> int:
    """List the datasets, and which of them are prepared on this machine."""
    from reports.commands.datasets import catalogue, describe_one

    console = _console()
    if name is None:
        catalogue(console, data_dir)
    else:
        describe_one(console, name, data_dir)
    return 0


@main.command()
@click.option("--name", help="One of them, or a file defining STUDY, explained on a screen.")
@results_option
@refusing
def studies(name: str | None, results: Path) -> int:
    """List the studies: question, the paper's number, what was found, time; or explain one."""
    from ablations.store import Store
    from reports.evidence import EVIDENCE

    console, stores = _console(), [Store(results), Store(EVIDENCE)]
    if name is None:
        from reports.commands.studies import catalogue

        catalogue(console, stores)
    else:
        from reports.commands.explanation import explain

        explain(console, name, stores)
    return 0


def _source(context: click.Context, parameter: click.Parameter, value: str | None) -> object:
    if value in ("hub", "official") and not Path(value).exists():
        return value
    return expanded(value) if value else None


@main.command()
@click.option("--dataset", required=True, help="Which images, or a name for images of your own.")
@click.option(
    "--source",
    callback=_source,
    help="A folder, tar or zip that has them; or hub, official: where to download from.",
)
@click.option(
    "--resize",
    type=click.Choice(["centre", "stretch"]),
    help="centre: the paper's, shorter side and central square; stretch: Caffe's forced square.",
)
@click.option("--size", type=click.IntRange(8, 1024), help="Side of a stored image, pixels.")
@click.option(
    "--class-folder",
    type=click.Choice(["outer", "inner"]),
    help="Which of two folders around an image is its class, where that is not plain.",
)
@click.option("--no-mirror", is_flag=True, help="Mirrored images are not natural (text, digits).")
@click.option("--allow-missing", is_flag=True, help="Go on if over 1 % cannot be read.")
@click.option("--workers", type=click.IntRange(1), help="Processes (default: one per core).")
@click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")
@data_option
@refusing
def prepare(
    dataset: str,
    source: Path | Literal["hub", "official"] | None,
    resize: Literal["centre", "stretch"] | None,
    size: int | None,
    class_folder: Literal["outer", "inner"] | None,
    no_mirror: bool,
    allow_missing: bool,
    workers: int | None,
    dry_run: bool,
    data_dir: Path,
) -> int:
    """Download or import images, check them, and write the form that training reads."""
    from alexnet.data.prepare.order import Order
    from reports.commands.datasets import run

    order = Order(
        name=dataset,
        source=source,
        data_dir=data_dir,
        resize=resize,
        size=size,
        mirror=not no_mirror,
        class_folder=class_folder,
        allow_missing=allow_missing,
        workers=workers,
        plan_only=dry_run,
    )
    return run(order, _console())
