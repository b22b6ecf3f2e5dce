"""What a script says about itself: its `main`, arguments, environment, paths and imports."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from runner.errors import SpecError
from runner.spec.scripts import ScriptFacts, facts, signature_fault

FOUR = "(input_paths, output_paths, environ_vars, job_args)"


@pytest.fixture
def read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)

    def read_it(text: str | bytes, name: str = "s.py") -> ScriptFacts:
        Path(name).write_bytes(text.encode() if isinstance(text, str) else text)
        return facts(Path(name))

    return read_it


MAINS = [
    (f"def main{FOUR}: pass", "def", None),
    (f"async def main{FOUR}: pass", "async def", None),
    ("main = lambda input_paths, output_paths, environ_vars, job_args: 0", "lambda", None),
    (f"def run{FOUR}: pass\nmain = run", "assignment", None),
    ("from steps import run as main", "import", None),
    ("import steps.main as main", "import", None),
    ("import functools\nmain = functools.partial(print, 1)", "assignment", None),
    (f"if True:\n    def main{FOUR}: pass\nelse:\n    main = None", "assignment", None),
    (f"try:\n    import x\nexcept ImportError:\n    def main{FOUR}: pass", "def", None),
    ("def main(a, b, c, d): pass", "def", None),
    ("def main(a, b, c, d, e=1, *, f=2, **rest): pass", "def", None),
    ("def main(*args): pass", "def", None),
    ("def main(input_paths, /, *args, **kwargs): pass", "def", None),
    ("def main(input_paths, output_paths): pass", "def", "main takes 2 of the 4 values that it is given"),
    ("def main(): pass", "def", "main takes 0 of the 4 values that it is given"),
    ("def main(**kwargs): pass", "def", "main takes 0 of the 4 values that it is given"),
    (f"def main{FOUR[:-1]}, logger): pass", "def", "main also needs 'logger', which nothing gives it"),
    (f"def main{FOUR[:-1]}, *, logger): pass", "def", "main also needs 'logger', which nothing gives it"),
    (
        "def main(output_paths, input_paths, environ_vars, job_args): pass",
        "def",
        "main takes 'output_paths' where it is given 'input_paths'",
    ),
    ("class A:\n    pass\ndef f():\n    def main(): pass", None, "no function 'main' at the top level"),
    ("if __name__ == '__main__':\n    def main(): pass", None, "no function 'main' at the top level"),
    ("x = [main for main in []]", None, "no function 'main' at the top level"),
]


@pytest.mark.parametrize(("text", "kind", "fault"), MAINS)
def test_main_and_its_signature(read, text: str, kind: str | None, fault: str | None) -> None:
    found = read(text)
    assert (found.main.kind if found.main else None) == kind
    assert found.has_main is (kind is not None)
    said = signature_fault(found)
    assert (said is None) is (fault is None)
    if fault:
        assert said.startswith("s.py:1: " if kind else "s.py: ")
        assert fault in said
        assert f"expected main{FOUR}" in said


def test_a_signature_fault_shows_both_and_the_line(read) -> None:
    text = "import os\n\ndef main(input_path, output_paths, environ_vars=None): pass\n"
    assert signature_fault(read(text)) == (
        "s.py:3: main takes 3 of the 4 values that it is given: "
        "expected main(input_paths, output_paths, environ_vars, job_args), "
        "found main(input_path, output_paths, environ_vars=...) (did you mean 'input_paths'?)"
    )


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('if __name__ == "__main__":\n    pass', 1),
        ("import os\nif '__main__' == __name__: pass", 2),
        ("if __name__ in ('__main__', 'x'): pass", 1),
        ("import sys\nif sys.argv and __name__ == '__main__': pass", 2),
        ("try:\n    if (__name__ == '__main__'): pass\nfinally: pass", 2),
        ("if __name__ != '__main__': pass", None),
        ("if __name__ == 'main': pass", None),
        ("def f():\n    if __name__ == '__main__': pass", None),
        ("if 'x' == '__main__': pass", None),
    ],
)
def test_the_main_block_in_its_forms(read, text: str, line: int | None) -> None:
    assert read(text).main_block == line


OPTIONS = """\
import argparse as ap
from argparse import ArgumentParser
N = 5
def build(parser):
    group = parser.add_argument_group("more")
    group.add_argument("-v", "--log-level", choices=("info", "debug"), default="info", help="how " "much")
p = ArgumentParser(description="x")
build(p)
p.add_argument("--job_type", type=str, required=True, choices=["training", "validation"])
p.add_argument("--n", type=int, default=N)
p.add_argument("--dry", action="store_true")
p.add_argument("--ratio", dest="share", type=float, default=compute())
p.add_argument("file", nargs="?")
p.add_argument("where")
p.add_argument("-q")
either = p.add_mutually_exclusive_group(required=True)
either.add_argument("--a", required=maybe)
sub = p.add_subparsers(dest="cmd")
one = sub.add_parser("train")
one.add_argument("--eta", default=-0.5)
ap.ArgumentParser().add_argument("--chained")
p.set_defaults(job_type="training")
"""


def test_options_of_argparse(read) -> None:
    found = read(OPTIONS)
    by_dest = {each.dest: each for each in found.options}
    assert list(by_dest) == ["log_level", "job_type", "n", "dry", "share", "file", "where", "q", "a", "eta", "chained"]
    assert by_dest["log_level"].flags == ("-v", "--log-level")
    assert by_dest["log_level"].choices == ("info", "debug")
    assert by_dest["log_level"].help == "how much"
    assert by_dest["n"].default.value == 5
    assert by_dest["n"].type == "int"
    assert by_dest["dry"].default.value is False
    share = by_dest["share"]
    assert (share.default.text, share.default.known, share.required) == ("compute()", False, False)
    assert [by_dest[name].required for name in ("file", "where", "q", "a")] == [False, True, False, None]
    assert [by_dest[name].positional for name in ("file", "q")] == [True, False]
    assert (by_dest["eta"].command, by_dest["eta"].default.value) == ("train", -0.5)
    # set_defaults after add_argument: the script goes on without the option
    assert (by_dest["job_type"].default.value, by_dest["job_type"].line) == ("training", 9)
    assert found.unknown("arguments") is None


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("import argparse\np = argparse.ArgumentParser()\nfor n in names:\n    p.add_argument('--' + n)", 4),
        ("import argparse\np = argparse.ArgumentParser()\np.add_argument('--x', **more)", 3),
        ("import argparse\nfrom common import add\np = argparse.ArgumentParser()\nadd(p)", 4),
        ("from transformers import HfArgumentParser\np = HfArgumentParser(A)", 2),
        ("import click", 1),
        ("import sys\nname = sys.argv[1]", 2),
        ("import helper\nhelper.run()", 1),
    ],
)
def test_arguments_that_the_text_hides(read, text: str, line: int) -> None:
    Path("helper.py").write_text("")
    assert read(text).unknown("arguments").line == line


def test_argv_given_to_the_parser_hides_nothing(read) -> None:
    text = "import argparse, sys\np = argparse.ArgumentParser()\np.add_argument('--x')\np.parse_args(sys.argv[1:])"
    assert read(text).unknown("arguments") is None


ENVIRONMENT = [
    ("import os\nos.environ['X']", [("X", 2, True, None)]),
    ("import os\nos.environ.get('X')", [("X", 2, False, None)]),
    ("import os\nos.environ.get('X', 'a')", [("X", 2, False, "a")]),
    ("import os\nos.environ.get('X', default=3)", [("X", 2, False, 3)]),
    ("import os as o\no.getenv('X', '')", [("X", 2, False, "")]),
    ("from os import environ as e, getenv as g\ne['X'], g('Y')", [("X", 2, True, None), ("Y", 2, False, None)]),
    ("import os\nenv = os.environ\nenv['X']", [("X", 3, True, None)]),
    ("import os\nNAME = 'X'\nos.environ[NAME]", [("X", 3, True, None)]),
    ("import os\nif 'X' in os.environ:\n    os.environ['X']", [("X", 3, False, None)]),
    ("import os\ntry:\n    os.environ['X']\nexcept KeyError:\n    pass", [("X", 3, False, None)]),
    ("import os\ntry:\n    os.environ['X']\nexcept OSError:\n    pass", [("X", 3, True, None)]),
    ("import os\nos.environ.pop('X')", [("X", 2, True, None)]),
    ("import os\nos.environ.setdefault('X', '1')", [("X", 2, False, "1")]),
    ("import os\nos.environ['X'] = '1'", []),
    ("import os\nint(os.environ.get('X', str(5)))", [("X", 2, False, "str(5)")]),
    ("environ = {}\nenviron['X']", []),
    (
        f"def main{FOUR}:\n    environ_vars['X'], environ_vars.get('Y', 'b')",
        [("X", 2, True, None), ("Y", 2, False, "b")],
    ),
    ("def main(i, o, env, a):\n    env['X']", [("X", 2, True, None)]),
]


@pytest.mark.parametrize(("text", "expected"), ENVIRONMENT)
def test_environment_variables(read, text: str, expected: list[tuple[object, ...]]) -> None:
    found = read(text)
    values = [each.default.value if each.default and each.default.known else each.default for each in found.environment]
    values = [getattr(value, "text", value) for value in values]
    assert [(e.name, e.line, e.required, v) for e, v in zip(found.environment, values, strict=True)] == expected
    assert found.unknown("environment") is None


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("import os\nfor name in names:\n    os.environ[name]", 3),
        ("import os\nprint(os.environ)", 2),
        ("import os\nos.environ.items()", 2),
        ("import os\ndef main(i, o, env, a):\n    f(env)\nmain(1, 2, dict(os.environ), 3)", 3),
    ],
)
def test_an_environment_used_as_a_whole_hides_its_names(read, text: str, line: int) -> None:
    assert read(text).unknown("environment").line == line


@pytest.mark.parametrize(
    "text",
    [
        "import os\ndef main(i, o, env, a): env['X']\nmain(1, 2, dict(os.environ), 3)",
        "import os\ndef main(i, o, env, a): env['X']\nvars = dict(os.environ)\nmain(1, 2, vars, 3)",
        "import os, subprocess\nsubprocess.run(['x'], env={**os.environ, 'A': '1'})",
        "import os\nos.environ.update(A='1')",
    ],
)
def test_an_environment_that_is_passed_on_hides_nothing(read, text: str) -> None:
    assert read(text).unknown("environment") is None


def test_ports_that_main_looks_up(read) -> None:
    text = f"def main{FOUR}:\n    input_paths['DATA'], input_paths.get('extra')\n    output_paths['model']\n"
    found = read(text)
    assert [(p.kind, p.name, p.line, p.required) for p in found.ports] == [
        ("input", "DATA", 2, True),
        ("input", "extra", 2, False),
        ("output", "model", 3, True),
    ]
    assert found.unknown("input") is None
    assert read(f"def main{FOUR}:\n    list(input_paths.values())\n").unknown("input").line == 2


PATHS = [
    ("x = '/opt/ml/model'", [("/opt/ml/model", True)]),
    ("x = '/opt/ml/model/'", [("/opt/ml/model", True)]),
    (
        "import os\nR = '/opt/ml'\nx = os.path.join(R, 'model', 'm.bin')",
        [("/opt/ml", True), ("/opt/ml/model/m.bin", True)],
    ),
    ("from os.path import join as j\nx = j('/opt/ml', 'code')", [("/opt/ml/code", True)]),
    ("from pathlib import Path\nx = Path('/opt/ml') / 'model' / 'm'", [("/opt/ml/model/m", True)]),
    ("import pathlib as p\nx = p.Path('/opt', 'ml', 'model')", [("/opt/ml/model", True)]),
    ("from pathlib import Path\nx = Path('/opt/ml').joinpath('model')", [("/opt/ml/model", True)]),
    ("from pathlib import Path\nx = str(Path('/opt/ml') / name)", [("/opt/ml", False)]),
    (
        "B = '/opt/ml/processing'\nx = f'{B}/input/{n}/f'",
        [("/opt/ml/processing", True), ("/opt/ml/processing/input", False)],
    ),
    ("x = f'/opt/ml/processing/in{n}'", [("/opt/ml/processing", False)]),
    ("x = '/opt/ml/' + 'output' + '/data'", [("/opt/ml/output/data", True)]),
    ("x = '/opt/ml/processing/' + name", [("/opt/ml/processing", False)]),
    ("P = {'in': '/opt/ml/a'}\nx = P['in'] + '/b'", [("/opt/ml/a", True), ("/opt/ml/a/b", True)]),
    ("'''/opt/ml/doc'''\ndef f():\n    '/opt/ml/doc'", []),
    ("x = '/opt/ml/model is missing'; y = '/opt/mlx'; z = 'a/opt/ml/b'", []),
    ("x = print('/opt/ml/a', ['/opt/ml/b'])", [("/opt/ml/a", True), ("/opt/ml/b", True)]),
    ("x = '/opt/ml/a'\nx = '/opt/ml/b'\ny = x + '/c'", [("/opt/ml/a", True), ("/opt/ml/b", True)]),
    ("x = x / '/opt/ml/a' / 'b'", [("/opt/ml/a", True)]),
]


@pytest.mark.parametrize(("text", "expected"), PATHS)
def test_paths_below_opt_ml(read, text: str, expected: list[tuple[str, bool]]) -> None:
    assert [(use.path, use.complete) for use in read(text).paths] == expected


def test_imports_with_their_places(read) -> None:
    Path("helpers.py").write_text("")
    text = """\
import os, pandas
from sklearn.metrics import auc
import helpers
from . import sibling
try:
    import fast.json
except ImportError:
    import slow
try:
    import needed
except OSError:
    pass
def later():
    import deferred
from typing import TYPE_CHECKING
if TYPE_CHECKING:
    import checked
"""
    found = [(i.module, i.name, i.line, i.optional, i.deferred, i.instead_of) for i in read(text).imports]
    assert found == [
        ("pandas", "pandas", 1, False, False, None),
        ("sklearn.metrics", "sklearn", 2, False, False, None),
        ("fast.json", "fast", 6, True, False, None),
        ("slow", "slow", 8, True, False, "fast.json"),
        ("needed", "needed", 10, False, False, None),
        ("deferred", "deferred", 14, False, True, None),
    ]


DEEP = "\n".join(f"x{i} = x{i - 1} + x{i - 1}" for i in range(1, 60))
HOSTILE = {
    "doubling text": f"x0 = '/opt/ml/aaaaaaaaa'\n{DEEP}",
    "doubling lists": "x0 = [1]\n" + "\n".join(f"x{i} = [x{i - 1}, x{i - 1}]" for i in range(1, 60)),
    "circle": "a = b\nb = a\nc = a + '/x'\nd = a.environ\nimport os\nos.environ[a]",
    "itself": "a = a + '/x'\nb = [b]\nb['x']",
    "sum": "x = " + " + ".join(["'/opt/ml/'"] * 900),
    "unknown sum": "x = " + " + ".join(["y"] * 900),
    "calls": "x = " + "f(" * 90 + ")" * 90,
    "ifs": "".join(" " * i + "if x:\n" for i in range(95)) + " " * 95 + "pass",
    "attributes": "x = a" + ".b" * 900,
    "subscripts": "x = a" + "[0]" * 900,
    "comparison": "x = 1" + " < 1" * 20_000,
    "BOM": "\ufeffimport pandas",
    "form feeds": "x = 1\n\f\ny = '\x0c'\nimport os\nos.environ['X']",
    "carriage returns": "import os\ros.environ['X']\r",
    "parsers": "import argparse\np = argparse.ArgumentParser()"
    + ".add_argument_group()" * 300
    + ".add_argument('--x')",
    "long strings": "x = '" + "a" * 200_000 + "'",
    "odd add_argument": "import argparse\np = argparse.ArgumentParser()\n"
    "p.add_argument()\np.add_argument('')\np.add_argument(*a)",
    "empty": "",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_scripts_are_read_in_bounded_time(read, name: str) -> None:
    started = time.monotonic()
    found = read(HOSTILE[name])
    signature_fault(found)
    assert time.monotonic() - started < 3
    assert all(len(use.path) <= 4096 for use in found.paths)


@pytest.mark.parametrize(
    "content",
    [b"x = '\0'", b"\xff\xfe", b"x = " + b"(" * 9000, b"x = " + b"-" * 300_000 + b"1", b"x=1\n" * 2_500_000],
    ids=["NUL", "not UTF-8", "brackets", "unary", "10 MB"],
)
def test_what_cannot_be_read_is_refused_and_never_crashes(read, content: bytes) -> None:
    with pytest.raises(SpecError, match=r"s\.py"):
        read(content)


def test_other_encodings_keep_their_places(read) -> None:
    found = read("# coding: latin-1\nimport os\né = os.environ.get('É', 'é')\n".encode("latin-1"))
    (variable,) = found.environment
    assert (variable.name, variable.line, variable.default.text) == ("É", 3, "'é'")


def test_time_is_linear_in_scripts_and_in_their_length(read, tmp_path: Path) -> None:
    text = (
        OPTIONS + f"import os\ndef main{FOUR}:\n    environ_vars['X']\n" + "y = f(a + '/x', os.getenv('Z', '1'))\n" * 20
    )
    Path("one.py").write_text(text)
    Path("long.py").write_text(text + "y = f(a + '/x', os.getenv('Z', '1'))\n" * 2000)

    def cost(name: str, times: int) -> float:
        started = time.process_time()
        for _ in range(times):
            facts(Path(name))
        return time.process_time() - started

    few = min(cost("one.py", 20) for _ in range(3))
    assert cost("one.py", 1000) < few * 50 * 2
    # 2,000 more lines of a kind of which 20 and 26 others stand in the first
    assert min(cost("long.py", 1) for _ in range(2)) < few / 20 * 100 * 2
