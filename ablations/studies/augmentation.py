"""Random crops and reflections (section 4.1)."""

from ablations.arms import NO_AUGMENTATION, NO_COLOUR_NOISE, NO_DROPOUT
from ablations.bases import bases
from ablations.contrast import HALF_A_POINT
from ablations.study import Arm, Contrast, FinalError, Gap, Overfits, Study

NONE, CROPS, ALL = "none", "crops and flips", "all"
WIDE = {"margin": 0.02, "margin_reason": '"substantial" overfitting is more than two points'}

STUDY = Study(
    name="augmentation",
    title="Crops, reflections and colour noise",
    asks="Are crops and flips needed?",
    section="4.1",
    claim="C18",
    question="Does the network overfit without random crops and reflections?",
    paper_says="without them the network suffers from substantial overfitting; colour noise then "
    "lowers the top-1 error by over 1 %",
    leaves_open="how much is substantial, and of which network",
    we_chose="the gap between test and clean training error, and the test error beside it; on "
    "small images without dropout, since both are against overfitting and either hides the other",
    would_change="dropout, with which the network overfits less to begin with",
    paper_dataset="imagenet",
    arms={
        NONE: Arm(changes=NO_AUGMENTATION, needs=("mirror",), label="no augmentation"),
        CROPS: Arm(changes=NO_COLOUR_NOISE, needs=("mirror",)),
        ALL: Arm(needs=("colour", "mirror"), label="crops, flips and colour noise"),
    },
    contrasts=(
        Contrast(arm=CROPS, against=NONE, claim="C18", metric=Gap(), direction="lower", **WIDE,
                 precondition=Overfits(arm=NONE), says="Crops and flips reduce overfitting"),
        Contrast(arm=CROPS, against=NONE, metric=FinalError(), direction="lower", **HALF_A_POINT,
                 says="Crops and flips lower the error"),
        Contrast(arm=ALL, against=CROPS, claim="C20", paper=-0.01,
                 says="Colour noise lowers the error"),
    ),
    bases=bases(small=NO_DROPOUT,
                small_left_open=("without dropout, so that there is overfitting to prevent",)),
)  # fmt: skip
