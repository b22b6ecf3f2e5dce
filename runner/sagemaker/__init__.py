"""The SageMaker container contract as pure functions: a step of the spec -> `ContainerJob`."""

from __future__ import annotations

from runner.sagemaker.messages import ExitMessage, exit_message, failure_reason
from runner.sagemaker.translate import translate

__all__ = ["ExitMessage", "exit_message", "failure_reason", "translate"]
