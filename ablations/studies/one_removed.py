"""The whole network, and one idea removed at a time."""

from ablations.arms import (
    CONSTANT_NORM,
    NO_COLOUR_NOISE,
    NO_CROPS_OR_FLIPS,
    NO_DECAY,
    NO_DROPOUT,
    NO_NORM,
    biases_of_zero,
    equal_maps,
    one_wide_tower,
    tanh_and_biases_of_zero,
)
from ablations.bases import bases
from ablations.contrast import HALF_A_POINT
from ablations.study import Arm, Contrast, NormActive, Study

WHOLE = "as it is"
CONSTANT = "LRN's constant alone"
ACTIVE = NormActive(arm=WHOLE)

STUDY = Study(
    name="one_removed",
    title="One idea removed at a time",
    asks="Which ideas matter at all?",
    section="3 to 5",
    question="Which of the paper's ideas lower the test error, and by how much each?",
    paper_says="three ideas lower the error: response normalisation by 1.4 points, overlapping "
    "pooling by 0.4, colour noise by over 1; ReLUs and biases of 1 make training faster, dropout, "
    "crops and flips prevent overfitting, decay lowers the training error",
    leaves_open="what each of the latter is worth in test error; ideas were compared in different "
    "networks, on different images, by one run each",
    we_chose="one network, one idea removed at a time, each arm at its own best rate; the error "
    "by ten views, as in the paper, which stand in for some of the crops and flips that an arm "
    "has not trained with. Tanh is compared where biases start at 0: with those of 1, which are "
    "for ReLUs, it learned nothing. LRN is judged against its constant factor alone, k^-beta = "
    "0.59; removed whole, it takes that along. Pooling 2/2 leaves maps of the same size, and where "
    "a window covers its whole map, as the last one on small images, it stays",
    would_change="a longer training, in which regularisation would matter more; more images, with "
    "which it would matter less; ideas removed together, which this cannot see",
    paper_dataset="imagenet",
    arms={
        WHOLE: {},
        CONSTANT: CONSTANT_NORM,
        "no LRN": NO_NORM,
        "2/2 pooling": equal_maps,
        "no dropout": NO_DROPOUT,
        "no crops or flips": Arm(changes=NO_CROPS_OR_FLIPS, needs=("mirror",)),
        "no colour noise": Arm(changes=NO_COLOUR_NOISE, needs=("colour",)),
        "no decay": NO_DECAY,
        "biases of 0": biases_of_zero,
        "biases of 0, tanh": tanh_and_biases_of_zero,
        "one wide tower": one_wide_tower,
    },
    contrasts=(
        Contrast(arm=CONSTANT, against=WHOLE, claim="C13", paper=0.014, precondition=ACTIVE),
        Contrast(arm="no LRN", against=WHOLE, paper=0.014, judged=False),
        Contrast(arm="2/2 pooling", against=WHOLE, claim="C15", paper=0.004),
        Contrast(arm="no dropout", against=WHOLE, direction="higher", **HALF_A_POINT),
        Contrast(arm="no crops or flips", against=WHOLE, direction="higher", **HALF_A_POINT),
        Contrast(arm="no colour noise", against=WHOLE, claim="C20", paper=0.01),
        Contrast(arm="no decay", against=WHOLE, direction="higher", **HALF_A_POINT),
        Contrast(arm="biases of 0", against=WHOLE, direction="higher", **HALF_A_POINT),
        Contrast(
            arm="biases of 0, tanh", against="biases of 0", direction="higher", **HALF_A_POINT
        ),
        Contrast(arm="one wide tower", against=WHOLE, direction="equal", **HALF_A_POINT),
    ),
    bases=bases(),
)
