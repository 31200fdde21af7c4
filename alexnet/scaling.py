"""Divided inputs: the same training on smaller numbers, and why it is not the same otherwise.

Norms, initial deviations and rates of 2012 are made for raw pixels. Who divides pixels by their
deviation and keeps those has another network: LRN's alpha then weighs next to nothing.
"""

from alexnet.config import Config, LayerRate, MeanImage, MomentumSGD, Normal


def with_divided_inputs(config: Config, divisor: float) -> Config:
    """Return a config that learns the same function from inputs divided by ``divisor``.

    With x' = x / s, the first layer's weights are W' = s W all along if they start s times as
    large and their rate is s^2 times, their decay 1/s^2 of what it was; biases stay. For a
    power of two it is the same to the last bit.

    Args:
        config: Of raw or already divided inputs.
        divisor: Of grey levels; 58 makes photographs' deviations about 1.

    Raises:
        ValueError: If there is no exact equivalent: channels normalised by their own
            deviations, Adam, weights that do not start from a normal distribution, or decay
            that biases share.
    """
    first, normalise = config.network.layers[0], config.inputs.normalise
    optimizer = config.training.optimizer
    if not isinstance(normalise, MeanImage):
        raise ValueError("channels are divided by their own deviations already")
    if not isinstance(optimizer, MomentumSGD):
        raise ValueError("Adam divides by the size of gradients, so no rate makes up for inputs")
    if not isinstance(first.init, Normal):
        raise ValueError(f"{first.name} starts from {first.init.kind}, whose scale is not a value")
    by_layer = {layer.name: optimizer.decay_of(layer.name) for layer in config.network.layers}
    if by_layer[first.name] and optimizer.decays == "all":
        raise ValueError("decay acts on biases too; theirs must stay while weights' changes")
    by_layer[first.name] /= divisor**2
    part = "convolutions" if config.network.convolutions else "classifier"
    return config.but(
        network={part: {first.name: {"init": {"std": first.init.std * divisor}}}},
        inputs={"normalise": {"divisor": normalise.divisor * divisor}},
        training={
            "optimizer": {"weight_decay": by_layer},
            "layer_rates": (
                *config.training.layer_rates,
                LayerRate(layer=first.name, of="weights", factor=divisor**2),
            ),
        },
    )
