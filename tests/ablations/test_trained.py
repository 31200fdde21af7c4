"""A run's network, loaded from its folder, scores as evaluation did, however it gets its images."""

import io
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps
from safetensors.torch import load_file
from scipy.special import softmax

from ablations.kept import DATASET, WEIGHTS
from ablations.record import Record
from ablations.run import DatasetRef, Run
from ablations.store import Store
from ablations.trained import TrainedError, load_run
from ablations.workers.protocol import WorkerSettings
from ablations.workers.trainer import Workbench
from alexnet.config import ChannelMeans, Config, Precision
from alexnet.config.source import SourceError
from alexnet.data.images import Dataset, load
from alexnet.data.manifest import EMBEDDED, DatasetError, default_data_dir
from alexnet.data.prepare.preparation import prepare
from alexnet.data.prepare.request import PrepareRequest
from alexnet.data.stored import read_manifest
from alexnet.data.summary import Summary
from alexnet.presets import tiny
from tests.builders.own_parts import PARTS, looked_for_in, part, with_part
from tests.builders.runs import run_of

SIDE = 40
TURNED = 0x0112
"""The tag of EXIF that says how the camera was held."""


def trained(run: Run, results: Path, data_dir: Path | None = None) -> Record:
    """Return the record of a run that is trained in this process."""
    place = WorkerSettings(results, data_dir or default_data_dir(), "cpu", 1, "a test")
    return Workbench(place).execute(run, lambda epoch: None)


def short(config: Config) -> Config:
    """Return a config of one short epoch on colour images."""
    return config.but(training={"epochs": 1})


@pytest.fixture(scope="module")
def fashion(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Record]:
    """Return a results folder with one run on the embedded images, and its record."""
    results = tmp_path_factory.mktemp("fashion") / "results"
    return results, trained(run_of(tiny()), results)


@pytest.mark.parametrize("precision", ["float32", "bfloat16", "float64"])
@pytest.mark.parametrize(
    "change",
    [
        {},
        {"inputs": {"resize": 24}, "network": {"view": 20}},
        {"inputs": {"normalise": ChannelMeans()}},
    ],
    ids=["mean image", "resized", "by channel"],
)
def test_test_images_get_the_recorded_scores(
    change: dict[str, object], precision: Precision, tmp_path: Path
) -> None:
    """To the bit, on the same machine: by one view and by ten, from arrays of stored pixels."""
    run = run_of(tiny().but(**change)).but(precision=precision)
    record = trained(run, tmp_path)
    recorded = load_file(Store(tmp_path).folder(run) / "scores.safetensors")
    pixels = load("fashion_mini", default_data_dir()).test.first(320).pixels
    assert isinstance(pixels, torch.Tensor)

    network = load_run(tmp_path, record.run.id[:7])

    assert torch.equal(network.scores(pixels.numpy()), recorded["one"])
    assert torch.equal(network.scores(pixels, ten_views=True), recorded["ten"])
    assert network.config == run.config
    assert not network.network.training
    assert {one.device.type for one in network.network.parameters()} == {"cpu"}


def test_a_batch_is_what_the_network_takes(fashion: tuple[Path, Record]) -> None:
    """Its scores in float32 are those of the run, to the bit."""
    network = load_run(fashion[0], fashion[1].run.short)
    pixels = load("fashion_mini", default_data_dir()).test.first(3).pixels
    assert isinstance(pixels, torch.Tensor)
    batch = network.batch(pixels)

    assert batch.shape == (3, 3, 12, 12)
    assert batch.dtype == torch.float32
    with torch.no_grad():
        assert torch.equal(network.network(batch), network.scores(pixels))


def test_a_picture_of_clothing_is_framed_as_the_set_is(fashion: tuple[Path, Record]) -> None:
    """Grey, 28 pixels, read from the arrays that ship; a colour one is seen in grey."""
    network = load_run(fashion[0], fashion[1].run.short)
    with np.load(EMBEDDED / "fashion_mini" / "images.npz") as arrays:
        grey = arrays["test_images"][0]
    stored = load("fashion_mini", default_data_dir()).test.first(1).pixels
    assert isinstance(stored, torch.Tensor)

    assert torch.equal(network.scores(grey), network.scores(stored))
    red = Image.new("RGB", (28, 28), (255, 0, 0))
    seen = network.batch(red)
    assert torch.equal(seen, network.batch(red.convert("L")))
    large = network.batch(Image.fromarray(grey).resize((280, 280)))
    assert large.shape == seen.shape


def photographs(folder: Path, suffix: str) -> list[Path]:
    """Write 60 photographs of cats and dogs, some wide and some tall, some with a turned camera."""
    chance = np.random.default_rng(0)
    paths = []
    for number in range(60):
        part = "train" if number < 40 else "test"
        path = folder / part / ("cat", "dog")[number % 2] / f"{number}.{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        rough = chance.integers(0, 256, (6, 8, 3), dtype=np.uint8)
        size = (90, 60) if number % 3 else (50, 100)
        exif = Image.Exif()
        exif[TURNED] = 6 if number % 5 == 0 else 1  # to be turned by a quarter
        Image.fromarray(rough).resize(size).save(path, exif=exif)
        paths.append(path)
    return paths


@pytest.mark.parametrize("resize", ["centre", "stretch"])
@pytest.mark.parametrize("suffix", ["jpg", "png"])
def test_photographs_come_to_the_pixels_that_preparing_makes(
    suffix: str, resize: Literal["centre", "stretch"], tmp_path: Path
) -> None:
    """By path and as Pillow images: each gets the recorded scores of the image it became."""
    paths = photographs(tmp_path / "pets", suffix)
    data_dir = tmp_path / "data"
    request = PrepareRequest(
        "pets", tmp_path / "pets", data_dir, workers=1, resize=resize, size=SIDE
    )
    list(prepare(request))
    ref = DatasetRef.of(read_manifest("pets", data_dir))
    config = short(tiny().but(network={"view": 32, "classes": 2}))
    run = Run(config=config, seed=0, dataset=ref, precision="float32")
    trained(run, tmp_path / "results", data_dir)
    recorded = load_file(Store(tmp_path / "results").folder(run) / "scores.safetensors")["one"]
    data = load("pets", data_dir)
    assert isinstance(data.test.pixels, torch.Tensor)
    # The results alone are copied to another machine, without images.
    shutil.move(tmp_path / "results", tmp_path / "copied")
    shutil.rmtree(data_dir)

    network = load_run(tmp_path / "copied", run.short, data_dir=data_dir)
    by_path = network.scores(paths[40:])
    opened = [Image.open(io.BytesIO(path.read_bytes())) for path in paths[40:]]
    by_image = network.scores(opened)

    assert network.classes == ("cat", "dog")
    assert torch.equal(by_path, by_image)
    rows = {tuple(row) for row in recorded.tolist()}
    assert {tuple(row) for row in by_path.tolist()} == rows
    assert len(rows) == 20
    assert opened[0].getexif()[TURNED] == 6  # a person's image is left as it was
    upright = ImageOps.exif_transpose(opened[0])
    assert torch.equal(network.batch(upright), network.batch(paths[40]))


def test_a_run_of_before_needs_its_dataset(fashion: tuple[Path, Record], tmp_path: Path) -> None:
    """Recorded without mean image and classes: the same scores where the images are prepared."""
    shutil.copytree(fashion[0], tmp_path / "results")
    store = Store(tmp_path / "results")
    files = {name: digest for name, digest in fashion[1].files.items() if name != DATASET}
    store.add(fashion[1].model_copy(update={"files": files}))
    pixels = np.random.default_rng(0).integers(0, 256, (2, 32, 32), dtype=np.uint8)

    before = load_run(tmp_path / "results", fashion[1].run.short)
    now = load_run(fashion[0], fashion[1].run.short)

    assert torch.equal(before.scores(pixels[0]), now.scores(pixels[0]))
    assert before.classes == now.classes
    elsewhere = fashion[1].run.but(dataset={"name": "pets", "digest": "f" * 64})
    store.folder(elsewhere).mkdir(parents=True)
    shutil.copy(store.folder(fashion[1].run) / WEIGHTS, store.folder(elsewhere))
    store.add(fashion[1].model_copy(update={"files": files, "run": elsewhere}))
    with pytest.raises(TrainedError, match=r"left no dataset\.safetensors.*no dataset 'pets'"):
        load_run(tmp_path / "results", elsewhere.short, data_dir=tmp_path)


def test_what_cannot_be_loaded_is_refused_in_a_sentence(
    fashion: tuple[Path, Record], tmp_path: Path
) -> None:
    """No such run, too few digits, weights that are gone or damaged, a run that diverged."""
    shutil.copytree(fashion[0], tmp_path / "results")
    store, record = Store(tmp_path / "results"), fashion[1]
    weights = store.folder(record.run) / WEIGHTS

    def refusal(run: str = record.run.short) -> str:
        with pytest.raises(TrainedError) as raised:
            load_run(tmp_path / "results", run)
        assert "\n" not in str(raised.value)
        return str(raised.value)

    assert refusal("zzzz") == f"no run in {store.path} has an id that begins with 'zzzz'"
    assert "give more digits" in refusal(record.run.short[:3])
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    assert "weights.safetensors is not as its run left it" in refusal()
    weights.unlink()
    assert "they were not kept" in refusal()
    assert "--keep-weights comparison" in refusal()
    store.add(record.model_copy(update={"status": "diverged", "measures": None}))
    assert "diverged" in refusal()


@pytest.mark.parametrize(
    ("picture", "reason"),
    [
        (np.zeros((28, 28, 3)), "pixels of type float64 have no agreed grey levels; give uint8"),
        (np.zeros((3, 28, 28), np.uint8), r"an array of shape \(3, 28, 28\) is no picture"),
        (torch.zeros(1, 3, 28, 28, dtype=torch.uint8), "is no picture; give uint8 of shape"),
        (np.zeros((0, 28, 28, 3), np.uint8), "is no picture"),
        ([], "there is no picture; give one or several"),
        ("nowhere.jpg", "nowhere.jpg cannot be read: No such file"),
        (EMBEDDED / "fashion_mini" / "manifest.json", "cannot be shown: not an image"),
        (EMBEDDED, "is a folder, not a file"),
        (Image.new("F", (28, 28)), "pixels in floating point"),
    ],
)
def test_what_is_no_picture_is_refused(
    picture: object, reason: str, fashion: tuple[Path, Record]
) -> None:
    """With what it is and what to give."""
    network = load_run(fashion[0], fashion[1].run.short)

    with pytest.raises(ValueError, match=reason):
        network.scores(picture)  # type: ignore[arg-type]


def test_the_likeliest_classes_are_named(fashion: tuple[Path, Record]) -> None:
    """As SciPy's softmax of the scores orders them; no more than there are."""
    network = load_run(fashion[0], fashion[1].run.short)
    picture = np.random.default_rng(1).integers(0, 256, (28, 28), dtype=np.uint8)
    expected = softmax(network.scores(picture)[0].double().numpy())

    found = network.predict(picture, top=3)

    manifest = read_manifest("fashion_mini", default_data_dir())
    order = np.argsort(-expected)[:3]
    assert [one.name for one in found] == [manifest.classes[number] for number in order]
    assert [one.probability for one in found] == pytest.approx(expected[order], rel=1e-5)
    assert len(network.predict(picture, top=50)) == 10


def test_a_transparent_picture_is_seen_on_white(fashion: tuple[Path, Record]) -> None:
    """As a viewer shows it, and as `prepare` reads it; from a file of any format."""
    network = load_run(fashion[0], fashion[1].run.short)
    clear, out = Image.new("RGBA", (28, 28), (9, 9, 9, 0)), io.BytesIO()
    clear.save(out, "PNG")

    white = network.batch(Image.new("RGB", (28, 28), "white"))

    assert torch.equal(network.batch(clear), white)
    assert torch.equal(network.batch(Image.open(out)), white)


def test_classes_are_called_by_their_titles(images: Dataset, tmp_path: Path) -> None:
    """Of those named by a code; what was measured is kept to the bit, and damage is said."""
    manifest = images.manifest.but(classes=("n01440764", "dog"), titles={"n01440764": "tench"})
    path = tmp_path / DATASET
    path.write_bytes(Summary.of(replace(images, manifest=manifest)).to_bytes())

    found = Summary.read(path)

    assert found.description.classes == ("tench", "dog")
    assert torch.equal(found.measured.mean, images.mean)
    assert torch.equal(found.measured.channel_deviations, images.channel_deviations)
    path.write_bytes(path.read_bytes()[:-8])
    with pytest.raises(DatasetError, match="is damaged, or of another version"):
        Summary.read(path)


def test_a_network_with_code_of_others_is_loaded_for_who_trusts_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the record names would run; nobody but its reader can know who wrote it."""
    (tmp_path / "parts_of_mine.py").write_text(PARTS)
    with looked_for_in(tmp_path):
        run = run_of(with_part("act", part("PRelu", parameters_per_map=1)))
        record = trained(run, tmp_path / "results")
        pixels = np.zeros((28, 28, 3), dtype=np.uint8)
        mine = load_run(tmp_path / "results", record.run.short).scores(pixels)

        monkeypatch.setattr("alexnet.config.source._FOUND_HERE", set())
        with pytest.raises(SourceError, match="--trust"):
            load_run(tmp_path / "results", record.run.short)
        theirs = load_run(tmp_path / "results", record.run.short, trust=True)
        assert torch.equal(theirs.scores(pixels), mine)
