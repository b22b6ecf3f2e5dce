"""What importing the room costs."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = {"rich", "pydantic", "docker", "pandas", "networkx", "click", "yaml"}
MODULES = ["lines", "console", "failure", "summary", "junit", "document", "graph", "plan", "history", "style", "text"]


@pytest.mark.parametrize("module", MODULES)
def test_no_module_imports_anything_heavy(module: str) -> None:
    code = f"import sys, runner.report.{module}; print(*{{name.split('.')[0] for name in sys.modules}})"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert not HEAVY & set(told.split())
