"""Activation functions beyond the paper's two (ours)."""

from ablations.arms import biases_of_zero
from ablations.bases import bases
from ablations.contrast import HALF_A_POINT
from ablations.study import Contrast, Study
from alexnet.config import LeakyRelu, Relu, Tanh


def act(activation: Relu | Tanh | LeakyRelu) -> dict[str, object]:
    """Return the change to an activation."""
    return {"network": {"parts": {"act": activation}}}


STUDY = Study(
    name="activations",
    title="Four activations",
    asks="Which activation errs least?",
    section="3.1",
    question="Which activation errs least in the whole network, each at its own best rate?",
    paper_says="nothing: section 3.1 compares how fast ReLU and tanh fit the training images",
    leaves_open="the test error",
    we_chose="tanh, LeCun's scaled tanh (1.7159 tanh(2x/3)), and leaky ReLU, one year younger than "
    "the paper, each against ReLU; biases start at 0 in all, since tanh learns nothing with 1",
    would_change="initial weights that suit tanh better",
    arms={
        "tanh": act(Tanh()),
        "scaled tanh": act(Tanh(outer=1.7159, inner=2 / 3)),
        "leaky ReLU": act(LeakyRelu()),
        "ReLU": {},
    },
    contrasts=(
        Contrast(arm="tanh", against="ReLU", direction="higher", **HALF_A_POINT),
        Contrast(arm="scaled tanh", against="ReLU", direction="higher", **HALF_A_POINT),
        Contrast(arm="leaky ReLU", against="ReLU", direction="equal", **HALF_A_POINT),
    ),
    bases=bases(change=biases_of_zero, claims=False),
)
