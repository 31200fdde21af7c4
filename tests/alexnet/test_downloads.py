"""Fetching datasets: from a server that speaks as Hugging Face's does, and from an archive."""

import hashlib
import io
import json
import os
import pickle
import re
import subprocess
import sys
import tarfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from torchvision.datasets import CIFAR10

from alexnet.data.catalogue import CATALOGUE
from alexnet.data.manifest import DatasetError, Manifest
from alexnet.data.prepare.downloads import fetch
from alexnet.data.prepare.preparation import prepare
from alexnet.data.prepare.request import Fetching, PrepareRequest
from alexnet.data.stored import read_manifest

CLASSES = ["airplane", "automobile"]
COMMIT = "c" * 40


def pixels(count: int, seed: int) -> np.ndarray:
    """Return so many noisy pictures of 32 pixels."""
    return np.random.default_rng(seed).integers(0, 256, (count, 32, 32, 3), dtype=np.uint8)


def parquet(images: np.ndarray) -> bytes:
    """Return them as a file of Hugging Face's, classes taking turns."""
    rows = []
    for number, image in enumerate(images):
        content = io.BytesIO()
        Image.fromarray(image).save(content, "PNG")
        rows.append({"bytes": content.getvalue(), "path": f"{number}.png"})
    labels = [number % 2 for number in range(len(images))]
    features = {"label": {"names": CLASSES, "_type": "ClassLabel"}}
    table = pa.table({"img": rows, "label": labels}).replace_schema_metadata(
        {"huggingface": json.dumps({"info": {"features": features}})}
    )
    content = io.BytesIO()
    pq.write_table(table, content)
    return content.getvalue()


class Hub(BaseHTTPRequestHandler):
    """What of the hub's interface a download needs; states digests that may be wrong."""

    files: dict[str, bytes]
    stated: dict[str, str]
    archive: Path  # the authors' own

    def do_GET(self) -> None:
        """Answer what there is, and the files."""
        if self.path.startswith("/api/datasets/uoft-cs/cifar10/revision"):
            siblings = [{"rfilename": name} for name in self.files]
            self._json({"id": "uoft-cs/cifar10", "sha": COMMIT, "siblings": siblings})
        elif self.path == "/cifar-10-python.tar.gz":
            self._content(self.archive.read_bytes())
        elif "/tree/" in self.path:
            self._json([self._entry(name) for name in self.files])
        else:
            self._file(with_content=True)

    def do_HEAD(self) -> None:
        """Answer what a file is."""
        self._file(with_content=False)

    def do_POST(self) -> None:
        """Answer what some files are."""
        self.rfile.read(int(self.headers["Content-Length"]))
        self._json([self._entry(name) for name in self.files])

    def _entry(self, name: str) -> dict[str, object]:
        size, digest = len(self.files[name]), self.stated[name]
        lfs = {"oid": digest, "size": size, "pointerSize": 100}
        return {"type": "file", "path": name, "size": size, "oid": "0" * 40, "lfs": lfs}

    def _file(self, with_content: bool) -> None:
        name = self.path.split(f"/resolve/{COMMIT}/")[-1]
        if name not in self.files:
            self.send_error(404)
            return
        content = self.files[name]
        self.send_response(200)
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if with_content:
            self.wfile.write(content)

    def _json(self, answer: object) -> None:
        self._content(json.dumps(answer).encode())

    def _content(self, content: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def hub() -> Iterator[ThreadingHTTPServer]:
    """Serve a small CIFAR-10 beside a file that nobody needs."""
    Hub.files = {
        "plain_text/train-00000-of-00001.parquet": parquet(pixels(60, 1)),
        "plain_text/test-00000-of-00001.parquet": parquet(pixels(20, 2)),
        "README.md": b"read me",
    }
    Hub.stated = {name: hashlib.sha256(c).hexdigest() for name, c in Hub.files.items()}
    with ThreadingHTTPServer(("127.0.0.1", 0), Hub) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


SCRIPT = """
import sys
from alexnet.data.catalogue import CATALOGUE
from reports.cli import main

about = CATALOGUE["cifar10"]
CATALOGUE["cifar10"] = about.model_copy(update={"published": {}, "classes": 2})
if __name__ == "__main__":
    main(["prepare", "--dataset", "cifar10", "--data-dir", sys.argv[1]])
"""


def from_hub(server: ThreadingHTTPServer, tmp_path: Path) -> subprocess.CompletedProcess[str]:
    """Prepare CIFAR-10 as a person does, from a hub on this machine."""
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    place = f"http://127.0.0.1:{server.server_port}"
    variables = {"HF_ENDPOINT": place, "HF_HOME": str(tmp_path / "hf"), "NO_PROXY": "127.0.0.1"}
    return subprocess.run(
        [sys.executable, script, tmp_path / "data"],
        env=os.environ | variables | {"PYTHONPATH": str(Path.cwd()), "HF_HUB_DISABLE_XET": "1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_cifar10_comes_from_the_hub(hub: ThreadingHTTPServer, tmp_path: Path) -> None:
    """Only the files that are needed; nothing is left behind but the prepared form."""
    done = from_hub(hub, tmp_path)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "Hugging Face's Parquet, uoft-cs/cifar10" in done.stdout
    assert "54 train, 6 valid, 20 test; 2 classes" in done.stdout
    folder = tmp_path / "data" / "cifar10"
    assert {path.suffix for path in folder.iterdir()} == {".json", ".npy", ".npz"}
    assert [path.name for path in (tmp_path / "data").iterdir() if path.is_dir()] == ["cifar10"]


def test_a_damaged_download_is_refused(hub: ThreadingHTTPServer, tmp_path: Path) -> None:
    """With the file and both digests; it is fetched again next time."""
    name = "plain_text/test-00000-of-00001.parquet"
    Hub.stated[name] = "0" * 64
    found = hashlib.sha256(Hub.files[name]).hexdigest()

    refused = from_hub(hub, tmp_path)
    Hub.stated[name] = found
    again = from_hub(hub, tmp_path)

    assert refused.returncode == 2
    for part in (name, found, "0" * 64):
        assert part in re.sub(r"\s+", " ", refused.stderr)
    assert again.returncode == 0, again.stdout + again.stderr


def test_without_the_hub_the_other_ways_are_named(tmp_path: Path) -> None:
    """One sentence, no traceback."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Hub) as server:
        pass  # nobody listens there any more

    refused = from_hub(server, tmp_path)

    assert refused.returncode == 2
    assert "--source official" in refused.stderr
    assert "Traceback" not in refused.stderr


@pytest.fixture
def archive(hub: ThreadingHTTPServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let torchvision find the same small CIFAR-10 where its authors' archive would be."""
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    train, digests = pixels(60, 1), {}
    parts = {"data_batch_1": train[:30], "data_batch_2": train[30:], "test_batch": pixels(20, 2)}
    for name, images in parts.items():
        batch = {
            "data": images.transpose(0, 3, 1, 2).reshape(len(images), -1),
            "labels": [number % 2 for number in range(len(images))],
            "filenames": [f"{number}.png" for number in range(len(images))],
        }
        (folder / name).write_bytes(pickle.dumps(batch))
    (folder / "batches.meta").write_bytes(pickle.dumps({"label_names": CLASSES}))
    for path in folder.iterdir():
        digests[path.name] = hashlib.md5(path.read_bytes()).hexdigest()
    target = tmp_path / "cifar-10-python.tar.gz"
    with tarfile.open(target, "w:gz") as tar:
        tar.add(folder, folder.name)
    Hub.archive = target
    place = f"http://127.0.0.1:{hub.server_port}/{target.name}"
    monkeypatch.setattr(CIFAR10, "url", place)
    monkeypatch.setattr(CIFAR10, "tgz_md5", hashlib.md5(target.read_bytes()).hexdigest())
    monkeypatch.setattr(CIFAR10, "train_list", [[n, digests[n]] for n in list(parts)[:2]])
    monkeypatch.setattr(CIFAR10, "test_list", [["test_batch", digests["test_batch"]]])
    meta = {"filename": "batches.meta", "key": "label_names", "md5": digests["batches.meta"]}
    monkeypatch.setattr(CIFAR10, "meta", meta)
    about = CATALOGUE["cifar10"]
    small = about.model_copy(update={"published": {}, "classes": 2})
    monkeypatch.setitem(CATALOGUE, "cifar10", small)
    return target


def test_every_lossless_source_of_cifar10_is_the_same_dataset(
    archive: Path, hub: ThreadingHTTPServer, tmp_path: Path
) -> None:
    """The authors' archive, by download and by hand, and the hub's Parquet: one digest."""
    *before, download = prepare(PrepareRequest("cifar10", "official", tmp_path / "download"))
    *_, by_hand = prepare(PrepareRequest("cifar10", archive, tmp_path / "by_hand"))
    assert from_hub(hub, tmp_path).returncode == 0
    parquet = read_manifest("cifar10", tmp_path / "data")

    assert isinstance(download, Manifest)
    assert isinstance(by_hand, Manifest)
    fetching = next(event for event in before if isinstance(event, Fetching))
    assert "50 minutes; its server has been slow" in fetching.warning
    assert download.files == by_hand.files == parquet.files
    assert download.digest == by_hand.digest == parquet.digest
    assert download.split == by_hand.split == parquet.split


def test_an_archive_that_is_not_the_authors_is_refused(archive: Path, tmp_path: Path) -> None:
    """By torchvision, by its digest."""
    archive.write_bytes(archive.read_bytes() + b"\0")
    about = CATALOGUE["cifar10"]

    with pytest.raises(DatasetError, match="CIFAR10 cannot be had from its server"):
        fetch(about, about.downloads[1], tmp_path / "download")
