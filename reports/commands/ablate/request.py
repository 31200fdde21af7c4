"""What a person asks `ablate` for, and the study and images that it comes to."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rich.console import Console

from ablations.kept import KEEP, Keep, KeptWeights
from ablations.lengths import trained_for
from ablations.queue import ALONE, DriverShard
from ablations.registration import RequestError, StudyRequest, shown_on
from ablations.studies import find_study
from ablations.study import Study
from ablations.workers.protocol import Probe, Workers, WorkerSettings
from alexnet.config import Config
from alexnet.config.towers import TowersError, has_towers, stages
from alexnet.data.catalogue import CATALOGUE
from alexnet.data.manifest import DatasetError, Manifest
from alexnet.data.stored import read_manifest
from alexnet.data.synthetic import GENERATED
from alexnet.locks import Kind
from alexnet.text import counted
from reports.commands.placement import refuse_placement
from reports.commands.progress import say_if_device_failed

ALL = "all"
"""In place of a study's name: every study of the package."""
PRACTICE = "fashion_mini"
"""The images that ship with the package."""
CLUSTER = re.compile(r"ray(:.+)?")
TWO_DEVICES = re.compile("cpu,cpu|cuda:[0-9]{1,4},cuda:[0-9]{1,4}")


@dataclass(frozen=True)
class Request(StudyRequest):
    """What a person asked for: of which study, where its files are, and who trains.

    Raises:
        RequestError: If it cannot be asked for, whatever the study.
    """

    workers: int | None  # processes; 0: this one; None: as many as suit the machine
    device: str
    dry_run: bool
    results: Path
    data_dir: Path
    time_limit: float | None = None  # seconds
    keep_weights: Keep | None = None  # None: those of comparison runs, if they are small
    shard: DriverShard = ALONE  # of several commands on one folder
    locks: Literal["auto", "system", "lease"] = "auto"  # by which they share out runs
    gpus: str | None = None  # all, or numbers; None: all, if it is not to be the CPU
    per_gpu: int | None = None  # workers; None: as many as suit the GPU
    cluster: str | None = None  # ray or ray:HOST:PORT; None: this machine
    devices: int = 1  # that train each run together
    towers_on: str | None = None  # two devices, for networks in two towers

    def __post_init__(self) -> None:
        """Refuse what no study could do."""
        super().__post_init__()
        refuse_placement(self)
        if self.keep_weights not in (None, *KEEP):
            known = ", ".join(KEEP)
            raise RequestError(f"weights of {self.keep_weights!r} cannot be kept; use {known}")
        if self.study == ALL and self.epochs is not None:
            raise RequestError(
                f"studies differ in how long they train: {counted(self.epochs, 'epoch')} can be of "
                "one study alone, by its name"
            )
        refuse_cluster(self)
        if self.towers_on is not None:
            self._refuse_towers_on(self.towers_on)
        if self.workers is not None and self.workers < 0:
            raise RequestError(
                f"{counted(self.workers, 'worker')} cannot be; use 0 to train in this process"
            )
        self._refuse_devices()

    def _refuse_devices(self) -> None:
        if self.devices < 1:
            raise RequestError(f"{counted(self.devices, 'device')} cannot train; use 1 or more")
        if self.devices > 1 and self.workers == 0:
            raise RequestError(
                f"0 workers train in this process, which has one device; with {self.devices} "
                "devices for each run, use 1 worker or more"
            )
        if self.devices > 1 and self.device.startswith("cuda:"):
            raise RequestError(
                f"{self.device} is one device, and each run was to have {self.devices}; use cuda"
            )

    def threads_each(self, threads: int) -> int:
        """Return the threads of each process of a run that has so many: devices divide them."""
        return max(1, threads // self.devices)

    @property
    def asked_locks(self) -> Kind | None:
        """The kind of locks that the results folder is to have; None: that which it has."""
        return None if self.locks == "auto" else self.locks

    def _refuse_towers_on(self, devices: str) -> None:
        if not TWO_DEVICES.fullmatch(devices):
            raise RequestError(
                f"--tower-devices {devices!r} names no two devices; use cuda:0,cuda:1 or cpu,cpu"
            )
        if self.device != "auto":
            raise RequestError("--tower-devices says where it trains; leave --device out")
        if self.study == ALL:
            raise RequestError("--tower-devices is for one study, by its name")
        if (self.workers or 1) > 1:
            raise RequestError("two devices are one worker's; leave --workers out")
        if self.devices > 1:
            raise RequestError("--devices and --tower-devices share a run out in two ways; use one")
        if (self.gpus, self.per_gpu) != (None, None):
            raise RequestError("--tower-devices names the GPUs; leave --gpus and --per-gpu out")

    @property
    def tower_devices(self) -> tuple[str, ...]:
        """The devices of two towers; none if every network is on one."""
        return tuple(self.towers_on.split(",")) if self.towers_on else ()

    @property
    def kept_weights(self) -> KeptWeights:
        """Whose weights are kept."""
        return KeptWeights.asked(self.keep_weights)


def refuse_cluster(request: Request) -> None:
    """Refuse what is no cluster, or cannot be asked of one.

    Raises:
        RequestError: With what can be.
    """
    cluster, device = request.cluster, request.device
    if cluster is None:
        return
    if not CLUSTER.fullmatch(cluster):
        raise RequestError(
            f"{cluster!r} is no cluster; write ray for the one that this machine is a node of, or "
            "ray:HOST:PORT"
        )
    if ":" in device:
        raise RequestError(
            f"a cluster gives each worker its GPU, and {device!r} names one; use --device cuda"
        )
    if request.gpus is not None:
        raise RequestError(
            "--gpus names GPUs of this machine, and a cluster chooses its own; leave it out"
        )
    if request.devices > 1 or request.towers_on is not None:
        raise RequestError(
            "a cluster trains each run on one device; leave --devices and --tower-devices out"
        )
    if request.study == ALL and request.smoke:
        raise RequestError("the smoke of all studies is of one machine; leave --cluster out")


def refuse_crowded(devices: int, configs: Iterable[Config]) -> None:
    """Refuse more devices than a batch has images, of any config.

    Raises:
        RequestError: With the largest number that there can be.
    """
    batch = min(config.training.batch for config in configs)
    if devices > batch:
        raise RequestError(
            f"{counted(devices, 'device')} are more than the {counted(batch, 'image')} of a batch; "
            f"use --devices {batch} at most"
        )


def asked(request: Request) -> tuple[Study, Manifest]:
    """Return the study as a dataset can show it, and the dataset's manifest."""
    study = find_study(request.study)
    smoke = request.smoke and request.dataset is None
    dataset = GENERATED if smoke else dataset_of(study, request.dataset)
    manifest = read_manifest(dataset, request.data_dir)
    shown = shown_on(study, manifest)
    if request.epochs is not None:
        shown = trained_for(shown, manifest.name, request.epochs)
    if request.tower_devices:
        refuse_towers(shown, manifest.name)
    return shown, manifest


def refuse_towers(study: Study, dataset: str) -> None:
    """Refuse a study whose networks two devices cannot share.

    Those without towers are trained on the first device, if others have them.

    Raises:
        RequestError: If none has towers, or an arm's cannot be on a device each.
    """
    networks = {arm: study.config(dataset, arm).network for arm in study.arms}
    if not any(map(has_towers, networks.values())):
        raise RequestError(
            f"no network of {study.name} on {dataset} has a layer in groups, so there are no two "
            "towers for --tower-devices"
        )
    for arm, network in networks.items():
        try:
            if has_towers(network):
                stages(network)
        except TowersError as error:
            raise RequestError(f"{arm!r} cannot be on two devices: {error}") from error


def dataset_of(study: Study, name: str | None) -> str:
    """Return the name of the dataset that was asked for.

    Raises:
        DatasetError: If it is the paper's, and the study asks nothing of the paper.
    """
    if name is None:
        return default_dataset(study)
    if name != "paper":
        return name
    if study.paper_dataset is None:
        raise DatasetError(f"{study.name} asks nothing of the paper; name a dataset")
    return study.paper_dataset


def default_dataset(study: Study) -> str:
    """Return the first dataset that a study has a base for and that has what it needs."""
    known = {name: CATALOGUE[name].has for name in study.bases if name in CATALOGUE}
    able = (name for name, has in known.items() if study.can_be_shown(has))
    return next(able, next(iter(study.bases)))


def settings_of(request: Request, threads: int) -> WorkerSettings:
    """Return where workers of so many threads work."""
    return WorkerSettings(
        request.results.resolve(),
        request.data_dir.resolve(),
        request.device,
        request.threads_each(threads),
        request.command,
        request.kept_weights,
        tower_devices=request.tower_devices,
    )


def ready(workers: Workers, console: Console) -> Probe:
    """Wait for the first worker; return what it says of the machine."""
    while True:
        for event in workers.events(timeout=60):
            if isinstance(event, Probe):
                return event
            say_if_device_failed(console, event)
