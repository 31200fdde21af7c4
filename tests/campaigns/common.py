"""What the campaigns share: images, a study of seconds, processes to kill, what must be equal."""

import argparse
import hashlib
import json
import os
import random
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT))

from alexnet.data.prepare.preparation import prepare  # noqa: E402
from alexnet.data.prepare.request import PrepareRequest  # noqa: E402

STUDY = '''"""Two arms, two rates and four seeds of a network that trains in a tenth of a second."""

from ablations.study import Base, Contrast, FinalError, Study
from alexnet.presets import tiny

STUDY = Study(
    name="seconds",
    question="Does a norm help a tiny network?",
    arms={"with": {}, "without": {"network": {"parts": {"norm": None}}}},
    contrasts=(
        Contrast(arm="with", against="without", direction="lower", margin=0.005,
                 margin_reason="half a point would not change what one builds"),
    ),
    bases={
        "noise": Base(
            config=tiny().but(training={"epochs": 4}), metric=FinalError(), rates=(0.001, 0.003),
        )
    },
    seeds=6,
)
'''
EACH, CLASSES, SIDE = 30, 10, 16
MADE_ON_CLOCKS = ("seconds", "interruptions", "fingerprint", "provenance", "sha256")


class Place(NamedTuple):
    """Where a campaign works."""

    folder: Path
    source: Path  # of images
    data: Path  # prepared
    study: Path

    @classmethod
    def in_folder(cls, folder: Path) -> "Place":
        """Make images, prepare them, and write the study."""
        made = cls(folder, folder / "source", folder / "data", folder / "seconds.py")
        made.study.write_text(STUDY)
        chance = np.random.default_rng(7)
        looks = chance.integers(0, 256, (CLASSES, SIDE, SIDE, 3))
        for label in range(CLASSES):
            (made.source / f"class{label}").mkdir(parents=True)
            for number in range(EACH):
                noisy = np.clip(looks[label] + chance.normal(0, 60, (SIDE, SIDE, 3)), 0, 255)
                path = made.source / f"class{label}" / f"{number}.png"
                Image.fromarray(noisy.astype(np.uint8)).save(path)
        list(prepare(PrepareRequest("noise", made.source, made.data, workers=1)))
        return made


class Counts:
    """What was tried, by kind, and what came of it; what is bad is printed at once."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.tried: Counter[str] = Counter()
        self.came: dict[str, Counter[str]] = {}
        self.bad = 0

    def add(self, kind: str, came: str, bad: str = "") -> None:
        """Count one case; ``bad`` says what is wrong, if anything is."""
        self.tried[kind] += 1
        self.came.setdefault(kind, Counter())[came] += 1
        if bad:
            self.wrong(kind, bad)

    def wrong(self, kind: str, what: str) -> None:
        """Count and print something that must not be."""
        self.bad += 1
        print(f"BAD   {kind}: {what}", flush=True)

    def conclude(self, what: str, started: float) -> int:
        """Print all counts; return the exit code."""
        for kind, number in self.tried.items():
            told = ", ".join(f"{came} {count:,}" for came, count in sorted(self.came[kind].items()))
            print(f"{kind:<22} {number:>6,}  {told}")
        total = sum(self.tried.values())
        took = time.monotonic() - started
        print(f"{total:,} {what}, {self.bad} bad, in {took:.0f} s", flush=True)
        return int(self.bad > 0)


def essence(record: dict[str, Any]) -> dict[str, Any]:
    """Return what must be equal of a record, whoever made it and however often interrupted."""
    kept = {name: value for name, value in record.items() if name not in MADE_ON_CLOCKS}
    kept["curve"] = [
        {name: value for name, value in epoch.items() if name != "seconds"}
        for epoch in record["curve"]
    ]
    return kept


def snapshot(results: Path) -> dict[str, Any]:
    """Return all of a results folder that must not depend on kills, workers or places."""
    found: dict[str, Any] = {}
    for path in sorted(results.glob("runs/*/record.json")):
        record = json.loads(path.read_text())
        files = {name: digest(path.parent / name) for name in record["files"]}
        found[f"run {record['id']}"] = {"record": essence(record), "files": files}
    for path in sorted(results.glob("plans/*.json")):
        plan = json.loads(path.read_text())
        found[f"plan {path.name}"] = {name: plan[name] for name in ("definition", "choices")}
    return found


def differences(whole: dict[str, Any], other: dict[str, Any]) -> list[str]:
    """Return in words what two snapshots do not have in common."""
    return [
        f"{name[:16]} {'lost' if name not in other else 'more' if name not in whole else 'differs'}"
        for name in sorted(whole.keys() | other.keys())
        if whole.get(name) != other.get(name)
    ]


def digest(path: Path) -> str:
    """Return the SHA-256 of a file, in hex; of what is no file, that."""
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "no file"


def forked(action: Callable[[], object], inside: Path | None = None, at: int | None = None) -> int:
    """Call something in a process of its own; return the process.

    Args:
        action: Its exit code is 1 if it raises.
        inside: A folder whose operations are counted.
        at: Which of them the process kills itself before.
    """
    sys.stdout.flush()
    if pid := os.fork():
        return pid
    sink = os.open(os.devnull, os.O_WRONLY)
    os.dup2(sink, 1)
    if at is not None:
        kill_at(inside, at)
    code = 1
    try:
        action()
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


EVENTS = ("open", "os.rename", "os.remove", "os.link", "os.mkdir", "os.rmdir", "shutil.rmtree")


def kill_at(inside: Path | None, at: int) -> None:
    """Kill this process before its n-th operation on files of a folder."""
    seen = 0

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal seen
        if event in EVENTS and str(inside) in str(arguments[0]):
            seen += 1
            if seen == at:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)


def code_of(pid: int) -> int:
    """Wait for a process; return its exit code, negative if it was killed."""
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def folders(place: Path) -> Iterator[Path]:
    """Yield empty folders, each deleted when the next is asked for."""
    while True:
        with tempfile.TemporaryDirectory(dir=place) as name:
            yield Path(name)


class Kind(NamedTuple):
    """One of the things that a campaign tries."""

    share: float  # of all turns
    work: Callable[[Place, Counts, int, random.Random], None]


def campaign(about: str, what: str, usual: int, kinds: Mapping[str, Kind]) -> int:
    """Try what the command line asks for, each kind its share; return the exit code.

    Args:
        about: Its first line says what the campaign is.
        what: Is counted, and the option that says how many.
        usual: How many, unless told.
        kinds: By name.
    """
    parser = argparse.ArgumentParser(description=about.splitlines()[0])
    parser.add_argument(f"--{what}", dest="turns", type=int, default=usual, help="in all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kinds", default=",".join(kinds), help="of: " + ", ".join(kinds))
    options = parser.parse_args()
    chosen = options.kinds.split(",")
    if unknown := [name for name in chosen if name not in kinds]:
        parser.error(f"there is no kind {unknown[0]!r}; there are {', '.join(kinds)}")
    started, counts = time.monotonic(), Counts()
    total = sum(kinds[name].share for name in chosen)
    with tempfile.TemporaryDirectory(prefix=f"{what}-") as folder:
        place = Place.in_folder(Path(folder))
        for name in chosen:
            turns = max(1, round(options.turns * kinds[name].share / total))
            kinds[name].work(place, counts, turns, random.Random(f"{options.seed} {name}"))
            print(f"... {name} after {time.monotonic() - started:.0f} s", flush=True)
    return counts.conclude(what, started)
