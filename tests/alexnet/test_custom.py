"""Parts of one's own in a network: what they may do, what is refused, and runs that repeat."""

import random
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load, save
from torch import Tensor
from torch.nn import functional

from alexnet.config import Adam, Config, Custom, Precision, Relu
from alexnet.cost import cost_of
from alexnet.custom import CustomError, CustomPart, build_custom, trusting
from alexnet.data.images import Dataset
from alexnet.layers import build_part
from alexnet.model import AlexNet, build, skeleton
from alexnet.optim import Momentum, learners, optimizer_for
from alexnet.presets import paper, tiny
from alexnet.training import fit, step
from tests.builders.counting import count
from tests.builders.own_parts import PARTS, looked_for_in, part, with_part


@pytest.fixture(autouse=True, scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Return the file of all parts, where it is found."""
    folder = tmp_path_factory.mktemp("parts")
    (folder / "parts_of_mine.py").write_text(PARTS)
    with looked_for_in(folder):
        yield folder / "parts_of_mine.py"


SQUAREPLUS = {"name": "Squareplus", "kwargs": {"b": 4.0}}
FIT = [
    pytest.param("act", SQUAREPLUS, id="class"),
    pytest.param("act", {"name": "double", "kwargs": {"times": 1.5}}, id="function"),
    pytest.param("act", {"name": "PRelu", "parameters_per_map": 1}, id="learned"),
    pytest.param("act", {"name": "inplace"}, id="in place"),
    pytest.param("norm", {"name": "Moving", "role": "norm"}, id="norm"),
    pytest.param(
        "pool", {"name": "Blur", "role": "pool", "size": 3, "stride": 2, "padding": 1}, id="pool"
    ),
]
every_fit_part = pytest.mark.parametrize(("place", "about"), FIT)


def numbers(*values: float) -> Tensor:
    """Return (1, n, 1, 1)."""
    return torch.tensor(values).reshape(1, -1, 1, 1)


def test_a_class_and_a_function_compute_what_they_say() -> None:
    """With their arguments: (x + sqrt(x^2 + 4)) / 2 is 1 of 0 and (3 + sqrt 13) / 2 of 3."""
    own = build_part(part(**SQUAREPLUS))
    twice, thrice = (build_part(part("double", kwargs=k)) for k in ({}, {"times": 3}))

    assert own(numbers(0, 3)).flatten().tolist() == pytest.approx([1, (3 + 13**0.5) / 2])
    assert twice(numbers(1, -2)).flatten().tolist() == [2, -4]
    assert thrice(numbers(1, -2)).flatten().tolist() == [3, -6]


@every_fit_part
@pytest.mark.parametrize("precision", ["float32", "float64", "bfloat16"])
def test_a_network_with_it_is_built_and_trains(
    place: str, about: dict[str, object], precision: Precision, images: Dataset
) -> None:
    """In every precision; twice the same, to the bit, whatever chance was drawn before."""
    config = with_part(place, part(**about)).but(training={"epochs": 1})
    found = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        random.seed(seed)
        network = build(config, 3, precision)
        optimizer = optimizer_for(network, config.training.optimizer)
        epochs = list(fit(network, optimizer, images, config, 3, precision))
        found.append(([e.loss for e in epochs], network.state_dict()))

    (losses, weights), (again, others) = found
    assert losses == again
    assert losses
    assert all(torch.equal(values, others[name]) for name, values in weights.items())


@every_fit_part
def test_a_step_runs_on_the_meta_device(place: str, about: dict[str, object]) -> None:
    """Where most operations refuse a tensor left behind on the CPU, as a GPU would."""
    network = skeleton(with_part(place, part(**about)).network)
    assert {values.device.type for values in network.state_dict().values()} == {"meta"}
    optimizer = optimizer_for(network, tiny().training.optimizer)
    pixels = torch.empty(4, 3, 12, 12, device="meta")
    labels = torch.empty(4, dtype=torch.int64, device="meta")

    loss, _ = step(network, optimizer, pixels, labels, "float32")

    assert loss.device.type == "meta"


@every_fit_part
def test_stopped_after_any_epoch_it_goes_on_to_the_same_bits(
    place: str, about: dict[str, object], images: Dataset
) -> None:
    """From weights, buffers and the optimizer's state alone, as a file keeps them."""
    config = with_part(place, part(**about)).but(training={"epochs": 3})

    def trained(stop: int | None) -> dict[str, Tensor]:
        network = build(config, 5)
        optimizer = optimizer_for(network, config.training.optimizer)
        done = []
        for epoch in fit(network, optimizer, images, config, 5, "float32"):
            done.append(epoch)
            if epoch.number == stop:
                break
        if stop is None:
            return network.state_dict()
        kept = load(save({n: v.contiguous() for n, v in network.state_dict().items()}))
        state = {name: values.clone() for name, values in optimizer.state().items()}
        again = build(config, 5)
        again.load_state_dict(kept)
        other = optimizer_for(again, config.training.optimizer)
        for name, values in other.state().items():
            values.copy_(state[name])
        list(fit(again, other, images, config, 5, "float32", done))
        return again.state_dict()

    whole = trained(None)
    for stop in (1, 2):
        resumed = trained(stop)
        assert all(torch.equal(values, resumed[name]) for name, values in whole.items())


def starts(config: Config, seed: int, precision: Precision = "float32") -> dict[str, Tensor]:
    """Return the initial weights of a network."""
    return build(config, seed, precision).state_dict()


def test_what_it_starts_from_is_drawn_under_its_own_name() -> None:
    """Layers keep theirs; seeds and layers differ; a pinned stream and one seed do not."""
    own, config = part("PRelu", parameters_per_map=1), tiny()
    learned = with_part("act", own)
    before, first, second = starts(config, 0), starts(learned, 0), starts(learned, 1)
    slopes = {name for name in first if name not in before}
    pinned = starts(learned.but(pinned=("init",)), 1)
    without = starts(learned.but(network={"parts": {"norm": None}}), 0)

    assert slopes == {f"{layer}_act.part.weight" for layer in
                      ("features.conv1", "features.conv2", "classifier.fc3")}  # fmt: skip
    assert all(torch.equal(first[name], values) for name, values in before.items())
    assert not any(torch.equal(first[name], second[name]) for name in slopes)
    assert all(torch.equal(first[name], pinned[name]) for name in first)
    assert all(torch.equal(first[name], without[name]) for name in slopes)
    conv1, conv2 = (first[f"features.{name}_act.part.weight"] for name in ("conv1", "conv2"))
    assert not torch.equal(conv1, conv2[:4])


def test_in_float64_it_draws_in_float64() -> None:
    """As layers do: its numbers are not those of float32 with zeros behind."""
    config = with_part("act", part("PRelu", parameters_per_map=1))

    slope = starts(config, 0, "float64")["features.conv1_act.part.weight"]

    assert slope.dtype == torch.float64
    assert not torch.equal(slope, slope.float().double())
    assert torch.get_default_dtype() == torch.float32


def test_building_leaves_chance_and_settings_as_they_were() -> None:
    """A notebook's own numbers do not move."""
    torch.manual_seed(7)
    before = torch.get_rng_state(), random.getstate(), str(np.random.get_state())
    with torch.no_grad():
        build(with_part("act", part("PRelu", parameters_per_map=1)), 0, "float64")

        assert not torch.is_grad_enabled()
    assert torch.equal(torch.get_rng_state(), before[0])
    assert (random.getstate(), str(np.random.get_state())) == before[1:]


def test_its_numbers_learn_as_biases_do() -> None:
    """At their rate, and without the decay of weights."""
    config = paper().but(
        network={"parts": {"act": part("PRelu", parameters_per_map=1)}},
        training={"optimizer": {"weight_decay": 0.1, "bias_rate": 2.0}},
    )
    network = skeleton(config.network)
    optimizer = Momentum(network, config.training.optimizer)
    found = {
        learner.layer: (learner.of, rate, decay)
        for learner, rate, decay in zip(
            optimizer.learners, optimizer.rates, optimizer.decays, strict=True
        )
        if learner.layer.endswith("_act")
    }

    assert found == {
        f"{layer.name}_act": ("biases", 2 * config.training.optimizer.rate, 0.0)
        for layer in config.network.layers[:-1]
    }
    assert {learner.layer for learner in learners(network)} == {
        *(layer.name for layer in config.network.layers), *found,
    }  # fmt: skip


def test_what_it_costs_is_what_its_config_says() -> None:
    """Counted on the network."""
    config = with_part("act", part("PRelu", parameters_per_map=1))
    network = build(config, 0)

    assert cost_of(config.network).parameters == sum(p.numel() for p in network.parameters())
    assert cost_of(config.network).activations == count(config.network).activations


def test_batch_normalisation_of_pytorch_in_a_file_is_that_of_the_package(
    parts: Path, images: Dataset
) -> None:
    """Bit by bit, after training: its buffers are reset, kept and used alike."""
    (parts.parent / "torchs.py").write_text(
        "from torch import nn\n\n\nclass Norm(nn.BatchNorm2d):\n"
        "    def __init__(self, maps):\n        super().__init__(maps, affine=False)\n"
    )
    own = Custom(target="torchs:Norm", role="norm")

    def weights(norm: object) -> list[Tensor]:
        config = tiny().but(network={"parts": {"norm": norm}}, training={"epochs": 1})
        network = build(config, 0)
        list(fit(network, optimizer_for(network, config.training.optimizer), images, config, 0,
                 "float32"))  # fmt: skip
        return list(network.state_dict().values())

    pairs = zip(weights(own), weights({"kind": "batch_norm"}), strict=True)
    assert all(torch.equal(one, other) for one, other in pairs)


def test_relu_of_ones_own_is_relu(parts: Path, images: Dataset) -> None:
    """Losses of a training, digit by digit; its gradient at 0 is PyTorch's."""
    (parts.parent / "rectified.py").write_text(
        "import torch\n\n\ndef relu(x):\n    return torch.relu(x)\n"
    )

    def losses(act: object) -> list[float]:
        config = tiny().but(network={"parts": {"act": act}}, training={"epochs": 1})
        network = build(config, 0)
        optimizer = optimizer_for(network, config.training.optimizer)
        return [e.loss for e in fit(network, optimizer, images, config, 0, "float32")]

    assert losses(Custom(target="rectified:relu")) == losses(Relu())


def test_adam_moves_it_too(images: Dataset) -> None:
    """Its slopes learn."""
    config = with_part("act", part("PRelu", parameters_per_map=1)).but(
        training={"optimizer": Adam(rate=0.001), "epochs": 1}
    )
    network = build(config, 0)
    before = {name: values.clone() for name, values in network.state_dict().items()}
    list(fit(network, optimizer_for(network, config.training.optimizer), images, config, 0,
             "float32"))  # fmt: skip

    name = "features.conv1_act.part.weight"
    assert not torch.equal(network.state_dict()[name], before[name])


@pytest.mark.parametrize(
    ("place", "about", "why"),
    [
        ("act", {"name": "Counting"}, "remembers more than its parameters and buffers"),
        ("act", {"name": "Forgetful"}, "remembers more than its parameters and buffers"),
        ("act", {"name": "shared"}, "remembers more than its parameters and buffers"),
        ("act", {"name": "Own"}, "remembers more .* or draws chance"),
        ("act", {"name": "Noisy"}, "draws chance when it is called"),
        ("act", {"name": "longer", "kwargs": {"factors": [2.0]}}, "remembers more than its"),
        ("act", {"name": "masked"}, "draws chance when it is called"),
        ("act", {"name": "numpys"}, "draws chance when it is called"),
        ("act", {"name": "pythons"}, "draws chance when it is called"),
        ("act", {"name": "Odd"}, "starts from other numbers each time"),
        ("act", {"name": "Plain"}, "keeps a tensor as factor, .* register_buffer\\('factor'"),
        ("act", {"name": "Tied", "parameters": 1}, "no file of weights holds"),
        ("act", {"name": "Unused", "parameters": 1}, "a parameter factor that gets no gradient"),
        ("act", {"name": "PRelu"}, "learns 4 numbers after a layer of 4 maps .* says 0"),
        ("act", {"name": "half"}, "makes 4x6x12 of 4x12x12, and 4x12x12 is expected"),
        ("norm", {"name": "half", "role": "norm"}, "a part of the role 'norm' keeps sizes"),
        ("pool", {"name": "Blur", "role": "pool", "size": 3, "stride": 2},
         "makes 4x6x6 of 4x12x12, and 4x5x5 is expected; set size, stride, padding"),
        ("act", {"name": "cut"}, "gives no gradient, so that no layer before it would learn"),
        ("act", {"name": "constant"}, "passes no gradient on"),
        ("act", {"name": "several"}, "gives a tuple; a part gives a tensor"),
        ("act", {"name": "wrong"}, "raises KeyError: 'no'"),
        ("act", {"name": "Squareplus"}, "raises TypeError: .* missing 1 required"),
        ("act", {"name": "Squareplus", "kwargs": {"c": 1}}, "unexpected keyword argument 'c'"),
        ("act", {"name": "Lazy"}, "has no size before it is called; .* take maps"),
        ("act", {"name": "one"}, "is a ReLU; a part is a class of torch.nn.Module"),
        ("act", {"name": "NoPart"}, "is the class NoPart; a part is a class of torch.nn.Module"),
        ("act", {"name": "random"}, "is a module; a part is"),
    ],
)  # fmt: skip
def test_what_no_run_could_keep_or_repeat_is_refused(
    place: str, about: dict[str, object], why: str
) -> None:
    """When the network is built, by the target's name."""
    own = part(**about)

    with pytest.raises(CustomError, match=f"{own.target}.* {why}"):
        build(with_part(place, own), 0)


def test_a_part_of_float32_alone_is_refused_in_float64() -> None:
    """In its own precision it may run."""
    for name in ("single", "of_default"):
        config = with_part("act", part(name))
        build(config, 0)
        with pytest.raises(CustomError, match="gives float32 of float64"):
            build(config, 0, "float64")


def test_code_that_a_record_names_runs_for_who_trusts_it_alone(
    parts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing of it is run before; the same value made here needs no word."""
    text = (
        "from pathlib import Path\n\nPath(__file__).with_name('ran').touch()\n\n\n"
        "def theirs(x):\n    return x\n"
    )
    (parts.parent / "of_others.py").write_text(text)
    made = with_part("act", Custom(target="of_others:theirs")).model_dump_json()
    monkeypatch.setattr("alexnet.config.source._FOUND_HERE", set())
    read = Config.model_validate_json(made)
    ran = parts.parent / "ran"

    for attempt in (lambda: build(read, 0), lambda: skeleton(read.network),
                    lambda: AlexNet(read.network)):  # fmt: skip
        with pytest.raises(CustomError, match=r"of_others:theirs is code that a record .* --trust"):
            attempt()
    assert not ran.exists()
    with trusting():
        assert isinstance(build(read, 0).features.conv1_act, CustomPart)
    assert ran.exists()
    with pytest.raises(CustomError, match="--trust"):
        build(read, 0)
    Custom(target="of_others:theirs")
    build(read, 0)


def test_a_changed_file_is_not_taken_for_what_it_was(parts: Path) -> None:
    """And what a process has loaded stays what was digested, whatever the file is meanwhile."""
    path = parts.parent / "moving.py"
    path.write_text("def times(x):\n    return 2 * x\n")
    loaded, first = Custom(target="moving:times"), numbers(1)
    assert build_part(loaded)(first).item() == 2
    path.write_text("def times(x):\n    return 3 * x\n")
    edited = Custom(target="moving:times")
    assert build_part(edited)(first).item() == 3
    assert build_part(loaded)(first).item() == 2

    path.write_text("def times(x):\n    return 4 * x\n")
    never = Custom(target="moving:times")
    path.write_text("def times(x):\n    return 5 * x\n")
    with pytest.raises(ValueError, match=r"moving\.py has changed: its digest is"):
        build_custom(never, 1)


def test_a_file_may_define_what_looks_for_its_module(parts: Path) -> None:
    """Dataclasses do, whose annotations are texts."""
    (parts.parent / "with_data.py").write_text(
        "from __future__ import annotations\n\nfrom dataclasses import dataclass\n"
        "from typing import ClassVar\n\n\n@dataclass\nclass Two:\n    most: ClassVar[int] = 2\n"
        "    times: float = 2.0\n\n\ndef times(x):\n    return Two().times * x\n"
    )

    assert build_part(Custom(target="with_data:times"))(numbers(1)).item() == 2


def test_pytorchs_own_parts_come_in_by_a_file_of_one_line(parts: Path) -> None:
    """Whatever is installed may be imported."""
    (parts.parent / "mish.py").write_text("from torch.nn import Mish\n")
    x = torch.linspace(-3, 3, 7)

    assert torch.equal(build_part(Custom(target="mish:Mish"))(x), functional.mish(x))
