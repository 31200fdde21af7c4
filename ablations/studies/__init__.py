"""The studies, one screen each, and a person's own."""

import contextlib
import importlib
import pkgutil
import runpy
import sys
import traceback
from collections.abc import Iterator, Mapping
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import ModuleType
from typing import Any

from pydantic import ValidationError

from ablations.studies import (
    activations,
    augmentation,
    bfloat16,
    code_vs_paper,
    dropout,
    ensembles,
    fall_2009,
    first_layer_filters,
    initial_biases,
    nearest_neighbours,
    one_removed,
    overlapping_pooling,
    pca_colour,
    relu_vs_tanh,
    removed_layers,
    response_norm,
    response_norm_cifar,
    seed_variance,
    six_times,
    table_1,
    ten_views,
    toggles,
    two_gpus,
    weight_decay,
)
from ablations.study import Study
from ablations.toggles import factorial_study, toggles_in
from alexnet.config.source import INSTALLED, OURS, look_first_in
from alexnet.names import suggestion
from alexnet.text import shown

GROUPS: dict[str, tuple[Study, ...]] = {
    "start here": (relu_vs_tanh.STUDY, one_removed.STUDY, toggles.STUDY),
    "the paper's ideas, in its order": (
        two_gpus.STUDY,
        response_norm.STUDY,
        response_norm_cifar.STUDY,
        overlapping_pooling.STUDY,
        removed_layers.STUDY,
        augmentation.STUDY,
        pca_colour.STUDY,
        ten_views.STUDY,
        dropout.STUDY,
        weight_decay.STUDY,
        initial_biases.STUDY,
        ensembles.STUDY,
    ),
    "looking inside": (first_layer_filters.STUDY, nearest_neighbours.STUDY),
    "checks on the paper and on ourselves": (
        six_times.STUDY,
        activations.STUDY,
        code_vs_paper.STUDY,
        bfloat16.STUDY,
        seed_variance.STUDY,
    ),
    "needs ImageNet": (table_1.STUDY, fall_2009.STUDY),
}
"""The studies by what they are for, each once, in the order in which they are listed."""

STUDIES: dict[str, Study] = {
    study.name: study.model_copy(update={"source": f"ablations/studies/{study.name}.py"})
    for studies in GROUPS.values()
    for study in studies
}


class StudyError(ValueError):
    """There is no such study, or its file is wrong; the message says the way out."""


def find_study(name: str) -> Study:
    """Return a study by its name, or the one in a file.

    Args:
        name: Of a study of the package; or the path of a Python file that defines ``STUDY``; or
            ``toggle_`` and the names of toggles in their order, such as ``toggle_lrn_dropout``.

    Raises:
        StudyError: If there is none, or the file cannot be used.
    """
    if name.endswith(".py"):
        return read_study(Path(name))
    if (toggles := toggles_in(name)) is not None:
        study = factorial_study(toggles)
        return study.model_copy(update={"source": "ablations/toggles.py"})
    if name not in STUDIES:
        raise StudyError(f"there is no study {name!r}; {suggestion(name, STUDIES)}")
    return STUDIES[name]


def read_study(path: Path) -> Study:
    """Return the study that a Python file defines as ``STUDY``.

    It may import modules that lie beside it, and its parts are looked for there first.

    Raises:
        StudyError: If the file does not exist, raises, or defines none.
    """
    if not path.is_file():
        raise StudyError(f"there is no file {path}")
    folder = path.resolve().parent
    look_first_in(folder)
    try:
        with _importing_from(folder):
            found = runpy.run_path(str(path), run_name=path.stem).get("STUDY")
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a person's file may raise anything
        raise StudyError(f"{path}, line {_line(error, path)}: {_reason(error)}") from error
    if not isinstance(found, Study):
        what = (
            "defines no STUDY" if found is None else f"has a STUDY of type {type(found).__name__}"
        )
        raise StudyError(f"{path} {what}; it must define STUDY = ablations.study.Study(...)")
    if found.name in STUDIES:
        raise StudyError(f"{path}: {found.name} is a study of the package; give yours another name")
    return found.model_copy(update={"source": shown(path.name)})


class _FromSource(SourceFileLoader):
    """Reads a module's own file, whatever was kept of it.

    Python takes its bytecode for current if the file has the same size and was written in the same
    second; an edit of a moment ago may have both.
    """

    def path_stats(self, path: object) -> Mapping[str, Any]:
        """Say nothing of the file, so that no bytecode is read or written."""
        raise OSError(f"bytecode of {path} is not used")


class _Beside:
    """Finds modules of some names in one folder."""

    def __init__(self, folder: Path, names: set[str]) -> None:
        """Take the folder, and the names that are looked for nowhere else."""
        self._folder, self._names = folder, names

    def find_spec(
        self, name: str, path: object = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return what Python needs to import a module, or None if it is none of these."""
        if name not in self._names:
            return None
        spec = PathFinder.find_spec(name, [str(self._folder)])
        if spec is not None and spec.origin and isinstance(spec.loader, SourceFileLoader):
            spec.loader = _FromSource(name, spec.origin)
        return spec


@contextlib.contextmanager
def _importing_from(folder: Path) -> Iterator[None]:
    """Let a study import what lies beside it as that is now, not one of its name from elsewhere.

    A notebook reads several studies, whose helpers may be called alike, and edits them. Names of
    Python's own modules and of this project's packages mean what they always do.
    """
    beside = {one.name for one in pkgutil.iter_modules([str(folder)])}
    names = set() if folder in INSTALLED else beside - {*OURS, *sys.stdlib_module_names}

    def loaded() -> dict[str, ModuleType]:
        return {name: one for name, one in sys.modules.items() if name.partition(".")[0] in names}

    before, finder = loaded(), _Beside(folder, names)
    for name in before:
        del sys.modules[name]
    importlib.invalidate_caches()
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
        for name in loaded():
            del sys.modules[name]
        sys.modules.update(before)


def _line(error: BaseException, path: Path) -> int:
    """Return the last line of the file itself that led to an error."""
    if isinstance(error, SyntaxError) and error.filename == str(path):
        return error.lineno or 0
    frames = traceback.extract_tb(error.__traceback__)
    return next((f.lineno or 0 for f in reversed(frames) if f.filename == str(path)), 0)


def _reason(error: BaseException) -> str:
    """Return in one line what is wrong; of a value refused, where it is and what rule it breaks."""
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        said = first["msg"].removeprefix("Value error, ")
        return f"{error.title}{'.' if where else ''}{where}: {said}"
    try:
        lines = str(getattr(error, "msg", "") or error).splitlines()  # a SyntaxError's own place
    except Exception:  # of an exception that cannot say what it is
        lines = []
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
