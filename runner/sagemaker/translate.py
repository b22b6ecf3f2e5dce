"""A step of a pipeline -> the one container that SageMaker would start for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.errors import SpecError
from runner.sagemaker import checks, processing, training
from runner.sagemaker.job import ContainerJob
from runner.sagemaker.request import request_of

if TYPE_CHECKING:
    from runner.spec.models import Pipeline


def translate(pipeline: Pipeline, step: str) -> ContainerJob:
    """The job of one step: pure, no I/O, and the same spec gives the same job on every machine.

    Raises KeyError when the pipeline has no such step, and SpecError (lines unknown, so 0) for what SageMaker would
    refuse: no image, a path outside `/opt/ml/processing`, two mounts at one path, outputs that training does not have.
    """
    request = request_of(pipeline, step)
    if found := checks.problems(request):
        raise SpecError(found)
    return training.job(request) if request.training else processing.job(request)
