"""The SageMaker container contract as pure functions: a step of the spec -> `ContainerJob`.

Importing this package is cheap, since every room above takes `ContainerJob` from it: pydantic comes with `translate`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from runner.sagemaker.messages import ExitMessage, exit_message, failure_reason
    from runner.sagemaker.translation import translate

_HOMES = {
    "ExitMessage": "messages",
    "exit_message": "messages",
    "failure_reason": "messages",
    "translate": "translation",
}

__all__ = ["ExitMessage", "exit_message", "failure_reason", "translate"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
