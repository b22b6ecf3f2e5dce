"""Contracts of scripts: read without an import, found by name, and held against what the script says itself."""

from __future__ import annotations

from runner.spec.contracts.agreement import Disagreement, disagreements, unchecked
from runner.spec.contracts.discovery import METHODS, ContractDiscoveryResult, Contracts, discover
from runner.spec.contracts.model import (
    FoundContract,
    ProcessingScriptContract,
    ScriptContract,
    TrainingScriptContract,
)
from runner.spec.contracts.reading import read_contracts

__all__ = [
    "METHODS",
    "ContractDiscoveryResult",
    "Contracts",
    "Disagreement",
    "FoundContract",
    "ProcessingScriptContract",
    "ScriptContract",
    "TrainingScriptContract",
    "disagreements",
    "discover",
    "read_contracts",
    "unchecked",
]
