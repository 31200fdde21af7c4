"""The shape of the house: imports point one way, and listing never loads PyTorch."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
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
        "ablations.workers.node_worker",
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


NOUNS = {
    "arms", "classes", "contrasts", "cores", "epochs", "files", "folders", "images", "networks",
    "pairs", "plans", "processes", "rates", "records", "runs", "seeds", "studies", "threads",
    "trainings", "updates", "workers",
}  # fmt: skip
NEVER_ONE = {
    "there": "the images of a dataset",
    "counts['test']": "beside the training images",
    "description.at_least": "of millions",
    "self.networks": "more than a group has seeds",
    "total": "files of more than 4 GB",
    "one.arms": "of all studies",
    "len(shown)": "more than a screen has room for",
    "one.seeds": "at least five, where limits are given",
    "reached": "of two sides",
    "metric.networks": "one alone is named otherwise",
    "networks": "one alone is named otherwise",
    "len(stayed)": "more than those counted before it",
    "inputs.chunk": "asked before",
    "rates": "of a study that tunes",
    "seeds": "for tuning: two",
    "len(x)": "too many",
    "len(planned.arms)": "four or more",
    "len(contrast.weights)": "weights that sum to nothing",
    "self.classes": "two or more",
    "metric.group": "one seed is no group",
    "per_gpu": "one is said otherwise",
}
"""Numbers before a plural, and why they are never one."""


def plurals(path: Path) -> Iterator[str]:
    """Yield the expressions that a text writes before the plural of something that is counted."""
    for node in ast.walk(ast.parse(path.read_text())):
        for before, after in pairwise(getattr(node, "values", ())):
            if isinstance(before, ast.FormattedValue) and isinstance(after, ast.Constant):
                words = re.match(r" (?:[a-z-]+ )??([a-z]+)\b", str(after.value))
                if words and words[1] in NOUNS:
                    yield ast.unparse(before.value)


def test_what_is_counted_may_be_one() -> None:
    """`counted` writes "1 seed"; another text writes "1 seeds" one day. Constants are known."""
    files = [path for package in ALLOWED for path in (ROOT / package).rglob("*.py")]
    found = {one for path in files for one in plurals(path)}

    words = {"prefix", "self.name", "how"}  # no numbers
    assert {one for one in found if not re.search(r"\b[A-Z_]{3,}\b", one)} <= words | {*NEVER_ONE}
    assert "len(shown)" in found  # it finds what is there
