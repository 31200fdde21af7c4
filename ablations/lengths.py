"""A study trained for another number of epochs than it was made for: a study of its own.

It has a name and a plan of its own, and other runs: nothing of it counts as the study's. What
happens in the course of a training happens at the same share of it.
"""

from typing import Any

from ablations.study import Study
from alexnet.config import Config, Drops, Steps
from alexnet.config.training import Schedule
from alexnet.text import counted


class LengthError(ValueError):
    """A length that a study cannot be trained for; the message says why and the way out."""


def trained_for(study: Study, dataset: str, epochs: int) -> Study:
    """Return a study on a dataset as one of runs of so many epochs; itself if that is its own.

    Of a claim of the paper it is a stand-in, whatever the images.

    Raises:
        LengthError: If arms differ in what happens when, or so few epochs have no room for it.
    """
    base = study.bases[dataset]
    before = base.config.training.epochs
    if epochs == before:
        return study
    for arm in study.arms:
        if _course(study.config(dataset, arm)) != _course(base.config):
            raise LengthError(
                f"{study.name} compares how training goes on: {arm} has a length or schedule of "
                "its own, so that another number of epochs would be another question; leave it out"
            )
    if not _fits(base.config, epochs):
        fewest = next(n for n in range(epochs + 1, before + 1) if _fits(base.config, n))
        raise LengthError(
            f"in {counted(epochs, 'epoch')} there is no room for what happens in {before}, such as "
            f"drops of the rate; use {fewest} or more"
        )
    setting = base.setting if base.setting == "own question" else "stand-in"
    changed = base.but(
        config=base.config.but(**_changes(base.config, epochs)),
        setting=setting,
        left_open=(*base.left_open, f"trained for {counted(epochs, 'epoch')} in place of {before}"),
        passes=None,  # was measured of the other length
    )
    return study.model_copy(
        update={
            "name": f"{study.name}_{epochs}_epochs",
            "title": f"{study.title or study.name.replace('_', ' ')}, {counted(epochs, 'epoch')}",
            "bases": {dataset: changed},
            "varies": study.name,
            "epochs": epochs,
        }
    )


def _course(config: Config) -> tuple[object, ...]:
    """Return all that a config says of when something happens."""
    training, colour = config.training, config.inputs.colour
    return (
        training.epochs,
        training.schedule,
        training.bias_schedule,
        training.layer_rates,
        training.until,
        colour.last_epoch if colour else None,
    )


def _scaled(when: int, config: Config, epochs: int) -> int:
    """Return the last whole epoch, or update, within the same share of a training."""
    return when * epochs // config.training.epochs


def _of_schedule(schedule: Schedule | None, config: Config, epochs: int) -> Any:
    match schedule:
        case None:
            return None
        case Drops(after=after):
            return {"after": tuple(_scaled(one, config, epochs) for one in after)}
        case Steps(updates=updates):
            return {"updates": _scaled(updates, config, epochs)}
        case _:  # a plateau waits for as many epochs as before; an exponential follows the length
            return {}


def _changes(config: Config, epochs: int) -> dict[str, Any]:
    training, colour = config.training, config.inputs.colour
    rates = [one.but(after=_scaled(one.after, config, epochs)) for one in training.layer_rates]
    last = colour.last_epoch if colour else None
    return {
        "training": {
            "epochs": epochs,
            "schedule": _of_schedule(training.schedule, config, epochs),
            "bias_schedule": _of_schedule(training.bias_schedule, config, epochs),
            "layer_rates": tuple(one.model_dump() for one in rates),
        },
        "inputs": {"colour": {"last_epoch": _scaled(last, config, epochs)}} if last else {},
    }


def _fits(config: Config, epochs: int) -> bool:
    """Return whether what happens one after the other still does, within so many epochs."""
    training, colour = config.training, config.inputs.colour
    schedules = (training.schedule, training.bias_schedule)
    courses: list[tuple[int, ...]] = [one.after for one in schedules if isinstance(one, Drops)]
    courses.append(tuple(sorted({one.after for one in training.layer_rates if one.after})))
    courses.append((colour.last_epoch,) if colour and colour.last_epoch else ())
    updates = [one.updates for one in schedules if isinstance(one, Steps)]
    if any(_scaled(one, config, epochs) < 1 for one in updates):
        return False
    for course in courses:
        within = [when for when in course if when < config.training.epochs]
        scaled = [_scaled(when, config, epochs) for when in within]
        if len(set(scaled)) < len(within) or any(not 1 <= when < epochs for when in scaled):
            return False
    return True
