"""Sources that are a little odd: read, or refused by the name of what is odd."""

import io
import os
import shlex
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from ablations.store import Store
from alexnet.data.manifest import default_data_dir
from alexnet.data.prepare.published import ARCHIVE
from reports.commands.ablate.conclusion import _results as results_option
from tests.builders.class_folders import images, png, prepared, written
from tests.builders.command_line import call

HEIC = struct.pack(">I4s4sI", 24, b"ftyp", b"heic", 0) + b"mif1heic" + bytes(500)


def zipped(contents: dict[str, bytes]) -> bytes:
    """Return a zip of files."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        for name, content in contents.items():
            file.writestr(name, content)
    return out.getvalue()


def test_a_zip_with_backslashes_is_read_as_its_maker_meant(tmp_path: Path) -> None:
    """As old programs of Windows write them; the same images as from a folder."""
    path = tmp_path / "pets.zip"
    names = {name.replace("/", "\\"): content for name, content in images().items()}
    path.write_bytes(zipped(names | {"cat\\": b""}))

    found = prepared(path, tmp_path / "from zip")

    assert found.classes == ("cat", "dog")
    folder = written(tmp_path / "folder", images())
    assert found.digest == prepared(folder, tmp_path / "from folder").digest


def test_a_zip_cannot_point_outside_with_backslashes(tmp_path: Path) -> None:
    """Whoever reads them as folders has to look at what they say."""
    path = tmp_path / "pets.zip"
    path.write_bytes(zipped(images() | {"cat\\..\\..\\evil.png": png(0)}))

    code, output = call(
        "prepare", "--dataset", "pets", "--source", path, "--data-dir", tmp_path / "data"
    )

    assert (code, "points outside of it" in output) == (2, True)


@pytest.mark.parametrize("name", ["cat.zip", "cat.tar", "cat.tar.gz", "cat.7z"])
def test_a_folder_of_archives_is_refused_by_their_name(tmp_path: Path, name: str) -> None:
    """And so is a zip of them: each may be a class, or a part."""
    for source in (
        written(tmp_path / "folder", {name: b"PK", f"dog{name[3:]}": b"PK"}),
        tmp_path / "outer.zip",
    ):
        if source.suffix:
            source.write_bytes(zipped({name: zipped(images())}))
        code, output = call(
            "prepare", "--dataset", "pets", "--source", source, "--data-dir", tmp_path / "data"
        )
        assert code == 2
        assert f"holds archives, such as {name}, and no images; unpack them" in output


def test_archives_beside_images_are_counted_by_what_they_are(tmp_path: Path) -> None:
    """Not as what is no image."""
    source = written(tmp_path / "folder", images() | {"cat/more.zip": b"PK", "dog/notes": b"x"})

    found = prepared(source, tmp_path / "data")

    assert found.set_aside == {ARCHIVE: 1, "not an image": 1}


def test_images_that_this_pillow_cannot_read_are_called_by_their_format(tmp_path: Path) -> None:
    """Photographs of a telephone are images, whatever reads them."""
    source = written(tmp_path / "folder", images(150) | {"cat/phone.heic": HEIC})

    found = prepared(source, tmp_path / "data")

    assert found.left_out == {
        "cat/phone.heic": "HEIC, which Pillow cannot read; save it as JPEG or PNG"
    }


def test_a_table_that_describes_images_is_no_source(tmp_path: Path) -> None:
    """`metadata.parquet` beside them, as Hugging Face's image folders have it."""
    pa = pytest.importorskip("pyarrow")
    pq = pytest.importorskip("pyarrow.parquet")
    source = written(tmp_path / "folder", images())
    pq.write_table(pa.table({"file_name": ["cat/0.png"]}), source / "metadata.parquet")

    found = prepared(source, tmp_path / "data")

    assert found.classes == ("cat", "dog")
    assert found.set_aside == {"not an image": 1}


@pytest.mark.parametrize("mark", [".", "-"])
def test_idx_files_may_have_a_dot_in_their_names(tmp_path: Path, mark: str) -> None:
    """As those who publish MNIST anew call them."""
    chance = np.random.default_rng(0)
    for prefix, count in (("train", 60), ("t10k", 30)):
        pixels = chance.integers(0, 256, (count, 8, 8), dtype=np.uint8)
        labels = (np.arange(count) % 3).astype(np.uint8)
        for name, array in (("images", pixels), ("labels", labels)):
            head = b"\0\0\x08" + bytes([array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
            path = tmp_path / "source" / f"{prefix}-{name}{mark}idx{array.ndim}-ubyte"
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(head + array.tobytes())

    found = prepared(tmp_path / "source", tmp_path / "data")

    assert found.counts == {"train": 54, "valid": 6, "test": 30}


@pytest.mark.skipif(sys.platform != "linux", reason="names are bytes there alone")
def test_a_source_whose_path_is_no_text_is_read(tmp_path: Path) -> None:
    """Its bytes are of an older encoding; what is printed shows them."""
    source = Path(os.fsdecode(os.fsencode(tmp_path) + b"/im\xe1genes"))
    written(source, images())
    command = ["prepare", "--dataset", "pets", "--source", source, "--data-dir", tmp_path / "data"]
    done = subprocess.run(
        [sys.executable, "-c", "from reports.cli import main; main()", *command],
        capture_output=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert b"40 images" in done.stdout or b"40" in done.stdout
    missing = subprocess.run(
        [sys.executable, "-c", "from reports.cli import main; main()", *command[:3], "--source",
         os.fsencode(source) + b"/none", "--data-dir", tmp_path / "other"],
        capture_output=True, check=False,
    )  # fmt: skip
    assert missing.returncode == 2
    assert b"there is no file or folder" in missing.stderr
    assert b"Traceback" not in missing.stderr


def test_the_home_folder_may_be_written_as_a_tilde(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After = no shell sees to it, nor in a variable."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.setenv("ALEXNET_DATA", "~/data")
    written(tmp_path / "pets of mine", images())
    monkeypatch.chdir(tmp_path)

    code, output = call("prepare", "--dataset=pets", "--source=~/pets of mine")

    assert default_data_dir() == tmp_path / "data"
    assert code == 0, output
    assert (tmp_path / "data" / "pets" / "manifest.json").exists()
    assert call("results", "--results=~/none")[1].strip().endswith(str(tmp_path / "none"))


def test_commands_to_paste_are_quoted(tmp_path: Path) -> None:
    """A folder with a blank is one word to a shell."""
    words = shlex.split(results_option(Store(tmp_path / "my results")))

    assert words == ["--results", str(tmp_path / "my results")]


def test_a_script_without_a_guard_is_told_what_to_write(tmp_path: Path) -> None:
    """Its workers run it from the top, and would start workers, which would start workers."""
    script = tmp_path / "script.py"
    script.write_text(
        "from reports import run_study\n"
        f"run_study('relu_vs_tanh', smoke=True, workers=2, results={str(tmp_path / 'r')!r})\n"
    )
    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, check=False, timeout=120
    )

    assert done.returncode == 1
    assert 'below the line  if __name__ == "__main__":  or be given workers=0' in done.stderr
    assert "bootstrapping" not in done.stderr

    script.write_text(
        "from reports import run_study\nif __name__ == '__main__':\n    "
        f"run_study('relu_vs_tanh', smoke=True, workers=2, results={str(tmp_path / 'r')!r})\n"
    )
    subprocess.run([sys.executable, str(script)], check=True, capture_output=True, timeout=300)
