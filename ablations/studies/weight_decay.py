"""Weight decay and the training error (section 5)."""

from ablations.arms import NO_DECAY
from ablations.bases import SECOND_UNSEEN, bases
from ablations.contrast import HALF_A_POINT
from ablations.study import Arm, Contrast, FinalError, Study

STUDY = Study(
    name="weight_decay",
    title="Weight decay and the training error",
    asks="A lower *training* error?",
    section="5",
    claim="C22",
    question="Does a weight decay of 0.0005 lower the training error?",
    paper_says="this small amount of weight decay is not merely a regulariser: it reduces the "
    "model's training error",
    leaves_open="by how much, and whether the error was counted while training",
    we_chose="the clean training error, after the last epoch and without dropout; rates are chosen "
    "by it too",
    would_change="a longer training: decay acts through the number of updates times the rate",
    paper_dataset="imagenet",
    arms={
        "0": Arm(changes=NO_DECAY, label="no weight decay"),
        "0.0005": Arm(label="weight decay of 0.0005"),
    },
    contrasts=(
        Contrast(arm="0.0005", against="0", claim="C22", label="weight decay of 0.0005",
                 direction="lower", **HALF_A_POINT,
                 says="Weight decay lowers the training error"),
    ),
    bases=bases(metric=FinalError(part="train"), first_seed=SECOND_UNSEEN),
)  # fmt: skip
