"""Augmentation as pure functions of images and of what was drawn."""

import pytest
import torch
from torchvision.transforms import functional as reference

from alexnet import augment
from alexnet.config import PcaColour
from alexnet.data.batches import training_batches
from alexnet.data.images import Dataset
from alexnet.presets import tiny

IMAGES = torch.randint(0, 256, (4, 6, 6, 3), generator=torch.Generator().manual_seed(0))


def test_a_crop_is_torchvisions() -> None:
    """Row and column of the upper left corner, one pair an image."""
    corners = torch.tensor([[0, 0], [2, 1], [1, 2], [2, 2]])

    cropped = augment.crop(IMAGES, torch.arange(len(IMAGES)), corners, 4)

    for image, corner, ours in zip(IMAGES, corners.tolist(), cropped, strict=True):
        theirs = reference.crop(image.permute(2, 0, 1), *corner, 4, 4)
        assert torch.equal(ours.permute(2, 0, 1), theirs)


def test_the_centre_is_torchvisions() -> None:
    """For sides that differ by an even number."""
    theirs = reference.center_crop(IMAGES.permute(0, 3, 1, 2), [4, 4])

    assert torch.equal(augment.centre(IMAGES, 4).permute(0, 3, 1, 2), theirs)


def test_only_the_chosen_are_mirrored() -> None:
    """Left to right; the others stay."""
    flipped = augment.flip(IMAGES, torch.tensor([True, False, True, False]))

    assert torch.equal(flipped[::2], IMAGES[::2].flip(2))
    assert torch.equal(flipped[1::2], IMAGES[1::2])


@pytest.mark.parametrize(("formula", "levels"), [("unit", 5.8157), ("source", 12.178)])
def test_colour_noise_along_the_first_component(formula: str, levels: float) -> None:
    """FACTS (f): ImageNet's first component deviates by 121.78 grey levels.

    A draw of one standard deviation moves it by 0.1 x 121.78 ("source"), or by
    0.1 x (121.78 / 255)^2 x 255 = 5.8 ("unit").
    """
    deviations, axes = torch.tensor([121.78, 37.09, 19.72]), torch.eye(3)
    colour = PcaColour(formula=formula, std=0.1)  # type: ignore[arg-type]

    shifts = augment.colour_shifts(torch.tensor([[1.0, 0.0, 0.0]]), deviations, axes, colour)

    assert shifts.tolist()[0] == pytest.approx([levels, 0, 0], rel=1e-4)


def test_a_component_that_mixes_channels_moves_all_of_them() -> None:
    """The axes are columns: the first column is what a draw along the first component adds."""
    axes = torch.tensor([[0.6, -0.8, 0.0], [0.8, 0.6, 0.0], [0.0, 0.0, 1.0]])
    colour = PcaColour(formula="source", std=0.1)

    shifts = augment.colour_shifts(
        torch.tensor([[1.0, 0, 0]]), torch.full((3,), 10.0), axes, colour
    )

    assert shifts.tolist()[0] == pytest.approx([0.6, 0.8, 0.0])


def test_every_image_is_seen_once_an_epoch_in_another_order(images: Dataset) -> None:
    """The last short batch is kept: 200 images in batches of 32 are six and a rest of 8."""
    config = tiny()
    epochs = [[labels for _, labels in training_batches(images, config, 0, n)] for n in (1, 2)]
    plain = config.but(inputs={"random_crops": False, "flips": False, "colour": None})
    batches = [views for views, _ in training_batches(images, plain, 0, 1)]
    centred = augment.centre(images.train.pixels - images.mean.float(), 12).permute(0, 3, 1, 2)

    assert [len(labels) for labels in epochs[0]] == [32] * 6 + [8]
    assert not torch.equal(torch.cat(epochs[0]), torch.cat(epochs[1]))
    assert torch.equal(
        torch.cat(batches).flatten(1).sort(0).values, centred.flatten(1).sort(0).values
    )


def test_an_augmentation_moves_no_other_stream(images: Dataset) -> None:
    """Without colour, images come in the same order, cropped and mirrored alike."""
    config = tiny().but(inputs={"colour": None})
    coloured = [labels for _, labels in training_batches(images, tiny(), 5, 3)]
    plain = list(training_batches(images, config, 5, 3))
    unflipped = config.but(inputs={"flips": False})

    assert all(torch.equal(a, b) for a, (_, b) in zip(coloured, plain, strict=True))
    for (mirrored, _), (straight, _) in zip(
        plain, training_batches(images, unflipped, 5, 3), strict=True
    ):
        # The mean image is not mirrored, so undo it before comparing.
        mean = augment.centre(images.mean, 12).permute(2, 0, 1)
        one, other = mirrored + mean, straight + mean
        same = (one - other).abs().amax((1, 2, 3)) < 1e-3
        turned = (one - other.flip(-1)).abs().amax((1, 2, 3)) < 1e-3
        assert (same | turned).all()
        assert turned.any()
