"""Training in the process that calls: the same records as workers make, and nothing left behind."""

import math
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from ablations.record import Record
from ablations.registration import RequestError
from ablations.store import Store
from ablations.studies import StudyError
from ablations.workers.processes import LocalWorkers
from ablations.workers.protocol import RunError, WorkerError
from alexnet.data.manifest import DatasetError
from alexnet.learning_curve import Epoch
from alexnet.training import fit
from reports import run_study
from reports.commands.placement import Placement
from reports.findings.sections import section_of
from reports.notebook import Found

STUDY = """
from ablations.study import Base, Contrast, FinalError, Study
from alexnet.config import Pool
from alexnet.presets import tiny

average = {"network": {"parts": {"pool": Pool(kind="avg_pool", rounding="ceil")}}}
STUDY = Study(
    name="averaging", question="Does averaging raise the error?", seeds=3,
    arms={"maximum": {}, "average": average},
    contrasts=(Contrast(arm="average", against="maximum", direction="higher", margin=0.005,
                        margin_reason="too small to matter", judged=False),),
    bases={"fashion_mini": Base(
        config=tiny().but(inputs={"colour": None}, training={"epochs": 2, "images": 320}),
        metric=FinalError(), rates=(0.001, 0.003),
        refine=False)},
)
"""
RUNS = 2 * 2 * 2 + 2 * 3  # two arms: two rates by two tuning seeds, then three seeds


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the file of a study whose runs take a moment."""
    path = tmp_path_factory.mktemp("study") / "averaging.py"
    path.write_text(STUDY)
    return str(path)


@pytest.fixture(scope="module")
def by_workers(study: str, tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Return what the command line's worker processes make of it."""
    results = tmp_path_factory.mktemp("workers") / "results"
    code = "from reports.cli import main; main()"
    command = [sys.executable, "-c", code, "ablate", "--study", study, "--workers", "2"]
    subprocess.run([*command, "--results", str(results)], check=True, stdout=subprocess.DEVNULL)
    return Store(results)


@pytest.fixture
def tuned(by_workers: Store, tmp_path: Path) -> Path:
    """Return a copy of that folder in which rates are chosen and nothing is compared yet."""
    copy = tmp_path / "tuned"
    shutil.copytree(by_workers.path, copy)
    for record in by_workers.records():
        if record.run.sees_test:
            shutil.rmtree(Store(copy).folder(record.run))
    return copy


def essence(record: Record) -> tuple[Any, ...]:
    """Return all of a record that must not depend on who trained it, bit by bit."""
    curve = [(e.number, e.errors, e.images, e.loss, e.losses) for e in record.curve]
    return record.run, record.status, curve, record.measures, record.files, record.fingerprint


def essences(store: Store) -> dict[str, tuple[Any, ...]]:
    """Return that of every record, by id."""
    return {record.run.id: essence(record) for record in store.records()}


def settings() -> tuple[object, ...]:
    """Return what of PyTorch's settings, and of its chance, training has to do with."""
    return (
        torch.get_num_threads(),
        torch.get_default_dtype(),
        torch.get_float32_matmul_precision(),
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
        torch.utils.deterministic.fill_uninitialized_memory,
        torch.backends.cudnn.benchmark,
        torch.backends.cudnn.allow_tf32,
        torch.is_grad_enabled(),
        torch.get_rng_state().tolist(),
    )


@pytest.fixture
def unusual() -> Iterator[tuple[object, ...]]:
    """Set PyTorch as no worker would have it; return the settings, and set them back at the end."""
    threads, before = torch.get_num_threads(), settings()
    torch.set_num_threads(threads + 1)
    torch.set_default_dtype(torch.float64)
    torch.set_float32_matmul_precision("medium")
    torch.use_deterministic_algorithms(False)
    torch.utils.deterministic.fill_uninitialized_memory = True
    torch.backends.cudnn.benchmark = True
    torch.backends.cudnn.allow_tf32 = True
    torch.set_grad_enabled(False)
    yield settings()
    torch.set_num_threads(threads)
    torch.set_default_dtype(torch.float32)
    torch.set_float32_matmul_precision("highest")
    torch.use_deterministic_algorithms(bool(before[3]), warn_only=bool(before[4]))
    torch.utils.deterministic.fill_uninitialized_memory = before[5]
    torch.backends.cudnn.benchmark = bool(before[6])
    torch.backends.cudnn.allow_tf32 = bool(before[7])
    torch.set_grad_enabled(True)


def test_the_calling_process_makes_the_records_that_workers_make(
    study: str, by_workers: Store, unusual: tuple[object, ...], results: Path
) -> None:
    """Plan, choices, ids, curves, measures, digests of weights: whatever was set before it."""
    found = run_study(study, results=results)
    here = Store(results)
    (mine,), (theirs,) = here.plans(), by_workers.plans()

    assert len(here.records()) == RUNS
    assert essences(here) == essences(by_workers)
    assert mine.definition == theirs.definition
    assert mine.choices == theirs.choices
    assert (mine.registered.command, found.done) == (theirs.registered.command, 6)
    assert settings() == unusual


def test_a_script_needs_no_guard_and_starts_no_process(study: str, tuned: Path) -> None:
    """It loads PyTorch when it trains, not when it imports; one line a run, then the table."""
    script = tuned.parent / "script.py"
    script.write_text(
        "import multiprocessing.process, sys\n"
        "def refuse(self):\n"
        "    raise AssertionError('a process was started')\n"
        "multiprocessing.process.BaseProcess.start = refuse\n"
        "from reports import figure1, run_study\n"
        "assert 'torch' not in sys.modules\n"
        f"found = run_study({study!r}, seeds=1, results={str(tuned)!r})\n"
        "assert 'torch' in sys.modules\n"
        "print(found)\n"
    )
    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert sum("seed 0: " in line for line in lines) == 2
    assert [line.split()[0] for line in lines[-5:-2]] == ["arm", "maximum", "average"]
    assert lines[-1].startswith("shown, not judged, incomplete: average against maximum, ")
    assert lines[-1].endswith(" points, 1 of 3 seeds")
    assert "\x1b" not in done.stdout


@pytest.mark.usefixtures("always_checkpoint")
def test_interrupted_it_goes_on_with_the_same_call(
    study: str,
    by_workers: Store,
    tuned: Path,
    unusual: tuple[object, ...],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """In the middle of the second run: its first epoch is kept, and it ends with the same bits."""
    started = []

    def interrupted(*arguments: Any) -> Iterator[Epoch]:
        started.append(arguments)
        for epoch in fit(*arguments):
            yield epoch
            if len(started) == 2:
                raise KeyboardInterrupt

    monkeypatch.setattr("ablations.workers.trainer.fit", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run_study(study, seeds=2, results=tuned)

    assert settings() == unusual
    assert "the same call goes on" in capsys.readouterr().out
    left = Store(tuned)
    assert left.problems == []
    assert sum(record.run.sees_test for record in left.records()) == 1
    monkeypatch.setattr("ablations.workers.trainer.fit", fit)
    run_study(study, results=tuned)
    assert essences(Store(tuned)) == essences(by_workers)
    assert [r.interruptions for r in Store(tuned).records() if r.interruptions] == [1]


def test_a_class_shares_out_the_seeds_and_pools_the_folders(
    study: str, by_workers: Store, tuned: Path, tmp_path: Path
) -> None:
    """Rates are chosen once; each trains seeds of their own; together it is the whole study."""
    for student, seeds in (("ann", [1]), ("bob", [0, 2])):
        shutil.copytree(tuned, tmp_path / student)
        found = run_study(study, seeds=seeds, results=tmp_path / student)
        trained = {r.run.seed for r in Store(tmp_path / student).records() if r.run.sees_test}

        assert trained == set(seeds)
        assert (found.done, found.planned) == (2 * len(seeds), 6)
    shutil.copytree(tmp_path / "ann" / "runs", tmp_path / "bob" / "runs", dirs_exist_ok=True)

    (plan,) = Store(tmp_path / "bob").plans()
    assert plan.definition == by_workers.plans()[0].definition
    assert plan.second_looks == ()
    assert essences(Store(tmp_path / "bob")) == essences(by_workers)


def test_another_length_is_trained_beside_the_study(
    study: str, by_workers: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """In the same folder, with a plan and runs of its own; the study's are as they were."""
    both = tmp_path / "both"
    shutil.copytree(by_workers.path, both)

    found = run_study(study, seeds=1, epochs=3, results=both)

    assert "planned and reported apart from averaging, as averaging_3_epochs." in " ".join(
        capsys.readouterr().out.split()
    )
    assert (found.study, found.done, found.planned) == ("averaging_3_epochs", 2, 6)
    compared = found.runs[found.runs.phase == "comparison"]
    assert list(compared.epochs) == [3, 3]
    assert set(found.curves.epoch) == {1.0, 2.0, 3.0}
    names = sorted(plan.name for plan in Store(both).plans())
    assert names == ["averaging@fashion_mini", "averaging_3_epochs@fashion_mini"]
    after = essences(Store(both))
    assert essences(by_workers).items() <= after.items()
    assert len(after) == RUNS + 2 * 2 * 2 + 2
    again = run_study(study, seeds=1, epochs=3, results=both)
    assert "nothing to do" in capsys.readouterr().out
    assert again.runs.equals(found.runs)


def test_no_seeds_choose_the_rates_alone(study: str, by_workers: Store, results: Path) -> None:
    """For a folder that a class starts from."""
    found = run_study(study, seeds=(), results=results)
    records = Store(results).records()

    assert found.done == 0
    assert len(records) == 8
    assert not any(record.run.sees_test for record in records)
    assert Store(results).plans()[0].choices == by_workers.plans()[0].choices


def test_seeds_that_were_not_planned_are_a_second_look(study: str, tuned: Path) -> None:
    """Beside the planned ones, of which none is replaced; asked for again, nothing is added."""
    for _ in range(2):
        found = run_study(study, seeds=[7], results=tuned)
        (plan,) = Store(tuned).plans()

        assert plan.definition.seeds == (0, 1, 2)
        assert [look.seeds for look in plan.second_looks] == [(7,)]
        assert {r.run.seed for r in Store(tuned).records() if r.run.sees_test} == {7}
        assert found.done == 0
        assert any("second look" in line for line in found.verdicts)


def test_in_a_new_plan_too_they_change_nothing_that_is_registered(
    study: str, by_workers: Store, results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the folders of those who share seeds out would not be of one plan."""
    monkeypatch.setattr("reports.commands.ablate._train", lambda progress, console, plan, *_: plan)
    monkeypatch.setattr("reports.commands.ablate._time_alone", lambda workers, plan, probe: plan)

    run_study(study, seeds=[5, 1], results=results)
    (plan,) = Store(results).plans()

    assert plan.definition == by_workers.plans()[0].definition
    assert [look.seeds for look in plan.second_looks] == [(5,)]


def test_a_run_that_fails_is_told_when_all_others_are_done(
    study: str, by_workers: Store, tuned: Path
) -> None:
    """A folder lies where its weights would: a sentence, and one run fewer."""
    first = next(r.run for r in by_workers.records() if r.run.sees_test)
    (Store(tuned).folder(first) / "weights.safetensors" / "in the way").mkdir(parents=True)

    with pytest.raises(RunError, match=f"run {first.short}: IsADirectoryError.* tries again"):
        run_study(study, results=tuned)

    assert essences(Store(tuned)).keys() == essences(by_workers).keys() - {first.id}


@pytest.mark.parametrize(
    ("asked", "error", "message"),
    [
        ({"name": "relu_vs_than"}, StudyError, "did you mean relu_vs_tanh"),
        ({"dataset": "fashion"}, DatasetError, "fashion_mini"),
        ({"device": "gpu"}, RequestError, "'gpu' is not a device; use auto, cpu, cuda or cuda:N"),
        ({"precision": "half"}, RequestError, "'half' is not a precision; use one of auto, float"),
        ({"workers": -1}, RequestError, "-1 workers cannot be; use 0"),
        ({"keep_weights": "no"}, RequestError, "'no' cannot be kept; use all, comparison, none"),
        ({"seeds": 0}, RequestError, "0 seeds cannot be; ask for 1 to 1000"),
        ({"seeds": [1000]}, RequestError, "1000 is not a seed; use whole numbers from 0 to 999"),
        ({"seeds": "12"}, RequestError, "'1' is not a seed"),
        ({"seeds": [3, 4, 3]}, RequestError, "seeds 3, 4, 3 name one twice"),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence(
    asked: dict[str, Any], error: type[Exception], message: str, results: Path
) -> None:
    """Before anything is written or PyTorch set up."""
    with pytest.raises(error, match=message) as raised:
        run_study(**{"name": "relu_vs_tanh", "results": results} | asked)

    assert "\n" not in str(raised.value)
    assert not results.exists()


def test_where_nothing_can_be_trained_pytorch_is_as_it_was(
    study: str, unusual: tuple[object, ...], results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No machine has a ninety-ninth card, which is found out before; here, as if it were there."""
    with pytest.raises(RequestError, match="use --device cpu"):
        run_study(study, device="cuda:98", results=results)
    there = Placement(0, "cuda:98")
    monkeypatch.setattr("reports.commands.ablate.placed", lambda *_: there)

    with pytest.raises(WorkerError):
        run_study(study, device="cuda:98", results=results)

    assert settings() == unusual
    assert not list(results.glob("plans/*.json"))


def test_with_workers_it_is_they_who_train(
    study: str, tuned: Path, by_workers: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As many as were asked for; what they make is no other."""
    counts = []
    start = LocalWorkers.__init__
    monkeypatch.setattr(
        LocalWorkers,
        "__init__",
        lambda self, *args: (counts.append(args[0]), start(self, *args))[1],
    )

    found = run_study(study, seeds=1, workers=1, results=tuned)

    assert counts == [1]
    assert found.done == 2
    assert all(essences(by_workers)[id_] == one for id_, one in essences(Store(tuned)).items())


def test_what_is_found_shows_itself(by_workers: Store) -> None:
    """A sentence, a row an arm with its mean error, the rates tried."""
    (plan,) = by_workers.plans()
    found = Found.of(section_of(plan, by_workers))
    errors = {
        arm: [
            record.measures.test.top1_error
            for record in by_workers.records()
            if record.run.sees_test and arm in plan.arms_of(record.run)
        ]
        for arm in ("maximum", "average")
    }

    assert found.table["arm"].tolist() == ["maximum", "average"]
    for arm, shown in zip(errors, found.table["top-1 test error"], strict=True):
        assert shown == f"{100 * math.fsum(errors[arm]) / 3:.2f} %"
    assert found.rates["learning rate"].tolist() == ["0.003", "0.001"] * 2
    assert str(found).startswith(f"{found.sentence}\n\narm")
    assert repr(found) == str(found)
    assert found._repr_html_().count("<table") == 1
    assert found.effects[0].pairs == 3


@pytest.mark.skipif(not hasattr(torch.backends.cudnn, "conv"), reason="is of PyTorch 2.9 and later")
def test_settings_for_single_kinds_of_operation_are_given_back() -> None:
    """Once they differ, PyTorch raises where the older setting for all of them is read."""
    code = (
        "import torch\n"
        "from pathlib import Path\n"
        "from ablations.workers.in_process import ThisProcess\n"
        "from ablations.workers.protocol import WorkerSettings\n"
        "torch.backends.cudnn.conv.fp32_precision = 'ieee'\n"
        "ThisProcess(WorkerSettings(Path(), Path(), 'cpu', 1, '')).close()\n"
        "print(torch.backends.cudnn.conv.fp32_precision, torch.backends.cudnn.rnn.fp32_precision)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.split() == ["ieee", "tf32"]
