"""What a package index shows, and the smaller download; `.ci/run` builds and installs the wheel."""

import re
import tomllib
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from reports.cli import main
from setup import long_description

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
SHOWN = long_description(README)
CPU = "https://download.pytorch.org/whl/cpu"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def targets(text: str) -> list[str]:
    """Return where the links and pictures of a text lead."""
    tokens = [
        token
        for block in MarkdownIt("commonmark").enable("table").parse(text)
        for token in (block, *(block.children or ()))
    ]
    found = [token.attrs.get("href", token.attrs.get("src")) for token in tokens]
    return [str(target) for target in found if target is not None]


def test_nothing_that_is_shown_leads_into_the_repository() -> None:
    """An index has neither its files nor its pictures; what is hidden in comments is gone too."""
    assert any(not target.startswith("http") for target in targets(README))
    assert [target for target in targets(SHOWN) if not target.startswith("https://")] == []
    assert "<!--" not in SHOWN
    assert "invoke" not in SHOWN.replace("alexnet-ablations", "")


def test_what_is_shown_is_the_readmes() -> None:
    """Its first paragraph, the finds, every row of the table, and the licence."""
    first = README.split("## Try it")[0]
    rows = [line for line in first.splitlines() if line.startswith("|")]

    assert SHOWN.startswith(README[: README.index("<!--")])
    finds = [line for line in first.splitlines() if re.match(r"\d\. \*\*", line)]
    assert len(finds) == 3
    assert all(find in SHOWN for find in finds)
    assert len(rows) > 3
    assert all(row in SHOWN for row in rows)
    assert SHOWN.rstrip().endswith(README.split("## Licence")[1].split("##")[0].strip())


def test_the_commands_that_are_shown_exist() -> None:
    """Of the console script, which is all that a wheel brings."""
    typed = re.findall(r"alexnet-ablations (?:ablate|report)[^`\n]*", SHOWN)

    assert {one.split()[1] for one in typed} == {"ablate", "report"}
    assert "alexnet-ablations" in PROJECT["scripts"]
    for one in typed:
        assert main.commands[one.split()[1]].make_context(
            one, one.split()[2:], resilient_parsing=True
        )


@pytest.mark.parametrize("page", ["docs/install.md", "setup.py"])
def test_the_smaller_download_is_one_line(page: str) -> None:
    """Of PyTorch's own index, the one that the workflow uses."""
    (line,) = [text for text in (ROOT / page).read_text().splitlines() if CPU in text]

    assert re.fullmatch(rf"pip install (-e \.|{PROJECT['name']}) --extra-index-url {CPU}", line)
    assert CPU in (ROOT / ".github" / "workflows" / "ablations.yml").read_text()


def test_every_extra_that_a_page_names_is_there() -> None:
    """And is told of where one reads how to install."""
    pages = "".join(path.read_text() for path in (ROOT / "docs").glob("*.md"))
    named = set(re.findall(r"pip install -e '\.\[(\w+)\]'", pages))

    assert named <= PROJECT["optional-dependencies"].keys()
    assert PROJECT["optional-dependencies"].keys() <= named
