"""What a run keeps to be looked at, against NumPy, Pillow and the definition."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image
from safetensors import safe_open

from ablations.kept import UNASKED, Keep, KeptWeights
from ablations.record import Record
from ablations.run import Run
from ablations.workers.protocol import WorkerSettings
from ablations.workers.trainer import Workbench
from alexnet.config import Config
from alexnet.data.images import Dataset, Images
from alexnet.data.manifest import Fit, Manifest
from alexnet.data.statistics import statistics
from alexnet.evaluation import Evaluator, Neighbourhood
from alexnet.examples import Examples, about, examples, picture, shows_anything, spread
from alexnet.model import AlexNet, build
from alexnet.presets import tiny
from reports.figures.examples import draw_neighbours, draw_predictions, read_examples
from reports.figures.kernels import draw_kernels
from tests.builders.records import REF

SIDE, VIEW = 64, 48


def dataset(side: int = SIDE, grey: bool = False) -> Dataset:
    """Return 120 coloured patterns in ten classes, 40 to a part, each class 4 times."""
    rng = np.random.default_rng(11)
    labels = np.arange(120) % 10
    looks = rng.integers(0, 256, (10, side // 8, side // 8, 3)).repeat(8, 1).repeat(8, 2)
    pixels = np.clip(looks[labels] + rng.normal(0, 60, (120, side, side, 3)), 0, 255)
    pixels = pixels.astype(np.uint8)
    if grey:
        pixels[...] = pixels[..., :1]
    parts = [
        Images(torch.from_numpy(pixels[chosen]), torch.from_numpy(labels[chosen]))
        for chosen in (slice(0, 40), slice(40, 80), slice(80, 120))
    ]
    manifest = Manifest(
        name="made_up",
        classes=("n01440764", *"bcdefghij"),
        titles={"n01440764": "tench"},
        fit=Fit(kind="own", size=side),
        colour=not grey,
        mirror=True,
        counts={"train": 40, "valid": 40, "test": 40},
        digest=REF.digest,
        split=REF.split,
        files={},
    )
    found = map(torch.from_numpy, statistics(pixels[:40]))
    return Dataset(manifest, *parts, *found)


@pytest.fixture(scope="module")
def data() -> Dataset:
    """Return colour images of 64 pixels."""
    return dataset()


@pytest.fixture
def wide() -> Config:
    """Return the tiny preset for them, with a crop of 48."""
    return tiny().but(network={"view": VIEW, "convolutions": {"conv1": {"stride": 2}}})


def of_network(network: AlexNet, data: Dataset, config: Config) -> Examples:
    """Return what is kept of a network."""
    return examples(Neighbourhood.of(network, data, config, "float32"), data)


def squares(pixels: torch.Tensor) -> NDArray[np.uint8]:
    """Return the middle 48 of 64 pixels."""
    edge = (SIDE - VIEW) // 2
    found: NDArray[np.uint8] = pixels.numpy()[:, edge:-edge, edge:-edge]
    return found


def shown(data: Dataset, images: Images) -> torch.Tensor:
    """Return what a network sees of images: their middle less that of the mean image."""
    less = squares(images.pixels) - squares(data.mean[None].float())
    return torch.from_numpy(less.transpose(0, 3, 1, 2))


def number_of(square: NDArray[np.uint8], among: NDArray[np.uint8]) -> int:
    """Return which of some images one is; no two are alike."""
    (found,) = np.flatnonzero((among == square).all((1, 2, 3)))
    return int(found)


# ---- what is computed


def test_neighbours_are_the_six_nearest_by_brute_force(data: Dataset, wide: Config) -> None:
    """Every distance in the last hidden layer, sorted by NumPy; their pixels and labels too."""
    network = build(wide, 0).eval()
    with torch.no_grad():
        hidden, near = (
            network.hidden(shown(data, part)).double().numpy() for part in (data.test, data.train)
        )
    tests, trains = squares(data.test.pixels), squares(data.train.pixels)

    kept = of_network(network, data, wide)

    assert kept.neighbours.shape == (5, 6, VIEW, VIEW, 3)
    for query, label, six, labels in zip(
        kept.queries.numpy(), kept.query_labels, kept.neighbours.numpy(), kept.neighbour_labels,
        strict=True,
    ):  # fmt: skip
        number = number_of(query, tests)
        nearest = np.argsort(np.linalg.norm(near - hidden[number], axis=1))[:6]
        assert [number_of(one, trains) for one in six] == nearest.tolist()
        assert labels.tolist() == data.train.labels[nearest].tolist()
        assert label == data.test.labels[number]


def test_the_likeliest_classes_are_those_of_a_softmax(data: Dataset, wide: Config) -> None:
    """Of the scores by the centre view, written out in NumPy."""
    network = build(wide, 1).eval()
    with torch.no_grad():
        scores = network(shown(data, data.test)).double().numpy()
    shares = np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
    tests = squares(data.test.pixels)

    kept = of_network(network, data, wide)

    assert kept.top_classes.shape == kept.top_probabilities.shape == (8, 5)
    for image, label, classes, probabilities in zip(
        kept.images.numpy(), kept.labels, kept.top_classes, kept.top_probabilities, strict=True
    ):
        number = number_of(image, tests)
        best = np.argsort(-shares[number])[:5]
        assert classes.tolist() == best.tolist()
        assert probabilities.tolist() == pytest.approx(shares[number][best].tolist(), rel=1e-4)
        assert label == data.test.labels[number]


def test_three_classes_have_three_likeliest(data: Dataset, wide: Config) -> None:
    """There are no five."""
    few = data.test.only(data.test.labels < 3)
    kept = of_network(
        build(wide.but(network={"classes": 3}), 0), replace(data, test=few),
        wide.but(network={"classes": 3}),
    )  # fmt: skip

    assert kept.top_classes.shape == (8, 3)
    assert kept.top_probabilities.sum(1).tolist() == pytest.approx([1.0] * 8)
    assert len(kept.queries) == 4  # of twelve images, eight are shown


def test_every_run_on_a_dataset_shows_the_same_images(data: Dataset, wide: Config) -> None:
    """Whatever its seed, and however few images it was trained on; another dataset, others."""
    small = wide.but(training={"images": 20})
    other = replace(data, manifest=data.manifest.but(name="another"))

    first = of_network(build(wide, 0), data, wide)
    second = of_network(build(small, 5), data, small)
    third = of_network(build(wide, 0), other, wide)

    for name in ("images", "labels", "queries", "query_labels"):
        assert torch.equal(getattr(first, name), getattr(second, name))
    assert not torch.equal(first.images, third.images)
    assert len({image.tobytes() for image in (*first.images.numpy(), *first.queries.numpy())}) == 13


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.integers(0, 6), min_size=1, max_size=40), st.integers(1, 50), st.integers(0, 9)
)  # fmt: skip
def test_images_are_chosen_from_all_classes_alike(labels: list[int], count: int, seed: int) -> None:
    """No class has two more than another that has images left; none is chosen twice."""
    chosen = spread(torch.tensor(labels), count, seed).tolist()
    of = [labels[number] for number in chosen]

    assert len(chosen) == len(set(chosen)) == min(count, len(labels))
    for one in set(labels):
        if of.count(one) < labels.count(one):
            assert all(of.count(other) <= of.count(one) + 1 for other in set(labels))


def test_images_are_chosen_by_chance() -> None:
    """Another seed, another choice and another order of classes; one seed, one choice."""
    labels = torch.arange(1000) % 10
    first, again, other = (spread(labels, 10, seed) for seed in (1, 1, 2))

    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert sorted(labels[first].tolist()) == list(range(10))
    assert labels[first].tolist() != labels[other].tolist()


def test_a_large_view_is_made_smaller_as_pillow_would() -> None:
    """Bilinear with antialiasing, 96 of 112 pixels to 64, within a grey level of rounding."""
    big = dataset(side=112)
    config = tiny().but(network={"view": 96, "convolutions": {"conv1": {"stride": 4}}})
    evaluator = Evaluator.of(build(config, 0), big, config, "float32")
    theirs = np.stack(
        [
            Image.fromarray(image).resize((64, 64), Image.Resampling.BILINEAR)
            for image in big.test.pixels.numpy()[:3, 8:-8, 8:-8]
        ]
    )

    ours = picture(evaluator, big.test.first(3), 64)

    assert ours.dtype == torch.uint8
    assert np.abs(ours.numpy().astype(int) - theirs.astype(int)).max() <= 1


def test_kernels_are_the_first_layers(data: Dataset, wide: Config) -> None:
    """As they are; none where each place has its own, and all else is kept."""
    network = build(wide, 0)
    change = {"conv1": {"weights": "unshared"}, "conv2": {"groups": 2}}
    unshared = wide.but(network={"convolutions": change})

    kept = of_network(network, data, wide)
    without = of_network(build(unshared, 0), data, unshared)

    assert kept.kernels is not None
    assert torch.equal(kept.kernels, network.features.conv1.weight)
    assert without.kernels is None
    assert set(kept.tensors()) - set(without.tensors()) == {"kernels"}


def test_a_network_that_overflows_has_no_neighbours(data: Dataset, wide: Config) -> None:
    """It is at no distance from anything, and the rest of what it did is still kept."""
    network = build(wide, 0)
    with torch.no_grad():
        network.classifier.fc3.bias.fill_(torch.inf)

    kept = of_network(network, data, wide)

    assert kept.neighbours.shape == (0, 6, VIEW, VIEW, 3)
    assert kept.images.shape == (8, VIEW, VIEW, 3)


def test_only_large_colour_images_are_worth_showing(data: Dataset) -> None:
    """From 64 pixels on."""
    assert shows_anything(data)
    assert not shows_anything(dataset(grey=True))
    assert not shows_anything(dataset(side=56))


@pytest.mark.parametrize(("change", "towers"), [({}, 2), ({"conv2": {"groups": 1}}, 1)])
def test_the_file_names_classes_and_towers(
    change: dict[str, object], towers: int, data: Dataset, wide: Config
) -> None:
    """A class that is called by a code has its title; towers are those of what sees the maps."""
    config = wide.but(network={"convolutions": change})

    assert json.loads(about(data.manifest, config)["about"]) == {
        "dataset": "made_up",
        "classes": ["tench", *"bcdefghij"],
        "towers": towers,
    }


# ---- what a worker keeps


def worked(
    results: Path,
    data: Dataset,
    config: Config,
    seed: int,
    monkeypatch: pytest.MonkeyPatch,
    kept: KeptWeights = UNASKED,
) -> tuple[Record, Path]:
    """Return the record of a run on a dataset, and its folder."""
    monkeypatch.setattr("ablations.workers.trainer.load", lambda name, folder: data)
    monkeypatch.setattr(
        "ablations.workers.trainer.read_manifest", lambda name, folder: data.manifest
    )
    bench = Workbench(WorkerSettings(results, results, "cpu", 1, "a test", kept))
    run = Run(config=config, seed=seed, dataset=REF, precision="float32")
    return bench.execute(run, lambda epoch: None), bench.store.folder(run)


@pytest.mark.parametrize(
    ("side", "grey", "seed", "keep", "kept"),
    [
        (64, False, 0, None, {"examples", "scores", "weights", "dataset"}),
        (64, False, 1000, None, set()),  # a tuning run sees no test images
        (64, False, 1000, "all", {"weights", "dataset"}),
        (32, False, 0, None, {"scores", "weights", "dataset"}),
        (64, True, 0, None, {"scores", "weights", "dataset"}),
        (64, False, 0, "none", {"examples", "scores"}),
    ],
    ids=["large", "tuning", "tuning, all", "small", "grey", "none"],
)
def test_what_a_run_leaves(
    side: int,
    grey: bool,
    seed: int,
    keep: Keep | None,
    kept: set[str],
    wide: Config,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Only what is worth looking at, only of runs that may; all of it committed by the record."""
    config = wide.but(network={"view": min(VIEW, side)})
    asked = KeptWeights.asked(keep)
    record, folder = worked(tmp_path, dataset(side, grey), config, seed, monkeypatch, asked)
    every = KeptWeights("all")
    other = tmp_path / "other"
    _, whole = worked(other, dataset(side, grey), config, seed, monkeypatch, every)

    assert {path.stem for path in folder.glob("*.safetensors")} == kept
    assert record.files == {  # of the weights in any case
        f"{name}.safetensors": hashlib.sha256(
            (whole / f"{name}.safetensors").read_bytes()
        ).hexdigest()
        for name in kept | {"weights"}
    }


def test_what_a_run_leaves_can_be_drawn(
    data: Dataset, wide: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The report needs no more than the file; training again leaves the same bytes."""
    record, folder = worked(tmp_path / "one", data, wide, 0, monkeypatch)
    again, _ = worked(tmp_path / "two", data, wide, 0, monkeypatch)
    path = folder / "examples.safetensors"
    kept = read_examples(path)
    with safe_open(folder / "weights.safetensors", framework="numpy") as weights:
        trained = weights.get_tensor("features.conv1.weight")

    assert record.files == again.files
    assert kept.kernels is not None
    assert np.array_equal(kept.kernels, trained)
    assert (kept.towers, kept.classes[0], len(kept.images), len(kept.queries)) == (2, "tench", 8, 5)
    assert draw_kernels(path) is not None
    assert draw_neighbours(path) is not None
    assert "tench" in {axes.get_xlabel() for axes in draw_predictions(path).axes}


def test_training_images_pass_the_network_once(
    data: Dataset, wide: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For the measure of neighbours and for those shown: 40, and of the test images 40 and 5.

    The untrained network is measured alone: it shows nothing.
    """
    passed: dict[AlexNet, list[int]] = {}
    hidden = Evaluator.hidden

    def counted(evaluator: Evaluator, images: Images) -> torch.Tensor:
        passed.setdefault(evaluator.network, []).append(len(images))
        return hidden(evaluator, images)

    monkeypatch.setattr(Evaluator, "hidden", counted)
    worked(tmp_path, data, wide, 0, monkeypatch)

    assert sorted(map(sorted, passed.values())) == [[5, 40, 40], [40, 40]]
