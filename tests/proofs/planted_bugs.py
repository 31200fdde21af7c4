"""Plants known bugs in a copy of the code, one at a time, and looks at what the smoke says of each.

    python -m tests.proofs.planted_bugs                    # all of them: 40 minutes on two cores
    python -m tests.proofs.planted_bugs "labels shifted"   # some

Each is held against the baseline that ships, as CI would. It is caught if arms that it touches are
called changed or failed, and no others: which arms these are is read off their configs here, not
off the smoke. A copy without bugs comes first: a check that always fails would catch everything.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

from ablations.run import Run
from alexnet.config import LRN, Config, Dropout, MapNorm, MomentumSGD, Normal, Part, Pool
from alexnet.data.manifest import default_data_dir
from reports.commands.ablate.request import ALL, Request
from reports.smoke.trainings import PRECISION, Training, trainings

ROOT = Path(__file__).parents[2]
PACKAGES = ("alexnet", "ablations", "reports")
Touches = Callable[[Config], bool]
MAY_BE_MISSED = 2
"""Of all bugs."""
CI = ("GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY")
"""What would have planted bugs reported as found ones."""


def every_arm(config: Config) -> bool:
    """Whether a bug in what all arms share touches an arm."""
    return True


def has(kind: type[Part], of: Callable[[Part], bool] = lambda part: True) -> Touches:
    """Return whether a network has a part of some kind in use."""
    return lambda config: any(
        isinstance(part, kind) and of(part) for part in config.network.parts_in_use().values()
    )


def normalises(part: Part) -> bool:
    """Whether a response normalisation does more than multiply by a constant."""
    return isinstance(part, LRN) and part.alpha > 0


def any_of(*several: Touches) -> Touches:
    """Return whether one of several is true of a network."""
    return lambda config: any(touches(config) for touches in several)


def decays(config: Config) -> bool:
    """Whether any weight decays."""
    optimizer = config.training.optimizer
    return isinstance(optimizer, MomentumSGD) and any(
        optimizer.decay_of(layer.name) for layer in config.network.layers
    )


def doubles_biases(config: Config) -> bool:
    """Whether biases have a rate of their own."""
    optimizer = config.training.optimizer
    return isinstance(optimizer, MomentumSGD) and optimizer.bias_rate != 1


def starts_with_biases(config: Config) -> bool:
    """Whether any layer's biases start at another value than 0."""
    return any(
        isinstance(layer.init, Normal) and layer.init.bias != 0 for layer in config.network.layers
    )


def colours_by_the_root(config: Config) -> bool:
    """Whether colour noise follows the released code."""
    return config.inputs.colour is not None and config.inputs.colour.formula == "source"


def pools_over_the_edge(config: Config) -> bool:
    """Whether rounding up gives a map of the network another size than rounding down."""
    parts = {
        name: part.but(rounding="floor").model_dump()
        for name, part in config.network.parts_in_use().items()
        if isinstance(part, Pool)
    }
    try:
        return config.network.but(parts=parts).seen_by() != config.network.seen_by()
    except ValueError:  # a map is left that a window does not fit
        return True


class Edit(NamedTuple):
    """Text that stands once in a file, and what a mistake would have made of it."""

    file: str
    right: str
    wrong: str


class Bug(NamedTuple):
    """A mistake, and the arms whose numbers it can move."""

    touches: Touches
    edits: tuple[Edit, ...]


BUGS: dict[str, Bug] = {
    "norm's window off by one": Bug(  # a strip has one dimension: rolling it moves the channels
        any_of(has(LRN, normalises), has(MapNorm)),
        (
            Edit(
                "alexnet/norms.py",
                "through = other.window_sums(other.whole)",
                "through = other.window_sums(other.whole).roll(-1)",
            ),
            Edit(
                "alexnet/norms.py",
                "(torch.addcmul(share, strip.whole, strip.whole, value=alpha))",
                "(torch.addcmul(share, strip.whole, strip.whole, value=alpha)).roll(1)",
            ),
        ),
    ),
    "alpha not divided": Bug(
        has(LRN, normalises),
        (
            Edit(
                "alexnet/layers.py",
                "return local_response_norm(images, s.size, s.alpha, s.beta, s.k, s.groups)",
                "return local_response_norm("
                "images, s.size, s.alpha * s.size, s.beta, s.k, s.groups)",
            ),
        ),
    ),
    "window across towers": Bug(
        has(LRN, lambda part: isinstance(part, LRN) and normalises(part) and part.groups > 1),
        (
            Edit(
                "alexnet/layers.py",
                "return local_response_norm(images, s.size, s.alpha, s.beta, s.k, s.groups)",
                "return local_response_norm(images, s.size, s.alpha, s.beta, s.k, 1)",
            ),
        ),
    ),
    "floor for ceil pooling": Bug(
        pools_over_the_edge,
        (Edit("alexnet/layers.py", 'ceil_mode=rounding == "ceil"', "ceil_mode=False"),),
    ),
    "dropout at evaluation": Bug(
        has(Dropout),
        (
            Edit(
                "alexnet/layers.py",
                "        if self.training:\n            drawn",
                "        if True:\n            drawn",
            ),
        ),
    ),
    "rate outside the velocity": Bug(
        every_arm,
        (
            Edit(
                "alexnet/optim.py",
                'if self.settings.convention == "paper":',
                "if False:",
            ),
        ),
    ),
    "decay on biases": Bug(
        decays,
        (
            Edit(
                "alexnet/optim.py",
                'without = learner.of == "biases" and self.settings.decays == "weights"',
                "without = False",
            ),
        ),
    ),
    "eigenvalue for its root": Bug(
        colours_by_the_root,
        (
            Edit(
                "alexnet/augment.py",
                'lengths = unit if colour.formula == "unit" else deviations',
                "lengths = unit",
            ),
        ),
    ),
    "mean not subtracted": Bug(
        every_arm,
        (
            Edit(
                "alexnet/data/batches.py",
                "found = squares.to(mean.dtype).sub_(mean)",
                "found = squares.to(mean.dtype)",
            ),
        ),
    ),
    "always flipped": Bug(
        lambda config: config.inputs.flips,
        (
            Edit(
                "alexnet/data/batches.py",
                'mirrored = (torch.rand(count, generator=stream("flip")) < 0.5).to(device)',
                'mirrored = (torch.rand(count, generator=stream("flip")) < 1.0).to(device)',
            ),
        ),
    ),
    "biases 0": Bug(
        starts_with_biases,
        (Edit("alexnet/model.py", "bias.fill_(init.bias)", "bias.fill_(0.0)"),),
    ),
    "arms of one seed given different orders": Bug(
        every_arm,
        (
            Edit(
                "alexnet/data/batches.py",
                'order = torch.randperm(count, generator=stream("order", *once))',
                'names = (*(once or ("epoch", epoch)), str(config))\n        '
                'order = torch.randperm(count, generator=stream("order", *names))',
            ),
        ),
    ),
    "labels shifted": Bug(
        every_arm,
        (
            Edit(
                "alexnet/data/batches.py",
                "train.labels[batch.which.to(train.device)]",
                "train.labels[batch.which.to(train.device)].roll(1)",
            ),
        ),
    ),
    "loss in bfloat16": Bug(
        every_arm,
        (
            Edit(
                "alexnet/training.py",
                "return functional.cross_entropy(widened(scores), labels)",
                "return functional.cross_entropy(scores.bfloat16(), labels).to(scores.dtype)",
            ),
        ),
    ),
    # Those that follow are smaller, or do not show in what a batch looks like.
    "decay before momentum": Bug(
        decays,
        (
            Edit(
                "alexnet/optim.py",
                "gradients[number].add_(self.learners[number].values, alpha=self.decays[number])",
                "self.velocities[number].sub_(self.learners[number].values,"
                " alpha=rates[number] * self.decays[number])",
            ),
        ),
    ),
    "k off by 1 %": Bug(
        any_of(has(LRN), has(MapNorm)),
        (
            Edit(
                "alexnet/norms.py",
                "strip.whole[:1], k / strip.window)",
                "strip.whole[:1], 1.01 * k / strip.window)",
            ),
        ),
    ),
    "dropout of 0.49": Bug(
        has(Dropout),
        (Edit("alexnet/layers.py", "(drawn >= rate)", "(drawn >= rate - 0.01)"),),
    ),
    "a bias without the doubled rate": Bug(
        doubles_biases,
        (
            Edit(
                "alexnet/optim.py",
                'settings.rate * (settings.bias_rate if learner.of == "biases" else 1.0)',
                "settings.rate * (settings.bias_rate if learner.of == "
                '"biases" and learner.layer != "conv1" else 1.0)',
            ),
        ),
    ),
    "mean image of all images": Bug(
        every_arm,
        (
            Edit(
                "alexnet/data/images.py",
                'statistics(arrays["train"].pixels)',
                "statistics(np.concatenate([part.pixels for part in arrays.values()]))",
            ),
        ),
    ),
    "one image of a batch dropped": Bug(
        every_arm,
        (
            Edit(
                "alexnet/data/batches.py",
                "        return images.permute(0, 3, 1, 2), "
                "train.labels[batch.which.to(train.device)]",
                "        return images.permute(0, 3, 1, 2)[1:], "
                "train.labels[batch.which.to(train.device)][1:]",
            ),
        ),
    ),
}


class Seen(NamedTuple):
    """What the smoke said of a copy."""

    code: int
    wrong: frozenset[str]  # the arms that changed or failed
    headline: str  # how many, in the smoke's words
    why: str  # what it named as the culprit
    seconds: float


def planted(edits: tuple[Edit, ...], copy: Path) -> None:
    """Make a mistake in a copy of the code.

    Raises:
        ValueError: If the code has moved on, so that nothing would be planted.
    """
    for file, right, wrong in edits:
        path = copy / file
        text = path.read_text()
        if text.count(right) != 1:
            raise ValueError(f"{file} has {text.count(right)} times: {right}")
        path.write_text(text.replace(right, wrong))


def smoked(copy: Path) -> Seen:
    """Hold a copy against the baseline that ships.

    Raises:
        RuntimeError: If it does not start, which may only be a bad plant.
    """
    start, junit = time.monotonic(), copy / "smoke.xml"
    command = ["ablate", "--study", "all", "--smoke", "--baseline", "shipped",
               "--results", str(copy / "results"), "--junit", str(junit)]  # fmt: skip
    code = "from reports.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, *command],
        cwd=copy,
        env={k: v for k, v in os.environ.items() if k not in CI} | {"PYTHONPATH": str(copy)},
        capture_output=True,
        text=True,
        check=False,
    )
    found = re.search(r"took +\S+ (.*)", done.stdout)
    if found is None:
        raise RuntimeError(f"the copy does not start: {done.stdout}{done.stderr}")
    why = re.search(
        r"(every \S+ training has .*|the \S+ trainings have .*"
        r"|nothing sets .*|no training agrees.*)",
        done.stdout,
    )
    cases = ElementTree.parse(junit).getroot().iter("testcase")
    wrong = frozenset(f"{one.get('classname')}/{one.get('name')}" for one in cases if len(one))
    return Seen(done.returncode, wrong, found[1], why[1] if why else "", time.monotonic() - start)


def tried(edits: tuple[Edit, ...]) -> Seen:
    """Return what the smoke says of a copy with a bug, or with none."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        for package in PACKAGES:
            shutil.copytree(
                ROOT / package, copy / package, ignore=shutil.ignore_patterns("__pycache__")
            )
        planted(edits, copy)
        return smoked(copy)


def all_trainings() -> list[Training]:
    """Return every training of the smoke, as the code without bugs has them."""
    return trainings(
        Request(
            study=ALL, dataset=None, seeds=None, workers=None, device="cpu", precision="auto",
            smoke=True, dry_run=False, results=Path("results"), data_dir=default_data_dir(),
        )
    )  # fmt: skip


class Caught(NamedTuple):
    """How far the smoke saw a bug, by trainings."""

    touched: int  # in float64
    seen: int  # of these
    others: tuple[str, ...]  # the first arms of those that it does not touch, and that changed

    @classmethod
    def of(cls, touches: Callable[[Run], bool], wrong: frozenset[str]) -> "Caught":
        """Return what was seen of a bug, given the arms that changed or failed."""
        every = all_trainings()
        touched = [one for one in every if touches(one.run)]
        exact = [one for one in touched if one.run.precision == PRECISION]
        others = [one for one in every if one not in touched and wrong & set(one.arms)]
        return cls(
            len(exact),
            sum(bool(wrong & set(one.arms)) for one in exact),
            tuple(one.arms[0] for one in others),
        )

    @property
    def right(self) -> bool:
        """Whether it was seen where it is, and nowhere else."""
        return self.seen > 0 and not self.others


def report(name: str, bug: Bug) -> Caught:
    """Try one bug and print what became of it."""
    seen = tried(bug.edits)
    caught = Caught.of(lambda run: bug.touches(run.config), seen.wrong)
    others = f", and in others: {', '.join(caught.others)}" if caught.others else ""
    print(
        f"{name:<40}  seen in {caught.seen} of {caught.touched} that it touches{others}"
        f"  ({seen.seconds:.0f} s)",
        flush=True,
    )
    print(f"{'':<40}  {seen.why or seen.headline}", flush=True)
    return caught


def main() -> int:
    """Try bugs; return 1 if a copy without any fails, or more are missed than may be."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bugs", nargs="*", metavar="BUG", help="which ones; all if none is named")
    names = parser.parse_args().bugs or list(BUGS)
    if unknown := [name for name in names if name not in BUGS]:
        parser.error(f"there is no bug {unknown[0]!r}; there are: {', '.join(BUGS)}")
    without = tried(())
    print(f"{'no bug':<40}  {without.headline}  ({without.seconds:.0f} s)", flush=True)
    if without.code != 0:
        return 1
    missed = [name for name in names if not report(name, BUGS[name]).right]
    print(f"{len(names) - len(missed)} of {len(names)} caught")
    if missed:
        print(f"missed: {', '.join(missed)}")
    return int(len(missed) > (MAY_BE_MISSED if len(names) == len(BUGS) else 0))


if __name__ == "__main__":
    raise SystemExit(main())
