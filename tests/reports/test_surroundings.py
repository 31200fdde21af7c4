"""What a person's system and settings must not change: figures, and that a command ends."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from reports.commands.encoding import _in_ascii
from tests.builders.plans import filled

DRAW = """
import sys
from pathlib import Path
from ablations.store import Store
from reports.evidence import EVIDENCE
from reports.figures.study import draw
from reports.figures.pictures import save
from reports.findings.sections import section_of
store = Store(EVIDENCE)
for study in ("ten_views", "relu_vs_tanh"):
    section = section_of(store.read_plan(study, "cifar10_jpeg", False), store)
    save(draw(section), Path(sys.argv[1]), study)
"""
SETTINGS = """
text.usetex: True
font.size: 23
axes.facecolor: black
savefig.transparent: True
savefig.bbox: tight
axes.titlelocation: right
svg.fonttype: path
lines.linewidth: 9
"""


def drawn(folder: Path, **variables: str) -> dict[str, bytes]:
    """Return figures of the evidence, drawn by a process with some variables."""
    folder.mkdir()
    subprocess.run(
        [sys.executable, "-c", DRAW, str(folder)],
        env=os.environ | variables, check=True, capture_output=True, text=True,
    )  # fmt: skip
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_figures_are_drawn_in_our_style_alone(tmp_path: Path) -> None:
    """Whatever a person has set for figures of their own; LaTeX need not be there."""
    (tmp_path / "matplotlibrc").write_text(SETTINGS)

    plain = drawn(tmp_path / "plain")
    settings = drawn(tmp_path / "settings", MATPLOTLIBRC=str(tmp_path / "matplotlibrc"))
    notebook = drawn(tmp_path / "notebook", MPLBACKEND="module://matplotlib_inline.backend_inline")

    assert len(plain) == 4
    assert settings == plain
    assert notebook == plain


@pytest.mark.parametrize(
    "variables",
    [
        {"PYTHONIOENCODING": "cp1252"},
        {"PYTHONIOENCODING": "ascii"},
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    ],
    ids=["cp1252", "ascii", "the C locale"],
)
def test_commands_end_where_letters_are_few(tmp_path: Path, variables: dict[str, str]) -> None:
    """As redirected on Windows, and in bare containers: what cannot be written is stood for."""
    filled(tmp_path / "results", 3, tanh=[0.6, 0.3, 0.1], relu=[0.4, 0.2, 0.0])
    code = (
        "from reports.cli import main; from reports.commands.progress import sparkline; "
        "from reports.commands.encoding import plain_where_needed; plain_where_needed(); "
        "print(sparkline([0.0, 0.5, 1.0])); main()"
    )
    environment = os.environ | variables
    for command in ("studies", "report"):
        options = ["--results", str(tmp_path / "results")]
        done = subprocess.run(
            [sys.executable, "-c", code, command, *options],
            env=environment, capture_output=True, check=False,
        )  # fmt: skip

        assert done.returncode == 0, done.stderr
        first = done.stdout.split(b"\n")[0].strip()
        assert len(first) >= 3
        assert set(first) <= set(b"_.:-=+*#")


def test_letters_are_stood_for_by_the_nearest() -> None:
    """Bars by marks of about their height, accents by none, and what has no letter by a mark."""
    assert "".join(map(_in_ascii, "▁█é…世")) == "_#e...?"


def test_evidence_is_no_change_of_the_code(tmp_path: Path) -> None:
    """What `verify` leaves beside the records that ship; any other file among ours is one."""
    root = Path(__file__).parents[2]
    if not (root / ".git").exists():
        pytest.skip("this is no checkout")
    clone = tmp_path / "clone"

    def git(*arguments: str, inside: Path = clone) -> None:
        who = ("-c", "user.name=a", "-c", "user.email=a@b")
        subprocess.run(("git", "-C", str(inside), *who, *arguments), check=True)

    git("clone", "-q", "--shared", str(root), str(clone), inside=root)
    shutil.copy(root / "ablations" / "machine.py", clone / "ablations")
    git("add", "-A")
    git("commit", "-q", "--allow-empty", "-m", "as it is")

    def is_clean() -> str:
        code = "from ablations.machine import checkout; print(checkout()[1])"
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=clone, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    (clone / "reports" / "evidence" / "verified.json").write_text("{}")
    assert is_clean() == "True"
    (clone / "reports" / "more.py").write_text("")
    assert is_clean() == "False"
