"""Make the embedded images from Fashion-MNIST's four official files.

``python -m alexnet.data.make_fashion_mini FOLDER``, where FOLDER holds the ``.gz`` files of
Xiao, Rasul and Vollgraf (2017); Debian's package dataset-fashion-mnist puts them in
/usr/share/datasets/fashion-mnist. Draws nothing: images are chosen by their digests.
"""

import gzip
import sys
from pathlib import Path

import numpy as np

from alexnet.chance import derive
from alexnet.data.catalogue import EMBEDDED, Manifest
from alexnet.data.digests import Label, dataset_digest, digest_of, file_digest

NAME = "fashion_mini"
CLASSES = (
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat",
    "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
)  # fmt: skip
CONTENTS = {  # SHA-256 after decompression, since packagers compress anew
    "train-images-idx3-ubyte": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    "train-labels-idx1-ubyte": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    "t10k-images-idx3-ubyte": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    "t10k-labels-idx1-ubyte": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
}
PER_CLASS = {"train": ("train", 1000), "valid": ("train", 200), "test": ("t10k", 200)}


def read(folder: Path, part: str) -> tuple[np.ndarray, np.ndarray]:
    """Return images (n, 28, 28) and labels (n,) of one official part, checked by digest."""
    contents = []
    for kind, header in (("images-idx3", 16), ("labels-idx1", 8)):
        name = f"{part}-{kind}-ubyte"
        content = gzip.decompress((folder / f"{name}.gz").read_bytes())
        if digest_of(content) != CONTENTS[name]:
            raise SystemExit(f"{folder / name}.gz does not hold the official images or labels")
        contents.append(np.frombuffer(content, np.uint8, offset=header))
    images, labels = contents
    return images.reshape(-1, 28, 28), labels


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
        labels += [Label(published, CLASSES[numbers[i]], digests[origin][i]) for i in chosen]
        if part == "valid":
            valid = {digests[origin][i] for i in chosen}
    np.savez_compressed(target / "images.npz", **arrays)  # type: ignore[arg-type]
    manifest = Manifest(
        name=NAME,
        classes=CLASSES,
        counts={part: len(arrays[f"{part}_labels"]) for part in PER_CLASS},
        digest=dataset_digest(labels),
        split=digest_of("\n".join(sorted(valid)).encode()),
        files={"images.npz": file_digest(target / "images.npz")},
        note="Fashion-MNIST, Xiao, Rasul and Vollgraf (2017), MIT licence, see LICENSE; "
        "train and valid from its training file, test from its test file; 28 pixels, grey",
    )
    (target / "manifest.json").write_text(manifest.model_dump_json(indent=2) + "\n")
    return manifest


if __name__ == "__main__":
    print(make(Path(sys.argv[1]), EMBEDDED / NAME).model_dump_json(indent=2))
