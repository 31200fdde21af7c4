"""Whether a page can be read without a network: what it loads from elsewhere."""

import re

LOADED = re.compile(
    r"""<(?:script|link|img|iframe|source)\b[^>]*?\b(?:src|href)=["']((?:https?:)?//[^"']+)"""
    r"""|@import\s+(?:url\()?["']?((?:https?:)?//[^"')]+)"""
    r"""|url\(\s*["']?((?:https?:)?//[^"')]+)"""
)


def loaded_from_elsewhere(text: str) -> list[str]:
    """Return the addresses of scripts, styles, fonts and pictures that a page or style loads.

    >>> loaded_from_elsewhere('<a href="https://a.org">x</a> <script src="//b.org/x.js"></script>')
    ['//b.org/x.js']
    """
    return ["".join(found) for found in LOADED.findall(text)]
