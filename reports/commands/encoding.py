"""Output in whatever letters the place where it goes can have."""

import codecs
import sys
import unicodedata

PLAIN = dict(zip("▁▂▃▄▅▆▇█", "_.:-=+*#", strict=True)) | {
    "\N{HORIZONTAL ELLIPSIS}": "...",
    "\N{EN DASH}": "-",
    "\N{MULTIPLICATION SIGN}": "x",
    "\N{RIGHTWARDS ARROW}": "->",
}
"""What stands for a letter where it cannot be written: bars first, from low to high."""


def plain_where_needed() -> None:
    """Let no letter stop a command whose output goes to a file or terminal of an older encoding.

    Windows redirects in cp1252, and the C locale writes ASCII: neither has the bars of a curve.
    """
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            # Names of files may be bytes that are no letters of any encoding.
            utf = "utf" in (stream.encoding or "").lower()
            reconfigure(errors="backslashreplace" if utf else "plain")


def _plain(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    letters = error.object[error.start : error.end]
    return "".join(map(_in_ascii, letters)), error.end


def _in_ascii(letter: str) -> str:
    """Return what stands for a letter.

    >>> _in_ascii("█"), _in_ascii("é"), _in_ascii("世")
    ('#', 'e', '?')
    """
    if letter in PLAIN:
        return PLAIN[letter]
    return unicodedata.normalize("NFKD", letter).encode("ascii", "ignore").decode() or "?"


codecs.register_error("plain", _plain)
