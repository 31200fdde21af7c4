"""Where code of one's own is found: read, digested, never run; and how a config keeps it."""

import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from ablations.side_effects import side_effects
from alexnet.config import Config, Custom, Relu
from alexnet.config.base import canonical
from alexnet.config.source import SourceError, find_same_source, find_source, was_found_here
from alexnet.cost import cost_of
from alexnet.presets import tiny
from tests.builders.own_parts import looked_for_in

MINE = "def double(x):\n    return 2 * x\n"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path) -> Iterator[Path]:
    """Return a folder with a file of one function, where files are looked for."""
    (tmp_path / "mine.py").write_text(MINE)
    with looked_for_in(tmp_path):
        yield tmp_path


def test_the_digest_is_that_of_the_file() -> None:
    """As sha256sum has it."""
    assert Custom(target="mine:double").source == hashlib.sha256(MINE.encode()).hexdigest()


def test_line_endings_are_no_other_code(folder: Path) -> None:
    """A checkout on Windows has others."""
    before = Custom(target="mine:double")
    (folder / "mine.py").write_bytes(MINE.replace("\n", "\r\n").encode())

    assert Custom(target="mine:double") == before


def test_a_file_is_found_and_never_run(folder: Path) -> None:
    """Nor the package that it is in."""
    (folder / "package").mkdir()
    for file in ("mine.py", "package/__init__.py", "package/inside.py"):
        (folder / file).write_text(f"raise SystemExit\n{MINE}")

    for target in ("mine:double", "package.inside:double", "package:double"):
        assert Custom(target=target).source
    assert not {"mine", "package", "package.inside"} & sys.modules.keys()


JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(categories=("L", "N", "P", "S")), max_size=8),
    lambda inside: (
        st.lists(inside, max_size=3)
        | st.dictionaries(st.text("abc_", min_size=1, max_size=3), inside, max_size=3)
    ),
    max_leaves=6,
)
ROLES = st.one_of(
    st.fixed_dictionaries({"role": st.sampled_from(["activation", "norm"])}),
    st.builds(
        lambda size, stride, padding, rounding: {
            "role": "pool", "size": size, "stride": min(size, stride),
            "padding": min(size // 2, padding), "rounding": rounding,
        },
        st.integers(1, 4), st.integers(1, 4), st.integers(0, 2), st.sampled_from(["floor", "ceil"]),
    ),
)  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(
    st.dictionaries(st.from_regex("[a-z_][a-z0-9_]{0,5}", fullmatch=True), JSON_VALUES, max_size=3),
    ROLES,
    st.integers(0, 9),
    st.integers(0, 9),
)
def test_a_config_with_it_is_read_back_as_it_was_written(
    kwargs: dict[str, Any], role: dict[str, Any], fixed: int, per_map: int
) -> None:
    """By JSON and by plain data, to the digit, with one name; and no file is looked for."""
    own = Custom(target="mine:double", kwargs=kwargs, parameters=fixed,
                 parameters_per_map=per_map, **role)  # fmt: skip
    place = "pool" if own.role == "pool" else "act"
    config = tiny().but(network={"view": 16, "parts": {place: own}})
    text = config.model_dump_json()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("alexnet.config.parts.find_source", lambda _: pytest.fail("a file was read"))
        back = Config.model_validate_json(text)
        changed = back.but(training={"epochs": 3}).but(
            training={"epochs": config.training.epochs}, network={"parts": {place: {}}}
        )
        plain = Config.model_validate(json.loads(text))

    for other in (back, changed, plain):
        assert other == config
        assert other.canonical == config.canonical
        assert canonical(other.network.parts[place].model_dump()["kwargs"]) == canonical(kwargs)


def test_what_is_read_back_has_its_digest_or_is_refused() -> None:
    """Nothing is looked for on behalf of a record."""
    content = json.loads(Custom(target="mine:double").model_dump_json())
    for source in ("", "abc", "z" * 64, None):
        with pytest.raises(ValidationError):
            Custom.model_validate_json(json.dumps(content | {"source": source}))
    del content["source"]
    with pytest.raises(ValidationError, match="mine:double has no digest of its file"):
        Custom.model_validate_json(json.dumps(content))


def test_another_target_has_another_digest_and_other_arguments(folder: Path) -> None:
    """A change inside a part finds the file anew only where it is another."""
    (folder / "other.py").write_text("def triple(x):\n    return 3 * x\n")
    config = tiny().but(
        network={"parts": {"act": Custom(target="mine:double", kwargs={"times": 3})}}
    )
    changed = config.but(network={"parts": {"act": {"target": "other:triple"}}})
    (folder / "mine.py").write_text("# edited\n" + MINE)
    same = config.but(network={"parts": {"act": {"kwargs": {"times": 4}}}})

    assert changed.network.parts["act"] == Custom(target="other:triple")
    assert same.network.parts["act"].source == config.network.parts["act"].source  # type: ignore[union-attr]
    assert Custom(target="mine:double").source != config.network.parts["act"].source  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ({"target": "mine"}, "'mine' names no code; write it as file:name"),
        ({"target": "mine.py:double"}, "there is no file mine/py.py beside the study"),
        ({"target": "../mine:double"}, "names no code"),
        ({"target": "mine:double.more"}, "names no code"),
        ({"target": "mine:class"}, "names no code"),
        ({"target": "__main__:double"}, "there is no file __main__.py"),
        ({"target": "yours:double"}, "there is no file yours.py beside the study"),
        ({"target": "mine:triple"}, "mine.py does not define triple; it has double"),
        ({"target": "torch.nn:Mish"}, "__init__.py, line .* which may import installed packages"),
        ({"target": "mine:double", "kwargs": {"b": float("nan")}}, "finite number"),
        ({"target": "mine:double", "kwargs": {"b": (1, 2)}}, "not a valid JSON value"),
        ({"target": "mine:double", "kwargs": {"b": Relu()}}, "not a valid JSON value"),
        ({"target": "mine:double", "kwargs": {"b": ["\x1b"]}}, "characters that do not show"),
        ({"target": "mine:double", "kwargs": {"a b": 1}}, "'a b' in kwargs is no name"),
        ({"target": "mine:double", "role": "pool"}, "say its size and stride"),
        ({"target": "mine:double", "role": "pool", "size": 2, "stride": 3}, "would skip pixels"),
        ({"target": "mine:double", "role": "pool", "size": 3, "stride": 2, "padding": 2},
         "more than half of a window of 3"),
        ({"target": "mine:double", "size": 3, "stride": 2}, "or say role='pool'"),
        ({"target": "mine:double", "role": "norm", "rounding": "ceil"}, "role 'norm', which keeps"),
    ],
)  # fmt: skip
def test_a_part_that_makes_no_sense_is_refused(arguments: dict[str, Any], why: str) -> None:
    """When it is made, in a sentence."""
    with pytest.raises(ValidationError, match=why):
        Custom(**arguments)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("import beside\n", "line 1: it imports beside, which lies beside it"),
        ("def f():\n    from beside import x\n", "line 2: it imports beside"),
        ("from .beside import x\n", r"line 1: it imports \.beside"),
        ("from . import beside\n", r"line 1: it imports \."),
        ("import folder.inside\n", "line 1: it imports folder.inside"),
        ("import double.inside\n", "line 1: it imports double.inside"),
        ("a = (\n", "line 1: '\\(' was never closed"),
        ("a = '\0'\n", "null bytes"),
        (f"a = {'(' * 300}{')' * 300}\n", "nested"),
    ],
)
def test_a_file_computes_alone(folder: Path, text: str, why: str) -> None:
    """Of what it would import from beside it, no digest is kept: that is refused by its line."""
    (folder / "beside.py").write_text("x = 1\n")
    for name in ("folder", "double"):
        (folder / name).mkdir()
        (folder / name / "inside.py").write_text("x = 1\n")
    (folder / "double" / "__init__.py").write_text("")
    (folder / "mine.py").write_text(text + MINE)

    with pytest.raises(SourceError, match=why):
        find_source("mine:double")


def test_installed_packages_and_this_project_may_be_imported(folder: Path) -> None:
    """Also where a folder of data beside it has a package's name, and where the project lies."""
    for name in ("torch", "alexnet"):
        (folder / name).mkdir()
    (folder / "alexnet" / "__init__.py").write_text("")
    (folder / "mine.py").write_text(
        f"import math\nimport torch\nfrom alexnet.norms import local_response_norm\n{MINE}"
    )

    assert find_source("mine:double").path == folder / "mine.py"


@pytest.mark.parametrize(
    "text",
    ["class double: pass", "double = 3", "double: int = 3", "from math import sin as double",
     "try:\n    import double\nexcept ImportError:\n    double = 3",
     "if True:\n    pass\nelse:\n    double = 3", "from math import *"],
)  # fmt: skip
def test_a_name_may_be_defined_in_any_way(folder: Path, text: str) -> None:
    """By a statement at the top of the file."""
    (folder / "mine.py").write_text(text + "\n")

    assert find_source("mine:double").content.decode() == text + "\n"


def test_files_of_one_name_are_told_apart_by_their_digests(folder: Path, tmp_path: Path) -> None:
    """A new value is of the one beside the study; later, that which it was made of is found."""
    other = tmp_path / "elsewhere"
    other.mkdir()
    (other / "mine.py").write_text("def double(x):\n    return x + x\n")
    first = Custom(target="mine:double")
    with looked_for_in(other):
        sys.path.append(str(folder))
        second = Custom(target="mine:double")
        found = [find_same_source("mine", one.source).path for one in (first, second)]

    assert first != second
    assert found == [folder / "mine.py", other / "mine.py"]
    (folder / "mine.py").write_text("# edited\n" + MINE)
    with pytest.raises(SourceError, match=rf"mine\.py has changed: .* with {first.source[:12]};"):
        find_same_source("mine", first.source)
    (folder / "mine.py").unlink()
    with pytest.raises(SourceError, match=r"there is no mine\.py in the current folder"):
        find_same_source("mine", first.source)


def test_what_was_read_was_not_found_here() -> None:
    """A record's digest says nothing of whose code it is."""
    digest = hashlib.sha256(MINE.encode()).hexdigest()
    text = json.dumps({"kind": "custom", "target": "mine:double", "source": digest})

    read = Custom.model_validate_json(text)

    assert not was_found_here(read.target, read.source)
    assert Custom(target="mine:double") == read
    assert was_found_here(read.target, read.source)


def test_what_is_no_part_is_told_how_it_can_be_one() -> None:
    """An unknown kind, none, and code as such."""
    for value, named in (
        ({"kind": "swish"}, "there is no part of kind 'swish'; known: relu, tanh, leaky_relu,"),
        ({}, "there is no part of kind None"),
        (abs, "abs is no part"),
        (3, "int is no part"),
    ):  # fmt: skip
        with pytest.raises(ValidationError, match="Custom\\(target='file:name'\\)") as refused:
            tiny().network.but(parts={"new": value})
        assert named in str(refused.value)


def test_a_pool_and_what_is_learned_are_counted_without_building() -> None:
    """Of 12 pixels with an edge of 1, 14: four windows of 3 by 3. And 4 + 2 x 4 numbers."""
    pool = Custom(target="mine:double", role="pool", size=3, stride=3, padding=1)
    norm = Custom(target="mine:double", role="norm", parameters=4, parameters_per_map=2)
    network = tiny().network
    pooled, normed = (network.but(parts=one) for one in ({"pool": pool}, {"norm": norm}))

    assert network.convolutions[0].maps == 4
    assert pooled.seen_by()["conv2"].side == 4
    assert cost_of(normed).parameters == cost_of(network).parameters + 12
    with pytest.raises(ValidationError, match="follows a convolution"):
        network.but(parts={"pool": pool}, classifier={"fc3": {"then": ("pool",)}})


def test_what_a_pool_leaves_out_is_said_of_it_too() -> None:
    """Two windows of 5 by 5 begin a pixel before the edge and reach 9 rows of 12."""
    pool = Custom(target="mine:double", role="pool", size=5, stride=5, padding=1)
    config = tiny().but(network={"convolutions": {"conv2": {"then": ("act",)}}})

    said = side_effects(config.but(network={"parts": {"pool": pool}}), config)

    assert "conv2 sees 2 x 2 places for 6 x 6" in said
    assert "pooling after conv1 leaves out 3 of 12 rows and columns" in said


def test_reading_loads_no_pytorch_and_runs_nothing(folder: Path) -> None:
    """A report of a record that names code has none of it."""
    own = Custom(target="mine:double")
    text = tiny().but(network={"parts": {"act": own}}).model_dump_json()
    code = (
        "import sys; from alexnet.config import Config, Custom\n"
        f"Config.model_validate_json({text!r}); sys.path.insert(0, {str(folder)!r})\n"
        "Custom(target='mine:double'); sys.exit(bool({'torch', 'mine'} & sys.modules.keys()))"
    )

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
