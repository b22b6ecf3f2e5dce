"""What a script imports, read without running it."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from runner.errors import SpecError
from runner.spec.script import third_party_imports


def imports(path: Path, text: str) -> tuple[str, ...]:
    path.write_text(text)
    return third_party_imports(path)


def test_top_level_names_in_the_order_of_the_text(tmp_path: Path) -> None:
    (tmp_path / "helpers.py").write_text("")
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "__init__.py").write_text("")
    (tmp_path / "numpy").mkdir()  # a directory of data, not a package
    text = """\
from __future__ import annotations
import os, sys, json.decoder
import xgboost as xgb
import sklearn.metrics, pandas
from numpy.random import default_rng
import helpers
from package import thing
from . import sibling
from .sibling import x
import pandas as again
raise SystemExit("this never runs")
"""
    assert imports(tmp_path / "s.py", text) == ("xgboost", "sklearn", "pandas", "numpy")


def test_only_what_importing_the_script_would_import(tmp_path: Path) -> None:
    text = """\
from typing import TYPE_CHECKING
import typing as t
if TYPE_CHECKING:
    import checked
else:
    import unchecked
if t.TYPE_CHECKING:
    import checked_too
try:
    import fast
except ImportError:
    import slow
class Model:
    import inside
def main():
    import later
async def other():
    import later_too
"""
    assert imports(tmp_path / "s.py", text) == ("unchecked", "fast", "slow", "inside")


def test_the_scripts_own_encoding_counts(tmp_path: Path) -> None:
    path = tmp_path / "s.py"
    path.write_bytes("# -*- coding: latin-1 -*-\nname = 'é'\nimport pandas\n".encode("latin-1"))
    assert third_party_imports(path) == ("pandas",)


@pytest.mark.filterwarnings("error")
def test_a_scripts_own_warnings_are_its_own(tmp_path: Path) -> None:
    assert imports(tmp_path / "s.py", "import pandas\nx = '\\d'\n") == ("pandas",)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"import os\nx = (1,\n", "s.py:2:5: not valid Python: '(' was never closed"),
        (b"def f():\nreturn 1\n", "s.py:2:1: not valid Python: expected an indented block"),
        (b"x = '\xff'\n", "s.py:1:8: not valid Python: (unicode error)"),
        (b"x = '\0'\n", "s.py:1:6: not valid Python: source code string cannot contain null bytes"),
        (b"x = " + b"(" * 5000, "s.py:1:"),
        (b"x = " + b"-" * 200_000 + b"1", "s.py: not valid Python: "),
    ],
)
def test_what_is_no_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes, message: str) -> None:
    monkeypatch.chdir(tmp_path)
    Path("s.py").write_bytes(content)
    with pytest.raises(SpecError) as caught:
        third_party_imports(Path("s.py"))
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("content", "excerpt"),
    [
        ("def f():\n    x = (1,\n", "\n    x = (1,\n        ^"),
        ("if True:\n\tprint 'a\tb'\n", "\n    print 'a b'\n    ^"),
        ("é = 1 +* 2\n", "\n    é = 1 +* 2\n           ^"),
        (
            "def f():\n    for file in sorted(Path(folder_of_the_orders).glob('*.csv'))\n        pass\n",
            "\n    for file in sorted(Path(folder_of_the_orders).glob('*.csv'))\n" + " " * 64 + "^",
        ),
        ("x" * 300 + " y" + "z" * 300 + "\n", "\n    " + "x" * 49 + " y" + "z" * 49 + "\n    " + " " * 50 + "^"),
        ("# coding: latin-1\nx = 'é' y\n", None),
        ("# coding: no-such-codec\nx = 1\n", None),
        ("x = 1 \x1b[31m\n", "\n    x = 1 \\x1b[31m\n          ^"),
    ],
)
def test_a_syntax_error_shows_the_line_and_a_caret(tmp_path: Path, content: str, excerpt: str | None) -> None:
    (tmp_path / "s.py").write_text(content)
    with pytest.raises(SpecError, match="not valid Python") as caught:
        third_party_imports(tmp_path / "s.py")
    if excerpt is not None:
        assert str(caught.value).endswith(excerpt)


def test_a_script_beyond_all_measure_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "s.py").write_text("x = 1\n" * 2_000_000)
    started = time.monotonic()
    with pytest.raises(SpecError, match=r"s\.py: is longer than 524,288 bytes"):
        third_party_imports(tmp_path / "s.py")
    assert time.monotonic() - started < 1


def test_a_script_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="cannot be read: No such file"):
        third_party_imports(tmp_path / "none.py")


class Garbage:
    """A cycle whose finalizer lets other threads run: collections happen in the middle of `ast.parse`."""

    def __init__(self) -> None:
        self.itself = self

    def __del__(self) -> None:
        time.sleep(0.0005)


def test_many_threads_may_read_scripts_at_once(tmp_path: Path) -> None:
    """CPython 3.11 before 3.11.5 raises SystemError from `ast.parse` when two threads are in it."""
    path = tmp_path / "long.py"
    path.write_text("import pandas\n" + "y = f(g(h(1, 2), [3]), 4)\n" * 300)

    def read(_: int) -> tuple[str, ...]:
        for _ in range(5):
            Garbage()
        return third_party_imports(path)

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(read, range(200)))
    assert found == [("pandas",)] * 200
