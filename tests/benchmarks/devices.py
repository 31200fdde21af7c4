"""Times a training step of a network by one device, and by several together.

    python tests/benchmarks/devices.py                                # two processes on the CPU
    python tests/benchmarks/devices.py --devices 4 --device cuda --network paper --dataset imagenet

On a CPU, each number of devices takes as many cores in all, one thread each.
"""

import argparse
import tempfile
from pathlib import Path

from ablations.run import DatasetRef
from ablations.workers.processes import LocalWorkers
from ablations.workers.protocol import Timed, TimeStep, WorkerSettings
from alexnet.data.manifest import default_data_dir
from alexnet.data.stored import read_manifest
from alexnet.data.synthetic import GENERATED
from alexnet.presets import preset


def main() -> None:
    """Print the seconds of a step, several times in turn, since other work disturbs them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--devices", type=int, default=2)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--network", nargs="+", default=["cifar_80sec", "alexnet_cifar"])
    parser.add_argument("--dataset", default=GENERATED)
    parser.add_argument("--precision", default="float32")
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    dataset = DatasetRef.of(read_manifest(asked.dataset, default_data_dir()))
    with tempfile.TemporaryDirectory() as folder:
        workers = {
            (count, threads): LocalWorkers(1, place)
            for count, threads in settings(asked.devices, asked.device)
            for place in [WorkerSettings(Path(folder), default_data_dir(), asked.device, threads,
                                         "a benchmark", devices=count)]
        }  # fmt: skip
        try:
            for name in asked.network:
                job = TimeStep(preset(name), dataset, asked.precision, asked.steps)
                for how, one in workers.items():
                    times = [timed(one, job) for _ in range(asked.rounds)]
                    steps = ", ".join(f"{1e3 * one.seconds:.1f}" for one in times)
                    print(f"{name}, {times[0].parameters:,} parameters, devices {how[0]}, "
                          f"threads each {how[1]}: {steps} ms a step")  # fmt: skip
        finally:
            for one in workers.values():
                one.close()


def settings(devices: int, device: str) -> list[tuple[int, int]]:
    """Return devices and threads of each: one alone, one with all the threads, several."""
    alone = [(1, 1)] if device != "cpu" else [(1, 1), (1, devices)]
    return [*alone, (devices, 1)]


def timed(workers: LocalWorkers, job: TimeStep) -> Timed:
    """Return what a step takes."""
    while not workers.idle:
        list(workers.events(timeout=1.0))
    workers.submit(job)
    while True:
        for event in workers.events(timeout=1.0):
            if isinstance(event, Timed):
                return event


if __name__ == "__main__":
    main()
