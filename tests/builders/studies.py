"""Studies that are valid, to be changed in one thing."""

import re
from pathlib import Path

from ablations.study import (
    Base,
    Contrast,
    FinalError,
    Study,
)
from alexnet.presets import tiny

ROOT = Path(__file__).parents[2]


BASE = Base(config=tiny(), metric=FinalError(), rates=(0.001,))


CONTRAST = Contrast(
    arm="without", against="with", direction="higher", margin=0.005, margin_reason="too small"
)


FEW = tiny().but(network={"classes": 5})


UNTIL = tiny().but(training={"until": {"training_error": 0.25}})


def study_of(**changes: object) -> Study:
    """Return a study of one contrast, but for what is changed."""
    fields = {
        "name": "norm",
        "question": "Does it help?",
        "arms": {"with": {}, "without": {"network": {"parts": {"norm": None}}}},
        "contrasts": (CONTRAST,),
        "bases": {"fashion_mini": BASE},
    }
    return Study.model_validate(fields | changes)


def examples() -> dict[str, str]:
    """Return the files that the page on studies of one's own shows, by name."""
    text = (ROOT / "docs" / "own-study.md").read_text()
    return dict(re.findall(r"`(\w+\.py)`[^`]*?:\n\n```python\n(.*?)```", text, re.DOTALL))


def example() -> str:
    """Return the first of them, a study that needs no other file."""
    return examples()["average_pooling.py"]
