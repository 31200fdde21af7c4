"""Images that are computed: the same bytes anywhere, in colour, of ten classes, learnable."""

import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from ablations.run import DatasetRef
from alexnet.data import synthetic
from alexnet.data.digests import digest_of
from alexnet.data.images import load
from alexnet.data.manifest import PARTS

DIGEST = "c4d85b7e3d0ee2c51583c3414b9cdd4892d6835a648662e61479d10d88e9bd3b"
"""Of all pixels: train, valid, test. Who changes the images changes what smoke runs are of."""
SPLIT = "30aac67fa6cc616ade595fd349135697a0246624efd1cdd9aded19eaa4dcae4b"
EVERY_PART = pytest.mark.parametrize("part", PARTS)


def test_the_images_are_the_same_as_ever() -> None:
    """By the digest they are known by; NumPy's old streams are frozen."""
    manifest = synthetic.manifest()

    assert manifest.digest == DIGEST
    assert manifest.split == SPLIT


def test_the_digest_is_of_the_pixels_themselves() -> None:
    """Not of what they were made from."""
    pixels = [synthetic.arrays()[part].pixels for part in ("train", "valid", "test")]

    assert digest_of(b"".join(array.tobytes() for array in pixels)) == DIGEST
    assert digest_of(pixels[1].tobytes()) == SPLIT


def test_computed_anew_they_are_the_same_bytes() -> None:
    """Nothing of the first time is left over, of the program's other uses of chance neither."""
    np.random.seed(3)
    again = synthetic.arrays.__wrapped__()

    for part in PARTS:
        assert again[part].pixels.tobytes() == synthetic.arrays()[part].pixels.tobytes()
        assert again[part].labels.tobytes() == synthetic.arrays()[part].labels.tobytes()


def test_another_process_has_the_same_images() -> None:
    """A worker computes them for itself."""
    program = "from alexnet.data.synthetic import manifest; print(manifest().digest)"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert done.stdout.strip() == DIGEST


def test_they_need_neither_files_nor_pytorch() -> None:
    """What plans, and what runs a study, does not import it."""
    program = (
        "import sys; from alexnet.data.synthetic import arrays; arrays(); print('torch' in "
        "sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert done.stdout.strip() == "False"
    assert synthetic.manifest().files == {}


@EVERY_PART
def test_ten_classes_have_as_many_images_each(part: str) -> None:
    """64 of each in train, 8 in valid and in test."""
    found = synthetic.arrays()[part]
    each = {"train": 64, "valid": 8, "test": 8}[part]

    assert Counter(found.labels.tolist()) == dict.fromkeys(range(10), each)
    assert found.labels.dtype == np.int64
    assert len(found.pixels) == len(found.labels) == synthetic.manifest().counts[part]


@EVERY_PART
def test_every_image_is_coloured(part: str) -> None:
    """Its channels are far apart on average, by more than noise of 60 levels alone would be.

    Two independent uniform draws of -60 to 60 are 40 apart in the mean; a grey image has 0.
    """
    pixels = synthetic.arrays()[part].pixels.astype(float)
    apart = np.abs(pixels[..., 0] - pixels[..., 1]).mean((1, 2))

    assert pixels.shape[1:] == (32, 32, 3)
    assert apart.min() > 45
    blocks = pixels.reshape(len(pixels), 4, 8, 4, 8, 3).mean((2, 4))
    assert (np.ptp(blocks, axis=-1).mean((1, 2)) > 30).all()


def test_no_image_is_twice_there_in_any_part() -> None:
    """What is learned by heart in train does not help in test."""
    seen = [image.tobytes() for part in PARTS for image in synthetic.arrays()[part].pixels]

    assert len(set(seen)) == len(seen) == 800


def test_images_of_a_class_are_shifted_and_noisy() -> None:
    """Two of one class are nearer than two of different ones, and never alike."""
    train = synthetic.arrays()["train"]
    means = np.stack([train.pixels[train.labels == k].astype(float).mean(0) for k in range(10)])
    within = np.abs(train.pixels.astype(float) - means[train.labels]).mean()
    between = np.abs(means[:, None] - means[None]).mean((2, 3, 4))[~np.eye(10, dtype=bool)]

    assert within > 25
    assert between.min() > 25


def test_a_classifier_by_the_nearest_mean_learns_them() -> None:
    """Over nine of ten test images by the class whose mean training image is nearest."""
    train, test = synthetic.arrays()["train"], synthetic.arrays()["test"]
    means = np.stack([train.pixels[train.labels == k].astype(float).mean(0) for k in range(10)])
    away = ((test.pixels[:, None].astype(float) - means[None]) ** 2).sum((2, 3, 4))

    assert (away.argmin(1) == test.labels).mean() > 0.9


def test_they_cannot_be_told_apart_by_the_order_they_come_in() -> None:
    """The first ten of train are one of each class, so that a few images are of all."""
    assert sorted(synthetic.arrays()["train"].labels[:10].tolist()) == list(range(10))


def test_what_training_sees_is_what_was_computed() -> None:
    """The same pixels, labels and mean image, whichever folder data are kept in."""
    data = load(synthetic.GENERATED, Path("nowhere"))
    train = synthetic.arrays()["train"]

    for part in PARTS:
        images = getattr(data, part)
        assert np.array_equal(np.asarray(images.labels), synthetic.arrays()[part].labels)
        assert len(images) == len(synthetic.arrays()[part].labels)
    assert np.allclose(data.mean.numpy(), train.pixels.astype(float).mean(0), atol=0.51)
    assert data.manifest == synthetic.manifest()


def test_the_manifest_says_what_they_are() -> None:
    """Colour, natural when mirrored, 32 pixels, as they are; referred to by their content."""
    manifest = synthetic.manifest()

    assert manifest.has == {"colour", "mirror"}
    assert (manifest.size, manifest.fit.kind) == (32, "own")
    assert manifest.counts == {"train": 640, "valid": 80, "test": 80}
    assert len(manifest.classes) == len(set(manifest.classes)) == 10
    assert DatasetRef.of(manifest) == DatasetRef(name="generated", digest=DIGEST, split=SPLIT)
