"""Run every step of a SageMaker pipeline in a local container before you deploy it.

The runtime-testing API is importable from here; each name is loaded when it is asked for.
"""

from __future__ import annotations

TYPE_CHECKING = False  # importing `typing` costs `run-pipeline --version` more than its answer
if TYPE_CHECKING:
    from typing import Any

    from runner.spec.contracts import ContractDiscoveryResult
    from runner.spec.dag import PipelineDAG
    from runner.spec.execution import PathSpec
    from runner.spec.matching import MatchType, PathMatch
    from runner.testing.builder import PipelineTestingSpecBuilder
    from runner.testing.config import RuntimeTestingConfiguration
    from runner.testing.contracts import ContractDiscoveryManager
    from runner.testing.results import DataCompatibilityResult, PipelineResult, ScriptTestResult
    from runner.testing.specs import DataFlow, EnhancedScriptExecutionSpec, PipelineTestingSpec, ScriptExecutionSpec
    from runner.testing.tester import RuntimeTester

__version__ = "0.1.0"

_HOMES = {
    "ContractDiscoveryManager": "testing.contracts",
    "ContractDiscoveryResult": "spec.contracts",
    "DataCompatibilityResult": "testing.results",
    "DataFlow": "testing.specs",
    "EnhancedScriptExecutionSpec": "testing.specs",
    "MatchType": "spec.matching",
    "PathMatch": "spec.matching",
    "PathSpec": "spec.execution",
    "PipelineDAG": "spec.dag",
    "PipelineResult": "testing.results",
    "PipelineTestingSpec": "testing.specs",
    "PipelineTestingSpecBuilder": "testing.builder",
    "RuntimeTester": "testing.tester",
    "RuntimeTestingConfiguration": "testing.config",
    "ScriptExecutionSpec": "testing.specs",
    "ScriptTestResult": "testing.results",
}

__all__ = [
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


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
