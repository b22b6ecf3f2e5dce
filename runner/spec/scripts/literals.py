"""What an expression means, as far as literals, module constants and path arithmetic say it."""

from __future__ import annotations

import ast
import posixpath
from collections import Counter
from dataclasses import dataclass
from typing import Final

_DEEPEST = 40
"""Levels of an expression; nobody writes a literal deeper, and the interpreter's stack is finite."""
_LONGEST = 4096
"""Characters of a text, and entries of a container: names that double each other would fill the memory."""


class _Unknown:
    def __repr__(self) -> str:
        return "UNKNOWN"


UNKNOWN: Final = _Unknown()


@dataclass(frozen=True, slots=True)
class Beginning:
    """A text of which only the beginning is known."""

    text: str


_PATHS = frozenset(
    {"pathlib.Path", "pathlib.PurePath", "pathlib.PosixPath", "pathlib.PurePosixPath", "os.fspath", "str"}
)
_JOINS = frozenset({"os.path.join", "posixpath.join"})


class Literals:
    """Reads expressions of one script. Names count where the whole script binds them once: then they mean the same
    everywhere, whatever the order of execution."""

    def __init__(self, nodes: list[ast.AST]) -> None:
        """`nodes` are all nodes of the script's tree."""
        bindings = Counter(name for node in nodes for name in bound(node))
        self.constants: dict[str, ast.expr] = {}
        self._modules: dict[str, str] = {}
        for node in nodes:
            if isinstance(node, ast.Import):
                for alias in node.names:
                    self._modules[alias.asname or alias.name.partition(".")[0]] = (
                        alias.name if alias.asname else alias.name.partition(".")[0]
                    )
            elif isinstance(node, ast.ImportFrom) and not node.level:
                self._modules |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
            for name, value in assigned(node):
                if bindings[name] == 1:
                    self.constants[name] = value
        self._known: dict[int, object] = {}

    def dotted(self, node: ast.expr, depth: int = 0) -> str | None:
        """What a name stands for, as `os.environ`, under whichever name it was imported; None for anything else."""
        parts: list[str] = []
        while isinstance(node, ast.Attribute):
            parts.append(node.attr)
            node = node.value
        if not isinstance(node, ast.Name):
            return None
        base = self._modules.get(node.id)
        constant = self.constants.get(node.id)
        if base is None and isinstance(constant, ast.Name | ast.Attribute) and depth < _DEEPEST:
            base = self.dotted(constant, depth + 1)
        return ".".join([base or node.id, *reversed(parts)])

    def value(self, node: ast.expr, depth: int = 0) -> object:
        """Text, number, True, False, None, list, tuple or dict; a `Beginning`; or UNKNOWN."""
        if depth > _DEEPEST:
            return UNKNOWN
        if id(node) not in self._known:
            self._known[id(node)] = UNKNOWN  # also what a constant defined by itself finds
            self._known[id(node)] = _bounded(self._value(node, depth + 1))
        return self._known[id(node)]

    def text(self, node: ast.expr) -> str | None:
        """The whole text, or None."""
        found = self.value(node)
        return found if isinstance(found, str) else None

    def _value(self, node: ast.expr, depth: int) -> object:
        if isinstance(node, ast.Constant):
            return node.value if isinstance(node.value, str | int | float | bool | None) else UNKNOWN
        if isinstance(node, ast.Name):
            return self.value(self.constants[node.id], depth) if node.id in self.constants else UNKNOWN
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            number = self.value(node.operand, depth)
            return -number if isinstance(number, int | float) and not isinstance(number, bool) else UNKNOWN
        if isinstance(node, ast.JoinedStr):
            return self._joined([_plain(part) for part in node.values], depth)
        if isinstance(node, ast.BinOp):
            return self._operation(node, depth)
        if isinstance(node, ast.List | ast.Tuple | ast.Set):
            items = [self.value(item, depth) for item in node.elts[:_LONGEST]]
            return UNKNOWN if any(_open(item) for item in items) else items
        if isinstance(node, ast.Dict):
            return self._mapping(list(zip(node.keys, node.values, strict=True)), depth)
        if isinstance(node, ast.Subscript):
            return self._item(node, depth)
        return self._call(node, depth) if isinstance(node, ast.Call) else UNKNOWN

    def _operation(self, node: ast.BinOp, depth: int) -> object:
        terms = spine(node)
        if isinstance(node.op, ast.Add):
            return self._joined(terms, depth)
        if isinstance(node.op, ast.Div):
            return self._path(terms, depth)
        return UNKNOWN

    def _joined(self, terms: list[ast.expr], depth: int) -> object:
        """Texts one after the other. Of a sum of anything else nothing is known."""
        text = ""
        for term in terms:
            part = self.value(term, depth)
            if isinstance(part, Beginning):
                return Beginning(text + part.text)
            if not isinstance(part, str):
                return Beginning(text) if text else UNKNOWN
            text += part
        return text

    def _path(self, terms: list[ast.expr], depth: int) -> object:
        """As `os.path.join`, which an absolute part starts anew."""
        found = ""
        for term in terms:
            part = self.value(term, depth)
            if isinstance(part, Beginning):
                return Beginning(posixpath.join(found, part.text))
            if not isinstance(part, str):
                return Beginning(posixpath.join(found, "")) if found else UNKNOWN
            found = posixpath.join(found, part)
        return found

    def _mapping(self, items: list[tuple[ast.expr | None, ast.expr]], depth: int) -> object:
        found: dict[object, object] = {}
        for key, value in items[:_LONGEST]:
            held = self.value(value, depth)
            if key is None:
                if not isinstance(held, dict):
                    return UNKNOWN
                found |= held
                continue
            name = self.value(key, depth)
            if not isinstance(name, str | int | float | bool | None):
                return UNKNOWN
            found[name] = held
        return found

    def _item(self, node: ast.Subscript, depth: int) -> object:
        holder, key = self.value(node.value, depth), self.value(node.slice, depth)
        if isinstance(holder, dict) and isinstance(key, str | int):
            return holder.get(key, UNKNOWN)
        return UNKNOWN

    def _call(self, node: ast.Call, depth: int) -> object:
        name = self.dotted(node.func)
        if name in _JOINS or (name in _PATHS and node.args):
            return self._path(node.args, depth) if not node.keywords else UNKNOWN
        if name == "dict" and not node.args:
            pairs = [(ast.Constant(word.arg) if word.arg else None, word.value) for word in node.keywords]
            return self._mapping([*pairs], depth)
        if isinstance(node.func, ast.Attribute) and node.func.attr == "joinpath" and not node.keywords:
            return self._path([node.func.value, *node.args], depth)
        return UNKNOWN


def _plain(part: ast.expr) -> ast.expr:
    """What a field of an f-string shows as it is; with a conversion or a format it stays unread."""
    shown = isinstance(part, ast.FormattedValue) and part.conversion == -1 and part.format_spec is None
    return part.value if isinstance(part, ast.FormattedValue) and shown else part


def spine(node: ast.BinOp) -> list[ast.expr]:
    """The terms of `a + b + c`, or of `a / b / c`, from the left; a loop, since such chains grow long."""
    terms: list[ast.expr] = []
    left: ast.expr = node
    while isinstance(left, ast.BinOp) and isinstance(left.op, type(node.op)):
        terms.append(left.right)
        left = left.left
    return [left, *reversed(terms)]


def _open(value: object) -> bool:
    return value is UNKNOWN or isinstance(value, Beginning)


def _bounded(value: object) -> object:
    size = (
        len(value.text) if isinstance(value, Beginning) else len(value) if isinstance(value, str | list | dict) else 0
    )
    return value if size <= _LONGEST else UNKNOWN


def assigned(node: ast.AST) -> list[tuple[str, ast.expr]]:
    """Names that a statement gives a value of their own, with the value."""
    if isinstance(node, ast.Assign):
        return [(target.id, node.value) for target in node.targets if isinstance(target, ast.Name)]
    if isinstance(node, ast.AnnAssign) and node.value is not None and isinstance(node.target, ast.Name):
        return [(node.target.id, node.value)]
    if isinstance(node, ast.NamedExpr) and isinstance(node.target, ast.Name):
        return [(node.target.id, node.value)]
    return []


def bound(node: ast.AST) -> list[str]:
    """The names that a node itself binds."""
    if isinstance(node, ast.Name):
        return [] if isinstance(node.ctx, ast.Load) else [node.id]
    if isinstance(node, ast.arg):
        return [node.arg]
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return [node.name]
    if isinstance(node, ast.alias):
        return [node.asname or node.name.partition(".")[0]]
    if isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar) and node.name:
        return [node.name]
    if isinstance(node, ast.MatchMapping) and node.rest:
        return [node.rest]
    return []
