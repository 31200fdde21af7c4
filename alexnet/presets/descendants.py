"""What others call AlexNet: cuda-convnet2's one tower, Caffe's two, torchvision's, a tutorial's."""

from alexnet.config import (
    Adam,
    AreaCrops,
    ChannelMeans,
    Config,
    Drops,
    Exponential,
    FanIn,
    Inputs,
    MeanImage,
    MomentumSGD,
    Network,
    Steps,
    Training,
)
from alexnet.presets.imagenet_2012 import paper, source_2012


def one_tower_2014() -> Config:
    """Return cuda-convnet2's network for one GPU [layers-imagenet-1gpu.cfg and its params].

    Krizhevsky's "one weird trick" widths; the last biases start at -7.
    """
    source = source_2012()
    widths = {"conv1": 64, "conv2": 192, "conv3": 384, "conv4": 256, "conv5": 256}
    convolutions: dict[str, object] = {
        name: {"maps": maps, "groups": 1} for name, maps in widths.items()
    }
    return source.but(
        network={
            "parts": {"norm": {"groups": 1}, "map_norm": None},
            "convolutions": convolutions,
            "classifier": {"fc8": {"init": {"bias": -7}}},
        },
        inputs={"chunk": 1, "colour": {"last_epoch": None}},
        training={
            "epochs": 90,
            "schedule": Exponential(fall=250, steps=4),
            "bias_schedule": Exponential(fall=10, steps=2),
            "layer_rates": (),
        },
    )


def caffe_alexnet() -> Config:
    """Return Caffe's AlexNet [models/bvlc_alexnet: train_val.prototxt, solver.prototxt].

    A crop of 227 needs no zeros; LRN windows cross the towers and k is 1; biases start at 0.1;
    dropout is scaled in training; no colour noise; the mean is cropped where the image is.
    Its images are forced to 256 x 256, which is a matter of preparation.
    """
    return paper().but(
        network={
            "view": 227,
            "parts": {
                "norm": {"alpha": 2e-5, "k": 1.0, "groups": 1},
                "dropout": {"scale": "training"},
            },
            "convolutions": {
                "conv1": {"rounding": "floor"},
                "conv2": {"init": {"bias": 0.1}},
                "conv4": {"init": {"bias": 0.1}},
                "conv5": {"init": {"bias": 0.1}},
            },
            "classifier": {
                "fc6": {"init": {"std": 0.005, "bias": 0.1}},
                "fc7": {"init": {"std": 0.005, "bias": 0.1}},
            },
        },
        inputs={
            "random_crops": True,
            "colour": None,
            "normalise": MeanImage(square="aligned"),
            "shuffle": "once",
        },
        training={
            "batch": 256,
            "optimizer": {"bias_rate": 2.0},
            "schedule": Steps(updates=100_000),
        },
    )


def caffenet() -> Config:
    """Return CaffeNet [models/bvlc_reference_caffenet]: pooling before the norms, biases of 1."""
    order = ("act", "pool", "norm")
    return caffe_alexnet().but(
        network={
            "convolutions": {
                "conv1": {"then": order},
                "conv2": {"then": order, "init": {"bias": 1}},
                "conv4": {"init": {"bias": 1}},
                "conv5": {"init": {"bias": 1}},
            },
            "classifier": {"fc6": {"init": {"bias": 1}}, "fc7": {"init": {"bias": 1}}},
        }
    )


def torchvision() -> Config:
    """Return torchvision's alexnet and its recipe [models/alexnet.py, references/classification].

    cuda-convnet2's widths without its norms, padding 2, PyTorch's initial weights; dropout one
    layer earlier than everyone else's, before fc6 and fc7. Its adaptive pooling to 6 x 6 does
    nothing at 224 pixels. Its random areas are of the original image; ours of the stored square.
    """
    network = _modern(
        one_tower_2014().network.but(
            convolutions={
                "conv1": {"padding": 2, "rounding": "floor", "then": ("act", "pool")},
                "conv2": {"then": ("act", "pool")},
                "conv5": {"then": ("act", "pool", "dropout")},
            },
            classifier={"fc7": {"then": ("act",)}},
        )
    )
    levels = {
        "means": tuple(255 * share for share in (0.485, 0.456, 0.406)),
        "deviations": tuple(255 * share for share in (0.229, 0.224, 0.225)),
    }
    return Config(
        network=network,
        inputs=Inputs(random_crops=AreaCrops(), normalise=ChannelMeans.model_validate(levels)),
        training=Training(
            epochs=90,
            batch=256,
            optimizer=MomentumSGD(
                rate=0.01, momentum=0.9, weight_decay=1e-4, decays="all", convention="pytorch"
            ),
            schedule=Drops(after=(30, 60)),
        ),
    )


def tutorial_2021() -> Config:
    """Return the AlexNet of a common tutorial script of 2021, for CIFAR-10 scaled up to 227 pixels.

    Groups in conv2 only, no norms, Adam at 0.001. The script's number of epochs is not on
    record; ten is ours.
    """
    network = _modern(
        paper().network.but(
            view=227,
            classes=10,
            convolutions={
                "conv1": {"rounding": "floor", "then": ("act", "pool")},
                "conv2": {"then": ("act", "pool")},
                "conv4": {"groups": 1},
                "conv5": {"groups": 1},
            },
        )
    )
    return Config(
        network=network,
        inputs=Inputs(resize=227, random_crops=False, flips=False, normalise=ChannelMeans()),
        training=Training(epochs=10, batch=128, optimizer=Adam(rate=0.001)),
    )


def _modern(network: Network) -> Network:
    """Return a network without norms, with PyTorch's initial weights, dropout and rounding."""
    pytorch = {layer.name: {"init": FanIn()} for layer in network.layers}
    convolutions = {layer.name for layer in network.convolutions}
    return network.but(
        parts={
            "norm": None,
            "map_norm": None,
            "pool": {"rounding": "floor"},
            "dropout": {"scale": "training"},
        },
        convolutions={name: change for name, change in pytorch.items() if name in convolutions},
        classifier={name: c for name, c in pytorch.items() if name not in convolutions},
    )
