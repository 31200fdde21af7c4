"""A limit of time interrupts the task within it, and nothing else."""

import signal
import time
from pathlib import Path

import pytest
from rich.console import Console

from ablations.store import Store
from alexnet.data.synthetic import GENERATED
from reports.commands.time_limit import INTERRUPTED, TIME_LIMIT, TimeLimit, seconds_of
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
