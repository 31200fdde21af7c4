"""What the two towers' first kernels specialise in (section 6.1, Figure 3)."""

from ablations.bases import SECOND_UNSEEN, bases
from ablations.study import Arm, Contrast, Study, TowerRank

STUDY = Study(
    name="first_layer_filters",
    title="One tower for colour, one for grey",
    asks="One tower colour, one grey?",
    section="6.1, Figure 3",
    claim="C28",
    question="Does one tower's conv1 specialise in colour and the other's not, in every run?",
    paper_says="the kernels on one GPU are largely colour-agnostic, those on the other largely "
    "colour-specific; this occurs during every run",
    leaves_open="a measure: it is said of a picture",
    we_chose="a kernel's colour selectivity is the share of its energy that is not grey; in each "
    "run the towers' difference has a rank among those of the same kernels dealt to two towers by "
    "chance, which is a half on average if they do not specialise, and near one in every run if "
    "they do",
    would_change="a measure that sees hue rather than energy",
    paper_dataset="imagenet_2010",
    arms={"as it is": Arm(needs=("colour",))},
    contrasts=(
        Contrast(arm="as it is", against="as it is", claim="C28", direction="higher", margin=0.1,
                 label="towers as trained against kernels dealt by chance",
                 says="One tower takes the colours, one is grey",
                 margin_reason="a rank of 0.6 on average is that of chance to whoever looks",
                 metric=TowerRank(), against_metric=TowerRank(kernels="by chance")),
    ),
    bases=bases(made_on="imagenet_2010", first_seed=SECOND_UNSEEN),
)  # fmt: skip
