"""Layers against answers worked by hand and against PyTorch's own."""

import pytest
import torch
from torch import nn

from alexnet.config import LRN, Dropout, Pool
from alexnet.layers import DropoutLayer, build_part, dropout, local_response_norm


def test_lrn_divides_by_the_energy_of_its_neighbours() -> None:
    """Channels 1, 2, 3 and a window of three: 1/(1+1+4), 2/(1+1+4+9), 3/(1+4+9)."""
    images = torch.tensor([1.0, 2.0, 3.0]).reshape(1, 3, 1, 1)

    normed = local_response_norm(images, size=3, alpha=1.0, beta=1.0, k=1.0)

    assert normed.flatten().tolist() == pytest.approx([1 / 6, 2 / 15, 3 / 14])


@pytest.mark.parametrize("size", [1, 3, 5, 9, 15])
def test_lrn_is_pytorchs_with_its_alpha_divided_by_the_window(size: int) -> None:
    """PyTorch weighs the mean of squares, the paper their sum; zeros beyond the ends alike."""
    images = torch.randn(2, 7, 3, 3, generator=torch.Generator().manual_seed(0)) * 50
    theirs = nn.LocalResponseNorm(size, alpha=1e-2, beta=0.75, k=2.0)(images)

    ours = local_response_norm(images, size, alpha=1e-2 / size, beta=0.75, k=2.0)

    torch.testing.assert_close(ours, theirs)


def test_lrn_of_two_towers_is_that_of_each_tower_alone() -> None:
    """Windows do not cross from one GPU's maps to the other's."""
    images = torch.randn(2, 8, 3, 3, generator=torch.Generator().manual_seed(0)) * 50
    settings = {"size": 5, "alpha": 1e-2, "beta": 0.75, "k": 2.0}
    alone = [local_response_norm(half, **settings) for half in images.chunk(2, dim=1)]

    together = local_response_norm(images, **settings, groups=2)

    torch.testing.assert_close(together, torch.cat(alone, dim=1))


def test_lrn_keeps_the_type_and_computes_in_float32() -> None:
    """Squares of raw activations would lose most of their digits in bfloat16."""
    images = (torch.arange(1, 6).reshape(1, 5, 1, 1) * 100).bfloat16()
    exact = local_response_norm(images.float(), 5, 2e-5, 0.75, 2.0)

    normed = local_response_norm(images, 5, 2e-5, 0.75, 2.0)

    assert normed.dtype == torch.bfloat16
    torch.testing.assert_close(normed, exact.bfloat16())


def test_lrn_refuses_channels_that_do_not_divide() -> None:
    """Seven maps are not two towers."""
    with pytest.raises(ValueError, match="7 channels"):
        local_response_norm(torch.zeros(1, 7, 1, 1), 5, 1e-4, 0.75, 2.0, groups=2)


def test_pooling_rounds_up_and_averages_inside_the_image() -> None:
    """4 pixels by 3/2 make two windows; the second is columns 2 and 3 alone.

    Rows 0..3 of 0..15: the means of the four windows are 5, 6.5, 11 and 12.5, the last over
    2 x 2 pixels (10, 11, 14, 15).
    """
    image = torch.arange(16.0).reshape(1, 1, 4, 4)
    pool = build_part(Pool(kind="avg_pool", size=3, stride=2, rounding="ceil"))

    assert pool(image).flatten().tolist() == [5.0, 6.5, 11.0, 12.5]


def test_overlapping_max_pooling() -> None:
    """Windows of 3 by steps of 2 share a row and a column: 10, 11 (cut), 14, 15."""
    image = torch.arange(16.0).reshape(1, 1, 4, 4)
    pool = build_part(Pool(kind="max_pool", size=3, stride=2, rounding="ceil"))

    assert pool(image).flatten().tolist() == [10.0, 11.0, 14.0, 15.0]


def test_dropout_scales_where_it_says() -> None:
    """The paper leaves kept units alone while training; PyTorch doubles them."""
    units, keep = torch.tensor([1.0, 2.0]), torch.tensor([True, False])

    assert dropout(units, keep, 0.5, "test").tolist() == [1.0, 0.0]
    assert dropout(units, keep, 0.5, "training").tolist() == [2.0, 0.0]


@pytest.mark.parametrize(("scale", "factor"), [("test", 0.75), ("training", 1.0)])
def test_dropout_at_test_agrees_with_its_mean_in_training(scale: str, factor: float) -> None:
    """A quarter dropped: the paper multiplies by 0.75 at test, PyTorch by nothing."""
    layer = DropoutLayer(Dropout(rate=0.25, scale=scale))  # type: ignore[arg-type]
    layer.stream = torch.Generator().manual_seed(0)
    ones = torch.ones(200_000)

    tested = layer.eval()(ones)
    trained = layer.train()(ones)

    assert tested.unique().tolist() == [factor]
    assert trained.mean().item() == pytest.approx(factor, abs=5e-3)


def test_an_lrn_part_passes_its_settings_on() -> None:
    """The module is the function with the config's numbers."""
    images = torch.randn(1, 4, 2, 2, generator=torch.Generator().manual_seed(0)) * 50
    part = LRN(size=3, alpha=1e-3, beta=0.5, k=1.5, groups=2)

    assert torch.equal(
        build_part(part)(images), local_response_norm(images, 3, 1e-3, 0.5, 1.5, groups=2)
    )
