"""Studies with code of one's own beside them: found, trained by anybody, and never mistaken."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ablations.plan import Plan, PlanError
from ablations.planning import about, define, refuse_difference
from ablations.record import Record
from ablations.store import Store
from ablations.studies import StudyError, find_study
from ablations.study import Study
from ablations.workers.processes import LocalWorkers
from ablations.workers.protocol import WorkerError, WorkerSettings
from ablations.workers.trainer import Workbench
from alexnet.config import Custom, source
from alexnet.data.manifest import default_data_dir
from alexnet.model import build
from reports import run_study
from tests.builders.own_parts import PARTS, part, with_part
from tests.builders.plans import MANIFEST
from tests.builders.records import PROVENANCE, record_of
from tests.builders.runs import outcome, run_of

PART = "def rounded(x, times):\n    return times * x * x.sigmoid()\n"
STUDY = """
from helper import QUESTION, of_tiny
from ablations.study import Base, Contrast, FinalError, Study
from alexnet.config import Custom

STUDY = Study(
    name="rounded", question=QUESTION, seeds=1,
    arms={"ReLU": {}, "rounded": lambda base: {"network": {"parts": {
        "act": Custom(target="rounded:rounded", kwargs={"times": 1.5})}}}},
    contrasts=(Contrast(arm="rounded", against="ReLU", direction="lower", margin=0.005,
                        margin_reason="too small to matter", judged=False),),
    bases={"fashion_mini": Base(config=of_tiny(), metric=FinalError(), rates=(0.001,),
                                refine=False)},
)
"""
HELPER = """
from alexnet.presets import tiny

QUESTION = "Does it err less?"


def of_tiny():
    return tiny().but(inputs={"colour": None}, training={"epochs": 2, "images": 320})
"""


@pytest.fixture(autouse=True)
def path_of_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give Python's path back what it was."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(source, "_FIRST", [])
    monkeypatch.setattr(source, "_FOUND_HERE", set())


def written(folder: Path, part: str = PART, helper: str = HELPER) -> Path:
    """Write a study with its helper and its part beside it; return its file."""
    folder.mkdir(exist_ok=True)
    (folder / "helper.py").write_text(helper)
    (folder / "rounded.py").write_text(part)
    (folder / "mine.py").write_text(STUDY)
    return folder / "mine.py"


def own_part(study: Study) -> Custom:
    """Return the part of a study."""
    found = study.config("fashion_mini", "rounded").network.parts["act"]
    assert isinstance(found, Custom)
    return found


def definition(study: Study) -> Any:
    """Return what its plan registers."""
    return define(study, "fashion_mini", MANIFEST, 1, "float32", smoke=False)


def test_a_study_imports_what_lies_beside_it(tmp_path: Path) -> None:
    """From whichever folder it is called; nothing of it stays among the modules."""
    study = find_study(str(written(tmp_path)))

    assert study.question == "Does it err less?"
    assert own_part(study).kwargs == {"times": 1.5}
    assert not {"helper", "rounded"} & sys.modules.keys()


def test_helpers_of_one_name_are_those_of_each_study(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One after the other in one process, and again; edited, they are read anew."""
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    one = written(tmp_path / "one")
    other = written(
        tmp_path / "other", PART.replace("times *", "2 * times *"),
        HELPER.replace("Does it err less?", "Another question?"),
    )  # fmt: skip
    first, second, again = (find_study(str(path)) for path in (one, other, one))

    assert [study.question for study in (first, second, again)] == [
        "Does it err less?", "Another question?", "Does it err less?",
    ]  # fmt: skip
    assert own_part(first) == own_part(again) != own_part(second)
    helper = tmp_path / "one" / "helper.py"
    before = helper.stat()
    helper.write_text(HELPER.replace("less", "more"))
    os.utime(helper, ns=(before.st_atime_ns, before.st_mtime_ns))  # as within one second
    assert find_study(str(one)).question == "Does it err more?"


def test_a_helper_hides_no_module_of_python_or_of_this_project(tmp_path: Path) -> None:
    """Files called as they are stay unread; what was imported before stays what it was."""
    import json

    for name in ("json", "copy", "alexnet"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('hidden')\n")
    before = {name: sys.modules[name] for name in ("json", "copy", "alexnet", "pytest")}
    path = written(tmp_path)
    path.write_text("import copy, json, alexnet\n" + STUDY)
    (tmp_path / "pytest.py").write_text("")

    assert find_study(str(path)).name == "rounded"
    assert {name: sys.modules[name] for name in before} == before
    assert json is before["json"]


def test_what_is_wrong_in_a_helper_is_told_of_the_study(tmp_path: Path) -> None:
    """By the line of the study that imports it, or names a part that is not there."""
    path = written(tmp_path, helper="x = 1 / 0\n")
    with pytest.raises(StudyError, match=r"mine\.py, line 2: ZeroDivisionError"):
        find_study(str(path))

    written(tmp_path)
    (tmp_path / "rounded.py").unlink()
    with pytest.raises(StudyError, match=r"arm|there is no file rounded\.py beside the study"):
        find_study(str(path))

    path.write_text(STUDY.replace('Custom(target="rounded:rounded", kwargs={"times": 1.5})',
                                  '{"kind": "swish"}'))  # fmt: skip
    with pytest.raises(StudyError, match=r"there is no part of kind 'swish'; .*Custom\(target="):
        find_study(str(path))


def test_a_part_that_has_changed_is_another_study(tmp_path: Path) -> None:
    """Its plan stands, and the field that differs is named; its runs have other names."""
    path = written(tmp_path)
    before = find_study(str(path))
    (tmp_path / "rounded.py").write_text("# edited\n" + PART)
    now = find_study(str(path))

    digest = own_part(before).source[:12]
    with pytest.raises(
        PlanError, match=rf"parts\.act\.source, the digest of a file of your own, {digest}, and"
    ):
        refuse_difference(definition(before), definition(now), Path("rounded@fashion_mini.json"))
    runs = [run_of(one.config("fashion_mini", "rounded")) for one in (before, now)]
    assert runs[0].id != runs[1].id
    assert run_of(before.config("fashion_mini", "ReLU")).id == (
        run_of(now.config("fashion_mini", "ReLU")).id
    )


def essence(record: Record) -> tuple[Any, ...]:
    """Return all of a record that must not depend on who trained it, bit by bit."""
    curve = [(e.number, e.errors, e.images, e.loss, e.losses) for e in record.curve]
    return record.run, curve, record.measures, record.files, record.fingerprint


def test_workers_and_this_process_come_to_the_same(tmp_path: Path) -> None:
    """Two workers that are spawned from elsewhere find the file, and so does a notebook."""
    path = written(tmp_path)
    code = "from reports.cli import main; main()"
    command = [sys.executable, "-c", code, "ablate", "--study", str(path), "--workers", "2",
               "--results", str(tmp_path / "by-workers")]  # fmt: skip
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=Path.home())
    run_study(str(path), results=tmp_path / "here")

    by_workers, here = (
        {record.run.id: essence(record) for record in Store(tmp_path / name).records()}
        for name in ("by-workers", "here")
    )
    assert len(here) == 2
    assert by_workers == here
    (plan,) = Store(tmp_path / "here").plans()
    assert plan.definition.arms["rounded"].network.parts["act"] == own_part(find_study(str(path)))
    assert str(tmp_path) not in plan.to_json()


@pytest.mark.parametrize(
    ("place", "own"),
    [
        ("act", {"name": "PRelu", "parameters_per_map": 1}),
        ("norm", {"name": "Moving", "role": "norm"}),
    ],
)
def test_interrupted_it_ends_with_the_same_weights(
    place: str, own: dict[str, Any], tmp_path: Path, always_checkpoint: None
) -> None:
    """Its parameters and buffers come from the checkpoint, and are in the file of weights."""
    (tmp_path / "parts_of_mine.py").write_text(PARTS)
    source.look_first_in(tmp_path)
    run = run_of(with_part(place, part(**own)).but(inputs={"colour": None}))

    whole, _ = outcome(run, tmp_path / "whole", None)
    stopped, folder = outcome(run, tmp_path / "stopped", 2)

    assert (whole.interruptions, stopped.interruptions) == (0, 1)
    assert whole.files == stopped.files
    assert b".part." in (folder / "weights.safetensors").read_bytes()[:5000]


def test_a_file_that_changed_since_the_plan_trains_nothing(tmp_path: Path) -> None:
    """A worker says so in a sentence, and the run has no record."""
    (tmp_path / "rounded.py").write_text("# never loaded\n" + PART)
    source.look_first_in(tmp_path)
    run = run_of(with_part("act", Custom(target="rounded:rounded", kwargs={"times": 1.0})))
    (tmp_path / "rounded.py").write_text("# edited since\n" + PART)
    bench = Workbench(WorkerSettings(tmp_path, default_data_dir(), "cpu", 1, "a test"))

    with pytest.raises(ValueError, match=r"rounded\.py has changed: its digest is .* restore"):
        bench.execute(run, lambda _: None)

    assert Store(tmp_path).find(run) is None


@pytest.fixture
def workers_are_watched(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return how many workers were asked for; none is started."""
    asked: list[int] = []

    def start(self: LocalWorkers, count: int, place: WorkerSettings) -> None:
        asked.append(count)
        raise WorkerError("here workers would start")

    monkeypatch.setattr(LocalWorkers, "__init__", start)
    return asked


def foreign(tmp_path: Path) -> Path:
    """Return a results folder that somebody else has made, whose part is on this machine too."""
    path = written(tmp_path / "theirs")
    study = find_study(str(path))
    plan = Plan(
        definition=definition(study), about=about(study, "fashion_mini"), registered=PROVENANCE
    )
    store = Store(tmp_path / "results")
    store.write_plan(plan)
    store.add(record_of(run_of(study.config("fashion_mini", "rounded")), [0.5, 0.4]))
    source._FOUND_HERE.clear()
    return store.path


def test_a_record_of_others_is_read_and_reported_and_builds_nothing(tmp_path: Path) -> None:
    """Unless who asks says that it is trusted."""
    store = Store(foreign(tmp_path))
    (record,), (plan,) = store.records(), store.plans()

    assert store.problems == []
    assert plan.definition.arms["rounded"] == record.run.config.but(
        training={"epochs": 2, "images": 320}
    )

    assert record.run.config.network.own_parts[0].target == "rounded:rounded"
    with pytest.raises(ValueError, match="--trust"):
        build(record.run.config, 0)


def test_another_plan_than_the_studys_own_is_not_gone_on_with(
    tmp_path: Path, workers_are_watched: list[int]
) -> None:
    """So `ablate` never trains code that a folder brought: one's own file says what is trained."""
    from reports.commands.ablate import run
    from reports.commands.ablate.request import Request
    from reports.commands.options import new_console

    results = foreign(tmp_path)
    mine = written(tmp_path / "mine", PART.replace("sigmoid", "tanh"))
    request = Request(
        study=str(mine), dataset=None, seeds=None, precision="float32", smoke=False, workers=1,
        device="cpu", dry_run=False, results=results, data_dir=default_data_dir(),
    )  # fmt: skip

    with pytest.raises(PlanError):
        run(request, new_console())
    assert workers_are_watched == []
