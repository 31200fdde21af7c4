"""Figure 1 for those who sit in a notebook, and the notebook that ships as an example."""

import ast
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
import pytest
from IPython.core.formatters import DisplayFormatter
from matplotlib.figure import Figure
from matplotlib.text import Text

from ablations.plan import Plan, Timing
from ablations.registration import RequestError, new_plan
from ablations.runner import remaining
from ablations.store import Store, StoreError
from ablations.workers.in_process import ThisProcess
from alexnet.data.manifest import default_data_dir
from alexnet.text import counted
from docs.notebook import NOTEBOOK, TRAINED, executed, trains
from reports import curves_frame, figure1, runs_frame
from reports.commands.ablate.request import Request, asked
from reports.evidence import EVIDENCE
from reports.figures.pictures import as_png
from reports.figures.study import draw
from reports.findings.sections import section_of
from reports.findings.thresholds import ThresholdError
from reports.notebook import Found
from tests.builders.plans import filled
from tests.builders.records import FINGERPRINT, record_of

ROOT = Path(__file__).parents[2]
LABELS = {"relu": "Rectifier", "tanh": "Tangent"}
CURVES = {"tanh": [0.5, 0.1], "relu": [0.3, 0.05]}


def texts(figure: Figure) -> list[str]:
    """Return all that is written in a figure."""
    return [text.get_text() for text in figure.findobj(Text) if text.get_text()]


def populated(results: Path, smoke: bool) -> tuple[Plan, Store]:
    """Return a plan of three seeds of ReLU against tanh, all of whose runs are there already."""
    request = Request(
        study="relu_vs_tanh", dataset="fashion_mini", seeds=3, workers=0, device="cpu",
        precision="float32", smoke=smoke, dry_run=False, results=results,
        data_dir=default_data_dir(),
    )  # fmt: skip
    study, manifest = asked(request)
    plan, store = new_plan(request, study, manifest, "float32"), Store(results)
    while runs := (work := remaining(plan, store, range(3))).runs:
        plan = work.plan
        for run in runs:
            (arm,) = plan.arms_of(run)
            store.add(record_of(run, [error - 0.01 * (run.seed % 10) for error in CURVES[arm]]))
    timing = Timing(seconds_per_step=0.01, batch=128, fingerprint=FINGERPRINT)
    plan = plan.model_copy(
        update={"choices": work.plan.choices, "timings": dict.fromkeys(CURVES, timing)}
    )
    store.write_plan(plan)
    return plan, store


@pytest.fixture
def untrained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Go to an empty folder, in which nothing may be trained."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(ThisProcess, "__init__", lambda *_: pytest.fail("something was trained"))
    return tmp_path


# ---- figure1


def test_labels_stand_for_the_arms_names_wherever_they_are_written(results: Path) -> None:
    """In the legend and beside the speed-up; the curves are those of the arms as before."""
    filled(results, 3, tanh=[0.6, 0.3, 0.1], relu=[0.4, 0.0])

    plain, labelled = figure1(results), figure1(results, labels=LABELS)

    said = [
        text
        for text in texts(labelled)
        if text != "Fashion-MNIST (10,000 images): ReLU against tanh"
    ]
    assert any(text.startswith("Rectifier, rate ") for text in said)
    assert any(text.startswith("Tangent, rate ") for text in said)
    assert "Rectifier's speed-up, times" in said
    assert not re.search(r"\b(relu|ReLU|tanh)\b", " ".join(said))
    assert "ReLU's speed-up, times" in texts(plain)
    for one, other in zip(plain.axes, labelled.axes, strict=True):
        for line, same in zip(one.lines, other.lines, strict=True):
            np.testing.assert_array_equal(line.get_xydata(), same.get_xydata())


def test_one_label_alone_leaves_the_other_arm_its_name(results: Path) -> None:
    """Swapped names are swapped, too: each of the four curves' legends keeps its own rate."""
    filled(results, 3, tanh=[0.6, 0.3, 0.1], relu=[0.4, 0.0])

    def legend(figure: Figure) -> list[str]:
        return [text.get_text().split(",")[0] for text in figure.axes[0].get_legend().get_texts()]

    assert legend(figure1(results)) == ["ReLU", "tanh"]
    assert legend(figure1(results, labels={"relu": "Kink"})) == ["Kink", "tanh"]
    assert legend(figure1(results, labels={"relu": "tanh", "tanh": "relu"})) == ["tanh", "relu"]


def test_contrasts_of_errors_are_labelled_as_well() -> None:
    """In a study whose right half is a row per contrast."""
    said = " ".join(texts(figure1(EVIDENCE, "one_removed", labels={"as it is": "the whole"})))

    assert "the whole" in said
    assert "as it is" not in said


def test_a_folder_a_store_and_what_was_found_draw_the_same(results: Path) -> None:
    """The one figure of `reports.figures.study`."""
    plan, store = filled(results, 3, tanh=[0.6, 0.3, 0.1], relu=[0.4, 0.0])
    drawn = draw(section_of(plan, store))
    assert drawn is not None

    for given in (results, str(results), store, Found.of(section_of(plan, store))):
        assert as_png(figure1(given)) == as_png(drawn)


def test_it_shows_the_images_of_which_most_is_done(results: Path) -> None:
    """Before smoke runs, though more of these is done; unless the images are named."""
    plan, store = filled(results, 1, tanh=[0.6, 0.3, 0.1], relu=[0.4, 0.0])
    for name, seeds, smoke in (("abc", 2, False), ("xyz", 3, True)):
        ref = plan.definition.dataset.but(name=name, digest=name[0] * 64)
        other = plan.model_copy(
            update={"definition": plan.definition.but(dataset=ref, smoke=smoke)}
        )
        for seed in range(seeds):
            for arm in CURVES:
                store.add(record_of(other.run(arm, seed), CURVES[arm]))
        store.write_plan(other)

    def title(dataset: str | None) -> str:
        return figure1(results, dataset=dataset).axes[0].get_title(loc="left")

    assert title(None).startswith("abc")
    assert title("fashion_mini").startswith("Fashion-MNIST (10,000 images): ")
    assert title("xyz").startswith("xyz")


@pytest.mark.parametrize(
    ("asked_for", "error", "message"),
    [
        ({"study": "dropout"}, StoreError, r"dropout has no runs in .*; run_study\('dropout'\)"),
        ({"dataset": "cifar10"}, StoreError, r"run_study\('relu_vs_tanh', 'cifar10'\) makes them"),
        ({"labels": {"rely": "ReLU"}}, RequestError, "no arm 'rely'; did you mean relu"),
        ({"labels": {"relu": "tanh"}}, RequestError, "two arms cannot both be called 'tanh'"),
    ],
)
def test_what_cannot_be_drawn_is_refused_in_a_sentence(
    asked_for: dict[str, object], error: type[Exception], message: str, results: Path
) -> None:
    """With what to run, or what was meant."""
    filled(results, 3, tanh=[0.6, 0.3, 0.1], relu=[0.4, 0.0])

    with pytest.raises(error, match=message) as raised:
        figure1(results, **asked_for)

    assert "\n" not in str(raised.value)


def test_a_plan_without_runs_says_what_to_run(results: Path) -> None:
    """It was registered, and then interrupted."""
    plan, _ = filled(results, 0, tanh=[], relu=[])

    with pytest.raises(StoreError, match=r"on fashion_mini has no runs"):
        figure1(results)
    readings = plan.model_copy(update={"about": plan.about.but(shows="readings")})
    (results / "plans" / f"{plan.name}.json").write_text(readings.to_json())
    with pytest.raises(RequestError, match="drawn by their names; leave labels out"):
        figure1(results, labels=LABELS)


def test_a_notebook_shows_it_without_pyplot(results: Path) -> None:
    """What a kernel asks of the last line of a cell."""
    filled(results, 3, tanh=[0.6, 0.3, 0.1], relu=[0.4, 0.0])

    shown, _ = DisplayFormatter().format(figure1(results))

    assert shown["image/png"].startswith(b"\x89PNG")


@pytest.mark.parametrize("backend", ["module://matplotlib_inline.backend_inline", "tkagg"])
def test_drawing_needs_no_backend_and_changes_none(
    backend: str, results: Path, tmp_path: Path
) -> None:
    """Neither the notebook's, nor one that needs a screen; Pyplot, which has one, holds nothing.

    Without a screen Pyplot by itself forgets the second, and chooses when it is used: never.
    """
    filled(results, 3, tanh=[0.6, 0.3, 0.1], relu=[0.4, 0.0])
    code = (
        "import sys, matplotlib\n"
        "from pathlib import Path\n"
        "from reports import figure1\n"
        "from reports.figures.pictures import save\n"
        f"save(figure1({str(results)!r}), Path({str(tmp_path)!r}), 'figure')\n"
        "print(matplotlib.get_backend(auto_select=False))\n"
        "print(sys.modules['matplotlib.pyplot'].get_fignums(), 'torch' in sys.modules)\n"
    )
    environment = {"MPLBACKEND": backend, "PATH": "", "HOME": str(tmp_path)}

    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True,
        check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    after, rest = done.stdout.splitlines()
    assert after in ({backend} if "inline" in backend else {backend, "None"})
    assert rest == "[] False"
    assert (tmp_path / "figure.png").read_bytes().startswith(b"\x89PNG")
    assert "<svg" in (tmp_path / "figure.svg").read_text()


# ---- figure1 at another threshold


def test_times_are_read_at_another_threshold_from_the_same_runs() -> None:
    """The speed-up is that of the registered study's table at 40 %; no number of the paper."""
    store = Store(EVIDENCE)
    plan = store.read_plan("relu_vs_tanh", "cifar10_jpeg", smoke=False)
    assert plan is not None
    (effect,) = section_of(plan, store).comparison.effects
    (at,) = (one for one in effect.at_thresholds if one.training_error == 0.4)

    plain, read = (
        figure1(store, dataset="cifar10_jpeg", threshold=threshold) for threshold in (0.25, 0.4)
    )

    title = read.axes[1].get_title(loc="left")
    assert title == f"{at.estimate:.2f} times [{at.low:.2f}, {at.high:.2f}]"
    said = texts(read)
    assert "40 %" in said
    assert not [text for text in said if "the paper" in text]
    assert "the paper: 6" in texts(plain)
    assert read.axes[0].get_title(loc="left").endswith("read at 40 %, registered at 25 %")
    assert as_png(plain) == as_png(figure1(store, dataset="cifar10_jpeg"))


@pytest.mark.parametrize(
    ("asked_for", "message"),
    [
        ({"threshold": 0.2}, "not every run came to 20 % .* use a threshold of 0.25 or more"),
        ({"threshold": 0.9}, r"a run begins at 59\.65 % .* use one below 0.596"),
        ({"threshold": 25}, "25 is no error between 0 and 1; 25 % is 0.25"),
        ({"threshold": 0.3, "study": "one_removed"}, "one_removed shows no times"),
        ({"threshold": 0.3, "study": "six_times"}, "six_times shows no times"),
    ],
)
def test_a_threshold_that_no_time_can_be_read_at_is_refused(
    asked_for: dict[str, object], message: str
) -> None:
    """With one that can; the one that is named can be drawn."""
    with pytest.raises(ThresholdError, match=message):
        figure1(EVIDENCE, dataset="cifar10_jpeg", **asked_for)  # type: ignore[arg-type]


def test_the_thresholds_that_a_refusal_names_can_be_drawn() -> None:
    """The lowest and the highest."""
    for threshold in (0.25, 0.595):
        figure1(EVIDENCE, dataset="cifar10_jpeg", threshold=threshold)


# ---- numbers of one study


def test_what_was_found_has_the_rows_of_its_study_in_the_tables() -> None:
    """Of a folder that holds many: runs that were compared, and those that chose its rates."""
    store = Store(EVIDENCE)
    plan = store.read_plan("one_removed", "cifar10", smoke=False)
    assert plan is not None
    found = Found.of(section_of(plan, store))

    for mine, every in ((found.runs, runs_frame(store)), (found.curves, curves_frame(store))):
        own = every[(every.study == "one_removed") & (every.dataset == "cifar10")]
        pd.testing.assert_frame_equal(mine, own.reset_index(drop=True))
    assert set(found.runs.phase) == {"comparison", "tuning"}


# ---- the example


def code_cells() -> list[str]:
    """Return the example's code, cell by cell."""
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    return [cell.source for cell in notebook.cells if cell.cell_type == "code"]


def test_the_example_is_a_notebook_with_outputs() -> None:
    """Valid by the format's own schema; run once from top to bottom; five questions to be tried."""
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(notebook)
    prose = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]

    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert [bool(cell.outputs) for cell in cells] == [False] + [True] * (len(cells) - 1)
    assert {out.output_type for cell in cells for out in cell.outputs} == {
        "stream", "execute_result",
    }  # fmt: skip
    assert {out.name for cell in cells for out in cell.outputs if "name" in out} == {"stdout"}
    assert not re.search(r"/(home|root|tmp|Users|work)/", NOTEBOOK.read_text())
    assert NOTEBOOK.stat().st_size < 500_000
    assert re.findall(r"^### (\d)\. .*\?$", prose, re.MULTILINE) == list("12345")
    assert prose.count("**Try:**") == 5
    assert "examples/figure1.ipynb" in (ROOT / ".ci" / "run").read_text()


def told(output: nbformat.NotebookNode) -> dict[str, object]:
    """Return what an output says; of a picture only that there is one."""
    data = output.get("data", {"text/plain": output.get("text")})
    return {kind: text if kind != "image/png" else len(text) > 1000 for kind, text in data.items()}


def test_the_examples_outputs_are_those_of_its_cells(tmp_path: Path) -> None:
    """If not: python -m docs.notebook --kept. The runs that it trained are kept.

    The cell that trains has nothing to do here; what it says ships with a line for each run.
    """
    shutil.copytree(TRAINED, tmp_path / "results")
    records = Store(tmp_path / "results").records()

    again = executed(NOTEBOOK, tmp_path)

    kept = [cell for cell in nbformat.read(NOTEBOOK, as_version=4).cells if "outputs" in cell]
    here = [cell for cell in again.cells if "outputs" in cell]
    (trained,) = [at for at, cell in enumerate(kept) if trains(cell)]
    for at, (cell, other) in enumerate(zip(kept, here, strict=True)):
        if at != trained:
            assert list(map(told, cell.outputs)) == list(map(told, other.outputs)), cell.source
    lines = "".join(output.text for output in kept[trained].outputs)
    assert "nothing to do   6 of 6 runs here" in here[trained].outputs[0].text
    assert len(records) == 26
    for record in records:
        errors = [epoch.error for epoch in record.curve]
        last = f"{100 * errors[-1]:.1f} % after" if errors else ""
        end = f"{last} {counted(len(errors), 'epoch')}" if errors else "no epoch"
        kind = "" if record.run.sees_test else "tuning "
        assert f"{kind}seed {record.run.seed}: {end}" in lines


def test_the_examples_runs_are_those_that_ship() -> None:
    """The three seeds of the comparison, trained again for the example: the same to the bit.

    But for losses over ten views, whose last digits the shipped ones have from an older sum.
    """
    shipped = Store(EVIDENCE)
    compared = [record for record in Store(TRAINED).records() if record.run.sees_test]

    assert len(compared) == 6
    for record in compared:
        other = shipped.find(record.run)
        assert other is not None
        for part in ("train", "valid", "test"):
            assert getattr(record.measures, part) == getattr(other.measures, part)
        assert [(e.errors, e.loss) for e in record.curve] == [
            (e.errors, e.loss) for e in other.curve
        ]


def test_the_examples_cells_run(untrained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every line of them, on runs that are there already; CI trains them."""
    populated(untrained / "results", smoke=True)
    monkeypatch.setenv("SMOKE", "1")
    names: dict[str, object] = {}

    for cell in code_cells():
        exec(compile(cell, str(NOTEBOOK), "exec"), names)

    found = names["found"]
    assert isinstance(found, Found)
    assert (found.done, found.planned, found.smoke) == (6, 6, True)


def test_the_calls_that_the_examples_prose_shows_exist() -> None:
    """With arguments of those names, as `run_study` takes them."""
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    prose = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    calls = re.findall(r"`(run_study\(.*?\))`", prose)
    told = re.findall(r"`((?:seeds|workers)=[^`]*)`", prose)

    assert calls
    assert told
    for call in (*calls, *(f'run_study("relu_vs_tanh", {one})' for one in told)):
        tree = ast.parse(call, mode="eval").body
        assert isinstance(tree, ast.Call)
        assert {keyword.arg for keyword in tree.keywords} <= {"seeds", "workers"}


def test_the_pages_lines_for_notebooks_run(untrained: Path) -> None:
    """On runs that are there already: nothing to do, then a figure with its labels."""
    populated(untrained / "results", smoke=False)
    page = (ROOT / "docs" / "python.md").read_text()
    lines, *_ = re.findall(r"```py\n(.*?)```", page, re.DOTALL)
    names: dict[str, object] = {}

    exec(lines, names)

    found, figure = names["found"], names["figure"]
    assert isinstance(found, Found)
    assert found.done == 6
    assert isinstance(figure, Figure)
    assert "max(0, x)'s speed-up, times" in texts(figure)
    told = re.findall(r"`(figure1\(found, .*?\))`", page)
    assert told
    for call in told:
        assert isinstance(eval(call, names), Figure)
