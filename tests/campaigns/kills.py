"""Kill every kind of process at any moment: nothing may be lost, doubled or different.

    python tests/campaigns/kills.py [--kills 2000] [--seed 0] [--kinds KIND,...]

    training     one process that trains, at random times and before random operations on files
    together     three at once that share a folder, each killed and started again
    driver       a command and its workers: the command, a worker, or all of them; and signals
    everywhere   `prepare`, `report`, plans, the baseline and `verified.json`, before operations
                 on files: each where there are turns enough, else some

A study is killed until it is complete; then records, weights and scores must be those of one that
was left alone, and so must its report. POSIX only.
"""

import json
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import cache, partial
from itertools import count
from pathlib import Path

for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"  # what is forked has no threads of its parent's

import common  # noqa: E402
from common import (  # noqa: E402
    Counts,
    Kind,
    Place,
    campaign,
    code_of,
    differences,
    digest,
    folders,
    forked,
    snapshot,
)

import ablations.workers.trainer  # noqa: E402,F401  PyTorch, once
from ablations.plan import Plan  # noqa: E402
from ablations.store import Store  # noqa: E402
from ablations.workers.processes import MOST_DEATHS  # noqa: E402
from alexnet.data.prepare.preparation import prepare  # noqa: E402
from alexnet.data.prepare.request import PrepareRequest  # noqa: E402
from reports import run_study  # noqa: E402
from reports.commands.exit_codes import BAD_INPUT  # noqa: E402
from reports.findings.verification import keep, verify  # noqa: E402
from reports.page.report import gather, write_report  # noqa: E402
from reports.smoke.baseline import Baseline  # noqa: E402

MOST = 40
"""Kills of one study, which then may finish."""


def train(place: Place, results: Path) -> None:
    """Do what a call in a notebook does."""
    run_study(str(place.study), results=results, workers=0, data_dir=place.data)


class Whole:
    """A results folder that nobody killed anything of."""

    def __init__(self, place: Place) -> None:
        """Train it."""
        self.results = place.folder / "whole"
        pid = forked(partial(train, place, self.results))
        assert code_of(pid) == 0
        self.snapshot = snapshot(self.results)
        self.digest = gather(Store(self.results)).document["digest"]

    def compare(self, kind: str, results: Path, counts: Counts) -> None:
        """Count what is not as it should be in a folder that is complete."""
        for difference in differences(self.snapshot, snapshot(results)):
            counts.wrong(kind, difference)
        store = Store(results)
        if (document := gather(store).document)["digest"] != self.digest:
            counts.wrong(kind, "the report differs")
        for problem in document["measured"]["set_aside"]:
            counts.wrong(kind, problem)


@cache
def whole_of(place: Place) -> Whole:
    """Return the results folder that others are compared with, trained once."""
    return Whole(place)


class Records:
    """The records of a folder, none of which may be written twice."""

    def __init__(self, kind: str, results: Path, counts: Counts) -> None:
        """Begin with an empty folder."""
        self._kind, self._results, self._counts = kind, results, counts
        self._known: dict[str, str] = {}

    def look(self) -> None:
        """Count what has changed since the last look, but for new records."""
        paths = self._results.glob("runs/*/record.json")
        now = {path.parent.name: digest(path) for path in paths}
        for name, before in self._known.items():
            if now.get(name) != before:
                self._counts.wrong(self._kind, f"the record of {name} was written again")
        self._known = now


def training(place: Place, counts: Counts, kills: int, chance: random.Random) -> None:
    """Kill one process again and again until the study is complete."""
    whole = whole_of(place)
    done = 0
    for results in folders(place.folder):
        records = Records("training", results, counts)
        for start in count():
            by_event, last = chance.random() < 0.5, start >= MOST or done >= kills
            at = int(chance.expovariate(1 / 60)) + 1 if by_event and not last else None
            pid = forked(partial(train, place, results), results, at)
            if not by_event and not last:
                time.sleep(chance.expovariate(1 / 0.7))
                os.kill(pid, signal.SIGKILL)
            code = code_of(pid)
            records.look()
            if code == -signal.SIGKILL:
                done += 1
                counts.add("training", "before an operation" if by_event else "at a random time")
            elif code:
                counts.wrong("training", f"a start failed with {code}")
                return
            else:
                break
        whole.compare("training", results, counts)
        if done >= kills:
            return


def together(place: Place, counts: Counts, kills: int, chance: random.Random) -> None:
    """Let three processes share a folder, each killed and started again."""
    whole = whole_of(place)
    done = 0
    for results in folders(place.folder):
        alive: dict[int, float] = {}  # process: when it is killed
        here, complete, failed = 0, False, False
        records = Records("together", results, counts)
        while alive or not complete:
            last = here >= 2 * MOST or done >= kills
            while len(alive) < 3 and not complete:
                by_event = chance.random() < 0.5 and not last
                at = int(chance.expovariate(1 / 80)) + 1 if by_event else None
                pid = forked(partial(train, place, results), results, at)
                never = last or by_event
                alive[pid] = float("inf") if never else time.monotonic() + chance.expovariate(0.7)
            for pid, when in list(alive.items()):
                if time.monotonic() > when:
                    os.kill(pid, signal.SIGKILL)
                    alive[pid] = float("inf")
                gone, state = os.waitpid(pid, os.WNOHANG)
                if not gone:
                    continue
                del alive[pid]
                code = os.waitstatus_to_exitcode(state)
                if code == -signal.SIGKILL:
                    done, here = done + 1, here + 1
                    counts.add("together", "killed")
                elif code == 0:
                    complete = True
                else:
                    counts.wrong("together", f"a start failed with {code}")
                    failed = complete = True  # no further one is started
            records.look()
            time.sleep(0.02)
        if failed:
            return
        whole.compare("together", results, counts)
        if done >= kills:
            return


def workers_of(pid: int) -> list[int]:
    """Return the processes that a command has spawned."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = (entry / "stat").read_text().rsplit(")", 1)[1].split()[1]
                line = (entry / "cmdline").read_bytes()
            except (OSError, IndexError):
                continue
            if int(parent) == pid and b"spawn_main" in line:
                found.append(int(entry.name))
    return found


def lives(pid: int) -> bool:
    """Return whether a process is there and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def driver(place: Place, counts: Counts, kills: int, chance: random.Random) -> None:
    """Kill a command, its workers or all of them; every worker ends with its command.

    A command outlives its killed workers, unless three of them come to nothing one after another.
    """
    whole = whole_of(place)
    done = 0
    modes = ("command", "all", "worker", "TERM", "INT", "HUP")
    told = re.compile(rf"{MOST_DEATHS} workers (in a row )?were killed [^;]* (before|while) [^;]*")
    log = place.folder / "driver.log"
    for results in folders(place.folder):
        for start in count():
            last = start >= MOST or done >= kills
            said_before = log.stat().st_size if log.exists() else 0
            mode = "none" if last else chance.choice(modes)
            with log.open("ab") as sink:
                process = subprocess.Popen(
                    [sys.executable, "-c", "from reports.cli import main; main()", "ablate",
                     "--study", str(place.study), "--results", str(results), "--data-dir",
                     str(place.data), "--workers", "2"],
                    stdout=sink, stderr=subprocess.STDOUT, cwd=common.ROOT, start_new_session=True,
                )  # fmt: skip
            workers: list[int] = []
            killed = 0
            for _ in range(chance.randint(1, 3) if mode == "worker" else int(mode != "none")):
                end = time.monotonic() + chance.expovariate(1 / 5)
                while time.monotonic() < end and process.poll() is None:
                    time.sleep(0.02)
                if process.poll() is not None:
                    break
                workers = workers_of(process.pid)
                if mode == "worker":
                    if not workers:
                        continue
                    os.kill(chance.choice(workers), signal.SIGKILL)
                    killed += 1
                elif mode == "all":
                    os.killpg(process.pid, signal.SIGKILL)
                else:
                    number = signal.SIGKILL if mode == "command" else getattr(signal, f"SIG{mode}")
                    os.kill(process.pid, number)
                done += 1
                counts.add("driver", mode)
            try:
                code = process.wait(240)
            except subprocess.TimeoutExpired:
                counts.wrong("driver", f"after {mode} it was there for 240 s more")
                os.killpg(process.pid, signal.SIGKILL)
                code = process.wait()
            end = time.monotonic() + 30
            while any(map(lives, workers)) and time.monotonic() < end:
                time.sleep(0.05)
            if any(map(lives, workers)):
                counts.wrong("driver", f"after {mode} workers were there for 30 s more")
            said = log.read_bytes()[said_before:].decode(errors="replace")
            if killed == MOST_DEATHS and code == BAD_INPUT and (ended := told.search(said)):
                print(f"... driver: {ended[0]}, and the command ended with that", flush=True)
            elif mode == "worker" and code:
                last_words = " ".join(said.split())[-300:]
                counts.wrong(
                    "driver", f"{killed} killed workers ended the command with {code}: {last_words}"
                )
            if mode == "none" and code:
                counts.wrong("driver", f"left alone it ends with {code}")
                return
            if code == 0:
                break
        whole.compare("driver", results, counts)
        if done >= kills:
            break
    if (found := log.read_text(errors="replace").count("Traceback (most recent")) > 0:
        counts.wrong("driver", f"{found} tracebacks were printed")


Writer = Callable[[Path], object]


def everywhere(place: Place, counts: Counts, kills: int, chance: random.Random) -> None:
    """Kill what writes before every single operation, or some of them; then do it again."""
    whole = whole_of(place)
    plan = Plan.read(next((whole.results / "plans").glob("*.json")))
    bare = plan.model_copy(update={"choices": {}, "timings": {}})
    baseline = Baseline.read(common.ROOT / "reports" / "smoke" / "baseline.json")
    record = Store(whole.results).records()[0]
    found = verify(record, record, Store(whole.results))

    def nothing(folder: Path) -> None:
        folder.mkdir(exist_ok=True)

    def prepared(folder: Path) -> None:
        list(prepare(PrepareRequest("noise", place.source, folder, workers=1)))

    kinds: dict[str, tuple[Writer, Writer]] = {
        "prepare": (nothing, prepared),
        "report": (nothing, lambda folder: write_report(Store(whole.results), folder / "report")),
        "plan": (
            lambda folder: Store(folder).write_plan(bare),
            lambda folder: Store(folder).write_plan(plan),
        ),
        "baseline": (
            lambda folder: (folder / "baseline.json").write_text('{"old": 1}'),
            lambda folder: baseline.write(folder / "baseline.json"),
        ),
        "verified": (nothing, lambda folder: keep(folder, found)),
    }
    for what, (before, write) in kinds.items():
        empty = folders(place.folder)
        folder = next(empty)
        before(folder)
        events = _operations(partial(write, folder), folder)
        expected = _contents(folder)
        assert expected, what
        points = range(1, events + 1)
        if events > kills // len(kinds):
            points = sorted(chance.sample(points, max(1, kills // len(kinds))))
        for at in points:
            folder = next(empty)
            before(folder)
            code = code_of(forked(partial(write, folder), folder, at))
            counts.add("everywhere", what)
            if code != -signal.SIGKILL:
                counts.wrong(what, f"operation {at} of {events} did not come: exit code {code}")
            for torn in _torn(folder):
                counts.wrong(what, f"killed before operation {at}, it left {torn} torn")
            code = code_of(forked(partial(write, folder)))
            now = _contents(folder)
            if code or any(now.get(name) != content for name, content in expected.items()):
                counts.wrong(what, f"after a kill before operation {at} it ends with {code}")


def _operations(action: Callable[[], object], folder: Path) -> int:
    """Return how many operations on files of a folder an action takes."""
    with tempfile.NamedTemporaryFile() as told:

        def counted() -> None:
            seen = 0

            def hook(event: str, arguments: tuple[object, ...]) -> None:
                nonlocal seen
                seen += event in common.EVENTS and str(folder) in str(arguments[0])

            sys.addaudithook(hook)
            action()
            Path(told.name).write_text(str(seen))

        assert code_of(forked(counted)) == 0
        return int(Path(told.name).read_text())


def _contents(folder: Path) -> dict[str, str]:
    """Return the digest of every file of a folder that has its last name."""
    files = {path.relative_to(folder): path for path in folder.rglob("*") if path.is_file()}
    return {
        name.as_posix(): digest(path)
        for name, path in files.items()
        if not any(part.startswith(".") for part in name.parts)
    }


def _torn(folder: Path) -> list[str]:
    """Return the files that have their last name and are not whole."""
    torn = []
    for path in folder.rglob("*.json"):
        if path.name.startswith(".") or "notes" in path.parts:
            continue
        try:
            json.loads(path.read_text())
        except ValueError:
            torn.append(path.name)
    target = folder / "noise"
    if (target / "manifest.json").exists():
        files = json.loads((target / "manifest.json").read_text())["files"]
        torn += [name for name, content in files.items() if digest(target / name) != content]
    return torn


KINDS = {  # a command takes seconds to start, and so has fewer turns
    "everywhere": Kind(0.2, everywhere),
    "training": Kind(0.5, training),
    "together": Kind(0.25, together),
    "driver": Kind(0.05, driver),
}

if __name__ == "__main__":
    sys.exit(campaign(__doc__, "kills", 2000, KINDS))
