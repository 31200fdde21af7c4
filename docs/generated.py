"""What no person types: tables of options, the order of pages, and a page for each package.

`conf.py` calls these while the site is built.
"""

import importlib
import pkgutil
import re
from collections.abc import Iterator
from types import ModuleType

import click

OPTIONS = "<!-- options: written from reports/cli.py when the site is built -->"
"""Where the tables of options stand in `commands.md`."""
HEADING = re.compile(r"^## (.+)$", re.MULTILINE)
LINK = re.compile(r"^- \[(.+?)\]\((.+?)\.md\)", re.MULTILINE)


def with_options(page: str, commands: click.Group) -> str:
    """Return a page with a section for each command in place of the comment."""
    context = click.Context(commands)
    names = commands.list_commands(context)
    sections = [_section(name, commands.commands[name], context) for name in names]
    return page.replace(OPTIONS, "\n\n".join(sections))


def _section(name: str, command: click.Command, parent: click.Context) -> str:
    context = click.Context(command, info_name=name, parent=parent)
    options = [p for p in command.get_params(context) if isinstance(p, click.Option)]
    records = [option.get_help_record(context) for option in options]
    rows = [f"| {_code(record[0])} | {_cell(record[1])} |" for record in records if record]
    usage = " ".join([name, *command.collect_usage_pieces(context)])
    return "\n".join(
        [
            f"### {name}\n",
            f"{command.help}\n",
            f"```text\n{usage}\n```\n",
            "| option | does |",
            "| --- | --- |",
            *rows,
        ]
    )


def _code(text: str) -> str:
    return f"`{_cell(text)}`"


def _cell(text: str) -> str:
    return text.replace("|", r"\|")


def with_contents(index: str, packages: dict[str, str]) -> str:
    """Return the first page with the site's contents, which are the links in its lists.

    A page that is not linked there is in no table of contents, which ends the build.
    """
    _, *parts = HEADING.split(index)
    contents = {
        title: [f"{name} <{path}>" for name, path in LINK.findall(text)]
        for title, text in zip(parts[::2], parts[1::2], strict=True)
    }
    contents["Modules"] = [f"{name} <api/{name}>" for name in packages]
    blocks = [
        "\n".join(["```{toctree}", ":hidden:", f":caption: {title}", "", *pages, "```"])
        for title, pages in contents.items()
    ]
    return "\n\n".join([index, *blocks])


def package_pages(*names: str) -> dict[str, str]:
    """Return reStructuredText for each package, of itself and of its modules, by name."""
    return {
        package.__name__: _package_page(package)
        for name in names
        for package in _packages(importlib.import_module(name))
    }


def _packages(package: ModuleType) -> Iterator[ModuleType]:
    """Yield a package, and those within it, the outer first."""
    yield package
    for found in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
        if found.ispkg:
            yield from _packages(importlib.import_module(found.name))


def _package_page(package: ModuleType) -> str:
    name = package.__name__
    found = pkgutil.iter_modules(package.__path__, f"{name}.")
    modules = [_documented(module.name, "-") for module in found if not module.ispkg]
    return "\n".join([_documented(name, "="), _passed_on(package), *modules])


def _passed_on(package: ModuleType) -> str:
    """Return which names others import from a package; empty where it says nothing of that."""
    names = []
    for name in getattr(package, "__all__", ()):
        home = getattr(getattr(package, name), "__module__", None)
        names.append(f":py:obj:`{name} <{home}.{name}>`" if home else f"``{name}``")
    return f"Others import from here: {', '.join(names)}.\n" if names else ""


def _documented(name: str, underline: str) -> str:
    return f"{name}\n{underline * len(name)}\n\n.. automodule:: {name}\n"
