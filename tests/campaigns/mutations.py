"""What happens to bytes and to JSON: flipped, cut, doubled, and replaced by odd values."""

import copy
import json
import random
from typing import Any

ODD: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2**31, 2**63, 10**40, 0.5, -0.0, 1e308, 1e-320, "", " ", "x", "0",
    "nan", "../../x", "a" * 5000, "\u202egnp", "\x00", "\x1b[2J", "\ud800", [], {}, [None], [[]],
    {"": None}, {"kind": "none"}, [0] * 2000, {str(n): n for n in range(500)},
)  # fmt: skip
TEXTS = (b"NaN", b"Infinity", b"-Infinity", b"1e999", b"null", b"{", b"}", b"[", b"]", b'"', b",",
         b"\xff", b"\x00", b"\xef\xbb\xbf", b"// x\n", b"'", b"\\u0000", b"\\ud800")  # fmt: skip


def damaged(content: bytes, chance: random.Random) -> bytes:
    """Return bytes as a disk, a copy or an editor may leave them; not always others."""
    if not content:
        return chance.choice(TEXTS)
    place = chance.randrange(len(content))
    match chance.randrange(9):
        case 0:
            return (
                content[:place]
                + bytes([content[place] ^ 1 << chance.randrange(8)])
                + (content[place + 1 :])
            )
        case 1:
            return content[:place]
        case 2:
            return content[place:]
        case 3:
            return content[:place] + chance.choice(TEXTS) + content[place:]
        case 4:
            length = chance.choice((1, 16, 512, 4096))
            return content[:place] + bytes(length) + content[place + length :]
        case 5:
            length = chance.choice((1, 64, 4096))
            return content[: place + length] + content[place:]
        case 6:
            return content[:place] + chance.randbytes(chance.choice((1, 4, 64))) + content[place:]
        case 7:
            other = chance.randrange(len(content))
            first, last = sorted((place, other))
            return content[:first] + content[last:]
        case _:
            return content + chance.choice((b"\n", b"\x00", b"x", content))


def leaves(content: Any, here: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the path of everything in a JSON content, containers too."""
    items: Any = ()
    if isinstance(content, dict):
        items = content.items()
    elif isinstance(content, list):
        items = enumerate(content)
    found = [here] if here else []
    for key, inside in items:
        found += leaves(inside, (*here, key))
    return found


def at(content: Any, path: tuple[Any, ...]) -> Any:
    """Return what lies at a path."""
    for key in path:
        content = content[key]
    return content


def put(content: Any, path: tuple[Any, ...], value: Any) -> None:
    """Replace what lies at a path."""
    at(content, path[:-1])[path[-1]] = value


def edited(content: dict[str, Any], chance: random.Random) -> dict[str, Any]:
    """Return a JSON content that somebody has changed in one place."""
    content = copy.deepcopy(content)
    path = chance.choice(leaves(content))
    holder, key = at(content, path[:-1]), path[-1]
    match chance.randrange(6):
        case 0 | 1:
            holder[key] = chance.choice(ODD)
        case 2:
            del holder[key]
        case 3 if isinstance(holder, dict):
            holder[f"{key}_more"] = holder[key]
        case 3:
            holder.append(holder[key])
        case 4 if isinstance(holder[key], int | float) and not isinstance(holder[key], bool):
            holder[key] += chance.choice((1, -1, 0.5, 1e-9))
        case 4 if isinstance(holder[key], str):
            holder[key] += chance.choice(("x", " ", "\n"))
        case 4:
            holder[key] = chance.choice(ODD)
        case _:
            holder[key] = copy.deepcopy(at(content, chance.choice(leaves(content))))
    return content


def nested(depth: int) -> bytes:
    """Return JSON that is a list in a list, so many times."""
    return b"[" * depth + b"]" * depth


def as_json(content: Any) -> bytes:
    """Return JSON; letters that are none are escaped."""
    return json.dumps(content).encode()
