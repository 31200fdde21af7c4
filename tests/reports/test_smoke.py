"""The smoke of all studies: what it trains, what it is held against, and what it says of it."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from types import MappingProxyType
from typing import Any
from xml.etree import ElementTree

import pytest

from ablations.machine import versions
from ablations.store import Store, StoreError
from ablations.studies import STUDIES
from ablations.study import Arm, Contrast
from alexnet.config import Config
from reports.commands.ablate import all_studies
from reports.smoke import options
from reports.smoke.trainings import FOLDER, delete_last
from tests.builders.command_line import call
from tests.builders.made_up_studies import ONE, POINT, TWO, made_up
from tests.builders.plans import resealed

WILD = {"training": {"optimizer": {"rate": 1e30, "momentum": 0.8}}}
SMOKE = ("ablate", "--study", "all", "--smoke", "--workers", "1")


@pytest.fixture(scope="module", autouse=True)
def few() -> Iterator[None]:
    """Let two small studies that share an arm be all that there are."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(all_studies, "STUDIES", MappingProxyType({"norm": TWO, "pairs": ONE}))
        yield


@pytest.fixture(scope="module")
def made(few: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a baseline of them, just made."""
    folder = tmp_path_factory.mktemp("made")
    path = folder / "baseline.json"
    code, output = call(
        *SMOKE, "--results", folder, "--baseline", path, "--update-baseline", "--reason", "new"
    )
    assert code == 0, output
    assert "2 trainings, the first one" in output
    return path


@pytest.fixture
def baseline(made: Path, tmp_path: Path) -> Path:
    """Return a copy of it, to be edited."""
    return Path(shutil.copy(made, tmp_path))


def edited(path: Path, number: int, **changes: Any) -> None:
    """Change what a baseline expects of one training."""
    content = json.loads(path.read_text())
    content["trainings"][number] |= changes
    path.write_bytes(resealed(content))


def moved(path: Path, arm: str, by: float) -> None:
    """Let a baseline expect another loss of an arm's third update."""
    content = json.loads(path.read_text())
    one = next(one for one in content["trainings"] if arm in one["arms"])
    one["losses"][2] += by
    path.write_bytes(resealed(content))


def test_every_arm_is_smoked_once(tmp_path: Path) -> None:
    """Two trainings of three arms, through one drop of the rate and one evaluation, in float64."""
    code, output = call(*SMOKE, "--results", tmp_path)
    records = Store(tmp_path / FOLDER).records()

    assert code == 0, output
    assert "2 of 2 trainings finished (not compared)" in output
    assert len(records) == 2
    for record in records:
        config: Config = record.run.config
        assert record.run.precision == "float64"
        assert config.training.schedule.kind == "drops"
        assert len(record.curve) == 2
        assert record.measures is not None
        assert record.measures.test is not None


def test_instructions_that_are_set_reach_the_workers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever wants to know what a processor does to losses has to be able to choose them."""
    monkeypatch.setenv("ATEN_CPU_CAPABILITY", "default")

    call(*SMOKE, "--results", tmp_path)

    records = Store(tmp_path / FOLDER).records()
    assert {one.fingerprint.capability for one in records} <= {"DEFAULT", "NO AVX"}
    assert {one.fingerprint.threads for one in records} == {1}


def test_a_smoke_always_trains_anew(tmp_path: Path) -> None:
    """Code that has changed asks the same questions: a record of before would hide it."""
    call(*SMOKE, "--results", tmp_path)
    records = Store(tmp_path / FOLDER).records()
    marks = [tmp_path / FOLDER / "runs" / record.run.short / "mark" for record in records]
    for mark in marks:
        mark.touch()

    code, _ = call(*SMOKE, "--results", tmp_path)

    assert code == 0
    assert not any(mark.exists() for mark in marks)
    again = Store(tmp_path / FOLDER).records()
    assert [one.run.id for one in again] == [one.run.id for one in records]


def test_a_smoke_deletes_nothing_that_is_not_a_smokes(tmp_path: Path) -> None:
    """Somebody's folder may be called so too: it is refused, and left as it is."""
    mine = tmp_path / FOLDER / "runs" / "mine.csv"
    mine.parent.mkdir(parents=True)
    mine.write_text("precious")

    code, output = call(*SMOKE, "--results", tmp_path)

    assert code == 2
    assert "choose another folder with --results PATH" in output
    assert mine.read_text() == "precious"


def test_an_arm_that_diverges_fails_the_smoke(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Named with its study, exit code 1; the others are not stopped."""
    wild = made_up(
        "wild",
        {"calm": Arm(), "wild": Arm(changes=WILD)},
        Contrast(arm="wild", against="calm", **POINT),
    )
    monkeypatch.setattr(all_studies, "STUDIES", MappingProxyType({"wild": wild}))

    code, output = call(*SMOKE, "--results", tmp_path)

    assert code == 1
    assert "wild/wild: its loss is not finite" in output
    assert "1 of 2 trainings finished (not compared), 1 failed" in output


def test_what_has_not_changed_agrees_with_its_baseline(tmp_path: Path, baseline: Path) -> None:
    """Exit code 0; the file says what it was made with and why."""
    code, output = call(*SMOKE, "--results", tmp_path, "--baseline", baseline)
    made_with = json.loads(baseline.read_text())["made_with"]

    assert code == 0, output
    assert "2 of 2 trainings agree" in output
    assert made_with["reason"] == "new"
    assert made_with["threads"] == 1


def test_the_first_line_names_both_releases_where_they_differ(
    tmp_path: Path, baseline: Path
) -> None:
    """That another PyTorch trains here is the first thing to know of a change."""
    here = versions()["torch"].partition("+")[0]
    content = json.loads(baseline.read_text())

    _, alike = call(*SMOKE, "--results", tmp_path, "--baseline", baseline, "--dry-run")
    content["made_with"]["torch"] = "1.2.3+cpu"
    baseline.write_bytes(resealed(content))
    _, other = call(*SMOKE, "--results", tmp_path, "--baseline", baseline, "--dry-run")

    said = "2 trainings of 3 arms, generated colour images, float64; baseline made with torch"
    assert f"smoke {said} {here}, edition 1 dry run" in alike
    assert f"smoke {said} 1.2.3, edition 1; here torch {here} dry run" in other


def test_nothing_is_said_of_studies_of_other_images(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A study of ImageNet alone is no news to who checks the others."""
    monkeypatch.setattr(
        all_studies, "STUDIES", MappingProxyType({"norm": TWO, "table_1": STUDIES["table_1"]})
    )

    code, output = call(*SMOKE, "--results", tmp_path, "--dry-run")

    assert code == 0
    assert "smoke 2 trainings of 2 arms" in output
    assert "table_1" not in output


def test_an_arm_that_moved_is_named_with_what_sets_it_apart(tmp_path: Path, baseline: Path) -> None:
    """Both arms with the norm share a training; its third loss is a millionth off."""
    moved(baseline, "norm/with", by=1e-6)

    code, output = call(*SMOKE, "--results", tmp_path, "--baseline", baseline)

    assert code == 3
    assert "CHANGED 1 training (2 arms in 2 studies)" in output
    assert "every changed training has LRN, none that agrees has it" in output
    assert "largest difference norm/with and 1 more arm, step 3:" in output
    assert "1 of 2 trainings agree, 1 changed" in output
    assert "--update-baseline --reason TEXT" in output
    assert "::error" not in output  # which is GitHub's


def test_a_new_baseline_makes_it_right_again(tmp_path: Path, baseline: Path) -> None:
    """It says how much of the old one it does not keep."""
    moved(baseline, "norm/with", by=1e-6)

    code, output = call(
        *SMOKE, "--results", tmp_path, "--baseline", baseline, "--update-baseline", "--reason", "b"
    )
    again, _ = call(*SMOKE, "--results", tmp_path, "--baseline", baseline)

    assert (code, again) == (0, 0)
    assert "1 training (2 arms in 2 studies) not as before" in output
    assert json.loads(baseline.read_text())["made_with"]["reason"] == "b"


def test_a_baseline_that_cannot_be_read_is_made_anew(tmp_path: Path) -> None:
    """Such as one with a merge's marks in it, or of an older version."""
    path = tmp_path / "b.json"
    path.write_text("<<<<<<< ours")

    code, output = call(
        *SMOKE, "--results", tmp_path, "--baseline", path, "--update-baseline", "--reason", "b"
    )

    assert code == 0, output
    assert "ignored" in output
    assert "2 trainings, the first one" in output
    assert json.loads(path.read_text())["made_with"]["reason"] == "b"


def test_pinned_streams_would_be_missed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pinned stream is that of seed 0, so that an arm with one is smoked with another seed."""
    pinned = made_up(
        "pinned",
        {"free": Arm(), "one order": Arm(changes={"pinned": ("order",)})},
        Contrast(arm="one order", against="free", **POINT),
    )
    monkeypatch.setattr(all_studies, "STUDIES", MappingProxyType({"pinned": pinned}))

    call(*SMOKE, "--results", tmp_path)
    losses = {r.run.seed: r.curve[0].losses for r in Store(tmp_path / FOLDER).records()}

    assert losses.keys() == {0, 1}
    assert losses[0] != losses[1]


def test_arms_that_come_and_go_are_changes(tmp_path: Path, baseline: Path) -> None:
    """So that a baseline never falls behind the studies in silence."""
    edited(baseline, 0, arms=["norm/with", "old/arm"])

    code, output = call(*SMOKE, "--results", tmp_path, "--baseline", baseline)

    assert code == 3
    assert "pairs/as it is, not in the baseline" in output
    assert "CHANGED 1 arm gone, 1 arm new" in output
    assert "2 of 2 trainings agree, 1 arm gone, 1 arm new" in output
    assert "old/arm, in the baseline, and no arm any more" in output


def test_another_question_is_not_called_another_answer(tmp_path: Path, baseline: Path) -> None:
    """An arm whose config has changed needs a new baseline, not a search for a mistake."""
    edited(baseline, 1, run="0" * 12)

    code, output = call(*SMOKE, "--results", tmp_path, "--baseline", baseline)

    assert code == 3
    assert "its config or images are others than the baseline's" in output


def test_ci_gets_a_case_for_every_arm(tmp_path: Path, baseline: Path) -> None:
    """With the failure's text, and the time that its training took."""
    moved(baseline, "norm/without", by=-0.5)

    call(*SMOKE, "--results", tmp_path, "--baseline", baseline, "--junit", tmp_path / "smoke.xml")
    root = ElementTree.parse(tmp_path / "smoke.xml").getroot()
    cases = {(c.get("classname"), c.get("name")): c for c in root.iter("testcase")}

    assert cases.keys() == {("norm", "with"), ("norm", "without"), ("pairs", "as it is")}
    assert [c.tag for c in cases["norm", "without"]] == ["failure"]
    assert "step 3" in str(cases["norm", "without"][0].get("message"))
    assert not list(cases["norm", "with"])
    assert float(cases["norm", "with"].get("time", "0")) > 0


def test_github_gets_error_lines_and_a_summary(
    tmp_path: Path, baseline: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of them together, and the two arms of one training; elsewhere nothing of it."""
    moved(baseline, "norm/with", by=1e-6)
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))

    _, output = call(*SMOKE, "--results", tmp_path, "--baseline", baseline)

    assert output.count("::error") == 2
    assert "none that agrees has it" in (tmp_path / "summary.md").read_text()


def test_a_summary_that_cannot_be_written_loses_nothing_else(
    tmp_path: Path, baseline: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder lies where it would be; the JUnit file and the exit code say what was found."""
    moved(baseline, "norm/with", by=1e-6)
    (tmp_path / "summary.md").mkdir()
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
    options = ["--baseline", baseline, "--junit", tmp_path / "smoke.xml"]

    code, output = call(*SMOKE, "--results", tmp_path, *options)

    assert code == 3
    assert "::warning title=smoke ablations::the summary cannot be written to" in output
    assert len(list(ElementTree.parse(tmp_path / "smoke.xml").getroot().iter("failure"))) == 2


def test_the_time_limit_stops_it_cleanly(tmp_path: Path) -> None:
    """What was left out is named; exit code 4."""
    code, output = call(*SMOKE, "--results", tmp_path, "--time-limit", "0.05s")

    assert code == 4
    assert "time limit" in output
    assert "left out 2 trainings (3 arms in 2 studies): norm/with and 1 more arm" in output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--baseline", "no.json"], "there is no baseline no.json; make it with"),
        (["--update-baseline", "--reason", "x"], "needs --baseline FILE"),
        (["--baseline", "b.json", "--update-baseline"], "needs --reason TEXT"),
        (["--reason", "x"], "add --update-baseline"),
        (["--seeds", "3"], "leave out --seeds, --only-seeds and --precision"),
        (["--precision", "bfloat16"], "each arm once, in float64"),
        (["--baseline", "b.json", "--dataset", "fashion_mini"], "leave out --dataset"),
        (
            ["--baseline", "b.json", "--update-baseline", "--reason", "x", "--device", "cuda"],
            "made on a CPU, which every machine has; leave out --device",
        ),
        (["--junit", "/proc/nowhere/smoke.xml"], "cannot write /proc/nowhere/smoke.xml"),
        (["--time-limit", "soon"], "'soon' is not a time; write for example 90s, 5m or 2h"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    tmp_path: Path, arguments: list[str], message: str
) -> None:
    """Before anything starts, in a sentence, exit code 2."""
    code, output = call(*SMOKE, "--results", tmp_path, *arguments)

    assert (code, message in output) == (2, True), output
    assert not (tmp_path / FOLDER).exists()


def test_the_shipped_baseline_is_made_anew_in_a_checkout_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An installed package is not the place for what somebody else's machine comes to."""
    monkeypatch.setattr(options, "checkout", lambda: (None, None))
    shipped = options.Check(baseline=Path(options.SHIPPED))

    code, output = call(
        *SMOKE, "--results", tmp_path, "--baseline", "shipped", "--update-baseline",
        "--reason", "mine",
    )  # fmt: skip

    assert code == 2
    assert "name a file of yours" in output
    assert "--baseline baseline.json --update-baseline" in shipped.renewal
    assert options.Check(baseline=Path("b.json")).renewal.count("b.json") == 1


def test_images_that_no_study_can_be_shown_on_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And why not is said, study by study."""
    monkeypatch.setattr(all_studies, "STUDIES", MappingProxyType({"table_1": STUDIES["table_1"]}))

    code, output = call(*SMOKE, "--results", tmp_path, "--dataset", "fashion_mini")

    assert code == 2
    assert "table_1 has no base for the dataset 'fashion_mini'" in output
    assert "no study can be shown on fashion_mini" in output


def test_a_dry_run_makes_no_folder(tmp_path: Path) -> None:
    """Not even the one that a JUnit file would lie in."""
    code, output = call(
        *SMOKE, "--results", tmp_path / "a", "--junit", tmp_path / "b" / "smoke.xml", "--dry-run"
    )

    assert code == 0, output
    assert list(tmp_path.iterdir()) == []


def test_a_baseline_is_of_all_studies(tmp_path: Path) -> None:
    """A single study has a plan, and its comparison."""
    code, output = call(
        "ablate", "--study", "dropout", "--smoke", "--baseline", "b.json", "--results", tmp_path
    )

    assert code == 2
    assert "`--study all --smoke`" in output


def test_what_a_killed_smoke_leaves_keeps_no_other_from_starting(tmp_path: Path) -> None:
    """A file that was being written; anything of a person still does."""
    folder = tmp_path / FOLDER
    (folder / "runs" / "0123456789ab").mkdir(parents=True)
    (folder / ".writable-0a1b2c3d").write_bytes(b"")
    (folder / "runs" / "0123456789ab" / ".record.json.host.1.ab").write_bytes(b"{")

    delete_last(folder)

    assert not folder.exists()
    folder.mkdir()
    (folder / "thesis.tex").write_text("...")
    with pytest.raises(StoreError, match="has other files in it"):
        delete_last(folder)
