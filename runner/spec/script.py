"""What a Python script says about itself, read without running it."""

from __future__ import annotations

import ast
import io
import re
import sys
import threading
import tokenize
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from runner.errors import Problem, SpecError

_PARSER = threading.Lock()
"""Two threads in `ast.parse` corrupt its depth counter (SystemError "recursion depth mismatch", CPython gh-106905), and
`catch_warnings` changes the whole process."""
LONGEST = 512 * 1024
"""Bytes: a syntax tree takes up to 700 times its text in memory."""
LONGEST_SEGMENT = 80
_SHOWN = 100
"""Characters of a faulty line."""
_LINE_END = re.compile(r"\r\n|\r|\n")


def third_party_imports(path: Path) -> tuple[str, ...]:
    """Top-level names of the modules that importing the script imports, in the order of the text.

    Left out: the standard library's, the script's own neighbours, what only a type checker sees, and imports inside
    functions, since nobody can say whether those will happen. Raises SpecError for a script that cannot be read or
    is not valid Python (as the Python that runs this tool sees it).
    """
    found = dict.fromkeys(_names(parse(path)))
    return tuple(name for name in found if name not in sys.stdlib_module_names and not is_neighbour(path, name))


@dataclass(frozen=True, slots=True)
class Import:
    """One module that a script imports, by its top-level name."""

    module: str
    line: int


def certain_imports(path: Path) -> tuple[Import, ...]:
    """What the script imports whatever happens: by statements of its own top level, outside of any block.

    The standard library's modules and the script's neighbours are among them. Nothing is certain from the first
    statement on that may change what an import finds: one that names `sys.path` or `sys.modules`, calls something that
    another module gave it, or leaves (`sys.exit`). Raises SpecError as `third_party_imports` does.
    """
    found: dict[str, int] = {}
    for statement in parse(path).body:
        if (
            isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
            and not statement.decorator_list
        ):
            continue
        names = _imported(statement)
        if names is None and any(_may_change_imports(node) for node in ast.walk(statement)):
            break
        for name in names or ():
            if name not in (".", "__future__"):
                found.setdefault(name, statement.lineno)
    return tuple(Import(name, line) for name, line in found.items())


_HARMLESS = frozenset(
    {"warnings", "logging", "Path", "print", "getLogger", "dict", "list", "set", "tuple", "frozenset"}
)
"""What is often called between imports, and finds no modules."""


def _may_change_imports(node: ast.AST) -> bool:
    if isinstance(node, ast.Attribute):
        return node.attr in ("path", "modules", "meta_path", "path_hooks") and _root(node) == "sys"
    return isinstance(node, ast.Raise) or (isinstance(node, ast.Call) and _root(node.func) not in _HARMLESS)


def _root(node: ast.AST) -> str:
    while isinstance(node, ast.Attribute | ast.Call):
        node = node.value if isinstance(node, ast.Attribute) else node.func
    return node.id if isinstance(node, ast.Name) else ""


def _imported(statement: ast.stmt) -> list[str] | None:
    """Top-level names that an import statement imports; None when it is another kind of statement."""
    if isinstance(statement, ast.Import):
        return [alias.name.partition(".")[0] for alias in statement.names]
    if isinstance(statement, ast.ImportFrom):
        return [statement.module.partition(".")[0]] if statement.module and not statement.level else ["."]
    return None


def parse(path: Path) -> ast.Module:
    """The script's syntax tree. Raises SpecError as `third_party_imports` does."""
    return read(path).tree


@dataclass(frozen=True)
class Source:
    """A script that was read and is valid Python, for the Python that runs this tool."""

    path: Path
    tree: ast.Module
    lines: tuple[str, ...]

    def segment(self, node: ast.expr) -> str:
        """The text of an expression, on one line and no longer than `LONGEST_SEGMENT`."""
        line = self.lines[node.lineno - 1].encode("utf-8")  # columns of a tree count bytes of UTF-8
        if node.end_lineno != node.lineno:
            return f"{line[node.col_offset :].decode('utf-8', 'replace').strip()[:LONGEST_SEGMENT]}..."
        text = line[node.col_offset : node.end_col_offset].decode("utf-8", "replace")
        return text if len(text) <= LONGEST_SEGMENT else f"{text[: LONGEST_SEGMENT - 3]}..."


def read(path: Path) -> Source:
    """The script's syntax tree and text; nothing of it is run.

    Raises SpecError, with the line and a caret where there is one: a file that cannot be read, is longer than
    `LONGEST`, holds NUL bytes, is not in its encoding, or is not valid Python.
    """
    source = source_of(path)
    return Source(path, tree_of(source, str(path)), _lines(source))


def tree_of(source: bytes, path: str) -> ast.Module:
    """The syntax tree of what `source_of` gave. Raises SpecError, as `read` does."""
    try:
        with _PARSER, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about the script's own style: its own run will show them
            return ast.parse(_characters(source), filename=path)
    except SyntaxError as error:
        place = (error.lineno or 0, error.offset or 1)
        raise _refused(Path(path), *place, f"{error.msg}{_excerpt(source, *place)}") from None
    except (ValueError, RecursionError, MemoryError) as error:
        raise _refused(Path(path), 0, 0, f"{error or 'too deeply nested'}") from None


def source_of(path: Path) -> bytes:
    """A script's bytes, when they may be Python. Raises SpecError, as `read` does."""
    from runner.spec.document import shown

    try:
        with path.open("rb") as file:
            source = file.read(LONGEST + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise SpecError([Problem(shown(path), 0, 0, "", f"cannot be read: {reason}")]) from None
    if len(source) > LONGEST:
        message = f"is longer than {LONGEST:,} bytes, more than any script needs: not read"
        raise SpecError([Problem(shown(path), 0, 0, "", message)])
    if b"\0" in source:
        before = source[: source.index(b"\0")]
        column = len(before) - (before.rfind(b"\n") + 1) + 1
        message = "source code string cannot contain null bytes"
        raise _refused(path, before.count(b"\n") + 1, column, message)
    return source


def _characters(source: bytes) -> str | bytes:
    """The text where it is UTF-8: from bytes without a coding cookie, CPython counts an error's column in bytes."""
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(source).readline)
        return source.decode("utf-8-sig") if encoding.startswith("utf-8") else source
    except (SyntaxError, UnicodeDecodeError):
        return source  # the parser has the better words


def _refused(path: Path, line: int, column: int, message: str) -> SpecError:
    from runner.spec.document import shown

    return SpecError([Problem(shown(path), line, column, "", f"not valid Python: {message}")])


def _excerpt(source: bytes, line: int, column: int) -> str:
    """The faulty line and a caret below its column; empty when there is no such line."""
    from runner.spec.scalar import escaped

    lines = _lines(source)
    if not 0 < line <= len(lines) or not lines[line - 1].strip():
        return ""
    text = lines[line - 1].replace("\t", " ")
    start = max(0, column - 1 - _SHOWN // 2) if len(text) > _SHOWN else 0
    part, before = text[start : start + _SHOWN].rstrip(), text[start : max(column - 1, 0)]
    margin = len(part) - len(part.lstrip())
    caret = " " * (len(escaped(before)) - min(margin, len(before)))
    return f"\n    {escaped(part.lstrip())}\n    {caret}^"


def _lines(source: bytes) -> tuple[str, ...]:
    """The lines as Python counts them."""
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(source).readline)
        text = source.decode(encoding, "replace")
    except (SyntaxError, LookupError):
        text = source.decode("utf-8", "replace")
    return tuple(_LINE_END.split(text.removeprefix("\ufeff")))


def _names(tree: ast.Module) -> Iterator[str]:
    pending: list[ast.AST] = [tree]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            yield node.module.partition(".")[0]
        elif isinstance(node, ast.If) and is_type_checking(node.test):
            pending += reversed(node.orelse)
        elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.expr):
            pending += reversed(list(ast.iter_child_nodes(node)))


def is_type_checking(test: ast.expr) -> bool:
    return (isinstance(test, ast.Name) and test.id == "TYPE_CHECKING") or (
        isinstance(test, ast.Attribute) and test.attr == "TYPE_CHECKING"
    )


def is_neighbour(path: Path, name: str) -> bool:
    """Python puts the script's own directory first on its path, so a neighbour wins over what is installed."""
    package = path.parent / name
    return (path.parent / f"{name}.py").is_file() or (package.is_dir() and any(package.glob("*.py")))
