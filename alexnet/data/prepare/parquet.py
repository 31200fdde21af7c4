"""Images in Parquet, as Hugging Face publishes datasets."""

import io
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import chain
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from pydantic_core import from_json

from alexnet.data.manifest import DatasetError
from alexnet.data.prepare.files import File
from alexnet.data.prepare.published import IMAGE_ENDINGS, NO_LABEL, NOT_AN_IMAGE, Inventory
from alexnet.data.prepare.spool import Found, Row, gathered
from alexnet.text import shown

PART = re.compile(r"(train|test|validation|valid|val)(?![a-z])")


class Table(NamedTuple):
    """One file, and what is known of it before it is opened."""

    file: File
    part: str
    dataset: str
    source: str  # what to call it in messages


def read(files: list[File], dataset: str, source: str, work: Path) -> Inventory:
    """Return rows of ``image`` or ``img`` with ``label``, whose classes the schema may name.

    A label of -1 in a file of test images is none: they are left aside.

    Raises:
        DatasetError: If a file cannot be read, or has other columns; if pyarrow is missing.
    """
    images, titles, aside = [], dict[str, str](), Counter[str]()
    for number, file in enumerate(files):
        if not file.path.endswith(".parquet"):
            aside[NOT_AN_IMAGE] += 1
            continue
        part = PART.match(file.parts[-1].lower()) or PART.match("".join(file.parts[-2:-1]).lower())
        if part is None:
            raise DatasetError(
                f"{file.path} in {source} does not say its part; Parquet files are named "
                "train-*.parquet, validation-*.parquet or test-*.parquet"
            )
        where = "train" if part[1] == "train" else "test"
        rows = partial(_rows, Table(file, where, dataset, source))
        found = gathered(rows, work / f"packed-{number:05}.bin")
        images += found.images
        titles |= found.titles
        aside[NO_LABEL] += found.unlabelled
    has_test = any(image.part == "test" for image in images)
    return Inventory("Parquet", images, +aside, titles, has_test)


def is_beside(files: Sequence[File]) -> bool:
    """Return whether tables only describe images that lie beside them, as ``metadata.parquet``."""
    tables = [file for file in files if file.path.endswith(".parquet")]
    return all(file.parts[-1] == "metadata.parquet" for file in tables) and any(
        PurePosixPath(file.path).suffix.lower() in IMAGE_ENDINGS for file in files
    )


def _rows(table: Table, found: Found) -> Iterator[Row]:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        raise DatasetError(
            f"{table.source} is Parquet, which needs one package more:  pip install pyarrow"
        ) from None
    file = table.file
    is_file = file.member is None and Path(file.container).stat().st_size == file.size
    try:
        content = pq.ParquetFile(file.container if is_file else io.BytesIO(file.read()))
        column, classes = _columns(content.schema_arrow, table)
        groups = (
            content.read_row_group(group, columns=[column, "label"]).to_pylist()
            for group in range(content.num_row_groups)
        )
        for number, row in enumerate(chain.from_iterable(groups), start=1):
            if table.part == "test" and row["label"] == -1:
                found.unlabelled += 1
            else:
                yield _row(row[column], row["label"], classes, number, table, found)
    except (pa.ArrowException, OSError) as error:
        if getattr(error, "errno", None):
            raise
        reason = str(error).splitlines()[0]
        raise DatasetError(f"{file.path} in {table.source} cannot be read: {reason}") from error


def _columns(schema: Any, table: Table) -> tuple[str, list[str]]:
    """Return the name of the column of images, and the names of the classes if they are known."""
    column = next((c for c in ("image", "img") if c in schema.names), None)
    if column is None or "label" not in schema.names:
        raise DatasetError(
            f"{table.file.path} in {table.source} has the columns {', '.join(schema.names)}; "
            "it should have image or img, and label"
        )
    return column, _class_names((schema.metadata or {}).get(b"huggingface", b"{}"), table)


def _class_names(described: bytes, table: Table) -> list[str]:
    """Return the names of the classes, by their numbers; none where nothing is said of them.

    Raises:
        DatasetError: If what is said are no names.
    """
    try:
        inside: Any = from_json(described)
    except ValueError:
        return []
    for field in ("info", "features", "label", "names"):
        inside = inside.get(field) if isinstance(inside, dict) else None
    if inside is None:
        return []
    if not isinstance(inside, list) or not all(isinstance(name, str) and name for name in inside):
        raise DatasetError(
            f"{table.file.path} in {table.source} has no texts as names of its classes"
        )
    return list(map(shown, inside))


def _row(
    image: object, label: object, classes: list[str], number: int, table: Table, found: Found
) -> Row:
    """Return one row; notes the title of its class where the class has a code."""
    fields = image if isinstance(image, dict) else {"bytes": image}
    content, path = fields.get("bytes"), str(fields.get("path") or "")
    path, title = shown(path), _class(label, classes)
    if not isinstance(content, bytes) or title is None:
        raise DatasetError(
            f"row {number} of {table.file.path} in {table.source} has no image, or no class: "
            f"{label!r}"
        )
    # ImageNet's rows name classes in words; the code that all its sources share is in the name of
    # the image, such as n01440764_10026_n01440764.JPEG.
    code = re.search(r"(n\d{8})\.\w+$", path) if table.dataset == "imagenet" else None
    if code:
        found.titles[code[1]] = title.split(",")[0].strip()
        title = code[1]
    return Row(table.part, title, f"{table.file.path}/{number} {path}".rstrip(), content, None)


def _class(label: object, classes: list[str]) -> str | None:
    """Return the name of a class that is given as a number or a name; None if it is neither."""
    if isinstance(label, str):
        return shown(label) or None
    if not isinstance(label, int) or label < 0 or (classes and label >= len(classes)):
        return None
    return classes[label] if classes else str(label)
