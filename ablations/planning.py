"""From a study's code, on a dataset, to the definition that a plan registers."""

import json
import re
from pathlib import Path
from typing import Any

from ablations.plan import About, Definition, PlanError, Wording
from ablations.run import DatasetRef
from ablations.study import Base, Study
from alexnet.config import Config, Drops, Precision
from alexnet.config.effective import Images
from alexnet.cores import cores
from alexnet.data.manifest import Manifest
from alexnet.text import counted

OWN_FILE = re.compile(r"\.parts\.[^.]+\.source$")
"""The field of a part of one's own that changes with its file."""
DIGITS = 12
"""Of a digest in a sentence."""
LONGEST = 40
"""Letters of a value in a sentence."""
SMOKE_IMAGES = 320
SMOKE = {
    "batch": 32,
    "epochs": 2,
    "until": None,
    "schedule": Drops(after=(1,)).model_dump(),
    "bias_schedule": None,
}
"""How a training is cut down to seconds: twenty updates, through one drop of the rate."""


def define(
    study: Study,
    dataset: str,
    manifest: Manifest,
    seeds: int,
    precision: Precision,
    smoke: bool,
) -> Definition:
    """Return the definition of a study on a dataset, as the study's code says it now.

    A smoke definition is the same study cut down to seconds: few images, two rates, two seeds.

    Raises:
        PlanError: If the images do not suit an arm, or one is in float64 that was not asked for.
    """
    base = study.bases[dataset]
    for variant in study.arms.values():
        if variant.precision == "float64" and precision != "float64":
            raise PlanError(
                f"{study.name} has an arm in float64, which is for proofs and takes several times "
                "as long; ask for it with --precision float64"
            )
    arms = {arm: study.config(dataset, arm) for arm in study.arms}
    if smoke:
        arms = {arm: _cut(config, manifest.counts["train"]) for arm, config in arms.items()}
    for arm, config in arms.items():
        if (config.training.images or 0) > manifest.counts["train"]:
            raise PlanError(
                f"{arm} trains on {counted(config.training.images or 0, 'image')}, and {dataset} "
                f"has {manifest.counts['train']:,}"
            )
        if config.network.classes < len(manifest.classes):
            raise PlanError(
                f"{arm} tells {counted(config.network.classes, 'class')} apart, and {dataset} has "
                f"{len(manifest.classes):,}; set network classes"
            )
        if wrong := config.misfit(manifest.size):
            raise PlanError(f"{arm} on {dataset}: {wrong}")
    images = Images(manifest.counts["train"], manifest.size)
    if not smoke and (why := study.alike_on(dataset, images)):
        raise PlanError(why)
    own_rates = {name: arm.rates for name, arm in study.arms.items() if arm.rates}
    definition = Definition(
        study=study.name,
        claim=study.claim,
        dataset=DatasetRef.of(manifest),
        setting=base.setting,
        metric=base.metric,
        contrasts=tuple(c.registered(c.metric or base.metric) for c in study.contrasts),
        arms=arms,
        seeds=tuple(range(base.first_seed, base.first_seed + seeds)),
        rates=_middle(base.rates) if smoke else base.rates,
        rates_of={name: _middle(own) if smoke else own for name, own in own_rates.items()},
        refine=base.refine and not smoke,
        seeds_from={name: arm.seeds_from for name, arm in study.arms.items() if arm.seeds_from},
        give_up=base.give_up,
        precision=precision,
        precisions={
            name: arm.precision
            for name, arm in study.arms.items()
            if arm.precision not in (None, precision)
        },
        tuned_as={name: arm.tuned_as for name, arm in study.arms.items() if arm.tuned_as},
        threads=threads_of(base),
        judged=base.judged,
        one_by_one=study.one_by_one,
        smoke=smoke,
        epochs=study.epochs,
    )
    return definition.but()  # every field written out: what is registered depends on no default


def _middle(rates: tuple[float, ...]) -> tuple[float, ...]:
    """Return two rates of a grid, or the only one."""
    middle = len(rates) // 2
    return rates[max(0, middle - 1) : middle + 1]


def _cut(config: Config, images: int) -> Config:
    """Return a config cut down to seconds; what happens late in it happens after an epoch."""
    rates = [one.but(after=min(one.after, 1)) for one in config.training.layer_rates]
    training = SMOKE | {
        "images": min(SMOKE_IMAGES, images),
        "layer_rates": tuple(one.model_dump() for one in rates),
    }
    colour = config.inputs.colour
    ends = colour is not None and colour.last_epoch is not None
    return config.but(training=training, inputs={"colour": {"last_epoch": 1}} if ends else {})


def threads_of(base: Base) -> int:
    """Return how many threads a run of a base has on this machine."""
    return cores() if base.threads == "all" else base.threads


def about(study: Study, dataset: str) -> About:
    """Return the words of a study on a dataset."""
    base = study.bases[dataset]
    return About(
        title=study.title or study.name.replace("_", " "),
        section=study.section,
        question=study.question,
        paper_says=study.paper_says,
        paper_dataset=study.paper_dataset,
        left_open=base.left_open,
        thresholds=base.thresholds,
        passes=base.passes,
        source=study.source,
        shows=study.shows,
        labels={name: arm.label for name, arm in study.arms.items() if arm.label},
        contrasts=tuple(Wording(label=c.label, says=c.says) for c in study.contrasts)
        if any(c.label or c.says for c in study.contrasts)
        else (),
    )


def refuse_difference(registered: Definition, now: Definition, path: Path) -> None:
    """Refuse to go on with a plan whose definition is no longer the study's.

    Raises:
        PlanError: Naming the first field that differs, both values and the way out.
    """
    found = difference(registered.model_dump(mode="json"), now.model_dump(mode="json"))
    if found:
        field, before, after = found
        file = OWN_FILE.search(field)
        what = f"{field}, the digest of a file of your own," if file else f"{field} ="
        before, after = (one[:DIGITS] if file and one else one for one in (before, after))
        raise PlanError(
            f"{path.name} was registered with {what} {before}, and the study now says {after}; "
            "a registered plan is not changed: use another --results folder, or undo the change"
        )


def in_short(value: Any) -> str:
    """Return a value of a definition so that it fits into a sentence."""
    text = json.dumps(value) if isinstance(value, dict | list) else str(value)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..."


def difference(before: Any, after: Any, field: str = "") -> tuple[str, Any, Any] | None:
    """Return the first field in which two contents differ, with both values, or None."""
    if isinstance(before, dict) and isinstance(after, dict):
        for name in sorted(before.keys() | after.keys()):
            inside = f"{field}.{name}" if field else name
            if found := difference(before.get(name), after.get(name), inside):
                return found
        return None
    if isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for index, (one, other) in enumerate(zip(before, after, strict=True)):
            if found := difference(one, other, f"{field}[{index}]"):
                return found
        return None
    return (field, before, after) if before != after else None
