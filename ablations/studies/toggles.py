"""Five ideas of the paper switched on and off together."""

from ablations.toggles import factorial_study

STUDY = factorial_study(
    ("relu", "overlapping_pooling", "lrn", "dropout", "pca_colour"), name="toggles"
)
