"""What a finished run keeps of its network; no verdict, table or figure reads it."""

from typing import Literal, NamedTuple, get_args

WEIGHTS = "weights.safetensors"
DATASET = "dataset.safetensors"
"""Beside the weights: the mean image and the names of the classes, to show the network a picture.

Runs recorded before it was kept have none."""
SMALL = 64_000_000
"""Bytes of a run's weights that are kept unasked; the paper's network has four times as many, and
the runs of a study would fill a disk that nobody meant to fill."""

Keep = Literal["all", "comparison", "none"]
"""Weights of all runs, of those that are compared, which tuning runs are not, or of none."""
KEEP: tuple[Keep, ...] = get_args(Keep)


class KeptWeights(NamedTuple):
    """Whose weights are kept."""

    of: Keep = "comparison"
    most: int | None = SMALL  # bytes of a run's; None: however large

    @classmethod
    def asked(cls, keep: Keep | None) -> "KeptWeights":
        """Return what was asked for; unasked, small weights of comparison runs."""
        return UNASKED if keep is None else cls(keep, None)

    def has(self, compared: bool, size: int) -> bool:
        """Return whether weights are kept: those of a comparison run or not, of so many bytes."""
        wanted = self.of == "all" or (self.of == "comparison" and compared)
        return wanted and (self.most is None or size <= self.most)


UNASKED = KeptWeights()
