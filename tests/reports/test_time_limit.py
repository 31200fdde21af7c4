"""A limit of time interrupts the task within it, and nothing else."""

import io
import os
import signal
import sys
import time
from pathlib import Path

import pytest
from rich.console import Console

from ablations.store import Store
from alexnet.data.synthetic import GENERATED
from reports.commands.time_limit import INTERRUPTED, TIME_LIMIT, TOLD, TimeLimit, seconds_of
from tests.builders.command_line import call


def test_it_interrupts_what_takes_too_long() -> None:
    """At once, with its own exit code, even where Ctrl-C is ignored, as in a background job."""
    limit, start = TimeLimit(0.05), time.monotonic()
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with pytest.raises(KeyboardInterrupt), limit:
            time.sleep(30)
    finally:
        signal.signal(signal.SIGINT, before)

    assert time.monotonic() - start < 10
    assert limit.stopped(Console(quiet=True), "") == TIME_LIMIT == 4


def test_what_is_done_in_time_is_left_alone() -> None:
    """Afterwards nothing is interrupted."""
    limit = TimeLimit(0.2)
    with limit:
        pass
    time.sleep(0.4)

    assert not limit.reached


@pytest.mark.parametrize("name", ["SIGINT", "SIGALRM", *TOLD])
def test_what_python_ignores_comes_again(
    name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a finalizer runs nothing can be raised; what else fails there is told as ever."""
    told: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", told.append)
    limit, number = TimeLimit(60.0), signal.Signals[name]

    class Finalized:
        def __del__(self) -> None:
            os.kill(os.getpid(), number)
            for _ in range(1000):  # the handler runs in here
                pass

    class Broken:
        def __del__(self) -> None:
            raise ValueError

    def work() -> None:
        Broken()
        Finalized()
        time.sleep(30)

    start, before = time.monotonic(), signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt), limit:
            work()
    finally:
        signal.signal(signal.SIGINT, before)

    assert time.monotonic() - start < 10
    assert limit.stopped(Console(quiet=True), "") == (
        INTERRUPTED if name == "SIGINT" else TIME_LIMIT
    )
    assert [one.exc_type for one in told] == [ValueError]  # type: ignore[attr-defined]
    assert sys.unraisablehook == told.append
    assert capsys.readouterr().err == ""


def test_ctrl_c_is_not_the_time_limit() -> None:
    """Nor is it without a limit."""
    for limit in (TimeLimit(60.0), TimeLimit(None)):
        with pytest.raises(KeyboardInterrupt), limit:
            raise KeyboardInterrupt

        assert limit.stopped(Console(quiet=True), "") == INTERRUPTED == 130


@pytest.mark.parametrize("text", ["", "m", "5 days", "-5", "0s", "1e3", "9" * 12 + "s"])
def test_what_is_no_time_is_refused(text: str) -> None:
    """With examples."""
    with pytest.raises(ValueError, match="write for example 90s, 5m or 2h"):
        seconds_of(text)


@pytest.mark.parametrize("text", ["5", "1.5", " 90 ", "0", "9" * 12])
def test_a_time_without_a_unit_is_asked_for_one(text: str) -> None:
    """Seconds and minutes are both likely; the sentence has the three that can be meant."""
    number = text.strip()
    with pytest.raises(ValueError, match=f"{number}s, {number}m, {number}h for seconds, min"):
        seconds_of(text)


@pytest.mark.parametrize("command", [["ablate", "--study", "dropout"], ["verify"]])
def test_every_command_with_a_limit_asks_for_the_unit(command: list[str], tmp_path: Path) -> None:
    """Before anything is read or trained."""
    code, output = call(*command, "--results", tmp_path, "--time-limit", "5")

    assert code == 2
    assert "'5' has no unit; write 5s, 5m, 5h for seconds, minutes or hours" in output


def test_a_study_stops_at_the_limit_and_goes_on(tmp_path: Path) -> None:
    """Exit code 4; the same command without a limit does the rest."""
    command = ("ablate", "--study", "relu_vs_tanh", "--smoke", "--dataset", GENERATED,
               "--results", tmp_path, "--workers", "1")  # fmt: skip

    code, output = call(*command, "--time-limit", "0.01s")
    after, rest = call(*command)

    assert code == 4, output
    assert "the same command goes on" in output
    assert after == 0, rest
    assert len(Store(tmp_path).records()) > 0


# ---- a scheduler's signals


@pytest.mark.parametrize("name", TOLD)
def test_a_schedulers_signal_is_a_time_limit(name: str) -> None:
    """Once: what is being ended is not interrupted again; afterwards signals mean what they did."""
    number = signal.Signals[name]
    limit, before = TimeLimit(None), signal.getsignal(number)

    def twice() -> None:
        try:
            signal.raise_signal(number)
        finally:
            signal.raise_signal(number)

    with pytest.raises(KeyboardInterrupt), limit:
        twice()

    console = Console(file=io.StringIO(), width=200)
    assert limit.stopped(console, "go on") == TIME_LIMIT
    assert f"{name} came; go on" in console.file.getvalue()
    assert signal.getsignal(number) == before


def scheduler(folder: Path, answers: str) -> Path:
    """Put a scontrol into a folder, which writes down what it is asked."""
    path = folder / "scontrol"
    path.write_text(f'#!/bin/sh\necho "$@" >> {folder}/asked\n{answers}\n')
    path.chmod(0o755)
    return folder / "asked"


SHORT = ("ablate", "--study", "relu_vs_tanh", "--smoke", "--workers", "1", "--requeue")


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ("exit 0", "requeued SLURM starts job 4711 again, and it goes on"),
        (
            "echo 'Invalid job id specified' >&2; exit 1",
            "NOT REQUEUED scontrol requeue 4711: Invalid job id specified; the same job, submitted",
        ),
        ("exit 3", "NOT REQUEUED scontrol requeue 4711: exit code 3; the same"),
    ],
)
def test_a_job_that_runs_out_of_time_is_started_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answers: str, said: str
) -> None:
    """By the scheduler, whose answer is said; the exit code is that of the time limit."""
    asked = scheduler(tmp_path, answers)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("SLURM_JOB_ID", "4711")

    code, output = call(
        *SHORT, "--device", "cpu", "--results", tmp_path / "r", "--time-limit", "0.01s"
    )

    assert code == TIME_LIMIT
    assert asked.read_text() == "requeue 4711\n"
    assert said in output


@pytest.mark.parametrize("code", [0, 1, 130])
def test_a_job_that_ends_otherwise_is_not_started_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    """It is done, a run failed, or a person has stopped it; nor is one that is refused."""
    asked = scheduler(tmp_path, "exit 0")
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("SLURM_JOB_ID", "4711")
    assert call(*SHORT, "--device", "abacus", "--results", tmp_path / "r")[0] == 2
    monkeypatch.setattr("reports.commands.ablate.run", lambda request, console: code)

    assert call(*SHORT, "--results", tmp_path / "r")[0] == code
    assert not asked.exists()


def test_outside_of_a_scheduler_nobody_would_start_it_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Refused before anything is read, in a sentence."""
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    code, output = call(*SHORT, "--results", tmp_path)
    assert (code, "this is none (SLURM_JOB_ID is not set)" in output) == (2, True)

    monkeypatch.setenv("SLURM_JOB_ID", "4711")
    monkeypatch.setenv("PATH", str(tmp_path))
    code, output = call(*SHORT, "--results", tmp_path)
    assert (code, "calls scontrol, which is not on the PATH" in output) == (2, True)
