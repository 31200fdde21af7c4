"""The tasks of `invoke`: the commands of the console script, and three more."""

import os
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.shell_completion import ShellComplete
from click.testing import CliRunner

import tasks
from ablations.studies import STUDIES
from reports.cli import main

ROOT = Path(__file__).parents[2]


def test_every_command_is_a_task_with_its_options() -> None:
    """By the same names and words; what is given several times, several times."""
    assert set(tasks.namespace.tasks) == {*main.commands, "check", "bench", "docs"}
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
