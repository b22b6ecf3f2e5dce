"""The paths below /opt/ml that a script names."""

from __future__ import annotations

import ast
import posixpath

from runner.spec.scripts.literals import Beginning, Literals, spine
from runner.spec.scripts.model import PathUse
from runner.spec.scripts.walk import Visit

ROOT = "/opt/ml"


def paths_of(visits: list[Visit], literals: Literals) -> list[PathUse]:
    """Each place once; of `Path("/opt/ml") / "model"` the whole, not its parts."""
    found: list[PathUse] = []
    parts: set[int] = set()
    """Nodes that belong to a path which is found already, or to a chain that is none."""
    for node, _ in visits:
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            parts.add(id(node.value))  # a docstring
        if not isinstance(node, ast.Constant | ast.JoinedStr | ast.BinOp | ast.Call) or id(node) in parts:
            continue
        use = _use(node, literals)
        if use is not None:
            found.append(use)
            parts.update(id(part) for part in ast.walk(node))
        elif isinstance(node, ast.BinOp):
            parts.update(id(part) for part in _shorter(node))
    return found


def _use(node: ast.expr, literals: Literals) -> PathUse | None:
    value = literals.value(node)
    if isinstance(value, str):
        text, complete = value, True
    elif isinstance(value, Beginning):
        # What follows may go on in the last name.
        text, complete = value.text[: value.text.rfind("/") + 1], False
    else:
        return None
    if text.rstrip("/") != ROOT and not text.startswith(f"{ROOT}/"):
        return None
    if any(character.isspace() or not character.isprintable() for character in text):
        return None  # a sentence that begins with a path
    return PathUse(posixpath.normpath(text), node.lineno, complete)


def _shorter(node: ast.BinOp) -> list[ast.expr]:
    """The chain without its last term, without its last two, ...: none of them is a path if the whole is none."""
    length = len(spine(node))
    shorter: list[ast.expr] = []
    left = node.left
    while len(shorter) < length - 2:
        shorter.append(left)
        left = left.left  # type: ignore[attr-defined]
    return shorter
