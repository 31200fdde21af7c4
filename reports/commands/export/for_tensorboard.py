"""Event files of TensorBoard, a folder for each run.

Written by the package `tensorboard` itself: no PyTorch or TensorFlow is loaded. A run's file has
the same bytes in every export, and its name the digest of what it holds.
"""

import io
import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from urllib.parse import quote

from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary, SummaryMetadata
from tensorboard.compat.proto.tensor_pb2 import TensorProto
from tensorboard.compat.proto.tensor_shape_pb2 import TensorShapeProto
from tensorboard.compat.proto.types_pb2 import DT_STRING
from tensorboard.plugins.hparams.summary_v2 import hparams_pb
from tensorboard.summary.writer.record_writer import RecordWriter

from alexnet.durable import write_atomically
from reports.commands.export.exported import ExportedRun

NAME = re.compile(r"events\.out\.tfevents\.\d+\.(?P<id>[0-9a-f]+)\.(?P<digest>[0-9a-f]+)")
"""TensorBoard reads what has tfevents in its name."""


class TensorBoard:
    """A folder that TensorBoard shows."""

    def __init__(self, folder: Path) -> None:
        """Take the folder; it need not be there."""
        self._folder = folder

    @property
    def place(self) -> str:
        """Where that is."""
        return str(self._folder)

    @property
    def opens(self) -> str:
        """The command that shows it."""
        return f"tensorboard --logdir {self._folder}"

    def there(self) -> dict[str, str]:
        """Return the runs whose file is there: it has its name when it is whole."""
        names = (NAME.fullmatch(path.name) for path in self._folder.rglob("events.out.tfevents.*"))
        return {found["id"]: found["digest"] for found in names if found}

    def write(self, run: ExportedRun) -> None:
        """Write a run's file, and remove what was in its folder of another content."""
        folder = self._folder / _safe(run.group) / _safe(run.arm) / _safe(run.place)
        before = list(folder.glob("events.out.tfevents.*"))
        content = io.BytesIO()
        writer = RecordWriter(content)
        for event in _events(run):
            writer.write(event.SerializeToString(deterministic=True))
        seconds = int(run.started.timestamp())
        path = folder / f"events.out.tfevents.{seconds}.{run.id}.{run.digest}"
        write_atomically(path, content.getvalue())
        for old in before:
            if old != path:
                old.unlink(missing_ok=True)

    def close(self) -> None:
        """Nothing is open."""


def _safe(name: str) -> str:
    """Return a name as that of a folder, on any system; two names are never the same.

    >>> _safe("2/2 pooling, no LRN"), _safe(".."), _safe("relu")
    ('2%2F2 pooling, no LRN', '%2E%2E', 'relu')
    """
    kept = quote(name, safe=" ,=@+")
    return kept.replace(".", "%2E") if not kept.strip(". ") or kept[-1] in ". " else kept


def _events(run: ExportedRun) -> Iterator[Event]:
    """Yield all that a run's file holds, the first event saying which format it is."""
    yield Event(wall_time=run.started.timestamp(), file_version="brain.Event:2")
    began = run.started.timestamp()
    hparams = hparams_pb(run.params, trial_id=run.id, start_time_secs=began)
    yield Event(wall_time=began, step=0, summary=Summary.FromString(hparams.SerializeToString()))
    for name, text in run.tags.items():
        yield _event(run.started, 0, _text(name, text))
    for step in run.curve:
        for name, value in step.values.items():
            yield _event(step.at, step.epoch, Summary.Value(tag=name, simple_value=value))
    for name, value in run.final.items():
        final = Summary.Value(tag=f"final/{name}", simple_value=value)
        yield _event(run.finished, len(run.curve), final)


def _event(at: datetime, step: int, value: Summary.Value) -> Event:
    return Event(wall_time=at.timestamp(), step=step, summary=Summary(value=[value]))


def _text(name: str, text: str) -> Summary.Value:
    """Return a text, as the plugin for texts reads it: a tensor of one string."""
    plugin = SummaryMetadata.PluginData(plugin_name="text")
    shape = TensorShapeProto(dim=[TensorShapeProto.Dim(size=1)])
    tensor = TensorProto(dtype=DT_STRING, string_val=[text.encode()], tensor_shape=shape)
    return Summary.Value(
        tag=f"about/{name}", metadata=SummaryMetadata(plugin_data=plugin), tensor=tensor
    )
