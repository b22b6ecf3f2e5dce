"""Contracts in Python modules: `NAME = ScriptContract(...)` with literals, read without importing the module.

Also literal: constants of the module by their names, texts put together with `+`, f-strings of constants, `dict(...)`,
`**other`, `*other`, and lists put together with `+`. Anything else is refused with its line.
"""

from __future__ import annotations

import ast
from pathlib import Path

from runner.errors import Problem, SpecError
from runner.spec import script
from runner.spec.document import Document, Mark, Marks, shown
from runner.spec.scalar import Literal
from runner.spec.scripts.literals import Literals, assigned

_DEEPEST = 40
_MOST = 10_000
"""Values in one module: constants that double each other would fill the memory."""
Written = tuple[str, str, Document]
"""Name of the variable, name of the class, and the arguments as a document."""


def read(path: Path) -> list[Written]:
    """The contracts of a module, in the order of its text; not yet checked.

    Raises SpecError for a module that is not valid Python, and for every part of a contract that is not literal.
    """
    source = script.read(path)
    nodes = list(ast.walk(source.tree))
    builder = _Builder(source, Literals(nodes))
    found: list[Written] = []
    for statement in source.tree.body:
        for name, value in assigned(statement):
            kind = _class(value)
            if kind is not None and isinstance(value, ast.Call):
                found.append((name, kind, builder.document(value)))
    if builder.problems:
        raise SpecError(builder.problems)
    return found


def _class(node: ast.expr) -> str | None:
    """The class that a call makes a contract of."""
    if not isinstance(node, ast.Call):
        return None
    name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
    return name if name.endswith("Contract") else None


class _NotLiteral(Exception):
    def __init__(self, node: ast.expr, reason: str = "") -> None:
        self.node = node
        self.reason = reason


class _Builder:
    """Makes plain data with places from expressions, as `spec.builder` does from YAML."""

    def __init__(self, source: script.Source, literals: Literals) -> None:
        self.source = source
        self.literals = literals
        self.problems: list[Problem] = []
        self._file = shown(source.path)
        self._marks: Marks = {}
        self._left = _MOST

    def document(self, call: ast.Call) -> Document:
        data: dict[str, object] = {}
        marks: dict[str | int, tuple[Mark, Mark]] = {}
        self._marks = {id(data): marks}
        for argument in call.args:
            self._fault(argument, "", "write the name of the field before it, as entry_point=...")
        for word in call.keywords:
            try:
                if word.arg is None:
                    self._merge(data, marks, word.value, 0)
                else:
                    key = (word.lineno, self._column(word))
                    data[word.arg] = self._value(word.value, 0)
                    marks[word.arg] = (key, self._mark(word.value))
            except _NotLiteral as error:
                self._fault(error.node, word.arg or "", error.reason)
        if not call.keywords:
            self._fault(call, "", "the contract is empty")
        return Document(self._file, "\n".join(self.source.lines).encode("utf-8", "replace"), data, self._marks)

    def _fault(self, node: ast.expr, path: str, reason: str) -> None:
        expected = "write a text, number, list or mapping, or a constant of this module"
        message = reason or f"`{self.source.segment(node)}` is not literal; {expected}"
        self.problems.append(Problem(self._file, node.lineno, self._column(node), path, message))

    def _value(self, node: ast.expr, depth: int) -> object:
        self._left -= 1
        if depth > _DEEPEST or self._left < 0:
            raise _NotLiteral(node, "too much to be a contract: nested too deeply, or too many values")
        if isinstance(node, ast.Name) and node.id in self.literals.constants:
            return self._value(self.literals.constants[node.id], depth + 1)
        if isinstance(node, ast.Dict):
            return self._mapping([*zip(node.keys, node.values, strict=True)], depth)
        if isinstance(node, ast.Call) and self.literals.dotted(node.func) == "dict" and not node.args:
            keys: list[ast.expr | None] = [self._key(word) for word in node.keywords]
            return self._mapping([*zip(keys, (word.value for word in node.keywords), strict=True)], depth)
        if isinstance(node, ast.List | ast.Tuple | ast.Set):
            return self._list(node.elts, depth)
        if (
            isinstance(node, ast.Call)
            and self.literals.dotted(node.func) in ("list", "tuple", "set")
            and not node.keywords
        ):
            return self._list([ast.Starred(each) for each in node.args], depth)
        text = self.literals.value(node)
        if text is None or isinstance(text, str):
            return text
        if isinstance(text, bool | int | float):
            return Literal(self.source.segment(node) if isinstance(node, ast.Constant) else repr(text), text)
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
            return self._list([ast.Starred(node.left), ast.Starred(node.right)], depth)
        raise _NotLiteral(node)

    def _mapping(self, items: list[tuple[ast.expr | None, ast.expr]], depth: int) -> dict[str, object]:
        data: dict[str, object] = {}
        marks: dict[str | int, tuple[Mark, Mark]] = {}
        own: set[str] = set()
        for key, value in items:
            if key is None:
                self._merge(data, marks, value, depth)
                continue
            name = self.literals.value(key)
            if not isinstance(name, str):
                raise _NotLiteral(key)
            if name in own:
                raise _NotLiteral(key, f"duplicate key '{name}': first given at {self._file}:{marks[name][0][0]}")
            own.add(name)
            data[name] = self._value(value, depth + 1)
            marks[name] = (self._mark(key), self._mark(value))
        self._marks[id(data)] = marks
        return data

    def _merge(
        self, data: dict[str, object], marks: dict[str | int, tuple[Mark, Mark]], node: ast.expr, depth: int
    ) -> None:
        held = self._value(node, depth + 1)
        if not isinstance(held, dict):
            raise _NotLiteral(node, f"`**{self.source.segment(node)}` is not a mapping")
        data |= held
        marks |= self._marks[id(held)]

    def _list(self, items: list[ast.expr], depth: int) -> list[object]:
        data: list[object] = []
        marks: dict[str | int, tuple[Mark, Mark]] = {}
        for item in items:
            if not isinstance(item, ast.Starred):
                marks[len(data)] = (self._mark(item), self._mark(item))
                data.append(self._value(item, depth + 1))
                continue
            held = self._value(item.value, depth + 1)
            if not isinstance(held, list):
                raise _NotLiteral(item.value)
            marks |= {len(data) + int(index): mark for index, mark in self._marks[id(held)].items()}
            data += held
        self._marks[id(data)] = marks
        return data

    def _key(self, word: ast.keyword) -> ast.expr | None:
        return None if word.arg is None else ast.copy_location(ast.Constant(word.arg), word.value)

    def _mark(self, node: ast.expr) -> Mark:
        return node.lineno, self._column(node)

    def _column(self, node: ast.expr | ast.keyword) -> int:
        """In characters, from 1."""
        line = self.source.lines[node.lineno - 1].encode("utf-8", "replace")
        return len(line[: node.col_offset].decode("utf-8", "replace")) + 1
