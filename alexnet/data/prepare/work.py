"""Where a dataset is made: a folder beside its own, from which unfinished work is taken up."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from alexnet.data.manifest import DatasetError, Manifest, in_words
from alexnet.durable import sync_all, sync_folder
from alexnet.paths import free_bytes
from alexnet.sealed import parsed, read_bytes

MARK = "source.txt"


@dataclass(frozen=True)
class PrepareFolder:
    """Where one dataset is made and kept.

    Attributes:
        data_dir: Folder of prepared datasets.
        name: Of the dataset.
    """

    data_dir: Path
    name: str

    @property
    def target(self) -> Path:
        """Where the prepared dataset will lie."""
        return self.data_dir / self.name

    @property
    def work(self) -> Path:
        """Where unfinished work lies."""
        return self.data_dir / f"{self.name}.partial"

    @property
    def arrays(self) -> Path:
        """What will be the prepared dataset."""
        return self.work / "arrays"

    @property
    def notes(self) -> Path:
        """What is known of finished parts."""
        return self.work / "notes"

    @property
    def download(self) -> Path:
        """What was fetched."""
        return self.work / "download"

    def refuse_foreign(self) -> None:
        """Refuse to write where a person keeps something else.

        Raises:
            DatasetError: If there is anything that preparation did not make.
        """
        for folder, ours in ((self.target, _is_dataset), (self.work, _is_work)):
            odd = folder.is_symlink() or (folder.exists() and not folder.is_dir())
            if odd or (folder.is_dir() and any(folder.iterdir()) and not ours(folder)):
                raise DatasetError(
                    f"{folder} is there and is not a prepared dataset; "
                    "choose another --data-dir or name"
                )

    def refuse_source(self, source: Path) -> None:
        """Refuse a source that lies where the dataset would be written.

        Raises:
            DatasetError: If it does.
        """
        for folder in (self.target, self.work):
            if source.resolve().is_relative_to(folder.resolve()):
                raise DatasetError(
                    f"{source} lies where {self.name} would be written; move it, or "
                    "choose another --data-dir or name"
                )

    def refuse_small_disk(self, needed: int, what: str) -> None:
        """Refuse to begin what will not fit.

        Raises:
            DatasetError: If less than ``needed`` bytes are free.
        """
        if needed > (free := self.free()):
            raise DatasetError(
                f"{what} takes {in_words(needed)}, and {self.data_dir} has {in_words(free)} free; "
                "choose another --data-dir"
            )

    def free(self) -> int:
        """Return how many bytes are free where datasets are kept."""
        return free_bytes(self.data_dir)

    def begin(self, token: str) -> bool:
        """Go on with unfinished work on the source that a token stands for, or throw it away.

        What was downloaded stays. Returns whether something was thrown away.
        """
        mark, thrown = self.work / MARK, False
        if not mark.exists() or mark.read_text(encoding="utf-8") != token:
            thrown = self.notes.exists()
            for path in self.work.iterdir() if self.work.exists() else ():
                if path != self.download:
                    shutil.rmtree(path) if path.is_dir() else path.unlink()
            self.work.mkdir(parents=True, exist_ok=True)
            mark.write_text(token, encoding="utf-8")
        for folder in (self.arrays, self.notes):
            folder.mkdir(exist_ok=True)
        return thrown

    def tidy(self, all_done: bool = False) -> None:
        """Leave no folder where nothing was done, or where all is done."""
        if self.work.is_dir() and (self.work / MARK).exists():
            kept = [path for path in self.work.rglob("*") if path.is_file() and path.name != MARK]
            if all_done or not kept:
                shutil.rmtree(self.work)

    def put_in_place(self, manifest: Manifest) -> None:
        """Write the manifest beside the arrays and give them their name.

        Killed at any point, the notes are still there, and the same is done again.
        """
        (self.arrays / "manifest.json").write_text(manifest.to_json(), encoding="utf-8")
        for path in self.arrays.iterdir():
            if path.name not in manifest.files and path.name != "manifest.json":
                path.unlink()
        sync_all(self.arrays)
        replaced = self.work / "replaced"
        shutil.rmtree(replaced, ignore_errors=True)
        if self.target.exists():
            self.target.rename(replaced)
        self.arrays.rename(self.target)
        sync_folder(self.data_dir)
        shutil.rmtree(self.work)


def _is_dataset(folder: Path) -> bool:
    """Whether a folder holds a manifest of ours and nothing that it does not name."""
    try:
        content = parsed(read_bytes(folder / "manifest.json"))
        named = {*content["files"], "manifest.json"}
        return "schema_version" in content and {path.name for path in folder.iterdir()} <= named
    except (OSError, ValueError, KeyError, TypeError):  # of an older version, it is ours, too
        return False


def _is_work(folder: Path) -> bool:
    return (folder / MARK).is_file()
