"""Named networks and how each is trained; every number with its source."""

from collections.abc import Callable
from typing import NamedTuple

from alexnet.config import Config
from alexnet.names import suggestion
from alexnet.presets.cifar_2012 import (
    cifar_18pct,
    cifar_19pct,
    cifar_80sec,
    cifar_conv_local_11pct,
    cifar_conv_local_11pct_first,
    cifar_conv_local_13pct,
)
from alexnet.presets.descendants import (
    caffe_alexnet,
    caffenet,
    one_tower_2014,
    torchvision,
    tutorial_2021,
)
from alexnet.presets.imagenet_2012 import (
    no_communication_2012,
    no_norm_2012,
    no_overlap_2012,
    one_gpu_2012,
    paper,
    six_conv_2012,
    source_2012,
)
from alexnet.presets.ours import alexnet_cifar, tiny


class Family(NamedTuple):
    """Networks that are best compared with one of them."""

    title: str
    reference: Callable[[], Config]
    others: tuple[Callable[[], Config], ...]


FAMILIES = (
    Family("the paper's text and the code behind it", paper, (source_2012,)),
    Family(
        "what that code was compared with",
        source_2012,
        (
            one_gpu_2012,
            no_overlap_2012,
            no_norm_2012,
            no_communication_2012,
            six_conv_2012,
        ),
    ),
    Family(
        "what others call AlexNet",
        paper,
        (one_tower_2014, caffe_alexnet, caffenet, torchvision, tutorial_2021),
    ),
    Family(
        "cuda-convnet's networks for CIFAR-10",
        cifar_80sec,
        (
            cifar_19pct,
            cifar_18pct,
            cifar_conv_local_13pct,
            cifar_conv_local_11pct_first,
            cifar_conv_local_11pct,
        ),
    ),
    Family("ours, for small images", paper, (alexnet_cifar, tiny)),
)
PRESETS = {
    make.__name__: make for family in FAMILIES for make in (family.reference, *family.others)
}
"""Every preset by its name, in the order in which they are listed."""


class PresetError(ValueError):
    """There is no preset of that name; the message suggests one."""


def preset(name: str) -> Config:
    """Return the config of a preset.

    Raises:
        PresetError: If there is none of that name.
    """
    if name not in PRESETS:
        raise PresetError(f"there is no preset {name!r}; {suggestion(name, PRESETS)}")
    return PRESETS[name]()


__all__ = [
    "FAMILIES",
    "PRESETS",
    "Family",
    "PresetError",
    "alexnet_cifar",
    "caffe_alexnet",
    "caffenet",
    "cifar_18pct",
    "cifar_19pct",
    "cifar_80sec",
    "cifar_conv_local_11pct",
    "cifar_conv_local_11pct_first",
    "cifar_conv_local_13pct",
    "no_communication_2012",
    "no_norm_2012",
    "no_overlap_2012",
    "one_gpu_2012",
    "one_tower_2014",
    "paper",
    "preset",
    "six_conv_2012",
    "source_2012",
    "tiny",
    "torchvision",
    "tutorial_2021",
]
