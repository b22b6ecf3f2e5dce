"""The third-party modules that a script imports, each with its place."""

from __future__ import annotations

import ast
import sys

from runner.spec.script import Source, is_neighbour
from runner.spec.scripts.model import Import
from runner.spec.scripts.walk import Visit, misses


def imports_of(source: Source, visits: list[Visit]) -> list[Import]:
    """In the order of the text; not the standard library's, the script's neighbours', or a type checker's."""
    found: list[Import] = []
    local: dict[str, bool] = {}
    for node, around in visits:
        if around.type_checking:
            continue
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            modules = [node.module]
        else:
            continue
        for module in modules:
            name = module.partition(".")[0]
            if name not in local:
                local[name] = name in sys.stdlib_module_names or is_neighbour(source.path, name)
            if not local[name]:
                optional = misses(around.caught) or around.instead_of is not None
                found.append(Import(module, node.lineno, optional, around.in_function, around.instead_of))
    return found
