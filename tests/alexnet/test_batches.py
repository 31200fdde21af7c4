"""What the network sees, against torchvision and worked answers."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms import RandomResizedCrop, v2

from alexnet import augment
from alexnet.augment import View
from alexnet.config import (
    AreaCrops,
    ChannelMeans,
    Config,
    MeanImage,
    Offsets,
    PcaColour,
)
from alexnet.data.batches import Draws, Preprocessing, training_batches, view_batches
from alexnet.data.images import Dataset

PLAIN = {"random_crops": False, "flips": False, "colour": None}


def seen(images: Dataset, config: Config, epoch: int = 1) -> torch.Tensor:
    """Return all that an epoch shows, in its order."""
    return torch.cat([views for views, _ in training_batches(images, config, 0, epoch)])


def draws(images: Dataset, config: Config, epoch: int = 1) -> Draws:
    """Return what chance decides about an epoch."""
    return Draws.of(images, Preprocessing.of(images, config), config, 0, epoch)


def test_a_chunk_shares_its_crop_and_its_flip(config: Config, images: Dataset) -> None:
    """Of 200 images in batches of 32: places 0 to 7, 8 to 15 and so on, across batches."""
    config = config.but(inputs={"chunk": 8, "colour": None, "normalise": ChannelMeans()})
    drawn = draws(images, config)
    assert drawn.corners is not None
    assert drawn.mirrored is not None
    levels = images.mean.mean((0, 1))

    for place, view in enumerate(seen(images, config)):
        top, left = drawn.corners[place // 8].tolist()
        pixels = images.train.pixels[drawn.order[place], top : top + 12, left : left + 12].double()
        expected = pixels.flip(1) if drawn.mirrored[place // 8] else pixels
        shown = view.permute(1, 2, 0) * images.channel_deviations + levels
        torch.testing.assert_close(shown, expected, atol=1e-3, rtol=0)
    assert len({tuple(corner) for corner in drawn.corners[:25].tolist()}) > 10


def test_the_paper_counts_32_places_and_its_code_33(images: Dataset, config: Config) -> None:
    """Here 4 of the 5 that a view of 12 has in 16 pixels; all of them occur, and no other."""
    few = draws(images, config.but(inputs={"random_crops": Offsets(places=4)})).corners
    every = draws(images, config).corners
    assert few is not None
    assert every is not None

    assert few.unique().tolist() == [0, 1, 2, 3]
    assert every.unique().tolist() == [0, 1, 2, 3, 4]


def test_more_places_than_there_are_is_refused(images: Dataset, config: Config) -> None:
    """256 pixels have 33 for a view of 224."""
    with pytest.raises(
        ValueError, match="places, and a view of 12 pixels has 5 x 5 in images of 16"
    ):
        draws(images, config.but(inputs={"random_crops": Offsets(places=6)}))


def test_images_may_keep_one_order(images: Dataset, config: Config) -> None:
    """Shuffled once, when the files of 2012 were written; crops still differ."""
    once = config.but(inputs={"shuffle": "once"})
    first, second = (draws(images, once, epoch) for epoch in (1, 2))
    each = [draws(images, config, epoch).order for epoch in (1, 2)]

    assert torch.equal(first.order, second.order)
    assert first.order.sort().values.tolist() == list(range(200))
    assert not torch.equal(first.order, torch.arange(200))
    assert not torch.equal(each[0], each[1])
    assert first.corners is not None
    assert second.corners is not None
    assert not torch.equal(first.corners, second.corners)


def test_colour_noise_ends_after_its_last_epoch(images: Dataset, config: Config) -> None:
    """And with it the division by 1.1 of the released code."""
    noisy = config.but(inputs={"colour": PcaColour(formula="source", last_epoch=2)})
    without = config.but(inputs={"colour": None})

    assert not torch.equal(seen(images, noisy, 2), seen(images, without, 2))
    assert torch.equal(seen(images, noisy, 3), seen(images, without, 3))


@pytest.mark.parametrize("formula", ["unit", "source"])
def test_colour_noise_is_its_formula(formula: str, images: Dataset, config: Config) -> None:
    """FACTS of both, restated in NumPy for every image of an epoch.

    ``unit``: P [a l], l the eigenvalues on 0-1 pixels, in grey levels times 255.
    ``source``: V z s c, s the standard deviations, then all divided by 1 + c.
    """
    colour = PcaColour(formula=formula, std=0.1)  # type: ignore[arg-type]
    plain = config.but(inputs=PLAIN)
    drawn = draws(images, config.but(inputs={"colour": colour}))
    stream = torch.Generator().manual_seed(_colour_seed())
    z = torch.randn(200, 3, generator=stream).double().numpy()
    axes, deviations = images.axes.double().numpy(), images.deviations.double().numpy()
    added, divisor = (
        ((z * 0.1 * (deviations / 255) ** 2) @ axes.T * 255, 1.0)
        if formula == "unit"
        else ((z * 0.1 * deviations) @ axes.T, 1.1)
    )
    before = seen(images, plain).double().numpy()
    expected = (before + added[drawn.order.numpy()][:, :, None, None]) / divisor

    noisy = seen(images, plain.but(inputs={"colour": colour}))

    np.testing.assert_allclose(noisy.numpy(), expected, atol=1e-3)


def _colour_seed() -> int:
    from alexnet.random_streams import derive

    return derive(0, "colour", "epoch", 1)


def test_channels_are_normalised_as_torchvision_does(images: Dataset, config: Config) -> None:
    """ToTensor and Normalize with ImageNet's means and deviations, on one view."""
    means, deviations = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    levels = ChannelMeans.model_validate(
        {
            "means": tuple(255 * mean for mean in means),
            "deviations": tuple(255 * deviation for deviation in deviations),
        }
    )
    rounded = images.measured_in(torch.float32)
    preprocessing = Preprocessing.of(rounded, config.but(inputs=PLAIN | {"normalise": levels}))
    transform = v2.Compose([v2.ToDtype(torch.float32, scale=True), v2.Normalize(means, deviations)])
    pixels = images.test.pixels[:, 2:14, 2:14].permute(0, 3, 1, 2)

    ours = torch.cat(
        list(view_batches(images.test, preprocessing, View(2, 2, mirrored=False, share=1)))
    )

    torch.testing.assert_close(ours, transform(pixels), atol=1e-5, rtol=1e-5)


def test_channels_own_means_and_deviations(images: Dataset, config: Config) -> None:
    """Over all pixels of all training images, by NumPy: mean 0 and deviation 1 afterwards."""
    pixels = images.train.pixels.double().numpy().reshape(-1, 3)
    whole = config.but(inputs=PLAIN | {"normalise": ChannelMeans()}, network={"view": 16})

    np.testing.assert_allclose(images.channel_deviations.numpy(), pixels.std(0), rtol=1e-5)
    shown = seen(images, whole).double().permute(1, 0, 2, 3).flatten(1)
    assert shown.mean(1).tolist() == pytest.approx([0, 0, 0], abs=1e-4)
    assert shown.std(1).tolist() == pytest.approx([1, 1, 1], abs=1e-4)


@pytest.mark.parametrize("mirrored", [False, True])
def test_the_mean_image_is_cropped_in_its_centre_or_where_the_image_is(
    mirrored: bool, images: Dataset, config: Config
) -> None:
    """The 2012 code and Caffe; Caffe subtracts before it mirrors."""
    view = View(1, 3, mirrored, share=1)
    pixels, mean = images.test.pixels[:, 1:13, 3:15], images.mean
    turn = (lambda x: x.flip(-2)) if mirrored else (lambda x: x)
    expected = {
        "centre": turn(pixels) - mean[2:14, 2:14],
        "aligned": turn(pixels - mean[1:13, 3:15]),
    }
    for square, values in expected.items():
        changed = config.but(inputs={"normalise": MeanImage(square=square)})  # type: ignore[arg-type]
        preprocessing = Preprocessing.of(images, changed)

        ours = torch.cat(list(view_batches(images.test, preprocessing, view)))

        assert torch.equal(ours, values.permute(0, 3, 1, 2))


def test_training_subtracts_the_aligned_mean_before_it_mirrors(
    images: Dataset, config: Config
) -> None:
    """Each image with its own corner and its own flip, one at a time."""
    config = config.but(inputs={"colour": None, "normalise": MeanImage(square="aligned")})
    drawn = draws(images, config)
    assert drawn.corners is not None
    assert drawn.mirrored is not None
    for place, view in enumerate(seen(images, config)):
        which = drawn.order[place]
        top, left = drawn.corners[which].tolist()
        square = (slice(top, top + 12), slice(left, left + 12))
        expected = images.train.pixels[which][square] - images.mean.float()[square]
        turned = expected.flip(1) if drawn.mirrored[which] else expected

        assert torch.equal(view, turned.permute(2, 0, 1))


def test_divided_inputs_are_divided(images: Dataset, config: Config) -> None:
    """By 64 exactly."""
    divided = config.but(inputs={"normalise": {"divisor": 64.0}})

    assert torch.equal(64 * seen(images, divided), seen(images, config))


def test_resizing_is_pillows(images: Dataset) -> None:
    """16 pixels to 37, as a script's Resize does on a picture; at most a grey level apart."""
    ours = augment.resized(images.test.pixels[:5], 37)

    for image, found in zip(images.test.pixels, ours, strict=False):
        picture = Image.fromarray(image.numpy()).resize((37, 37), Image.Resampling.BILINEAR)
        assert (found.int() - torch.from_numpy(np.array(picture)).int()).abs().max() <= 1


def test_resized_images_are_seen_whole_with_their_mean(images: Dataset, config: Config) -> None:
    """The mean of resized images is the resized mean, but for two roundings of each image."""
    config = config.but(inputs=PLAIN | {"resize": 24}, network={"view": 24})

    shown = seen(images, config)

    assert shown.shape == (200, 3, 24, 24)
    assert shown.mean(0).abs().max() < 1


def test_random_areas_are_torchvisions(config: Config) -> None:
    """Its get_params on 10,000 images: area, shape and place have the same distribution."""
    crops = AreaCrops()
    stream = torch.Generator().manual_seed(0)
    ours = augment.area_boxes(torch.rand(10_000, augment.TRIES, 4, generator=stream), crops, 40, 40)
    torch.manual_seed(0)
    image, ratio = torch.empty(3, 40, 40), (3 / 4, 4 / 3)
    theirs = torch.tensor(
        [RandomResizedCrop.get_params(image, [0.08, 1], list(ratio)) for _ in range(10_000)]
    )

    def features(boxes: torch.Tensor) -> list[torch.Tensor]:
        top, left, height, width = boxes.double().T
        return [height * width, (width / height).log(), top, left, height]

    for one, other in zip(features(ours), features(theirs), strict=True):
        assert one.mean().item() == pytest.approx(other.mean().item(), abs=4 * _error(other))
        assert one.std().item() == pytest.approx(other.std().item(), rel=0.05)
    assert (ours[:, :2] >= 0).all()
    assert (ours[:, :2] + ours[:, 2:] <= 40).all()


def _error(values: torch.Tensor) -> float:
    """Return the standard error of a difference of two such means."""
    return float(values.std()) * (2 / len(values)) ** 0.5


def test_a_rectangle_that_never_fits_is_the_whole_image() -> None:
    """All ten tries at the full area and the widest shape."""
    boxes = augment.area_boxes(torch.ones(2, augment.TRIES, 4), AreaCrops(), 40, 40)

    assert boxes.tolist() == [[0, 0, 40, 40]] * 2


def test_a_rectangle_is_cut_and_resized_as_torchvision_does(images: Dataset) -> None:
    """Its resized_crop, image by image."""
    boxes = torch.tensor([[0, 0, 16, 16], [3, 2, 5, 11], [1, 4, 12, 7]])

    ours = augment.crop_resized(images.test.pixels[:3], boxes, 12)

    for image, box, found in zip(images.test.pixels, boxes.tolist(), ours, strict=False):
        expected = v2.functional.resized_crop(
            image.permute(2, 0, 1), *box, size=[12, 12], antialias=True
        )
        assert torch.equal(found, expected.permute(1, 2, 0))


def test_random_areas_train(images: Dataset, config: Config) -> None:
    """From stored image to batch, at the size of the view."""
    shown = seen(images, config.but(inputs={"random_crops": AreaCrops(), "colour": None}))

    assert shown.shape == (200, 3, 12, 12)
    assert shown.isfinite().all()


def test_images_smaller_than_the_view_are_refused(images: Dataset, config: Config) -> None:
    """With both sizes and the way out."""
    with pytest.raises(ValueError, match="sees 20 x 20 pixels, and the images have 16 x 16"):
        Preprocessing.of(images, config.but(network={"view": 20}))


def test_images_that_are_not_square_are_refused(images: Dataset) -> None:
    """Their centre and corners would be others."""
    wide = replace(images.train, pixels=images.train.pixels.repeat(1, 1, 2, 1))
    with pytest.raises(ValueError, match="images of 16 x 32 pixels are not square"):
        replace(images, train=wide, mean=images.mean.repeat(1, 2, 1))


def test_a_mean_image_of_another_size_is_refused(images: Dataset) -> None:
    """Centring it would silently subtract the wrong pixels."""
    with pytest.raises(ValueError, match=r"the mean image has 24 x 24 pixels.*16 x 16"):
        replace(images, mean=torch.zeros(24, 24, 3))
