"""A study's figure in its folder: kept as long as it shows what is there, else drawn anew."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from matplotlib.figure import Figure
from PIL import Image

from ablations.plan import Plan
from ablations.store import Store
from reports.figures.kept import keep_figure
from reports.figures.study import draw
from reports.findings.sections import Section, section_of
from tests.builders import plans

Kept = tuple[Plan, Store, Path]


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    """Return a study with two pairs of runs, and its figure; a change of the file is seen."""
    plan, store = plans.filled(tmp_path, 2, tanh=[0.6, 0.3, 0.1], relu=[0.4, 0.2, 0.0])
    path = keep_figure(section_of(plan, store), store.path)
    assert path is not None
    os.utime(path, (1, 1))
    return plan, store, path


def was_drawn(path: Path) -> bool:
    """Return whether a figure was written since `kept`."""
    return path.stat().st_mtime != 1


def test_a_figure_of_the_same_is_kept(kept: Kept) -> None:
    """By another process too: nothing is drawn, and both files stay."""
    plan, store, path = kept

    assert keep_figure(section_of(plan, Store(store.path)), store.path) == path
    assert not was_drawn(path)


def test_more_records_are_drawn(kept: Kept, tmp_path: Path) -> None:
    """One more pair of runs of the plan."""
    plan, _, path = kept
    _, more = plans.filled(tmp_path, 3, tanh=[0.6, 0.3, 0.1], relu=[0.4, 0.2, 0.0])

    keep_figure(section_of(plan, more), more.path)

    assert was_drawn(path)


def test_what_comes_while_it_is_drawn_is_drawn_next_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another command on the same folder has finished a pair of runs meanwhile."""
    plan, store = plans.filled(tmp_path, 2, tanh=[0.6, 0.3, 0.1], relu=[0.4, 0.2, 0.0])

    def slowly(section: Section) -> Figure | None:
        figure = draw(section)
        plans.filled(tmp_path, 3, tanh=[0.6, 0.3, 0.1], relu=[0.4, 0.2, 0.0])
        return figure

    monkeypatch.setattr("reports.figures.study.draw", slowly)
    path = keep_figure(section_of(plan, store), store.path)
    assert path is not None
    monkeypatch.undo()
    os.utime(path, (1, 1))

    keep_figure(section_of(plan, Store(tmp_path)), tmp_path)

    assert was_drawn(path)


def test_other_words_are_drawn(kept: Kept) -> None:
    """A title is written over the figure."""
    plan, store, path = kept

    keep_figure(section_of(plan.but(about={"title": "Another title"}), store), store.path)

    assert was_drawn(path)


def test_other_code_draws_anew(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    """After an update of what draws, or of a module of this package."""
    plan, store, path = kept
    monkeypatch.setattr("reports.figures.kept._code", lambda: ("another",))

    keep_figure(section_of(plan, store), store.path)

    assert was_drawn(path)


@pytest.mark.parametrize(
    "damage", ["cut", "cut in half", "cut SVG", "empty SVG", "no SVG", "no PNG", "another picture"]
)
def test_a_damaged_figure_is_drawn_anew(kept: Kept, damage: str) -> None:
    """Whatever lies there in its place."""
    plan, store, path = kept
    svg = path.with_suffix(".svg")
    if damage.startswith("cut") and damage != "cut SVG":
        content = path.read_bytes()
        path.write_bytes(content[: 20 if damage == "cut" else len(content) // 2])
    elif damage in ("cut SVG", "empty SVG"):
        svg.write_bytes(svg.read_bytes()[: 1000 if damage == "cut SVG" else 0])
    elif damage == "another picture":
        Image.new("L", (2, 2)).save(path)
    else:
        (svg if damage == "no SVG" else path).unlink()

    keep_figure(section_of(plan, store), store.path)

    with Image.open(path) as image:
        assert image.width > 100
        image.load()
    assert svg.read_text().startswith("<?xml")
    assert svg.read_text().endswith("</svg>\n")


def test_nothing_is_drawn_of_nothing(tmp_path: Path) -> None:
    """Without a run there is no figure."""
    assert keep_figure(section_of(plans.plan_of(), Store(tmp_path)), tmp_path) is None
    assert list(tmp_path.iterdir()) == []


def test_what_is_kept_loads_nothing_that_draws(kept: Kept) -> None:
    """Nor does PyTorch load, nor SciPy's distributions, in the module of a command's end."""
    _, store, path = kept
    code = (
        "import sys; from pathlib import Path; from ablations.store import Store; "
        "from reports.commands.ablate.conclusion import keep_figure, section_of; "
        f"store = Store(Path({str(store.path)!r})); "
        "plan = store.read_plan('relu_vs_tanh', 'fashion_mini', False); "
        "assert keep_figure(section_of(plan, store), store.path) is not None; "
        "loaded = {'seaborn', 'matplotlib', 'torch', 'scipy.stats'} & set(sys.modules); "
        "sys.exit(' '.join(loaded) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (0, "")
    assert not was_drawn(path)
