"""The commands; each says what it will do, does it, and says what came of it."""

import signal
from pathlib import Path
from typing import Any, Literal

import click

from reports.commands.encoding import plain_where_needed
from reports.commands.options import (
    DATASET,
    PRESET,
    STUDY,
    PathOption,
    Refused,
    ResultsOption,
    Seeds,
    SomeSeeds,
    by_place,
    data_option,
    gpus_option,
    new_console,
    per_gpu_option,
    refusing,
    results_option,
    several_results_option,
    to_seconds,
    to_shard,
    to_source,
    written_results_option,
)

# What a command needs is imported where it runs: `--help` and a misprint answer at once.


@click.group(context_settings={"help_option_names": ["-h", "--help"]}, invoke_without_command=True)
@click.version_option(package_name="alexnet-ablations")
@click.pass_context
def main(context: click.Context) -> None:
    """AlexNet 2012 taken apart: which claims of the paper hold, by how much, how sure."""
    plain_where_needed()
    if context.invoked_subcommand is None:
        from reports.commands.start import run

        run(new_console())


def _heed_schedulers() -> None:
    """Let what a scheduler sends be Ctrl-C, until there is a limit of time, which it becomes."""
    for name in ("SIGTERM", "SIGUSR1"):
        if hasattr(signal, name):
            signal.signal(signal.Signals[name], signal.default_int_handler)


@main.command()
@by_place("--study", STUDY, "Which study: a name, a file defining STUDY, or all.")
@click.option("--toggle", help="In its place, ideas to combine, such as relu,lrn,dropout.")
@click.option("--dataset", type=DATASET, help="On which images; 'paper' for the paper's own.")
@click.option(
    "--seeds",
    type=Seeds(),
    help="How many paired seeds, from the first planned on (3), or which (4-6 or 4,7); the planned "
    "ones, mostly ten, if left out. Others than the planned are a second look.",
)
@click.option(
    "--only-seeds",
    type=SomeSeeds(),
    help="Train only these of the planned seeds (4, 4-6 or 4,7), as one of a class does; none: "
    "choose the rates alone.",
)
@click.option(
    "--epochs",
    type=click.IntRange(1),
    help="Train for so many, which is a study of its own, and of the paper's claims a stand-in.",
)
@click.option("--workers", type=click.IntRange(1), help="Processes (default: one per core or GPU).")
@click.option("--device", default="auto", help="auto, cpu, cuda or cuda:N.")
@gpus_option
@per_gpu_option
@click.option(
    "--cluster",
    metavar="ray[:HOST:PORT]",
    help="Train on the nodes of a Ray cluster, with --workers at most (default: all it has).",
)
@click.option(
    "--devices",
    type=click.IntRange(1),
    default=1,
    help="That train each run together, with a part of every batch each.",
)
@click.option(
    "--tower-devices",
    "towers_on",
    help="Networks in two towers on two devices, as in section 3.2: cuda:0,cuda:1 or cpu,cpu.",
)
@click.option(
    "--precision",
    type=click.Choice(["auto", "float32", "bfloat16", "float64"]),
    default="auto",
    help="auto: bfloat16 where the machine computes in it, else float32; float64 is for proofs.",
)
@click.option(
    "--keep-weights",
    type=click.Choice(["all", "comparison", "none"]),
    help="Of which runs (default: comparison, of networks of up to 64 MB).",
)
@click.option("--smoke", is_flag=True, help="Seconds instead of minutes, to see that all works.")
@click.option(
    "--baseline",
    type=PathOption(dir_okay=False),
    help="With --study all --smoke: hold every arm's losses against this file, or 'shipped'.",
)
@click.option("--update-baseline", is_flag=True, help="Make the baseline anew, with --reason.")
@click.option("--reason", help="Why the baseline is made anew; it is kept in the file.")
@click.option(
    "--junit",
    type=PathOption(dir_okay=False),
    help="With --study all --smoke: write a JUnit file, one case an arm.",
)
@click.option(
    "--time-limit",
    callback=to_seconds,
    help="Stop cleanly after so long, such as 90s, 5m or 2h, and exit with 4.",
)
@click.option(
    "--requeue",
    is_flag=True,
    help="In a SLURM job: have it started again when a time limit, SIGTERM or SIGUSR1 stops it.",
)
@click.option(
    "--shard",
    callback=to_shard,
    help="Which of several commands on one folder this is, such as 2/4: where it starts (default: "
    "as SLURM's array says).",
)
@click.option(
    "--locks",
    type=click.Choice(["auto", "system", "lease"]),
    default="auto",
    help="lease: for folders whose locks do not reach other machines; auto: as the folder has.",
)
@click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")
@click.option("--traceback", is_flag=True, help="Show where a study of your own went wrong.")
@written_results_option
@data_option
@refusing
def ablate(
    baseline: Path | None,
    update_baseline: bool,
    reason: str | None,
    junit: Path | None,
    traceback: bool,
    requeue: bool,
    study: str | None,
    toggle: str | None,
    **options: Any,
) -> int:
    """Train the missing runs of a study, and print the result."""
    from ablations.toggles import name_of, toggles_of
    from reports.commands.ablate import run
    from reports.commands.ablate.all_studies import run_all
    from reports.commands.ablate.request import ALL, Request
    from reports.commands.exit_codes import TIME_LIMIT
    from reports.commands.requeue import refuse_outside_slurm, start_again
    from reports.smoke.options import Check
    from reports.smoke.run import smoke_all

    _heed_schedulers()
    if requeue:
        refuse_outside_slurm()
    if (study is None) == (toggle is None):
        raise click.UsageError("say which study: --study NAME, or --toggle with ideas to combine")
    study = study or name_of(toggles_of(toggle or ""))
    request, console = Request(study=study, **options), new_console()
    check = Check(baseline, update_baseline, reason, junit)
    if request.study == ALL and request.smoke:
        if requeue:
            raise Refused("a smoke of all studies is trained anew each time: leave out --requeue")
        return smoke_all(request, console, check)
    if check != Check():
        raise Refused("baselines and JUnit files are of `--study all --smoke`, of every arm once")
    code = run_all(request, console) if request.study == ALL else run(request, console)
    if requeue and code == TIME_LIMIT:
        start_again(console)
    return code


@main.command()
@by_place("--study", STUDY, "Only this study.")
@click.option(
    "--out",
    type=PathOption(file_okay=False),
    help="Folder to write to (default: report, in the results folder; shipped-report of shipped).",
)
@click.option("--open", "show", is_flag=True, help="Show the page in a browser.")
@several_results_option
@refusing
def report(study: str | None, out: Path | None, show: bool, results: tuple[Path, ...]) -> int:
    """Write page, tables and figures of everything in a results folder."""
    from reports.commands.report import run

    return run(study, out, show, results, new_console())


@main.command()
@click.option(
    "--to",
    type=click.Choice(["tensorboard", "mlflow", "wandb"]),
    required=True,
    help="Which tracker: its files are written by its own client.",
)
@by_place("--study", STUDY, "Only this study.")
@click.option(
    "--out",
    type=PathOption(file_okay=False),
    help="Folder to write to (default: export/NAME, in the results folder).",
)
@click.option("--uri", help="With --to mlflow: where its runs are kept, in place of a folder.")
@click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")
@several_results_option
@refusing
def export(
    to: str,
    study: str | None,
    out: Path | None,
    uri: str | None,
    dry_run: bool,
    results: tuple[Path, ...],
) -> int:
    """Write finished runs for TensorBoard, MLflow or Weights & Biases, without a network."""
    from reports.commands.export import run

    return run(to, study, out, uri, results, dry_run, new_console())


@main.command()
@click.option("--prune", is_flag=True, help="Delete what nothing needs, after asking.")
@click.option("--yes", is_flag=True, help="With --prune: do not ask.")
@results_option
@refusing
def results(results: Path, prune: bool, yes: bool) -> int:
    """List what is in a results folder and what it weighs; delete what nothing needs."""
    from reports.commands.results import run
    from reports.evidence import EVIDENCE

    if prune and results == EVIDENCE:
        raise Refused("'shipped' is only read; --prune deletes, in a folder of yours")
    if yes and not prune:
        raise Refused("--yes answers what --prune asks; use both")
    return run(results, new_console(), prune, yes)


@main.command()
@click.option(
    "--results",
    type=ResultsOption(file_okay=False),
    help="Folder of plans and records, or 'shipped' (default: results, else shipped).",
)
@click.option("--run", "runs", multiple=True, help="First digits of a run's id; several times.")
@click.option("--sample", type=click.IntRange(1), help="So many runs, drawn at random.")
@click.option("--workers", type=click.IntRange(1), help="Processes (default: one per core or GPU).")
@click.option("--device", default="auto", help="auto (as recorded), cpu, cuda or cuda:N.")
@gpus_option
@per_gpu_option
@click.option(
    "--time-limit", callback=to_seconds, help="Stop cleanly after so long, such as 90s, 5m or 2h."
)
@click.option("--trust", is_flag=True, help="Run code that records name: parts of their makers.")
@click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")
@data_option
@refusing
def verify(**options: Any) -> int:
    """Train recorded runs again; say whether they come out the same, exactly or within noise."""
    from reports.commands.verify import VerifyRequest, run

    _heed_schedulers()
    return run(VerifyRequest(**options), new_console())


@main.command(
    options_metavar="[OPTIONS] [BEFORE AFTER]",
    context_settings={"allow_extra_args": True},  # BEFORE and AFTER
)
@click.option(
    "--before",
    type=ResultsOption(),
    multiple=True,
    help="A results folder, report.json or 'shipped'; given several times, folders are one.",
)
@click.option(
    "--after",
    type=ResultsOption(),
    multiple=True,
    help="The same, of what may have changed.",
)
@click.option("--fail-on-change", is_flag=True, help="Exit with code 3 if anything has changed.")
@refusing
def compare(before: tuple[Path, ...], after: tuple[Path, ...], fail_on_change: bool) -> int:
    """Say which verdicts changed between two reports, and which numbers did by more than noise."""
    from reports.commands.compare import run

    context = click.get_current_context()
    given = [ResultsOption().convert(place, None, context) for place in context.args]
    if len(given) == 2 and not before and not after:
        before, after, given = (given[0],), (given[1],), []
    if given or not before or not after:
        raise Refused(
            "two reports are compared, each a results folder or a report.json: "
            "--before FIRST --after SECOND"
        )
    return run(before, after, fail_on_change, new_console())


@main.command()
@by_place("--name", PRESET, "One of them, layer by layer.")
@refusing
def presets(name: str | None) -> int:
    """Show the networks called AlexNet side by side, or one of them layer by layer."""
    from reports.commands.presets import layer_by_layer, side_by_side

    console = new_console()
    console.print(side_by_side(console) if name is None else layer_by_layer(name))
    return 0


@main.command()
@by_place("--name", DATASET, "One of them: what it is, how it gets here, what is here.")
@data_option
@refusing
def datasets(name: str | None, data_dir: Path) -> int:
    """List the datasets, and which of them are prepared on this machine."""
    from reports.commands.datasets import catalogue, describe_one

    console = new_console()
    if name is None:
        catalogue(console, data_dir)
    else:
        describe_one(console, name, data_dir)
    return 0


@main.command()
@by_place("--name", STUDY, "One of them, or a file defining STUDY, explained on a screen.")
@results_option
@refusing
def studies(name: str | None, results: Path) -> int:
    """List the studies: question, the paper's number, what was found, time; or explain one."""
    from ablations.store import Store
    from reports.evidence import EVIDENCE

    console = new_console()
    stores = [Store(folder) for folder in dict.fromkeys((results, EVIDENCE))]
    if name is None:
        from reports.commands.studies import catalogue

        catalogue(console, stores)
    else:
        from reports.commands.studies.explanation import explain

        explain(console, name, stores)
    return 0


@main.command()
@by_place("--dataset", DATASET, "Which images, or a name for images of your own.", required=True)
@click.option(
    "--source",
    callback=to_source,
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
    from alexnet.data.prepare.request import PrepareRequest
    from reports.commands.prepare import run

    request = PrepareRequest(
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
    return run(request, new_console())
