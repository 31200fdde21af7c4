"""The shape of the house: imports point one way, and listing never loads PyTorch."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ALLOWED = {"alexnet": set(), "ablations": {"alexnet"}, "reports": {"ablations", "alexnet"}}


def imported(path: Path) -> set[str]:
    """Return the top-level packages that a file imports anywhere in it."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.split(".")[0])
    return names


@pytest.mark.parametrize("package", ALLOWED)
def test_imports_point_one_way(package: str) -> None:
    """Reports may see ablations, ablations may see alexnet, nothing looks back."""
    seen = {name for path in (ROOT / package).rglob("*.py") for name in imported(path)}

    assert seen & (ALLOWED.keys() - {package}) <= ALLOWED[package]


@pytest.mark.parametrize(
    "module",
    ["alexnet", "ablations.runner", "ablations.executors", "reports.cli", "reports.ablate",
     "reports.page"],
)  # fmt: skip
def test_planning_and_reporting_never_load_pytorch(module: str) -> None:
    """Only a worker process may; loading it takes seconds that a listing should not."""
    code = f"import sys, {module}; sys.exit('torch' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_report_reads_no_study_code() -> None:
    """Pages are made from plans and records alone, so they can be rebuilt for ever."""
    readers = ("comparison", "effect", "figures", "page", "statistics", "tables", "words")
    for name in readers:
        text = (ROOT / "reports" / f"{name}.py").read_text()

        assert "ablations.studies" not in text, name
