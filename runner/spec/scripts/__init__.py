"""What a Python script takes, needs and touches, read from its text: nothing is imported or run.

`facts` gives a `ScriptFacts`; `signature_fault` says whether its `main` can be called. Where the text does not say
enough, `ScriptFacts.unread` says where, so that nobody takes "not found" for "not there".
"""

from __future__ import annotations

from pathlib import Path

from runner.spec import script
from runner.spec.scripts.entry import EXPECTED, main_of, signature_fault
from runner.spec.scripts.imports import imports_of
from runner.spec.scripts.literals import Literals
from runner.spec.scripts.lookups import lookups_of
from runner.spec.scripts.model import (
    EnvironmentRead,
    Import,
    Main,
    Option,
    Parameter,
    PathUse,
    PortRead,
    ScriptFacts,
    Unread,
    Value,
)
from runner.spec.scripts.options import options_of
from runner.spec.scripts.paths import paths_of
from runner.spec.scripts.walk import is_main_test, walk

__all__ = [
    "EXPECTED",
    "EnvironmentRead",
    "Import",
    "Main",
    "Option",
    "Parameter",
    "PathUse",
    "PortRead",
    "ScriptFacts",
    "Unread",
    "Value",
    "facts",
    "signature_fault",
]


def facts(path: Path) -> ScriptFacts:
    """All that the text of a script says about it, in time linear in its length.

    Raises SpecError, as `script.read` does: a script that cannot be read or is not valid Python has no facts.
    """
    import ast

    source = script.read(path)
    visits = list(walk(source.tree))
    literals = Literals([node for node, _ in visits])
    main, code = main_of(visits)
    options, hidden = options_of(source, visits, literals)
    environment, ports, unread = lookups_of(source, visits, literals, code)
    blocks = (
        node.lineno
        for node, around in visits
        if isinstance(node, ast.If) and not around.in_function and is_main_test(node.test)
    )
    return ScriptFacts(
        path=path,
        main=main,
        main_block=next(blocks, None),
        options=tuple(options),
        environment=tuple(environment),
        paths=tuple(paths_of(visits, literals)),
        ports=tuple(ports),
        imports=tuple(imports_of(source, visits)),
        unread=(*hidden, *unread),
    )
