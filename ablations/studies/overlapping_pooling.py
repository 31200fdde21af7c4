"""Overlapping pooling (section 3.4)."""

from ablations.arms import POOL_2_2
from ablations.bases import bases
from ablations.study import Contrast, Gap, Overfits, Study
from alexnet.config import Config, Pool

SMALLER_GAP = {"margin": 0.005, "margin_reason": '"slightly": half a point would not be noticed'}


def released(size: int) -> object:
    """Return the code's pooling of a size at stride 2, rounded up; with 2/2 its paddings (#147)."""

    def changes(config: Config) -> dict[str, object]:
        parts = {"pool": Pool(size=size, stride=2, rounding="ceil")}
        if size == 3:
            return {"network": {"parts": parts}}
        names = [config.network.convolutions[i] for i in (1, -1)]
        return {
            "network": {
                "parts": parts,
                "convolutions": {conv.name: {"padding": conv.padding - 1} for conv in names},
            }
        }

    return changes


STUDY = Study(
    name="overlapping_pooling",
    title="Overlapping pooling",
    asks="Is 3/2 better than 2/2?",
    section="3.4",
    claim="C15",
    question="Does pooling 3/2, which overlaps, err less than 2/2?",
    paper_says="it lowers the top-1 error by 0.4 points and the top-5 error by 0.3; networks with "
    "it are slightly more difficult to overfit",
    leaves_open="the code's network with 2/2 (#147) also changed the paddings of conv2 and conv5, "
    "and so the size of its maps",
    we_chose="both: 2/2 as released, and 2/2 rounded down, which leaves every map the size that "
    "3/2 leaves; the claim is judged on maps of equal size",
    would_change="another size of the last maps: 2/2 as released may see more of the image",
    paper_dataset="imagenet",
    arms={
        "2/2, equal maps": POOL_2_2,
        "3/2": {},
        "2/2, as released": released(2),
    },
    contrasts=(
        Contrast(arm="3/2", against="2/2, equal maps", claim="C15", paper=-0.004),
        Contrast(arm="3/2", against="2/2, as released", paper=-0.004),
        Contrast(arm="3/2", against="2/2, equal maps", claim="C16", metric=Gap(),
                 direction="lower", **SMALLER_GAP,
                 precondition=Overfits(arm="2/2, equal maps")),
    ),
    bases=bases(),
)  # fmt: skip
