"""Fetching a dataset from where it is published, checked against the digests kept there."""

import importlib.util
from pathlib import Path

from alexnet.data.catalogue import Description, Download
from alexnet.data.digests import file_digest
from alexnet.data.manifest import DatasetError
from alexnet.text import counted

HUB_PACKAGES = ("huggingface_hub", "pyarrow")
HUB = f"pip install {' '.join(HUB_PACKAGES)}"


def has_hub() -> bool:
    """Whether what the hub's Parquet needs is installed."""
    return all(importlib.util.find_spec(package) for package in HUB_PACKAGES)


def choose(description: Description, kind: str | None) -> Download | None:
    """Return the fastest download of a dataset that works here, or the kind that was asked for.

    One that needs a person's token is taken only if it was asked for.

    Raises:
        DatasetError: If there is none of that kind, or it needs a package that is not here.
    """
    offered = [d for d in description.downloads if kind in (None, d.kind)]
    if kind and not offered:
        raise DatasetError(f"{description.name} has no source called {kind}")
    for download in offered:
        if download.kind == "official" or (has_hub() and (kind or not download.token)):
            return download
        if kind:
            raise DatasetError(f"Hugging Face's Parquet needs two packages more:  {HUB}")
    return None


def warning(description: Description, chosen: Download) -> str:
    """Return what a person should know before a slow download starts, and the faster way."""
    if not chosen.is_slow:
        return ""
    hours = chosen.time / 60
    time = counted(round(hours), "hour") if hours > 1.5 else counted(round(chosen.time), "minute")
    why = f"; {chosen.why_slow}" if chosen.why_slow else " on a line of 100 Mbit/s"
    text = f"the download takes about {time}{why}."
    have = f"ive what you have:  --source PATH  ({description.layout})"
    faster = min(description.downloads, key=lambda download: download.time)
    if faster is not chosen:
        text += f" Faster ({faster.megabytes:.0f} MB): stop,  {HUB}  and start again; or g{have}"
        return text
    return f"{text} Faster, if you have it: g{have}"


def other_ways(description: Description, chosen: Download) -> str:
    """Return what else a person can give as a source."""
    others = [d.kind for d in description.downloads if d is not chosen]
    return "".join(f"--source {kind}, or " for kind in others) + "--source PATH"


def fetch(description: Description, chosen: Download, folder: Path) -> Path:
    """Download into ``folder`` what is not there yet; return where the files are.

    Raises:
        DatasetError: If it cannot be had, or is not what its publisher says it is.
    """
    folder.mkdir(parents=True, exist_ok=True)
    try:
        return _from_hub(chosen, folder) if chosen.kind == "hub" else _official(chosen, folder)
    except DatasetError as error:
        ways = other_ways(description, chosen)
        raise DatasetError(f"{error}; other ways:  {ways}") from error


def _from_hub(chosen: Download, folder: Path) -> Path:
    from huggingface_hub import HfApi, snapshot_download
    from huggingface_hub.errors import HfHubHTTPError

    try:
        snapshot_download(
            chosen.where,
            repo_type="dataset",
            allow_patterns=list(chosen.patterns),
            local_dir=folder,
        )
        files = sorted(path for path in folder.rglob("*.parquet"))
        names = [path.relative_to(folder).as_posix() for path in files]
        known = HfApi().get_paths_info(chosen.where, names, repo_type="dataset")
    except HfHubHTTPError as error:
        refused = getattr(error.response, "status_code", None) in (401, 403)
        way_out = (
            "; agree to its terms on its page there, then:  hf auth login"
            if refused and chosen.token
            else ""
        )
        raise DatasetError(f"{chosen.where} cannot be had from Hugging Face{way_out}") from error
    except Exception as error:  # of whichever library the hub's client uses for its requests
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DatasetError(f"{chosen.where} cannot be had from Hugging Face ({reason})") from error
    if not files:
        raise DatasetError(f"{chosen.where} on Hugging Face has no {', '.join(chosen.patterns)}")
    stated = ((entry.path, getattr(entry, "lfs", None)) for entry in known)
    digests = {path: lfs.sha256 for path, lfs in stated if lfs}
    for path, name in zip(files, names, strict=True):
        found, published = file_digest(path), digests.get(name, "none")
        if found != published:
            path.unlink()
            raise DatasetError(
                f"{name} of {chosen.where} came damaged: its digest is {found}, the published one "
                f"{published}; start again"
            )
    return folder


def _official(chosen: Download, folder: Path) -> Path:
    import torchvision.datasets

    dataset = getattr(torchvision.datasets, chosen.where)
    try:
        dataset(str(folder), train=True, download=True)
    except (RuntimeError, OSError) as error:
        raise DatasetError(f"{chosen.where} cannot be had from its server: {error}") from error
    # What was unpacked is read; archives beside it would be listed as files of no use.
    raw = {"CIFAR10": "cifar-10-batches-py", "FashionMNIST": "FashionMNIST/raw"}
    return folder / raw[chosen.where]
