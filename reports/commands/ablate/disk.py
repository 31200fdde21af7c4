"""What the files of runs still to come take on the disk, said before they are trained."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from ablations.kept import KeptWeights
from alexnet.config import Config, Precision
from alexnet.data.manifest import Manifest, in_words
from alexnet.measures import LARGEST_SCORES
from alexnet.paths import free_bytes
from alexnet.text import counted

RECORD = 20_000  # bytes


class Runs(NamedTuple):
    """Runs of one network that are still to come."""

    compared: float
    tuning: float
    weights: int  # bytes of each
    scores: int  # bytes of each that is compared

    @classmethod
    def of(
        cls, config: Config, precision: Precision, parameters: int, manifest: Manifest,
        compared: float, tuning: float,
    ) -> "Runs":  # fmt: skip
        """Return so many runs of a config, with the sizes of what they leave."""
        number = 8 if precision == "float64" else 4  # bytes
        images = manifest.counts["test"]
        images = min(config.training.images or images, images)
        scores = 2 * number * config.network.classes * images  # by one view and by ten
        kept = scores if scores <= LARGEST_SCORES else 0
        return cls(compared, tuning, number * parameters, kept)


def disk(
    several: Sequence[Runs], manifest: Manifest, kept: KeptWeights, workers: int, results: Path
) -> Iterator[str]:
    """Yield in words what runs take, and what becomes of their weights."""
    beside = 8 * manifest.fit.image_bytes  # the mean image, in float64
    count = weights = others = left = not_kept = 0.0
    for runs in several:
        for number, compared in ((runs.compared, True), (runs.tuning, False)):
            others += number * (RECORD + (runs.scores if compared else 0))
            size = runs.weights + beside
            if kept.has(compared, runs.weights):
                count, weights = count + number, weights + number * size
            elif kept._replace(most=None).has(compared, runs.weights):
                left, not_kept = left + number, not_kept + number * size
    largest = max((runs.weights for runs in several), default=0)
    checkpoints = 2 * largest * workers  # weights and what the optimizer remembers
    total = weights + others
    parts = [f"records and scores {in_words(others)}"]
    if count:
        parts.insert(0, f"weights of {counted(round(count), 'run')} {in_words(weights)}")
    yield f"about {in_words(total)}: {', '.join(parts)}; {in_words(checkpoints)} while it trains"
    if left:
        yield (
            f"weights of {counted(round(left), 'run')} are not kept, of up to {in_words(largest)} "
            f"each: --keep-weights {kept.of} keeps them, {in_words(not_kept)}"
        )
    if kept.of == "none":
        yield "no weights are kept: verdicts and figures need none, load_run does"
    if (free := free_bytes(results)) < total + checkpoints:
        yield f"only {in_words(free)} are free in {results}; choose another with --results PATH"
