"""Sources that are damaged or odd: read whole or refused in a sentence, never in part."""

import bz2
import gzip
import lzma
import os
import unicodedata
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from alexnet.data.manifest import DatasetError
from alexnet.data.pictures import UndecodableError
from alexnet.data.prepare.decoding import decoded
from alexnet.data.prepare.files import listing
from alexnet.data.prepare.layouts import inventory
from tests.builders.archives import TAR, entry, read, tar_of, zip_of
from tests.builders.class_folders import written
from tests.builders.layouts import KAGGLE, KAGGLE_TEXTS, TINY, TINY_TEXTS, found
from tests.builders.packs import IDX, idx_source, image, parquet, unpack
from tests.builders.pictures import saved, stored


def put(path: Path, content: bytes) -> Path:
    """Write a file and return where it is."""
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    "content",
    [TAR[:1536], TAR[:1800], TAR[:1636] + b"\xff\xff\xff" + TAR[1639:]],
    ids=["cut between files", "cut in a header", "header damaged"],
)
def test_a_tar_that_ends_early_is_refused(content: bytes, tmp_path: Path) -> None:
    """Python's own reader takes any end for the end."""
    with pytest.raises(DatasetError):
        listing(put(tmp_path / "a.tar", content), tmp_path)


def test_titles_are_there_on_a_second_start(tmp_path: Path) -> None:
    """They come from rows that are not read again."""
    code = "n01440764_10026_n01440764.JPEG"
    parquet(tmp_path / "s" / "train-0.parquet", [image(b"1", code)], [0], ["tench, Tinca tinca"])
    assert unpack(tmp_path / "s", "imagenet").titles == {"n01440764": "tench"}
    assert unpack(tmp_path / "s", "imagenet").titles == {"n01440764": "tench"}


def test_a_tar_with_a_zip_in_it_is_a_tar(tmp_path: Path) -> None:
    """Though a zip's mark is near its end."""
    inner = zip_of(tmp_path / "words.zip", {"x.txt": b"1"}).read_bytes()
    source = put(tmp_path / "a.tar", tar_of([("cat/1.jpg", b"1"), ("words.zip", inner)]))
    assert read(source) == {"cat/1.jpg": b"1", "words.zip": inner}


@pytest.mark.parametrize("inner", [b"", entry("1.jpg", b"x")], ids=["empty", "without its end"])
def test_a_tar_in_a_tar_ends_where_it_ends(inner: bytes, tmp_path: Path) -> None:
    """And does not read on in the outer one."""
    source = put(tmp_path / "a.tar", tar_of([("n1.tar", inner), ("n2/1.jpg", b"1")]))
    with pytest.raises(DatasetError, match=r"n1\.tar in it ends early|empty file"):
        listing(source, tmp_path)


@pytest.mark.parametrize("content", [b"garbage" * 100, entry("1.jpg", b"x" * 2000)[:1024]])
def test_a_damaged_tar_in_a_tar_is_refused(content: bytes, tmp_path: Path) -> None:
    """One class of ImageNet must not be missing silently."""
    source = put(
        tmp_path / "a.tar", tar_of([("n1.tar", content), *[("n2/1.jpg", b"1" * 9999)] * 2])
    )
    with pytest.raises(DatasetError):
        listing(source, tmp_path)


def test_a_damaged_file_of_a_zip_raises_oserror(tmp_path: Path) -> None:
    """So that one image is left out, and not all given up."""
    path = zip_of(tmp_path / "w.zip", {"a": bytes(range(200)) * 3}, zipfile.ZIP_DEFLATED)
    content = bytearray(path.read_bytes())
    for place in range(45, 100, 3):
        damaged = content.copy()
        damaged[place] ^= 0xFF
        file = listing(put(tmp_path / f"{place}.zip", damaged), tmp_path).files[0]
        with pytest.raises(OSError, match=r"damaged in its zip|ends after"):
            file.read()


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress, lzma.compress])
def test_a_damaged_compressed_tar_is_refused(
    compress: Callable[[bytes], bytes], tmp_path: Path
) -> None:
    """Whatever it is compressed by."""
    whole = tar_of([("cat/1.jpg", np.random.default_rng(0).bytes(2_000_000))])
    content = bytearray(compress(whole))
    content[len(content) * 3 // 4] ^= 0xFF
    with pytest.raises(DatasetError):
        listing(put(tmp_path / "a.tar.x", content), tmp_path / "work")


@pytest.mark.parametrize("images", [[image(b"1"), None], [b"1", None]])
def test_a_row_without_image_is_refused(images: list[object], tmp_path: Path) -> None:
    """With its number, whichever of the two forms images have."""
    parquet(tmp_path / "s" / "train-0.parquet", images, [0, 1])
    with pytest.raises(DatasetError, match="row 2 of"):
        unpack(tmp_path / "s")


def test_a_damaged_parquet_is_refused(tmp_path: Path) -> None:
    """Cut at its end, where the list of columns is."""
    path = tmp_path / "s" / "train-0.parquet"
    parquet(path, [b"1"], [0])
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(DatasetError):
        unpack(tmp_path / "s")


def test_labels_may_be_words_but_not_fractions(tmp_path: Path) -> None:
    """Words are names of classes; so are numbers, where there is a name for each."""
    parquet(tmp_path / "s" / "train-0.parquet", [b"1"], ["cat"])
    assert [image.name for image in unpack(tmp_path / "s").images] == ["cat"]

    for number, (label, names) in enumerate((([0.5], []), ([2], ["a", "b"]))):
        parquet(tmp_path / str(number) / "s" / "train-0.parquet", [b"1"], label, names)
        with pytest.raises(DatasetError, match=r"row 1 of .* no class"):
            unpack(tmp_path / str(number) / "s")


def test_only_a_test_may_be_without_labels() -> None:
    """In a flat source b and c are classes, as test is, and never set aside."""
    inventory_ = found(["test/x/1.jpg", "b/2.jpg", "c/3.jpg"])

    assert len(inventory_.images) == 3


def test_loose_images_beside_parts_are_refused() -> None:
    """They belong to no part."""
    with pytest.raises(DatasetError, match="extras"):
        found(["train/a/1.jpg", "val/a/2.jpg", "extras/3.jpg"])


def test_tiny_imagenet_rearranged_keeps_its_val(tmp_path: Path) -> None:
    """Many scripts move val's images into folders of their classes and leave the list there."""
    contents = {path: b"" for path in TINY if path.startswith("train")} | TINY_TEXTS
    contents |= {f"val/n01443537/{one}": b"" for one in ("val_1.JPEG", "images/val_0.JPEG")}
    source = written(tmp_path / "s", contents)
    inventory_ = inventory(*listing(source, tmp_path), "s")
    assert [image.part for image in inventory_.images].count("test") == 2


def test_a_compressed_idx_that_is_damaged_is_refused(tmp_path: Path) -> None:
    """With the file's name."""
    path = idx_source(tmp_path, {}, packed=True) / "train-images-idx3-ubyte.gz"
    content = bytearray(gzip.compress(IDX["train-images-idx3-ubyte"] * 20))
    content[10] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(DatasetError, match="damaged"):
        unpack(path.parent)


def test_two_links_to_one_folder_are_two_classes(tmp_path: Path) -> None:
    """Whichever of them the file system names first."""
    (tmp_path / "s" / "a").mkdir(parents=True)
    (tmp_path / "s" / "a" / "1.jpg").touch()
    (tmp_path / "s" / "b").symlink_to("a")
    assert sorted(read(tmp_path / "s")) == ["a/1.jpg", "b/1.jpg"]


def test_sixteen_bits_are_turned_too(tmp_path: Path) -> None:
    """By their EXIF data, as those of eight are."""
    exif = Image.Exif()
    exif[0x0112] = 6
    content = saved(Image.fromarray(np.zeros((2, 3), np.uint16)), "PNG", exif=exif)
    assert decoded(stored(tmp_path, content))[0].size == (2, 3)


def test_sounds_are_no_images(tmp_path: Path) -> None:
    """WAVE is a RIFF as WebP is."""
    contents = {"a/1.jpg": b"", "b/2.jpg": b"", "a/s.wav": b"RIFF\x24\0\0\0WAVE"}
    inventory_ = inventory(*listing(written(tmp_path / "s", contents), tmp_path), "s")
    assert len(inventory_.images) == 2


def test_idx_images_have_two_dimensions_each(tmp_path: Path) -> None:
    """And not one, as labels have."""
    labels = IDX["train-labels-idx1-ubyte"]
    with pytest.raises(DatasetError):
        unpack(idx_source(tmp_path, {"train-images-idx3-ubyte": labels}))


def test_rubbish_of_a_mac_is_not_parquet(tmp_path: Path) -> None:
    """Hidden files are not looked at."""
    parquet(tmp_path / "s" / "train-0.parquet", [b"1"], [0])
    (tmp_path / "s" / "._train-0.parquet").write_bytes(b"mac")
    assert len(unpack(tmp_path / "s").images) == 1


def test_kaggles_list_may_begin_with_a_mark(tmp_path: Path) -> None:
    """As Windows programs write it."""
    name = "LOC_val_solution.csv"
    contents = {
        **dict.fromkeys(KAGGLE, b""),
        **KAGGLE_TEXTS,
        name: b"\xef\xbb\xbf" + KAGGLE_TEXTS[name],
    }
    inventory(*listing(written(tmp_path / "s", contents), tmp_path), "s")


def test_a_postscript_file_is_no_image(tmp_path: Path) -> None:
    """Pillow would run Ghostscript on it; the reason shows that it tried."""
    with pytest.raises(UndecodableError, match=r"^not an image"):
        decoded(stored(tmp_path, saved(Image.new("RGB", (9, 9)), "EPS"), "a.jpg"))


def test_two_forms_of_a_name_are_two_files(tmp_path: Path) -> None:
    """Composed and decomposed letters look alike."""
    for form in ("NFC", "NFD"):
        (tmp_path / "s").mkdir(exist_ok=True)
        (tmp_path / "s" / unicodedata.normalize(form, "é.jpg")).write_bytes(form.encode())
    assert len(listing(tmp_path / "s", tmp_path).files) == 2


def test_a_zip_that_was_replaced_is_read_anew(tmp_path: Path) -> None:
    """In the same process."""
    read(zip_of(tmp_path / "a.zip", {"a": b"1"}))
    assert read(zip_of(tmp_path / "a.zip", {"b": b"2"})) == {"b": b"2"}


def test_a_name_of_no_letters_is_not_outside(tmp_path: Path) -> None:
    """Though it is shown with a backslash."""
    source = put(tmp_path / "a.tar", tar_of([(os.fsdecode(b"a..\xe9.jpg"), b"1")]))
    assert len(read(source)) == 1


def test_a_zip_of_undecodable_names_is_refused(tmp_path: Path) -> None:
    """In a sentence."""
    content = (
        zip_of(tmp_path / "a.zip", {"é.jpg": b"1"}).read_bytes().replace("é".encode(), b"\xff\xfe")
    )
    with pytest.raises(DatasetError):
        listing(put(tmp_path / "b.zip", content), tmp_path)


def test_a_mac_packs_shadows_of_tars(tmp_path: Path) -> None:
    """Which are hidden, and no tars."""
    inner = tar_of([("1.jpg", b"1")])
    source = put(tmp_path / "a.tar", tar_of([("._n1.tar", b"mac"), ("n1.tar", inner)]))

    assert read(source) == {"._n1.tar": b"mac", "n1/1.jpg": b"1"}


def test_tars_in_tars_end_somewhere(tmp_path: Path) -> None:
    """A hundred, one in another, are no dataset."""
    content = tar_of([("1.jpg", b"1")])
    for _ in range(100):
        content = tar_of([("n.tar", content)])

    with pytest.raises(DatasetError, match="a tar in too many others"):
        listing(put(tmp_path / "a.tar", content), tmp_path)


def test_a_zip_that_python_would_inflate_without_end_is_refused(tmp_path: Path) -> None:
    """It keeps to the size that is announced only for the usual method."""
    source = zip_of(tmp_path / "a.zip", {"a": bytes(1000)}, zipfile.ZIP_LZMA)

    with pytest.raises(DatasetError, match="compressed in a rare way"):
        listing(source, tmp_path)


def test_two_sets_of_idx_in_one_source_are_refused(tmp_path: Path) -> None:
    """One of them would be ignored; the official folder has each file also as .gz."""
    for name in ("mnist", "kmnist"):
        for file, content in IDX.items():
            (tmp_path / "s" / name).mkdir(parents=True, exist_ok=True)
            (tmp_path / "s" / name / file).write_bytes(content)
            (tmp_path / "s" / name / f"{file}.gz").write_bytes(gzip.compress(content))

    alone = unpack(tmp_path / "s" / "mnist")

    assert alone.set_aside == {"not an image": 4}
    with pytest.raises(DatasetError, match="give the folder of one of them"):
        unpack(tmp_path / "s")
