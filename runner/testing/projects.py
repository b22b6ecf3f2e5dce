"""Projects in one repository, each with test data of its own below its root."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from runner.testing.changes import changed
from runner.testing.specs import ScriptExecutionSpec


def placed(specs: Mapping[str, ScriptExecutionSpec], root: Path) -> dict[str, ScriptExecutionSpec]:
    """The specs with their relative paths below the project's root: outputs always; inputs where there is data, or an
    output that has the path; all other inputs stay where the current directory has them."""
    written = {path for spec in specs.values() for path in spec.output_paths.values()}
    found = {}
    for node, spec in specs.items():
        inputs = {
            name: _below(root, path) if path in written or (root / path).exists() else path
            for name, path in spec.input_paths.items()
        }
        outputs = {name: _below(root, path) for name, path in spec.output_paths.items()}
        found[node] = changed(spec, {"input_paths": inputs, "output_paths": outputs})
    return found


def _below(root: Path, path: str) -> str:
    return str(root / path) if path.strip() and not path.startswith("~") else path
