"""Prepared datasets on this machine: their manifests, and whether their files are as written."""

import contextlib
import json
import random
from collections.abc import Iterator, Sequence
from pathlib import Path

from alexnet.data import synthetic
from alexnet.data.catalogue import CATALOGUE
from alexnet.data.digests import file_digest
from alexnet.data.manifest import (
    IN_PACKAGE,
    OWN_NAME,
    PARTS,
    SCHEMA,
    DatasetError,
    Manifest,
    folder_of,
    refuse_homeless,
)
from alexnet.names import suggestion
from alexnet.sealed import SealError, parsed, read_bytes, unsealed


class MisplacedError(DatasetError):
    """A prepared dataset under another name than its own."""


def read_manifest(name: str, data_dir: Path) -> Manifest:
    """Return the manifest of a dataset on this machine.

    Raises:
        DatasetError: If there is none of that name, or it is not prepared here, with the command
            that prepares it.
    """
    if not OWN_NAME.fullmatch(name):
        raise DatasetError(f"{name!r} is no name of a dataset; prepared ones lie in {data_dir}")
    if name == synthetic.GENERATED:
        return synthetic.manifest()
    if manifest := stored(name, data_dir):
        return manifest
    refuse_homeless(data_dir)
    if name not in CATALOGUE:
        names = list(dict.fromkeys([*CATALOGUE, *(own.name for own in all_stored(data_dir))]))
        raise DatasetError(
            f"there is no dataset {name!r} in the catalogue or in {data_dir}; "
            f"{suggestion(name, names)}"
        )
    description = CATALOGUE[name]
    cost = f", {description.cost}" if description.cost else ""
    raise DatasetError(
        f"{name} is not prepared in {data_dir}{cost}; prepare it with:  {description.how}"
    )


def stored(name: str, data_dir: Path) -> Manifest | None:
    """Return the manifest of a dataset on this machine, or None where there is none.

    Raises:
        MisplacedError: If a dataset of the catalogue lies under another name, or another under its.
        DatasetError: If there is one that cannot be read.
    """
    folder = folder_of(name, data_dir)
    path = folder / "manifest.json"
    try:
        content = parsed(read_bytes(path))
        version = content.get("schema_version")
        if isinstance(version, int) and version < SCHEMA:
            raise DatasetError(
                f"{name} in {data_dir} was prepared by an older version; prepare it again"
            )
        manifest = Manifest.model_validate_json(json.dumps(unsealed(content)))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except SealError as error:
        raise DatasetError(f"{path} {error}; prepare {name} again") from error
    except DatasetError:
        raise
    except OSError as error:
        raise DatasetError(f"{path} cannot be read ({error.strerror})") from error
    except ValueError as error:
        raise DatasetError(f"{path} is of another version; prepare {name} again") from error
    if manifest.name == name:
        return manifest
    if {manifest.name, name} & CATALOGUE.keys():
        raise MisplacedError(
            f"{folder} holds the dataset {manifest.name}, not {name}: a dataset is known by the "
            f"name that it was prepared under; call the folder {manifest.name} again, or prepare "
            "the images under the other name"
        )
    return manifest.model_copy(update={"name": name})  # a person's own, by its new name


def all_stored(data_dir: Path) -> Iterator[Manifest]:
    """Yield the manifest of every dataset on this machine that can be read."""
    for name in (*IN_PACKAGE, *_folders(data_dir)):
        with contextlib.suppress(DatasetError):
            manifest = stored(name, data_dir)
            if manifest is not None:
                yield manifest


def misplaced(data_dir: Path) -> Iterator[str]:
    """Yield what is wrong with each folder that holds a dataset under a wrong name."""
    for name in _folders(data_dir):
        try:
            stored(name, data_dir)
        except MisplacedError as error:
            yield str(error)
        except DatasetError:
            continue


def _folders(data_dir: Path) -> list[str]:
    folders = data_dir.iterdir() if data_dir.is_dir() else ()
    return sorted(folder.name for folder in folders)


CHECKED = 2**32
"""Bytes of a dataset up to which every start digests all of it, in two to ten seconds."""
SAMPLED = 2**28
"""Bytes that are digested of a larger one."""


def at_start(manifest: Manifest) -> list[str]:
    """Return the files of a dataset that are digested before it is trained on.

    All of them; of a large one all that is not images, and shards drawn anew each time: of a set
    of 8 GB one in thirty, of ImageNet at 256 pixels one in a thousand. All are digested by
    `prepare`, asked for the set again.
    """
    shards = [name for part in PARTS for name in manifest.shards(part)]
    if manifest.total_bytes <= CHECKED:
        return list(manifest.files)
    several = max(1, len(shards) * SAMPLED // manifest.total_bytes)
    others = [name for name in manifest.files if name not in shards]
    return others + random.SystemRandom().sample(shards, several)


def damaged(
    manifest: Manifest, folder: Path, names: Sequence[str] | None = None
) -> Iterator[tuple[str, bool]]:
    """Check files of a dataset, or all; yield each name and whether it is missing or changed."""
    for name in manifest.files if names is None else names:
        path = folder / name
        yield name, not path.is_file() or file_digest(path) != manifest.files[name]


def bytes_on_disk(manifest: Manifest, data_dir: Path) -> int:
    """Return how much a prepared dataset takes."""
    folder = folder_of(manifest.name, data_dir)
    return sum(path.stat().st_size for path in folder.iterdir() if path.is_file())
