"""Named networks and how each is trained; every number with its source."""

from collections.abc import Callable

from alexnet.config import Config
from alexnet.presets.cifar_2012 import (
    cifar_18pct,
    cifar_19pct,
    cifar_80sec,
    cifar_conv_local_11pct,
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

PRESETS: dict[str, Callable[[], Config]] = {
    preset.__name__: preset
    for preset in (
        paper,
        source_2012,
        one_gpu_2012,
        no_overlap_2012,
        no_norm_2012,
        no_communication_2012,
        six_conv_2012,
        one_tower_2014,
        caffe_alexnet,
        caffenet,
        torchvision,
        tutorial_2021,
        cifar_80sec,
        cifar_19pct,
        cifar_18pct,
        cifar_conv_local_13pct,
        cifar_conv_local_11pct,
        alexnet_cifar,
        tiny,
    )
}

__all__ = [
    "PRESETS",
    "alexnet_cifar",
    "caffe_alexnet",
    "caffenet",
    "cifar_18pct",
    "cifar_19pct",
    "cifar_80sec",
    "cifar_conv_local_11pct",
    "cifar_conv_local_13pct",
    "no_communication_2012",
    "no_norm_2012",
    "no_overlap_2012",
    "one_gpu_2012",
    "one_tower_2014",
    "paper",
    "six_conv_2012",
    "source_2012",
    "tiny",
    "torchvision",
    "tutorial_2021",
]
