"""Noise along the principal components of colour (section 4.1)."""

from ablations.arms import NO_COLOUR_NOISE
from ablations.bases import bases
from ablations.study import Arm, Contrast, Study
from alexnet.config import PcaColour


def noise(formula: str, label: str) -> Arm:
    """Return the arm with colour noise of a formula."""
    colour = PcaColour(formula=formula, std=0.1).model_dump()
    return Arm(changes={"inputs": {"colour": colour}}, needs=("colour",), label=label)


STUDY = Study(
    name="pca_colour",
    title="Noise along the principal components of colour",
    asks="Is colour noise worth a point?",
    section="4.1",
    claim="C20",
    question="Does colour noise lower the test error by a point?",
    paper_says="it lowers the top-1 error by over 1 %",
    leaves_open="whether pixels reach from 0 to 1 or to 255, where the printed formula is noise of "
    "1,483 grey levels; no log was released",
    we_chose="the printed formula on pixels of 0 to 1 (unit), and what the code did: the root of "
    "the eigenvalue, then divided by 1.1 (source), twice as strong in brightness and six to twelve "
    "times in hue",
    would_change="images whose light varies less, or more, than in photographs of the web",
    paper_dataset="imagenet",
    arms={
        "off": Arm(changes=NO_COLOUR_NOISE, label="no colour noise"),
        "unit": noise("unit", "colour noise as printed"),
        "source": noise("source", "colour noise as released"),
    },
    contrasts=(
        Contrast(
            arm="unit",
            against="off",
            claim="C20",
            paper=-0.01,
            says="Colour noise lowers the error",
        ),
        Contrast(
            arm="source",
            against="off",
            claim="C20",
            paper=-0.01,
            says="Colour noise lowers the error",
        ),
    ),
    bases=bases(),
)
