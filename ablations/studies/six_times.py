"""What it would take for ReLU to be six times as fast as tanh (section 3.1, Figure 1)."""

from typing import Any, NamedTuple

from ablations.bases import FIRST_UNSEEN
from ablations.studies.relu_vs_tanh import GIVE_UP, RATES, base_config
from ablations.study import Arm, Base, Contrast, Study, TimeTo
from alexnet.config import ChannelMeans, FanIn, Relu, Tanh
from alexnet.presets import cifar_19pct, cifar_80sec, cifar_conv_local_13pct

HORIZON, THRESHOLD, SEEDS = 70, 0.25, 3
NETWORKS = {
    "80sec": cifar_80sec(),
    "19pct": cifar_19pct(),
    "13pct": cifar_conv_local_13pct(),
}
ACTIVATIONS = (Relu(), Tanh())
CALLED = {"relu": "ReLU", "tanh": "tanh"}
FINER = (0.0003, 0.00052, 0.001, 0.00173, 0.003, 0.0052, 0.01, 0.0173, 0.03, 0.052)
"""The grid of `relu_vs_tanh` and a step of the root of 3 between its rates and beyond."""


class Reading(NamedTuple):
    """One way to fill in what the paper leaves open."""

    network: str
    scaled: bool = False  # inputs by channel, mean and deviation of each; else raw
    fan_in: bool = False  # initial weights and biases by the number of inputs; else as released

    @property
    def name(self) -> str:
        """What its arms are called by."""
        inputs, start = "scaled" if self.scaled else "raw", "fan-in" if self.fan_in else "released"
        return f"{self.network}, {inputs}, {start}"

    def changes(self, act: Relu | Tanh) -> dict[str, Any]:
        """Return the changes that make the base this reading, with an activation."""
        network = NETWORKS[self.network].network
        if self.fan_in:
            by_inputs = {"init": FanIn().model_dump()}
            network = network.but(
                convolutions={conv.name: by_inputs for conv in network.convolutions},
                classifier={layer.name: by_inputs for layer in network.classifier},
            )
        changed = network.model_dump()
        changed["parts"] |= {"act": act.model_dump()}
        inputs = {"inputs": {"normalise": ChannelMeans()}} if self.scaled else {}
        return {"network": changed, **inputs}


JUDGED = Reading("80sec")
"""That of `relu_vs_tanh`, of which the map is drawn."""
READINGS = (
    JUDGED,
    Reading("19pct"),
    Reading("13pct"),
    Reading("80sec", scaled=True),
    Reading("80sec", fan_in=True),
    Reading("80sec", scaled=True, fan_in=True),
)


def arms() -> dict[str, Arm]:
    """Return two arms a reading, each at its best rate; then those of the map, a rate each."""
    best = {
        f"{reading.name}: {act.kind}": Arm(
            changes=reading.changes(act), label=f"{reading.name}: {CALLED[act.kind]}"
        )
        for reading in READINGS
        for act in ACTIVATIONS
    }
    of_the_map = {
        f"{act.kind} at {rate:g}": Arm(
            changes=JUDGED.changes(act), rates=(rate,), label=f"{CALLED[act.kind]} at {rate:g}"
        )
        for act in ACTIVATIONS
        for rate in FINER
    }
    return best | of_the_map


CIFAR = Base(
    config=base_config(epochs=HORIZON, training_error=THRESHOLD),
    metric=TimeTo(training_error=THRESHOLD),
    rates=RATES,
    give_up=GIVE_UP,
    first_seed=FIRST_UNSEEN,
    setting="closest reading",
    left_open=(
        "each reading fills in what the paper leaves open in another way; none has weight decay, "
        "dropout, random crops or flips",
        "5,000 of the 50,000 training images are held out",
        "images come in a new order each epoch; cuda-convnet read its files in one order",
    ),
    judged=False,
    seeds=SEEDS,
)

STUDY = Study(
    name="six_times",
    title="What would it take to get six?",
    asks="What would it take to get six?",
    section="3.1, Figure 1",
    claim="C09",
    question="Under which reading of the paper's experiment is ReLU six times as fast as tanh?",
    paper_says="a four-layer network with ReLU reaches 25 % training error on CIFAR-10 six times "
    "faster than the same network with tanh",
    leaves_open="the network, the scale of its inputs, its initial weights and its rates",
    we_chose="six readings: three networks of cuda-convnet without decay; then the first of them "
    "with inputs scaled by channel, with weights that start by the number of inputs, and both; "
    "each activation at its best rate. And one map of the first: epochs to 25 % against the rate, "
    "ten rates, which shows both activations at their best, at one rate, and where one never "
    "arrives. Three seeds each, ranked and not judged",
    would_change="a reading that is not among them",
    paper_dataset="cifar10",
    arms=arms(),
    contrasts=tuple(
        Contrast(
            arm=f"{reading.name}: relu",
            against=f"{reading.name}: tanh",
            claim="C09",
            paper=6.0,
            judged=False,
        )
        for reading in READINGS
    ),
    bases={
        "cifar10": CIFAR,
        "cifar10_jpeg": CIFAR.but(
            setting="stand-in",
            first_seed=0,
            left_open=(*CIFAR.left_open, "the images are a copy of CIFAR-10 stored as JPEG"),
        ),
    },
    shows="readings",
    one_by_one=True,
)
