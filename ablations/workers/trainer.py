"""Inside a worker process: PyTorch and the images loaded once, then one run after another."""

import contextlib
import itertools
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence

import torch
from safetensors.torch import save
from torch import Tensor

from ablations.checkpoint import Checkpoint, CheckpointError, Pace
from ablations.kept import DATASET, WEIGHTS
from ablations.machine import Fingerprint, processor, provenance, variables
from ablations.record import Record, Seconds
from ablations.run import DatasetRef, Run
from ablations.store import CHECKPOINT, Store
from ablations.workers.protocol import (
    NO_MEMORY,
    DeviceError,
    Job,
    Timed,
    TimeStep,
    WorkerError,
    WorkerSettings,
    says_no_memory,
)
from ablations.workers.ranks import FirstRank, OnlyRank, RankError, Ranks
from alexnet.config import Config, Precision
from alexnet.config.source import SourceError
from alexnet.config.towers import has_towers
from alexnet.custom import trusting
from alexnet.data.batches import training_batches
from alexnet.data.digests import digest_of
from alexnet.data.images import Dataset, load
from alexnet.data.manifest import DatasetError
from alexnet.data.stored import read_manifest
from alexnet.data.summary import Summary
from alexnet.durable import write_atomically
from alexnet.evaluation import Neighbourhood, Scores, evaluate
from alexnet.examples import about, examples, shows_anything
from alexnet.learning_curve import Epoch
from alexnet.model import AlexNet, build
from alexnet.optim import Optimizer, optimizer_for
from alexnet.parallel import share_out
from alexnet.precision import image_type
from alexnet.text import counted
from alexnet.towers import TowerOptimizers, Trained, TwoTowers, whole_of
from alexnet.training import DivergedError, batch_sizes, fit, step


class Workbench:
    """One worker's device, store and images.

    It runs whatever code its runs name: who starts it has seen whose they are.
    """

    def __init__(self, place: WorkerSettings, ranks: Ranks | None = None) -> None:
        """Set PyTorch up for results that repeat bit by bit.

        Args:
            place: Where it works, and on how many devices.
            ranks: Given to a rank that is not the first of a worker; others are started by that.

        Raises:
            WorkerError: If a device is not there.
        """
        torch.set_num_threads(place.threads)
        torch.use_deterministic_algorithms(True, warn_only=True)
        # Nothing here reads memory before writing it, so none needs to be filled beforehand.
        torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
        torch.backends.cudnn.benchmark = False
        # What is called float32 is: TF32 would keep 10 of the 23 bits of every product on a GPU.
        torch.backends.cudnn.allow_tf32 = False
        torch.set_float32_matmul_precision("highest")
        self.place = place
        found = "cuda" if torch.cuda.is_available() else "cpu"
        if place.device.startswith("cuda") and found == "cpu":
            without = "--tower-devices cpu,cpu" if place.tower_devices else "--device cpu"
            raise DeviceError(f"PyTorch finds no CUDA device here; use {without}")
        self.device = torch.device(found if place.device == "auto" else place.device)
        if place.devices > 1 and self.device.type == "cuda":
            self.device = _card(ranks.share.rank if ranks else 0, place.devices)
        _refuse_missing(place.tower_devices)
        self.store = Store(place.results)
        self.left = ""  # what the last run's checkpoint was of, if it could not go on from it
        self._room = self._room_on_gpu() if self.device.type == "cuda" else None
        self._variables = variables()  # libraries read them when they are first used
        self._data: dict[DatasetRef, Dataset] = {}
        self.ranks: Ranks = ranks or OnlyRank()
        if ranks is None and place.devices > 1:
            self.ranks = FirstRank(place, self.device, self.fingerprint().device)

    def data(self, asked: DatasetRef) -> Dataset:
        """Return a dataset on the device, loaded on first use.

        Raises:
            DatasetError: If other images lie there than were asked for.
        """
        if asked not in self._data:
            here = DatasetRef.of(read_manifest(asked.name, self.place.data_dir))
            if here != asked:
                raise DatasetError(
                    f"{asked.name} in {self.place.data_dir} holds other images (digest "
                    f"{here.digest[:12]}, split {here.split[:12]}) than this run is of "
                    f"({asked.digest[:12]}, {asked.split[:12]}); give it the folder of those"
                )
            self._data[asked] = load(asked.name, self.place.data_dir).to(self.device, self._room)
        return self._data[asked]

    def _room_on_gpu(self) -> int:
        """Return the bytes of the GPU's memory that are this worker's.

        Workers that share a GPU come to the same number, whichever is first to look.

        Raises:
            DeviceError: If there is no such GPU, or no memory for what a process takes of it.
        """
        try:
            _, total = torch.cuda.mem_get_info(self.device)
        except RuntimeError as error:
            raise DeviceError(sentence_of(error).splitlines()[0]) from error
        return total // self.place.per_gpu if self.place.room is None else self.place.room

    def computes(self) -> bool:
        """Return whether the device still does anything.

        After some errors, such as an access to memory that is not there, a GPU does nothing more
        for the process; others, such as too little memory, leave it as it was.
        """
        if self.device.type != "cuda":
            return True
        try:
            torch.cuda.synchronize(self.device)
        except RuntimeError:
            return False
        return True

    def fingerprint(self, config: Config | None = None) -> Fingerprint:
        """Return what bit-identical results need to have in common, of a network if one is given.

        One in two towers is on two devices, if this place has them.
        """
        cuda = self.device.type == "cuda"
        return Fingerprint(
            device=torch.cuda.get_device_name(self.device) if cuda else self.device.type,
            processor=processor(),
            capability="{}.{}".format(*torch.cuda.get_device_capability(self.device))
            if cuda
            else torch.backends.cpu.get_cpu_capability(),
            threads=self.place.threads,
            torch=torch.__version__,
            variables=self._variables,
            devices=self.place.devices,
            tower_devices=2 if config is not None and self._is_shared(config) else 1,
        )

    def _is_shared(self, config: Config) -> bool:
        return bool(self.place.tower_devices) and has_towers(config.network)

    def _placed(
        self, config: Config, whole: AlexNet, optimizer: Optimizer
    ) -> tuple[Trained, Optimizer]:
        """Return what trains in the place of a network: its towers, if they are on two devices."""
        if not self._is_shared(config):
            return whole, optimizer
        towers = TwoTowers(config.network, whole, self.place.tower_devices)
        return towers, TowerOptimizers(towers, optimizer, config.training.optimizer)

    def precision(self) -> Precision:
        """Return bfloat16 where the device computes in it, float32 elsewhere; never by timing.

        Nor is it float64, which is asked for by name.
        """
        if self.device.type == "cuda":
            native = torch.cuda.get_device_capability(self.device) >= (8, 0)
            supported = torch.cuda.is_bf16_supported(including_emulation=False)
            return "bfloat16" if native and supported else "float32"
        if self.device.type == "cpu":
            cpu = torch.cpu
            if cpu._is_amx_tile_supported() or cpu._is_avx512_bf16_supported():
                return "bfloat16"
        return "float32"

    def time_step(self, job: TimeStep) -> Timed:
        """Return the median time of a training step on real images, after two to warm up."""
        config = job.config
        with trusting():
            whole = build(config, 0, job.precision).to(self.device)
        learner = optimizer_for(whole, config.training.optimizer)
        network, optimizer = self._placed(config, whole, learner)
        data, kind = self.data(job.dataset), image_type(job.precision)
        share = self.ranks.share
        share_out(whole, config, job.precision, share)
        sizes = batch_sizes(data, config)
        rows = share.rows if share else None
        epochs = (
            training_batches(data, config, 0, epoch, kind, rows) for epoch in itertools.count(1)
        )
        batches = itertools.chain.from_iterable(epochs)  # a small set has few in each
        network.train()
        times = []
        with self.ranks.together(job, (), ()):
            every = zip(batches, itertools.cycle(sizes), strict=False)
            for (images, labels), share.batch in itertools.islice(every, job.steps + 2):
                start = time.perf_counter()
                float(step(network, optimizer, images, labels, job.precision, share=share)[0])
                times.append(time.perf_counter() - start)
        parameters = sum(parameter.numel() for parameter in network.parameters())
        median = sorted(times[2:])[len(times[2:]) // 2]
        return Timed(median, parameters, self.fingerprint(config).tower_devices)

    def execute(self, run: Run, tell: Callable[[Epoch], None]) -> Record:
        """Train and measure one run, from its checkpoint if it has one, and commit its record.

        Raises:
            BusyError: If another process is at it.
            DatasetError: If the images here are not the run's.
        """
        with self.store.lock(run), trusting():
            if (record := self.store.find(run)) is not None:
                return record
            return self._train(run, tell)

    def _train(self, run: Run, tell: Callable[[Epoch], None]) -> Record:
        start = time.perf_counter()
        config, data = run.config, self.data(run.dataset)
        network = build(config, run.seed, run.precision).to(self.device)
        optimizer = optimizer_for(network, config.training.optimizer)
        curve, interruptions = self._take_up(run, network, optimizer)
        placed, learner = self._placed(config, network, optimizer)
        status, measures, trained = "finished", None, start
        kept: dict[str, bytes] = {}
        pace = Pace(_size(network, optimizer))
        try:
            for epoch in self._epochs(run, placed, learner, curve):
                curve.append(epoch)
                if pace.is_due:
                    with pace.writing():
                        self._checkpoint(run, placed, learner, curve, interruptions)
                tell(epoch)
            trained = time.perf_counter()
            network = whole_of(placed)
            near = Neighbourhood.of(network, data, config, run.precision)

            def untrained() -> AlexNet:
                return build(config, run.seed, run.precision).to(self.device)

            measures, scores = evaluate(
                network, data, config, run.precision, run.sees_test, near, untrained
            )
            if scores is not None:
                kept["scores.safetensors"] = _scores(scores, data.test.labels)
            if run.sees_test and shows_anything(data):
                kept["examples.safetensors"] = _examples(near, data, config)
        except DivergedError:
            status, trained = "diverged", time.perf_counter()
        record = Record(
            run=run,
            status=status,
            curve=tuple(curve),
            measures=measures,
            files=self._write_files(run, whole_of(placed), kept),
            seconds=Seconds(
                training=sum(epoch.seconds for epoch in curve),
                evaluation=time.perf_counter() - trained,
            ),
            interruptions=interruptions,
            fingerprint=self.fingerprint(config),
            provenance=provenance(self.place.command),
        )
        self.store.add(record)
        return record

    def _epochs(
        self, run: Run, network: Trained, optimizer: Optimizer, curve: Sequence[Epoch]
    ) -> Iterator[Epoch]:
        """Yield the epochs after those in a curve, trained together with the other ranks."""
        data, share = self.data(run.dataset), self.ranks.share
        state = [*network.state_dict().values(), *optimizer.state().values()]
        with self.ranks.together(run, curve, state):
            yield from fit(
                network, optimizer, data, run.config, run.seed, run.precision, curve, share
            )

    def follow(self, job: Job, curve: list[Epoch]) -> None:
        """Do a job as another rank than the first, which knows what was trained before."""
        if isinstance(job, TimeStep):
            self.time_step(job)
            return
        with trusting(), contextlib.suppress(DivergedError):
            network = build(job.config, job.seed, job.precision).to(self.device)
            optimizer = optimizer_for(network, job.config.training.optimizer)
            for _ in self._epochs(job, network, optimizer, curve):
                pass

    def _write_files(self, run: Run, network: AlexNet, kept: Mapping[str, bytes]) -> dict[str, str]:
        """Write what a run leaves beside its record; return the digest of each file.

        That of the weights too where they are not kept: who trains the run again can compare.
        """
        contents = dict(kept)
        weights = save(_tensors(network.state_dict()))
        if self.place.kept_weights.has(run.sees_test, len(weights)):
            contents[WEIGHTS] = weights
            contents[DATASET] = Summary.of(self.data(run.dataset)).to_bytes()
        for name, content in contents.items():
            write_atomically(self.store.folder(run) / name, content)
        return {
            name: digest_of(content) for name, content in ({WEIGHTS: weights} | contents).items()
        }

    def _checkpoint(
        self,
        run: Run,
        network: Trained,
        optimizer: Optimizer,
        curve: list[Epoch],
        interruptions: int,
    ) -> None:
        """Save all that cannot be derived again; of chance, that is nothing."""
        tensors = _tensors(whole_of(network).state_dict()) | _tensors(optimizer.state())
        made_by = self.fingerprint(run.config)
        checkpoint = Checkpoint(run.id, tensors, curve, interruptions, made_by)
        path = self.store.folder(run) / CHECKPOINT
        write_atomically(path, checkpoint.to_bytes())

    def _take_up(self, run: Run, network: AlexNet, optimizer: Optimizer) -> tuple[list[Epoch], int]:
        """Restore a run from its checkpoint; return its epochs and its interruptions so far.

        One that cannot be trusted is set aside, with the reason beside it, and the run is trained
        from the start. So it is where the checkpoint is of another machine or release: going on
        from it would make a run that no single machine can repeat.
        """
        self.left = ""
        path, state = self.store.folder(run) / CHECKPOINT, optimizer.state()
        shapes = {name: one.shape for name, one in (network.state_dict() | state).items()}
        try:
            found = Checkpoint.read(path, run.id, shapes)
        except FileNotFoundError:
            return [], 0
        except CheckpointError as error:
            aside = self.store.set_aside(path)
            reason = f"{path.name} {error}; it is kept as {aside.name}, the run starts anew"
            self.store.add_failure(run, reason)
            return [], 0
        interruptions = found.interruptions + 1
        mine = self.fingerprint(run.config)
        if found.fingerprint != mine:
            self.left = mine.difference(found.fingerprint)
            return [], interruptions
        tensors = dict(found.tensors)
        with torch.no_grad():
            for name, tensor in state.items():
                tensor.copy_(tensors.pop(name))
            network.load_state_dict(tensors)
        return list(found.curve), interruptions


def _card(rank: int, ranks: int) -> torch.device:
    """Return the GPU of a rank, of those that its worker sees.

    Raises:
        WorkerError: If there are fewer than ranks.
    """
    there = torch.cuda.device_count()
    if there < ranks:
        raise WorkerError(
            f"{counted(ranks, 'device')} for each run, and a worker finds "
            f"{counted(there, 'GPU')} here; use --devices {there}, or --device cpu"
        )
    torch.cuda.set_device(rank)
    return torch.device("cuda", rank)


def _refuse_missing(devices: tuple[str, ...]) -> None:
    """Refuse GPUs that are not here."""
    there = torch.cuda.device_count()
    for device in devices:
        kind, _, number = device.partition(":")
        if kind == "cuda" and int(number) >= there:
            raise WorkerError(
                f"--tower-devices names {device}, and PyTorch finds "
                f"{counted(there, 'CUDA device')} here"
            )


def _scores(scores: Scores, labels: Tensor) -> bytes:
    return save(_tensors({**scores._asdict(), "labels": labels[: len(scores.one)]}))


def _examples(near: Neighbourhood, data: Dataset, config: Config) -> bytes:
    tensors = _tensors(examples(near, data).tensors())
    return save(tensors, metadata=about(data.manifest, config))


def _size(network: AlexNet, optimizer: Optimizer) -> int:
    """Return the bytes of all tensors of a checkpoint."""
    state = network.state_dict() | optimizer.state()
    return sum(tensor.numel() * tensor.element_size() for tensor in state.values())


def _tensors(state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.detach().cpu().contiguous() for name, tensor in state.items()}


def sentence_of(error: BaseException) -> str:
    """Return what a person is told of an error: our own sentences as they are."""
    if says_no_memory(error):
        return NO_MEMORY
    ours = isinstance(error, SourceError | RankError)
    return str(error) if ours else f"{type(error).__name__}: {error}"


def explain(error: BaseException) -> str:
    """Return an error as the reason kept with a failed run: a sentence, then where it arose."""
    sentence = sentence_of(error)
    if isinstance(error, OSError) and error.errno == 28:
        sentence = "the disk is full; free some space and run the same command again"
    return sentence + "\n\n" + "".join(traceback.format_exception(error))
