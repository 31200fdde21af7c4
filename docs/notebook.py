"""Runs the example notebook in an empty folder and keeps what it shows: python -m docs.notebook.

It trains for minutes, and keeps the plan and the records too: a test shows that the cells come to
the same outputs from these. ``--kept`` trains nothing: what the other cells show is made anew from
the records that are kept.
"""

import shutil
import sys
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient

ROOT = Path(__file__).parent.parent
NOTEBOOK = ROOT / "examples" / "figure1.ipynb"
TRAINED = ROOT / "tests" / "golden" / "figure1"
"""The plan and the records of the runs that it trained."""


def executed(path: Path, folder: Path) -> nbformat.NotebookNode:
    """Return a notebook as it is after all of its cells have run in a folder.

    Raises:
        CellExecutionError: If a cell raises.
    """
    notebook: nbformat.NotebookNode = nbformat.read(path, as_version=4)
    where = {"metadata": {"path": str(folder)}}
    NotebookClient(
        notebook, timeout=None, record_timing=False, coalesce_streams=True, resources=where
    ).execute()
    notebook.metadata.language_info = nbformat.from_dict({"name": "python"})  # of any release
    return notebook


def keep(results: Path, kept: Path) -> None:
    """Copy plans and records, without weights and figures, in place of what is there."""
    shutil.rmtree(kept, ignore_errors=True)
    for path in (*results.glob("plans/*.json"), *results.glob("runs/*/record.json")):
        copy = kept / path.relative_to(results)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, copy)


def trains(cell: nbformat.NotebookNode) -> bool:
    """Return whether a cell is the one that trains."""
    return cell.cell_type == "code" and str(cell.source).startswith("found = run_study(")


def shown_anew(path: Path, kept: Path, folder: Path) -> nbformat.NotebookNode:
    """Return a notebook run on kept records; its cell that trains shows what it showed before."""
    shutil.copytree(kept, folder / "results")
    before: nbformat.NotebookNode = nbformat.read(path, as_version=4)
    again = executed(path, folder)
    for cell, other in zip(again.cells, before.cells, strict=True):
        if trains(cell):
            cell.outputs = other.outputs
    return again


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as empty:
        if "--kept" in sys.argv[1:]:
            nbformat.write(shown_anew(NOTEBOOK, TRAINED, Path(empty)), NOTEBOOK)
        else:
            nbformat.write(executed(NOTEBOOK, Path(empty)), NOTEBOOK)
            keep(Path(empty) / "results", TRAINED)
