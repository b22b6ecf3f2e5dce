"""The agent as the text that an image's interpreter gets."""

from __future__ import annotations

import ast
import re
import sys

import pytest

from runner.agent import agent_source, hook_source


@pytest.mark.parametrize("text", [agent_source(), hook_source(), hook_source(["/x"])], ids=["agent", "hook", "tracer"])
def test_it_is_python_3_7_with_the_standard_library_alone(text: str) -> None:
    assert "runner.agent" not in text
    tree = ast.parse(text, feature_version=(3, 7))
    imported = {
        name.partition(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in ([alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""])
    }
    assert imported - set(sys.stdlib_module_names) <= {"sitecustomize"}


def test_its_parts_need_each_other_in_one_order_and_define_nothing_twice() -> None:
    text = agent_source()
    assert "runner.agent" not in text
    names = re.findall(r"^(?:def|class) (\w+)", text, re.MULTILINE)
    assert len(names) == len(set(names))
    assert names.index("mount") < names.index("StagedInput") < names.index("Staging") < names.index("Agent")


def test_it_fits_into_one_argument() -> None:
    """Linux takes 128 KiB for one argument of a command."""
    assert len(agent_source().encode()) < 100_000
