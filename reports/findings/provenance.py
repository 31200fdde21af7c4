"""Which programs, machines, commits and images the runs of a folder come from."""

from collections import Counter
from collections.abc import Callable, Sequence

from ablations.record import Record
from ablations.results import Results
from alexnet.config import Frozen
from alexnet.text import counted
from reports.analysis.caveats import made_by
from reports.findings.sections import Section


class Provenance(Frozen):
    """Where runs come from, each with how many of them."""

    runs: int
    made_by: tuple[str, ...]  # PyTorch and processor
    versions: tuple[str, ...]  # of all that results depend on
    commits: tuple[str, ...]
    images: tuple[str, ...]  # name, digests of pixels and of split
    editions: tuple[str, ...]
    commands: tuple[str, ...]  # as the plans were registered


def provenance(results: Results, found: Sequence[Section]) -> Provenance:
    """Return where every record of a folder comes from, whichever plan it belongs to."""
    records = results.records()
    return Provenance(
        runs=len(records),
        made_by=made_by(records),
        versions=_counted(records, _versions),
        commits=_counted(records, _commit),
        images=_counted(records, _images),
        editions=_counted(records, lambda record: f"edition {record.run.edition}"),
        commands=tuple(dict.fromkeys(section.plan.registered.command for section in found)),
    )


def _counted(records: Sequence[Record], name: Callable[[Record], str]) -> tuple[str, ...]:
    counts = sorted(Counter(map(name, records)).items())
    return tuple(f"{text}: {counted(count, 'run')}" for text, count in counts)


def _versions(record: Record) -> str:
    return ", ".join(f"{name} {version}" for name, version in record.provenance.versions.items())


def _commit(record: Record) -> str:
    made = record.provenance
    if made.commit is None:
        return "an installed copy"
    return made.commit + ("" if made.clean else ", with changes of its own")


def _images(record: Record) -> str:
    one = record.run.dataset
    return f"{one.name}, images {one.digest[:12]}, split {one.split[:12]}"
