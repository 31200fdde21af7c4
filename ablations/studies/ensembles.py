"""Averaging networks (section 6, Table 2)."""

from ablations.bases import FEW_SEEDS, SECOND_UNSEEN, bases
from ablations.contrast import HALF_A_POINT
from ablations.study import Contrast, EnsembleError, Study

GROUP = 5


def averaged(networks: int) -> EnsembleError:
    """Return the error of so many networks, of the five in a group."""
    return EnsembleError(networks=networks, group=GROUP)


STUDY = Study(
    name="ensembles",
    title="One, two and five networks",
    asks="One, two or five networks?",
    section="6, Table 2",
    claim="C25",
    question="How much does averaging the predictions of several networks lower the error?",
    paper_says="five networks err 2.6 points less than one: 38.1 against 40.7 % top-1",
    leaves_open="how the five differ beside their initial weights",
    we_chose="networks of other seeds in disjoint groups of five, each seeing ten views; one is "
    "the mean over the five alone. Ten seeds make two groups, which are shown and not judged",
    would_change="members that differ in more than their seeds",
    paper_dataset="imagenet",
    arms={"as it is": {}},
    contrasts=(
        Contrast(arm="as it is", against="as it is", claim="C25", paper=-0.026,
                 metric=averaged(5), against_metric=averaged(1),
                 label="five networks against one",
                 says="Averaging five networks lowers the error"),
        Contrast(arm="as it is", against="as it is", direction="lower", **HALF_A_POINT,
                 metric=averaged(2), against_metric=averaged(1),
                 label="two networks against one",
                 says="Averaging two networks lowers the error"),
    ),
    # Ten seeds everywhere: the three that practice images have elsewhere make no group.
    bases={
        name: base.but(seeds=None, left_open=[line for line in base.left_open if line != FEW_SEEDS])
        for name, base in bases(judged=False, first_seed=SECOND_UNSEEN).items()
    },
)  # fmt: skip
