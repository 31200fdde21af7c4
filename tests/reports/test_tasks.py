"""The tasks of `invoke`: the commands of the console script, and four more."""

import io
import os
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.shell_completion import ShellComplete
from click.testing import CliRunner
from rich.console import Console

import tasks
from ablations.studies import STUDIES
from reports.cli import main
from reports.commands import start

ROOT = Path(__file__).parents[2]


def test_every_command_is_a_task_with_its_options() -> None:
    """By the same names and words; what is given several times, several times."""
    assert set(tasks.namespace.tasks) == {*main.commands, "start", "check", "bench", "docs"}
    for name, command in main.commands.items():
        given = {a.names[0]: a for a in tasks.namespace.tasks[name].get_arguments()}
        options = [p for p in command.params if isinstance(p, click.Option)]
        assert [f"--{name}" for name in given] == [option.opts[0] for option in options], name
        for option, argument in zip(options, given.values(), strict=True):
            assert argument.help == option.help
            assert (argument.kind is bool) == option.is_flag
            assert (argument.kind is list) == option.multiple
            assert not argument.positional


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["presets", "--name", "tiny"], 0, "12 pixels"),
        (["presets", "--name", "tini"], 2, "did you mean tiny?"),
        (["ablate"], 2, "say which study: --study NAME"),
        (["ablate", "--study", "dropuot"], 2, "did you mean dropout?"),
        (["ablate", "--study", "dropout", "--precision", "flaot32"], 2, "float32"),
        (["prepare", "datasets"], 2, "say which dataset: --dataset NAME"),
    ],
)
def test_a_task_answers_as_its_command(
    tmp_path: Path, arguments: list[str], code: int, said: str
) -> None:
    """And a chain ends with the first that fails."""
    where = os.environ | {"ALEXNET_DATA": str(tmp_path)}
    invoke = [sys.executable, "-m", "invoke", "--search-root", str(ROOT), *arguments]
    done = subprocess.run(invoke, capture_output=True, text=True, cwd=tmp_path, env=where)

    assert done.returncode == code, done.stderr
    assert said in done.stdout + done.stderr
    assert "fashion_mini" not in done.stdout  # which `datasets` would list


def test_invoke_alone_says_what_to_type(tmp_path: Path) -> None:
    """It checks nothing and trains nothing; every command that it names is one."""
    invoke = [sys.executable, "-m", "invoke", "--search-root", str(ROOT)]
    done = subprocess.run(invoke, capture_output=True, text=True, cwd=tmp_path)
    typed = re.findall(r"^invoke (\S+)(.*?)   ", done.stdout, re.MULTILINE)

    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"{main.help}\n\ninvoke studies ")
    assert {name for name, _ in typed} <= {*tasks.namespace.tasks, "--list"}
    for name, rest in typed:
        options = {
            option for p in getattr(main.commands.get(name), "params", []) for option in p.opts
        }
        assert {word for word in rest.split() if word.startswith("--")} <= options
    assert "invoke check" in done.stdout
    assert "passed" not in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_the_console_script_alone_says_what_to_type_as_well() -> None:
    """By its own name; what only a checkout has is not named."""
    told = CliRunner().invoke(main, [], prog_name="alexnet-ablations")

    assert told.exit_code == 0
    assert "alexnet-ablations ablate --study relu_vs_tanh" in told.output
    assert "alexnet-ablations --help" in told.output
    assert "invoke" not in told.output


@pytest.mark.parametrize(
    ("program", "usage"),
    [
        ("invoke", "invoke ablate [OPTIONS]"),
        ("alexnet-ablations", "alexnet-ablations ablate [OPTIONS] [STUDY]"),
    ],
)
def test_usage_names_a_place_only_where_there_is_one(program: str, usage: str) -> None:
    """A task takes options alone."""
    refused = CliRunner().invoke(main, ["ablate", "--seeds", "x"], prog_name=program)

    assert refused.exit_code == 2
    assert refused.output.splitlines()[0] == f"Usage: {usage}"


def test_in_a_narrow_terminal_commands_stay_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """What each is for is on a line of its own."""
    file = io.StringIO()
    console = Console(file=file, width=60, force_terminal=True, color_system=None)
    with click.Context(main, info_name="invoke"):
        start.run(console)
    lines = file.getvalue().splitlines()

    assert "invoke ablate --study relu_vs_tanh --dry-run" in lines
    assert max(map(len, lines[2:])) <= 66


@pytest.mark.parametrize(
    "arguments",
    [["studies", "dropout"], ["studies", "--name", "dropout"]],
)
def test_a_study_may_be_given_by_its_place(tmp_path: Path, arguments: list[str]) -> None:
    """Or by name, not both."""
    told = CliRunner().invoke(main, [*arguments, "--results", str(tmp_path)])
    twice = CliRunner().invoke(main, ["studies", "dropout", "--name", "ensembles"])

    assert told.exit_code == 0
    assert told.output.startswith("dropout: Dropout, section 4.2")
    assert twice.exit_code == 2
    assert "'dropout' and --name 'ensembles': give one" in twice.output


@pytest.mark.parametrize(
    ("words", "typed", "found"),
    [
        (["ablate"], "rel", ["relu_vs_tanh"]),
        (["ablate", "--study"], "", [*STUDIES, "all"]),
        (["ablate", "--dataset"], "cifar", ["cifar10", "cifar10_jpeg"]),
        (["presets"], "torch", ["torchvision"]),
        (["ablate", "--precision"], "bf", ["bfloat16"]),
        (["studies", "--name"], "own/st", ["own/st"]),  # as a file
    ],
)
def test_a_shell_completes_names(words: list[str], typed: str, found: list[str]) -> None:
    """Of studies, datasets and presets, as click's completion asks for them."""
    completion = ShellComplete(main, {}, "alexnet-ablations", "_ALEXNET_ABLATIONS_COMPLETE")

    assert [item.value for item in completion.get_completions(words, typed)] == found
