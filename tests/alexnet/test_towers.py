"""Two towers on two devices or two ranks, against the same network on one."""

import inspect
import re
import textwrap
from pathlib import Path

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from alexnet import towers
from alexnet.config import Config, Conv, Custom, Dense, Normal
from alexnet.config.towers import TowersError, bytes_sent, stages
from alexnet.data.images import Dataset
from alexnet.learning_curve import Epoch
from alexnet.model import build
from alexnet.optim import optimizer_for
from alexnet.presets import alexnet_cifar, preset, tiny
from alexnet.towers import TowerOptimizers, TwoTowers
from alexnet.training import fit, step
from tests.builders.own_parts import looked_for_in
from tests.builders.towers import (
    CONFIGS,
    Learned,
    on_one_device,
    on_two_devices,
    on_two_ranks,
    with_fake_weights,
)
from tests.builders.training import train

EXACT = 1e-12
AMPLIFIED = 1e-9
"""Where an update divides by what is small: Adam by the root of squared gradients."""
WITHIN = {name: AMPLIFIED if "Adam" in name else EXACT for name in CONFIGS}


@pytest.fixture(scope="module")
def one_device() -> dict[str, Learned]:
    """Return what five updates of each network come to on one device."""
    return {name: on_one_device(config) for name, config in CONFIGS.items()}


@pytest.mark.parametrize("name", CONFIGS)
def test_two_devices_learn_what_one_does(name: str, one_device: dict[str, Learned]) -> None:
    """Scores, gradients, and after five updates losses, weights and velocities, in float64."""
    assert on_two_devices(CONFIGS[name]).distance(one_device[name]) < WITHIN[name]


def test_two_ranks_learn_what_one_device_does(
    one_device: dict[str, Learned], tmp_path: Path
) -> None:
    """The same, and both processes hold the same merged network, to the bit."""
    for name, (first, second) in on_two_ranks(tmp_path).items():
        one = one_device[name]._replace(moments={})
        assert first.distance(one) < WITHIN[name], name
        assert first.distance(second) == 0, name


def towers_of(config: Config, seed: int = 0) -> tuple[TwoTowers, TowerOptimizers]:
    """Return a network on two devices with its optimizers, in float64."""
    whole, settings = build(config, seed, "float64"), config.training.optimizer
    network = TwoTowers(config.network, whole, ("cpu", "cpu"))
    return network, TowerOptimizers(network, optimizer_for(whole, settings), settings)


def test_cut_and_merged_is_the_same_network() -> None:
    """To the bit, and each tower has half of each layer: of the last one, half of its inputs."""
    whole = build(alexnet_cifar(), 1)
    before = {name: one.clone() for name, one in whole.state_dict().items()}
    network = TwoTowers(alexnet_cifar().network, whole, ("cpu", "cpu"))
    with torch.no_grad():
        for one in whole.parameters():
            one.zero_()
    merged = network.merged().state_dict()
    shapes = {name: tuple(one.shape) for name, one in network.second.named_parameters()}

    assert all(torch.equal(one, before[name]) for name, one in merged.items())
    assert shapes["features.conv1.weight"] == (16, 3, 5, 5)
    assert shapes["features.conv2.weight"] == (32, 16, 5, 5)
    assert shapes["features.conv3.weight"] == (64, 64, 3, 3)
    assert shapes["classifier.fc7.weight"] == (256, 512)
    assert shapes["classifier.fc8.weight"] == (10, 256)
    assert "classifier.fc8.bias" not in shapes


def test_epochs_on_two_devices_are_those_of_one(images: Dataset) -> None:
    """Counts, losses and held-out errors of two epochs: crops, colour, dropout and all."""
    config = tiny().but(training={"validate_each_epoch": True})
    _, alone = train(config, images, precision="float64")
    network, optimizer = towers_of(config)
    both = list(fit(network, optimizer, images, config, 0, "float64"))

    def counted(epochs: list[Epoch]) -> list[tuple[object, ...]]:
        return [(one.errors, one.images, one.valid_error) for one in epochs]

    assert counted(both) == counted(alone)
    assert [one.loss for one in both] == pytest.approx([one.loss for one in alone], abs=1e-12)


def test_a_checkpoint_of_two_devices_goes_on_on_one_and_on_two(images: Dataset) -> None:
    """Its weights and velocities have the names and shapes of one device."""
    config, done = tiny(), list[Epoch]()
    network, optimizer = towers_of(config)
    for epoch in fit(network, optimizer, images, config, 0, "float64"):
        done.append(epoch)
        break
    weights = {name: one.clone() for name, one in network.merged().state_dict().items()}
    moments = {name: one.clone() for name, one in optimizer.state().items()}
    assert moments["velocity.0"].abs().max() > 0
    straight = train(config, images, precision="float64")[0].state_dict()

    alone = build(config, 5, "float64")
    alone.load_state_dict(weights)
    own = optimizer_for(alone, config.training.optimizer)
    with torch.no_grad():
        for name, one in own.state().items():
            one.copy_(moments[name])
    again = TwoTowers(config.network, alone, ("cpu", "cpu"))
    both = TowerOptimizers(again, own, config.training.optimizer)
    list(fit(again, both, images, config, 0, "float64", done))
    on_two = {name: one.clone() for name, one in again.merged().state_dict().items()}
    alone.load_state_dict(weights)
    with torch.no_grad():
        for name, one in own.state().items():
            one.copy_(moments[name])
    list(fit(alone, own, images, config, 0, "float64", done))

    for found in (on_two, alone.state_dict()):
        for name, one in straight.items():
            torch.testing.assert_close(found[name], one, rtol=0, atol=1e-12)


def on_fake_devices(config: Config) -> None:
    """Make an update on two devices that are not the CPU, on which nothing is computed."""
    network = TwoTowers(config.network, build(config, 0), ("cpu", "cpu")).train()
    devices = ("lazy:0", "lazy:1")
    with FakeTensorMode():
        for tower, device in zip(network.towers, devices, strict=True):
            with_fake_weights(tower, device)
        network.devices = [torch.device(device) for device in devices]
        own = [optimizer_for(tower, config.training.optimizer) for tower in network.towers]
        optimizer = TowerOptimizers.__new__(TowerOptimizers)
        optimizer.own = own
        view = config.network.view
        images = torch.empty(4, view, view, 3, device=devices[0]).permute(0, 3, 1, 2)
        labels = torch.zeros(4, dtype=torch.int64, device=devices[0])
        loss, wrong = step(network, optimizer, images, labels, "float32")
        assert {loss.device, wrong.device} == {torch.device(devices[0])}
        for tower, device in zip(network.towers, devices, strict=True):
            assert {one.device for one in tower.parameters()} == {torch.device(device)}


@pytest.mark.parametrize("name", ["paper", "no_communication_2012", "tiny"])
def test_an_update_stays_on_its_devices(name: str) -> None:
    """Every operation sees tensors of one device; what crosses is copied."""
    on_fake_devices(preset(name))


COPIES = re.findall(r"\.to\([^()]*\)", inspect.getsource(TwoTowers.forward))


@pytest.mark.parametrize("copy", COPIES)
def test_a_forgotten_copy_is_noticed(copy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of those in the forward pass, left out, stops the update."""
    assert len(COPIES) == 3
    code = textwrap.dedent(inspect.getsource(TwoTowers.forward)).replace(copy, "", 1)
    made: dict[str, object] = {}
    exec(code, vars(towers), made)
    monkeypatch.setattr(TwoTowers, "forward", made["forward"])

    with pytest.raises(RuntimeError, match="device"):
        on_fake_devices(tiny())


def test_what_each_tower_sends_in_the_papers_network() -> None:
    """Half of 256 maps of 13 x 13, of 256 of 6 x 6, of 4096 units, and one tower's 1000 scores."""
    assert bytes_sent(preset("paper").network) == {
        "conv3": 128 * 13 * 13 * 4,  # 86,528
        "fc6": 128 * 6 * 6 * 4,  # 18,432
        "fc7": 2048 * 4,  # 8,192
        "fc8": 1000 * 4,
    }
    assert bytes_sent(preset("no_communication_2012").network) == {"fc8": 4000}
    assert bytes_sent(alexnet_cifar().network, number=2)["fc7"] == 256 * 2


def test_what_is_said_to_be_sent_is_what_is_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    """Counted where maps are joined: three times the half of what a layer then sees."""
    seen: list[int] = []
    cat = torch.cat
    monkeypatch.setattr(
        torch, "cat", lambda own, axis: seen.append(own[0].nbytes) or cat(own, axis)
    )
    config = alexnet_cifar()
    TwoTowers(config.network, build(config, 0), ("cpu", "cpu"))(torch.zeros(1, 3, 28, 28))
    *sent, scores = bytes_sent(config.network).values()

    assert seen == [number for number in sent for _ in range(2)]  # on each of two devices
    assert scores == 10 * 4


def refused(config: Config) -> str:
    """Return the sentence with which two devices are refused."""
    with pytest.raises(TowersError) as error:
        stages(config.network)
    return str(error.value)


def test_what_two_devices_cannot_share_is_refused(tmp_path: Path) -> None:
    """In a sentence that says which layer, and what would help."""
    (tmp_path / "mine.py").write_text("def double(x):\n    return 2 * x\n")
    with looked_for_in(tmp_path):
        own = tiny().but(network={"parts": {"act": Custom(target="mine:double")}})
    odd = Dense(name="fc4", units=15, init=Normal(std=0.1))
    deeper = tiny().network.but(
        classifier=(*tiny().network.classifier[:1], odd, Dense(name="fc5", init=Normal(std=1)))
    )
    three = Conv(name="conv1", maps=6, size=3, groups=3, init=Normal(std=0.1))
    first = tiny().network.but(convolutions=(three,), parts={"norm": None})

    assert "conv1's norm has windows that cross the towers" in refused(preset("caffenet"))
    assert "need groups=2 there" in refused(preset("caffenet"))
    assert "no layer is in groups" in refused(preset("torchvision"))
    assert "mine:double, of which nobody knows" in refused(own)
    assert "fc4: 15 maps or units have no half" in refused(tiny().but(network=deeper))
    assert "conv1: 3 groups are not two towers" in refused(tiny().but(network=first))
    last = {"fc4": {"groups": 2}}
    assert "fc4: the last layer adds up" in refused(tiny().but(network={"classifier": last}))
    last = {"fc4": {"then": ("act",)}}
    assert "fc4: the last layer adds up" in refused(tiny().but(network={"classifier": last}))


def test_chance_of_dropout_is_half_of_the_whole_mask() -> None:
    """A seed's mask over four units, of which each tower sees its own two."""
    whole = towers.DropoutLayer(tiny().network.parts["dropout"])
    masks = []
    for layer, width in ((whole, 4), *((towers.HalfDropout(whole, n), 2) for n in (0, 1))):
        layer.stream = torch.Generator().manual_seed(11)
        masks.append(layer.train()(torch.ones(50, width)))

    assert torch.equal(torch.cat(masks[1:], 1), masks[0])
    assert 0 < masks[0].mean() < 1
    assert layer.eval()(torch.ones(1, 2)).tolist() == [[0.5, 0.5]]
