"""Records that can be trusted, and a folder that survives people and crashes."""

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ablations.record import Record, RecordError
from ablations.run import Run
from ablations.store import BusyError, Store, StoreError
from alexnet.config.base import canonical
from alexnet.presets import tiny
from tests.builders.records import record_of, run_of


def test_a_record_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    """Every number at full precision."""
    record = record_of(run_of(tiny()), [0.7, 0.123456789])
    (tmp_path / "record.json").write_text(record.to_json())

    assert Record.read(tmp_path / "record.json") == record


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda text: text[: len(text) // 2], "cut short"),
        (lambda text: "", "cut short"),
        (lambda text: "[]", "is not a JSON object"),
        (lambda text: text.replace('"loss": 0.55', '"loss": 0.5', 1), "edited"),
        (lambda text: text.replace('"seed": 0', '"seed": 1'), "edited"),
    ],
)
def test_a_damaged_record_is_named_kept_and_treated_as_absent(
    results: Path, damage: object, message: str
) -> None:
    """The sentence says which file and what to do; nothing is deleted."""
    run = run_of(tiny())
    Store(results).add(record_of(run, [0.5]))
    path = results / "runs" / run.short / "record.json"
    path.write_text(damage(path.read_text()))  # type: ignore[operator]

    store = Store(results)

    assert store.find(run) is None
    assert path.exists()
    assert len(store.problems) == 1
    assert message in store.problems[0]
    assert str(path) in store.problems[0]


def test_a_record_of_an_unknown_schema_is_not_guessed_at(tmp_path: Path) -> None:
    """Sealed as it should be, but of a version to come."""
    record = record_of(run_of(tiny()), [0.5])
    content = json.loads(record.to_json()) | {"schema_version": 2}
    del content["sha256"]
    seal = hashlib.sha256(canonical(content).encode()).hexdigest()
    (tmp_path / "record.json").write_text(json.dumps(content | {"sha256": seal}))

    with pytest.raises(RecordError, match="another version"):
        Record.read(tmp_path / "record.json")


def test_a_record_that_cannot_be_read_is_kept_when_its_run_is_trained_again(
    results: Path,
) -> None:
    """It may be of a later version of this program."""
    store, run = Store(results), run_of(tiny())
    store.add(record_of(run, [0.5]))
    path = results / "runs" / run.short / "record.json"
    path.write_text("of the future")

    Store(results).add(record_of(run, [0.4]))

    assert (path.parent / "record-set-aside-1.json").read_text() == "of the future"
    assert Record.read(path).curve[0].errors == (40,) * 10


def test_a_folders_name_is_only_a_name(results: Path) -> None:
    """Who moves a run's folder loses nothing."""
    run = run_of(tiny())
    Store(results).add(record_of(run, [0.5]))
    (results / "runs" / run.short).rename(results / "runs" / "renamed-by-hand")

    assert Store(results).find(run) is not None


def test_two_folders_merge_by_copying(results: Path, tmp_path: Path) -> None:
    """As rsync would from another machine."""
    runs = [run_of(tiny(), seed) for seed in (0, 1)]
    for run, folder in zip(runs, (results, tmp_path / "other"), strict=True):
        Store(folder).add(record_of(run, [0.5]))
    shutil.copytree(tmp_path / "other", results, dirs_exist_ok=True)
    merged = Store(results)

    assert all(merged.find(run) for run in runs)


def test_an_id_names_the_question_and_not_its_circumstances() -> None:
    """The dataset's name is a name; its content, the seed and every choice count."""
    run = run_of(tiny())
    renamed = run.but(dataset={"name": "other"})
    others: list[Run] = [
        run.but(seed=1),
        run.but(precision="bfloat16"),
        run.but(edition=2),
        run.but(dataset={"digest": "f" * 64}),
        run.but(dataset={"split": "f" * 64}),
        run.but(config={"pinned": ("init",)}),
        run.but(config={"training": {"optimizer": {"rate": 0.002}}}),
    ]

    assert renamed.id == run.id
    assert len({run.id, *(other.id for other in others)}) == 8


def test_the_id_of_a_known_run_has_not_moved() -> None:
    """If this fails, every record in every folder is orphaned: raise EDITION only on purpose."""
    golden = Path(__file__).parents[1] / "golden" / "run.json"
    run = Run.model_validate_json(golden.read_text())

    assert run.short == golden.with_suffix(".id").read_text().strip()


def test_a_held_run_is_busy_and_free_when_its_owner_dies(results: Path) -> None:
    """The system releases the lock; no heartbeat, nothing to clean up."""
    run = run_of(tiny())
    (results / "runs" / run.short).mkdir(parents=True)
    lock = results / "runs" / run.short / "lock"
    code = (
        "import sys, time, filelock; lock = filelock.FileLock(sys.argv[1]); "
        "lock.acquire(); "
        "print('held', flush=True); time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(lock)], stdout=subprocess.PIPE, text=True
    ) as owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == "held\n"
        with pytest.raises(BusyError), Store(results).lock(run):
            pass
        owner.kill()
        owner.wait()

    with Store(results).lock(run):
        pass


def test_a_folder_that_cannot_be_written_is_refused_at_once(tmp_path: Path) -> None:
    """A file stands where the folder should be; permissions mean nothing to root."""
    (tmp_path / "results").write_text("in the way")
    with pytest.raises(StoreError, match="cannot write to the results folder"):
        Store(tmp_path / "results").ensure_writable()


def test_a_failure_leaves_its_reason(results: Path) -> None:
    """Numbered, so that the first is not lost when the second comes."""
    store, run = Store(results), run_of(tiny())
    paths = [store.add_failure(run, reason) for reason in ("the disk is full", "killed")]

    assert [path.name for path in paths] == ["failure-1.json", "failure-2.json"]
    assert json.loads(paths[0].read_text())["reason"] == "the disk is full"
    assert store.find(run) is None
