"""What a script looks up by name: environment variables, and the logical names of its inputs and outputs."""

from __future__ import annotations

import ast
from dataclasses import dataclass

from runner.spec.script import Source
from runner.spec.scripts.entry import EXPECTED
from runner.spec.scripts.literals import Literals, assigned
from runner.spec.scripts.model import EnvironmentRead, PortRead, Unread, Value
from runner.spec.scripts.options import value_of
from runner.spec.scripts.walk import Around, Visit, misses

_ENVIRON = "os.environ"
_READS = frozenset({"get", "pop", "setdefault"})
_HARMLESS = frozenset({"update", "putenv", "clear"})


@dataclass(frozen=True, slots=True)
class _Lookup:
    name: str
    line: int
    required: bool
    default: Value | None


class _Mapping:
    """Watches one mapping: which keys are looked up in it, and where it is used as a whole."""

    def __init__(self, source: Source, literals: Literals) -> None:
        self.source = source
        self.literals = literals
        self.found: list[_Lookup] = []
        self.asked: set[str] = set()
        """Keys of which the script asks whether they are there: it can do without."""
        self.whole: list[tuple[int, str]] = []

    def subscript(self, node: ast.Subscript, around: Around) -> None:
        if isinstance(node.ctx, ast.Load):
            self._add(node.slice, node.lineno, not misses(around.caught, "key"), None)

    def call(self, node: ast.Call, around: Around, method: str) -> None:
        """`mapping.get(...)` and its like; `os.getenv(...)` is a `get`."""
        if method in _READS and node.args:
            default = (
                node.args[1]
                if len(node.args) > 1
                else next((w.value for w in node.keywords if w.arg == "default"), None)
            )
            value = None if default is None else value_of(default, self.source, self.literals)
            required = method == "pop" and value is None and not misses(around.caught, "key")
            self._add(node.args[0], node.lineno, required, value)
        elif method not in _HARMLESS:
            self.whole.append((node.lineno, f"'.{method}' uses all of it"))

    def asks(self, node: ast.Compare) -> None:
        key = self.literals.text(node.left)
        if key is not None:
            self.asked.add(key)

    def _add(self, key: ast.expr, line: int, required: bool, default: Value | None) -> None:
        name = self.literals.text(key)
        if name is None:
            self.whole.append((line, "a name is computed"))
        else:
            self.found.append(_Lookup(name, line, required, default))

    def lookups(self) -> list[_Lookup]:
        return [
            _Lookup(each.name, each.line, each.required and each.name not in self.asked, each.default)
            for each in self.found
        ]


def lookups_of(
    source: Source, visits: list[Visit], literals: Literals, main: ast.AST | None
) -> tuple[list[EnvironmentRead], list[PortRead], list[Unread]]:
    """What is looked up in `os.environ`, and by `main` in what it is given."""
    environ = _Mapping(source, literals)
    _watch(visits, literals, {_ENVIRON: environ}, _passed_on(visits, literals))
    read = [EnvironmentRead(each.name, each.line, each.required, each.default) for each in environ.lookups()]
    unread = [Unread("environment", line, reason) for line, reason in environ.whole]
    ports: list[PortRead] = []
    given = _given(main)
    mappings = {name: _Mapping(source, literals) for name in given}
    if mappings:
        below = {id(node) for node in ast.walk(main)} if main is not None else set()
        _watch([visit for visit in visits if id(visit[0]) in below], literals, mappings, set())
    for name, mapping in mappings.items():
        place = given.index(name)
        if place == EXPECTED.index("environ_vars"):
            read += [EnvironmentRead(e.name, e.line, e.required, e.default, "main") for e in mapping.lookups()]
            unread += [Unread("environment", line, reason) for line, reason in mapping.whole]
        else:
            kind = "input" if place == 0 else "output"
            ports += [PortRead(kind, each.name, each.line, each.required) for each in mapping.lookups()]
            unread += [Unread(kind, line, reason) for line, reason in mapping.whole]
    return sorted(read, key=lambda each: each.line), ports, unread


def _given(main: ast.AST | None) -> list[str]:
    """The names that `main` has for its first three arguments, by position."""
    if not isinstance(main, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
        return []
    names = [each.arg for each in (*main.args.posonlyargs, *main.args.args)]
    return names[:3] if len(names) >= len(EXPECTED) else []


def _passed_on(visits: list[Visit], literals: Literals) -> set[int]:
    """Uses of the whole environment that say nothing of names: given to `main`, which is read itself, or to a child."""
    expected: set[int] = set()
    for node, _ in visits:
        if not isinstance(node, ast.Call):
            continue
        given = [word.value for word in node.keywords if word.arg in ("env", "environ_vars")]
        if isinstance(node.func, ast.Name) and node.func.id == "main" and len(node.args) > 2:
            given.append(node.args[2])
        for each in given:
            value = literals.constants.get(each.id, each) if isinstance(each, ast.Name) else each
            expected |= {id(part) for part in ast.walk(value) if isinstance(part, ast.Name | ast.Attribute)}
    return expected


def _watch(visits: list[Visit], literals: Literals, mappings: dict[str, _Mapping], seen: set[int]) -> None:
    """Tell each mapping of its uses. `seen` are nodes that need no look any more."""
    for node, around in visits:
        if isinstance(node, ast.Subscript):
            mapping = _mapping(node.value, literals, mappings, seen)
            if mapping is not None:
                mapping.subscript(node, around)
        elif isinstance(node, ast.Call):
            _watch_call(node, around, literals, mappings, seen)
        elif isinstance(node, ast.Compare):
            if len(node.ops) == 1 and isinstance(node.ops[0], ast.In | ast.NotIn):
                mapping = _mapping(node.comparators[0], literals, mappings, seen)
                if mapping is not None:
                    mapping.asks(node)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            for name, value in assigned(node):
                if literals.constants.get(name) is value and literals.dotted(value) in mappings:
                    seen.add(id(value))  # another name for the mapping, whose uses are seen
        elif isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Load) and id(node) not in seen:
            mapping = mappings.get(literals.dotted(node) or "")
            if mapping is not None:
                mapping.whole.append((node.lineno, "all of it is used at once"))


def _watch_call(
    node: ast.Call, around: Around, literals: Literals, mappings: dict[str, _Mapping], seen: set[int]
) -> None:
    if literals.dotted(node.func) == "os.getenv" and _ENVIRON in mappings:
        mappings[_ENVIRON].call(node, around, "get")
    elif isinstance(node.func, ast.Attribute):
        if id(node.func.value) in seen and node.func.attr not in _READS:
            return
        mapping = _mapping(node.func.value, literals, mappings, seen)
        if mapping is not None:
            mapping.call(node, around, node.func.attr)


def _mapping(node: ast.expr, literals: Literals, mappings: dict[str, _Mapping], seen: set[int]) -> _Mapping | None:
    found = mappings.get(literals.dotted(node) or "") if isinstance(node, ast.Name | ast.Attribute) else None
    if found is not None:
        seen.add(id(node))
    return found
