"""Ten views at test time (section 4.1, footnote 5)."""

from ablations.bases import SECOND_UNSEEN, bases
from ablations.study import Contrast, FinalError, Study

STUDY = Study(
    name="ten_views",
    title="Ten views against one",
    asks="Do ten views help?",
    section="4.1, 6",
    claim="C02",
    question="Does averaging over ten views lower the error?",
    paper_says="ten views lower the top-1 error from 39.0 to 37.5 % and the top-5 error from 18.3 "
    "to 17.0 %",
    leaves_open="nothing; the 2012 log has the same numbers",
    we_chose="the same runs, measured both ways: probabilities averaged over four corners and the "
    "centre, and their reflections",
    would_change="a view that is nearly the whole image, where there is little left to average",
    paper_dataset="imagenet_2010",
    arms={"as it is": {}},
    contrasts=(
        Contrast(
            arm="as it is", against="as it is", claim="C02", paper=-0.015,
            label="ten views against one", says="Averaging ten views lowers the error",
            metric=FinalError(views="ten"), against_metric=FinalError(views="one"),
        ),
    ),
    bases=bases(made_on="imagenet_2010", first_seed=SECOND_UNSEEN),
)  # fmt: skip
