"""All nodes of a script in the order of its text, each with what surrounds it. No recursion: scripts may be hostile."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, replace

from runner.spec.script import is_type_checking

Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda


@dataclass(frozen=True, slots=True)
class Around:
    """Where a node stands."""

    in_function: bool = False
    in_main_block: bool = False
    type_checking: bool = False
    """Only a type checker sees it."""
    caught: frozenset[str] = frozenset()
    """Names of the exceptions that a `try` around it catches."""
    instead_of: str | None = None
    """In the handler of a failed import: the module that could not be imported."""


Visit = tuple[ast.AST, Around]
_EVERYTHING = "BaseException"


def walk(tree: ast.Module) -> Iterator[Visit]:
    pending: list[Visit] = [(tree, Around())]
    while pending:
        node, around = pending.pop()
        yield node, around
        pending += reversed(_below(node, around))


def _below(node: ast.AST, around: Around) -> list[Visit]:
    if isinstance(node, Function):
        # A function is called from anywhere: what is caught around its definition says nothing of its body.
        inner = replace(around, in_function=True, caught=frozenset(), instead_of=None)
        return [(child, inner) for child in ast.iter_child_nodes(node)]
    if isinstance(node, ast.Try | ast.TryStar):
        return _try(node, around)
    if isinstance(node, ast.If) and is_type_checking(node.test):
        checked = replace(around, type_checking=True)
        return _branches(node, checked, around)
    if isinstance(node, ast.If) and is_main_test(node.test):
        inside = replace(around, in_main_block=True)
        return _branches(node, inside, around)
    return [(child, around) for child in ast.iter_child_nodes(node)]


def _branches(node: ast.If, inside: Around, around: Around) -> list[Visit]:
    return [(node.test, around), *((child, inside) for child in node.body), *((child, around) for child in node.orelse)]


def _try(node: ast.Try | ast.TryStar, around: Around) -> list[Visit]:
    caught = around.caught | {name for handler in node.handlers for name in _caught(handler)}
    below: list[Visit] = [(child, replace(around, caught=caught)) for child in node.body]
    failed = next((name for child in node.body for name in _imported(child)), None)
    for handler in node.handlers:
        inside = replace(around, instead_of=failed) if failed and misses(frozenset(_caught(handler))) else around
        below.append((handler, inside))
    return below + [(child, around) for child in [*node.orelse, *node.finalbody]]


def _caught(handler: ast.ExceptHandler) -> list[str]:
    if handler.type is None:
        return [_EVERYTHING]
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return [
        kind.id if isinstance(kind, ast.Name) else kind.attr
        for kind in kinds
        if isinstance(kind, ast.Name | ast.Attribute)
    ]


def _imported(node: ast.stmt) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return [node.module] if isinstance(node, ast.ImportFrom) and node.module and not node.level else []


def misses(caught: frozenset[str], error: str = "import") -> bool:
    """Whether these handlers let a script go on after a failed import (or, with `key`, after a missing key)."""
    narrow = {"ImportError", "ModuleNotFoundError"} if error == "import" else {"KeyError", "LookupError"}
    return bool(caught & (narrow | {"Exception", _EVERYTHING}))


def is_main_test(test: ast.expr) -> bool:
    """`__name__ == "__main__"`, either way round, also as `in (...)` and as a part of an `and`."""
    if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.And):
        return any(isinstance(part, ast.Compare) and is_main_test(part) for part in test.values)
    if not isinstance(test, ast.Compare) or len(test.ops) != 1:
        return False
    left, right, operation = test.left, test.comparators[0], test.ops[0]
    if isinstance(operation, ast.In) and isinstance(right, ast.Tuple | ast.List | ast.Set):
        return _is_name(left) and any(_is_main(item) for item in right.elts)
    equal = isinstance(operation, ast.Eq)
    return equal and ((_is_name(left) and _is_main(right)) or (_is_main(left) and _is_name(right)))


def _is_name(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id == "__name__"


def _is_main(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value == "__main__"
