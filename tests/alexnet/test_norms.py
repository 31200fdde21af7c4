"""The response normalisations against their formulas, restated in NumPy, and against PyTorch."""

from itertools import product

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.autograd import gradcheck

from alexnet.norms import local_response_norm, map_response_norm, neighbours_energy

Array = NDArray[np.float64]


def noise(*shape: int, scale: float = 50.0) -> Tensor:
    """Return activations as large as raw pixels make them, float64."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(0)).double() * scale


def plain_lrn(a: Array, n: int, alpha: float, beta: float, k: float, groups: int = 1) -> Array:
    """Section 3.3, term by term: the sum runs over max(0, i - n/2) .. min(N - 1, i + n/2)."""
    b, width = np.empty_like(a), a.shape[1] // groups
    for i in range(a.shape[1]):
        tower = i // width * width
        low, high = max(tower, i - n // 2), min(tower + width - 1, i + n // 2)
        energy = sum(a[:, j] ** 2 for j in range(low, high + 1))
        b[:, i] = a[:, i] / (k + alpha * energy) ** beta
    return b


def plain_map_norm(a: Array, n: int, alpha: float, beta: float, k: float) -> Array:
    """The same over a square of pixels in one map, cut at the edges."""
    b = np.empty_like(a)
    for y, x in product(range(a.shape[2]), range(a.shape[3])):
        rows = slice(max(0, y - n // 2), y + n // 2 + 1)
        columns = slice(max(0, x - n // 2), x + n // 2 + 1)
        energy = (a[:, :, rows, columns] ** 2).sum((2, 3))
        b[:, :, y, x] = a[:, :, y, x] / (k + alpha * energy) ** beta
    return b


def test_lrn_divides_by_the_energy_of_its_neighbours() -> None:
    """Channels 1, 2, 3 and a window of three: 1/(1+1+4), 2/(1+1+4+9), 3/(1+4+9)."""
    images = torch.tensor([1.0, 2.0, 3.0]).reshape(1, 3, 1, 1)

    normed = local_response_norm(images, size=3, alpha=1.0, beta=1.0, k=1.0)

    assert normed.flatten().tolist() == pytest.approx([1 / 6, 2 / 15, 3 / 14])


@pytest.mark.parametrize(
    ("channels", "size", "groups"),
    [
        (96, 5, 2),  # conv1 of 2012
        (64, 9, 1),  # the 11 % network
        (3, 5, 1),  # fewer channels than the window
        (6, 7, 2),  # fewer channels in a tower than half the window
        (1, 5, 1),
        (7, 1, 1),
    ],
)
@pytest.mark.parametrize("beta", [0.75, 0.5])
def test_lrn_is_the_papers_formula(channels: int, size: int, groups: int, beta: float) -> None:
    """Windows cut short at the ends of a tower, alpha on the sum; 11 x 7 pixels, 3 images."""
    images = noise(3, channels, 11, 7)
    expected = plain_lrn(images.numpy(), size, 1e-4, beta, 2.0, groups)

    normed = local_response_norm(images, size, 1e-4, beta, 2.0, groups)

    np.testing.assert_allclose(normed.numpy(), expected, rtol=1e-12)


@pytest.mark.parametrize("size", [1, 3, 5, 9, 15])
def test_lrn_is_pytorchs_with_its_alpha_divided_by_the_window(size: int) -> None:
    """PyTorch weighs the mean of squares, the paper their sum; forward and backward."""
    images = noise(2, 7, 3, 3).float()
    ours, theirs = (images.clone().requires_grad_() for _ in range(2))
    above = noise(2, 7, 3, 3, scale=1.0).float()

    expected = nn.LocalResponseNorm(size, alpha=1e-2, beta=0.75, k=2.0)(theirs)
    normed = local_response_norm(ours, size, alpha=1e-2 / size, beta=0.75, k=2.0)
    (normed * above).sum().backward()
    (expected * above).sum().backward()

    torch.testing.assert_close(normed, expected)
    torch.testing.assert_close(ours.grad, theirs.grad)


@pytest.mark.parametrize(
    ("channels", "size", "groups", "beta"),
    [(8, 5, 2, 0.75), (4, 5, 1, 0.75), (1, 5, 1, 0.75), (5, 3, 1, 1.5)],
)
def test_lrns_backward_is_its_derivative(
    channels: int, size: int, groups: int, beta: float
) -> None:
    """By finite differences in float64, where the norm is strong: alpha S about k."""
    images = noise(2, channels, 3, 2, scale=1.0).requires_grad_()

    assert gradcheck(lambda x: local_response_norm(x, size, 0.3, beta, 1.0, groups), images)


def test_lrn_of_many_blocks_is_that_of_each() -> None:
    """More activations than are computed at a time: images are independent of each other."""
    images = noise(60, 96, 9, 9).float()

    together = local_response_norm(images, 5, 2e-5, 0.75, 2.0)

    for number in (0, 31, 59):
        alone = local_response_norm(images[number : number + 1], 5, 2e-5, 0.75, 2.0)
        assert torch.equal(together[number], alone[0])


def layouts(images: Tensor) -> list[Tensor]:
    """Return the same values in other memory: channels-last, transposed, every second of more."""
    spread = torch.zeros(*images.shape[:-1], 2 * images.shape[-1], dtype=images.dtype)
    spread[..., ::2] = images
    return [
        images.contiguous(memory_format=torch.channels_last),
        images.transpose(2, 3).contiguous().transpose(2, 3),
        spread[..., ::2],
        images[:1].expand(3, -1, -1, -1),
    ]


@pytest.mark.parametrize("layout", range(4))
@pytest.mark.parametrize("norm", ["lrn", "map_norm"])
def test_the_memory_format_does_not_matter(layout: int, norm: str) -> None:
    """Forward and backward, whatever the strides of what comes in and of the gradient."""
    images = noise(3, 6, 5, 4)
    given = layouts(images)[layout]
    functions = {
        "lrn": lambda x: local_response_norm(x, 5, 1e-4, 0.75, 2.0, groups=2),
        "map_norm": lambda x: map_response_norm(x, 3, 1e-4, 0.75, 1.0),
    }
    ours, plain = given.detach().requires_grad_(), given.contiguous().clone().requires_grad_()
    above = layouts(noise(3, 6, 5, 4, scale=1.0))[layout]

    functions[norm](ours).backward(above)
    functions[norm](plain).backward(above.contiguous())

    torch.testing.assert_close(functions[norm](ours), functions[norm](plain))
    torch.testing.assert_close(ours.grad, plain.grad)


def test_lrn_keeps_the_type_and_computes_in_float32() -> None:
    """Squares of raw activations would lose most of their digits in bfloat16."""
    images = (torch.arange(1, 6).reshape(1, 5, 1, 1) * 100).bfloat16()
    exact = local_response_norm(images.float(), 5, 2e-5, 0.75, 2.0)

    normed = local_response_norm(images, 5, 2e-5, 0.75, 2.0)

    assert normed.dtype == torch.bfloat16
    torch.testing.assert_close(normed, exact.bfloat16())


@pytest.mark.parametrize("norm", ["lrn", "map_norm"])
@pytest.mark.parametrize("beta", [0.75, 0.5])
def test_bfloat16_in_and_out_is_float32_within(norm: str, beta: float) -> None:
    """Where alpha S is about k: output and gradient as of float32 on the same numbers.

    Only the result is rounded, to 8 bits: at most 2^-8 of each number, and of the terms that
    a gradient near zero is the difference of.
    """
    functions = {
        "lrn": lambda x: local_response_norm(x, 5, 1e-4, beta, 2.0, groups=2),
        "map_norm": lambda x: map_response_norm(x, 3, 1e-4, beta, 1.0),
    }
    images, above = noise(4, 12, 9, 9).bfloat16(), noise(4, 12, 9, 9, scale=1.0).bfloat16()
    rounded, exact = images.clone().requires_grad_(), images.float().requires_grad_()
    results = functions[norm](rounded), functions[norm](exact)
    results[0].backward(above)
    results[1].backward(above.float())

    assert results[0].dtype == rounded.grad.dtype == torch.bfloat16
    torch.testing.assert_close(results[0].float(), results[1], rtol=2**-8, atol=0)
    torch.testing.assert_close(rounded.grad.float(), exact.grad, rtol=2**-8, atol=2**-8)


def test_lrn_runs_where_nothing_is_computed() -> None:
    """On the meta device, forward and backward: shapes alone."""
    images = torch.empty(2, 8, 4, 4, device="meta", requires_grad=True)

    local_response_norm(images, 5, 1e-4, 0.75, 2.0, groups=2).sum().backward()

    assert images.grad is not None
    assert images.grad.shape == images.shape


def test_energy_is_what_the_norm_divides_by() -> None:
    """With beta 1 and k 1: a / b - 1 = alpha S."""
    images = noise(2, 6, 3, 3)

    energy = neighbours_energy(images, 3, groups=2)

    normed = local_response_norm(images, 3, 1e-3, 1.0, 1.0, groups=2)
    torch.testing.assert_close(1e-3 * energy, images / normed - 1)


@pytest.mark.parametrize("size", [1, 3, 5, 9])
def test_map_norm_is_its_formula(size: int) -> None:
    """A square around each pixel, nothing beyond the edges; wider than the map, too."""
    images = noise(2, 3, 6, 5)
    expected = plain_map_norm(images.numpy(), size, 4e-5, 0.75, 1.0)

    normed = map_response_norm(images, size, 4e-5, 0.75, 1.0)

    np.testing.assert_allclose(normed.numpy(), expected, rtol=1e-12)


def test_map_norms_backward_is_its_derivative() -> None:
    """By finite differences in float64."""
    images = noise(2, 2, 4, 3, scale=1.0).requires_grad_()

    assert gradcheck(lambda x: map_response_norm(x, 3, 0.3, 0.75, 1.0), images)


@pytest.mark.parametrize(
    "norm",
    [
        lambda x: local_response_norm(x, 4, 1e-4, 0.75, 2.0),
        lambda x: neighbours_energy(x, 4),
        lambda x: map_response_norm(x, 4, 1e-4, 0.75, 1.0),
    ],
)
def test_windows_without_a_middle_are_refused(norm) -> None:
    """The paper's n/2 on both sides makes five of four; PyTorch makes four."""
    with pytest.raises(ValueError, match="a window of 4 has no middle"):
        norm(noise(1, 8, 5, 5))


def test_lrn_refuses_channels_that_do_not_divide() -> None:
    """Seven maps are not two towers."""
    with pytest.raises(ValueError, match="7 channels"):
        local_response_norm(torch.zeros(1, 7, 1, 1), 5, 1e-4, 0.75, 2.0, groups=2)


@pytest.mark.parametrize("shape", [(0, 6, 5, 5), (2, 6, 0, 5)])
def test_nothing_is_normed_to_nothing(shape: tuple[int, ...]) -> None:
    """A batch without images, or maps without pixels."""
    nothing = torch.zeros(shape, requires_grad=True)

    for normed in (
        local_response_norm(nothing, 5, 1e-4, 0.75, 2.0, groups=2),
        map_response_norm(nothing, 3, 1e-4, 0.75, 1.0),
    ):
        normed.sum().backward()
        assert normed.shape == shape
