"""Local response normalisation (section 3.3)."""

from ablations.arms import CONSTANT_NORM, NO_NORM
from ablations.bases import FIRST_UNSEEN, bases
from ablations.study import Arm, Contrast, NormActive, Study
from alexnet.config import BatchNorm

POINT = {"margin": 0.007, "margin_reason": "half of what the paper says of its own"}


STUDY = Study(
    name="response_norm",
    title="Local response normalisation",
    asks="Does LRN help?",
    section="3.3",
    claim="C13",
    question="Does local response normalisation lower the test error?",
    paper_says="it lowers the top-1 error by 1.4 points and the top-5 error by 1.2",
    leaves_open="whether that is the normalisation or the constant factor that it comes with, "
    "k^-beta = 0.59; the code divides alpha by the five channels, so what ran is not what is "
    "printed; its network without norms also lost a second one, within maps (#148)",
    we_chose="the printed constants as the network has them, and beside them those that ran "
    "(alpha 2e-5); both are judged against the control that keeps the factor and does not "
    "normalise (alpha 0). Against no LRN at all they are shown: what that adds is the factor's. "
    "Caffe's (k of 1, so no factor, over all maps) is compared with none; batch normalisation, "
    "which is three years younger and outside the claim, with the control",
    would_change="smaller activations: of scaled inputs, or of small images with alpha as it ran, "
    "alpha S / k is next to nothing and the claim cannot be judged, which is measured",
    paper_dataset="imagenet",
    arms={
        "none": Arm(changes=NO_NORM, label="no LRN"),
        "the constant alone": Arm(changes=CONSTANT_NORM, label="LRN's constant alone"),
        "as printed": Arm(label="LRN as printed"),
        "as released": Arm(
            changes={"network": {"parts": {"norm": {"alpha": 2e-5}}}}, label="LRN as released"
        ),
        "Caffe's": Arm(
            changes={"network": {"parts": {"norm": {"alpha": 2e-5, "k": 1.0, "groups": 1}}}},
            label="Caffe's LRN",
        ),
        "batch normalisation": Arm(changes={"network": {"parts": {"norm": BatchNorm()}}}),
    },
    contrasts=(
        Contrast(arm="as printed", against="the constant alone", claim="C13", paper=-0.014,
                 precondition=NormActive(arm="as printed"),
                 says="LRN lowers the error"),
        Contrast(arm="as released", against="the constant alone", claim="C13", paper=-0.014,
                 precondition=NormActive(arm="as released"),
                 says="LRN lowers the error"),
        Contrast(arm="as printed", against="none", paper=-0.014, judged=False),
        Contrast(arm="the constant alone", against="none", paper=-0.014, judged=False),
        Contrast(arm="Caffe's", against="none", direction="lower", **POINT,
                 precondition=NormActive(arm="Caffe's")),
        Contrast(arm="batch normalisation", against="the constant alone", direction="lower",
                 **POINT),
    ),
    bases=bases(first_seed=FIRST_UNSEEN),
)  # fmt: skip
