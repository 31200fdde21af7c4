"""A study: a question, its arms, what is compared, and the base on each dataset."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from alexnet.config import Config, Fraction, Frozen

Setting = Literal["paper", "closest reading", "stand-in"]


class TimeTo(Frozen):
    """Epochs until the running training error first falls to a threshold; compared as a ratio."""

    kind: Literal["time_to"] = "time_to"
    training_error: Fraction


class FinalError(Frozen):
    """Top-1 error after the last epoch; compared as a difference."""

    kind: Literal["final_error"] = "final_error"
    part: Literal["train", "valid", "test"] = "test"


Metric = Annotated[TimeTo | FinalError, Field(discriminator="kind")]


class Contrast(Frozen):
    """What is compared with what, and what the paper says of it.

    For `TimeTo` the effect is the other arm's time divided by this one's, a speed-up; for
    `FinalError` it is this arm's error minus the other's.
    """

    arm: str
    against: str
    claim: str  # C01 ... C30
    paper: float  # the paper's effect, in the units above
    margin: PositiveFloat  # effects within it are nothing: a factor, or points as a fraction
    margin_reason: str


class Base(Frozen):
    """What all arms share on one dataset."""

    config: Config
    metric: Metric
    rates: tuple[PositiveFloat, ...] = Field(min_length=1)  # tried in every arm alike
    setting: Setting
    left_open: tuple[str, ...] = ()  # how this differs from, or fills in, what the paper says
    threads: PositiveInt = 1  # per run; never follows the number of workers
    thresholds: tuple[Fraction, ...] = ()  # others at which the effect is shown, not judged
    passes: PositiveFloat  # over the images, the whole study; measured once, for the time estimate


class Study(Frozen):
    """A named comparison."""

    name: str
    title: str
    section: str
    claim: str
    question: str
    paper_says: str
    paper_dataset: str  # in the catalogue
    arms: dict[str, dict[str, Any]]  # each lists only what differs from the base
    contrasts: tuple[Contrast, ...] = Field(min_length=1)
    bases: dict[str, Base]  # by dataset; the first is the default
    seeds: PositiveInt = 10

    @model_validator(mode="after")
    def _arms_exist(self) -> Self:
        for contrast in self.contrasts:
            for arm in (contrast.arm, contrast.against):
                if arm not in self.arms:
                    raise ValueError(f"a contrast names arm {arm!r}, which the study lacks")
        for base in self.bases.values():
            for changes in self.arms.values():
                base.config.but(**changes)
        return self

    def config(self, dataset: str, arm: str) -> Config:
        """Return the whole config of an arm on a dataset."""
        return self.bases[dataset].config.but(**self.arms[arm])
