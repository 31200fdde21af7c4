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

    Order, parts, towers, biases and dropout are the paper's (sections 3.3 to 3.5, 4.2, 5). The
    view is 28 of 32 pixels, the paper's 7/8. Kernels and widths are scaled to the image, and
    standard deviations raised so that the smaller fan-in keeps the scale of the activations.
    """
    conv, towers = {"size": 3, "padding": 1}, {"groups": 2}
    network = Network(
        view=28,
        classes=10,
        parts={
            "act": Relu(),
            "norm": LRN(size=5, alpha=2e-5, beta=0.75, k=2.0, groups=2),  # 2e-5 is 1e-4/5
            "pool": Pool(size=3, stride=2, rounding="ceil"),
            "dropout": Dropout(rate=0.5, scale="test"),
        },
        convolutions=(
            Conv(name="conv1", maps=48, size=5, padding=2, init=Normal(std=0.01),
                 then=("act", "norm", "pool")),
            Conv(name="conv2", maps=96, size=5, padding=2, **towers,
                 init=Normal(std=0.03, bias=1), then=("act", "norm", "pool")),
            Conv(name="conv3", maps=144, **conv, init=Normal(std=0.03), then=("act",)),
            Conv(name="conv4", maps=144, **conv, **towers,
                 init=Normal(std=0.03, bias=1), then=("act",)),
            Conv(name="conv5", maps=96, **conv, **towers,
                 init=Normal(std=0.03, bias=1), then=("act", "pool")),
        ),
        classifier=(
            Dense(name="fc6", units=512, init=Normal(std=0.01, bias=1), then=("act", "dropout")),
            Dense(name="fc7", units=512, init=Normal(std=0.03, bias=1), then=("act", "dropout")),
            Dense(name="fc8", init=Normal(std=0.03)),
        ),
    )  # fmt: skip
    return Config(
        network=network,
        inputs=Inputs(colour=PcaColour(formula="unit", std=0.1)),
        training=Training(
            epochs=60,
            optimizer=MomentumSGD(
                rate=0.001, weight_decay={layer.name: 0.0005 for layer in network.layers}
            ),
            schedule=Drops(after=(30, 45, 55)),
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
