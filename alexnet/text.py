"""Text that can be written, printed and drawn: whole letters, and none that command a terminal."""

import re
from typing import Any

CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
"""What no file of ours holds: XML has no way to write most of it, and a terminal obeys the rest."""
IN_NAMES = re.compile(f"{CONTROL.pattern[:-1]}\t\n\r]")
ESCAPED = re.compile(rb"\\u(?:00[01]|007[fF]|00[89]|[fF]{3}[eEfF]|[dD][89a-fA-F])")
"""How JSON may write it; emojis are among what is written so."""
RAW = re.compile(rb"\x7f|\xc2[\x80-\x9f]|\xef\xbf[\xbe\xbf]")


def shown(name: str) -> str:
    r"""Return a name, such as that of a file, as text: what is none is written as its number.

    >>> shown("a\x1b[2J\udce9"), shown("été"), shown("\ud800")
    ('a\\x1b[2J\\xe9', 'été', '\\ud800')
    """
    return IN_NAMES.sub(_as_number, name)


def counted(number: int, noun: str, several: str = "") -> str:
    """Return a number with its noun, in the singular of one alone.

    >>> counted(1, "seed"), counted(2, "planned seed"), counted(10_000, "image")
    ('1 seed', '2 planned seeds', '10,000 images')
    >>> counted(2, "study"), counted(3, "class"), counted(4, "epoch"), counted(5, "batch")
    ('2 studies', '3 classes', '4 epochs', '5 batches')
    >>> counted(2, "run is", "runs are")
    '2 runs are'
    """
    if number == 1:
        return f"1 {noun}"
    if not several:
        ends = "es" if noun.endswith(("s", "x", "tch")) else "s"
        several = f"{noun[:-1]}ies" if noun.endswith("dy") else f"{noun}{ends}"
    return f"{number:,} {several}"


def _as_number(found: re.Match[str]) -> str:
    code = ord(found[0])
    if 0xDC80 <= code <= 0xDCFF:  # how Python holds a byte of a name that is no letter
        code -= 0xDC00
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"


def holds_control(content: bytes, parsed: Any) -> bool:
    """Return whether a JSON file holds control characters in a text or a key."""
    may = ESCAPED.search(content) or RAW.search(content)
    return may is not None and _has_control(parsed)


def _has_control(value: Any) -> bool:
    if isinstance(value, str):
        return CONTROL.search(value) is not None
    if isinstance(value, dict):
        return any(_has_control(key) or _has_control(inside) for key, inside in value.items())
    if isinstance(value, list):
        return any(map(_has_control, value))
    return False
