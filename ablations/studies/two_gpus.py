"""Two towers against one (section 3.2)."""

from ablations.arms import half_on_one_gpu, no_communication, one_wide_tower
from ablations.bases import bases
from ablations.contrast import HALF_A_POINT
from ablations.study import Arm, Contrast, Study

STUDY = Study(
    name="two_gpus",
    title="Two towers against one",
    asks="Do two towers help?",
    section="3.2",
    claim="C10",
    question="Does a network in two towers err less than one with half the kernels?",
    paper_says="two towers lower the top-1 error by 1.7 points against a network with half as many "
    "kernels in each convolution, trained on one GPU",
    leaves_open="the one-GPU network has half the kernels, so towers and width are confounded; a "
    "single tower of full width was not compared. Its last convolution and its fully connected "
    "layers keep their size, which favours one GPU (footnote 2)",
    we_chose="half the kernels on one GPU, as the code had it; beside it one wide tower, in which "
    "every kernel sees all maps, and the code's towers that never communicate (#150)",
    would_change="the same number of parameters in every arm, which no arm here has",
    paper_dataset="imagenet_2010",
    arms={
        "half width, one GPU": Arm(changes=half_on_one_gpu, label="one tower, half as wide"),
        "two towers": {},
        "one wide tower": one_wide_tower,
        "towers that never meet": no_communication,
    },
    contrasts=(
        Contrast(
            arm="two towers",
            against="half width, one GPU",
            claim="C10",
            paper=-0.017,
            says="Two towers err less than one",
        ),
        Contrast(
            arm="two towers",
            against="towers that never meet",
            direction="lower",
            **HALF_A_POINT,
            says="Towers that exchange maps err less",
        ),
        Contrast(
            arm="two towers",
            against="one wide tower",
            direction="equal",
            **HALF_A_POINT,
            says="Two towers err as much as one wide one",
        ),
    ),
    bases=bases(made_on="imagenet_2010"),
)
