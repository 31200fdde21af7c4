"""The sheet for teachers: every command on it, tried as it stands there."""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ablations.registration import RequestError, StudyRequest, in_ranges, refuse_unplanned
from ablations.store import Store
from ablations.studies import STUDIES
from reports.cli import main
from tests.builders.command_line import call
from tests.builders.plans import chosen, plan_of

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "teaching.md").read_text()
BLOCK = re.compile(r"<!-- (\w+): (.+?) -->\n```sh\n(.+?)\n```", re.DOTALL)
COMMANDS = BLOCK.findall(PAGE)
STUDY = """
from ablations.study import Base, Contrast, FinalError, Study
from alexnet.presets import tiny

STUDY = Study(
    name="normed", question="Does the norm lower the error?", seeds=3,
    arms={"without": {"network": {"parts": {"norm": None}}}, "with": {}},
    contrasts=(Contrast(arm="with", against="without", direction="lower", margin=0.005,
                        margin_reason="too small to matter", judged=False),),
    bases={"fashion_mini": Base(
        config=tiny().but(inputs={"colour": None}, training={"epochs": 1, "images": 320}),
        metric=FinalError(), rates=(0.001, 0.003), refine=False)},
)
"""
SAID = {
    "invoke report --results shipped --study relu_vs_tanh --out evidence": "page",
    "invoke presets": "torchvision",
    "invoke studies --name dropout": "overfits",
    "invoke report --results shipped --study six_times --out evidence": "page",
}


def run(command: str, folder: Path) -> str:
    """Run a command of the page in a folder; return what it printed."""
    code = "from reports.cli import main; main(prog_name='invoke')"
    words = shlex.split(command)[1:]
    done = subprocess.run(
        [sys.executable, "-c", code, *words],
        cwd=folder, env=None, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_there_are_five_questions_with_a_command_each() -> None:
    """And what each shows."""
    assert re.findall(r"^### (\d)\. .*\?$", PAGE, re.MULTILINE) == list("12345")
    assert [kind for kind, _, _ in COMMANDS].count("question") == 5
    assert PAGE.count("**Shows:**") == 5


@pytest.mark.parametrize(
    ("time", "command"), [(time, text) for kind, time, text in COMMANDS if kind == "question"]
)
def test_the_command_of_a_question_answers(time: str, command: str, tmp_path: Path) -> None:
    """Those of seconds as they are; the one that trains for minutes is the README's own."""
    if time != "seconds":
        assert command in (ROOT / "README.md").read_text()
        return
    words = command.replace("reports/evidence", str(ROOT / "reports" / "evidence"))
    code, output = call(*shlex.split(words.replace("--out evidence", f"--out {tmp_path}"))[1:])

    assert code == 0
    assert SAID[command] in output
    assert ("--out" in command) == (tmp_path / "index.html").exists()


def test_a_class_shares_one_study_as_the_page_says(tmp_path: Path) -> None:
    """Of a study of seconds, three seeds: rates once, plans handed out, all read as one."""
    by_name = {name: text for kind, name, text in COMMANDS if kind == "class"}
    (tmp_path / "normed.py").write_text(STUDY)

    def typed(name: str, **other: str) -> str:
        text = by_name[name].replace("relu_vs_tanh", "normed.py")
        for word, instead in other.items():
            text = text.replace(word.replace("_", " "), instead)
        return text

    run(typed("teacher"), tmp_path)
    rates = Store(tmp_path / "class").plans()[0].choices
    assert len(Store(tmp_path / "class").records()) == 8  # two arms, rates and tuning seeds each
    for student, seeds in (("anna", "1"), ("ben", "0,2")):
        shutil.copytree(tmp_path / "class" / "plans", tmp_path / student / "plans")
        said = run(typed("student", anna=student, seeds_4=f"seeds {seeds}"), tmp_path)
        store = Store(tmp_path / student)

        assert "no verdict before all of them" in said
        assert {str(record.run.seed) for record in store.records()} == set(seeds.split(","))
        assert store.plans()[0].choices == rates
        assert store.plans()[0].second_looks == ()
    run(typed("report"), tmp_path)
    page = (tmp_path / "together" / "report.json").read_text()
    assert '"done": 6' in re.sub(r"\s+", " ", page)
    for student in ("anna", "ben"):
        shutil.copytree(
            tmp_path / student / "runs", tmp_path / "class" / "runs", dirs_exist_ok=True
        )
    assert "6 of 6 runs here" in run(typed("verdict"), tmp_path)


@pytest.mark.parametrize(
    ("given", "seeds"),
    [
        (["--seeds", "3"], (0, 1, 2)),
        (["--seeds", "12"], tuple(range(12))),
        (["--seeds", "4-6"], (4, 5, 6)),
        (["--seeds", "4,7"], (4, 7)),
        (["--seeds", "8-11"], (8, 9, 10, 11)),
        (["--only-seeds", "4"], (4,)),
        (["--only-seeds", "4-5,9"], (4, 5, 9)),
        (["--only-seeds", "none"], ()),
        (["--seeds", "12", "--only-seeds", "11"], ()),  # registered with ten
        ([], tuple(range(10))),
    ],
)
def test_what_the_options_name(given: list[str], seeds: tuple[int, ...]) -> None:
    """Of a plan of ten seeds, as click reads them."""
    ablate = main.commands["ablate"]
    context = ablate.make_context("ablate", ["relu_vs_tanh", *given])
    asked = {name: context.params[name] for name in ("seeds", "only_seeds")}
    request = StudyRequest("relu_vs_tanh", None, precision="auto", smoke=False, **asked)

    assert request.seeds_of(chosen(plan_of())) == seeds


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--seeds", "6-4"], "'6-4' names no seeds; write 4-6 or 4,7, or how many"),
        (["--seeds", "4,"], "'4,' names no seeds"),
        (["--seeds", "4-6-8"], "'4-6-8' names no seeds"),
        (["--seeds", "-1"], "-1 is not in the range"),
        (["--seeds", "998-1000"], "1000 is not a seed; use whole numbers from 0 to 999"),
        (["--only-seeds", "four"], "'four' names no seeds; write 4, 4-6 or 4,7, or none"),
        (["--only-seeds", "4,4-5"], "seeds 4, 4, 5 name one twice; name each once"),
        (["--only-seeds", "9-10"], "0-9 are the planned seeds of relu_vs_tanh on fashion_mini, "
                                   "and 10 is none of them"),
        (["--seeds", "12-14", "--only-seeds", "11"], "0-9, 12-14 are the planned seeds"),
        (["--study", "all", "--only-seeds", "10"], "0-9 are the planned seeds of the studies on"),
        (["--study", "all", "--smoke", "--only-seeds", "1"], "leave out --seeds, --only-seeds"),
    ],
)  # fmt: skip
def test_seeds_that_cannot_be_are_refused(given: list[str], said: str, tmp_path: Path) -> None:
    """In a sentence, before anything is trained."""
    study = [] if "--study" in given else ["--study", "relu_vs_tanh"]
    code, output = call("ablate", *study, *given, "--results", tmp_path / "results")

    assert code == 2
    assert said in output
    assert not (tmp_path / "results").exists()


def test_on_other_images_the_planned_seeds_are_others() -> None:
    """On CIFAR-10 they begin with 10."""
    first = STUDIES["relu_vs_tanh"].bases["cifar10"].first_seed
    request = StudyRequest("relu_vs_tanh", "cifar10", None, "auto", False, only_seeds=(4,))

    assert first == 10
    with pytest.raises(RequestError, match="10-19 are the planned seeds of it, and 4 is none"):
        refuse_unplanned(request, range(first, first + 10), "it")
    assert in_ranges((4, 6, 5, 9)) == "4-6, 9"
