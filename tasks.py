"""Project commands; `invoke` alone says what to type first, `invoke --list` shows all.

All but `start`, `check`, `bench` and `docs` are made from the commands of the console script, which
alone say what options there are.
"""

import inspect
import shlex
from typing import Any

import click
from invoke.collection import Collection
from invoke.context import Context
from invoke.exceptions import Exit
from invoke.tasks import Task, task

from reports.cli import main

CHECKS = ("ruff format --check .", "ruff check .", "mypy", "pytest -q -n auto --dist loadfile")


def task_of(command: click.Command) -> "Task[Any]":
    """Return a task that takes the options of a command, as text, and calls it.

    Every option has a name, since invoke knows no places that may stay empty; what is missing or
    misspelt is told by the command.
    """
    options = [option for option in command.params if isinstance(option, click.Option)]
    names = {option.opts[0].lstrip("-").replace("-", "_"): option for option in options}

    def body(c: Context, **given: Any) -> None:
        call(command, {names[name].opts[0]: value for name, value in given.items()})

    body.__doc__ = command.help
    parameters = [
        inspect.Parameter("c", inspect.Parameter.POSITIONAL_OR_KEYWORD),
        *(
            inspect.Parameter(
                name,
                inspect.Parameter.POSITIONAL_OR_KEYWORD,
                default=False if option.is_flag else None,
            )
            for name, option in names.items()
        ),
    ]
    body.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return Task(
        body,
        name=command.name,
        positional=[],
        iterable=[name for name, option in names.items() if option.multiple],
        auto_shortflags=False,
        help={name: option.help or "" for name, option in names.items()},
    )


def call(command: click.Command, options: dict[str, Any]) -> None:
    """Call a command with the options that were given.

    Raises:
        Exit: With the command's code, so that a chained task is not started after a failure.
    """
    arguments = [command.name or ""]
    for option, value in options.items():
        if value is True:
            arguments.append(option)
        elif isinstance(value, str):
            arguments += [option, value]
        elif value:  # given several times
            arguments += [part for one in value for part in (option, one)]
    run(arguments)


def run(arguments: list[str]) -> None:
    """Run the console script as `invoke`.

    Raises:
        Exit: With its code, if it is not 0.
    """
    try:
        code = main.main(arguments, prog_name="invoke", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    if code:
        raise Exit(code=code)


@task(default=True)
def start(c: Context) -> None:
    """Say what to type first; so does `invoke` alone."""
    run([])


@task
def check(c: Context) -> None:
    """Format, lint, types, tests: all that must pass before a commit."""
    for command in CHECKS:
        c.run(command, echo=True)


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
    """Compare the speed of alternatives, side by side in one process."""
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


@task
def docs(c: Context) -> None:
    """Build the site of all pages and modules into build/site; a warning is an error."""
    c.run("sphinx-build -W --keep-going -c docs -d build/doctrees -b html . build/site", echo=True)


namespace = Collection(start, check, bench, docs, *map(task_of, main.commands.values()))
