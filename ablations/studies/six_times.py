"""What it would take for ReLU to be six times as fast as tanh (section 3.1, Figure 1)."""

from itertools import product
from typing import Any

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
INPUTS: dict[str, dict[str, Any]] = {
    "raw": {},
    "scaled": {"inputs": {"normalise": ChannelMeans()}},
}
STARTS = ("as released", "fan-in")
READINGS = tuple(product(INPUTS, STARTS, NETWORKS))


def reading(inputs: str, start: str, network: str) -> dict[str, Any]:
    """Return the changes that make the base one reading of the paper's experiment."""
    chosen = NETWORKS[network].network
    if start == "fan-in":
        by_inputs = {"init": FanIn().model_dump()}
        chosen = chosen.but(
            convolutions={conv.name: by_inputs for conv in chosen.convolutions},
            classifier={layer.name: by_inputs for layer in chosen.classifier},
        )
    return {"network": chosen.model_dump(), **INPUTS[inputs]}


def arms() -> dict[str, Arm]:
    """Return three arms a reading: ReLU, tanh, and tanh at the rate that suits ReLU."""
    found = {}
    for inputs, start, network in READINGS:
        name = f"{network}, {inputs}, {start}"
        for act in (Relu(), Tanh()):
            changes = reading(inputs, start, network)
            changes["network"]["parts"] |= {"act": act.model_dump()}
            found[f"{name}: {act.kind}"] = Arm(changes=changes)
        found[f"{name}: tanh at ReLU's rate"] = Arm(changes=changes, tuned_as=f"{name}: relu")
    return found


def contrasts() -> tuple[Contrast, ...]:
    """Return two contrasts a reading: each arm at its best rate, and both at ReLU's."""
    return tuple(
        Contrast(
            arm=f"{network}, {inputs}, {start}: relu",
            against=f"{network}, {inputs}, {start}: {against}",
            claim="C09", paper=6.0, judged=False,
        )
        for inputs, start, network in READINGS
        for against in ("tanh", "tanh at ReLU's rate")
    )  # fmt: skip


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
    we_chose="three networks of cuda-convnet without decay; inputs raw, or scaled by channel (mean "
    "and deviation of each, no mean image); initial weights as released, or weights and biases by "
    "the number of inputs; each activation at its best rate and both at ReLU's: 24 readings, three "
    "seeds each, ranked and not judged",
    would_change="a reading that is not among them",
    paper_dataset="cifar10",
    arms=arms(),
    contrasts=contrasts(),
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
