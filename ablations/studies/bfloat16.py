"""Whether training in bfloat16 changes a verdict (ours)."""

from ablations.arms import NO_NORM, tanh_and_biases_of_zero
from ablations.bases import bases
from ablations.study import Arm, Contrast, Study

POINT = {"margin": 0.005, "margin_reason": "half a point would not change a verdict here"}
IDEAS = {"as it is": {}, "tanh, biases of 0": tanh_and_biases_of_zero, "no LRN": NO_NORM}


def difference(idea: str) -> Contrast:
    """Return what an idea is worth in bfloat16 minus what it is worth in float32."""
    return Contrast(
        arm=f"{idea}, bfloat16", against="as it is, bfloat16", direction="equal",
        minus=(f"{idea}, float32", "as it is, float32"), **POINT,
    )  # fmt: skip


STUDY = Study(
    name="bfloat16",
    title="bfloat16 against float32",
    asks="Does our shortcut matter?",
    section="",
    question="Does training in bfloat16 change what an idea is worth?",
    paper_says="nothing: the 2012 code computes in float32",
    leaves_open="everything: it is a shortcut of ours",
    we_chose="three networks in both precisions at the same rate; what is compared is the "
    "difference that an idea makes, in bfloat16 and in float32",
    would_change="a network so deep, or a rate so high, that rounding decides whether it trains",
    arms={
        f"{idea}, {precision}": Arm(
            changes=changes,
            precision=precision,
            tuned_as=None if precision == "bfloat16" else f"{idea}, bfloat16",
        )
        for precision in ("bfloat16", "float32")
        for idea, changes in IDEAS.items()
    },
    contrasts=(
        difference("tanh, biases of 0"),
        difference("no LRN"),
        Contrast(arm="as it is, bfloat16", against="as it is, float32", direction="equal", **POINT),
    ),
    bases=bases(claims=False),
)
