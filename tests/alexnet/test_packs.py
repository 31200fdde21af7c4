"""Images that lie many in a file: Parquet, IDX, CIFAR-10's pickles, ImageNet's tars; downloads."""

import hashlib
import pickle
import re
import sys
import tarfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from torchvision.datasets import CIFAR10, imagenet

from alexnet.data.catalogue import CATALOGUE
from alexnet.data.manifest import DatasetError
from alexnet.data.prepare import downloads
from alexnet.data.prepare.files import File, listing
from alexnet.data.prepare.packs import FASHION_CLASSES, FASHION_CONTENTS, unpacked
from alexnet.data.prepare.published import NOT_AN_IMAGE, Inventory, Published
from alexnet.data.prepare.request import PrepareRequest
from alexnet.data.prepare.sources import refuse_wrong_counts
from tests.builders.imagenet_archives import kit_of, tar_of, write_archives
from tests.builders.packs import IDX, LABELS, PIXELS, idx, idx_source, image, parquet, unpack

FASHION = Path("/usr/share/datasets/fashion-mnist")
Row = tuple[str, str, bytes]


def rows(inventory: Inventory) -> list[Row]:
    """Return part, class and bytes of every image."""
    return [(image.part, image.name, image.file.read()) for image in inventory.images]


@pytest.fixture
def hub(tmp_path: Path) -> Path:
    """Return a folder of Parquet with two files to train on and two to test."""
    folder = tmp_path / "hub"
    names, data = ["cat", "dog"], folder / "data"
    first = [image(b"1"), image(b"22"), image(b"3")]
    parquet(data / "train-00000-of-00002.parquet", first, [0, 1, 1], names)
    parquet(data / "train-00001-of-00002.parquet", [image(b"4", "4.png")], [0], names)
    parquet(data / "validation-00000-of-00001.parquet", [image(b"5")], [1], names)
    parquet(data / "test-00000-of-00001.parquet", [image(b"6")], [0], names)
    (folder / "README.md").write_text("a card")
    return folder


PUBLISHED = [
    ("test", "cat", b"6"), ("train", "cat", b"1"), ("train", "dog", b"22"),
    ("train", "dog", b"3"), ("train", "cat", b"4"), ("test", "dog", b"5"),
]  # fmt: skip


def test_parquet_is_read_from_a_folder_and_from_a_tar(hub: Path, tmp_path: Path) -> None:
    """Every row, with the class that the schema names; the card is no image."""
    (tmp_path / "other").mkdir()
    with tarfile.open(tmp_path / "other" / "hub.tar", "w") as tar:
        tar.add(hub, "hub")

    for found in (unpack(hub), unpack(tmp_path / "other" / "hub.tar")):
        assert found.layout == "Parquet"
        assert rows(found) == PUBLISHED
        assert found.set_aside == {NOT_AN_IMAGE: 1}
        assert found.has_test


def test_parquet_is_copied_once(hub: Path, tmp_path: Path) -> None:
    """A later start finds the same images in the copies, and changes none of these."""
    first = unpack(hub)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "work").iterdir()}

    second = unpack(hub)

    assert second == first
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "work").iterdir()} == before
    assert {Path(image.file.container).parent for image in first.images} == {tmp_path / "work"}


@pytest.mark.parametrize(
    ("images", "column"),
    [([b"1", b"2", b"3"], "image"), ([image(b"1"), image(b"2"), image(b"3")], "img")],
)
def test_parquets_of_other_columns(images: Sequence[object], column: str, tmp_path: Path) -> None:
    """Plain bytes, or named img; classes without names are numbers; a part may name a folder."""
    parquet(tmp_path / "source" / "train" / "0000.parquet", images, [3, 0, 11], column=column)

    found = rows(unpack(tmp_path / "source"))

    assert found == [("train", "3", b"1"), ("train", "0", b"2"), ("train", "11", b"3")]


def test_imagenets_classes_have_their_codes(tmp_path: Path) -> None:
    """From the names of the images, as every other source of it; titles from the schema."""
    codes = ["n01440764_10026_n01440764.JPEG", "ILSVRC2012_val_00000001_n01443537.JPEG"]
    images = [image(b"1", codes[0]), image(b"2", codes[1])]
    names = ["tench, Tinca tinca", "goldfish, Carassius auratus"]
    parquet(tmp_path / "source" / "train-0.parquet", images, [0, 1], names)

    found, other = unpack(tmp_path / "source", "imagenet"), tmp_path / "other"
    other.mkdir()
    (tmp_path / "source").rename(other / "source")

    assert [row[1] for row in rows(found)] == ["n01440764", "n01443537"]
    assert found.titles == {"n01440764": "tench", "n01443537": "goldfish"}
    assert [row[1] for row in rows(unpack(other / "source"))] == names


@pytest.mark.parametrize(
    ("name", "columns", "reason"),
    [
        ("train-0", {"image": [b"1"], "label": [-1]}, "row 1 of .* no class: -1"),
        ("train-0", {"image": [b"1"] * 3, "label": [0, 1, None]}, "row 3 of .* no class: None"),
        ("train-0", {"image": [image(b"1"), {"path": "x"}], "label": [0, 1]}, "row 2 of .* has"),
        ("train-0", {"picture": [b"1"], "label": [0]}, "has the columns picture, label; it should"),
        ("train-0", {"image": [b"1"], "fine_label": [0]}, "has the columns image, fine_label; it"),
        ("part-0", {"image": [b"1"], "label": [0]}, r"part-0\.parquet in .* does not say its part"),
    ],
)
def test_parquet_that_is_not_of_images_and_labels_is_refused(
    name: str, columns: dict[str, list[object]], reason: str, tmp_path: Path
) -> None:
    """By its file, and the row if it is one."""
    path = tmp_path / "source" / f"{name}.parquet"
    path.parent.mkdir()
    pq.write_table(pa.table(columns), path)

    with pytest.raises(DatasetError, match=reason) as refusal:
        unpack(tmp_path / "source")
    assert path.name in str(refusal.value)


def test_parquet_without_pyarrow_says_what_to_install(
    hub: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a line to copy."""
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)

    with pytest.raises(DatasetError, match=re.escape("pip install pyarrow")):
        unpack(hub)


@pytest.mark.parametrize("packed", [False, True])
def test_idx_is_read_plain_and_compressed(packed: bool, tmp_path: Path) -> None:
    """Each image with its label and shape; a second start reads them from the copy."""
    source = idx_source(tmp_path, {}, packed)
    parts = ["train"] * 3 + ["test"] * 2
    expected = [
        (part, str(label), pixels.tobytes())
        for part, label, pixels in zip(parts, LABELS, PIXELS, strict=True)
    ]

    found = unpack(source)

    assert rows(found) == expected
    assert {image.file.shape for image in found.images} == {(4, 3)}
    assert unpack(source) == found


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"train-images-idx3-ubyte": b"\0\0\x0d\3" + b"\0" * 12}, "train files .* not an IDX file"),
        ({"t10k-images-idx3-ubyte": b"\0\0"}, "t10k files .* not an IDX file"),
        ({"t10k-labels-idx1-ubyte": idx(LABELS[3:])[:6]}, "the t10k files in .* are damaged"),
        ({"train-images-idx3-ubyte": idx(PIXELS[:3])[:-1]}, "damaged: 35 values where 36 were an"),
        ({"train-labels-idx1-ubyte": idx(LABELS[:2])}, "has 3 train images and 2 labels"),
        ({"t10k-labels-idx1-ubyte": None}, r"t10k-labels-idx1-ubyte \(or its .gz\) is not in"),
    ],
)
def test_damaged_idx_is_refused(
    changes: dict[str, bytes | None], reason: str, tmp_path: Path
) -> None:
    """A wrong beginning, files that are cut short, too few labels, a missing file."""
    with pytest.raises(DatasetError, match=reason):
        unpack(idx_source(tmp_path, changes))


def test_a_compressed_idx_that_is_cut_is_refused(tmp_path: Path) -> None:
    """By its name."""
    path = idx_source(tmp_path, {}, packed=True) / "train-images-idx3-ubyte.gz"
    path.write_bytes(path.read_bytes()[:-9])

    with pytest.raises(DatasetError, match=rf"{path.name} in the source is damaged"):
        unpack(path.parent)


def test_a_fashion_mnist_that_is_not_the_published_one_is_refused(tmp_path: Path) -> None:
    """By the file and both digests."""
    source = idx_source(tmp_path, {}, packed=True)
    ours = hashlib.sha256(IDX["t10k-images-idx3-ubyte"]).hexdigest()

    with pytest.raises(DatasetError) as refusal:
        unpack(source, "fashion_mnist")

    for part in ("t10k-images-idx3-ubyte.gz", ours, FASHION_CONTENTS["t10k-images-idx3-ubyte"]):
        assert part in str(refusal.value)


@pytest.mark.skipif(not FASHION.exists(), reason="needs Fashion-MNIST's files")
def test_the_published_fashion_mnist_is_whole(tmp_path: Path) -> None:
    """6,000 and 1,000 of each class, named; the first is an ankle boot."""
    files = listing(FASHION, tmp_path).files

    found = unpacked(files, "fashion_mnist", str(FASHION), tmp_path)

    assert found is not None
    counts = {(part, name): 0 for part in ("train", "test") for name in FASHION_CLASSES}
    for one in found.images:
        counts[one.part, one.name] += 1
    assert counts == {key: 6000 if key[0] == "train" else 1000 for key in counts}
    assert found.images[0].name == "Ankle boot"
    assert {one.file.shape for one in found.images} == {(28, 28)}


@pytest.fixture
def cifar(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder as cifar-10-batches-py, of two images a batch, taken for the published."""
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    digests = {}
    for number, (name, _) in enumerate([*CIFAR10.train_list, *CIFAR10.test_list]):
        data = np.random.default_rng(number).integers(0, 256, (2, 3072), dtype=np.uint8)
        names = [f"{number}_{place}.png" for place in range(2)]
        batch = {"batch_label": name, "labels": [number, 9], "data": data, "filenames": names}
        digests[name] = written(folder / name, batch)
    meta = {"num_cases_per_batch": 2, "label_names": list("abcdefghij"), "num_vis": 3072}
    digests["batches.meta"] = written(folder / "batches.meta", meta)
    (folder / "readme.html").write_text("<html>")
    monkeypatch.setattr(CIFAR10, "train_list", [[n, digests[n]] for n, _ in CIFAR10.train_list])
    monkeypatch.setattr(CIFAR10, "test_list", [[n, digests[n]] for n, _ in CIFAR10.test_list])
    monkeypatch.setattr(CIFAR10, "meta", CIFAR10.meta | {"md5": digests["batches.meta"]})
    return folder


def written(path: Path, content: object) -> str:
    """Pickle something, and return its MD5."""
    path.write_bytes(pickle.dumps(content, protocol=2))
    return hashlib.md5(path.read_bytes()).hexdigest()


def test_cifars_batches_are_torchvisions(cifar: Path, tmp_path: Path) -> None:
    """The same pixels in the same order, from the folder and from its archive."""
    archive = tmp_path / "other" / "cifar-10-python.tar.gz"
    archive.parent.mkdir()
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(cifar, cifar.name)
    expected = [
        ("train" if train else "test", theirs.classes[label], pixels.tobytes())
        for train in (True, False)
        for theirs in [CIFAR10(str(tmp_path), train=train)]
        for pixels, label in zip(theirs.data, theirs.targets, strict=True)
    ]

    for found in (unpack(cifar), unpack(cifar), unpack(archive)):
        assert rows(found) == expected
        assert {image.file.shape for image in found.images} == {(32, 32, 3)}
        assert found.set_aside == {NOT_AN_IMAGE: 1}


class Trap:
    """What a hostile pickle may do when it is read: leave a file in the current folder."""

    def __reduce__(self) -> tuple[object, ...]:
        """Return what is called, and with what."""
        return Path.touch, (Path("sprung"),)


@pytest.mark.parametrize("name", ["data_batch_3", "test_batch", "batches.meta"])
def test_a_pickle_that_is_not_the_published_one_is_never_read(
    name: str, cifar: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Refused by the file and both digests."""
    monkeypatch.chdir(tmp_path)
    published = hashlib.md5((cifar / name).read_bytes()).hexdigest()
    found = written(cifar / name, Trap())

    with pytest.raises(DatasetError) as refusal:
        unpack(cifar)

    assert not (tmp_path / "sprung").exists()
    for part in (name, found, published):
        assert part in str(refusal.value)
    pickle.loads((cifar / name).read_bytes())
    assert (tmp_path / "sprung").exists()


def test_a_cifar_without_a_batch_is_refused(cifar: Path) -> None:
    """By its name."""
    (cifar / "data_batch_4").unlink()

    with pytest.raises(DatasetError, match="data_batch_4 of CIFAR-10 is not in the source"):
        unpack(cifar)


@pytest.fixture
def official(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder of ImageNet's three archives, of two classes, taken for the published."""
    folder = tmp_path / "official"
    folder.mkdir()
    kit = kit_of(
        ("n02119789", "n01440764"), ("kit fox, Vulpes macrotis", "tench, Tinca tinca"), (2, 1, 2)
    )
    fish = tar_of({"n01440764_1.JPEG": b"a", "n01440764_2.JPEG": b"b"})
    fox = tar_of({"n02119789_9.JPEG": b"c"})
    archives = {
        "train": tar_of({"n01440764.tar": fish, "n02119789.tar": fox}),
        "val": tar_of({f"ILSVRC2012_val_0000000{n}.JPEG": bytes([n]) for n in (3, 1, 2)}),
        "devkit": kit,
    }
    published = write_archives(folder, archives)
    monkeypatch.setattr(imagenet, "ARCHIVE_META", published)
    return folder


@pytest.mark.filterwarnings("ignore:Python 3.14 will:DeprecationWarning")
def test_imagenets_archives_are_read_in_place(official: Path) -> None:
    """Labels of val from the kit, by the order of names; a second start takes as many."""
    tench, fox = "n01440764", "n02119789"
    expected = [("train", tench, b"a"), ("train", tench, b"b"), ("train", fox, b"c")]
    expected += [("test", tench, b"\1"), ("test", fox, b"\2"), ("test", tench, b"\3")]

    for found in (unpack(official, "imagenet"), unpack(official, "imagenet")):
        assert rows(found) == expected
        assert found.titles == {"n01440764": "tench", "n02119789": "kit fox"}
        assert found.layout == "ImageNet's official archives"
        assert {Path(image.file.container).parent for image in found.images} == {official}


@pytest.mark.parametrize("what", ["train", "val", "devkit"])
def test_other_archives_than_imagenets_are_refused(what: str, official: Path) -> None:
    """By the file and both digests; one that is missing, by its name."""
    name, published = imagenet.ARCHIVE_META[what]
    content = (official / name).read_bytes() + b"\0"
    (official / name).write_bytes(content)

    with pytest.raises(DatasetError) as refusal:
        unpack(official, "imagenet")
    for part in (name, hashlib.md5(content).hexdigest(), published):
        assert part in str(refusal.value)
    (official / name).unlink()
    if what != "train":
        with pytest.raises(DatasetError, match=f"{name} is missing; put it beside"):
            unpack(official, "imagenet")


def test_what_packs_nothing_is_for_others(tmp_path: Path) -> None:
    """A folder per class."""
    (tmp_path / "source" / "cat").mkdir(parents=True)
    (tmp_path / "source" / "cat" / "1.jpg").touch()
    files = listing(tmp_path / "source", tmp_path).files

    assert unpacked(files, "mine", "the source", tmp_path / "work") is None


@pytest.mark.parametrize(
    ("name", "kind", "has_hub", "expected"),
    [
        ("cifar10", None, True, "hub"),
        ("cifar10", None, False, "official"),
        ("cifar10", "hub", True, "hub"),
        ("cifar10", "official", True, "official"),
        ("cifar10", "official", False, "official"),
        ("fashion_mnist", None, True, "official"),
        ("fashion_mnist", None, False, "official"),
        ("imagenet", None, True, None),
        ("imagenet", "hub", True, "hub"),
        ("imagenette", None, True, None),
    ],
)
def test_the_fastest_download_that_works_is_chosen(
    name: str, kind: str | None, has_hub: bool, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or the one that is asked for; what needs a person's token is never taken unasked."""
    monkeypatch.setattr(downloads, "has_hub", lambda: has_hub)

    chosen = downloads.choose(CATALOGUE[name], kind)

    assert (chosen.kind if chosen else None) == expected


@pytest.mark.parametrize(
    ("name", "kind", "reason"),
    [
        ("cifar10", "hub", "needs two packages more:  pip install huggingface_hub pyarrow"),
        ("imagenet", "hub", "needs two packages more:  pip install huggingface_hub pyarrow"),
        ("fashion_mnist", "hub", "fashion_mnist has no source called hub"),
        ("imagenet", "official", "imagenet has no source called official"),
        ("imagenette", "hub", "imagenette has no source called hub"),
    ],
)
def test_a_download_that_cannot_be_is_refused(
    name: str, kind: str, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By what to install, or because nobody offers it."""
    monkeypatch.setattr(downloads, "has_hub", lambda: False)

    with pytest.raises(DatasetError, match=re.escape(reason)):
        downloads.choose(CATALOGUE[name], kind)


def test_a_slow_download_says_so_and_the_faster_way() -> None:
    """Minutes or hours, why, and what else there is; a quick one says nothing."""
    cifar, imagenet_ = CATALOGUE["cifar10"], CATALOGUE["imagenet"]
    hub, official = cifar.downloads

    slow = downloads.warning(cifar, official)
    large = downloads.warning(imagenet_, imagenet_.downloads[0])

    assert "takes about 50 minutes; its server has been slow" in slow
    assert "Faster (144 MB): stop,  pip install huggingface_hub pyarrow  and start" in slow
    assert "--source PATH  (cifar-10-python.tar.gz" in slow
    assert "takes about 3 hours on a line of 100 Mbit/s" in large
    assert "Faster, if you have it: give what you have:  --source PATH" in large
    assert downloads.warning(cifar, hub) == ""


def test_the_hubs_packages_are_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both of them."""
    monkeypatch.setattr(downloads, "HUB_PACKAGES", ("json", "pickle"))
    assert downloads.has_hub()

    monkeypatch.setattr(downloads, "HUB_PACKAGES", ("json", "no_such_package"))
    assert not downloads.has_hub()


@pytest.mark.parametrize(("images", "is_refused"), [(1_199_999, True), (1_261_406, False)])
def test_few_images_are_not_taken_for_ilsvrc_2010(images: int, is_refused: bool) -> None:
    """Copies differ in how many they have, and all have more than 1.2 million to train on."""
    file = File("a.jpg", "nowhere", 0, 9)
    classes = [f"n{number:08d}" for number in range(1000)]
    every = [Published("train", classes[number % 1000], file) for number in range(images)]
    every += [Published("test", name, file) for name in classes]
    request = PrepareRequest("imagenet_2010", None, Path("nowhere"))

    found = Inventory("a folder per class", every, Counter(), {})

    if is_refused:
        with pytest.raises(DatasetError, match="has 1,200,000 images or more to train on, and the"):
            refuse_wrong_counts(request, found)
    else:
        refuse_wrong_counts(request, found)
