"""The function `main` of a script, and whether it can be called as the runtime-testing API calls it."""

from __future__ import annotations

import ast
from collections.abc import Iterable

from runner.spec.scripts.literals import assigned
from runner.spec.scripts.model import Main, Parameter, ScriptFacts
from runner.spec.scripts.walk import Visit

EXPECTED = ("input_paths", "output_paths", "environ_vars", "job_args")
"""The parameters of `main`, in the order in which they are given by position."""
_CALL = f"main({', '.join(EXPECTED)})"


def main_of(visits: Iterable[Visit]) -> tuple[Main | None, ast.AST | None]:
    """What `main` is bound to when the script has been imported, and its code; the last binding counts."""
    functions: dict[str, tuple[Main, ast.AST]] = {}
    found: tuple[Main | None, ast.AST | None] = (None, None)
    for node, around in visits:
        if around.in_function or around.in_main_block or around.type_checking or isinstance(node, ast.expr):
            continue
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            kind = "def" if isinstance(node, ast.FunctionDef) else "async def"
            functions[node.name] = (Main(kind, node.lineno, _parameters(node.args)), node)
            if node.name == "main":
                found = functions["main"]
        elif isinstance(node, ast.ImportFrom | ast.Import):
            if any((alias.asname or alias.name) == "main" for alias in node.names):
                found = (Main("import", node.lineno, None), None)
        else:
            for name, value in assigned(node):
                if name == "main":
                    found = _assigned(value, functions)
    return found


def _assigned(value: ast.expr, functions: dict[str, tuple[Main, ast.AST]]) -> tuple[Main, ast.AST | None]:
    if isinstance(value, ast.Lambda):
        return Main("lambda", value.lineno, _parameters(value.args)), value
    if isinstance(value, ast.Name) and value.id in functions:
        other, code = functions[value.id]
        return Main("assignment", value.lineno, other.parameters), code
    return Main("assignment", value.lineno, None), None


def _parameters(arguments: ast.arguments) -> tuple[Parameter, ...]:
    by_position = [*arguments.posonlyargs, *arguments.args]
    first_default = len(by_position) - len(arguments.defaults)
    found = [Parameter(each.arg, "positional", index < first_default) for index, each in enumerate(by_position)]
    if arguments.vararg:
        found.append(Parameter(arguments.vararg.arg, "*args", required=False))
    for each, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        found.append(Parameter(each.arg, "keyword-only", default is None))
    if arguments.kwarg:
        found.append(Parameter(arguments.kwarg.arg, "**kwargs", required=False))
    return tuple(found)


def signature_fault(facts: ScriptFacts) -> str | None:
    """Why a call `main(input_paths, output_paths, environ_vars, job_args)` by position would go wrong, with the line.

    None when it would not, and when the text does not say what `main` takes (an imported or computed function). A
    script without `main` is a fault.
    """
    from runner.spec.document import shown
    from runner.spec.names import did_you_mean

    if facts.main is None:
        return f"{shown(facts.path)}: no function 'main' at the top level; expected {_CALL}"
    if facts.main.parameters is None:
        return None
    reason = _reason(facts.main.parameters)
    if reason is None:
        return None
    found = f"main({', '.join(map(str, facts.main.parameters))})"
    odd = [name for name in (each.name for each in facts.main.parameters) if name not in EXPECTED]
    hint = did_you_mean(odd[0], EXPECTED) if len(odd) == 1 else ""
    return f"{shown(facts.path)}:{facts.main.line}: {reason}: expected {_CALL}, found {found}{hint}"


def _reason(parameters: tuple[Parameter, ...]) -> str | None:
    by_position = [each for each in parameters if each.kind == "positional"]
    takes_more = any(each.kind == "*args" for each in parameters)
    if len(by_position) < len(EXPECTED) and not takes_more:
        return f"main takes {len(by_position)} of the {len(EXPECTED)} values that it is given"
    beyond = [each.name for each in by_position[len(EXPECTED) :] if each.required]
    beyond += [each.name for each in parameters if each.kind == "keyword-only" and each.required]
    if beyond:
        return f"main also needs '{beyond[0]}', which nothing gives it"
    for index, each in enumerate(by_position[: len(EXPECTED)]):
        if each.name in EXPECTED and EXPECTED[index] != each.name:
            return f"main takes '{each.name}' where it is given '{EXPECTED[index]}'"
    return None
