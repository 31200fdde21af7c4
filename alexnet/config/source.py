"""Where the code of a part of one's own is written: found and read, never run.

A part's code is one Python file that stands alone, so that the digest of the file names all that
it computes. Nothing is imported here: not the file, nor the package that it is in.
"""

import ast
import hashlib
import importlib
import keyword
import sys
from collections.abc import Iterator
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from sysconfig import get_path
from typing import NamedTuple

OURS = ("alexnet", "ablations", "reports")
"""Packages that a file may import wherever it lies: an edition stands for what they compute."""
INSTALLED = {Path(get_path(name)).resolve() for name in ("purelib", "platlib", "stdlib")}
"""Folders in which files of different packages lie side by side."""
_FOUND_HERE: set[tuple[str, str]] = set()
"""Targets with the digest of their file, of all values that this process has made by itself."""
_FIRST: list[str] = []


class SourceError(ValueError):
    """Code that cannot be found or used; the message has the rule and the way out."""


class Source(NamedTuple):
    """A Python file, as text without carriage returns, which an editor or git may add."""

    path: Path
    content: bytes

    @property
    def digest(self) -> str:
        """SHA-256, in hex; of a file without carriage returns, what ``sha256sum`` says."""
        return hashlib.sha256(self.content).hexdigest()

    @classmethod
    def read(cls, path: Path) -> "Source":
        """Return a file.

        Raises:
            SourceError: If it cannot be read.
        """
        try:
            return cls(path, path.read_bytes().replace(b"\r\n", b"\n"))
        except OSError as error:
            raise SourceError(f"{path} cannot be read ({error.strerror})") from error


def split(target: str) -> tuple[str, str]:
    """Return the module and the name within it that a target consists of.

    >>> split("squareplus:Squareplus")
    ('squareplus', 'Squareplus')

    Raises:
        SourceError: If it is none.
    """
    module, _, name = target.partition(":")
    for word in (*module.split("."), name):
        if not word.isidentifier() or keyword.iskeyword(word):
            raise SourceError(
                f"{target!r} names no code; write it as file:name, such as "
                "'squareplus:Squareplus' for what squareplus.py defines as Squareplus"
            )
    return module, name


def find_source(target: str) -> Source:
    """Return the file in which Python would find a target's module, without importing anything.

    Raises:
        SourceError: If there is none, it does not define the target, or does not stand alone.
    """
    module, name = split(target)
    path = next(candidates(module), None)
    if path is None:
        raise SourceError(
            f"there is no file {module.replace('.', '/')}.py beside the study, in the current "
            "folder or where else Python looks; name the file that defines "
            f"{name} as file:name, without .py"
        )
    source = Source.read(path)
    known = set(_defined(_refuse_company(source, module).body))
    if name not in known and "*" not in known:
        has = ", ".join(sorted(one for one in known if not one.startswith("_"))) or "nothing"
        raise SourceError(f"{path.name} does not define {name}; it has {has}")
    _FOUND_HERE.add((target, source.digest))
    return source


def was_found_here(target: str, digest: str) -> bool:
    """Return whether `find_source` has given this process that digest of a target.

    What was only read, from a record or a plan, may be somebody else's code.
    """
    return (target, digest) in _FOUND_HERE


def find_same_source(module: str, digest: str) -> Source:
    """Return the file of a module that has a digest, wherever on Python's path one has it.

    Files of one name in several folders are told apart by it.

    Raises:
        SourceError: If none has.
    """
    found = [Source.read(path) for path in candidates(module)]
    for source in found:
        if source.digest == digest:
            _refuse_company(source, module)
            return source
    name = f"{module.replace('.', '/')}.py"
    if not found:
        raise SourceError(
            f"there is no {name} in the current folder or where else Python looks; run this where "
            "it lies"
        )
    raise SourceError(
        f"{name} has changed: its digest is {found[0].digest[:12]}, and the run was registered "
        f"with {digest[:12]}; restore the file, or register the study anew with another --results "
        "folder"
    )


def look_first_in(folder: Path) -> None:
    """Look for the files of parts in a folder first, from now on, in place of the last such one.

    Python imports from it too, after all else, here and in processes that are spawned from here.
    """
    _FIRST[:] = [str(folder)]
    if str(folder) not in sys.path:
        sys.path.append(str(folder))


def candidates(module: str) -> Iterator[Path]:
    """Yield the files that hold a module on Python's path, the one that it would import first."""
    importlib.invalidate_caches()  # a file may be a moment old
    top, *inside = module.split(".")
    seen: set[Path] = set()
    for spec in _specs(top):
        for part in inside:
            places = spec.submodule_search_locations if spec else None
            spec = PathFinder.find_spec(part, list(places)) if places else None
        if spec is not None and spec.origin is not None and spec.origin.endswith(".py"):
            path = Path(spec.origin).resolve()
            if path not in seen and path.is_file():
                seen.add(path)
                yield path


def _specs(top: str) -> Iterator[ModuleSpec | None]:
    """Yield what has a name: beside the study, where Python would look, in all of its folders."""
    for place in _FIRST:
        yield PathFinder.find_spec(top, [place])
    for finder in sys.meta_path:  # which import nothing where the name has no dot
        if hasattr(finder, "find_spec"):
            yield finder.find_spec(top, None)
    for place in sys.path:
        yield PathFinder.find_spec(top, [place])


def _refuse_company(source: Source, module: str) -> ast.Module:
    """Refuse a file that computes with code beside it, which its digest does not hold.

    Returns:
        What is written in it.

    Raises:
        SourceError: With the line.
    """
    where = source.path.name
    try:
        tree = ast.parse(source.content)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        line = f", line {error.lineno}" if isinstance(error, SyntaxError) else ""
        said = getattr(error, "msg", error) or "it is nested too deep"
        raise SourceError(f"{where}{line}: {said}") from error
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            for imported in _imported(node):
                if _is_beside(imported, source.path, module):
                    raise SourceError(
                        f"{where}, line {node.lineno}: it imports {imported}, which lies beside "
                        "it, and only the digest of one file is kept; put all that the part "
                        "computes into that file, which may import installed packages"
                    )
    return tree


def _imported(node: ast.Import | ast.ImportFrom) -> list[str]:
    """Return the modules that a statement imports; relative ones begin with a dot."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return ["." * node.level + (node.module or "")]


def _is_beside(imported: str, path: Path, module: str) -> bool:
    """Return whether what a file imports is of its own folder or package."""
    top = imported.partition(".")[0]
    if top in OURS:
        return False
    if not top or top == module.partition(".")[0]:
        return True
    folder = path.parent
    if (here := PathFinder.find_spec(top, [str(folder)])) is None:
        return False
    if here.origin is not None:
        return folder not in INSTALLED
    # A folder without __init__.py is what is imported only where nothing else has its name.
    other = PathFinder.find_spec(top)
    return other is None or other.origin is None


def _defined(body: list[ast.stmt]) -> Iterator[str]:
    """Yield the names that statements at the top of a file define; a star if any may be."""
    for node in body:
        match node:
            case ast.ClassDef() | ast.FunctionDef():
                yield node.name
            case ast.Assign(targets=targets):
                yield from (one.id for one in targets if isinstance(one, ast.Name))
            case ast.AnnAssign(target=ast.Name(id=name)):
                yield name
            case ast.Import(names=names) | ast.ImportFrom(names=names):
                yield from (alias.asname or alias.name.partition(".")[0] for alias in names)
            case ast.If() | ast.Try() | ast.With():
                inside = [*node.body, *getattr(node, "orelse", ())]
                handlers = [one for h in getattr(node, "handlers", ()) for one in h.body]
                yield from _defined([*inside, *handlers])
