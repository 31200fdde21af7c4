"""The site: the Markdown pages where they are, and a page for each package, from its docstrings.

``invoke docs`` builds it. The source is the repository itself, so that one link between two pages
works here and where the repository is read.
"""

import sys
from pathlib import Path
from typing import Any

from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.errors import SphinxError
from sphinx.ext.napoleon.docstring import GoogleDocstring

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))  # this checkout, whatever is installed

from docs.generated import package_pages, with_contents, with_options  # noqa: E402
from docs.offline import loaded_from_elsewhere  # noqa: E402

project = html_title = "AlexNet 2012, taken apart"
language = "en"
smartquotes = False  # they make one dash of the two before an option
extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.viewcode",
]
root_doc = "docs/index"
include_patterns = [
    "*.md",
    "docs/*.md",
    "docs/api/*.rst",
    "alexnet/**.md",
    "reports/**.md",
    "tests/benchmarks/*.md",
]
myst_heading_anchors = 3

default_role = "code"  # docstrings have `names` in single backticks, as Markdown has
add_module_names = False
autodoc_default_options = {
    "members": True,
    "ignore-module-all": True,  # what a package passes on is documented where it is defined
    "exclude-members": "model_config, model_post_init",  # pydantic's
}
autodoc_mock_imports = [
    "alembic", "mlflow", "sqlalchemy", "tensorboard", "wandb",  # [trackers]
    "ray",  # [cluster]
]  # fmt: skip
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
autodoc_typehints_format = "fully-qualified"  # or `bytes` leads to a property of that name
python_use_unqualified_type_names = True
maximum_signature_line_length = 80
toc_object_entries = False

html_theme = "furo"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_extra_path = ["root"]  # an index.html that leads to docs/index.html
html_copy_source = False
html_show_copyright = False
html_show_search_summary = False  # fetched page by page, which browsers refuse for files
html_use_index = False
html_domain_indices = False

LONGEST = 60
"""Letters of a constant's value that is shown; whole studies are longer."""
PACKAGES = package_pages("alexnet", "ablations", "reports")


def write_packages(app: Sphinx) -> None:
    """Write the pages of packages where Sphinx finds sources; git ignores them."""
    folder = ROOT / "docs" / "api"
    folder.mkdir(exist_ok=True)
    for old in set(folder.glob("*.rst")) - {folder / f"{name}.rst" for name in PACKAGES}:
        old.unlink()
    for name, text in PACKAGES.items():
        path = folder / f"{name}.rst"
        if not path.exists() or path.read_text() != text:  # else it is read again
            path.write_text(text)


def complete(app: Sphinx, page: str, source: list[str]) -> None:
    """Add to two pages what is generated."""
    if page == "docs/index":
        source[0] = with_contents(source[0], PACKAGES)
    elif page == "docs/commands":
        from reports.cli import main

        source[0] = with_options(source[0], main)


def read_sections(
    app: Sphinx, what: Any, name: str, obj: object, options: object, lines: list[str]
) -> None:
    """Read Google's sections, as Napoleon's extension does, but no type off a constant's sentence.

    Napoleon takes what is before the first colon of an attribute's docstring for its type. Types
    are in the annotations here, and sentences have colons.
    """
    what = "object" if what in ("attribute", "data", "property") else what
    lines[:] = GoogleDocstring(lines, what=what, name=name, obj=obj).lines()


def drop_long_values(app: Sphinx, domain: str, kind: str, content: addnodes.desc_content) -> None:
    """Leave out the value of a constant where it would fill lines."""
    for value in list(content.parent.findall(addnodes.desc_annotation)):
        if value.astext().startswith(" = ") and len(value.astext()) > LONGEST:
            value.parent.remove(value)


def skip_fields(
    app: Sphinx, what: str, name: str, obj: object, skip: bool, options: object
) -> bool | None:
    """Skip the fields of named tuples, whose docstrings are Python's: they are in the signature."""
    return True if str(obj.__doc__).startswith("Alias for field number") else None


def refuse_elsewhere(app: Sphinx, error: Exception | None) -> None:
    """End the build if a page or style loads anything from elsewhere.

    Raises:
        SphinxError: With the first such file and address.
    """
    for path in [] if error else sorted(app.outdir.rglob("*")):
        if path.suffix in (".html", ".css"):
            for address in loaded_from_elsewhere(path.read_text()):
                raise SphinxError(f"{path} loads {address}; the site is read without a network")


def setup(app: Sphinx) -> None:
    """Register what is done while the site is built."""
    app.connect("builder-inited", write_packages)
    app.connect("source-read", complete)
    app.connect("autodoc-process-docstring", read_sections)
    app.connect("autodoc-skip-member", skip_fields)
    app.connect("object-description-transform", drop_long_values)
    app.connect("build-finished", refuse_elsewhere)
