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
from ablations.bases import FIRST_UNSEEN, bases
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
    paper_says="response normalisation lowers the error by 1.4 points, overlapping pooling by 0.4, "
    "colour noise by over 1; ReLUs and biases of 1 speed up, the rest regularises",
    leaves_open="what the latter are worth in test error; each was seen once, in various networks",
    we_chose="one network, one idea removed at a time, each arm at its best rate; the error by ten "
    "views, which stand in for some of the crops and flips that an arm has not trained with. Tanh "
    "is compared where biases start at 0: with those of 1, for ReLUs, it learned nothing. LRN is "
    "judged against its constant alone, k^-beta = 0.59, which goes if it is removed whole. Pooling "
    "2/2 leaves maps of one size; a window that covers its whole map stays",
    would_change="a longer training, or other images; ideas removed together, unseen here",
    paper_dataset="imagenet",
    arms={
        WHOLE: Arm(label="the whole network"),
        CONSTANT: CONSTANT_NORM,
        "no LRN": NO_NORM,
        "2/2 pooling": equal_maps,
        "no dropout": NO_DROPOUT,
        "no crops or flips": Arm(changes=NO_CROPS_OR_FLIPS, needs=("mirror",)),
        "no colour noise": Arm(changes=NO_COLOUR_NOISE, needs=("colour",)),
        "no decay": NO_DECAY,
        "biases of 0": biases_of_zero,
        "biases of 0, tanh": Arm(changes=tanh_and_biases_of_zero, label="tanh, biases of 0"),
        "one wide tower": one_wide_tower,
    },
    contrasts=(
        Contrast(arm=CONSTANT, against=WHOLE, claim="C13", paper=0.014, precondition=ACTIVE,
                 says="LRN lowers the error"),
        Contrast(arm="no LRN", against=WHOLE, paper=0.014, judged=False),
        Contrast(arm="2/2 pooling", against=WHOLE, claim="C15", paper=0.004,
                 says="Overlapping pooling lowers the error"),
        Contrast(arm="no dropout", against=WHOLE, direction="higher", **HALF_A_POINT,
                 says="Dropout lowers the error"),
        Contrast(arm="no crops or flips", against=WHOLE, direction="higher", **HALF_A_POINT,
                 says="Random crops and flips lower the error"),
        Contrast(arm="no colour noise", against=WHOLE, claim="C20", paper=0.01,
                 says="Colour noise lowers the error"),
        Contrast(arm="no decay", against=WHOLE, direction="higher", **HALF_A_POINT,
                 says="Weight decay lowers the error"),
        Contrast(arm="biases of 0", against=WHOLE, direction="higher", **HALF_A_POINT,
                 says="Biases that start at 1 lower the error"),
        Contrast(arm="biases of 0, tanh", against="biases of 0", direction="higher", **HALF_A_POINT,
                 label="tanh against ReLU, biases of 0", says="ReLU lowers the error"),
        Contrast(arm="one wide tower", against=WHOLE, direction="equal", **HALF_A_POINT,
                 says="One wide tower errs as much as two narrow ones"),
    ),
    bases=bases(first_seed=FIRST_UNSEEN),
)  # fmt: skip
