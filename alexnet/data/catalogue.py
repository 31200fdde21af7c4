"""The datasets by name: what they are, and how each gets here, the fastest checked way first."""

from typing import Literal

from pydantic import Field, PositiveFloat, PositiveInt

from alexnet.config.base import Frozen
from alexnet.data.manifest import (
    IN_PACKAGE,
    DatasetError,
    Fit,
    Quality,
    qualities,
)
from alexnet.names import suggestion

LINE = 12.5  # megabytes a second: the 100 megabits that a download is estimated at
SLOW = 5  # minutes, from which on a download says so before it starts


class Download(Frozen):
    """A place that a dataset can be fetched from.

    ``hub`` is Hugging Face's Parquet, checked against the digest that the hub keeps of each file;
    ``official`` are the authors' archives through torchvision, checked against theirs.
    """

    kind: Literal["hub", "official"]
    where: str  # the hub's repository, or torchvision's class
    megabytes: PositiveFloat
    minutes: PositiveFloat | None = None  # where the server, not the line, decides
    why_slow: str = ""
    patterns: tuple[str, ...] = ()  # of the hub's files that are needed
    token: bool = False  # whether the hub wants a person's own

    @property
    def time(self) -> float:
        """Minutes that it takes, on a line of 100 megabits a second."""
        return self.minutes or self.megabytes / LINE / 60

    @property
    def is_slow(self) -> bool:
        """Whether a person should know before it starts."""
        return self.time > SLOW


class Description(Frozen):
    """What is known of a dataset before it is on this machine."""

    name: str  # to type
    called: str  # in a sentence or a cell
    title: str
    fit: Fit
    images: PositiveInt  # to train on, after a tenth is held out
    classes: PositiveInt
    # images, where all copies have as many:
    published: dict[Literal["train", "test"], PositiveInt] = Field(default_factory=dict)
    at_least: PositiveInt = 1  # images to train on, where copies differ in how many they have
    colour: bool
    mirror: bool  # whether a mirrored image is a natural one
    licence: str
    downloads: tuple[Download, ...] = ()  # fastest first
    layout: str = ""  # what --source may be
    copy_of: str = ""  # the dataset of which it has the same images, stored otherwise
    # of classes that are named by a code:
    titles: dict[str, str] = Field(default_factory=dict)

    @property
    def size(self) -> int:
        """Side of a stored image, pixels."""
        return self.fit.size

    @property
    def has(self) -> frozenset[Quality]:
        """What its images have of what some studies need."""
        return qualities(self.colour, self.mirror)

    @property
    def embedded(self) -> bool:
        """Whether it ships with the package."""
        return self.name in IN_PACKAGE

    @property
    def how(self) -> str:
        """The command that prepares it."""
        default = self.downloads and not self.downloads[0].token
        source = "" if default else " --source PATH"
        return "" if self.embedded else f"invoke prepare --dataset {self.name}{source}"

    @property
    def cost(self) -> str:
        """What that downloads."""
        default = self.downloads and not self.downloads[0].token
        return f"{self.downloads[-1].megabytes:.0f} MB once" if default else ""

    @property
    def base(self) -> str:
        """The preset that suits it."""
        return suitable_base(self.size)


CATALOGUE = {
    description.name: description
    for description in (
        Description(
            name="fashion_mini",
            called="Fashion-MNIST (10,000 images)",
            title="10,000 grey pictures of clothing (Fashion-MNIST), in the package",
            fit=Fit(kind="frame", size=32),
            images=10_000,
            classes=10,
            colour=False,
            mirror=True,
            licence="MIT, Zalando SE",
        ),
        Description(
            name="fashion_mnist",
            called="Fashion-MNIST",
            title="Fashion-MNIST: 70,000 grey pictures of clothing",
            fit=Fit(kind="frame", size=32),
            images=54_000,
            classes=10,
            published={"train": 60_000, "test": 10_000},
            colour=False,
            mirror=True,
            licence="MIT, Zalando SE",
            downloads=(Download(kind="official", where="FashionMNIST", megabytes=31),),
            layout="folder of the four IDX files (also as .gz), or Parquet",
        ),
        Description(
            name="cifar10",
            called="CIFAR-10",
            title="CIFAR-10: 60,000 colour photographs of ten kinds of thing",
            fit=Fit(kind="own", size=32),
            images=45_000,
            classes=10,
            published={"train": 50_000, "test": 10_000},
            colour=True,
            mirror=True,
            licence="none stated; Krizhevsky (2009)",
            downloads=(
                Download(
                    kind="hub",
                    where="uoft-cs/cifar10",
                    megabytes=144,
                    patterns=("plain_text/*.parquet",),
                ),
                Download(
                    kind="official",
                    where="CIFAR10",
                    megabytes=170,
                    minutes=50,
                    why_slow="its server has been slow since June 2026 (pytorch/vision #9536)",
                ),
            ),
            layout="cifar-10-python.tar.gz or its folder, Parquet, or a folder per class",
        ),
        Description(
            name="cifar10_jpeg",
            copy_of="cifar10",
            called="CIFAR-10 (JPEG copy)",
            title="CIFAR-10 re-encoded as JPEG, a folder per class under train and test",
            fit=Fit(kind="own", size=32),
            images=45_000,
            classes=10,
            published={"train": 50_000, "test": 10_000},
            colour=True,
            mirror=True,
            licence="none stated; Krizhevsky (2009)",
            layout="folder per class under train and test, or a tar of it",
        ),
        Description(
            name="imagenette",
            called="Imagenette",
            title="Imagenette: ten easy classes of ImageNet",
            fit=Fit(kind="centre", size=256),
            images=8_522,
            classes=10,
            colour=True,
            mirror=True,
            licence="Apache 2.0 for the choice; the photographs as ImageNet's",
            layout="folder per class under train and val, or a tar of it",
            titles={
                "n01440764": "tench",
                "n02102040": "English springer",
                "n02979186": "cassette player",
                "n03000684": "chain saw",
                "n03028079": "church",
                "n03394916": "French horn",
                "n03417042": "garbage truck",
                "n03425413": "gas pump",
                "n03445777": "golf ball",
                "n03888257": "parachute",
            },
        ),
        Description(
            name="tiny_imagenet",
            called="Tiny ImageNet",
            title="Tiny ImageNet: 200 classes at 64 pixels",
            fit=Fit(kind="own", size=64),
            images=90_000,
            classes=200,
            published={"train": 100_000, "test": 10_000},
            colour=True,
            mirror=True,
            licence="none stated; the photographs as ImageNet's",
            layout="tiny-imagenet-200.zip or its folder",
        ),
        Description(
            name="imagenet_2009",
            called="ImageNet of 2009",
            title="ImageNet of Fall 2009: 10,184 classes, 8.9 million photographs",
            fit=Fit(kind="centre", size=256),
            images=4_400_000,
            classes=10_184,
            at_least=4_000_000,
            colour=True,
            mirror=True,
            licence="ImageNet's terms; the release itself is no longer handed out",
            layout="a folder per class; half of the images in train, half in test",
        ),
        Description(
            name="imagenet_2010",
            called="ILSVRC-2010",
            title="ILSVRC-2010: 1.2 million photographs of 1,000 classes, 150,000 to test",
            fit=Fit(kind="centre", size=256),
            images=1_211_406,
            classes=1000,
            at_least=1_200_000,
            colour=True,
            mirror=True,
            licence="ImageNet's terms, agreed to at image-net.org: research, not commercial",
            layout="a folder per class under train and test",
        ),
        Description(
            name="imagenet",
            called="ILSVRC-2012",
            title="ILSVRC-2012: 1.3 million photographs of 1,000 classes, the paper's",
            fit=Fit(kind="centre", size=256),
            images=1_231_167,
            classes=1000,
            published={"train": 1_281_167, "test": 50_000},
            colour=True,
            mirror=True,
            licence="ImageNet's terms, agreed to at image-net.org: research, not commercial",
            downloads=(
                Download(
                    kind="hub",
                    where="ILSVRC/imagenet-1k",
                    megabytes=147_000,
                    patterns=("data/train-*.parquet", "data/validation-*.parquet"),
                    token=True,
                ),
            ),
            layout="folder of the official archives, Kaggle's zip or folder, Parquet, "
            "a folder per class under train and val",
        ),
    )
}


def copies_of(name: str) -> frozenset[str]:
    """Return the other datasets that have the same images as one, stored otherwise.

    >>> sorted(copies_of("cifar10")), sorted(copies_of("imagenet"))
    (['cifar10_jpeg'], [])
    """
    original = CATALOGUE[name].copy_of or name if name in CATALOGUE else name
    return frozenset(
        other for other, known in CATALOGUE.items()
        if other != name and original in (other, known.copy_of)
    )  # fmt: skip


def suitable_base(size: int) -> str:
    """Return the preset that suits images of a size in pixels."""
    return "alexnet_cifar" if size <= 64 else "paper"


def called(name: str) -> str:
    """Return what people call a dataset; its name, if it is not in the catalogue.

    >>> called("cifar10"), called("my_photographs")
    ('CIFAR-10', 'my_photographs')
    """
    known = CATALOGUE.get(name)
    return known.called if known else name


def describe(name: str) -> Description:
    """Return the description of a dataset.

    Raises:
        DatasetError: If there is none of that name; suggests the nearest.
    """
    if name not in CATALOGUE:
        raise DatasetError(f"there is no dataset {name!r}; {suggestion(name, CATALOGUE)}")
    return CATALOGUE[name]
