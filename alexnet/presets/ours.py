"""Our own: the paper's eight layers for images of 32 pixels, and a network of seconds for tests."""

from alexnet.config import (
    LRN,
    Config,
    Conv,
    Dense,
    Dropout,
    Drops,
    Inputs,
    MomentumSGD,
    Network,
    Normal,
    PcaColour,
    Pool,
    Relu,
    Training,
)


def alexnet_cifar() -> Config:
    """Return the paper's eight layers for images of 32 pixels; ours, as the paper has none.

    Order, parts, towers, biases, dropout and decay are the paper's (sections 3.3 to 3.5, 4.2, 5),
    response normalisation as printed. The view is 28 of 32 pixels, the paper's 7/8, and conv1
    strides, as the paper's does. With ten classes it has 513,802 parameters and is trained on
    10,000 images: 51 parameters an image, where the paper has 48 (60,965,224 for 1,281,167), since
    the paper's claims are about a network that could overfit; whether one does, studies measure.
    Deviations are the 2012 code's, times the root of how many times fewer inputs a unit has here.
    """
    conv, towers = {"size": 3, "padding": 1}, {"groups": 2}
    network = Network(
        view=28,
        classes=10,
        parts={
            "act": Relu(),
            "norm": LRN(size=5, alpha=1e-4, beta=0.75, k=2.0, groups=2),  # as printed, undivided
            "pool": Pool(size=3, stride=2, rounding="ceil"),
            "dropout": Dropout(rate=0.5, scale="test"),
        },
        convolutions=(
            Conv(name="conv1", maps=32, size=5, stride=2, padding=2, init=Normal(std=0.022),
                 then=("act", "norm", "pool")),
            Conv(name="conv2", maps=64, size=5, padding=2, **towers,
                 init=Normal(std=0.017, bias=1), then=("act", "norm", "pool")),
            Conv(name="conv3", maps=128, **conv, init=Normal(std=0.06), then=("act",)),
            Conv(name="conv4", maps=128, **conv, **towers,
                 init=Normal(std=0.052, bias=1), then=("act",)),
            Conv(name="conv5", maps=64, **conv, **towers,
                 init=Normal(std=0.052, bias=1), then=("act", "pool")),
        ),
        classifier=(
            Dense(name="fc6", units=512, init=Normal(std=0.12, bias=1), then=("act", "dropout")),
            Dense(name="fc7", units=512, init=Normal(std=0.028, bias=1), then=("act", "dropout")),
            Dense(name="fc8", init=Normal(std=0.028)),
        ),
    )  # fmt: skip
    return Config(
        network=network,
        inputs=Inputs(colour=PcaColour(formula="unit", std=0.1)),
        training=Training(
            epochs=36,
            images=10_000,
            optimizer=MomentumSGD(rate=0.01, weight_decay=0.0005),
            schedule=Drops(after=(26, 32, 35)),
        ),
    )


def tiny() -> Config:
    """Return a network of seconds for tests: every part and every augmentation, 12 pixels."""
    network = Network(
        view=12,
        classes=10,
        parts={
            "act": Relu(),
            "norm": LRN(size=3, alpha=2e-5, groups=2),
            "pool": Pool(size=3, stride=2, rounding="ceil"),
            "dropout": Dropout(),
        },
        convolutions=(
            Conv(name="conv1", maps=4, size=3, padding=1, init=Normal(std=0.01),
                 then=("act", "norm", "pool")),
            Conv(name="conv2", maps=8, size=3, padding=1, groups=2, init=Normal(std=0.1, bias=1),
                 then=("act", "pool")),
        ),
        classifier=(
            Dense(name="fc3", units=16, init=Normal(std=0.1, bias=1), then=("act", "dropout")),
            Dense(name="fc4", init=Normal(std=0.1)),
        ),
    )  # fmt: skip
    return Config(
        network=network,
        inputs=Inputs(colour=PcaColour(formula="source")),
        training=Training(
            epochs=2,
            batch=32,
            optimizer=MomentumSGD(rate=0.001, bias_rate=2.0, weight_decay={"fc3": 0.0005}),
        ),
    )
