"""Project commands; `invoke --list` shows them, `invoke` alone checks everything."""

import shlex
from collections.abc import Sequence

from invoke.context import Context
from invoke.exceptions import Exit
from invoke.tasks import task

CHECKS = ("ruff format --check .", "ruff check .", "mypy", "pytest -q -n auto --dist loadfile")


def call(command: str, **options: str | bool | Sequence[str] | None) -> None:
    """Call a command of the console script with the options that were given.

    Raises:
        Exit: With the command's code, so that a chained task is not started after a failure.
    """
    from click import ClickException

    from reports.cli import main

    arguments = [command]
    for name, value in options.items():
        option = f"--{name.replace('_', '-')}"
        if value is True:
            arguments.append(option)
        elif isinstance(value, str):
            arguments += [option, value]
        elif value:  # given several times
            arguments += [part for one in value for part in (option, one)]
    try:
        code = main.main(arguments, prog_name="invoke", standalone_mode=False)
    except ClickException as error:
        error.show()
        code = error.exit_code
    if code:
        raise Exit(code=code)


@task(default=True)
def check(c: Context) -> None:
    """Format, lint, types, tests: all that must pass before a commit."""
    for command in CHECKS:
        c.run(command, echo=True)


@task(
    auto_shortflags=False,
    help={
        "study": "which study: a name, a file defining STUDY, or all",
        "dataset": "on which images; 'paper' for the paper's own",
        "seeds": "how many paired seeds (default 10)",
        "workers": "processes (default: one per core)",
        "device": "auto, cpu, cuda or cuda:N",
        "precision": "auto, float32 or bfloat16; float64 for proofs",
        "smoke": "seconds instead of minutes, to see that all works",
        "baseline": "with --study all --smoke: hold every arm's losses against this file",
        "update_baseline": "make the baseline anew, with --reason",
        "reason": "why the baseline is made anew",
        "junit": "with --study all --smoke: write a JUnit file",
        "time_limit": "stop cleanly after so long, such as 5m",
        "dry_run": "say what would be done, and do nothing",
        "traceback": "show where a study of your own went wrong",
        "results": "folder of plans and records (default: results)",
        "data_dir": "folder of prepared datasets",
    },
)
def ablate(
    c: Context,
    study: str | None = None,
    dataset: str | None = None,
    seeds: str | None = None,
    workers: str | None = None,
    device: str | None = None,
    precision: str | None = None,
    smoke: bool = False,
    baseline: str | None = None,
    update_baseline: bool = False,
    reason: str | None = None,
    junit: str | None = None,
    time_limit: str | None = None,
    dry_run: bool = False,
    traceback: bool = False,
    results: str | None = None,
    data_dir: str | None = None,
) -> None:
    """Run what a study still lacks, and print what it comes to."""
    call(
        "ablate",
        study=study,
        dataset=dataset,
        seeds=seeds,
        workers=workers,
        device=device,
        precision=precision,
        smoke=smoke,
        baseline=baseline,
        update_baseline=update_baseline,
        reason=reason,
        junit=junit,
        time_limit=time_limit,
        dry_run=dry_run,
        traceback=traceback,
        results=results,
        data_dir=data_dir,
    )


@task(
    auto_shortflags=False,
    iterable=["results"],
    help={
        "study": "only this study",
        "out": "folder to write to (default: report, in the results folder)",
        "open": "show the page in a browser",
        "results": "folder of plans and records (default: results); several are read as one",
    },
)
def report(
    c: Context,
    study: str | None = None,
    out: str | None = None,
    open: bool = False,
    results: Sequence[str] | None = None,
) -> None:
    """Write page, tables and figures of everything in a results folder."""
    call("report", study=study, out=out, open=open, results=results)


@task(
    auto_shortflags=False,
    iterable=["run"],
    help={
        "results": "folder of plans and records (default: results, else the evidence that ships)",
        "run": "first digits of a run's id; may be given several times",
        "sample": "so many runs, drawn at random (default: the shortest of three networks)",
        "workers": "processes (default: one per core)",
        "device": "auto (as recorded), cpu, cuda or cuda:N",
        "time_limit": "stop cleanly after so long, such as 5m",
        "dry_run": "say what would be done, and do nothing",
        "data_dir": "folder of prepared datasets",
    },
)
def verify(
    c: Context,
    results: str | None = None,
    run: Sequence[str] | None = None,
    sample: str | None = None,
    workers: str | None = None,
    device: str | None = None,
    time_limit: str | None = None,
    dry_run: bool = False,
    data_dir: str | None = None,
) -> None:
    """Train recorded runs again, and say whether they come to the same."""
    call(
        "verify",
        results=results,
        run=run,
        sample=sample,
        workers=workers,
        device=device,
        time_limit=time_limit,
        dry_run=dry_run,
        data_dir=data_dir,
    )


@task(
    auto_shortflags=False,
    help={
        "results": "folder of plans and records (default: results)",
        "prune": "delete what nothing needs, after asking",
        "yes": "with --prune: do not ask",
    },
)
def results(c: Context, results: str | None = None, prune: bool = False, yes: bool = False) -> None:
    """List what is in a results folder and what it weighs."""
    call("results", results=results, prune=prune, yes=yes)


@task(
    auto_shortflags=False,
    iterable=["before", "after"],
    help={
        "before": "a results folder or report.json; several folders are read as one",
        "after": "the same, of what may have changed",
        "fail_on_change": "exit with code 3 if anything has changed",
    },
)
def compare(
    c: Context,
    before: Sequence[str] | None = None,
    after: Sequence[str] | None = None,
    fail_on_change: bool = False,
) -> None:
    """Say which verdicts moved between two reports, and which numbers did beyond noise."""
    call("compare", before=before, after=after, fail_on_change=fail_on_change)


@task(
    auto_shortflags=False,
    help={
        "name": "one of them, or a file defining STUDY, explained on a screen",
        "results": "folder of plans and records (default: results)",
    },
)
def studies(c: Context, name: str | None = None, results: str | None = None) -> None:
    """List the studies and what was found, or explain one."""
    call("studies", name=name, results=results)


@task(auto_shortflags=False, help={"name": "one of them, layer by layer"})
def presets(c: Context, name: str | None = None) -> None:
    """Show the networks called AlexNet side by side, or one of them layer by layer."""
    call("presets", name=name)


@task(
    auto_shortflags=False,
    help={"name": "one of them, in detail", "data_dir": "folder of prepared datasets"},
)
def datasets(c: Context, name: str | None = None, data_dir: str | None = None) -> None:
    """List the datasets, and which of them are prepared on this machine."""
    call("datasets", name=name, data_dir=data_dir)


@task(
    auto_shortflags=False,
    help={
        "dataset": "which images, for example cifar10, or a name for images of your own",
        "source": "a folder, tar or zip that has them; or hub, official",
        "resize": "centre (the paper's) or stretch (Caffe's)",
        "size": "side of a stored image, pixels",
        "class_folder": "outer or inner: which of two folders is the class, if not plain",
        "no_mirror": "mirrored images are not natural",
        "allow_missing": "go on if over 1 % cannot be read",
        "workers": "processes (default: one per core)",
        "dry_run": "say what would be done, and do nothing",
        "data_dir": "folder of prepared datasets",
    },
)
def prepare(
    c: Context,
    dataset: str | None = None,
    source: str | None = None,
    resize: str | None = None,
    size: str | None = None,
    class_folder: str | None = None,
    no_mirror: bool = False,
    allow_missing: bool = False,
    workers: str | None = None,
    dry_run: bool = False,
    data_dir: str | None = None,
) -> None:
    """Download or import images, check them, and write the form that training reads."""
    call(
        "prepare",
        dataset=dataset,
        source=source,
        resize=resize,
        size=size,
        class_folder=class_folder,
        no_mirror=no_mirror,
        allow_missing=allow_missing,
        workers=workers,
        dry_run=dry_run,
        data_dir=data_dir,
    )


@task(
    auto_shortflags=False,
    help={
        "explain": "instead: where the seconds of a training step go, layer by layer",
        "network": "with --explain: a preset or study@dataset/arm (default: paper)",
        "threads": "with --explain: so many threads (default: all; one for small images)",
    },
)
def bench(
    c: Context, explain: bool = False, network: str | None = None, threads: str | None = None
) -> None:
    """Time against each other, in one process, what speed depends on."""
    from ablations.workers.processes import KEEP_MEMORY

    if not explain and (network or threads):
        raise Exit("--network and --threads are of `invoke bench --explain`", code=2)
    columns = "--benchmark-columns=min,median --benchmark-sort=mean"
    command = f"pytest -q -s tests/benchmarks --benchmark-only {columns}"
    if explain:
        options = ["--threads", threads] if threads else []
        command = shlex.join(
            ["python", "tests/benchmarks/explain.py", network or "paper", *options]
        )
    c.run(command, echo=True, env=KEEP_MEMORY)
