"""One network on ten classes of photographs, so that a report has Figures 3 and 4 to show.

    invoke ablate --study examples/photographs.py --dataset imagenette
    invoke report

The paper's network at its own size, trained for hours in place of days: small batches, weights
that start by fan-in, one rate. It answers nothing about the paper. What comes of it are conv1's
kernels, and what the network makes of images that it has not seen.
"""

from ablations.study import Base, Contrast, FinalError, Study
from alexnet.config import Drops
from alexnet.config.network import FanIn
from alexnet.presets import paper

whole = paper()
quick = whole.but(
    network={
        "classes": 10,
        "convolutions": {c.name: {"init": FanIn()} for c in whole.network.convolutions},
        "classifier": {layer.name: {"init": FanIn()} for layer in whole.network.classifier},
    },
    training={
        "batch": 32,
        "epochs": 12,
        "schedule": Drops(after=(9, 11)).model_dump(),
    },
)

STUDY = Study(
    name="photographs",
    title="What one network sees in photographs",
    question="What do conv1's kernels look like, and which images does the network find alike?",
    arms={"as it is": {}},
    contrasts=(
        Contrast(
            arm="as it is",
            against="as it is",
            metric=FinalError(views="ten"),
            against_metric=FinalError(),
            direction="lower",
            margin=0.005,
            margin_reason="half a point",
            judged=False,
        ),
    ),
    bases={
        "imagenette": Base(
            config=quick,
            metric=FinalError(views="ten"),
            rates=(0.01,),
            threads="all",
            seeds=1,
            judged=False,
        )
    },
)
