"""Dropout (section 4.2)."""

from ablations.arms import NO_AUGMENTATION, NO_DROPOUT
from ablations.bases import FIRST_UNSEEN, bases
from ablations.contrast import HALF_A_POINT
from ablations.study import Arm, Changes, Contrast, FinalError, Gap, Overfits, Study, TimeToValid
from alexnet.config import Config

WIDE = {"margin": 0.02, "margin_reason": '"substantial" overfitting is more than two points'}


def measured_each_epoch(config: Config) -> Changes:
    """Return the change by which convergence can be seen."""
    return {"training": {"validate_each_epoch": True}}


STUDY = Study(
    name="dropout",
    title="Dropout",
    asks="Does it stop overfitting?",
    section="4.2",
    claim="C21",
    question="Does the network overfit without dropout, and does dropout double the iterations?",
    paper_says="without dropout the network exhibits substantial overfitting; dropout roughly "
    "doubles the iterations to converge",
    leaves_open="how much is substantial, and when a network has converged",
    we_chose="the gap between test and clean training error; on small images without crops, flips "
    "and colour noise, since they prevent overfitting too; converged is where the held-out error "
    "first falls to what both networks end with, which is shown and not judged",
    would_change="more images for each parameter, where there is less to overfit",
    paper_dataset="imagenet",
    arms={
        "none": Arm(changes=NO_DROPOUT, label="no dropout"),
        "0.5": Arm(label="dropout of 0.5"),
    },
    contrasts=(
        Contrast(arm="0.5", against="none", claim="C21", metric=Gap(), direction="lower", **WIDE,
                 precondition=Overfits(arm="none"), says="Dropout reduces overfitting"),
        Contrast(arm="0.5", against="none", metric=FinalError(), direction="lower", **HALF_A_POINT,
                 says="Dropout lowers the error"),
        Contrast(arm="none", against="0.5", claim="C21", paper=2.0, judged=False,
                 says="Dropout doubles the epochs that are needed",
                 metric=TimeToValid(arms=("none", "0.5"))),
    ),
    bases=bases(
        change=measured_each_epoch,
        small=NO_AUGMENTATION,
        small_left_open=("without augmentation, so that there is overfitting to prevent",),
        first_seed=FIRST_UNSEEN,  # it shares no runs with others
    ),
)  # fmt: skip
