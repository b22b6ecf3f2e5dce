"""What a Python script says about itself, read without running it."""

from __future__ import annotations

import ast
import sys
import threading
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from runner.errors import Problem, SpecError

_PARSER = threading.Lock()
"""Two threads in `ast.parse` corrupt its depth counter (SystemError "recursion depth mismatch", CPython gh-106905), and
`catch_warnings` changes the whole process."""


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


_KNOWN = frozenset(
    {"boto3", "botocore", "catboost", "joblib", "lightgbm", "matplotlib", "numpy", "pandas", "pyarrow", "requests"}
    | {"scipy", "seaborn", "sklearn", "statsmodels", "xgboost", "yaml"}
)
"""Libraries whose import looks neither at /opt/ml nor at anything else that a step brings with it."""


def early_imports(path: Path) -> tuple[str, ...]:
    """Known libraries that may be imported before the script starts, without the script being able to tell.

    Only those of the unbroken run of imports at its top: from the first other statement on, the script may have changed
    what an import finds (`sys.path`) or does (`OMP_NUM_THREADS`), and so may a module that is not known here. Raises
    SpecError as `third_party_imports` does.
    """
    found: dict[str, None] = {}
    for statement in parse(path).body:
        names = _imported(statement)
        if names is None and not _is_docstring(statement):
            break
        third_party = [name for name in names or () if name not in sys.stdlib_module_names]
        if any(name not in _KNOWN or is_neighbour(path, name) for name in third_party):
            break
        found |= dict.fromkeys(third_party)
    return tuple(found)


def _imported(statement: ast.stmt) -> list[str] | None:
    """Top-level names that an import statement imports; None when it is another kind of statement."""
    if isinstance(statement, ast.Import):
        return [alias.name.partition(".")[0] for alias in statement.names]
    if isinstance(statement, ast.ImportFrom):
        return [statement.module.partition(".")[0]] if statement.module and not statement.level else ["."]
    return None


def _is_docstring(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def parse(path: Path) -> ast.Module:
    """The script's syntax tree. Raises SpecError as `third_party_imports` does."""
    from runner.spec.document import shown

    try:
        source = path.read_bytes()
        with _PARSER, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about the script's own style: its own run will show them
            return ast.parse(source, filename=str(path))
    except SyntaxError as error:
        place = (error.lineno or 0, error.offset or 1)
        raise SpecError([Problem(shown(path), *place, "", f"not valid Python: {error.msg}")]) from None
    except OSError as error:
        raise SpecError([Problem(shown(path), 0, 0, "", f"cannot be read: {error.strerror}")]) from None
    except (ValueError, RecursionError, MemoryError) as error:
        raise SpecError([Problem(shown(path), 0, 0, "", f"not valid Python: {error or 'too deeply nested'}")]) from None


def _names(tree: ast.Module) -> Iterator[str]:
    pending: list[ast.AST] = [tree]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            yield node.module.partition(".")[0]
        elif isinstance(node, ast.If) and _is_type_checking(node.test):
            pending += reversed(node.orelse)
        elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.expr):
            pending += reversed(list(ast.iter_child_nodes(node)))


def _is_type_checking(test: ast.expr) -> bool:
    return (isinstance(test, ast.Name) and test.id == "TYPE_CHECKING") or (
        isinstance(test, ast.Attribute) and test.attr == "TYPE_CHECKING"
    )


def is_neighbour(path: Path, name: str) -> bool:
    """Python puts the script's own directory first on its path, so a neighbour wins over what is installed."""
    package = path.parent / name
    return (path.parent / f"{name}.py").is_file() or (package.is_dir() and any(package.glob("*.py")))
