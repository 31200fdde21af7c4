"""Dropout (section 4.2)."""

from ablations.arms import NO_AUGMENTATION, NO_DROPOUT
from ablations.bases import bases
from ablations.contrast import HALF_A_POINT
from ablations.study import Contrast, FinalError, Gap, Overfits, Study, TimeToLoss

WIDE = {"margin": 0.02, "margin_reason": '"substantial" overfitting is more than two points'}

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
    "and colour noise, since they prevent overfitting too; converged is where dropout's running "
    "loss ends, which is shown and not judged",
    would_change="more images for each parameter, where there is less to overfit",
    paper_dataset="imagenet",
    arms={"none": NO_DROPOUT, "0.5": {}},
    contrasts=(
        Contrast(arm="0.5", against="none", claim="C21", metric=Gap(), direction="lower", **WIDE,
                 precondition=Overfits(arm="none")),
        Contrast(arm="0.5", against="none", metric=FinalError(), direction="lower", **HALF_A_POINT),
        Contrast(arm="none", against="0.5", claim="C21", metric=TimeToLoss(arm="0.5"), paper=2.0,
                 judged=False),
    ),
    bases=bases(
        small=NO_AUGMENTATION,
        small_left_open=("without augmentation, so that there is overfitting to prevent",),
    ),
)  # fmt: skip
