"""Make the embedded images from Fashion-MNIST's four official files.

``python -m alexnet.data.prepare.make_fashion_mini FOLDER``, where FOLDER holds the ``.gz`` files of
Xiao, Rasul and Vollgraf (2017); Debian's package dataset-fashion-mnist puts them in
/usr/share/datasets/fashion-mnist. Draws nothing: images are chosen by their digests.
"""

import gzip
import sys
from pathlib import Path

import numpy as np

from alexnet.data.catalogue import describe
from alexnet.data.digests import Label, dataset_digest, digest_of, file_digest
from alexnet.data.manifest import EMBEDDED, Manifest
from alexnet.data.prepare.packs import FASHION_CLASSES, FASHION_CONTENTS, idx_array
from alexnet.random_streams import derive

NAME = "fashion_mini"
PER_CLASS = {"train": ("train", 1000), "valid": ("train", 200), "test": ("t10k", 200)}


def read(folder: Path, part: str) -> tuple[np.ndarray, np.ndarray]:
    """Return images (n, 28, 28) and labels (n,) of one official part, checked by digest."""
    contents = []
    for kind in ("images-idx3", "labels-idx1"):
        name = f"{part}-{kind}-ubyte"
        content = gzip.decompress((folder / f"{name}.gz").read_bytes())
        if digest_of(content) != FASHION_CONTENTS[name]:
            raise SystemExit(f"{folder / name}.gz does not hold the official images or labels")
        contents.append(idx_array(content))
    images, labels = contents
    return images, labels


def make(source: Path, target: Path) -> Manifest:
    """Write the images and their manifest to ``target``."""
    official = {part: read(source, part) for part in ("train", "t10k")}
    digests = {
        part: [digest_of(image.tobytes()) for image in images]
        for part, (images, _) in official.items()
    }
    key, taken = derive(0, "choice", NAME), set[tuple[str, int]]()
    arrays, labels, valid = {}, [], set()
    for part, (origin, per_class) in PER_CLASS.items():
        images, numbers = official[origin]
        chosen: list[int] = []
        for number in range(10):
            of_class = [
                i for i in np.flatnonzero(numbers == number).tolist() if (origin, i) not in taken
            ]
            of_class.sort(key=lambda i: digest_of(f"{key}/{digests[origin][i]}".encode()))
            chosen += of_class[:per_class]
        taken |= {(origin, i) for i in chosen}
        chosen.sort(key=lambda i: digests[origin][i])
        arrays[f"{part}_images"], arrays[f"{part}_labels"] = images[chosen], numbers[chosen]
        published = "test" if part == "test" else "train"
        labels += [
            Label(published, FASHION_CLASSES[numbers[i]], digests[origin][i]) for i in chosen
        ]
        if part == "valid":
            valid = {digests[origin][i] for i in chosen}
    np.savez_compressed(target / "images.npz", **arrays)  # type: ignore[arg-type]
    about = describe(NAME)
    manifest = Manifest(
        name=NAME,
        title=about.title,
        licence=about.licence,
        classes=FASHION_CLASSES,
        fit=about.fit,
        colour=about.colour,
        mirror=about.mirror,
        counts={part: len(arrays[f"{part}_labels"]) for part in PER_CLASS},
        digest=dataset_digest(labels),
        split=digest_of("\n".join(sorted(valid)).encode()),
        files={"images.npz": file_digest(target / "images.npz")},
        note="Fashion-MNIST, Xiao, Rasul and Vollgraf (2017), MIT licence, see LICENSE; "
        "train and valid from its training file, test from its test file; 28 pixels, grey",
    )
    (target / "manifest.json").write_text(manifest.to_json(), encoding="utf-8")
    return manifest


if __name__ == "__main__":
    print(make(Path(sys.argv[1]), EMBEDDED / NAME).to_json(), end="")
