"""Examples that a run leaves for figures, made up."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file

CLASSES = (
    "tench",
    "church",
    "gas pump",
    "golf ball",
    "American Staffordshire terrier",
    "chain saw",
)


KERNELS = np.array(
    [
        [[2, 2, 2], [0, 0, 0], [-1, -1, -1]],  # grey: 0
        [[0, 0, 0], [0, 0, 0], [0, 0, 0]],  # nothing: 0
        [[1, -1, 0], [0, 0, 0], [-2, 0, 2]],  # red against others: 1
        [[1, 0, 0], [0, 0, 0], [0, 0, 0]],  # red alone: 1 - 3 (1/3)^2 / 1 = 2/3
    ],
    dtype=np.float32,
)  # (kernel, pixel, channel): of three pixels in a row


def written(folder: Path, towers: int = 2, **tensors: NDArray[Any]) -> Path:
    """Write examples of two test images and two queries; return the file."""
    rng = np.random.default_rng(3)

    def pixels(*shape: int) -> NDArray[np.uint8]:
        return rng.integers(0, 256, (*shape, 20, 20, 3), dtype=np.uint8)

    content: dict[str, NDArray[Any]] = {
        "kernels": np.ascontiguousarray(KERNELS.transpose(0, 2, 1)[:, :, None]),
        "images": pixels(2),
        "labels": np.array([1, 4]),
        "top_classes": np.array([[1, 0, 2, 3, 5], [5, 3, 2, 1, 0]]),
        "top_probabilities": np.array(
            [[0.5, 0.25, 0.125, 0.0625, 0.03125], [0.96, 0.01, 0.008, 0.007, 0.006]], np.float32
        ),
        "queries": pixels(2),
        "query_labels": np.array([0, 4]),
        "neighbours": pixels(2, 6),
        "neighbour_labels": np.array([[0, 1, 0, 2, 3, 0], [5, 5, 5, 5, 5, 4]]),
    }
    about = {"dataset": "photographs", "classes": CLASSES, "towers": towers}
    path = folder / "examples.safetensors"
    save_file(content | tensors, path, metadata={"about": json.dumps(about)})
    return path
