"""Datasets: the embedded one, preparing others from real files, and what is refused."""

import io
import shutil
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from alexnet.data import catalogue, preparation
from alexnet.data.catalogue import DatasetError, folder_of, read_manifest
from alexnet.data.digests import Label, dataset_digest, digest_of, held_out
from alexnet.data.images import load


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

    found = preparation.statistics(images)

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


def picture(number: int) -> bytes:
    """Return a small JPEG that is like no other."""
    pixels = np.random.default_rng(number).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, "JPEG", quality=95)
    return content.getvalue()


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    """Return train and test with a folder per class: 20 + 4 pictures of cats and of dogs."""
    for number in range(48):
        part = "train" if number < 40 else "test"
        path = tmp_path / "pictures" / part / ("cat", "dog")[number % 2] / f"{number}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(picture(number))
    return tmp_path / "pictures"


def test_a_tar_and_the_folder_it_was_made_from_are_the_same_dataset(
    folders: Path, tmp_path: Path
) -> None:
    """Names of files and their order do not count."""
    with tarfile.open(tmp_path / "all.tar", "w") as tar:
        for path in sorted(folders.rglob("*.jpg"), reverse=True):
            tar.add(path, f"anything/{path.relative_to(folders)}")

    one = preparation.prepare("cifar10_jpeg", folders, tmp_path / "one")
    other = preparation.prepare("cifar10_jpeg", tmp_path / "all.tar", tmp_path / "other")

    assert one == other
    assert one.counts == {"train": 36, "valid": 4, "test": 8}
    assert one.classes == ("cat", "dog")


def test_a_prepared_dataset_is_read_back_pixel_by_pixel(folders: Path, tmp_path: Path) -> None:
    """Every picture of the source, with its class, is in exactly one part."""
    preparation.prepare("cifar10_jpeg", folders, tmp_path)
    data = load("cifar10_jpeg", tmp_path)
    expected = {
        (np.asarray(Image.open(path)).tobytes(), path.parent.name)
        for path in folders.rglob("*.jpg")
    }

    found = [
        (image.numpy().tobytes(), data.manifest.classes[label])
        for part in (data.train, data.valid, data.test)
        for image, label in zip(part.pixels, part.labels.tolist(), strict=True)
    ]

    assert len(found) == 48
    assert set(found) == expected
    np.testing.assert_allclose(
        data.mean.numpy(), data.train.pixels.double().mean(0).numpy(), atol=1e-4
    )


def test_an_interrupted_preparation_leaves_nothing_that_looks_finished(
    folders: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the next one starts anew."""
    monkeypatch.setattr(preparation, "statistics", lambda images: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        preparation.prepare("cifar10_jpeg", folders, tmp_path)
    with pytest.raises(DatasetError, match="not prepared"):
        read_manifest("cifar10_jpeg", tmp_path)
    monkeypatch.undo()

    assert preparation.prepare("cifar10_jpeg", folders, tmp_path).counts["test"] == 8


def test_a_changed_file_is_refused(folders: Path, tmp_path: Path) -> None:
    """One bit of one image."""
    preparation.prepare("cifar10_jpeg", folders, tmp_path)
    path = tmp_path / "cifar10_jpeg" / "train_images.npy"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)

    with pytest.raises(DatasetError, match="damaged"):
        load("cifar10_jpeg", tmp_path)


@pytest.mark.parametrize(
    ("break_it", "message"),
    [
        (lambda folders: shutil.rmtree(folders / "test"), "no images for test"),
        (lambda folders: shutil.rmtree(folders), "no file or folder"),
        (lambda folders: (folders / "train" / "9.jpg").write_bytes(picture(99)), "not in train"),
        (lambda folders: [shutil.rmtree(path) for path in folders.iterdir()], "no images"),
    ],
)  # fmt: skip
def test_a_source_laid_out_otherwise_is_refused(
    folders: Path, tmp_path: Path, break_it: object, message: str
) -> None:
    """With what is wrong, and without leaving anything behind."""
    break_it(folders)  # type: ignore[operator]
    with pytest.raises(DatasetError, match=message):
        preparation.prepare("cifar10_jpeg", folders, tmp_path / "prepared")

    assert not (tmp_path / "prepared" / "cifar10_jpeg").exists()


def test_a_file_that_is_no_tar_is_refused(tmp_path: Path) -> None:
    """With the reason that tar gives."""
    (tmp_path / "not.tar").write_text("hello")
    with pytest.raises(DatasetError, match="not a tar"):
        preparation.prepare("cifar10_jpeg", tmp_path / "not.tar", tmp_path)


def test_the_data_folder_can_be_chosen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """By the environment, for a cluster's shared disk."""
    monkeypatch.setenv("ALEXNET_DATA", str(tmp_path))

    assert catalogue.default_data_dir() == tmp_path
