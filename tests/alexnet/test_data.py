"""Datasets: the embedded one, statistics, splits, and where prepared ones lie."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from alexnet.data.catalogue import CATALOGUE, Description
from alexnet.data.digests import Label, dataset_digest, digest_of, held_out
from alexnet.data.images import load
from alexnet.data.manifest import DatasetError, Manifest, default_data_dir, folder_of
from alexnet.data.prepare.preparation import prepare
from alexnet.data.prepare.request import PrepareRequest
from alexnet.data.statistics import Sums, statistics
from alexnet.data.stored import at_start, read_manifest
from tests.builders.command_line import call


def test_the_embedded_images_are_stratified() -> None:
    """1,000, 200 and 200 of each of ten classes, 28 pixels in a black frame of two."""
    data = load("fashion_mini", Path("unused"))

    for part, each in ((data.train, 1000), (data.valid, 200), (data.test, 200)):
        assert part.labels.bincount().tolist() == [each] * 10
        assert part.pixels.shape[1:] == (32, 32, 3)
    assert data.train.pixels[:, :2].sum() == data.train.pixels[:, :, -2:].sum() == 0
    assert torch.equal(data.train.pixels[..., 0], data.train.pixels[..., 2])


def test_the_embedded_images_share_none_between_train_and_valid() -> None:
    """Nor would a digest be worth its name if two files of it differed."""
    folder = folder_of("fashion_mini", Path("unused"))
    arrays = np.load(folder / "images.npz")
    digests = {
        part: {digest_of(image.tobytes()) for image in arrays[f"{part}_images"]}
        for part in ("train", "valid", "test")
    }
    manifest = read_manifest("fashion_mini", Path("unused"))
    labels = [
        Label(
            "test" if part == "test" else "train",
            manifest.classes[number],
            digest_of(image.tobytes()),
        )
        for part in ("train", "valid", "test")
        for image, number in zip(arrays[f"{part}_images"], arrays[f"{part}_labels"], strict=True)
    ]

    assert not digests["train"] & digests["valid"]
    assert dataset_digest(labels) == manifest.digest
    assert digest_of("\n".join(sorted(digests["valid"])).encode()) == manifest.split


def test_the_embedded_images_and_their_licence_are_small() -> None:
    """A wheel that people install without thinking: under 7 MB."""
    folder = folder_of("fashion_mini", Path("unused"))

    assert sum(path.stat().st_size for path in folder.iterdir()) < 7e6
    assert "Zalando" in (folder / "LICENSE").read_text()


def test_statistics_are_numpys() -> None:
    """Mean image, and the eigenvectors of the covariance of all pixels."""
    rng = np.random.default_rng(0)
    mixed = rng.normal(128, 20, (50, 4, 4, 3)) @ np.array([[1, 0.2, 0], [0, 0.5, 0], [0.3, 0, 0.2]])
    images = np.clip(mixed, 0, 255).astype(np.uint8)
    centred = images.reshape(-1, 3) - images.reshape(-1, 3).mean(0)

    found = statistics(images)

    np.testing.assert_allclose(found.mean, images.astype(float).mean(0))
    covariance = centred.T @ centred / len(centred)
    np.testing.assert_allclose(
        found.axes @ np.diag(found.deviations**2) @ found.axes.T, covariance, atol=1e-9
    )
    assert (np.diff(found.deviations) <= 0).all()
    assert (found.axes[np.abs(found.axes).argmax(0), range(3)] > 0).all()


def test_a_tenth_of_each_class_is_held_out_whatever_the_order() -> None:
    """By digest alone, so that files may come in any order; test images never are."""
    labels = [
        Label("train", name, digest_of(f"{name}{i}".encode())) for name in "ab" for i in range(50)
    ]
    labels += [Label("test", "a", digest_of(f"t{i}".encode())) for i in range(20)]

    chosen = held_out(labels, "some")

    by_class = [sum(label.digest in chosen for label in labels if label.name == n) for n in "ab"]
    assert by_class == [5, 5]
    assert held_out(labels[::-1], "some") == chosen != held_out(labels, "other")


def test_statistics_do_not_depend_on_how_images_are_parted() -> None:
    """To the last digit, since all sums are of integers."""
    images = np.random.default_rng(1).integers(0, 256, (40, 8, 8, 3), dtype=np.uint8)
    parts = Sums.none(8, 8)
    for start, end in ((33, 40), (0, 1), (1, 33)):
        parts = parts.plus(Sums.of(images[start:end]))

    for whole, summed in zip(statistics(images), parts.statistics(), strict=True):
        assert np.array_equal(whole, summed)


def test_the_data_folder_can_be_chosen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """By the environment, for a cluster's shared disk."""
    monkeypatch.setenv("ALEXNET_DATA", str(tmp_path))

    assert default_data_dir() == tmp_path


@pytest.mark.parametrize("about", CATALOGUE.values(), ids=CATALOGUE.keys())
def test_the_catalogue_says_how_each_dataset_gets_here(about: Description) -> None:
    """A command for all but what is in the package, and a tenth of the images held out."""
    assert about.embedded == (about.how == "")
    assert about.embedded or f"--dataset {about.name}" in about.how
    assert about.layout or about.embedded
    if about.published:
        train = about.published["train"]
        assert about.images == train - min(round(train / 10), 50_000)
    times = [download.time for download in about.downloads]
    assert times == sorted(times)


def test_a_dataset_that_is_not_there_says_the_command(tmp_path: Path) -> None:
    """And one that nobody knows, the nearest name: of the catalogue or of this machine."""
    with pytest.raises(
        DatasetError, match=r"170 MB once; prepare it with:  invoke prepare --dataset cifar10$"
    ):
        read_manifest("cifar10", tmp_path)
    with pytest.raises(DatasetError, match="did you mean imagenette"):
        read_manifest("imagenete", tmp_path)


def test_a_manifest_of_an_older_version_says_so(tmp_path: Path) -> None:
    """Its arrays have other names; one that is no JSON cannot be read."""
    (tmp_path / "cifar10").mkdir()
    path = tmp_path / "cifar10" / "manifest.json"
    path.write_text('{"schema_version": 1}')
    with pytest.raises(DatasetError, match="older version; prepare it again"):
        read_manifest("cifar10", tmp_path)

    path.write_text("{")
    with pytest.raises(DatasetError, match="is cut short or not JSON; prepare cifar10 again"):
        read_manifest("cifar10", tmp_path)


@pytest.fixture
def several_shards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Manifest:
    """Return a set of 40 images in eight or more files, which is too large to be digested whole."""
    monkeypatch.setattr("alexnet.data.prepare.shards.SHARD", 4 * 3 * 16 * 16)
    monkeypatch.setattr("alexnet.data.stored.CHECKED", 0)
    monkeypatch.setattr("alexnet.data.stored.SAMPLED", 2 * 4 * 3 * 16 * 16)
    chance = np.random.default_rng(0)
    for number in range(40):
        path = tmp_path / "source" / ("cat", "dog")[number % 2] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(chance.integers(0, 256, (16, 16, 3), dtype=np.uint8)).save(path)
    *_, manifest = prepare(
        PrepareRequest("pets", tmp_path / "source", tmp_path / "data", workers=1)
    )
    assert isinstance(manifest, Manifest)
    return manifest


def test_of_a_large_set_some_files_are_digested_at_each_start(several_shards: Manifest) -> None:
    """Labels and statistics always; of the images others each time, and all in the end."""
    starts = [set(at_start(several_shards)) for _ in range(300)]
    shards = {name for name in several_shards.files if "_images" in name}

    assert len(shards) >= 8
    assert all(several_shards.files.keys() - shards <= names for names in starts)
    assert {len(names & shards) for names in starts} <= {1, 2}
    assert set().union(*starts) == several_shards.files.keys()


def test_damage_to_a_large_set_is_found(several_shards: Manifest, tmp_path: Path) -> None:
    """A file that was cut at once; one flipped bit when its shard is drawn."""
    folder = tmp_path / "data" / "pets"
    shard = folder / several_shards.shards("train")[0]
    whole = shard.read_bytes()
    shard.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    said = []
    for _ in range(100):
        try:
            load("pets", tmp_path / "data")
        except DatasetError as error:
            said.append(str(error))
    assert 2 < len(said) < 90  # of eight or more, one or two are drawn
    assert set(said) == {f"{shard} is damaged or missing; prepare pets again"}

    shard.write_bytes(whole[:-1])
    with pytest.raises(DatasetError, match="is damaged"):
        load("pets", tmp_path / "data")


def test_who_has_no_home_folder_is_asked_for_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As ``docker run --user 12345`` has none; the images that ship need none."""
    for name in ("HOME", "ALEXNET_DATA", "XDG_DATA_HOME", "USERPROFILE"):
        monkeypatch.delenv(name, raising=False)

    def nobody(*_: object, **__: object) -> None:
        raise RuntimeError("could not determine the home directory")

    monkeypatch.setattr("platformdirs.user_data_path", nobody)
    folder = default_data_dir()

    assert read_manifest("fashion_mini", folder).name == "fashion_mini"
    assert len(load("fashion_mini", folder).train) == 10_000
    assert "prepared ones lie where --data-dir says" in call("datasets")[1]
    for command in (
        ["ablate", "--study", "relu_vs_tanh", "--dataset", "cifar10"],
        ["prepare", "--dataset", "cifar10"],
        ["prepare", "--dataset", "pets", "--source", tmp_path],
    ):
        code, output = call(*command)
        assert (code, "with --data-dir PATH, or in the variable" in output) == (2, True), output
    assert not folder.parent.is_dir()
