"""Each published layout, in miniature: the part and the class of every image, and what is left."""

import zipfile
from collections import Counter
from pathlib import Path

import pytest

from alexnet.data.manifest import DatasetError
from alexnet.data.prepare.files import File, listing
from alexnet.data.prepare.folders import ClassFolder
from alexnet.data.prepare.layouts import inventory, synset_titles
from alexnet.data.prepare.published import (
    EMPTY,
    HIDDEN,
    NO_LABEL,
    NOT_AN_IMAGE,
    Inventory,
    shows_an_image,
)
from tests.builders.class_folders import written
from tests.builders.layouts import KAGGLE, KAGGLE_TEXTS, TINY, TINY_TEXTS, VAL, found


def parted(inventory: Inventory) -> dict[str, str]:
    """Return part and class by path."""
    return {image.file.path: f"{image.part} {image.name}" for image in inventory.images}


PARTS = {
    "train and val": {
        "train/a/1.jpg": "train a",
        "train/b/2.png": "train b",
        "val/a/3.jpg": "test a",
    },
    "train and test": {
        "train/a/1.jpg": "train a",
        "test/a/3.jpg": "test a",
        "test/b/4.jpg": "test b",
    },
    "val and test, both with labels": {
        "train/a/1.jpg": "train a",
        "val/a/2.jpg": "test a",
        "test/a/3.jpg": "test a",
    },
    "a test without labels beside val": {
        "train/a/1.jpg": "train a",
        "val/a/2.jpg": "test a",
        "test/3.jpg": "",
        "test/4.jpg": "",
    },
    "other names": {"Training/a/1.jpg": "train a", "VALIDATION/a/2.jpg": "test a"},
    "names in capitals": {"TRAIN/a/1.JPG": "train a", "Test/b/2.JPEG": "test b"},
    "in a folder": {"some/data/train/a/1.jpg": "train a", "some/data/val/a/2.jpg": "test a"},
    "words beside": {"my_training_set/a/1.jpg": "train a", "test-images/a/2.jpg": "test a"},
    "parts that repeat themselves": {
        "training_set/training_set/cats/1.jpg": "train cats",
        "test_set/test_set/cats/2.jpg": "test cats",
    },
    "Intel's scenes": {
        "seg_train/seg_train/sea/1.jpg": "train sea",
        "seg_test/seg_test/sea/2.jpg": "test sea",
        "seg_pred/seg_pred/3.jpg": "",
    },
    "joined words": {"TrainSet/a/1.jpg": "train a", "ValidationData/a/2.jpg": "test a"},
    "deeper than a class": {"train/a/x/1.jpg": "train a", "valid/a/y/z/2.jpg": "test a"},
}


@pytest.mark.parametrize("expected", PARTS.values(), ids=PARTS)
def test_folders_of_parts_say_part_and_class(expected: dict[str, str]) -> None:
    """What is published as validation or test is our test; what has no label there is counted."""
    inventory = found(expected)

    assert parted(inventory) == {path: said for path, said in expected.items() if said}
    assert inventory.set_aside == +Counter({NO_LABEL: list(expected.values()).count("")})
    assert inventory.has_test
    assert inventory.titles == {}


FLAT = {
    "classes": {"a/1.jpg": "a", "b/2.jpg": "b"},
    "in a folder": {"some/data/a/1.jpg": "a", "some/data/b/2.jpg": "b"},
    "only train": {"train/a/1.jpg": "a", "train/b/2.jpg": "b"},
    "a class named test": {"test/1.jpg": "test", "a/2.jpg": "a"},
    "a class of two words": {
        "test tube/1.jpg": "test tube",
        "training shoe/2.jpg": "training shoe",
    },
    "one folder in each class": {"a/images/1.jpg": "a", "b/images/2.jpg": "b"},
    "folders in a class": {"a/x/1.jpg": "a", "a/y/2.jpg": "a", "b/3.jpg": "b"},
    "names that sort apart": {"a/1.jpg": "a", "a b/2.jpg": "a b", "a-b/3.jpg": "a-b"},
}


@pytest.mark.parametrize("expected", FLAT.values(), ids=FLAT)
def test_folders_of_classes_have_no_test(expected: dict[str, str]) -> None:
    """So a part of them will be cut off."""
    inventory = found(expected)

    assert parted(inventory) == {path: f"train {name}" for path, name in expected.items()}
    assert not inventory.has_test
    assert inventory.layout == "a folder per class"


def test_the_layout_is_said_in_words() -> None:
    """With the names that the folders have, train first."""
    assert (
        found(["Val/a/1.jpg", "Train/a/1.jpg"]).layout == "a folder per class under Train and Val"
    )


@pytest.mark.parametrize(
    ("paths", "reason"),
    [
        (["readme.txt", "a/labels.csv"], "there are no images in the source"),
        ([], "there are no images in the source"),
        (["1.jpg", "2.jpg"], "all images of the source lie in one folder, which is one class"),
        (["x/y/1.jpg", "x/y/2.jpg"], "all images of the source lie in one folder"),
        (["a/1.jpg", "b/2.jpg", "stray.jpg"], r"stray\.jpg in the source is in no folder of a cl"),
        (["x/a/1.jpg", "x/b/2.jpg", "x/stray.jpg"], r"x/stray\.jpg in the source is in no folder"),
        (["train/a/1.jpg", "train/2.jpg", "val/a/3.jpg"], r"train/2\.jpg in the source is not in"),
        (["train/1.jpg", "val/a/2.jpg"], r"train/1\.jpg in the source is not in"),
        (["train/a/1.jpg", "val/a/2.jpg", "val/3.jpg"], r"val/3\.jpg in the source is not in tra"),
        (["train/a/1.jpg", "train/b/1.jpg", "test/2.jpg"], r"give the folder train alone"),
        (
            ["train/cat.0.jpg", "test/1.jpg"],
            r"test and train in the source are parts",
        ),
        (["pred/a/1.jpg", "test/2.jpg"], r"pred and test in the source are parts"),
        (["Train/cat.0.jpg", "pred/1.jpg"], r"Train/cat\.0\.jpg lies in no folder of a class"),
        ([f"fold{n}/a/{n}.jpg" for n in range(5)], r"fold0, fold1, fold2 and 2 more .* are folds"),
        (["fold1/1.jpg", "fold2/2.jpg"], r"fold1 and fold2 in the source are folds"),
        (["fold1/a/1.jpg", "test/a/2.jpg"], r"fold1 in the source are folds"),
        (
            ["x/a/1.jpg", "x/b/2.jpg", "x/x/a/1.jpg", "x/x/b/2.jpg"],
            r"x in the source holds folders of the same names as beside it, a and b",
        ),
        (
            ["train/a/1.jpg", "train/b/2.jpg", "train/c/a/3.jpg", "test/a/4.jpg"],
            r"c in the source holds folders of the same names as beside it, a:",
        ),
        (
            ["color/apple/1.jpg", "color/pear/2.jpg", "grey/apple/3.jpg", "grey/pear/4.jpg"],
            r"color and grey .* same names, apple and pear: .* --class-folder outer .* inner",
        ),
        (["train/a/1.jpg", "val/a/2.jpg", "more/a/3.jpg"], r"more/a/3\.jpg in the source is not "),
        (["train/a/1.jpg", "val/a/2.jpg", "stray.jpg"], r"stray\.jpg in the source is not in tra"),
    ],
)
def test_images_outside_of_any_class_are_refused(paths: list[str], reason: str) -> None:
    """By the first of them, with what to do."""
    with pytest.raises(DatasetError, match=reason):
        found(paths)


NESTED = ["color/apple/1.jpg", "color/pear/2.jpg", "grey/apple/3.jpg", "grey/pear/4.jpg"]


@pytest.mark.parametrize(
    ("class_folder", "classes"),
    [("outer", ["color", "color", "grey", "grey"]), ("inner", ["apple", "pear", "apple", "pear"])],
)
def test_who_says_which_folder_is_the_class_is_believed(
    class_folder: ClassFolder, classes: list[str]
) -> None:
    """Variants of images, domains, or sessions in each class: only a person knows."""
    files = [File(path, "nowhere", 0, 9) for path in NESTED]

    inventory_ = inventory(files, 0, "the source", class_folder)

    assert [image.name for image in inventory_.images] == classes


@pytest.mark.parametrize(
    "path",
    [
        "@eaDir/a/1.jpg", "a/@eaDir/SYNOPHOTO_THUMB_M.jpg", "$RECYCLE.BIN/S-1-5/1.jpg",
        "@Recycle/1.jpg", "#recycle/a/1.jpg", "lost+found/1.jpg", "a/.ipynb_checkpoints/1.jpg",
        "System Volume Information/1.jpg", ".Trash-1000/files/1.jpg", "a/._1.jpg",
    ],
)  # fmt: skip
def test_what_systems_and_servers_leave_behind_is_set_aside(path: str) -> None:
    """Thumbnails and deleted images are no images of a class, nor make one."""
    inventory_ = found(["a/1.jpg", "b/2.jpg", path])

    assert {image.file.path for image in inventory_.images} == {"a/1.jpg", "b/2.jpg"}
    assert inventory_.set_aside == {HIDDEN: 1}


def test_what_is_no_image_is_counted(tmp_path: Path) -> None:
    """Files that systems leave, texts, sounds; images without an ending are known by content."""
    jpeg, png = b"\xff\xd8\xff\xe0 and more", b"\x89PNG\r\n\x1a\n and more"
    source = written(
        tmp_path / "source",
        {
            "a/1": jpeg,
            "a/2.JFIF": b"",
            "b/3.data": png,
            "b/4": b"GIF89a",
            "a/.5.jpg": jpeg,
            ".git/6.jpg": jpeg,
            "__MACOSX/a/7.jpg": jpeg,
            "a/Thumbs.db": png,
            "b/desktop.ini": b"",
            "readme": b"a text",
            "readme.md": jpeg,
            "a/labels.csv": png,
            "b/empty": b"",
        },
    )
    for name in ("c", "d/e"):
        (source / name).mkdir(parents=True)

    inventory_ = inventory(*listing(source, tmp_path), "the source")

    expected = {"a/1": "train a", "a/2.JFIF": "train a", "b/3.data": "train b", "b/4": "train b"}
    assert parted(inventory_) == expected
    assert inventory_.set_aside == {HIDDEN: 5, NOT_AN_IMAGE: 4, EMPTY: 2}


def test_a_file_that_cannot_be_read_shows_no_image() -> None:
    """Unless its name says that it should, so that it is counted as lost."""
    assert not shows_an_image(File("a/1", "nowhere", 0, 9))
    assert shows_an_image(File("a/1.jpg", "nowhere", 0, 9))


@pytest.mark.parametrize("top", ["tiny-imagenet-200/", ""])
def test_tiny_imagenet_is_read_as_published(top: str, tmp_path: Path) -> None:
    """From its zip or folder: labels of val from its list, test set aside, titles from words."""
    tests = {f"test/images/test_{number}.JPEG": b"" for number in range(3)}
    with zipfile.ZipFile(tmp_path / "tiny.zip", "w") as file:
        for name, content in {**dict.fromkeys(TINY, b""), **TINY_TEXTS, **tests}.items():
            file.writestr(top + name, content)

    inventory_ = inventory(*listing(tmp_path / "tiny.zip", tmp_path), "the source")

    assert inventory_.layout == "Tiny ImageNet"
    assert parted(inventory_) == {top + path: said for path, said in TINY.items()}
    assert inventory_.set_aside == {NO_LABEL: 3, NOT_AN_IMAGE: 5}
    titles = {"n01443537": "goldfish", "n01629819": "European fire salamander"}
    assert inventory_.titles == titles
    assert inventory_.has_test


def test_an_image_that_its_list_has_not_is_refused(tmp_path: Path) -> None:
    """By its name: of Tiny ImageNet's val."""
    contents = {**dict.fromkeys(TINY, b""), **TINY_TEXTS, "val/images/val_2.JPEG": b""}
    source = written(tmp_path / "source", contents)

    with pytest.raises(DatasetError, match=r"val/images/val_2\.JPEG in the source has no label"):
        inventory(*listing(source, tmp_path), "the source")


def kaggle(folder: Path, *without: str) -> Inventory:
    """Return what is found in Kaggle's folder without some files."""
    contents = {**dict.fromkeys(KAGGLE, b""), **KAGGLE_TEXTS}
    kept = {name: content for name, content in contents.items() if name not in without}
    return inventory(*listing(written(folder / "source", kept), folder), "the source")


def test_kaggles_imagenet_is_read_as_published(tmp_path: Path) -> None:
    """Labels of val from its solution, whatever its order; test set aside; titles."""
    inventory_ = kaggle(tmp_path)

    assert inventory_.layout == "Kaggle's ILSVRC"
    assert parted(inventory_) == {path: said for path, said in KAGGLE.items() if said}
    assert inventory_.set_aside == {NO_LABEL: 1, NOT_AN_IMAGE: len(KAGGLE_TEXTS)}
    assert inventory_.titles == {"n01440764": "tench", "n01443537": "goldfish"}


def test_kaggles_imagenet_without_its_labels_is_refused(tmp_path: Path) -> None:
    """Without the list, or an image's line in it; titles can be done without."""
    with pytest.raises(DatasetError, match=r"LOC_val_solution\.csv.*put it beside"):
        kaggle(tmp_path / "1", "LOC_val_solution.csv")
    strange = written(tmp_path / "2" / "source", {f"{VAL}_00000003.JPEG": b""})
    with pytest.raises(
        DatasetError, match=r"ILSVRC2012_val_00000003\.JPEG in the source has no label"
    ):
        kaggle(strange.parent)
    assert kaggle(tmp_path / "3", "LOC_synset_mapping.txt").titles == {}


def test_titles_are_the_first_of_a_synsets_words() -> None:
    """Of lines with a space or a tab; other lines say nothing."""
    text = "n00000001 a b, c\nn00000002\td\r\nhead\nn3 x\nn00000004\n"

    assert synset_titles(text) == {"n00000001": "a b", "n00000002": "d"}
