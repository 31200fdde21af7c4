"""The trained network of a run: to look inside, and to be shown pictures. Imports PyTorch."""

import os
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file

from ablations.kept import DATASET, WEIGHTS
from ablations.record import NamingError, Record, named
from ablations.results import Results
from ablations.run import DatasetRef
from alexnet.config import Config
from alexnet.custom import trusting
from alexnet.data.images import load
from alexnet.data.manifest import DatasetError, default_data_dir
from alexnet.data.stored import read_manifest
from alexnet.data.summary import Summary
from alexnet.paths import expanded
from alexnet.predictor import Predictor
from alexnet.weights import WeightsError, with_weights

Folder = str | os.PathLike[str]


class TrainedError(ValueError):
    """A run whose network cannot be had; the message says why, and the way out."""


@dataclass(frozen=True)
class Trained(Predictor):
    """A run's network as it was after its last epoch, and how it is shown a picture."""

    record: Record

    @property
    def config(self) -> Config:
        """All that decided the run but its seed and its images."""
        return self.record.run.config


def load_run(
    results: Folder | Results, run: str, data_dir: Folder | None = None, trust: bool = False
) -> Trained:
    """Return the trained network of a run.

    Its weights, and what is known of its dataset, are those that the run left beside its record.
    A run that was recorded before the latter was kept needs its dataset, prepared.

    >>> load_run("results", "3f2a").predict("cat.jpg", top=2)  # doctest: +SKIP
    [Prediction(name='cat', probability=0.93), Prediction(name='dog', probability=0.04)]

    Args:
        results: Folder of records, a store, or several folders read as one.
        run: The first digits of the run's id, four or more.
        data_dir: Folder of prepared datasets; None for ALEXNET_DATA, else the user's data folder.
        trust: Whether code that the record names may run: a part that its makers wrote.

    Raises:
        SourceError: If the network has such a part, and it is not to be trusted or not here.
        TrainedError: If no run is so called, it diverged, or its weights were not kept or are
            damaged, or its dataset is needed and not here.
    """
    store = results if isinstance(results, Results) else Results(expanded(results))
    try:
        record = named(run, store.records(), f"run in {store.path}")
    except NamingError as error:
        raise TrainedError(str(error)) from error
    name = f"run {record.run.short}"
    if record.status == "diverged":
        raise TrainedError(f"{name} diverged, and its network predicts nothing; load another run")
    weights = _file(store, record, WEIGHTS)
    if weights is None:
        raise TrainedError(
            f"the weights of {name} are not in {store.folder(record.run)}: they were not kept, or "
            "were not copied with its record; to train it again, name another results folder and "
            f"--keep-weights {'comparison' if record.run.sees_test else 'all'}"
        )
    config, precision = record.run.config, record.run.precision
    try:
        with trusting() if trust else nullcontext():
            network = with_weights(config.network, load_file(weights), precision)
    except (WeightsError, SafetensorError) as error:
        raise TrainedError(f"{weights} is of another version: {error}") from error
    predictor = Predictor.of(network, config, precision, _summary(store, record, data_dir))
    return Trained(**vars(predictor), record=record)


def _file(store: Results, record: Record, name: str) -> Path | None:
    """Return a file that a run left; None if it left none.

    Raises:
        TrainedError: If it is damaged.
    """
    known = len(store.problems)
    path = store.find_file(record, name)
    if path is None and (problems := store.problems[known:]):
        raise TrainedError(problems[0])
    return path


def _summary(store: Results, record: Record, data_dir: Folder | None) -> Summary:
    """Return what is known of a run's dataset: as the run left it, or from the prepared one.

    Raises:
        TrainedError: If it is neither here nor there.
    """
    asked = record.run.dataset
    where = default_data_dir() if data_dir is None else expanded(data_dir)
    try:
        if (path := _file(store, record, DATASET)) is not None:
            return Summary.read(path)
        if DatasetRef.of(read_manifest(asked.name, where)) == asked:
            return Summary.of(load(asked.name, where))
        reason = f"{asked.name} in {where} holds other images"
    except DatasetError as error:
        reason = str(error)
    raise TrainedError(
        f"run {record.run.short} left no {DATASET} with its mean image and classes, so that its "
        f"dataset is needed: {reason}"
    )
