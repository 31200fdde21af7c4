"""`--results shipped`: the evidence that ships, by a word, wherever results are read."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from ablations.store import Store
from reports.cli import main
from reports.evidence import EVIDENCE
from tests.builders.plans import filled

OURS = {path.stem: json.loads(path.read_text()) for path in EVIDENCE.glob("plans/*.json")}
BEGUN = {name for name, plan in OURS.items() if plan["choices"]}
"""Those whose plan is all there is come in one line, and have no section."""
SHARED_NAME = "relu_vs_tanh@fashion_mini"


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def run(*arguments: str) -> Result:
    """Run a command of the console script."""
    result = CliRunner().invoke(main, list(arguments))
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def evidence() -> list[tuple[Path, int]]:
    """Return what lies where the evidence does, and how large it is."""
    kept = (path for path in EVIDENCE.rglob("*") if "__pycache__" not in path.parts)
    return sorted((path, path.stat().st_size) for path in kept if path.is_file())


def test_the_evidence_alone_is_reported_into_a_folder_here(tmp_path: Path) -> None:
    """Every study of it; nothing is written where it lies."""
    before = evidence()

    assert run("report", "--results", "shipped").exit_code == 0

    content = json.loads((tmp_path / "shipped-report" / "report.json").read_text())
    assert set(content["studies"]) == BEGUN
    assert evidence() == before


def test_it_is_shown_beside_ones_own_which_is_believed(tmp_path: Path) -> None:
    """In either order; a question of the same name that differs is one's own, and that is said."""
    filled(tmp_path / "results", 3, tanh=[0.6, 0.3, 0.1], relu=[0.4, 0.0])
    assert SHARED_NAME in OURS
    of_study = {name for name in BEGUN if name.startswith("relu_vs_tanh@")}
    assert of_study > {SHARED_NAME}
    before = evidence()

    for order in (("results", "shipped"), ("shipped", "results")):
        arguments = [part for folder in order for part in ("--results", folder)]
        result = run("report", *arguments, "--study", "relu_vs_tanh")
        content = json.loads((tmp_path / "results" / "report" / "report.json").read_text())

        assert result.exit_code == 0
        assert set(content["studies"]) == of_study
        assert content["studies"][SHARED_NAME]["definition"]["seeds"] == [0, 1, 2]
        (said,) = [line for line in content["measured"]["set_aside"] if SHARED_NAME in line]
        assert "is not the same question in results and in" in said
        assert said.endswith("; the first is shown")
    assert evidence() == before


def test_every_command_that_reads_takes_the_word(tmp_path: Path) -> None:
    """Listed, compared by name and by place, explained, and drawn from to verify."""
    filled(tmp_path / "results", 3, tanh=[0.6, 0.3, 0.1], relu=[0.4, 0.0])
    runs = len(Store(EVIDENCE).records())

    listed = " ".join(run("results", "--results", "shipped").output.split())
    compared = run("compare", "--before", "results", "--after", "shipped")
    by_place = run("compare", "results", "shipped")
    explained = run("studies", "--name", "relu_vs_tanh", "--results", "shipped")
    verified = run("verify", "--results", "shipped", "--dry-run")

    assert f"{len(OURS)} plans, {runs} runs" in listed
    assert compared.exit_code == 0
    assert compared.output == by_place.output
    assert SHARED_NAME in compared.output
    (tmp_path / "empty").mkdir()
    assert (
        explained.output == run("studies", "--name", "relu_vs_tanh", "--results", "empty").output
    )  # where nothing is, the evidence alone speaks
    assert f"of {runs} in" in " ".join(verified.output.split())


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (("ablate", "relu_vs_tanh", "--dry-run"), "'shipped' is only read; name a folder"),
        (("results", "--prune", "--yes"), "'shipped' is only read; --prune deletes"),
    ],
)
def test_what_would_write_there_is_refused(command: tuple[str, ...], said: str) -> None:
    """In one sentence, with exit code 2; nothing has changed."""
    before = evidence()

    result = run(*command, "--results", "shipped")

    assert result.exit_code == 2
    assert said in " ".join(result.output.split())
    assert evidence() == before


def test_a_folder_of_that_name_is_named_as_a_path(tmp_path: Path) -> None:
    """With a point before it."""
    filled(tmp_path / "shipped", 3, tanh=[0.6, 0.3, 0.1], relu=[0.4, 0.0])

    assert run("report", "--results", "./shipped").exit_code == 0

    content = json.loads((tmp_path / "shipped" / "report" / "report.json").read_text())
    assert set(content["studies"]) == {SHARED_NAME}
