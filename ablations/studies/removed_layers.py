"""Removing a convolution (sections 1 and 7)."""

from ablations.arms import without_convolution
from ablations.bases import bases
from ablations.study import Arm, Contrast, Study

WHOLE = "all five"
REMOVED = ("conv2", "conv3", "conv4", "conv5")

STUDY = Study(
    name="removed_layers",
    title="Removing a convolution",
    asks="Is every layer needed?",
    section="1, 7",
    claim="C30",
    question="Does removing any of the middle layers cost two points?",
    paper_says="removing any of the middle layers costs about 2 % top-1, though each has no more "
    "than 1 % of the parameters",
    leaves_open="which layers are in the middle, and what becomes of a removed layer's norm and "
    "pooling; no configuration and no log was released. By count, conv3 has 1.45 % of the "
    "parameters and conv4 1.09 %",
    we_chose="conv2 to conv5, one at a time; norm and pooling stay, after the layer before",
    would_change="taking the pooling away too, which would change the size of all later maps; and "
    "towers, which no longer meet without conv3",
    paper_dataset="imagenet",
    arms={WHOLE: Arm(label="all five convolutions")}
    | {f"without {name}": without_convolution(name) for name in REMOVED},
    contrasts=tuple(
        Contrast(
            arm=f"without {name}",
            against=WHOLE,
            claim="C30",
            paper=0.02,
            says=f"The network needs {name}",
        )
        for name in REMOVED
    ),
    bases=bases(),
)
