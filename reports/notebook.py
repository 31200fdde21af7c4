"""For Python and notebooks: a study run where one is, and the paper's Figure 1 from its records."""

import html
import os
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Literal

import pandas as pd
from matplotlib.figure import Figure
from rich.console import Console

from ablations.kept import Keep
from ablations.plan import Plan
from ablations.registration import RequestError
from ablations.results import Results
from ablations.runner import counts
from ablations.store import StoreError
from ablations.workers.protocol import RunError
from alexnet.config import Precision
from alexnet.data.manifest import default_data_dir
from alexnet.names import suggestion
from alexnet.paths import expanded
from reports.analysis.comparison import Comparison
from reports.commands.ablate import carry_out
from reports.commands.ablate.conclusion import tables
from reports.commands.ablate.request import Request, asked
from reports.commands.console import say
from reports.figures.kept import keep_figure
from reports.figures.pictures import as_png
from reports.figures.study import draw
from reports.findings.frames import curves_table, runs_of, runs_table
from reports.findings.sections import Section, section_of
from reports.findings.thresholds import at_threshold
from reports.page.tables import arms_table, tuning_table
from reports.wording import sentences

Folder = str | os.PathLike[str]


class Found(Comparison):
    """What a study has come to, which shows itself: a sentence, its table, what follows."""

    _section: Section

    @staticmethod
    def of(section: Section) -> "Found":
        """Return what a plan has come to."""
        found = Found.model_construct(**dict(section.comparison))
        found._section = section
        return found

    @property
    def _plan(self) -> Plan:
        return self._section.plan

    @property
    def sentence(self) -> str:
        """What it comes to, in a sentence."""
        return sentences.headline(self._plan, self)

    @property
    def table(self) -> pd.DataFrame:
        """A row per arm, every cell as it is read."""
        return arms_table(self._plan, self)

    @property
    def rates(self) -> pd.DataFrame:
        """A row per rate that was tried: what each tuning seed got, and which was chosen."""
        return tuning_table(self._section)

    @property
    def runs(self) -> pd.DataFrame:
        """A row for each finished run of this study, as `reports.runs_frame` has them."""
        return runs_table(runs_of(self._section))

    @property
    def curves(self) -> pd.DataFrame:
        """A row for each of these runs, epoch and metric, as `reports.curves_frame` has them."""
        return curves_table(runs_of(self._section))

    @property
    def verdicts(self) -> list[str]:
        """What follows for each contrast, and what seeds beyond the planned ones add."""
        if self._plan.about.shows != "effects":
            return []
        lines = [sentences.verdict_line(effect, self) for effect in self.effects]
        if (again := self._section.second_look) is not None:
            lines += [f"second look: {sentences.headline(self._plan, again)}"]
        return list(dict.fromkeys(lines))

    def __str__(self) -> str:
        """Return sentence, tables and verdicts as text."""
        shown = [one.to_string(index=False, justify="left") for one in self._tables()]
        return "\n\n".join([self.sentence, *shown, *self.verdicts])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        """Return the same as a notebook shows it."""
        shown = [one.to_html(index=False, border=0, justify="left") for one in self._tables()]
        said = [f"<p>{html.escape(line)}</p>" for line in self.verdicts]
        return "\n".join([f"<p><b>{html.escape(self.sentence)}</b></p>", *shown, *said])

    def _tables(self) -> list[pd.DataFrame]:
        return tables(self._section)


def run_study(
    name: str,
    dataset: str | None = None,
    seeds: int | Sequence[int] | None = None,
    workers: int = 0,
    *,
    results: Folder = "results",
    data_dir: Folder | None = None,
    device: str = "auto",
    precision: Literal["auto"] | Precision = "auto",
    smoke: bool = False,
    keep_weights: Keep | None = None,
    epochs: int | None = None,
    gpus: str | None = None,
    per_gpu: int | None = None,
    devices: int = 1,
) -> Found:
    """Run what a study still lacks, as `invoke ablate` does; return what it comes to.

    A line is printed for each run that finishes. Interrupted, it loses only the epoch under way:
    the same call goes on.

    >>> run_study("relu_vs_tanh", seeds=3)  # doctest: +SKIP

    Args:
        name: A study's name, or a file that defines STUDY.
        dataset: On which images; None for those that the study names first, "paper" for the
            paper's own.
        seeds: How many, or which: each of a class may train one, and their folders be pooled.
            Rates have to be the same, so let one train none, ``seeds=()``, which chooses the rates,
            and all start from a copy of that folder. None for all that are planned; others are
            a second look.
        workers: Processes; 0 trains in this one, and needs no ``if __name__ == "__main__":``.
        results: Folder of plans and records.
        data_dir: Folder of prepared datasets; None for ALEXNET_DATA, else the user's data folder.
        device: auto, cpu, cuda or cuda:N.
        precision: Of the layers' arithmetic; auto: bfloat16 where the machine computes in it, else
            float32. "float64" is for proofs, and takes several times as long.
        smoke: Seconds instead of minutes, to see that all works; the numbers mean nothing.
        keep_weights: Of "all" runs, of "comparison" runs or of "none", for
            `ablations.trained.load_run`; None for comparison runs of networks of up to 64 MB.
        epochs: Train for so many, rates falling at the same share of the way. That is another
            study, by the name ``<study>_<n>_epochs``, with a plan and runs of its own; of a claim
            of the paper it is a stand-in. None: as long as the study says.
        gpus: Which, such as "0,2"; None: all, if there are any. This process trains on one.
        per_gpu: Runs that share a GPU; None: up to four of networks for small images, else one.
        devices: That train each run together; more than one need ``workers`` of one or more.

    Raises:
        RequestError: If a device, a precision, seeds, epochs, workers or what to keep cannot be.
        LengthError: If the study's arms differ in their schedules, or so few epochs have no room
            for them.
        StudyError: If there is no such study.
        DatasetError: If the images are not here, or the study cannot be shown on them.
        PlanError: If the registered plan is not the study's any more.
        StoreError: If the results folder cannot be written.
        DriverError: If others are at work there with another kind of locks.
        WorkerError: If nothing can be trained here.
        RunError: If a run has failed; all others are finished by then.
    """
    request = Request(
        study=name,
        dataset=dataset,
        seeds=seeds if seeds is None or isinstance(seeds, int) else tuple(seeds),
        workers=workers,
        device=device,
        precision=precision,
        smoke=smoke,
        epochs=epochs,
        dry_run=False,
        results=expanded(results),
        data_dir=default_data_dir() if data_dir is None else expanded(data_dir),
        keep_weights=keep_weights,
        gpus=gpus,
        per_gpu=per_gpu,
        devices=devices,
    )
    console = Console(highlight=False, force_terminal=False, force_jupyter=False)  # plain lines
    try:
        done = carry_out(request, console, *asked(request))
    except KeyboardInterrupt:
        say(
            console,
            "stopped",
            "what it did since its last checkpoint is lost; the same call goes on",
        )
        raise
    section = section_of(done.plan, done.store)
    keep_figure(section, done.store.path)
    if done.failures:
        first, *others = done.failures
        more = f", and {len(others)} more" if others else ""
        raise RunError(f"{first}{more}; the same call tries again what failed")
    return Found.of(section)


def figure1(
    results: Folder | Results | Found = "results",
    study: str = "relu_vs_tanh",
    dataset: str | None = None,
    labels: Mapping[str, str] | None = None,
    threshold: float | None = None,
) -> Figure:
    """Return the paper's Figure 1, drawn from a study's records.

    >>> figure1("results", labels={"relu": "max(0, x)"})  # doctest: +SKIP

    Args:
        results: Folder of plans and records, a store, or what `run_study` returned, which says by
            itself of which study and images it is.
        study: Any study by name; each is drawn after the same figure.
        dataset: On which images; None for those of which most is done.
        labels: What arms are called, where not by their names.
        threshold: Training error, a fraction, to which times are read in place of the registered
            one; every run has to pass it. The figure says so, and shows no number of the paper.

    Raises:
        StoreError: If there is nothing to draw; it names what to run.
        ThresholdError: If times cannot be read there, or the study compares none.
        RequestError: If a label is of no arm, or two arms would be called the same.
    """
    if isinstance(results, Found):
        section, where = results._section, "what run_study returned"
    else:
        store = results if isinstance(results, Results) else Results(Path(results))
        section, where = section_of(_most_done(store, study, dataset), store), str(store.path)
    _refuse_labels(section.plan, labels or {})
    if threshold is not None:
        section = at_threshold(section, threshold)
    figure = draw(section, labels)
    if figure is None:
        one = section.plan.definition
        raise _nothing(where, one.study, one.dataset.name)
    # A notebook shows figures that Pyplot made; this one says itself how it is shown.
    figure._repr_png_ = partial(as_png, figure)  # type: ignore[attr-defined]
    return figure


def _most_done(store: Results, study: str, dataset: str | None) -> Plan:
    found = [
        plan
        for plan in store.plans()
        if plan.definition.study == study and dataset in (None, plan.definition.dataset.name)
    ]
    if not found:
        raise _nothing(str(store.path), study, dataset)

    def done(plan: Plan) -> tuple[bool, int]:
        return not plan.definition.smoke, counts(plan, store, plan.definition.seeds)[0]

    return max(found, key=done)


def _nothing(where: str, study: str, dataset: str | None) -> StoreError:
    on, second = (f" on {dataset}", f", {dataset!r}") if dataset else ("", "")
    return StoreError(
        f"{study}{on} has no runs in {where} to draw; run_study({study!r}{second}) makes them"
    )


def _refuse_labels(plan: Plan, labels: Mapping[str, str]) -> None:
    arms = list(plan.definition.arms)
    for arm in labels:
        if arm not in arms:
            raise RequestError(f"{plan.definition.study} has no arm {arm!r}; "
                               f"{suggestion(arm, arms)}")  # fmt: skip
    if labels and plan.about.shows != "effects":
        raise RequestError(f"the arms of {plan.definition.study} are drawn by their names; "
                           "leave labels out")  # fmt: skip
    called = [labels.get(arm, arm) for arm in arms]
    twice = [label for label in called if called.count(label) > 1]
    if twice:
        raise RequestError(f"two arms cannot both be called {twice[0]!r}; give each its own label")
