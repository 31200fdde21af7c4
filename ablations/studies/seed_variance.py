"""Where the spread between seeds comes from (ours)."""

from typing import get_args

from ablations.bases import bases
from ablations.study import Arm, Contrast, Study
from alexnet.config import Stream

FREE: dict[str, tuple[Stream, ...]] = {
    "initial weights": ("init",),
    "order": ("order",),
    "augmentation": ("crop", "flip", "colour"),
    "dropout": ("dropout",),
}
"""The only streams of chance that follow the seed in an arm; the others follow seed 0."""
ALL = "all free"


SEEDS_APART = 100
"""Each arm has seeds of its own: variances are compared between independent runs alone."""


def free(place: int, streams: tuple[Stream, ...]) -> Arm:
    """Return the arm in which these streams alone follow the seed."""
    pinned = tuple(stream for stream in get_args(Stream) if stream not in streams)
    return Arm(changes={"pinned": pinned}, tuned_as=ALL, seeds_from=SEEDS_APART * place)


STUDY = Study(
    name="seed_variance",
    title="Where the spread between seeds comes from",
    asks="Where does spread come from?",
    section="all",
    question="How much of the spread between runs comes from each use of chance?",
    paper_says="nothing: every number in it is of one run",
    leaves_open="how far another run would have come out",
    we_chose="twenty seeds with all of chance free, then with one use of it free at a time and "
    "the others as in seed 0; other seeds in every arm, so that the deviations are independent "
    "and their ratios have intervals",
    would_change="an unlucky seed 0, which all arms but the first share",
    arms={ALL: {}}
    | {
        f"only {name}": free(place, streams)
        for place, (name, streams) in enumerate(FREE.items(), start=1)
    },
    contrasts=tuple(
        Contrast(
            arm=f"only {name}", against=ALL, direction="equal", margin=0.005, judged=False,
            margin_reason="shown beside the deviations, which are the question",
        )
        for name in FREE
    ),
    bases=bases(seeds=20, judged=False, claims=False),
    seeds=20,
    shows="spread",
)  # fmt: skip
