"""`ContractDiscoveryManager`: finds a script's contract by name, without importing anything."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from runner.spec.contracts import ContractDiscoveryResult, Contracts
from runner.testing.builder import CONTRACTS


class ContractDiscoveryManager:
    """Looks in the given directory, else in the current one and its `contracts` and `steps/contracts`."""

    def __init__(self, contracts_dir: str | Path | Sequence[str | Path] | None = None) -> None:
        if contracts_dir is None:
            every = [Path(below) for below in ("", *CONTRACTS)]
            self.dirs = [path for path in every if path.is_dir()]
        else:
            several = [contracts_dir] if isinstance(contracts_dir, str | Path) else contracts_dir
            self.dirs = [Path(each) for each in several]

    def discover_contract(self, script_name: str, script: str | Path | None = None) -> ContractDiscoveryResult:
        """The contract of a script or a step. Raises SpecError for a directory that is none."""
        return Contracts(self.dirs).find(script_name, Path(script) if script is not None else None)
