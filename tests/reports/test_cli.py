"""The commands as people meet them: results, refusals, interruptions."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from ablations.record import Record
from ablations.store import Store
from ablations.workers.processes import LocalWorkers
from alexnet.data.catalogue import CATALOGUE
from reports.cli import main
from reports.commands.console import as_typed
from tests.builders.command_line import call
from tests.builders.plans import filled, resealed
from tests.builders.sources import picture
from tests.builders.studies import example, examples

ROOT = Path(__file__).parents[2]
SMOKE = ["ablate", "--study", "relu_vs_tanh", "--smoke"]
ONE = ["--workers", "1"]
"""Where several are not what is tested: each takes seconds to import PyTorch."""


def start(results: Path, *arguments: str) -> subprocess.Popen[str]:
    """Start a command as a process of its own, in its own group."""
    # Started in the background of a script, the tests ignore Ctrl-C, and what they start would too.
    heeds = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    code = f"{heeds}; from reports.cli import main; main()"
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments, "--results", str(results)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


@pytest.fixture(scope="module")
def smoked(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Return a results folder after one smoke ablation, and what it printed."""
    results = tmp_path_factory.mktemp("smoke") / "results"
    with start(results, *SMOKE) as process:
        assert process.stdout is not None
        output = process.stdout.read()
        assert process.wait() == 0, output
    return results, output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["ablate", "--study", "relu_vs_than"], "did you mean relu_vs_tanh?"),
        (["ablate", "--study", "mine.py"], "there is no file mine.py"),
        (["ablate", "--study", "relu_vs_tanh", "--dataset", "fashion"], "mean fashion_mini?"),
        (["ablate", "--study", "relu_vs_tanh", "--seeds", "0"], "0 is not in the range"),
        (["ablate", "--study", "relu_vs_tanh", "--seeds", "many"], "'many' is not a valid integer"),
        (["ablate", "--study", "relu_vs_tanh", "--device", "gpu"], "use auto, cpu, cuda or cuda:N"),
        (["ablate", "--study", "relu_vs_tanh", "--precision", "half"], "'half' is not one of"),
        (["ablate", "--study", "relu_vs_tanh", "--keep-weights", "5"], "'comparison', 'none'"),
        (
            ["ablate", "--study", "relu_vs_tanh", "--dataset", "paper", "--data-dir", "nowhere"],
            "nowhere, 170 MB once; prepare it with: invoke prepare --dataset cifar10",
        ),
        (["prepare", "--dataset", "fashion_mini"], "already prepared"),
        (["prepare", "--dataset", "cifar10_jpeg"], "needs --source"),
        (["prepare", "--dataset", "cifar10_jpeg", "--source", "no.tar"], "no file or folder"),
        (["prepare", "--dataset", "imagenet21k"], "there is no dataset 'imagenet21k'"),
        (["report", "--results", "nothing-here"], "no study has been run in nothing-here"),
    ],
)  # fmt: skip
def test_bad_input_is_refused_in_a_sentence(
    arguments: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit code 2, the value and the way out; no traceback, no worker started."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ALEXNET_DATA", str(tmp_path / "data"))
    monkeypatch.setattr(LocalWorkers, "__init__", lambda *_: pytest.fail("a worker was started"))

    code, output = call(*arguments)

    assert message in output
    assert "Traceback" not in output
    assert code == (0 if message == "already prepared" else 2)


def test_a_network_larger_than_the_images_is_refused(tmp_path: Path) -> None:
    """Before anything starts, with both sizes."""
    study = (tmp_path / "large.py").resolve()
    study.write_text(
        "from ablations.study import *\n"
        "from alexnet.presets import paper\n"
        "STUDY = Study(name='large', question='?', arms={'a': {}, 'b': {'inputs': {'flips': "
        "False}}}, contrasts=(Contrast(arm='b', against='a', direction='higher', margin=0.01),), "
        "bases={'fashion_mini': Base(config=paper(), metric=FinalError(), rates=(0.01,))})\n"
    )

    code, output = call("ablate", "--study", study, "--results", tmp_path / "results")

    assert code == 2
    assert "a on fashion_mini: the network sees 224 x 224 pixels, and the images have 32" in output


def test_a_results_folder_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    """Before anything is trained; here a file stands in its place."""
    (tmp_path / "file").write_text("")

    code, output = call(*SMOKE, "--results", tmp_path / "file" / "results")

    assert code == 2
    assert "cannot write to the results folder" in output


def test_a_smoke_run_goes_from_nothing_to_a_figure(smoked: tuple[Path, str]) -> None:
    """Tuning of two rates, two seeds of two arms, no verdict, and the way to the claim."""
    results, output = smoked
    store = Store(results)
    plan = store.plans()[0]

    assert plan.definition.smoke
    assert plan.choices.keys() == {"tanh", "relu"}
    assert len(store.records()) == 2 * 2 * 2 + 2 * 2
    assert all(record.measures for record in store.records())
    assert (results / "relu_vs_tanh@generated.smoke.png").stat().st_size > 10_000
    assert "SMOKE RUN" in output
    assert "stays open" in output
    assert "invoke prepare --dataset cifar10 ablate --study relu_vs_tanh" in output
    assert "smoke run: no verdict" in output


def test_tuning_runs_never_saw_the_test_images(smoked: tuple[Path, str]) -> None:
    """Comparison runs did, once."""
    for record in Store(smoked[0]).records():
        assert record.measures is not None
        assert (record.measures.test is None) == (record.run.seed >= 1000)


def test_a_second_call_has_nothing_to_do_and_starts_no_worker(
    smoked: tuple[Path, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It prints the same table."""
    monkeypatch.setattr(LocalWorkers, "__init__", lambda *_: pytest.fail("a worker was started"))

    code, output = call(*SMOKE, "--results", smoked[0])

    assert code == 0
    assert "nothing to do 4 of 4 runs here" in output


def test_the_report_is_one_page_that_needs_nothing_else(smoked: tuple[Path, str]) -> None:
    """Nothing is fetched: neither by a tag nor by the script, which knows no way to."""
    code, _ = call("report", "--results", smoked[0])
    out = smoked[0] / "report"
    page = (out / "index.html").read_text()
    names = {str(path.relative_to(out)) for path in out.rglob("*") if path.is_file()}
    stem = "relu_vs_tanh@generated.smoke"
    figures = ("figure2", stem, f"{stem}.tuning")
    tables = (stem, f"{stem}.contrasts", "ledger", "table1", "table2")

    assert code == 0
    assert not re.findall(r'(?:src|href)="(?!report\.json|#)[^"]*"', page.replace("xlink:", "x-"))
    assert not re.search(r"fetch\(|XMLHttpRequest|import\(|@import|url\((?!#)", page)
    assert page.count("<svg") == len(figures)
    assert names == {
        "index.html", "report.json",
        *(f"figures/{name}.{kind}" for name in figures for kind in ("svg", "png")),
        *(f"tables/{name}.{kind}" for name in tables for kind in ("md", "csv", "tex")),
        "tables/runs.csv", "tables/effects.csv",
    }  # fmt: skip
    content = json.loads((out / "report.json").read_text())
    assert content["studies"][stem]["comparison"]["smoke"]


def test_the_same_records_give_the_same_bytes(smoked: tuple[Path, str]) -> None:
    """So that two reports can be compared."""
    folder = smoked[0] / "report"
    versions = []
    for _ in range(2):
        call("report", "--results", smoked[0])
        files = (path for path in sorted(folder.rglob("*")) if path.is_file())
        versions.append({path.name: path.read_bytes() for path in files})

    assert versions[0] == versions[1]


def test_killed_anywhere_it_ends_with_the_same_weights(
    smoked: tuple[Path, str], tmp_path: Path
) -> None:
    """Killed with all its workers, three times, at whatever it was doing; then left alone."""
    for seconds in (0.5, 2.0, 4.0):
        process = start(tmp_path, *SMOKE)
        assert process.stdout is not None
        assert any(line.startswith("time") for line in process.stdout)  # then it trains
        time.sleep(seconds)
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    with start(tmp_path, *SMOKE) as process:
        output = process.communicate()[0]
        assert process.returncode == 0, output
    whole, killed = Store(smoked[0]), Store(tmp_path)

    assert [r.run for r in killed.records()] == [r.run for r in whole.records()]
    for record in whole.records():
        other = killed.find(record.run)
        assert other is not None
        assert other.files == record.files  # digests of weights and scores
        assert [e.errors for e in other.curve] == [e.errors for e in record.curve]
    assert not list(tmp_path.glob("runs/*/checkpoint.safetensors"))


@pytest.mark.parametrize(
    ("how", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 4), (signal.SIGUSR1, 4)]
)
def test_ctrl_c_says_that_nothing_is_lost(tmp_path: Path, how: signal.Signals, code: int) -> None:
    """One line, no traceback; what a cluster's scheduler sends is its time limit."""
    process = start(tmp_path, *SMOKE)
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line)
        if line.startswith("time"):
            break
    time.sleep(2)
    process.send_signal(how)
    rest = process.communicate()[0]

    assert process.returncode == code, rest
    assert code == 130 or f"{how.name} came" in rest
    assert "only what runs did since their last checkpoint is lost" in rest
    assert "Traceback" not in rest


def test_a_run_that_fails_stops_no_other(smoked: tuple[Path, str], tmp_path: Path) -> None:
    """A folder lies where one run's weights would: that run fails with a sentence."""
    some = next(r for r in Store(smoked[0]).records() if r.run.seed == 1)
    folder = tmp_path / "runs" / some.run.short
    (folder / "weights.safetensors" / "in the way").mkdir(parents=True)

    with start(tmp_path, *SMOKE) as process:
        output = process.communicate()[0]

    assert process.returncode == 1
    assert "IsADirectoryError" in output
    assert len(Store(tmp_path).records()) == len(Store(smoked[0]).records()) - 1
    assert len(list(folder.glob("failure-*.json"))) == 1


def test_a_dry_run_writes_nothing(tmp_path: Path) -> None:
    """It says what would be done and how long it should take."""
    with start(tmp_path / "results", *SMOKE, *ONE, "--dry-run") as process:
        output = process.communicate()[0]

    assert process.returncode == 0, output
    assert "2 arms x 2 seeds = 4 runs" in output
    assert re.search(r"time +about \d+", output)
    assert re.search(r"disk +about \d+ MB", output)
    listed = r"^[0-9a-f]{12} +(relu|tanh), rate 0.003, seed 100[01]$"
    assert len(re.findall(listed, output, re.M)) == 4
    assert "the ids after these depend on what these will show" in output
    assert not (tmp_path / "results").exists()


def test_an_edited_record_is_named_and_trained_again(
    smoked: tuple[Path, str], tmp_path: Path
) -> None:
    """The file stays until the new record takes its place."""
    shutil.copytree(smoked[0], tmp_path / "results")
    record = next(r for r in Store(smoked[0]).records() if r.run.seed == 0)
    path = tmp_path / "results" / "runs" / record.run.short / "record.json"
    path.write_text(path.read_text().replace('"status": "finished"', '"status": "diverged"'))

    with start(tmp_path / "results", *SMOKE, *ONE) as process:
        output = process.communicate()[0]

    assert process.returncode == 0, output
    assert "was edited after it was written" in output
    assert Record.read(path).status == "finished"


def test_a_plan_of_another_definition_is_refused(results: Path) -> None:
    """Three seeds of made-up images are not what the study says of these."""
    filled(results, 3, tanh=[0.6, 0.1], relu=[0.4, 0.0])

    code, output = call("ablate", "--study", "relu_vs_tanh", "--results", results)

    assert code == 2
    assert "was registered with dataset.digest" in output


def test_a_study_that_is_not_in_the_folder_is_refused(smoked: tuple[Path, str]) -> None:
    """Rather than a page that says nothing."""
    code, output = call("report", "--study", "lrn", "--results", smoked[0])

    assert code == 2
    assert "lrn has not been run in" in output
    assert "there is relu_vs_tanh" in output


def test_a_damaged_dataset_is_refused_and_prepared_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One bit of the training images: a sentence, exit code 2, no worker left hanging."""
    any_number = CATALOGUE["cifar10_jpeg"].model_copy(update={"published": {}})
    monkeypatch.setitem(CATALOGUE, "cifar10_jpeg", any_number)
    source = tmp_path / "pictures"
    for number in range(200):
        part = "train" if number < 150 else "test"
        path = source / part / str(number % 10) / f"{number}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(picture(number))
    prepare = ["prepare", "--dataset", "cifar10_jpeg", "--source", source, "--data-dir", tmp_path]
    assert call(*prepare)[0] == 0
    images = tmp_path / "cifar10_jpeg" / "train_images-0001-of-0001.npy"
    good = images.read_bytes()
    images.write_bytes(good[:-1] + bytes([good[-1] ^ 1]))
    ablate = [*SMOKE, "--dataset", "cifar10_jpeg", "--data-dir", str(tmp_path)]

    with start(tmp_path / "results", *ablate) as process:
        output = process.communicate(timeout=60)[0]
    again = call(*prepare)

    assert process.returncode == 2, output
    assert (
        "train_images-0001-of-0001.npy is damaged or missing; prepare cifar10_jpeg again" in output
    )
    assert "already prepared" not in again[1]
    assert images.read_bytes() == good
    assert "already prepared" in call(*prepare)[1]


def test_the_console_script_speaks_of_itself(tmp_path: Path) -> None:
    """Who installed a wheel has no `invoke` tasks, and click knows no chains."""
    arguments = ["report", "--results", str(tmp_path)]
    told = CliRunner().invoke(main, arguments, prog_name="alexnet-ablations").output

    assert "alexnet-ablations ablate --study relu_vs_tanh" in told
    assert "invoke" not in told
    shown = CliRunner().invoke(main, ["presets"], prog_name="alexnet-ablations").output
    assert shown.endswith("alexnet-ablations presets --name paper\n")
    with click.Context(main, info_name="alexnet-ablations"):
        chain = as_typed("invoke prepare --dataset cifar10 ablate --study s")
        for command in main.commands:
            assert as_typed(f"invoke {command} x") == f"alexnet-ablations {command} x"
    assert chain == (
        "alexnet-ablations prepare --dataset cifar10 && alexnet-ablations ablate --study s"
    )


def test_a_device_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """With the way out, whatever PyTorch would have said."""
    with start(tmp_path, *SMOKE, "--device", "cuda:7") as process:
        output = process.communicate(timeout=60)[0]

    assert process.returncode == 2
    assert "use --device cpu" in output
    assert "Traceback" not in output


def test_the_console_script_passes_exit_codes_on(
    smoked: tuple[Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the mode that a shell meets: a failed study is 1, an interruption 130."""
    for code in (0, 1, 130):
        monkeypatch.setattr("reports.commands.ablate.run", lambda *_, code=code: code)
        with pytest.raises(SystemExit) as ended:
            main(["ablate", "--study", "relu_vs_tanh", "--results", str(tmp_path)])

        assert ended.value.code == code


def test_invoke_passes_exit_codes_on(tmp_path: Path) -> None:
    """A refused task ends the chain with code 2, and what follows is not started."""
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    command = ["invoke", "ablate", "--study", "nope", "report", "--results", str(tmp_path)]
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )

    assert done.returncode == 2
    assert "there is no study 'nope'" in done.stderr
    assert "no study has been run" not in done.stderr


def test_every_command_and_option_has_help() -> None:
    """Nobody should have to read the source."""
    for name, command in main.commands.items():
        assert command.help, name
        options = [one for one in command.params if isinstance(one, click.Option)]
        for parameter in options:  # what may be given by its place is one of them
            assert getattr(parameter, "help", None), (name, parameter.name)


def own_study(folder: Path) -> Path:
    """Return the file of the study that docs/own-study.md shows, cut down to two seconds a run."""
    path = folder / "average_pooling.py"
    path.write_text(
        example()
        .replace("cifar_80sec", "tiny")
        .replace("(0.0003, 0.001, 0.003)", "(0.001,)")
        .replace('{"epochs": 6}', '{"epochs": 1, "images": 1280}')
    )
    return path


def test_a_study_of_ones_own_runs_from_its_file(tmp_path: Path) -> None:
    """Registered, tuned, run, judged by its own prediction, and reported without its file."""
    results, path = tmp_path / "results", own_study(tmp_path)

    with start(results, "ablate", "--study", str(path), *ONE) as process:
        output = process.communicate(timeout=300)[0]
    path.unlink()
    code, reported = call("report", "--results", results)
    page = (results / "report" / "index.html").read_text()
    plan = Store(results).plans()[0]

    assert process.returncode == 0, output
    assert re.search(r"ANSWER +(same way|other way|no effect|open)", output)
    assert "PRACTICE DATA" not in output
    assert "invoke ablate --study average_pooling.py" in plan.registered.command
    assert str(tmp_path) not in plan.to_json()
    assert code == 0, reported
    assert "Does averaging in conv1 raise the error?" in page
    assert "average against maximum" in page


def test_the_part_of_ones_own_that_the_page_shows_is_compared_with_relu(tmp_path: Path) -> None:
    """Both files as they stand there, in a folder of their own; cut down, smoked, run, reported."""
    pages, folder = examples(), tmp_path / "empty"
    folder.mkdir()
    (folder / "squareplus.py").write_text(pages["squareplus.py"])
    (folder / "round_corner.py").write_text(
        pages["round_corner.py"]
        .replace("cifar_80sec", "tiny")
        .replace("(0.0003, 0.001, 0.003)", "(0.001,)")
        .replace('{"epochs": 6}', '{"epochs": 1, "images": 1280}')
    )

    for more in (["--smoke", *ONE], ["--workers", "2"]):
        command = ("ablate", "--study", str(folder / "round_corner.py"), *more)
        with start(tmp_path / "results", *command) as process:
            output = process.communicate(timeout=300)[0]
        assert process.returncode == 0, output
    (folder / "squareplus.py").unlink()
    code, reported = call("report", "--results", tmp_path / "results")
    store = Store(tmp_path / "results")
    page = (store.path / "report" / "index.html").read_text()

    assert re.search(r"ANSWER +(same way|other way|no effect|open)", output)
    assert code == 0, reported
    assert "squareplus:Squareplus(b=0.1), file " in page
    trained = {
        part.target for record in store.records() for part in record.run.config.network.own_parts
    }
    assert trained == {"squareplus:Squareplus"}


def test_fewer_seeds_than_planned_are_a_first_part_of_the_plan(tmp_path: Path) -> None:
    """One of ten: the plan has ten, the output says so, and no verdict is given."""
    path = own_study(tmp_path)

    one = ("ablate", "--study", str(path), "--seeds", "1", *ONE)
    with start(tmp_path / "results", *one) as process:
        output = process.communicate(timeout=300)[0]
    plan = Store(tmp_path / "results").plans()[0]

    assert process.returncode == 0, output
    assert plan.definition.seeds == tuple(range(10))
    assert "of 10 planned seeds; no verdict before all of them" in output
    assert "incomplete, 2 of 20 runs" in output


def test_a_study_file_that_raises_is_a_sentence_or_on_demand_a_traceback(tmp_path: Path) -> None:
    """With the file's own line in it."""
    path = tmp_path / "mine.py"
    path.write_text("def arms():\n    return {}['relu']\n\nSTUDY = arms()\n")
    command = [sys.executable, "-c", "from reports.cli import main; main()"]
    command += ["ablate", "--study", str(path)]

    short = subprocess.run(command, capture_output=True, text=True, check=False)
    long = subprocess.run([*command, "--traceback"], capture_output=True, text=True, check=False)

    assert (short.returncode, long.returncode) == (2, 2)
    assert "mine.py, line 2: KeyError: 'relu'" in short.stderr
    assert "Traceback" not in short.stderr
    assert "return {}['relu']" in long.stderr


def test_a_page_of_one_study_keeps_the_ledger_of_all(results: Path) -> None:
    """What another study in the folder has found is not unfound."""
    filled(results, 3, tanh=[0.6, 0.1], relu=[0.4, 0.0])
    path = results / "plans" / "relu_vs_tanh@fashion_mini.json"
    text = path.read_text().replace('"study": "relu_vs_tanh"', '"study": "another"')
    other = resealed(json.loads(text.replace('"C09"', "null")))
    path.with_name("another@fashion_mini.json").write_bytes(other)

    assert call("report", "--study", "another", "--results", results)[0] == 0
    content = json.loads((results / "report" / "report.json").read_text())

    assert list(content["studies"]) == ["another@fashion_mini"]
    (c09,) = [row for row in content["ledger"] if row["claim"]["id"] == "C09"]
    assert len(c09["elsewhere"]) == 1


def test_a_second_look_is_kept_though_nothing_is_left_to_train(
    smoked: tuple[Path, str], tmp_path: Path
) -> None:
    """Its runs were there already, trained for another study or merged from another machine."""
    shutil.copytree(smoked[0], tmp_path / "results")
    store = Store(tmp_path / "results")
    plan = store.plans()[0]
    for arm in plan.definition.arms:
        first = store.find(plan.run(arm, 0))
        assert first is not None
        store.add(first.model_copy(update={"run": plan.run(arm, 2)}))

    code, output = call(*SMOKE, "--seeds", "3", "--results", tmp_path / "results")

    assert code == 0
    assert "nothing to do" in output
    assert [look.seeds for look in Store(tmp_path / "results").plans()[0].second_looks] == [(2,)]


def test_the_list_of_datasets_says_what_is_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those of the catalogue and one's own, with their sizes as they are here."""
    monkeypatch.setenv("COLUMNS", "160")
    for number in range(40):
        path = tmp_path / "pets" / ("cat", "dog")[number % 2] / f"{number}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(picture(number))
    place = ["--data-dir", str(tmp_path / "data")]

    planned = call(
        "prepare", "--dataset", "pets", "--source", tmp_path / "pets", "--dry-run", *place
    )
    made = call("prepare", "--dataset", "pets", "--source", tmp_path / "pets", *place)
    listed = call("datasets", *place)[1]
    one = call("datasets", "--name", "pets", *place)[1]

    assert "found 40 images of 2 classes, a folder per class" in planned[1]
    assert "written to" not in planned[1]
    assert "28 train, 4 valid, 8 test; 2 classes, colour" in made[1]
    assert re.search(r"pets 40 images of your own 40 32 1 MB", listed)
    assert re.search(r"imagenet ILSVRC-2012.* 1,331,167 256 -", listed)
    assert "suits the preset alexnet_cifar" in one
    assert call("datasets", "--name", "pet")[0] == 2
