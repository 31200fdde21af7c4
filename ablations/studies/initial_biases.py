"""Biases that start at 1 (section 5)."""

from ablations.arms import biases_of_zero
from ablations.bases import bases
from ablations.study import Arm, Contrast, EarlyLoss, Study

STUDY = Study(
    name="initial_biases",
    title="Biases that start at 1",
    asks="A faster start?",
    section="5",
    claim="C23",
    question="Do biases of 1 in conv2, conv4, conv5 and the hidden layers speed up the start?",
    paper_says="they accelerate the early stages of learning, as ReLUs get positive inputs",
    leaves_open="what early means, and by how much",
    we_chose="the mean running loss over the first tenth of all updates, by which rates are chosen",
    would_change="another deviation of the initial weights: small ones leave ReLUs undecided",
    paper_dataset="imagenet",
    arms={
        "0": Arm(changes=biases_of_zero, label="biases of 0"),
        "1": Arm(label="biases of 1"),
    },
    contrasts=(
        Contrast(arm="1", against="0", claim="C23", direction="lower", margin=0.02,
                 says="Biases that start at 1 speed up the start",
                 margin_reason="a fiftieth of a nat is within what a rate a little off costs"),
    ),
    bases=bases(metric=EarlyLoss()),
)  # fmt: skip
