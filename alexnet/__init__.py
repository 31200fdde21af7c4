"""The networks of Krizhevsky, Sutskever and Hinton (2012), every idea in them replaceable.

Only configs and presets are imported here, so that listing and reporting never load PyTorch.
"""

from alexnet.config import EDITION, Config, Inputs, Network, Training
from alexnet.presets import PRESETS

__all__ = ["EDITION", "PRESETS", "Config", "Inputs", "Network", "Training"]
