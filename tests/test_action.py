"""The action that other projects call, run here as far as GitHub need not be there."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parent.parent
ACTION = yaml.safe_load((ROOT / "action.yml").read_text())
WORKFLOW = yaml.safe_load((ROOT / ".github" / "workflows" / "ablations.yml").read_text())
STEPS = {step["name"]: step for step in ACTION["runs"]["steps"]}
EXPRESSION = re.compile(r"\$\{\{ *(\S+) *\}\}")


def filled_in(step: dict[str, Any], given: dict[str, str]) -> dict[str, str]:
    """Return the variables of a step as GitHub would set them."""
    inputs = {name: one["default"] for name, one in ACTION["inputs"].items()} | given
    known = {f"inputs.{name}": value for name, value in inputs.items()}
    known["github.action_path"] = str(ROOT)
    return {
        name: EXPRESSION.sub(lambda found: known[found[1]], value)
        for name, value in step["env"].items()
    }


def run(step: str, given: dict[str, str], shims: dict[str, str], folder: Path) -> str:
    """Run a step as GitHub runs it, some commands replaced; return what it prints."""
    for name, script in shims.items():
        (folder / name).write_text(f"#!/bin/sh\n{script}\n")
        (folder / name).chmod(0o755)
    path = f"{folder}:{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", STEPS[step]["run"]],
        env=os.environ | filled_in(STEPS[step], given) | {"PATH": path},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


needs_bash = pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash here")


@needs_bash
def test_it_installs_what_it_came_with(tmp_path: Path) -> None:
    """The folder of the action, which GitHub has checked out, by the Python that is set up."""
    said = run("Install", {}, {"python": 'echo "$@"'}, tmp_path)

    assert said.split() == ["-m", "pip", "install", str(ROOT)]


@needs_bash
@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, "baseline made with torch"),
        ({"device": "cuda", "time-limit": "1h"}, "baseline made with torch"),
    ],
)
def test_its_command_is_one_that_exists(
    given: dict[str, str], expected: str, tmp_path: Path
) -> None:
    """With its defaults and with others, up to what would be trained."""
    real = f'exec {sys.executable} -c "from reports.cli import main; main()" "$@" --dry-run'
    said = run("Train every arm", given, {"alexnet-ablations": real}, tmp_path)

    assert expected in said
    assert "nothing was written and nothing trained" in said


@needs_bash
def test_a_baseline_with_blanks_in_its_name_is_one_word(tmp_path: Path) -> None:
    """What a caller writes is data; the shell reads none of it."""
    given = {"baseline": "my $(touch gone) baseline.json"}

    said = run("Train every arm", given, {"alexnet-ablations": 'printf "%s\\n" "$@"'}, tmp_path)

    assert "my $(touch gone) baseline.json" in said.splitlines()
    assert not (tmp_path / "gone").exists()


def test_every_input_is_used_and_described() -> None:
    """And no other is."""
    used = set(re.findall(r"inputs\.([\w-]+)", (ROOT / "action.yml").read_text()))

    assert used == ACTION["inputs"].keys()
    assert all(one["description"] for one in ACTION["inputs"].values())


def test_the_workflow_calls_it_with_inputs_that_it_has() -> None:
    """On Linux of both kinds, macOS and Windows, and on a GPU; with time for a slow runner."""
    jobs = WORKFLOW["jobs"]
    calls = [step for job in jobs.values() for step in job["steps"] if step.get("uses") == "./"]

    assert len(calls) == 2
    for call in calls:
        assert call["with"].keys() <= ACTION["inputs"].keys()
        assert call["with"]["time-limit"] == "15m"
    assert len(jobs["smoke"]["strategy"]["matrix"]["runner"]) == 4
    assert jobs["smoke-gpu"]["runs-on"] == ["self-hosted", "gpu"]
