from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from runner.sagemaker import translate
from runner.sagemaker.job import ContainerJob
from runner.spec.models import Pipeline, PipelineSpec

ROOT = Path("/project")
"""Nothing there exists: translating looks at no disk."""


@pytest.fixture
def job_of() -> Callable[..., ContainerJob]:
    """`job_of(step, **top)`: the job of one step called `Step` in a pipeline called `demo`."""

    def make(step: dict[str, Any], **top: Any) -> ContainerJob:
        document = {"name": "demo", "image": "python", "steps": {"Step": step, **top.pop("steps", {})}, **top}
        spec = PipelineSpec.model_validate(document)
        return translate(Pipeline(file=ROOT / "pipeline.yaml", spec=spec, source_text=b""), "Step")

    return make
