"""The shape of the house: imports point one way, and listing never loads PyTorch."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FLOORS = {
    "reports": (
        ("analysis", "evidence"), ("wording",), ("findings",), ("figures",), ("page",),
        ("commands",), ("smoke",), ("",),
    ),
}  # fmt: skip
"""The folders of a package from the ground up; "" is what lies in none. Imports point down."""
ALLOWED = {"alexnet": set(), "ablations": {"alexnet"}, "reports": {"ablations", "alexnet"}}


def imported(path: Path) -> set[str]:
    """Return all that a file imports anywhere in it, by its whole name."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def folder_of(path: Path) -> str:
    """Return the folder that a path is in, within its package; empty if it is in none."""
    inside = path.parts[1:]
    return inside[0] if len(inside) > 1 else ""


@pytest.mark.parametrize("package", ALLOWED)
def test_imports_point_one_way(package: str) -> None:
    """Reports may see ablations, ablations may see alexnet, nothing looks back."""
    every = (name for path in (ROOT / package).rglob("*.py") for name in imported(path))
    seen = {name.split(".")[0] for name in every}

    assert seen & (ALLOWED.keys() - {package}) <= ALLOWED[package]


@pytest.mark.parametrize("package", FLOORS)
def test_imports_point_down_from_folder_to_folder(package: str) -> None:
    """And no folder is missing from the list, nor any import of a whole package."""
    floors = {folder: floor for floor, row in enumerate(FLOORS[package]) for folder in row}
    files = [path.relative_to(ROOT) for path in (ROOT / package).rglob("*.py")]
    assert {folder_of(path) for path in files} == floors.keys()
    for path in files:
        for name in imported(ROOT / path):
            module = Path(*name.split("."))
            if module.parts[0] != package or path.name == "__init__.py":
                continue
            target = folder_of(module / "attribute")
            if target == path.parent.name == folder_of(path):
                continue
            if (ROOT / package / f"{target}.py").is_file():
                target = ""  # a module beside the folders
            assert floors[target] < floors[folder_of(path)] or folder_of(path) == target, (
                f"{path} imports {name}"
            )


def test_no_test_imports_a_test() -> None:
    """What several need is made in `tests/builders`."""
    for path in (ROOT / "tests").rglob("*.py"):
        modules = {name.rpartition(".")[0].rpartition(".")[2] for name in imported(path)}
        assert not [name for name in modules if name.startswith(("test_", "conftest"))], path


@pytest.mark.parametrize(
    ("folder", "never"),
    [
        ("alexnet/config", "alexnet.(?!config)"),
        ("alexnet/presets", "alexnet.(?!config|presets|names)"),
    ],
)
def test_configs_import_configs_alone(folder: str, never: str) -> None:
    """They are values, which listing and reporting read."""
    for path in (ROOT / folder).rglob("*.py"):
        assert not [name for name in imported(path) if re.match(never, name)], path


def test_training_reads_images_and_never_prepares_them() -> None:
    """Nothing imports what prepares but that itself, and the commands."""
    for path in (*(ROOT / "alexnet").rglob("*.py"), *(ROOT / "ablations").rglob("*.py")):
        if path.parent != ROOT / "alexnet" / "data" / "prepare":
            assert not [n for n in imported(path) if n.startswith("alexnet.data.prepare")], path


@pytest.mark.parametrize(
    "module",
    [
        "alexnet",
        "ablations.runner",
        "ablations.workers.processes",
        "reports.cli",
        "reports.commands.ablate",
        "reports.page.report",
    ],
)
def test_planning_and_reporting_never_load_pytorch(module: str) -> None:
    """Only a worker process may; loading it takes seconds that a listing should not."""
    code = f"import sys, {module}; sys.exit('torch' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_report_reads_no_study_code() -> None:
    """Pages are made from plans and records alone, so they can be rebuilt for ever."""
    for folder in ("analysis", "wording", "findings", "figures", "page"):
        for path in (ROOT / "reports" / folder).rglob("*.py"):
            assert not any(name.startswith("ablations.studies") for name in imported(path)), path
