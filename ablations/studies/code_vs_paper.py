"""The paper's text against the code that was released, item by item (errata)."""

from ablations.bases import bases
from ablations.study import Arm, Contrast, Study
from alexnet.config import Config, MapNorm, Normal

POINT = {"margin": 0.005, "margin_reason": "half a point would not change what one builds"}
TEXT = "the text"


def norm_before_act(config: Config) -> dict[str, object]:
    """Return the change by which conv1 is normalised before its activation."""
    first = config.network.convolutions[0]
    return {"network": {"convolutions": {first.name: {"then": ("norm", "pool", "act")}}}}


def second_norm(config: Config) -> dict[str, object]:
    """Return the change by which a norm within maps follows conv2's."""
    second = config.network.convolutions[1]
    return {
        "network": {
            "parts": {"map_norm": MapNorm()},
            "convolutions": {second.name: {"then": ("act", "norm", "map_norm", "pool")}},
        }
    }


def equal_deviations(config: Config) -> dict[str, object]:
    """Return the change by which conv3 to conv5 start a third as large: 0.01, as all the others."""
    thirds = {
        conv.name: {"init": {"std": conv.init.std / 3}}
        for conv in config.network.convolutions[2:]
        if isinstance(conv.init, Normal)
    }
    return {"network": {"convolutions": thirds}}


STUDY = Study(
    name="code_vs_paper",
    title="The text against the code",
    asks="Does the code do as the text?",
    section="3 to 5",
    question="Which differences between the paper's text and its code change the test error?",
    paper_says="one network; the code that its authors released trains another (FACTS in "
    "`alexnet.presets.source_2012`)",
    leaves_open="which of the two had the errors it prints; the logs say the code",
    we_chose="the text, with one thing of the code put in at a time",
    would_change="a network and images of 2012's size; colour noise at 224 pixels",
    arms={
        TEXT: {},
        "alpha over 5": {"network": {"parts": {"norm": {"alpha": 2e-5}}}},
        "LRN before ReLU in conv1": norm_before_act,
        "a second norm, within maps": second_norm,
        "deviations of 0.01 throughout": equal_deviations,
        "biases at twice the rate": {"training": {"optimizer": {"bias_rate": 2.0}}},
        "crops shared by 32 images": {"inputs": {"chunk": 32}},
        "colour noise by the root": Arm(
            changes={"inputs": {"colour": {"formula": "source"}}}, needs=("colour",)
        ),
        "images in one order": {"inputs": {"shuffle": "once"}},
        "decay on biases too": {"training": {"optimizer": {"decays": "all"}}},
    },
    contrasts=tuple(
        Contrast(arm=arm, against=TEXT, direction="equal", **POINT)
        for arm in (
            "alpha over 5", "LRN before ReLU in conv1", "a second norm, within maps",
            "deviations of 0.01 throughout", "biases at twice the rate",
            "crops shared by 32 images", "colour noise by the root", "images in one order",
            "decay on biases too",
        )
    ),
    bases=bases(claims=False),
)  # fmt: skip
