"""The network on ImageNet's release of Fall 2009 (section 6)."""

from ablations.contrast import HALF_A_POINT, THE_PAPER
from ablations.metrics import FinalError
from ablations.study import Base, Contrast, Study
from alexnet.presets import six_conv_2012

CLASSES = 10_184

STUDY = Study(
    name="fall_2009",
    title="Ten thousand classes",
    asks="Which error of 10,184 classes?",
    section="6",
    claim="C27",
    question="Does a network with a sixth convolution err at 67.4 % on 10,184 classes?",
    paper_says="67.4 % top-1 and 40.9 % top-5 on ImageNet of Fall 2009, half of it to train on",
    leaves_open="which half, and how it was trained",
    we_chose="the code's network with six convolutions, trained as #145 was",
    would_change="another half of the images",
    paper_dataset="imagenet_2009",
    arms={"six convolutions": {}},
    contrasts=(
        Contrast(arm="six convolutions", against=THE_PAPER, number=0.674, claim="C27",
                 metric=FinalError(views="ten"), direction="equal", **HALF_A_POINT),
        Contrast(arm="six convolutions", against=THE_PAPER, number=0.409, claim="C27",
                 metric=FinalError(views="ten", top=5), direction="equal", **HALF_A_POINT),
    ),
    bases={
        "imagenet_2009": Base(
            config=six_conv_2012().but(network={"classes": CLASSES}),
            metric=FinalError(views="ten"),
            rates=(0.01,),
            setting="closest reading",
            left_open=(
                "which half of the images was trained on was never published",
                "training as #145's; the paper says nothing of it here",
                "50,000 of the training images are held out",
            ),
            threads="all",
        )
    },
)  # fmt: skip
