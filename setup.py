"""Makes the text that a package index shows from README.md; all else is in pyproject.toml."""

import re
from pathlib import Path

from setuptools import setup

README = Path(__file__).parent / "README.md"
ELSEWHERE = re.compile(r"\]\((?!https?://)")
"""A link or picture that leads into the repository, which an index has not."""
KEPT = ("Licence",)
"""Sections that are shown as they stand."""
TRY_IT = """\
## Try it

```sh
pip install alexnet-ablations && alexnet-ablations ablate relu_vs_tanh
```

installs the project and rehearses Figure 1, ReLU against tanh, on small pictures that are in the
package. It takes minutes on two cores and ends with a table, a sentence and a figure. Then
`alexnet-ablations report` makes the page `results/report/index.html`. `alexnet-ablations` alone
says what else there is to type.

On Linux pip takes PyTorch with CUDA, which is several GB. Without an NVIDIA card, this is smaller:

```sh
pip install alexnet-ablations --extra-index-url https://download.pytorch.org/whl/cpu
```
"""


def long_description(readme: str) -> str:
    """Return what of the README is true without the repository beside it.

    Its first part, without the paragraphs that show or link to files, and how to install from an
    index in place of how to install from a folder.
    """
    first, *sections = re.split(r"^(?=## )", readme, flags=re.MULTILINE)
    blocks = re.sub(r"<!--.*?-->\n?", "", first, flags=re.DOTALL).split("\n\n")
    shown = [block.strip() for block in blocks if block.strip() and not ELSEWHERE.search(block)]
    rest = [one.strip() for one in sections if one.splitlines()[0].removeprefix("## ") in KEPT]
    return "\n\n".join([*shown, TRY_IT.strip(), *rest]) + "\n"


if __name__ == "__main__":
    setup(
        long_description=long_description(README.read_text(encoding="utf-8")),
        long_description_content_type="text/markdown",
    )
