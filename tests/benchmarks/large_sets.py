"""How time and memory grow with the number of images: ``python large_sets.py 1000 2000 4000``.

For each number, makes a tar of made-up photographs, prepares it at 256 pixels and shows one epoch
of crops at 224 from disk, as a network would see them. Prints seconds, images a second, and the
peak of memory that belongs to a process alone (RssAnon; mapped files are the system's to drop).
Needs 0.2 MB of disk an image, and Linux.
"""

import io
import re
import sys
import tarfile
import tempfile
import threading
import time
from pathlib import Path
from typing import Self

from photographs import made_up

from alexnet.data.prepare.preparation import prepare
from alexnet.data.prepare.request import PrepareRequest

DIFFERENT = 500  # pictures; the others are these with other bytes behind the image


def anonymous(pid: str) -> float:
    """Return the memory of a process alone, MiB; 0 if it is gone."""
    try:
        text = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0.0
    found = re.search(r"RssAnon:\s+(\d+)", text)
    return int(found[1]) / 1024 if found else 0.0


def children() -> list[str]:
    """Return the processes that this one has started."""
    own = Path("/proc/self/task")
    return [pid for task in own.iterdir() for pid in (task / "children").read_text().split()]


class Watch:
    """Notes the peaks of this process and of the largest of its children while it is open."""

    def __enter__(self) -> Self:
        """Begin."""
        self.own = self.child = 0.0
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()
        self.start = time.perf_counter()
        return self

    def __exit__(self, *_: object) -> None:
        """End."""
        self.seconds = time.perf_counter() - self.start
        self._end.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._end.wait(0.05):
            self.own = max(self.own, anonymous("self"))
            self.child = max([self.child, *map(anonymous, children())])


def pack(count: int, target: Path) -> None:
    """Write a tar of so many images of ten classes."""
    pictures = [made_up(number, 224) for number in range(min(count, DIFFERENT))]
    with tarfile.open(target, "w") as tar:
        for number, path in enumerate(paths(count)):
            content = pictures[number % len(pictures)] + number.to_bytes(4, "big")
            entry = tarfile.TarInfo(path)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))


def paths(count: int) -> list[str]:
    """Return where images lie: a fifth of each class under test."""
    return [
        f"{'test' if n // 10 % 5 == 0 else 'train'}/class{n % 10}/{n}.jpg" for n in range(count)
    ]


def measure(count: int, folder: Path) -> None:
    """Prepare so many images, show them once, and print what that took."""
    pack(count, folder / "all.tar")
    with Watch() as prepared:
        list(prepare(PrepareRequest("made_up", folder / "all.tar", folder, size=256)))
    # Imported here, since every worker that prepares imports this file.
    import torch

    from alexnet.data import images
    from alexnet.data.batches import training_batches
    from alexnet.presets import preset

    images.RESIDENT = 0  # from disk, however few
    config, data = preset("paper"), images.load("made_up", folder)
    with Watch() as shown:
        for batch, _ in training_batches(data, config, 0, 1, torch.bfloat16):
            batch[0, 0, 0, 0].item()
    seen = len(data.train)
    print(
        f"{count:>9,} images  prepared in {prepared.seconds:7.1f} s, "
        f"{count / prepared.seconds:6.0f}/s, {prepared.own:5.0f} MiB, a worker "
        f"{prepared.child:4.0f} MiB   shown {seen / shown.seconds:6.0f}/s, {shown.own:5.0f} MiB",
        flush=True,
    )


if __name__ == "__main__":
    for argument in sys.argv[1:]:
        with tempfile.TemporaryDirectory() as place:
            measure(int(argument), Path(place))
