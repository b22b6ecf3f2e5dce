"""`runner` itself: the names of the runtime-testing API, and how cheap it is to import."""

from __future__ import annotations

import subprocess
import sys

import pytest

import runner

NAMES = [
    "ContractDiscoveryManager",
    "ContractDiscoveryResult",
    "DataCompatibilityResult",
    "DataFlow",
    "EnhancedScriptExecutionSpec",
    "MatchType",
    "PathMatch",
    "PathSpec",
    "PipelineDAG",
    "PipelineResult",
    "PipelineTestingSpec",
    "PipelineTestingSpecBuilder",
    "RuntimeTester",
    "RuntimeTestingConfiguration",
    "ScriptExecutionSpec",
    "ScriptTestResult",
]


def test_names():
    assert runner.__all__ == NAMES
    assert sorted(runner.__all__) == runner.__all__
    assert {name: getattr(runner, name).__name__ for name in NAMES} == {name: name for name in NAMES}
    assert set(NAMES) <= set(dir(runner))


def test_star_import():
    found: dict[str, object] = {}
    exec("from runner import *", found)
    assert set(NAMES) <= found.keys()


def test_unknown_name():
    with pytest.raises(AttributeError, match="has no attribute 'RunTimeTester'"):
        runner.RunTimeTester  # noqa: B018


def loaded(code: str) -> set[str]:
    """The modules that a fresh interpreter has after it."""
    program = f"import sys\nbefore = set(sys.modules)\n{code}\nprint(*sorted(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_import_is_cheap():
    assert loaded("import runner") <= {"runner", "__future__"}


@pytest.mark.parametrize("name", NAMES)
def test_no_name_loads_docker_or_pandas(name):
    """They are loaded when something runs."""
    assert not loaded(f"from runner import {name}") & {"docker", "pandas", "numpy", "click", "rich", "pytest"}
