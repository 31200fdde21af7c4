"""What README and pages promise, checked against the commands, the evidence and each other."""

import re
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import click
import numpy as np
import pytest
import torch
import torchvision
from markdown_it import MarkdownIt
from markdown_it.token import Token
from numpy.typing import NDArray
from PIL import Image

from ablations.record import Record
from ablations.store import Store
from alexnet.model import skeleton
from alexnet.presets import preset, tiny
from docs.generated import LINK, OPTIONS, package_pages, with_contents, with_options
from docs.offline import loaded_from_elsewhere
from reports.cli import main
from reports.evidence import EVIDENCE
from reports.findings.copies import originals
from reports.findings.sections import sections
from reports.readme import (
    OF_EVIDENCE,
    OF_JPEG,
    evidence_text,
    jpeg_text,
    overview_text,
    with_evidence,
)
from tests.builders.caffe import caffemodel
from tests.builders.runs import outcome, run_of

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
INDEX = ROOT / "docs" / "index.md"
PAGES = [INDEX] + [
    (INDEX.parent / f"{name}.md").resolve() for _, name in LINK.findall(INDEX.read_text())
]
"""Those of the site, which are all; the first one links to all others."""
CHANGELOG = ROOT / "CHANGELOG.md"
"""Tells of commands that may be gone."""
WORKFLOW = (ROOT / ".github" / "workflows" / "ablations.yml").read_text()
CALL = re.compile(
    r"(?:invoke|alexnet-ablations) "
    r"(?:ablate|report|verify|results|export|compare|prepare|presets|datasets|studies)[^`\n&|#]*"
)
TODAY = "\n".join(page.read_text() for page in PAGES if page != CHANGELOG)
COMMANDS = sorted(set(CALL.findall(TODAY + WORKFLOW)))


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_in_a_page_and_the_workflow_exists(command: str) -> None:
    """Tasks, options and values; chained tasks too."""
    words = command.split()[1:]
    current: click.Command | None = None
    for before, word in zip(["", *words], words, strict=False):
        if word in main.commands and not before.startswith("--"):
            current = main.commands[word]
        elif word.startswith("--"):
            assert current is not None
            assert word in {option for p in current.params for option in p.opts}, word


def test_the_python_that_builds_a_network_runs() -> None:
    """A network with its own norm, as the page says."""
    page = (ROOT / "docs" / "python.md").read_text()
    (code,) = re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL)
    names: dict[str, object] = {}

    exec(code, names)

    assert sum(p.numel() for p in names["network"].parameters()) == 60_965_224  # type: ignore[attr-defined]


def python_blocks(page: str) -> list[str]:
    """Return the Python of a page of `docs` that is only run where something has been made."""
    return re.findall(r"```py\n(.*?)```", (ROOT / "docs" / page).read_text(), flags=re.DOTALL)


def test_the_python_that_shows_a_photograph_to_a_trained_network_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With a run that was trained here, by its id: three classes with their shares."""
    (code,) = [block for block in python_blocks("python.md") if "load_run" in block]
    record, _ = outcome(run_of(tiny()), tmp_path / "results", stop_after=None)
    noise = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "photo.jpg")
    monkeypatch.chdir(tmp_path)
    assert code.count('"3f2a"') == 1

    exec(code.replace("3f2a", record.run.id[:6]), {})

    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3
    assert all(re.fullmatch(r" {0,2}\d+\.\d%  [A-Z].*", line) for line in lines), lines
    shares = [float(line.partition("%")[0]) for line in lines]
    assert shares == sorted(shares, reverse=True)


def test_the_python_that_takes_weights_trained_elsewhere_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With files of the same names and sizes, whose numbers are zeros and ones."""
    (code,) = [block for block in python_blocks("python.md") if "load_weights" in block]
    monkeypatch.chdir(tmp_path)
    with torch.device("meta"):
        theirs = torchvision.models.alexnet(weights=None).state_dict()
    torch.save({name: torch.ones(one.shape) for name, one in theirs.items()}, NAMES[0])
    ours = skeleton(preset("caffe_alexnet").network).state_dict()
    blobs: dict[str, list[NDArray[np.float32]]] = {}
    for name, one in ours.items():
        blobs.setdefault(name.split(".")[1], []).append(np.zeros(one.shape, np.float32))
    Path(NAMES[1]).write_bytes(caffemodel(blobs, old=True))
    names: dict[str, object] = {}
    lines = code.strip().splitlines()

    exec("\n".join(lines[:-1]), names)
    first = names["network"]
    exec(lines[-1], names)

    assert sum(p.numel() for p in first.parameters()) == 61_100_840  # type: ignore[attr-defined]
    assert sum(p.numel() for p in names["network"].parameters()) == 60_965_224  # type: ignore[attr-defined]


NAMES = ("alexnet-owt-7be5be79.pth", "bvlc_alexnet.caffemodel")
"""What torchvision and Caffe call their files."""


def tracked() -> set[Path]:
    """Return the files that git keeps; skip the test where this is no checkout."""
    git = shutil.which("git")
    if git is None or not (ROOT / ".git").exists():
        pytest.skip("this is no checkout")
    listed = subprocess.run((git, "ls-files", "-z"), cwd=ROOT, capture_output=True, check=True)
    return {ROOT / name for name in listed.stdout.decode().split("\0") if name}


def tokens(page: Path) -> Iterator[Token]:
    """Yield all tokens of a Markdown file, also those within lines."""
    for token in MarkdownIt("commonmark").enable("table").parse(page.read_text()):
        yield token
        yield from token.children or ()


def links(page: Path) -> list[str]:
    """Return where the links and pictures of a page lead."""
    found = [token.attrs.get("href", token.attrs.get("src")) for token in tokens(page)]
    return [str(target) for target in found if target is not None]


def anchors(page: Path) -> set[str]:
    """Return the names that GitHub, and the site, give to the headings of a page."""
    every = list(tokens(page))
    headings = [text for at, text in pairwise(every) if at.type == "heading_open"]
    kept = (re.sub(r"[^\w\- ]", "", text.content.lower()) for text in headings)
    return {words.replace(" ", "-") for words in kept}


def test_every_link_in_a_page_leads_to_a_file_and_a_heading() -> None:
    """Of those within the project, in all Markdown that git keeps."""
    files = tracked()
    for page in (path for path in files if path.suffix == ".md"):
        for link in links(page):
            if re.match(r"[a-z]+:", link):
                continue
            path, _, anchor = link.partition("#")
            target = (page.parent / path).resolve() if path else page
            assert target in files, (page, link)
            assert not anchor or anchor in anchors(target), (page, link)


def test_every_page_is_linked_from_the_first_page_of_the_site() -> None:
    """And so is in its contents; folders of packages have their own pages, from docstrings."""
    assert {path for path in tracked() if path.suffix == ".md"} == set(PAGES)
    assert len(PAGES) == len(set(PAGES))
    contents = with_contents(INDEX.read_text(), {"alexnet": ""})
    assert "\nOverview <../README>\n" in contents
    assert contents.endswith(":caption: Modules\n\nalexnet <api/alexnet>\n```")


def test_the_readme_is_read_in_a_minute() -> None:
    """What is longer lies beside the code, and in docs."""
    assert len(README.splitlines()) <= 150


def test_the_site_has_every_command_with_every_option() -> None:
    """Their names and help, in a section each; and an example of each, typed."""
    page = (ROOT / "docs" / "commands.md").read_text()
    assert page.count(OPTIONS) == 1
    full = with_options(page, main)

    assert OPTIONS not in full
    for name, command in main.commands.items():
        assert f"| `invoke {name}" in page
        assert f"\n### {name}\n\n{command.help}\n" in full
        section = full.split(f"\n### {name}\n")[1].split("\n### ")[0]
        options = [one for one in command.params if isinstance(one, click.Option)]
        for option in options:
            assert f"| `{option.opts[0]}" in section, (name, option.opts)
    assert r"`--precision [auto\|float32\|bfloat16\|float64]`" in full


def test_the_site_has_every_package() -> None:
    """With its modules, and what others import from it."""
    pages = package_pages("alexnet", "ablations", "reports")

    folders = {
        p.parent
        for top in ("alexnet", "ablations", "reports")
        for p in ROOT.glob(f"{top}/**/__init__.py")
    }
    assert set(pages) == {".".join(folder.relative_to(ROOT).parts) for folder in folders}
    assert ".. automodule:: alexnet.data.images\n" in pages["alexnet.data"]
    assert ":py:obj:`run_study <reports.notebook.run_study>`" in pages["reports"]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('<a href="https://a.org/">a link is no load</a>', []),
        ('<script src="_static/a.js"></script>', []),
        ('<script async src="https://cdn.org/a.js"></script>', ["https://cdn.org/a.js"]),
        ("<link rel='stylesheet' href='//cdn.org/a.css'>", ["//cdn.org/a.css"]),
        ("@import 'http://a.org/b.css'; @font-face { src: url(a.woff) }", ["http://a.org/b.css"]),
        ('@font-face { src: url("https://a.org/b.woff") }', ["https://a.org/b.woff"]),
    ],
)
def test_what_a_page_loads_from_elsewhere_is_found(text: str, found: list[str]) -> None:
    """Scripts, styles and fonts; the build of the site ends there."""
    assert loaded_from_elsewhere(text) == found


def test_the_readmes_results_are_those_of_the_evidence() -> None:
    """If not: python -m reports.readme."""
    everything = sections(Store(EVIDENCE))
    found = originals(everything)
    of_evidence, of_jpeg = OF_EVIDENCE.read_text(), OF_JPEG.read_text()

    assert with_evidence(README, overview_text(found)) == README
    assert with_evidence(of_evidence, evidence_text(found)) == of_evidence
    assert with_evidence(of_jpeg, jpeg_text(everything)) == of_jpeg


def test_the_evidence_is_whole_and_small() -> None:
    """Every record reads, none has weights; one takes 5 kB at most and 600 bytes an epoch."""
    store = Store(EVIDENCE)
    files = [path for path in EVIDENCE.rglob("*") if path.is_file() and "report" not in path.parts]

    assert store.plans()
    assert store.records()
    assert store.problems == []
    assert not [path for path in files if path.suffix == ".safetensors"]
    records = [path for path in files if path.name == "record.json"]
    assert len(records) == len(store.records())
    for path in records:
        epochs = len(Record.read(path).curve)
        assert path.stat().st_size < 5_000 + 600 * epochs, path


def test_the_evidence_has_no_trace_of_a_machines_paths() -> None:
    """Nor of a user."""
    for path in EVIDENCE.rglob("*.json"):
        assert not re.search(r"/(home|root|tmp|Users|work)/", path.read_text()), path


def test_the_package_ships_what_it_reads() -> None:
    """Templates, practice images, licence and evidence are named in pyproject.toml."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    data = project["tool"]["setuptools"]["package-data"]
    found = project["tool"]["setuptools"]["packages"]["find"]
    assert set(found["include"]) == {"alexnet*", "ablations*", "reports*"}
    for top in ("alexnet", "ablations", "reports"):  # else a folder is not found as a package
        for folder in {path.parent for path in (ROOT / top).rglob("*.py")}:
            assert (folder / "__init__.py").is_file(), folder
    shipped = set()
    for package, patterns in data.items():
        folder = ROOT / package.replace(".", "/")
        for pattern in patterns:
            assert list(folder.glob(pattern)), (package, pattern)
            shipped |= set(folder.glob(pattern))
    others = {
        path
        for top in ("alexnet", "ablations", "reports")
        for path in (ROOT / top).rglob("*")
        if path.is_file() and path.suffix not in (".py", ".pyc", ".svg", ".png", ".md")
    }
    assert others <= shipped


def test_the_oldest_releases_are_those_that_the_project_allows() -> None:
    """`tests/oldest.txt` names each package's lower bound, and no other."""
    dependencies = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    bounds = {re.split(r"[>=,<]+", line)[0]: re.split(r"[>=,<]+", line)[1] for line in dependencies}
    lines = (ROOT / "tests" / "oldest.txt").read_text().splitlines()[1:]
    oldest = dict(line.split("==") for line in lines)

    def padded(version: str) -> tuple[int, ...]:
        numbers = tuple(map(int, version.split(".")))
        return numbers + (0,) * (3 - len(numbers))

    assert {name: padded(v) for name, v in oldest.items()} == {
        name: padded(v) for name, v in bounds.items()
    }


def test_what_is_promised_is_tested_where_it_says() -> None:
    """Every test, campaign and proof that PROMISES.md names is there."""
    text = (ROOT / "PROMISES.md").read_text()
    tests = set(re.findall(r"`(test_\w+)`", text))
    campaigns = set(re.findall(r"\b(\w+\.py)\b", text))

    assert len(tests) > 8
    assert {f"{name}.py" for name in tests} <= {
        path.name for path in (ROOT / "tests").rglob("*.py")
    }
    assert campaigns == {"kills.py", "fuzzing.py", "lost_nodes.py", "shared_folder.py"}
    folders = (ROOT / "tests" / "campaigns", ROOT / "tests" / "proofs")
    assert campaigns <= {path.name for folder in folders for path in folder.iterdir()}
