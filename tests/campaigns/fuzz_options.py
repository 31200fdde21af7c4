"""Odd values for every option of every command."""

import os
import random
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

from cases import Hung, limited, place_of, results_of
from click.testing import CliRunner
from common import Counts, Place

from ablations.kept import KEEP
from ablations.studies import STUDIES
from ablations.workers.protocol import WorkerError
from alexnet.data.catalogue import CATALOGUE
from alexnet.presets import PRESETS
from reports.cli import main as command_line
from reports.commands import ablate, verify
from reports.commands.ablate import all_studies
from reports.smoke import trainings

NUMBERS = ("0", "-1", "1", "2", "1000", "1001", "9" * 20, "1e3", "nan", "inf", "0x10", "٣", "1_0",
           " 5", "+3", "1.5", "²", "", "None", "1e400", "1,5")  # fmt: skip
SEEDS = ("4-6", "6-4", "4,7", "4,", ",", "-", "0-999", "0-9999", "4-4", "4,4", "4--6", "-4",
         "1-2-3", "none", "none,4", "٣-٤", "4 - 6", "4;7", "²-³", "9" * 9 + "-4",
         "0," * 500)  # fmt: skip
TIMES = ("5m", "0s", "-5m", "1e9h", "9" * 23 + "s", "nan", "infm", "5 m", "٣m", "5M", "5mm", "",
         "0.0000001s", "1e-300s", "m", "5m5s", "1" * 400 + "h")  # fmt: skip
TEXTS = ("", " ", "-", "--", "..", ".", "/", "//", "../..", "/etc/passwd", "/dev/null", "/dev/zero",
         "/dev/full", "/proc/self/mem", "~", "~nobody-of-that-name/x", "; touch injected",
         "$(touch injected)",
         "<script>alert(1)</script>", "{{7*7}}", "%s%n", "A" * 255, "A" * 256, "A" * 5000, "😀",
         "\ud800", "e\u0301", "\x1b[31mred", "\n", "a\nb", "\t", "\x07", "a\0b", "CON", "nul.txt",
         "all", "paper", "shipped", "None", "x.partial", ".x", "-x", "x@y", "x/y", "x\\y", "[b]x",
         "[/]", "http://localhost:1/x", "file:///etc/passwd", "hub", "official", "x.py", "circle",
         "pipe", "folder", "empty", "link", "deep", "\udcff\udcfe", "two words")  # fmt: skip
SCRIPTS = {
    "bad.py": "STUDY = 1/0", "exit.py": "import sys; sys.exit(3)", "keys.py": "raise KeyError",
    "recursive.py": "def f(): return f()\nf()", "none.py": "STUDY = None", "nul.py": "STUDY = '\0'",
    "nested.py": "STUDY = " + "(" * 300 + ")" * 300,
    "base.py": "class E(BaseException): pass\nraise E('odd')",
    "text.py": "class E(Exception):\n    def __str__(self): raise ValueError('no')\nraise E",
}  # fmt: skip


def options(place: Place, counts: Counts, cases: int, chance: random.Random) -> None:
    """Call every command with odd values; whatever passes all checks ends where workers start."""
    box = place.folder / "inside" / "box"
    box.mkdir(parents=True)
    for name, text in SCRIPTS.items():
        (box / name).write_text(text)
    (box / "latin.py").write_bytes(b"STUDY = '\xe9'")
    (box / "folder").mkdir()
    (box / "empty").write_bytes(b"")
    (box / "circle").symlink_to("circle")
    (box / "link").symlink_to("folder")
    os.mkfifo(box / "pipe")
    (box / "deep").joinpath(*["d"] * 40).mkdir(parents=True)
    (box / "none.json").write_text("null")
    shutil.copytree(results_of(place), box / "results")
    before = Path.cwd()
    os.chdir(box)

    def stop(*_: object, **__: object) -> None:
        raise WorkerError("here workers would start")

    for module in (ablate, all_studies, trainings, verify):
        module.LocalWorkers = stop  # type: ignore[attr-defined]
    try:
        for number in range(cases):
            given = _call(place, chance)
            kind = f"options: {given[0]}"
            try:
                with limited():
                    result = CliRunner().invoke(command_line, given)
            except Hung:
                counts.add(kind, "BAD", f"case {number} hangs: {_shown(given)}")
                continue
            error = result.exception
            if error is not None and not isinstance(error, SystemExit):
                counts.add(kind, "BAD", f"{place_of(error)}: {_shown(given)}")
            elif "Traceback (most" in result.output and "--traceback" not in given:
                counts.add(kind, "BAD", f"a traceback was printed: {_shown(given)}")
            elif result.exit_code == 2 and len(result.output.strip()) < 12:
                counts.add(kind, "BAD", f"exit code 2 without a sentence: {_shown(given)}")
            else:
                counts.add(kind, f"exit {result.exit_code}")
            beside = {path.name for path in box.parent.iterdir()} - {"box"}
            if beside or (box / "injected").exists():
                what = ", ".join(sorted(beside)) or "injected"
                counts.wrong(kind, f"{what} was written: {_shown(given)}")
                (box / "injected").unlink(missing_ok=True)
    finally:
        os.chdir(before)


def _shown(given: list[str]) -> str:
    return " ".join(repr(word[:60]) for word in given)


def _call(place: Place, chance: random.Random) -> list[str]:
    """Return a command with some options, some of them odd."""

    def text(*good: str) -> str:
        pick = chance.random()
        if good and pick < 0.5:
            return chance.choice(good)
        if good and pick < 0.6:
            word = chance.choice(good)
            at = chance.randrange(len(word) + 1)
            return word[:at] + chance.choice(TEXTS) + word[at:]
        return chance.choice(TEXTS)

    def number() -> str:
        return chance.choice(NUMBERS)

    def seeds() -> str:
        return chance.choice((*NUMBERS, *SEEDS))

    studies = (*STUDIES, str(place.study), "all", *SCRIPTS, "latin.py")
    datasets = (*CATALOGUE, "noise", "generated")
    data, results = partial(text, str(place.data)), partial(text, "results", "folder")
    known: dict[str, dict[str, Callable[[], str] | None]] = {
        "ablate": {
            "--study": partial(text, *studies), "--dataset": partial(text, *datasets),
            "--seeds": seeds, "--only-seeds": seeds, "--epochs": number, "--workers": number,
            "--device": partial(text, "auto", "cpu"), "--gpus": partial(text, "all", "0,2"),
            "--per-gpu": number, "--devices": number,
             "--tower-devices": partial(text, "cpu,cpu", "cuda:0,cuda:1"),
             "--precision": partial(text, "auto", "float32"),
            "--reason": text, "--junit": text,
            "--baseline": partial(text, "shipped", "none.json"), "--results": results,
            "--time-limit": lambda: chance.choice(TIMES), "--data-dir": data, "--smoke": None,
            "--dry-run": None, "--update-baseline": None, "--toggle": partial(text, "lrn,dropout"),
            "--keep-weights": partial(text, *KEEP), "--requeue": None,
            "--shard": partial(text, "1/2", "2/2", "0/2", "3/2", "1/0"),
            "--locks": partial(text, "auto", "system", "lease"),
             "--cluster": partial(text, "ray:127.0.0.1:1"),
        },
        "report": {"--study": partial(text, "seconds"), "--out": partial(text, "out"),
                   "--results": results},
        "export": {"--to": partial(text, "tensorboard", "mlflow", "wandb"), "--results": results,
                   "--study": partial(text, "seconds"), "--out": partial(text, "out"),
                   "--uri": text, "--dry-run": None},
        "verify": {"--results": results, "--run": text, "--sample": number, "--workers": number,
                   "--device": partial(text, "auto", "cpu"), "--gpus": partial(text, "all", "0,2"),
                   "--per-gpu": number, "--dry-run": None, "--data-dir": data,
                   "--time-limit": lambda: chance.choice(TIMES), "--trust": None},
        "results": {"--results": results, "--prune": None},
        "compare": {"--before": partial(text, "results", "results/report/report.json"),
                    "--after": partial(text, "results"), "--fail-on-change": None},
        "studies": {"--name": partial(text, *studies), "--results": results},
        "presets": {"--name": partial(text, *PRESETS)},
        "datasets": {"--name": partial(text, *datasets), "--data-dir": data},
        "prepare": {
            "--dataset": partial(text, *datasets), "--source": partial(text, str(place.source)),
            "--resize": partial(text, "centre", "stretch"), "--size": number, "--workers": number,
            "--class-folder": partial(text, "outer", "inner"), "--no-mirror": None,
            "--allow-missing": None, "--data-dir": partial(text, "data"),
        },
    }  # fmt: skip
    command = chance.choices([*known], weights=[6, 1, 1, 2, 1, 1, 2, 1, 2, 3])[0]
    given = [command]
    for option, value in known[command].items():
        often = option in (
            "--study",
            "--dataset",
            "--source",
            "--name",
            "--before",
            "--after",
            "--to",
        )
        if chance.random() < (0.9 if often or option == "--results" else 0.35):
            given += [option] if value is None else [option, value()]
    return [*given, "--dry-run"] if command == "prepare" else given
