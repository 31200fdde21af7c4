"""Overlapping pooling (section 3.4)."""

from collections.abc import Callable

from ablations.arms import NO_AUGMENTATION, NO_DROPOUT, equal_maps
from ablations.bases import bases
from ablations.study import Arm, Changes, Contrast, Gap, Overfits, Study
from alexnet.config import Config, Pool

SMALLER_GAP = {"margin": 0.005, "margin_reason": '"slightly": half a point would not be noticed'}


def released(config: Config) -> Changes:
    """Return 2/2 as the code has it, rounded up and with a pixel less of padding twice (#147).

    The code's 3/2 is that of the text.
    """
    second, last = (config.network.convolutions[place] for place in (1, -1))
    paddings = {conv.name: {"padding": conv.padding - 1} for conv in (second, last)}
    pool = Pool(size=2, stride=2, rounding="ceil")
    return {"network": {"parts": {"pool": pool}, "convolutions": paddings}}


def as_it_is(config: Config) -> Changes:
    """Return no changes."""
    return {}


def bare(label: str, pooling: Callable[[Config], Changes]) -> Arm:
    """Return an arm with that pooling and nothing that is against overfitting."""

    def changes(config: Config) -> Changes:
        network = pooling(config).get("network", {})
        parts = network.get("parts", {}) | NO_DROPOUT["network"]["parts"]
        return {"network": {**network, "parts": parts}, **NO_AUGMENTATION}

    return Arm(changes=changes, label=f"{label}, unregularised")


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
    "3/2 leaves; the claim is judged on maps of equal size, and overfitting without dropout and "
    "augmentation, where there is some",
    would_change="another size of the last maps: 2/2 as released may see more of the image",
    paper_dataset="imagenet",
    arms={
        "2/2, equal maps": Arm(changes=equal_maps, label="pooling 2/2, maps of equal size"),
        "3/2": Arm(label="overlapping pooling"),
        "2/2, as released": Arm(changes=released, label="pooling 2/2 as released"),
        "2/2, unregularised": bare("pooling 2/2", equal_maps),
        "3/2, unregularised": bare("overlapping pooling", as_it_is),
    },
    contrasts=(
        Contrast(arm="3/2", against="2/2, equal maps", claim="C15", paper=-0.004,
                 says="Overlapping pooling lowers the error"),
        Contrast(arm="3/2", against="2/2, as released", paper=-0.004),
        Contrast(arm="3/2, unregularised", against="2/2, unregularised", claim="C16",
                 metric=Gap(), direction="lower", **SMALLER_GAP,
                 precondition=Overfits(arm="2/2, unregularised"),
                 says="Overlapping pooling reduces overfitting"),
    ),
    bases=bases(),
)  # fmt: skip
