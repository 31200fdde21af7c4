"""Weights that were trained elsewhere: equal scores, by the networks that they come from."""

import os
import pickle
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch
import torchvision
from numpy.typing import NDArray
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional

from alexnet.config import Config, Precision
from alexnet.data.images import Measured
from alexnet.data.manifest import Fit
from alexnet.data.summary import Description, Summary
from alexnet.model import build
from alexnet.predictor import Predictor
from alexnet.presets import preset
from alexnet.weights import WeightsError, load_weights
from tests.builders.caffe import caffemodel

TOLERANCE = {"float32": 1e-4, "float64": 1e-12}
"""Of the largest score: what sums in another order change."""


def close(ours: Tensor, theirs: Tensor, precision: Precision = "float32") -> None:
    """Compare scores, by their largest."""
    limit = TOLERANCE[precision] * float(theirs.abs().max())
    torch.testing.assert_close(ours, theirs, rtol=0, atol=limit)


# ---- torchvision's


@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_torchvisions_state_gives_torchvisions_scores(precision: Precision, tmp_path: Path) -> None:
    """From its own state, at random; in memory and in each kind of file that holds one."""
    torch.manual_seed(0)
    theirs = torchvision.models.alexnet(weights=None).eval()
    kind = {"float32": torch.float32, "float64": torch.float64}[precision]
    images = torch.randn(2, 3, 224, 224, dtype=kind)
    torch.save(theirs.state_dict(), tmp_path / "state.pth")
    save_file(theirs.state_dict(), tmp_path / "state.safetensors")
    sources = [theirs.state_dict(), tmp_path / "state.pth", str(tmp_path / "state.safetensors")]

    with torch.no_grad():
        expected = theirs.to(kind)(images)
        for source in sources:
            ours = load_weights(preset("torchvision"), source, precision)
            close(ours(images), expected, precision)
            assert not ours.training


def test_torchvisions_transforms_and_ours_show_the_same_picture() -> None:
    """What its network was trained on, 0 to 1 and normalised, is our view but for rounding."""
    theirs = torchvision.models.AlexNet_Weights.IMAGENET1K_V1
    config = preset("torchvision")
    network = build(config, 0)
    flat = Measured(torch.zeros(256, 256, 3), torch.ones(3), torch.eye(3))
    about = Description(
        name="imagenet", digest="", split="", fit=Fit(kind="centre", size=256), colour=True,
        classes=tuple(theirs.meta["categories"]),
    )  # fmt: skip
    ours = Predictor.of(network, config, "float32", Summary(about, flat))
    picture = torch.randint(0, 256, (256, 256, 3), dtype=torch.uint8)

    shown = theirs.transforms()(picture.permute(2, 0, 1))[None]

    torch.testing.assert_close(ours.batch(picture), shown, rtol=0, atol=1e-5)


# ---- Caffe's


SMALL = {"fc6": {"units": 64}, "fc7": {"units": 48}}
"""The convolutions as they are, and fewer of the 59 million weights behind them."""


def caffe(name: str = "caffe_alexnet") -> Config:
    """Return one of Caffe's networks with small fully connected layers and 20 classes."""
    return preset(name).but(network={"classes": 20, "classifier": SMALL})


def made_up(config: Config) -> dict[str, list[NDArray[np.float32]]]:
    """Return random blobs in Caffe's shapes, by layer; the first layer sees blue first."""
    chance, found = np.random.default_rng(0), {}
    seen = config.network.seen_by()
    for layer in config.network.convolutions:
        shape = (layer.maps, seen[layer.name].maps // layer.groups, layer.size, layer.size)
        found[layer.name] = shape
    for dense in config.network.classifier:
        found[dense.name] = (dense.units or config.network.classes, seen[dense.name].units)
    return {
        name: [
            chance.normal(0, 1.5 / np.sqrt(np.prod(shape[1:])), shape).astype(np.float32),
            chance.normal(0, 0.1, shape[0]).astype(np.float32),
        ]
        for name, shape in found.items()
    }


def caffes_scores(blobs: dict[str, list[NDArray[np.float32]]], images: Tensor) -> Tensor:
    """Return the scores of bvlc_alexnet, layer after layer of its deploy.prototxt.

    Args:
        blobs: Weights and biases by layer.
        images: Blue, green, red, without their mean, (n, 3, 227, 227).
    """
    parameters = {
        name: [torch.from_numpy(one).to(images.dtype) for one in several]
        for name, several in blobs.items()
    }

    def lrn(maps: Tensor) -> Tensor:  # Caffe, too, divides alpha by the size of the window
        return functional.local_response_norm(maps, 5, alpha=1e-4, beta=0.75, k=1.0)

    def pool(maps: Tensor) -> Tensor:
        return functional.max_pool2d(maps, 3, 2, ceil_mode=True)

    x = functional.conv2d(images, *parameters["conv1"], stride=4)
    x = pool(lrn(functional.relu(x)))
    x = functional.conv2d(x, *parameters["conv2"], padding=2, groups=2)
    x = pool(lrn(functional.relu(x)))
    x = functional.relu(functional.conv2d(x, *parameters["conv3"], padding=1))
    x = functional.relu(functional.conv2d(x, *parameters["conv4"], padding=1, groups=2))
    x = functional.relu(functional.conv2d(x, *parameters["conv5"], padding=1, groups=2))
    x = pool(x).flatten(1)
    x = functional.relu(functional.linear(x, *parameters["fc6"]))
    x = functional.relu(functional.linear(x, *parameters["fc7"]))
    return functional.linear(x, *parameters["fc8"])


class Blob(NamedTuple):
    """A blob as pycaffe shows it."""

    data: NDArray[np.float32]
    diff: NDArray[np.float32]


def written(blobs: dict[str, list[NDArray[np.float32]]], folder: Path) -> list[object]:
    """Return the same weights in every form that is read."""
    flat = {
        f"{name}.{role}": one
        for name, several in blobs.items()
        for role, one in zip(("weight", "bias"), several, strict=True)
    }
    np.savez(folder / "blobs.npz", **flat)
    for old in (True, False):
        (folder / f"{old}.caffemodel").write_bytes(caffemodel(blobs, old))
    params = {name: [Blob(one, 0 * one) for one in several] for name, several in blobs.items()}
    return [blobs, flat, params, folder / "blobs.npz", folder / "True.caffemodel",
            folder / "False.caffemodel"]  # fmt: skip


@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_caffes_blobs_give_caffes_scores(precision: Precision, tmp_path: Path) -> None:
    """By the layers' names in every form; of images whose first channel is red, to ours."""
    blobs = made_up(caffe())
    kind = {"float32": torch.float32, "float64": torch.float64}[precision]
    torch.manual_seed(1)
    blue_first = 50 * torch.randn(2, 3, 227, 227, dtype=kind)
    expected = caffes_scores(blobs, blue_first)
    assert float(expected.std()) > 0.1

    with torch.no_grad():
        for source in written(blobs, tmp_path):
            ours = load_weights(caffe(), source, precision)  # type: ignore[arg-type]
            close(ours(blue_first.flip(1)), expected, precision)


def test_a_picture_and_its_mean_image_are_shown_as_caffe_shows_them() -> None:
    """The mean of 256 pixels, blue first, is taken from the whole picture, and then its centre."""
    blobs, config = made_up(caffe()), caffe()
    chance = np.random.default_rng(2)
    picture = chance.integers(0, 256, (256, 256, 3), dtype=np.uint8)
    mean = chance.uniform(90, 130, (256, 256, 3))  # red first
    about = Description(
        name="imagenet", digest="", split="", fit=Fit(kind="stretch", size=256), colour=True,
        classes=tuple(map(str, range(20))),
    )  # fmt: skip
    measured = Measured(torch.from_numpy(mean), torch.ones(3), torch.eye(3))
    ours = Predictor.of(load_weights(config, blobs), config, "float32", Summary(about, measured))

    blue_first = (picture.astype(np.float64) - mean)[14:241, 14:241, ::-1].transpose(2, 0, 1)
    theirs = caffes_scores(blobs, torch.from_numpy(blue_first.copy()).float()[None])

    close(ours.scores(picture), theirs)


PROTOTXT = """
name: "AlexNet"  input: "data"  input_dim: 1  input_dim: 3  input_dim: 227  input_dim: 227
layer { name: "conv1" type: "Convolution" bottom: "data" top: "conv1"
        convolution_param { num_output: 96 kernel_size: 11 stride: 4 } }
layer { name: "relu1" type: "ReLU" bottom: "conv1" top: "conv1" }
layer { name: "norm1" type: "LRN" bottom: "conv1" top: "norm1"
        lrn_param { local_size: 5 alpha: 0.0001 beta: 0.75 } }
layer { name: "pool1" type: "Pooling" bottom: "norm1" top: "pool1"
        pooling_param { pool: MAX kernel_size: 3 stride: 2 } }
layer { name: "conv2" type: "Convolution" bottom: "pool1" top: "conv2"
        convolution_param { num_output: 256 pad: 2 kernel_size: 5 group: 2 } }
layer { name: "relu2" type: "ReLU" bottom: "conv2" top: "conv2" }
layer { name: "norm2" type: "LRN" bottom: "conv2" top: "norm2"
        lrn_param { local_size: 5 alpha: 0.0001 beta: 0.75 } }
layer { name: "pool2" type: "Pooling" bottom: "norm2" top: "pool2"
        pooling_param { pool: MAX kernel_size: 3 stride: 2 } }
layer { name: "conv3" type: "Convolution" bottom: "pool2" top: "conv3"
        convolution_param { num_output: 384 pad: 1 kernel_size: 3 } }
layer { name: "relu3" type: "ReLU" bottom: "conv3" top: "conv3" }
layer { name: "conv4" type: "Convolution" bottom: "conv3" top: "conv4"
        convolution_param { num_output: 384 pad: 1 kernel_size: 3 group: 2 } }
layer { name: "relu4" type: "ReLU" bottom: "conv4" top: "conv4" }
layer { name: "conv5" type: "Convolution" bottom: "conv4" top: "conv5"
        convolution_param { num_output: 256 pad: 1 kernel_size: 3 group: 2 } }
layer { name: "relu5" type: "ReLU" bottom: "conv5" top: "conv5" }
layer { name: "pool5" type: "Pooling" bottom: "conv5" top: "pool5"
        pooling_param { pool: MAX kernel_size: 3 stride: 2 } }
layer { name: "fc6" type: "InnerProduct" bottom: "pool5" top: "fc6"
        inner_product_param { num_output: 64 } }
layer { name: "relu6" type: "ReLU" bottom: "fc6" top: "fc6" }
layer { name: "fc7" type: "InnerProduct" bottom: "fc6" top: "fc7"
        inner_product_param { num_output: 48 } }
layer { name: "relu7" type: "ReLU" bottom: "fc7" top: "fc7" }
layer { name: "fc8" type: "InnerProduct" bottom: "fc7" top: "fc8"
        inner_product_param { num_output: 20 } }
"""
"""models/bvlc_alexnet/deploy.prototxt, without dropout and softmax, its last layers smaller."""


def test_opencv_reads_the_same_file_to_the_same_scores(tmp_path: Path) -> None:
    """Its importer of Caffe's models is another program's; OpenCV 4 has it."""
    cv2 = pytest.importorskip("cv2")
    if not hasattr(cv2.dnn, "readNetFromCaffe"):
        pytest.skip("this OpenCV reads no models of Caffe")
    (tmp_path / "deploy.prototxt").write_text(PROTOTXT)
    blobs, path = made_up(caffe()), tmp_path / "weights.caffemodel"
    path.write_bytes(caffemodel(blobs, old=False))
    net = cv2.dnn.readNetFromCaffe(str(tmp_path / "deploy.prototxt"), str(path))
    chance = np.random.default_rng(3)
    blue_first = chance.normal(0, 50, (1, 3, 227, 227)).astype(np.float32)
    net.setInput(blue_first)

    ours = load_weights(caffe(), path)
    with torch.no_grad():
        scores = ours(torch.from_numpy(blue_first).flip(1))

    close(scores, torch.from_numpy(net.forward()))


# ---- our own, and what is refused


def test_our_own_names_are_taken_as_they_are(config: Config) -> None:
    """Such as a run's weights; running statistics of norms are among them."""
    changed = config.but(network={"parts": {"norm": {"kind": "batch_norm"}}})
    state = build(changed, 3).state_dict()

    found = load_weights(changed, state).state_dict()

    assert found.keys() == state.keys()
    assert any("running_mean" in name for name in found)
    assert all(torch.equal(found[name], state[name]) for name in state)


class Calls:
    """What calls the system when it is unpickled."""

    def __init__(self, path: Path) -> None:
        """Touch a file."""
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        """Return what is called."""
        return os.mkdir, (str(self.path),)


def test_nothing_in_a_file_is_called(tmp_path: Path) -> None:
    """Neither in a state of PyTorch nor in arrays of NumPy."""
    trap = tmp_path / "called"
    torch.save({"features.0.weight": Calls(trap)}, tmp_path / "state.pt")
    np.savez(tmp_path / "arrays.npz", **{"conv1.weight": np.array([Calls(trap)], object)})

    with pytest.raises(WeightsError, match="holds more than numbers, which is not safe to load"):
        load_weights(preset("torchvision"), tmp_path / "state.pt")
    with pytest.raises(WeightsError, match="is cut short or damaged"):
        load_weights(caffe(), tmp_path / "arrays.npz")
    assert not trap.exists()
    pickle.loads(pickle.dumps(Calls(trap)))
    assert trap.exists()  # as it would have been


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"conv1": None}, "the weights have no features.conv1.weight, which the network has"),
        ({"conv6": [np.zeros(3), np.zeros(3)]}, "the network has no conv6.weight, which"),
        ({"conv2": [np.zeros((256, 96, 5, 5)), np.zeros(256)]},
         r"features.conv2.weight has the shape \(256, 96, 5, 5\), and in the network \(256, 48"),
        ({"conv2": [np.zeros((256, 48, 5, 5))]}, "conv2 is not the weights and the biases"),
        ({"conv2": np.zeros((2, 256))}, "conv2 is not the weights and the biases of a layer"),
        ({"conv2": ["many", "few"]}, "conv2.weight holds no numbers"),
    ],
)  # fmt: skip
def test_weights_of_another_network_are_refused(change: dict[str, object], reason: str) -> None:
    """By the first name or shape that does not fit."""
    changed = {k: v for k, v in (made_up(caffe()) | change).items() if v is not None}

    with pytest.raises(WeightsError, match=reason) as raised:
        load_weights(caffe(), changed)
    assert "\n" not in str(raised.value)


def test_torchvisions_state_of_another_depth_is_refused(config: Config) -> None:
    """Its layers are told by their order alone."""
    state = torchvision.models.alexnet(weights=None, num_classes=10).state_dict()

    with pytest.raises(
        WeightsError, match="the weights have 5 layers in features, and the network"
    ):
        load_weights(config, state)
    del state["classifier.6.bias"]
    with pytest.raises(WeightsError, match=r"the weights have no classifier\.6\.bias"):
        load_weights(preset("torchvision"), state)
    with pytest.raises(WeightsError, match=r"have no features\.conv1\.weight"):
        load_weights(config, {})


@pytest.mark.parametrize("suffix", [".pt", ".safetensors", ".npz", ".caffemodel"])
@pytest.mark.parametrize("content", [b"", b"\x0aabc", b"PK\x03\x04 no zip", bytes(100)])
def test_a_file_of_something_else_is_refused(
    suffix: str, content: bytes, config: Config, tmp_path: Path
) -> None:
    """In a sentence with its name."""
    path = tmp_path / f"weights{suffix}"
    path.write_bytes(content)

    with pytest.raises(WeightsError, match=r"weights\.") as raised:
        load_weights(config, path)
    assert "\n" not in str(raised.value)


def test_a_file_that_is_not_there_or_of_no_kind_is_refused(config: Config, tmp_path: Path) -> None:
    """The kinds that are read are said."""
    with pytest.raises(WeightsError, match="cannot be read"):
        load_weights(config, tmp_path / "nothing.pt")
    with pytest.raises(
        WeightsError, match=r"use one of \.safetensors, \.pt, \.pth, \.npz, \.caffe"
    ):
        load_weights(config, tmp_path / "model.h5")
    torch.save([1, 2], tmp_path / "list.pt")
    with pytest.raises(WeightsError, match="holds no weights by name"):
        load_weights(config, tmp_path / "list.pt")
