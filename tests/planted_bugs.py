"""Plants known bugs in a copy of the code, one at a time, and counts how many the smoke catches.

    python tests/planted_bugs.py                    # all of them: about a quarter of an hour
    python tests/planted_bugs.py "labels shifted"   # some

Each is held against the baseline that ships, as CI would. A smoke that finds nothing in a copy
without bugs comes first: a check that always fails would catch everything.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent
PACKAGES = ("alexnet", "ablations", "reports")
FAILED, CHANGED = 1, 3
START_NO_MORE = ("floor for ceil pooling",)
"""Bugs with which layers no longer fit together, so that no network can be made at all."""
CI = ("GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY")
"""What would have planted bugs reported as found ones."""

NO_START = "does not start"


class Edit(NamedTuple):
    """Text that stands once in a file, and what a mistake would have made of it."""

    file: str
    right: str
    wrong: str


BUGS: dict[str, tuple[Edit, ...]] = {
    "LRN window off by one": (  # a strip has one dimension, so that rolling it moves the channels
        Edit(
            "alexnet/norms.py",
            "through = window_sums(other.whole, size)",
            "through = window_sums(other.whole, size).roll(-1)",
        ),
        Edit(
            "alexnet/norms.py",
            "return window_sums(torch.addcmul(share, strip.whole, strip.whole, value=alpha), size)",
            "return window_sums(torch.addcmul(share, strip.whole, strip.whole, value=alpha), size)"
            ".roll(1)",
        ),
    ),
    "alpha not divided": (
        Edit(
            "alexnet/layers.py",
            "return local_response_norm(images, s.size, s.alpha, s.beta, s.k, s.groups)",
            "return local_response_norm(images, s.size, s.alpha * s.size, s.beta, s.k, s.groups)",
        ),
    ),
    "window across towers": (
        Edit(
            "alexnet/layers.py",
            "return local_response_norm(images, s.size, s.alpha, s.beta, s.k, s.groups)",
            "return local_response_norm(images, s.size, s.alpha, s.beta, s.k, 1)",
        ),
    ),
    "floor for ceil pooling": (
        Edit("alexnet/layers.py", 'ceil_mode=rounding == "ceil"', "ceil_mode=False"),
        Edit(
            "alexnet/architecture.py",
            "side = windows(seen.side, part.size, part.stride, 0, part.rounding)",
            'side = windows(seen.side, part.size, part.stride, 0, "floor")',
        ),
    ),
    "dropout at evaluation": (
        Edit(
            "alexnet/layers.py",
            "        if self.training:\n            drawn",
            "        if True:\n            drawn",
        ),
    ),
    "rate outside the velocity": (
        Edit(
            "alexnet/optim.py",
            'if self.settings.convention == "paper":',
            "if False:",
        ),
    ),
    "decay on biases": (
        Edit(
            "alexnet/optim.py",
            'without = learner.of == "biases" and self.settings.decays == "weights"',
            "without = False",
        ),
    ),
    "eigenvalue for its root": (
        Edit(
            "alexnet/augment.py",
            'lengths = unit if colour.formula == "unit" else deviations',
            "lengths = unit",
        ),
    ),
    "mean not subtracted": (
        Edit(
            "alexnet/data/batches.py",
            "found = squares.float().sub_(mean)",
            "found = squares.float()",
        ),
    ),
    "always flipped": (
        Edit(
            "alexnet/data/batches.py",
            'mirrored = (torch.rand(count, generator=stream("flip")) < 0.5).to(device)',
            'mirrored = (torch.rand(count, generator=stream("flip")) < 1.0).to(device)',
        ),
    ),
    "biases 0": (Edit("alexnet/model.py", "bias.fill_(init.bias)", "bias.fill_(0.0)"),),
    "arms of one seed given different orders": (
        Edit(
            "alexnet/data/batches.py",
            'order = torch.randperm(count, generator=stream("order", *once))',
            'names = (*(once or ("epoch", epoch)), str(config))\n        '
            'order = torch.randperm(count, generator=stream("order", *names))',
        ),
    ),
    "labels shifted": (
        Edit(
            "alexnet/data/batches.py",
            "return images.permute(0, 3, 1, 2), train.labels[batch.which.to(train.device)]",
            "return images.permute(0, 3, 1, 2), train.labels[batch.which.to(train.device)].roll(1)",
        ),
    ),
    "loss in bfloat16": (
        Edit(
            "alexnet/training.py",
            "return functional.cross_entropy(scores.float(), labels)",
            "return functional.cross_entropy(scores.bfloat16(), labels).float()",
        ),
    ),
}


class Caught(NamedTuple):
    """What the smoke said of a copy."""

    code: int
    changed: str  # how many arms, in the smoke's words
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


def smoked(copy: Path) -> Caught:
    """Hold a copy against the baseline that ships."""
    start = time.monotonic()
    command = ["ablate", "--study", "all", "--smoke", "--baseline", "shipped",
               "--results", str(copy / "results")]  # fmt: skip
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
    why = re.search(r"(every (?:changed )?arm .*|the changed arms .*)", done.stdout)
    errors = [line for line in done.stderr.splitlines() if line and not line.startswith(" ")]
    said = found[1] if found else f"{NO_START}: {errors[-1] if errors else 'no reason'}"
    return Caught(done.returncode, said, why[1] if why else "", time.monotonic() - start)


def tried(name: str, edits: tuple[Edit, ...]) -> Caught:
    """Return what the smoke says of a copy with a bug, or with none."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        for package in PACKAGES:
            shutil.copytree(
                ROOT / package, copy / package, ignore=shutil.ignore_patterns("__pycache__")
            )
        planted(edits, copy)
        caught = smoked(copy)
    print(f"{name:<40}  exit {caught.code}  {caught.seconds:4.0f} s  {caught.changed}", flush=True)
    if caught.why:
        print(f"{'':<40}  {caught.why}", flush=True)
    return caught


def is_caught(name: str, seen: Caught) -> bool:
    """Whether the smoke noticed a bug; a copy that does not start may only be a bad plant."""
    starts = not seen.changed.startswith(NO_START)
    return seen.code in (FAILED, CHANGED) and (starts or name in START_NO_MORE)


def main() -> int:
    """Try bugs; return 1 if a copy without any fails, or a bug is missed; one of all may be."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bugs", nargs="*", metavar="BUG", help="which ones; all if none is named")
    names = parser.parse_args().bugs or list(BUGS)
    if unknown := [name for name in names if name not in BUGS]:
        parser.error(f"there is no bug {unknown[0]!r}; there are: {', '.join(BUGS)}")
    if tried("no bug", ()).code != 0:
        return 1
    caught = [name for name in names if is_caught(name, tried(name, BUGS[name]))]
    missed = [name for name in names if name not in caught]
    print(f"{len(caught)} of {len(names)} caught")
    if missed:
        print(f"missed: {', '.join(missed)}")
    return int(len(missed) > len(names) // len(BUGS))


if __name__ == "__main__":
    raise SystemExit(main())
