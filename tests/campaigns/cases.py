"""What all kinds of fuzzing share: a limit of time, where an error came from, files of ours."""

import contextlib
import io
import signal
import traceback
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import common
from common import Place

from ablations.store import Store
from reports import run_study
from reports.findings.verification import keep, verify
from reports.page.report import write_report

LONGEST = 30
"""Seconds that a case may take."""


class Hung(BaseException):
    """A case took too long."""


@contextlib.contextmanager
def limited() -> Iterator[None]:
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


@cache
def results_of(place: Place) -> Path:
    """Return a folder of results with one of every file of ours, trained once."""
    results = place.folder / "whole"
    with contextlib.redirect_stdout(io.StringIO()):
        run_study(str(place.study), results=results, workers=0, data_dir=place.data)
    store = Store(results)
    record = next(one for one in store.records() if one.run.sees_test)
    keep(results, verify(record, record, store))
    write_report(store, results / "report")
    return results
