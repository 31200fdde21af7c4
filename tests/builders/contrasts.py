"""A contrast by a claim of the paper."""

from ablations.study import Contrast

CONTRAST = Contrast(
    arm="relu", against="tanh", claim="C09", paper=6.0, margin=1.25, margin_reason="small"
)
