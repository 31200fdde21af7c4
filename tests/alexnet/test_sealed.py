"""Files that carry a digest of their content: what was changed is refused, and nothing hangs."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alexnet import sealed as module
from alexnet.sealed import SealError, parsed, read_bytes, read_sealed, sealed, unsealed

TEXT = st.text(
    st.characters(exclude_categories=("Cc", "Cs"), exclude_characters="\ufffe\uffff")
    | st.sampled_from("\t\n\r")
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | TEXT
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inside: st.lists(inside, max_size=3) | st.dictionaries(TEXT, inside, max_size=3),
    max_leaves=10,
)  # fmt: skip
CONTENT = st.dictionaries(TEXT.filter(lambda name: name != "sha256"), VALUES, max_size=4)
EXAMPLE = {"seeds": [0, 1, 2], "margin": 0.005, "at": "2026-01-01", "arms": {"a": None, "b": True}}


@given(CONTENT, st.sampled_from([None, 1]))
def test_what_was_sealed_is_read_back(content: dict[str, Any], indent: int | None) -> None:
    """However it is laid out."""
    written = json.dumps(sealed(content), indent=indent).encode()

    assert unsealed(parsed(written)) == content


@given(st.data())
def test_a_changed_byte_is_noticed_or_changes_nothing(data: st.DataObject) -> None:
    """Some bytes are space between; every other one is refused."""
    written = bytearray(json.dumps(sealed(EXAMPLE), indent=1).encode())
    place = data.draw(st.integers(0, len(written) - 1))
    written[place] = data.draw(st.integers(0, 255))
    try:
        found = unsealed(parsed(bytes(written)))
    except SealError:
        return

    assert found == EXAMPLE


@pytest.mark.parametrize("length", [0, 1, 30, -2])
def test_a_cut_file_is_refused(tmp_path: Path, length: int) -> None:
    """At any place."""
    path = tmp_path / "file.json"
    path.write_bytes(json.dumps(sealed(EXAMPLE)).encode()[:length])

    with pytest.raises(SealError, match="is cut short or not JSON"):
        read_sealed(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (json.dumps(EXAMPLE), "has no digest"),
        (json.dumps(EXAMPLE | {"sha256": 0}), "was edited"),
        ("[1]", "is not a JSON object"),
        ("null", "is not a JSON object"),
        ('{"x": NaN}', "not JSON"),
        ('{"x": [1e999]}', "not finite"),
        ('{"x": {"y": -1E+400}}', "not finite"),
        ('{"x": 1' + "0" * 400 + ".0}", "not finite"),
        ('{"x": 1' + "0" * 250 + "e99}", "not finite"),
        ('{"x": ' + "9" * 299 + "E+50}", "not finite"),
        ('{"x": Infinity}', "not JSON"),
        ('{"x":' + "[" * 100_000 + "]" * 100_000 + "}", "not JSON"),
        ('{"x": "\\ud800"}', "not JSON"),
    ],
)
def test_what_this_program_never_writes_is_refused(tmp_path: Path, text: str, message: str) -> None:
    """Without a traceback of any other kind."""
    path = tmp_path / "file.json"
    path.write_text(text)

    with pytest.raises(SealError, match=message):
        read_sealed(path)


PIPES = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes with names")


@PIPES
def test_what_is_no_file_is_refused_unopened(tmp_path: Path) -> None:
    """A pipe would be waited for, for ever; behind a link, too."""
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to(tmp_path / "pipe")
    places = {"folder": "a folder", "pipe": "a pipe", "link": "a pipe", "/dev/null": "a device"}

    for name, what in places.items():
        with pytest.raises(SealError, match=f"is {what}, not a file"):
            read_bytes(tmp_path / name)
    with pytest.raises(FileNotFoundError):
        read_bytes(tmp_path / "nothing")


def test_a_link_to_a_file_is_that_file(tmp_path: Path) -> None:
    """As installers and programs that keep large data leave them."""
    path = tmp_path / "file.json"
    path.write_text(json.dumps(sealed(EXAMPLE)))
    (tmp_path / "link.json").symlink_to(path)

    assert read_sealed(tmp_path / "link.json") == EXAMPLE


def test_a_file_too_large_is_refused_unread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sparse file of a terabyte takes no disk and would take all memory."""
    path = tmp_path / "file.json"
    with path.open("wb") as file:
        file.truncate(2**40)
    monkeypatch.setattr(module.os, "open", lambda *arguments: pytest.fail("was opened"))

    with pytest.raises(SealError, match="1048576 MiB"):
        read_sealed(path)
