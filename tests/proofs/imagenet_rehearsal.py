"""Rehearses the paper's own experiment with pictures that are made up, 1,000 classes of them.

    python -m tests.proofs.imagenet_rehearsal             # an epoch of each network
    python -m tests.proofs.imagenet_rehearsal --reduced   # twenty updates of each

ILSVRC-2012's three archives in their official layout, and ILSVRC-2010 as a folder per class, are
written, prepared and looked at: the colour of every picture says its class, whichever way its label
went. Then `table_1` is asked how long it takes, trained with both networks of the paper's size, and
reported. It shows that the way is open from archives to Table 1, and nothing about ImageNet.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path
from unittest import mock

import numpy as np
from torchvision.datasets import imagenet

from alexnet.data.catalogue import CATALOGUE, describe
from tests.builders.command_line import call
from tests.builders.imagenet_archives import by_folders, codes_of, kinds_of, official

SECOND = "imagenet_2010"
"""Under its own name, since `table_1` is for it alone; so few images are let through here only."""
ALL, FEW = 1000, 40
OWN = "ilsvrc_2012_rehearsal"
"""Under the set's own name, another number of images than the published one is refused."""
IMAGES = 10
"""Of each class, to train with, of which a tenth is held out."""


class WrongError(Exception):
    """Something is not as it was written."""


def main() -> int:
    """Return 1 if something is not as it has to be."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--reduced", action="store_true", help="of the first set, few classes too")
    reduced = parser.parse_args().reduced
    with tempfile.TemporaryDirectory() as folder:
        try:
            rehearse(Path(folder), reduced)
        except WrongError as error:
            print("WRONG:", error)
            return 1
    return 0


def rehearse(folder: Path, reduced: bool) -> None:
    """Do all, saying what was seen."""
    classes = FEW if reduced else ALL
    data = folder / "data"
    (source := folder / "official").mkdir()
    known = official(source, classes, IMAGES)
    with mock.patch.object(imagenet, "ARCHIVE_META", known):
        told("prepare", "--dataset", OWN, "--size", "256", "--source", source, "--data-dir", data)
    look(data / OWN, classes)
    by_folders(tar := folder / "ilsvrc-2010.tar", ALL, IMAGES)
    few = describe(SECOND).model_copy(update={"at_least": 1})
    with mock.patch.dict(CATALOGUE, {SECOND: few}):
        told("prepare", "--dataset", SECOND, "--source", tar, "--data-dir", data)
    look(data / SECOND, ALL)

    study = ("--study", "table_1", "--dataset", SECOND, "--data-dir", data)
    results = folder / "results"
    dry = told("ablate", *study, "--results", results, "--dry-run")
    for part in ("2 arms x 10 seeds = 20 runs", "one NVIDIA A100: ", "8 of them: "):
        require(part in dry, f"the dry run says nothing of {part!r}: {dry}")
    length = ("--smoke",) if reduced else ("--epochs", "1", "--only-seeds", "0")
    said = told("ablate", *study, "--results", results, *length)
    require("the code's network" in said, f"no word of the networks: {said}")
    told("report", "--results", results)
    page = (results / "report" / "index.html").read_text(encoding="utf-8")
    if not reduced:
        require("table_1" in page, "the page has no table_1")
        require("incomplete" in page, "one seed of ten is not called incomplete")


def look(prepared: Path, classes: int) -> None:
    """Compare the labels of all prepared pictures with what their colours say."""
    named = json.loads((prepared / "manifest.json").read_text(encoding="utf-8"))["classes"]
    codes = codes_of(classes)
    require(sorted(named) == sorted(codes), f"{len(named)} classes are not those of the archives")
    seen = 0
    for part in ("train", "valid", "test"):
        labels = np.load(prepared / f"{part}_labels.npy").tolist()
        kinds = [
            kind
            for path in sorted(prepared.glob(f"{part}_images*.npy"))
            for kind in kinds_of(np.load(path, mmap_mode="r"))
        ]
        require(len(kinds) == len(labels), f"{len(labels)} labels of {len(kinds)} pictures")
        for number, (kind, label) in enumerate(zip(kinds, labels, strict=True)):
            require(codes[kind] == named[label], f"{part} {number} is {named[label]}")
        seen += len(kinds)
    require(seen == classes * (IMAGES + 1), f"{seen} pictures")
    print(f"{prepared.name}: {seen:,} pictures of {classes:,} classes have their own labels")


def told(*arguments: str | Path) -> str:
    """Call a command and print what it says; return it."""
    code, said = call(*arguments)
    print(f"$ {' '.join(map(str, arguments))}\n{said}\n", flush=True)
    require(code == 0, f"exit code {code}")
    return said


def require(is_so: bool, what: str) -> None:
    """Raise what is wrong if it is."""
    if not is_so:
        raise WrongError(what)


if __name__ == "__main__":
    sys.exit(main())
