"""Everything of a training step is on the network's device: shown without a GPU, on fake tensors.

On `meta` an operation with a tensor left on the CPU may pass, as between two tensors of one device.
Fake tensors have devices that are compared. Their device cannot be "cuda" for a backward pass where
there is no CUDA, so it is "lazy", a name that no operation treats in its own way.
"""

from collections.abc import Callable
from typing import Any
from unittest import mock

import pytest
import torch
from torch import Tensor
from torch._subclasses.fake_tensor import DataDependentOutputException, FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from alexnet.config import Adam, Config, MomentumSGD
from alexnet.data.batches import training_batches
from alexnet.data.images import Dataset
from alexnet.layers import DropoutLayer
from alexnet.model import AlexNet, skeleton
from alexnet.optim import optimizer_for
from alexnet.presets import PRESETS, tiny
from alexnet.training import step

FIRST, SECOND = "lazy:0", "lazy:1"
ADAM = tiny().but(training={"optimizer": Adam(rate=0.001)})
WITH_MOMENTUM = [
    pytest.param(
        make().but(training={"optimizer": MomentumSGD(rate=0.001)})
        if isinstance(make().training.optimizer, Adam)
        else make(),
        id=name,
    )
    for name, make in PRESETS.items()
]
"""Adam is PyTorch's own: where it is not fused into one kernel, as it is on a GPU, it reads how
many steps it has taken, which no fake device has."""
HAS_KERNEL = (
    "CUDA", "CompositeExplicitAutograd", "CompositeImplicitAutograd",
    "CompositeExplicitAutogradNonFunctional", "BackendSelect",
)  # fmt: skip
"""Keys of the dispatcher under which a GPU finds an operator, one of its own or one made of others
that are looked up in turn."""


class Operators(TorchDispatchMode):
    """Remembers which operators are called, and which of them with tensors of several devices."""

    def __init__(self) -> None:
        """Remember nothing yet."""
        super().__init__()
        self.called, self.mixed = set[Any](), set[str]()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> object:
        """Call an operator and remember it."""
        out = func(*args, **(kwargs or {}))
        tensors = (one for one in tree_leaves((args, kwargs, out)) if isinstance(one, Tensor))
        self.called.add(func)
        if len({one.device for one in tensors}) > 1:
            self.mixed.add(func.name())
        return out


def moved(network: AlexNet, device: str) -> AlexNet:
    """Put fake tensors of a device in the place of a network's; `Module.to` cannot."""
    for module in network.modules():
        for name, tensor in module.named_parameters(recurse=False):
            fake = torch.empty_strided(tensor.shape, tensor.stride(), device=device)
            setattr(module, name, torch.nn.Parameter(fake))
        for name, tensor in module.named_buffers(recurse=False):
            setattr(module, name, torch.empty_like(tensor, device=device))
    return network


def a_step(config: Config, device: str) -> tuple[Tensor, Tensor]:
    """Return loss and errors of a whole training step on a fake device."""
    network = skeleton(config.network).train()  # its weights do not matter
    with FakeTensorMode():
        moved(network, device)
        optimizer = optimizer_for(network, config.training.optimizer)
        return step(network, optimizer, *a_batch(config, device), "float32")


def a_batch(config: Config, device: str) -> tuple[Tensor, Tensor]:
    """Return images, channels-last as training has them, and labels."""
    view = config.network.view
    images = torch.empty(4, view, view, 3, device=device).permute(0, 3, 1, 2)
    return images, torch.zeros(4, dtype=torch.int64, device=device)


@pytest.mark.parametrize("config", WITH_MOMENTUM)
def test_a_whole_step_stays_on_its_device(config: Config) -> None:
    """Forward, loss, backward and update, on the second of two, which is not the default.

    Nothing waits for the device either: a fake tensor has no numbers to read.
    """
    loss, errors = a_step(config, SECOND)

    assert {loss.device, errors.device} == {torch.device(SECOND)}


def on_the_cpu(layer: DropoutLayer, x: Tensor) -> Tensor:
    """Forget the device."""
    return x * (torch.rand(x.shape) >= 0.5)


def on_the_first(layer: DropoutLayer, x: Tensor) -> Tensor:
    """Take the first of two devices for the only one."""
    return x * torch.ones_like(x, device=FIRST)


def reading(layer: DropoutLayer, x: Tensor) -> Tensor:
    """Wait for the device."""
    return x * (1.0 if float(x.sum()) > 0 else 0.5)


@pytest.mark.parametrize("mistake", [on_the_cpu, on_the_first, reading])
def test_what_is_elsewhere_or_read_is_noticed(mistake: Callable[..., Tensor]) -> None:
    """Three mistakes in dropout, on the second device."""
    noticed = (RuntimeError, DataDependentOutputException)
    with (
        mock.patch.object(DropoutLayer, "forward", mistake),
        pytest.raises(noticed, match=r"device|_local_scalar_dense"),
    ):
        a_step(tiny(), SECOND)


def test_batches_are_made_on_the_gpu(images: Dataset, config: Config) -> None:
    """Every augmentation, on a fake GPU: what chance drew comes over from the CPU, whole."""
    with FakeTensorMode(allow_non_fake_inputs=True), Operators() as operators:
        on_gpu = images.to(torch.device("cuda:1"))
        shown = config.but(training={"batch": 16})
        batch, labels = next(training_batches(on_gpu, shown, 0, 1, torch.bfloat16))

    assert batch.device == labels.device == torch.device("cuda:1")
    assert batch.dtype == torch.bfloat16
    assert operators.mixed == {"aten::_to_copy"}


@pytest.mark.skipif(torch.version.cuda is None, reason="this PyTorch has no kernels for CUDA")
def test_every_operator_of_a_step_has_a_kernel_for_cuda() -> None:
    """As PyTorch's dispatcher knows it, of all presets; one made up has none."""
    seen = set[Any]()
    for config in (*(make() for make in PRESETS.values()), ADAM):
        network = skeleton(config.network).train()
        optimizer = optimizer_for(network, config.training.optimizer)
        with Operators() as operators:
            step(network, optimizer, *a_batch(config, "meta"), "float32")
        seen |= operators.called

    assert len(seen) > 30
    assert not [one.name() for one in seen if not on_cuda(one.name())]
    assert on_cuda("aten::_fused_adam_")  # which Adam calls on a GPU, and not on meta
    assert not on_cuda("mkldnn::_convolution_pointwise")


def on_cuda(name: str) -> bool:
    """Return whether the dispatcher has an operator for a GPU."""
    return any(torch._C._dispatch_has_kernel_for_dispatch_key(name, key) for key in HAS_KERNEL)
