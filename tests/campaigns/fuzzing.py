"""Give every door odd things: no traceback, no hang, nothing silently wrong, nothing run.

    python tests/campaigns/fuzzing.py [--cases 20000] [--seed 0] [--kinds KIND,...]

    files      plans, records, checkpoints, manifests, the baseline, verified.json and report.json:
               bytes damaged, JSON edited with its old digest, and edited with a new one
    sources    folders, tars, zips, IDX, pickles and Parquet, damaged or odd
    options    odd values for every option of every command
    names      markup, formulas and control characters in every text that a page shows

A case is bad if it ends in an exception that is none of ours, takes 30 seconds, leaves a file where
none belongs, runs a command, or if a file says something else than was written and is believed.
"""

import argparse
import contextlib
import gzip
import html.parser
import io
import json
import os
import pickle
import random
import re
import resource
import shutil
import signal
import struct
import sys
import tarfile
import tempfile
import time
import traceback
import warnings
import zipfile
from collections.abc import Callable
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import common
import mutations
import numpy as np
import pandas as pd
from click.testing import CliRunner
from common import Counts, Place
from mutations import as_json, damaged, edited, leaves, nested, put
from PIL import Image

import reports.ablate
import reports.all_studies
import reports.smoke_runs
import reports.verify
from ablations.checkpoint import Checkpoint, CheckpointError
from ablations.messages import WorkerError
from ablations.plan import Plan, PlanError
from ablations.record import Record, RecordError
from ablations.store import Store
from ablations.studies import STUDIES
from alexnet.data.catalogue import CATALOGUE
from alexnet.data.manifest import DatasetError, Manifest
from alexnet.data.order import Order
from alexnet.data.preparation import prepare
from alexnet.data.stored import stored
from alexnet.presets import PRESETS
from alexnet.sealed import seal_of
from reports import document, run_study
from reports.baseline import Baseline, BaselineError
from reports.cli import main as command_line
from reports.page import gather, write_report
from reports.verification import FILE, keep, read_verified, verify

KINDS = ("files", "sources", "options", "names")
LONGEST = 30
"""Seconds that a case may take."""


class Hung(BaseException):
    """A case took too long."""


@contextmanager
def limited() -> Any:
    """Stop what takes too long."""

    def stop(*_: object) -> None:
        raise Hung

    signal.signal(signal.SIGALRM, stop)
    signal.alarm(LONGEST)
    try:
        yield
    finally:
        signal.alarm(0)


def place_of(error: BaseException) -> str:
    """Return an exception and the line of ours that it came through last."""
    ours = [f for f in traceback.extract_tb(error.__traceback__) if "campaigns" not in f.filename]
    last = next((f for f in reversed(ours) if str(common.ROOT) in f.filename), None)
    where = f"{Path(last.filename).name}:{last.lineno}" if last else "nowhere of ours"
    return f"{type(error).__name__} at {where}: {str(error)[:120]!r}"


class Whole:
    """A folder of results, with one of every file of ours."""

    def __init__(self, place: Place) -> None:
        """Train it."""
        self.results, self.data = place.folder / "whole", place.data
        with contextlib.redirect_stdout(io.StringIO()):
            run_study(str(place.study), results=self.results, workers=0, data_dir=place.data)
        store = Store(self.results)
        record = next(one for one in store.records() if one.run.sees_test)
        keep(self.results, verify(record, record, store))
        write_report(store, self.results / "report")
        self.record = record
        self.run_folder = store.folder(record.run)
        self.plan = next((self.results / "plans").glob("*.json"))
        self.checkpoint, self.shapes = _checkpoint(record)


def _checkpoint(record: Record) -> tuple[bytes, Any]:
    import torch

    tensors = {"conv1.weight": torch.arange(24.0).reshape(4, 6), "bias": torch.zeros(3)}
    made = Checkpoint(record.run.id, tensors, record.curve, 0, record.fingerprint)
    return made.to_bytes(), {name: one.shape for name, one in tensors.items()}


def files(place: Place, counts: Counts, cases: int, chance: random.Random) -> None:
    """Damage and edit files of ours; what is believed must be what was written."""
    whole = Whole(place)
    box = place.folder / "box"
    box.mkdir()

    def plan(path: Path) -> Any:
        return Plan.read(path)

    def record(path: Path) -> Any:
        return Record.read(path)

    def checkpoint(path: Path) -> Any:
        found = Checkpoint.read(path, whole.record.run.id, whole.shapes)
        tensors = {name: tensor.tolist() for name, tensor in found.tensors.items()}
        return tensors, list(found.curve), found.interruptions, found.fingerprint

    def manifest(path: Path) -> Any:
        return stored("noise", path.parent.parent)

    def baseline(path: Path) -> Any:
        return Baseline.read(path)

    def report(path: Path) -> Any:
        return document.read(path)

    def verified(path: Path) -> Any:
        found, problems = read_verified(Store(path.parent))
        if problems and "treated as absent" in problems[0]:
            raise document.ReportError(problems[0])
        return found, problems

    targets: dict[str, tuple[Path, str, Callable[[Path], Any], type[Exception]]] = {
        "plan": (whole.plan, f"plans/{whole.plan.name}", plan, PlanError),
        "record": (whole.run_folder / "record.json", "record.json", record, RecordError),
        "manifest": (place.data / "noise" / "manifest.json", "noise/manifest.json", manifest,
                     DatasetError),
        "baseline": (common.ROOT / "reports" / "baseline.json", "baseline.json", baseline,
                     BaselineError),
        "verified": (whole.results / FILE, f"whole/{FILE}", verified, document.ReportError),
        "report.json": (whole.results / "report" / "report.json", "report.json", report,
                        document.ReportError),
    }  # fmt: skip
    shutil.copytree(whole.results / "runs", box / "whole" / "runs")
    originals = {what: source.read_bytes() for what, (source, *_) in targets.items()}
    originals["checkpoint"] = whole.checkpoint
    readers = {what: (name, read, error) for what, (_, name, read, error) in targets.items()}
    readers["checkpoint"] = ("checkpoint.safetensors", checkpoint, CheckpointError)
    truths = {}
    for what, (name, read, _) in readers.items():
        path = box / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(originals[what])
        truths[what] = read(path)
    names = sorted(readers)
    for number in range(cases):
        what = names[number % len(names)]
        name, read, own = readers[what]
        content, sealed_anew = _changed(what, originals[what], chance)
        path = box / name
        path.write_bytes(content)
        try:
            with limited():
                found = read(path)
            if sealed_anew:
                _use(what, found, whole, box)
            wrong = not sealed_anew and found != truths[what]
            counts.add(f"files: {what}", "believed" if content != originals[what] else "unchanged",
                       f"{what} says something else and is believed (case {number})"
                       if wrong else "")  # fmt: skip
        except own:
            counts.add(f"files: {what}", "refused")
        except (Hung, Exception) as error:
            counts.add(f"files: {what}", "BAD", f"case {number}: {place_of(error)}")
        path.write_bytes(originals[what])


def _changed(what: str, content: bytes, chance: random.Random) -> tuple[bytes, bool]:
    """Return a file with a change, and whether its digest was made anew."""
    kind = chance.random()
    if what == "checkpoint" or kind < 0.4:
        for _ in range(chance.choice((1, 1, 1, 3))):
            content = damaged(content, chance)
        return content, False
    if kind < 0.42:
        return nested(chance.choice((100, 10_000, 200_000))), False
    said = json.loads(content)
    changed = edited(said, chance)
    if kind < 0.7 or what == "report.json":
        return as_json(changed), False
    inside = {name: value for name, value in changed.items() if name != "sha256"}
    try:
        return as_json(inside | {"sha256": seal_of(inside)}), True
    except (ValueError, UnicodeEncodeError):
        return as_json(changed), False


def _use(what: str, found: Any, whole: Whole, box: Path) -> None:
    """Let a report be made of what was edited by somebody who made the digest anew."""
    if what == "plan":
        results = box / "used"
        shutil.rmtree(results, ignore_errors=True)
        (results / "plans").mkdir(parents=True)
        (results / "runs").symlink_to(whole.results / "runs")
        (results / "plans" / f"{found.name}.json").write_text(found.to_json())
        gather(Store(results))
    if what == "record":
        results = box / "used"
        shutil.rmtree(results, ignore_errors=True)
        (results / "plans").mkdir(parents=True)
        shutil.copy(whole.plan, results / "plans")
        Store(results).add(found)
        gather(Store(results))


def sources(place: Place, counts: Counts, cases: int, chance: random.Random) -> None:
    """Prepare sources that are damaged or odd."""
    resource.setrlimit(resource.RLIMIT_DATA, (6 * 2**30, resource.RLIM_INFINITY))
    kinds = ["folder", "tar", "targz", "zip", "idx", "pickle", "parquet"]
    folder = place.folder / "case"
    for number in range(cases):
        kind = kinds[number % len(kinds)]
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        source = odd_source(kind, folder, chance)
        order = Order("fuzzed", source, folder / "data", workers=1,
                      allow_missing=chance.random() < 0.5)  # fmt: skip
        try:
            with limited():
                *_, last = prepare(order)
            wrong = "" if isinstance(last, Manifest) else "no manifest"
            counts.add(f"sources: {kind}", "prepared", wrong)
        except DatasetError:
            counts.add(f"sources: {kind}", "refused")
        except (Hung, Exception) as error:
            counts.add(f"sources: {kind}", "BAD", f"case {number}: {place_of(error)}")
        beside = {path.name for path in folder.iterdir()} - {source.name, "data"}
        if beside or RUN.exists():
            counts.wrong(
                f"sources: {kind}", f"case {number} left {sorted(beside)} or ran a command"
            )


RUN = Path(tempfile.gettempdir()) / f"fuzzing-ran-a-command-{os.getpid()}"


class Runs:
    """What runs a command where it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        """Say which."""
        return os.system, (f"touch {RUN}",)


def pictures(kind: str, each: int = 12) -> dict[str, bytes]:
    """Return small images of three classes by their paths."""
    chance, found = np.random.default_rng(3), {}
    for label in range(3):
        for number in range(each):
            out = io.BytesIO()
            pixels = chance.integers(0, 256, (10, 10, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(out, kind)
            found[f"class{label}/{number}.{kind.lower()}"] = out.getvalue()
    return found


PLAIN = pictures("PNG")
MIXED = PLAIN | {
    name: content
    for kind in ("JPEG", "GIF", "TIFF", "BMP", "WEBP")
    for name, content in pictures(kind, 2).items()
}
ODD_NAMES = (
    "../evil.png", "/tmp/evil.png", "a/../../evil.png", "C:\\evil.png", "..\\evil.png", "\x00.png",
    "a\nb/1.png", "\u202egnp/1.png", "<b>/1.png", "$(touch x)/1.png", "A" * 300 + "/1.png", ".",
    "con/1.png", " /1.png", "./1.png", "class0//1.png", "train/1.png", "val/x/1.png", "words.txt",
    "test/x/1.png", "val_annotations.txt", "LOC_val_solution.csv", "x/CLS-LOC/Data/1.png", "..",
    "ILSVRC2012_img_train.tar", "data_batch_1", "train-images-idx3-ubyte", "a.parquet", "a.zip",
    "train.parquet", "\udcff/1.png", "class0/.png", "class0/x.tar", "metadata.parquet", "x.heic",
)  # fmt: skip


def odd_source(kind: str, folder: Path, chance: random.Random) -> Path:
    """Write a source with something odd or damaged in it; return its path."""
    contents = dict(MIXED if chance.random() < 0.3 else PLAIN)
    for _ in range(chance.choice((0, 0, 1, 2))):
        contents[chance.choice(ODD_NAMES)] = chance.choice((b"", b"x", PLAIN["class0/0.png"]))
    source = folder / "source"
    match kind:
        case "folder":
            _odd_folder(source, contents, chance)
            return source
        case "idx":
            _odd_idx(source, chance)
            return source
        case "pickle":
            source.mkdir()
            for name in (*[f"data_batch_{n}" for n in range(1, 6)], "test_batch", "batches.meta"):
                evil = pickle.dumps(Runs())
                (source / name).write_bytes(evil if chance.random() < 0.8 else b"x")
            return source
        case "parquet":
            _odd_parquet(source, chance)
            return source
        case "zip":
            content = _zip(contents, chance)
        case "tar":
            content = _tar(contents, chance, "w")
        case _:
            content = _tar(contents, chance, chance.choice(("w:gz", "w:bz2", "w:xz")))
    if chance.random() < 0.7:
        for _ in range(chance.choice((1, 1, 3))):
            content = damaged(content, chance)
    path = folder / f"source.{kind}"
    path.write_bytes(content)
    return path


def _odd_folder(source: Path, contents: dict[str, bytes], chance: random.Random) -> None:
    for name, content in contents.items():
        if name.startswith(("/", "..")) or ".." in name or "\0" in name or name == ".":
            continue
        if chance.random() < 0.1:
            content = damaged(content, chance)
        try:
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes(content)
        except OSError:
            continue
    odd = chance.random()
    if odd < 0.05:
        os.mkfifo(source / "class0" / "pipe")
    elif odd < 0.1:
        (source / "class0" / "circle").symlink_to(source)
    elif odd < 0.15:
        (source / "class0" / "gone.png").symlink_to("nowhere")
    elif odd < 0.2:
        (source / "class0" / "zero.png").symlink_to("/dev/zero")


def _tar(contents: dict[str, bytes], chance: random.Random, mode: str) -> bytes:
    out = io.BytesIO()
    kinds = (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT)
    with tarfile.open(fileobj=out, mode=mode, format=chance.choice(kinds)) as file:  # type: ignore[call-overload]
        for name, content in contents.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            if chance.random() < 0.004:
                info.type = chance.choice((tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE))
                info.linkname = "/etc/passwd"
            try:
                file.addfile(info, io.BytesIO(content))
            except (ValueError, struct.error):
                continue
    return out.getvalue()


def _zip(contents: dict[str, bytes], chance: random.Random) -> bytes:
    out = io.BytesIO()
    method = chance.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))
    with zipfile.ZipFile(out, "w", method) as file:
        for name, content in contents.items():
            try:
                file.writestr(name, content)
            except (ValueError, IndexError):
                continue
    return out.getvalue()


def _odd_idx(source: Path, chance: random.Random) -> None:
    source.mkdir()
    numbers = np.random.default_rng(1)
    for prefix, count in (("train", 60), ("t10k", 30)):
        arrays = {
            "images-idx3": numbers.integers(0, 256, (count, 8, 8), dtype=np.uint8),
            "labels-idx1": (np.arange(count) % 3).astype(np.uint8),
        }
        for kind, array in arrays.items():
            head = b"\0\0\x08" + bytes([array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
            content, name = head + array.tobytes(), f"{prefix}-{kind}-ubyte"
            if chance.random() < 0.12:
                content = damaged(content, chance)
            if chance.random() < 0.1:
                sizes = [chance.choice((0, 1, 8, 2**31, 2**32 - 1)) for _ in range(3)]
                dimensions = bytes([chance.choice((0, 1, 2, 3, 4, 200, 255))])
                content = b"\0\0\x08" + dimensions + struct.pack(">3I", *sizes) + content[16:]
            if chance.random() < 0.3:
                content, name = gzip.compress(content), f"{name}.gz"
                if chance.random() < 0.2:
                    content = damaged(content, chance)
            if chance.random() > 0.02:
                (source / name).write_bytes(content)


def _odd_parquet(source: Path, chance: random.Random) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    source.mkdir()
    some = list(PLAIN.values())
    odd = chance.choice((None, None, "label", "image", "schema", "about", "names"))
    labels: list[Any] = [number % 3 for number in range(36)]
    column: Any = [{"bytes": some[n], "path": chance.choice((f"{n}.png", None, "../x"))}
                   for n in range(36)]  # fmt: skip
    if odd == "label":
        labels = [chance.choice((-1, 0, 1, 2, 2**62, None)) for _ in labels]
    if odd == "image":
        column = [chance.choice(({"bytes": None, "path": "x"}, {"bytes": b"", "path": ""}, None, c))
                  for c in column]  # fmt: skip
    if odd == "schema":
        column = chance.choice(([1] * 36, ["x"] * 36, [[1]] * 36, some[:36], [{"b": 1}] * 36))
    names: Any = ["a", "b", "<b>"]
    if odd == "names":
        names = chance.choice(([1, 2, 3], None, "abc", {"a": 1}, [None] * 3, [["a"]] * 3, [],
                               ["a"], ["", "b", "c"], ["../x", "b", "c"], 7))  # fmt: skip
    about: Any = {"info": {"features": {"label": {"names": names}}}}
    if odd == "about":
        about = chance.choice(([], None, 1, "x", {"info": None}, {"info": []}, {"info": 3},
                               {"info": {"features": None}}, {"info": {"features": []}},
                               {"info": {"features": {"label": []}}}))  # fmt: skip
    table = pa.table({chance.choice(("image", "image", "img", "x")): column, "label": labels})
    kept = as_json(about) if chance.random() < 0.9 else b"\xff{"
    table = table.replace_schema_metadata({b"huggingface": kept})
    for part in ("train", "test"):
        path = source / f"{part}-0.parquet"
        pq.write_table(table, path)
        if chance.random() < 0.25:
            path.write_bytes(damaged(path.read_bytes(), chance))


NUMBERS = ("0", "-1", "1", "2", "1000", "1001", "9" * 20, "1e3", "nan", "inf", "0x10", "٣", "1_0",
           " 5", "+3", "1.5", "²", "", "None", "1e400", "1,5")  # fmt: skip
TIMES = ("5m", "0s", "-5m", "1e9h", "9" * 23 + "s", "nan", "infm", "5 m", "٣m", "5M", "5mm", "",
         "0.0000001s", "1e-300s", "m", "5m5s", "1" * 400 + "h")  # fmt: skip
TEXTS = ("", " ", "-", "--", "..", ".", "/", "//", "../..", "/etc/passwd", "/dev/null", "/dev/zero",
         "/dev/full", "/proc/self/mem", "~", "~nobody-of-that-name/x", "; touch x", "$(touch x)",
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
    whole = Whole(place) if not (place.folder / "whole").exists() else None
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
    shutil.copytree(whole.results if whole else place.folder / "whole", box / "results")
    before = Path.cwd()
    os.chdir(box)

    def stop(*_: object, **__: object) -> None:
        raise WorkerError("here workers would start")

    for module in (reports.ablate, reports.all_studies, reports.smoke_runs, reports.verify):
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
            if beside or (box / "x").exists():
                counts.wrong(kind, f"{sorted(beside)} or x was written: {_shown(given)}")
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

    studies = (*STUDIES, str(place.study), "all", *SCRIPTS, "latin.py")
    datasets = (*CATALOGUE, "noise", "generated")
    data, results = partial(text, str(place.data)), partial(text, "results", "folder")
    known: dict[str, dict[str, Callable[[], str] | None]] = {
        "ablate": {
            "--study": partial(text, *studies), "--dataset": partial(text, *datasets),
            "--seeds": number, "--workers": number, "--device": partial(text, "auto", "cpu"),
            "--precision": partial(text, "auto", "float32"), "--reason": text, "--junit": text,
            "--baseline": partial(text, "shipped", "none.json"), "--results": results,
            "--time-limit": lambda: chance.choice(TIMES), "--data-dir": data, "--smoke": None,
            "--dry-run": None, "--update-baseline": None,
        },
        "report": {"--study": partial(text, "seconds"), "--out": partial(text, "out"),
                   "--results": results},
        "verify": {"--results": results, "--run": text, "--sample": number, "--workers": number,
                   "--device": partial(text, "auto", "cpu"), "--dry-run": None, "--data-dir": data,
                   "--time-limit": lambda: chance.choice(TIMES)},
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
    command = chance.choices([*known], weights=[6, 1, 2, 1, 1, 2, 1, 2, 3])[0]
    given = [command]
    for option, value in known[command].items():
        often = option in ("--study", "--dataset", "--source", "--name", "--before", "--after")
        if chance.random() < (0.9 if often or option == "--results" else 0.35):
            given += [option] if value is None else [option, value()]
    return [*given, "--dry-run"] if command == "prepare" else given


PROBES = (
    "<script>alert({n})</script>", '"><img src=x onerror=alert({n})>', "' onmouseover='alert({n})",
    "</title></svg></style><b id=p{n}>", "{{{{7*7}}}}p{n}", "{{% include 'page.html' %}}p{n}",
    "\\input{{/etc/hostname}}p{n}", '=HYPERLINK("http://x",{n})', "+1+p{n}", "@SUM(p{n})",
    "javascript:alert({n})", "a&b<p{n}>", "]]>p{n}<![CDATA[", "|x|y|p{n}", "\x1b[2Jp{n}",
    "\x00p{n}", "\x0bp{n}", "\ufffep{n}", "\ud800p{n}", "\u202ep{n}", "$x^2$p{n}", "%p{n}",
    "&#60;p{n}", "$\\frac{{p{n}", "_p{n}^",
)  # fmt: skip


class Seen(html.parser.HTMLParser):
    """What a page is made of, and what should not be among it."""

    def __init__(self) -> None:
        """Begin with nothing."""
        super().__init__()
        self.wrong: list[str] = []
        self.scripts = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Look at an element."""
        self.scripts += tag == "script"
        for name, value in attrs:
            link = name in ("href", "src", "xlink:href")
            if name.startswith("on") or (link and re.match(r"\s*javascript:", value or "")):
                self.wrong.append(f"<{tag} {name}={value!r}>")
            if name == "id" and re.fullmatch(r"p\d+", value or ""):
                self.wrong.append(f"<{tag} id={value}>")
        if tag in ("iframe", "object") or re.fullmatch(r"p\d+", tag):
            self.wrong.append(f"<{tag}>")


def names(place: Place, counts: Counts, cases: int, chance: random.Random) -> None:
    """Put markup and formulas into every text of a plan, as another's folder could bring it."""
    whole = place.folder / "whole"
    if not whole.exists():
        Whole(place)
    plain = Seen()
    plain.feed((whole / "report" / "index.html").read_text(encoding="utf-8"))
    path = next((whole / "plans").glob("*.json"))
    content = json.loads(path.read_text())
    texts = [where for where in leaves(content) if isinstance(mutations.at(content, where), str)]
    arms = tuple(content["definition"]["arms"])
    for number in range(cases):
        probe = chance.choice(PROBES).format(n=number)
        if chance.random() < 0.3:
            changed = _renamed(content, chance.choice(arms), probe)
            where = "the name of an arm"
        else:
            changed, leaf = json.loads(json.dumps(content)), chance.choice(texts)
            put(changed, leaf, probe)
            where = ".".join(map(str, leaf))
        results = place.folder / "named"
        shutil.rmtree(results, ignore_errors=True)
        (results / "plans").mkdir(parents=True)
        (results / "runs").symlink_to(whole / "runs")
        inside = {name: value for name, value in changed.items() if name != "sha256"}
        try:
            text = as_json(inside | {"sha256": seal_of(inside)})
            (results / "plans" / path.name).write_bytes(text)
            Plan.read(results / "plans" / path.name)
        except (PlanError, UnicodeEncodeError):
            counts.add("names", "refused")
            continue
        try:
            with limited():
                write_report(Store(results), results / "report")
        except (Hung, Exception) as error:
            counts.add("names", "BAD", f"{probe!r} in {where}: {place_of(error)}")
            continue
        wrong = list(_wrong_in(results / "report", plain.scripts))
        counts.add("names", "drawn", f"{probe!r} in {where}: {wrong[:3]}" if wrong else "")


def _renamed(content: dict[str, Any], arm: str, name: str) -> dict[str, Any]:
    text = json.dumps(content).replace(json.dumps(arm), json.dumps(name))
    found: dict[str, Any] = json.loads(text)
    return found


def _wrong_in(report: Path, scripts: int) -> Any:
    """Yield what is wrong with a report's page, figures and tables."""
    page = (report / "index.html").read_text(encoding="utf-8")
    seen = Seen()
    seen.feed(page)
    yield from seen.wrong
    if seen.scripts != scripts:
        yield "a script more"
    if re.search(r"\b49p\d", page):
        yield "a template ran"
    for file in (report / "figures").glob("*.svg"):
        try:
            elements = list(ElementTree.parse(file).iter())
        except ElementTree.ParseError as error:
            yield f"{file.name} is no XML: {error}"
            continue
        for one in elements:
            tag = str(one.tag).rpartition("}")[2]
            if tag in ("script", "img", "foreignObject") or any(
                n.startswith("on") for n in one.attrib
            ):
                yield f"{file.name} has {tag}"
    for file in (report / "tables").glob("*.tex"):
        if re.search(r"(?<!\\textbackslash )\\input\{", file.read_text(encoding="utf-8")):
            yield f"{file.name} has a command of LaTeX"
    for file in (report / "tables").glob("*.csv"):
        for cell in pd.read_csv(file, dtype=str, keep_default_na=False).to_numpy().ravel():
            # A number may begin with a sign; a spreadsheet computes what begins so otherwise.
            if re.match(r"[=@\t\r]|[+-](?![\d.]|$)", cell):
                yield f"{file.name} has the formula {cell[:40]!r}"


def main() -> int:
    """Try; print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, default=20_000, help="in all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kinds", default=",".join(KINDS))
    chosen = parser.parse_args()
    warnings.simplefilter("ignore")
    started, counts = time.monotonic(), Counts()
    # A page takes seconds to draw, and so has fewer turns.
    shares = {"files": 0.6, "sources": 0.2, "options": 0.19, "names": 0.01}
    kinds = chosen.kinds.split(",")
    total = sum(shares[kind] for kind in kinds)
    with tempfile.TemporaryDirectory(prefix="fuzzing-") as name:
        place = Place.in_folder(Path(name))
        for kind in kinds:
            cases = max(1, round(chosen.cases * shares[kind] / total))
            globals()[kind](place, counts, cases, random.Random(f"{chosen.seed} {kind}"))
            print(f"... {kind} after {time.monotonic() - started:.0f} s", flush=True)
    return counts.conclude("cases", started)


if __name__ == "__main__":
    sys.exit(main())
