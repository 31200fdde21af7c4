"""The commands; each says what it will do, does it, and says what came of it."""

import functools
import re
import signal
import traceback
import webbrowser
from collections.abc import Callable
from pathlib import Path
from typing import Any, ParamSpec

import click
from pydantic import ValidationError
from rich.console import Console

from ablations.messages import WorkerError
from ablations.plan import PlanError
from ablations.store import StoreError
from ablations.studies import StudyError
from alexnet.data.catalogue import DatasetError, default_data_dir
from alexnet.presets import PresetError
from reports.terminal import as_typed, say

REFUSED = (StudyError, PresetError, DatasetError, PlanError, StoreError, WorkerError)


class Refused(click.ClickException):
    """Bad input: one sentence, exit code 2."""

    exit_code = 2


P = ParamSpec("P")
INTERRUPTED = 130


def refusing(command: Callable[P, int]) -> Callable[P, int]:
    """Turn what the packages raise for bad input into one sentence and exit code 2."""

    @functools.wraps(command)
    def wrapped(*arguments: P.args, **options: P.kwargs) -> int:
        try:
            code = command(*arguments, **options)
        except KeyboardInterrupt:
            code = INTERRUPTED
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"]))
            raise Refused(f"{where}: {first['msg']}") from error
        except REFUSED as error:
            if options.get("traceback"):
                traceback.print_exception(error)
            raise Refused(as_typed(str(error))) from error
        except OSError as error:
            place = f" in {Path(error.filename).parent}" if error.filename else ""
            raise Refused(f"{error.strerror or error}{place}") from error
        if code:
            click.get_current_context().exit(code)
        return code

    return wrapped


def _device(context: click.Context, parameter: click.Parameter, value: str) -> str:
    if not re.fullmatch(r"auto|cpu|cuda(:\d+)?", value):
        raise click.BadParameter(f"{value!r} is not a device; use auto, cpu, cuda or cuda:N")
    return value


results_option = click.option(
    "--results",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("results"),
    help="Folder of plans and records.",
)
data_option = click.option(
    "--data-dir",
    type=click.Path(path_type=Path, file_okay=False),
    default=default_data_dir,
    help="Folder of prepared datasets (default: ALEXNET_DATA, else the user's data folder).",
)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="alexnet-ablations")
def main() -> None:
    """AlexNet 2012 taken apart: which claims of the paper hold, by how much, how sure."""


@main.command()
@click.option("--study", required=True, help="Which study: a name, or a file defining STUDY.")
@click.option("--dataset", help="On which images; 'paper' for the paper's own.")
@click.option("--seeds", type=click.IntRange(1, 1000), help="How many paired seeds (default 10).")
@click.option("--workers", type=click.IntRange(1), help="Processes (default: one per core).")
@click.option("--device", default="auto", callback=_device, help="auto, cpu, cuda or cuda:N.")
@click.option(
    "--precision",
    type=click.Choice(["auto", "float32", "bfloat16"]),
    default="auto",
    help="Of the layers' arithmetic; auto: bfloat16 where the machine computes in it.",
)
@click.option("--smoke", is_flag=True, help="Seconds instead of minutes, to see that all works.")
@click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")
@click.option("--traceback", is_flag=True, help="Show where a study of your own went wrong.")
@results_option
@data_option
@refusing
def ablate(**options: Any) -> int:
    """Run what a study still lacks, and print what it comes to."""
    from reports.ablate import Request, run

    signal.signal(signal.SIGTERM, signal.default_int_handler)  # what a scheduler sends is Ctrl-C
    del options["traceback"]
    return run(Request(**options), Console(highlight=False))


@main.command()
@click.option("--study", help="Only this study.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder to write to (default: report, in the results folder).",
)
@click.option("--open", "show", is_flag=True, help="Show the page in a browser.")
@results_option
@refusing
def report(study: str | None, out: Path | None, show: bool, results: Path) -> int:
    """Write page, tables and figures of everything in a results folder."""
    from ablations.store import Store
    from reports.page import write_report

    console = Console(highlight=False)
    store = Store(results)
    names = sorted({plan.definition.study for plan in store.plans()})
    if not names:
        damaged = "".join(f"\n{problem}" for problem in store.problems)
        raise Refused(
            as_typed(
                f"no study has been run in {results}; start with:  "
                f"invoke ablate --study relu_vs_tanh{damaged}"
            )
        )
    if study is not None and study not in names:
        raise Refused(f"{study} has not been run in {results}; there is {', '.join(names)}")
    page, *others = write_report(store, out or results / "report", study)
    for problem in store.problems:
        say(console, "set aside", problem)
    say(console, "page", str(page))
    say(console, "beside it", f"{len(others)} files: tables, figures, report.json")
    if show:
        webbrowser.open(page.resolve().as_uri())
    return 0


@main.command()
@click.option("--name", help="One of them, layer by layer.")
@refusing
def presets(name: str | None) -> int:
    """Show the networks called AlexNet side by side, or one of them layer by layer."""
    from reports.networks import layer_by_layer, side_by_side

    console = Console(highlight=False)
    console.print(side_by_side(console) if name is None else layer_by_layer(name))
    return 0


@main.command()
@click.option("--dataset", required=True, help="Which images, for example cifar10.")
@click.option("--source", type=click.Path(path_type=Path), help="A tar or folder that has them.")
@data_option
@refusing
def prepare(dataset: str, source: Path | None, data_dir: Path) -> int:
    """Download or import images, check them, and write the form that training reads."""
    from alexnet.data.catalogue import describe, folder_of, whole
    from alexnet.data.preparation import prepare as prepare_dataset

    console = Console(highlight=False)
    description = describe(dataset)
    folder = folder_of(dataset, data_dir)
    manifest = whole(dataset, data_dir)
    if manifest is not None:
        say(console, dataset, f"already prepared in {folder}, every file as its digest says")
    else:
        if source is None and description.kind == "folders":
            raise Refused(as_typed(f"{dataset} needs --source:  {description.how}"))
        if source is not None and not source.exists():
            raise Refused(f"there is no file or folder {source}")
        say(console, dataset, description.title)
        say(console, "from", str(source) if source else f"its authors' server, {description.cost}")
        manifest = prepare_dataset(dataset, source, data_dir)
        say(console, "written to", str(folder))
    counts = ", ".join(f"{count:,} {part}" for part, count in manifest.counts.items())
    say(console, "images", counts)
    say(console, "digest", manifest.digest[:12])
    return 0
