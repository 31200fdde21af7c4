"""What is asked of preparation, and what it says while it works."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

from alexnet.data.catalogue import CATALOGUE, Description, Download
from alexnet.data.manifest import OWN_NAME, DatasetError, Fit, Manifest
from alexnet.data.prepare.folders import ClassFolder
from alexnet.data.prepare.work import PrepareFolder
from alexnet.data.synthetic import GENERATED


@dataclass(frozen=True)
class PrepareRequest:
    """What is asked for."""

    name: str
    source: Path | Literal["hub", "official"] | None
    data_dir: Path
    resize: Literal["centre", "stretch"] | None = None
    size: int | None = None  # pixels
    mirror: bool = True  # of a person's own images: whether mirrored ones are natural
    class_folder: ClassFolder | None = None  # of several folders around an image
    allow_missing: bool = False
    workers: int | None = None
    plan_only: bool = False

    def __post_init__(self) -> None:
        """Refuse a name that makes no folder.

        Raises:
            DatasetError: With what a name may be.
        """
        if not OWN_NAME.fullmatch(self.name) or self.name.endswith(".partial"):
            raise DatasetError(
                f"{self.name!r} cannot name a dataset; use letters, digits, '-', '_' and '.'"
            )
        if self.name == GENERATED:
            raise DatasetError(
                f"{self.name} images are computed wherever they are asked for; name yours otherwise"
            )

    @property
    def place(self) -> PrepareFolder:
        """Where it is made and kept."""
        return PrepareFolder(self.data_dir, self.name)

    @property
    def description(self) -> Description | None:
        """What the catalogue says, if it is in it."""
        return CATALOGUE.get(self.name)

    @property
    def form(self) -> str:
        """What of the request decides the bytes that are written, beside the source."""
        classes = f" {self.class_folder}" if self.class_folder else ""
        return f"{self.resize} {self.size} {self.mirror}{classes}"

    @property
    def fit(self) -> Fit | None:
        """How images come to one size, or None if that depends on them."""
        usual = self.description.fit if self.description else None
        if self.resize is None and self.size is None:
            return usual
        size = self.size or (usual.size if usual else 256)
        return Fit(kind=self.resize or "centre", size=size)


class Fetching(NamedTuple):
    """A download is about to start."""

    download: Download
    warning: str  # what a person should know before, or nothing


class Found(NamedTuple):
    """What a source holds and what will be done with it, said before it is done."""

    layout: str
    images: int
    classes: tuple[str, ...]  # by name
    set_aside: dict[str, int]
    fit: Fit | None  # None: as the images turn out to be
    needed: int  # bytes, at most
    free: int  # bytes
    workers: int


class Note(NamedTuple):
    """Something that a person should know."""

    label: str
    text: str


class Progress(NamedTuple):
    """How far a stage has come."""

    stage: Literal["digests", "images", "check"]
    done: int
    total: int


Event = Fetching | Found | Note | Progress | Manifest
