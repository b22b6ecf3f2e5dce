"""What an interpreter may import before its script starts, without the script being able to tell.

These are the libraries that the script imports first of all, also by way of its own modules, in the order in which it
does. The walk follows the text and ends at the first thing that may change what a later import finds (`sys.path`) or
does (`OMP_NUM_THREADS`), or where nobody can say what Python will do.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from runner.errors import SpecError
from runner.spec.libraries import objection
from runner.spec.script import is_type_checking, source_of, tree_of

MOST_FILES = 64
MOST_BYTES = 1 << 20
"""Of the user's modules that are read for one script."""
OWN = "own"
_HARMLESS = frozenset(
    {"Counter", "NewType", "Path", "PurePath", "TypeVar", "bool", "defaultdict", "dict", "float", "frozenset"}
    | {"getLogger", "int", "len", "list", "namedtuple", "range", "set", "sorted", "str", "timedelta", "tuple"}
    | {"collections.Counter", "collections.defaultdict", "collections.namedtuple", "datetime.timedelta"}
    | {"logging.getLogger", "os.environ.get", "os.getenv", "os.path.abspath", "os.path.dirname", "os.path.join"}
    | {"pathlib.Path", "pathlib.PurePath", "re.compile", "typing.NewType", "typing.TypeVar"}
)
"""What may be called between imports. Not `warnings`: what it filters, an import may say."""
_OF_PATHS = frozenset({"absolute", "joinpath", "resolve", "with_name"})
"""Methods that may be called on what such a call gives."""
_DECORATORS = frozenset(
    {"abstractmethod", "cache", "cached_property", "classmethod", "contextmanager", "dataclass", "lru_cache"}
    | {"overload", "property", "staticmethod", "total_ordering", "abc.abstractmethod", "contextlib.contextmanager"}
    | {"dataclasses.dataclass", "functools.cache", "functools.cached_property", "functools.lru_cache"}
    | {"functools.total_ordering", "typing.overload"}
)


@dataclass(frozen=True, slots=True)
class End:
    """Where the early imports end before the script's imports do."""

    file: str
    """The script's name, or the file's relative to the root in which it lies."""
    line: int
    why: str
    module: str = ""
    """The library that must not be imported early, if that is it."""

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.why}"


@dataclass(frozen=True, slots=True)
class Early:
    """`modules` in their order: dotted names; `package:name,name` for `from package import name, name`, of which each
    may be a module of the package."""

    modules: tuple[str, ...]
    end: End | None = None


def early_imports(script: Path, roots: tuple[Path, ...]) -> Early:
    """What may be imported before this script starts. `roots`: the host directories that stand first on its `sys.path`;
    none for a script that is sent alone. Raises SpecError for a script that cannot be read or is not valid Python (as
    the Python that runs this tool sees it)."""
    walk = _Walk(roots)
    try:
        walk.file(script, script.name, ())
    except _Ended as ended:
        return Early(tuple(walk.found), ended.end)
    return Early(tuple(walk.found))


class _Ended(Exception):
    def __init__(self, file: str, line: int, why: str, module: str = "") -> None:
        super().__init__(why)
        self.end = End(file, line, why, module)


@dataclass(frozen=True, slots=True)
class _Import:
    """One module of one statement. `level`: leading dots."""

    line: int
    module: str
    names: tuple[str, ...] = ()
    level: int = 0


@dataclass(frozen=True, slots=True)
class _Obstacle:
    line: int


@dataclass
class _Walk:
    roots: tuple[Path, ...]
    found: dict[str, None] = field(default_factory=dict)
    _seen: set[Path] = field(default_factory=set)
    _bytes: int = 0

    def file(self, path: Path, shown: str, package: tuple[str, ...], root: Path | None = None) -> None:
        """Go through one file, once. `package`: of which its relative imports start, below `root`."""
        if path in self._seen:
            return
        self._seen.add(path)
        source = source_of(path)
        self._bytes += len(source)
        for each in _summary(source, shown, is_script=len(self._seen) == 1):
            if isinstance(each, _Obstacle):
                raise _Ended(shown, each.line, "a statement that may change what an import finds or does")
            parts = tuple(part for part in each.module.split(".") if part)
            if not each.level:
                self._take(parts, each, shown)
            elif root is None or each.level > len(package):
                raise _Ended(shown, each.line, "a relative import outside of a package")
            else:
                self._own(root, (*package[: len(package) - each.level + 1], *parts), each, shown)

    def _take(self, parts: tuple[str, ...], wanted: _Import, shown: str) -> None:
        """An absolute import."""
        top = parts[0]
        for root in self.roots:
            if kind := _neighbour(root, top):
                if kind != OWN:
                    raise _Ended(shown, wanted.line, f"'{top}' is beside the script, {kind}")
                return self._own(root, parts, wanted, shown)
        if top in sys.stdlib_module_names:
            return None
        if why := objection(wanted.module):
            raise _Ended(shown, wanted.line, f"'{top}' {why}", top)
        # A name of a package's may be a module of it; a name of a module's costs nothing more.
        names = sorted({name for name in wanted.names if name.islower()}) if len(parts) == 1 else ()
        self.found[f"{wanted.module}:{','.join(names)}" if names else wanted.module] = None
        return None

    def _own(self, root: Path, parts: tuple[str, ...], wanted: _Import, shown: str) -> None:
        """A module of the user's: each package on the way to it, itself, and what is taken from it."""
        for count in range(1, len(parts) + 1):
            self._module(root, parts[:count], wanted, shown)
        place = root.joinpath(*parts)
        if not place.is_dir():
            return
        if "*" in wanted.names:
            raise _Ended(shown, wanted.line, f"'{'.'.join(parts)}' is a package, and says itself what its `*` is")
        for name in wanted.names:
            if (place / f"{name}.py").is_file() or (place / name).is_dir():
                self._module(root, (*parts, name), wanted, shown)

    def _module(self, root: Path, parts: tuple[str, ...], wanted: _Import, shown: str) -> None:
        place = root.joinpath(*parts)
        is_package = place.is_dir()
        file = place / "__init__.py" if is_package else place.with_name(f"{place.name}.py")
        if is_package and not file.is_file():
            return  # a namespace
        name = ".".join(parts)
        if not file.is_file():
            raise _Ended(shown, wanted.line, f"there is no module '{name}'")
        if len(self._seen) >= MOST_FILES or self._bytes >= MOST_BYTES:
            raise _Ended(shown, wanted.line, f"{MOST_FILES} files or {MOST_BYTES:,} bytes were read by then")
        try:
            self.file(file, file.relative_to(root).as_posix(), parts if is_package else parts[:-1], root)
        except SpecError:
            raise _Ended(shown, wanted.line, f"module '{name}' cannot be read, or is not valid Python") from None


def _neighbour(root: Path, name: str) -> str:
    """`OWN` for a module of the user's, empty when there is none beside the script; else why nothing can be said."""
    package, module = root / name, root / f"{name}.py"
    is_package = package.is_dir() and any(package.glob("*.py"))
    if not is_package and not module.is_file():
        compiled = [*root.glob(f"{name}.*.so"), *root.glob(f"{name}.so"), *root.glob(f"{name}.pyc")]
        return "compiled" if compiled else ""
    if name in sys.stdlib_module_names:
        return "where it may hide the standard library's"
    if is_package and not (package / "__init__.py").is_file() and not objection(name):
        return "as a directory without `__init__.py`, and the image's own may win"
    return OWN


@lru_cache(maxsize=512)
def _summary(source: bytes, shown: str, *, is_script: bool) -> tuple[_Import | _Obstacle, ...]:
    """What counts in a text, up to its first obstacle. Kept: many steps have one script, and a tree is large."""
    found: list[_Import | _Obstacle] = []
    for statement in tree_of(source, shown).body:
        imported = list(_imports(statement))
        if not imported and not _is_quiet(statement, is_script=is_script):
            return (*found, _Obstacle(statement.lineno))
        found += imported
    return tuple(found)


def _imports(statement: ast.stmt) -> Iterator[_Import]:
    if isinstance(statement, ast.Import):
        yield from (_Import(statement.lineno, alias.name) for alias in statement.names)
    elif isinstance(statement, ast.ImportFrom):
        names = tuple(alias.name for alias in statement.names)
        yield _Import(statement.lineno, statement.module or "", names, statement.level)


def _is_quiet(statement: ast.stmt, *, is_script: bool) -> bool:
    """Whether a statement only binds names of its own module, to values that calling nothing of others' gives."""
    match statement:
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            arguments, returns = statement.args, [statement.returns] if statement.returns else []
            return _only_standard(statement.decorator_list) and _calls_nothing([arguments, *returns])
        case ast.ClassDef():
            parts = [*statement.bases, *statement.keywords]
            body = all(_is_quiet(each, is_script=is_script) for each in statement.body)
            return _only_standard(statement.decorator_list) and body and _calls_nothing(parts)
        case ast.Assign():
            return _names_only(statement.targets) and _calls_nothing([statement.value])
        case ast.AnnAssign():
            value = [statement.value] if statement.value else []
            return _names_only([statement.target]) and _calls_nothing([statement.annotation, *value])
        case ast.If():
            never = is_type_checking(statement.test) or (not is_script and _is_main_guard(statement.test))
            return never and not statement.orelse
        case ast.Expr():
            return isinstance(statement.value, ast.Constant)
    return isinstance(statement, ast.Pass)


def _names_only(targets: Sequence[ast.expr]) -> bool:
    names = {"__path__", "__getattr__", "__package__", "__name__"}  # these change what an import finds
    return all(isinstance(target, ast.Name) and target.id not in names for target in targets)


def _calls_nothing(parts: Sequence[ast.AST]) -> bool:
    nodes = [node for part in parts for node in ast.walk(part)]
    busy = (ast.Await, ast.Yield, ast.YieldFrom, ast.NamedExpr, ast.ListComp, ast.SetComp, ast.DictComp)
    if any(isinstance(node, busy) for node in nodes):
        return False
    return all(_is_harmless(node.func) for node in nodes if isinstance(node, ast.Call))


def _is_harmless(function: ast.expr) -> bool:
    if isinstance(function, ast.Attribute) and isinstance(function.value, ast.Call):
        return function.attr in _OF_PATHS  # and what it is called on is looked at by itself
    return ast.unparse(function) in _HARMLESS


def _only_standard(decorators: Sequence[ast.expr]) -> bool:
    """As `@dataclass` and `@lru_cache(maxsize=1)`."""
    for each in decorators:
        name, arguments = (each.func, [*each.args, *each.keywords]) if isinstance(each, ast.Call) else (each, [])
        if ast.unparse(name) not in _DECORATORS or not _calls_nothing(arguments):
            return False
    return True


def _is_main_guard(test: ast.expr) -> bool:
    return isinstance(test, ast.Compare) and ast.unparse(test) in ("__name__ == '__main__'", "'__main__' == __name__")
