"""Nearest images by the last hidden layer (section 6.1, Figure 4)."""

from ablations.bases import SECOND_UNSEEN, bases
from ablations.study import Arm, Contrast, SameClass, Study

STUDY = Study(
    name="nearest_neighbours",
    title="Nearest images by the last hidden layer",
    asks="Do near vectors share a class?",
    section="6.1, Figure 4",
    claim="C29",
    question="Are images with near vectors in the last hidden layer of one class?",
    paper_says="images whose vectors are near each other are alike, though their pixels are not",
    leaves_open="a number: five queries, chosen by the authors, are shown",
    we_chose="how many of a test image's six nearest training images are of its class, by distance "
    "in the last hidden layer against distance in pixels, and against the same layer before any "
    "training, whose vectors are near for images that look alike",
    would_change="alike in another sense than of one class",
    paper_dataset="imagenet_2010",
    arms={"as it is": Arm(needs=("colour",))},
    contrasts=(
        Contrast(arm="as it is", against="as it is", claim="C29", direction="higher", margin=0.02,
                 margin_reason="two in a hundred neighbours more would not be noticed",
                 metric=SameClass(by="hidden"), against_metric=SameClass(by="pixels"),
                 label="nearest images, by the last hidden layer against by pixels",
                 says="Images near in the last hidden layer are alike"),
        Contrast(arm="as it is", against="as it is", claim="C29", direction="higher", margin=0.02,
                 margin_reason="two in a hundred neighbours more would not be noticed",
                 metric=SameClass(by="hidden"), against_metric=SameClass(by="untrained"),
                 label="nearest images, after training against before",
                 says="Training brings images of a class together"),
    ),
    bases=bases(made_on="imagenet_2010", first_seed=SECOND_UNSEEN),
)  # fmt: skip
